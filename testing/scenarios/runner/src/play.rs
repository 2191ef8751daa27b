//! Plays a scenario on a stage.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use jmrtc_call::Event;
use jmrtc_protocol::Session;
use serde_json::{Value, json};

use crate::ear::{Ear, is_scripted};
use crate::fit::{Names, fit};
use crate::scenario::{Action, Expect, Scenario, What, own_token};
use crate::stage::{Answer, AppState, Order, PATIENCE, Report, Settings, Stage, Use};
use crate::words::short;

/// Between two looks at what an app's state has become.
const LOOK: Duration = Duration::from_millis(20);

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As the file says.
    Passed,
    /// Not on this stage, as the file says, and why.
    Skipped(String),
    /// Otherwise: which step, what was expected, what was seen.
    Failed(String),
}

/// Plays `scenario` to its end.
pub fn play(scenario: &Scenario, stage: &mut dyn Stage) -> Verdict {
    let reasons: Vec<_> = stage.kinds().iter().filter_map(|kind| scenario.skip.get(kind).cloned()).collect();
    if !reasons.is_empty() {
        return Verdict::Skipped(reasons.join("; "));
    }
    let mut player = Player {
        stage,
        devices: scenario.devices.iter().map(|(name, _)| (name.clone(), Device::default())).collect(),
        ids: scenario.ids.clone(),
        hint: hint(&scenario.settings),
        names: Names::new(),
        starts: BTreeMap::new(),
        calls: 0,
    };
    match player.play(scenario) {
        Ok(()) => Verdict::Passed,
        Err(what) => {
            // The first error says more than one that it causes.
            let _ = player.stage.carry_out(&Order::Close);
            Verdict::Failed(format!("{}{what}\n{}", scenario.file.display(), player.story()))
        }
    }
}

struct Player<'a> {
    stage: &'a mut dyn Stage,
    devices: BTreeMap<String, Device>,
    /// The first signs in with the second's id.
    ids: BTreeMap<String, String>,
    /// Beside what was waited for in vain.
    hint: String,
    names: Names,
    /// When each call began.
    starts: BTreeMap<String, i64>,
    calls: u64,
}

#[derive(Default)]
struct Device {
    runs: bool,
    told: Vec<Told>,
    /// How much of `told` the steps so far have spoken of.
    read: usize,
    /// Methods that are not answered yet.
    open: BTreeMap<u64, Open>,
    /// Answers to the runner's own calls.
    own: BTreeMap<u64, Answer>,
    ear: Ear,
    /// When it wakes, by the stage's clock.
    awake: Duration,
}

struct Open {
    method: String,
    /// Not the scenario's, but the runner's own.
    own: bool,
}

enum Told {
    Event { name: String, payload: Value },
    Answer { method: String, answer: Answer },
}

impl Told {
    fn words(&self) -> String {
        match self {
            Self::Event { name, payload } => format!("{name} {}", short(payload)),
            Self::Answer { method, answer: Answer::Result(result) } => {
                format!("{method} gives {}", short(result))
            }
            Self::Answer { method, answer: Answer::Error(e) } => {
                format!("{method} fails {} ({})", e.name, e.description)
            }
        }
    }
}

/// How what was told compares with what is expected.
enum Status {
    Met,
    /// So far.
    Pending(String),
    Missed(String),
}

impl Player<'_> {
    fn play(&mut self, scenario: &Scenario) -> Result<(), String> {
        let plain = |e: String| format!(": {e}");
        let names = scenario.devices.iter().map(|(name, _)| name.clone()).collect();
        let open = Order::Open { devices: names, settings: scenario.settings.clone() };
        self.stage.carry_out(&open).map_err(plain)?;
        self.prepare(&scenario.devices).map_err(plain)?;
        for step in &scenario.steps {
            self.step(&step.action).map_err(|e| format!(":{}: {e}", step.line))?;
        }
        self.end().map_err(|e| format!(": at the end: {e}"))
    }

    fn step(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Send { device, method, args } => {
                self.call(device, method, args.clone(), false).map(|_| ())
            }
            Action::Expect(expect) => self.expect(&[vec![expect.clone()]]),
            Action::OneOf(ways) => self.expect(ways),
            Action::Nothing { device } => self.nothing(device),
            Action::Becomes { device, state } => self.becomes(device, state),
            Action::App { device, state: AppState::Closed } => {
                self.running(device)?;
                self.stage.carry_out(&Order::Kill { device: device.clone() })?;
                // What it was still told belongs to the life that is over.
                while let Some(report) = self.stage.next(Duration::ZERO)? {
                    self.hear(report)?;
                }
                let state = self.device(device)?;
                state.runs = false;
                state.open.clear();
                state.ear = Ear::default();
                state.awake = Duration::ZERO;
                Ok(())
            }
            Action::App { device, .. } if self.device(device)?.runs => {
                Err(format!("the app of `{device}` runs already"))
            }
            Action::App { device, state } => self.prepare(&[(device.clone(), *state)]),
            Action::Stage(order) => {
                if let Order::Sleep { device, .. }
                | Order::System { device, .. }
                | Order::MicrophoneIs { device, .. } = order
                {
                    self.running(device)?;
                }
                if let Order::Sleep { device, ms } = order {
                    let now = self.stage.elapsed();
                    let state = self.device(device)?;
                    if state.awake > now {
                        return Err(format!("`{device}` sleeps already"));
                    }
                    state.awake = now.saturating_add(Duration::from_millis(*ms));
                }
                self.stage.carry_out(order)
            }
            Action::Wait { ms } => self.stage.pass(Duration::from_millis(*ms)),
        }
    }

    fn device(&mut self, name: &str) -> Result<&mut Device, String> {
        self.devices.get_mut(name).ok_or_else(|| format!("the stage speaks of `{name}`, which nobody knows"))
    }

    fn running(&mut self, name: &str) -> Result<&mut Device, String> {
        let device = self.device(name)?;
        if device.runs { Ok(device) } else { Err(format!("the app of `{name}` does not run")) }
    }

    /// Starts apps, all at once, and brings each as far as it shall be.
    fn prepare(&mut self, devices: &[(String, AppState)]) -> Result<(), String> {
        let mut on_their_way = Vec::new();
        for (device, state) in devices {
            if *state != AppState::Closed {
                let id = self.ids.get(device).unwrap_or(device).clone();
                self.stage.carry_out(&Order::Start { device: device.clone(), id })?;
                self.device(device)?.runs = true;
            }
        }
        for (device, state) in devices {
            if *state >= AppState::SignedIn {
                let args = json!({ "token": own_token(device) });
                on_their_way.push((device, self.call(device, "login", Some(args), true)?));
            }
        }
        for (device, login) in std::mem::take(&mut on_their_way) {
            self.answered(device, login)?;
        }
        for (device, state) in devices {
            if *state >= AppState::Ready {
                on_their_way.push((device, self.call(device, "initEngine", None, true)?));
            }
        }
        for (device, init) in on_their_way {
            self.answered(device, init)?;
        }
        Ok(())
    }

    fn call(&mut self, device: &str, method: &str, args: Option<Value>, own: bool) -> Result<u64, String> {
        self.calls += 1;
        let call = self.calls;
        let state = self.running(device)?;
        state.open.insert(call, Open { method: method.to_owned(), own });
        let (device, method) = (device.to_owned(), method.to_owned());
        self.stage.carry_out(&Order::Call { device, call, method, args, own })?;
        Ok(call)
    }

    /// Waits for the answer to one of the runner's own calls, which must succeed.
    fn answered(&mut self, device: &str, call: u64) -> Result<Value, String> {
        let end = self.stage.elapsed() + PATIENCE;
        loop {
            match self.device(device)?.own.remove(&call) {
                Some(Answer::Result(result)) => return Ok(result),
                Some(Answer::Error(e)) => return Err(format!("{device}: {}: {}", e.name, e.description)),
                None => {}
            }
            match self.next(end)? {
                Some(report) => self.hear(report)?,
                None => {
                    let method = self.device(device)?.open.get(&call).map(|open| open.method.clone());
                    return Err(format!("{device}: {} is not answered", method.unwrap_or_default()));
                }
            }
        }
    }

    fn next(&mut self, end: Duration) -> Result<Option<Report>, String> {
        self.stage.next(end.saturating_sub(self.stage.elapsed()))
    }

    fn hear(&mut self, report: Report) -> Result<(), String> {
        match report {
            Report::Event { device, event: name, payload } => {
                let problem = self.check_event(&device, &name, &payload);
                if is_scripted(&name) {
                    self.device(&device)?.told.push(Told::Event { name: name.clone(), payload });
                }
                problem.map_err(|e| format!("{device} hears {name}: {e}"))
            }
            Report::Answer { device, call, answer } => {
                let state = self.device(&device)?;
                let Some(open) = state.open.remove(&call) else {
                    return Err(format!("{device} is answered what it did not ask, or twice"));
                };
                if open.own {
                    state.own.insert(call, answer);
                    return Ok(());
                }
                let method = open.method;
                state.told.push(Told::Answer { method: method.clone(), answer: answer.clone() });
                match answer {
                    Answer::Result(mut session) if method == "startCallUsers" => {
                        session.as_object_mut().and_then(|fields| fields.remove("failed"));
                        self.check_session(&session).map_err(|e| format!("{device}: {method}: {e}"))
                    }
                    Answer::Result(_) | Answer::Error(_) => Ok(()),
                }
            }
        }
    }

    /// The payload is what the model says, with nothing missing and nothing more.
    fn check_event(&mut self, device: &str, name: &str, payload: &Value) -> Result<(), String> {
        let whole = json!({ "name": name, "payload": payload });
        let event: Event =
            serde_json::from_value(whole.clone()).map_err(|e| format!("not as the model says: {e}"))?;
        let again = serde_json::to_value(&event).map_err(|e| e.to_string())?;
        if !same(&again, &whole) {
            return Err(format!("the model makes of it {}", short(&again["payload"])));
        }
        self.device(device)?.ear.hear(&event)?;
        match &event {
            Event::CallOutgoing(session)
            | Event::CallReceiveInvite(session)
            | Event::CallConnecting(session)
            | Event::CallConnected(session)
            | Event::CallReconnecting(session)
            | Event::CallReconnected(session) => self.check_start(session),
            Event::CallDisconnect(end) => self.check_start(&end.session),
            Event::CallError(e) => e.session.as_ref().map_or(Ok(()), |session| self.check_start(session)),
            Event::CallMemberJoin(_)
            | Event::CallMemberLeave(_)
            | Event::CallOtherUserInvited(_)
            | Event::CallMemberMuted(_)
            | Event::CallActiveSpeakers(_)
            | Event::CallQuality(_) => Ok(()),
        }
    }

    fn check_session(&mut self, value: &Value) -> Result<(), String> {
        let session: Session =
            serde_json::from_value(value.clone()).map_err(|e| format!("not as the model says: {e}"))?;
        let again = serde_json::to_value(&session).map_err(|e| e.to_string())?;
        if !same(&again, value) {
            return Err(format!("the model makes of it {}", short(&again)));
        }
        self.check_start(&session)
    }

    /// A call starts once, at one time for all who see it.
    fn check_start(&mut self, session: &Session) -> Result<(), String> {
        if session.start_time == 0 {
            return Ok(());
        }
        let known = *self.starts.entry(session.channel_id.to_string()).or_insert(session.start_time);
        if known == session.start_time {
            Ok(())
        } else {
            Err(format!("startTime is {}, but was {known}", session.start_time))
        }
    }

    /// Waits until one of `ways` is met, the first of those that are.
    fn expect(&mut self, ways: &[Vec<Expect>]) -> Result<(), String> {
        let end = self.stage.elapsed() + PATIENCE;
        loop {
            let mut pending = Vec::new();
            let mut missed = Vec::new();
            for way in ways {
                let mut names = self.names.clone();
                let mut read: BTreeMap<&str, usize> = BTreeMap::new();
                match self.compare(way, &mut names, &mut read) {
                    Status::Met => {
                        self.names = names;
                        for (device, count) in read {
                            self.device(device)?.read += count;
                        }
                        return Ok(());
                    }
                    Status::Pending(why) => pending.push(why),
                    Status::Missed(why) => missed.push(why),
                }
            }
            if pending.is_empty() {
                return Err(missed.join("\nor "));
            }
            match self.next(end)? {
                Some(report) => self.hear(report)?,
                None => {
                    pending.extend(missed);
                    return Err(pending.join("\nor ") + &self.hint);
                }
            }
        }
    }

    fn compare<'e>(
        &self,
        way: &'e [Expect],
        names: &mut Names,
        read: &mut BTreeMap<&'e str, usize>,
    ) -> Status {
        let mut pending = None;
        let mut waits = BTreeSet::new();
        for expect in way {
            if waits.contains(expect.device.as_str()) {
                continue;
            }
            let count = read.entry(&expect.device).or_default();
            let told = self.devices.get(&expect.device).and_then(|d| d.told.get(d.read + *count));
            *count += 1;
            match told {
                None => {
                    // A name that is bound there may be missing in what comes after.
                    if pending.is_none() {
                        pending =
                            Some(format!("{expect}\n  but nothing came within {} s", PATIENCE.as_secs()));
                    }
                    waits.insert(expect.device.as_str());
                }
                Some(told) => {
                    if let Err(why) = matches(&expect.what, told, names) {
                        return Status::Missed(format!("{expect}\n  but was told {}{why}", told.words()));
                    }
                }
            }
        }
        pending.map_or(Status::Met, Status::Pending)
    }

    /// All that the server has sent to `device` is there, and the steps have spoken of it.
    fn nothing(&mut self, device: &str) -> Result<(), String> {
        let call = self.call(device, "getState", None, true)?;
        let state = self.answered(device, call)?;
        if state["login"] == "loggedIn" {
            // The answer comes after everything that the server has said before.
            let args = json!({ "token": own_token(device) });
            let call = self.call(device, "updateToken", Some(args), true)?;
            self.answered(device, call)?;
        }
        let device_state = self.device(device)?;
        match device_state.told.get(device_state.read) {
            None => Ok(()),
            Some(told) => Err(format!("{device} hears nothing\n  but was told {}", told.words())),
        }
    }

    fn becomes(&mut self, device: &str, expected: &Value) -> Result<(), String> {
        let end = self.stage.elapsed() + PATIENCE;
        loop {
            let call = self.call(device, "getState", None, true)?;
            let state = self.answered(device, call)?;
            // A look binds no name.
            let Err(why) = fit(expected, &state, &mut self.names.clone()) else { return Ok(()) };
            if self.stage.elapsed() >= end {
                return Err(format!("{device}: getState{why}"));
            }
            self.stage.pass(LOOK)?;
        }
    }

    /// Nothing is left unsaid or unanswered; no call is left at any device or at the server.
    fn end(&mut self) -> Result<(), String> {
        let running: Vec<_> =
            self.devices.iter().filter(|(_, d)| d.runs).map(|(name, _)| name.clone()).collect();
        for device in &running {
            self.nothing(device)?;
            let call = self.call(device, "getState", None, true)?;
            let state = self.answered(device, call)?;
            if !state["session"].is_null() || state["call"] != "idle" {
                return Err(format!("{device} is still in a call: {}", short(&state)));
            }
            if let Some(open) = self.device(device)?.open.values().next() {
                return Err(format!("{device}: {} is not answered", open.method));
            }
            let closed = Order::MicrophoneIs { device: device.clone(), state: Use::Closed };
            self.stage.carry_out(&closed).map_err(|e| format!("{device}: {e}"))?;
        }
        for (name, device) in &self.devices {
            if let Some(told) = device.told.get(device.read) {
                return Err(format!("{name} was told {}, of which nothing is said", told.words()));
            }
        }
        self.stage.carry_out(&Order::Close)
    }

    /// What each was told, for the reader of a failure.
    fn story(&self) -> String {
        let mut text = String::new();
        for (name, device) in &self.devices {
            let _ = writeln!(text, "  {name} was told:");
            for told in &device.told {
                let _ = writeln!(text, "    {}", told.words());
            }
        }
        text
    }
}

/// Who waits for the end of a time that the file does not set waits in vain.
fn hint(settings: &Settings) -> String {
    let mut text = String::new();
    for (name, ms, what) in [
        ("ringTime", settings.ring_ms, "it rings"),
        ("graceTime", settings.grace_ms, "a lost member stays in its call"),
    ] {
        if Duration::from_millis(ms) >= PATIENCE {
            let _ =
                write!(text, "\n  ({what} for {} s here; `server: {{{name}: 3s}}` makes it 3)", ms / 1000);
        }
    }
    text
}

fn matches(what: &What, told: &Told, names: &mut Names) -> Result<(), String> {
    let other = || Err(String::new());
    match (what, told) {
        (What::Event { name, payload }, Told::Event { name: seen, payload: got }) => {
            if name != seen {
                return other();
            }
            fit(payload, got, names).map_err(|e| format!("\n  where payload{e}"))
        }
        (What::Result { method, result }, Told::Answer { method: seen, answer: Answer::Result(got) }) => {
            if method != seen {
                return other();
            }
            match result {
                Some(Value::Object(fields)) if fields.is_empty() && got != &json!({}) => other(),
                Some(result) => fit(result, got, names).map_err(|e| format!("\n  where result{e}")),
                None => Ok(()),
            }
        }
        (What::Failure { method, code }, Told::Answer { method: seen, answer: Answer::Error(e) }) => {
            if method == seen && e.code == *code && e.name == code.name() { Ok(()) } else { other() }
        }
        (
            What::Event { .. } | What::Result { .. } | What::Failure { .. },
            Told::Event { .. } | Told::Answer { .. },
        ) => other(),
    }
}

/// Whether two values are the same: JavaScript writes 4.0 as 4.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_no_fraction_in_javascript() {
        let (a, b) = (json!({"mos": 4.0, "of": [1]}), json!({"of": [1], "mos": 4}));
        assert!(same(&a, &b));
        for other in
            [json!({"mos": 4.1, "of": [1]}), json!({"mos": 4, "of": [1, 2]}), json!({"mos": 4}), json!(null)]
        {
            assert!(!same(&a, &other), "{other}");
        }
    }
}
