//! The phone itself: an engine, a role, and whoever is at the keyboard.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use jmrtc_engine::call::{Event, PlatformAction, PlatformEvent};
use jmrtc_engine::{Engine, Message};
use jmrtc_protocol::{ErrorCode, Failure};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::args::Role;
use crate::control::{Control, Line};
use crate::display::Display;
use crate::microphone::{Microphone, State};
use crate::outcome::Outcome;

/// Between two refreshed lines on a terminal; who gets a line each second gets every fifth.
const REFRESH: Duration = Duration::from_millis(200);
/// After the end of an announcement its last words are still under way.
const LAST_WORDS: Duration = Duration::from_millis(400);
/// For the end of a call to come back from the server after hanging up.
const HANGUP_TIMEOUT: Duration = Duration::from_secs(2);

/// How a phone behaves, besides its role.
pub(crate) struct Manner {
    pub(crate) token: String,
    pub(crate) talk_for: Option<Duration>,
    pub(crate) ring_for: Option<Duration>,
}

/// A phone at work.
pub(crate) struct Phone<'a> {
    engine: &'a Engine,
    role: Role,
    manner: Manner,
    display: Display,
    microphone: Microphone,
    /// Method calls that are not answered, and how many there have been.
    calls: BTreeMap<String, Call>,
    called: u64,
    alarm: Option<(Instant, Alarm)>,
    in_call: bool,
    connected: bool,
    /// The phone has signed in and its sound is ready.
    prepared: bool,
    /// Ends with this as soon as there is no call.
    leaving: Option<Outcome>,
}

/// What to do when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alarm {
    Accept,
    /// `--ring-for` or `--for` is over, or the announcement.
    HangUp,
    /// The end of the call did not come back.
    Leave,
}

/// A method call.
struct Call {
    id: Option<Value>,
    method: String,
    /// By the phone itself, which goes on with the result.
    own: bool,
}

impl<'a> Phone<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        role: Role,
        manner: Manner,
        display: Display,
        microphone: Microphone,
    ) -> Self {
        Self {
            engine,
            // Who is driven does nothing of that by itself.
            prepared: role == Role::Drive,
            role,
            manner,
            display,
            microphone,
            calls: BTreeMap::new(),
            called: 0,
            alarm: None,
            in_call: false,
            connected: false,
            leaving: None,
        }
    }

    /// Signs in and plays the role to its end.
    pub(crate) async fn run(mut self, control: Option<Control>) -> Outcome {
        let outcome = self.work(control).await;
        self.engine.stop().await;
        while let Some(message) = self.engine.next_message().await {
            match message {
                Message::Event(event) => self.display.event(&event),
                Message::Reply { id, result } => drop(self.show_reply(&id, &result)),
            }
        }
        self.display.exit(&outcome);
        outcome
    }

    async fn work(&mut self, mut control: Option<Control>) -> Outcome {
        let mut interrupt = std::pin::pin!(interrupted());
        let mut refresh = interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0u32;
        let mut ends = self.engine.playback_ends();
        if self.role != Role::Drive {
            self.call("login", json!({ "token": self.manner.token }));
        }
        loop {
            let engine = self.engine;
            let alarm = self.alarm;
            tokio::select! {
                // What has happened comes before what is asked next.
                biased;
                Some(action) = engine.next_platform_action() => {
                    self.display.platform(&action);
                    if action == PlatformAction::RequestMicrophone {
                        let answer = self.microphone.request();
                        self.answer_microphone(answer);
                    }
                }
                message = engine.next_message() => match message {
                    Some(Message::Event(event)) => {
                        if matches!(event, Event::CallConnected(_)) {
                            // Only an announcement of this call ends it.
                            ends.mark_unchanged();
                        }
                        self.event(event);
                    }
                    Some(Message::Reply { id, result }) => self.answered(&id, result),
                    None => return Outcome::new(1, "the engine has stopped"),
                },
                line = next_line(&mut control), if self.prepared => match line {
                    Some(Ok(line)) => self.line(line),
                    Some(Err(e)) => self.display.note(&format!("not understood: {e}")),
                    None => {
                        control = None;
                        if self.role.is_driven() {
                            self.leave(Outcome::done("end of input"));
                        }
                    }
                },
                _ = &mut interrupt => {
                    // Nobody waits for a server that does not answer, nor for anything when asked twice.
                    if !self.prepared || self.leaving.is_some() {
                        return Outcome::done("interrupted");
                    }
                    self.leave(Outcome::done("interrupted"));
                    interrupt.set(interrupted());
                }
                Ok(()) = ends.changed(), if self.connected && self.is_announcing() => {
                    self.alarm = Some((Instant::now() + LAST_WORDS, Alarm::HangUp));
                }
                _ = refresh.tick(), if self.in_call => {
                    ticks = ticks.wrapping_add(1);
                    self.display.stats(&engine.stats(), ticks.is_multiple_of(5));
                }
                () = until(alarm) => self.ring(alarm),
            }
            if !self.in_call
                && self.calls.is_empty()
                && let Some(outcome) = self.leaving.take()
            {
                return outcome;
            }
        }
    }

    /// Calls a method on the phone's own account.
    fn call(&mut self, method: &str, args: Value) {
        self.command(None, method.to_owned(), args, true);
    }

    fn command(&mut self, id: Option<Value>, method: String, args: Value, own: bool) {
        self.called += 1;
        let call = self.called.to_string();
        if self.engine.command(call.clone(), method.clone(), args) {
            self.calls.insert(call, Call { id, method, own });
        }
    }

    fn line(&mut self, line: Line) {
        match line {
            Line::Method(method) => self.command(method.id, method.method, method.args, false),
            Line::Platform(event) => self.engine.platform_event(event),
            Line::Microphone(state) => match self.microphone.set(state) {
                Ok(answer) => self.answer_microphone(answer),
                Err(why) => self.display.note(&format!("not understood: {why}")),
            },
            Line::MicrophoneIs(expected) => {
                if let Err(why) = self.microphone.expect(expected) {
                    self.display.note(&format!("not understood: {why}"));
                }
            }
        }
    }

    fn answer_microphone(&self, answer: Option<bool>) {
        if let Some(granted) = answer {
            self.engine.platform_event(PlatformEvent::Microphone { granted });
        }
    }

    /// Hangs up if there is a call, then ends.
    fn leave(&mut self, outcome: Outcome) {
        self.leaving.get_or_insert(outcome);
        // Who is asked for the microphone would be waited for.
        self.line(Line::Microphone(State::Refused));
        if self.in_call {
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        self.call("hangup", Value::Null);
        self.alarm = Some((Instant::now() + HANGUP_TIMEOUT, Alarm::Leave));
    }

    fn ring(&mut self, alarm: Option<(Instant, Alarm)>) {
        self.alarm = None;
        match alarm {
            Some((_, Alarm::Accept)) => self.call("accept", Value::Null),
            Some((_, Alarm::HangUp)) => {
                if !self.connected && self.leaving.is_none() {
                    self.leaving = Some(Outcome::new(12, "nobody answered"));
                }
                self.hang_up();
            }
            Some((_, Alarm::Leave)) => self.in_call = false,
            None => {}
        }
    }

    fn show_reply(&mut self, call: &str, result: &Result<Value, Failure>) -> Option<Call> {
        let call = self.calls.remove(call)?;
        self.display.reply(call.id.as_ref(), &call.method, result, !call.own);
        Some(call)
    }

    fn answered(&mut self, call: &str, result: Result<Value, Failure>) {
        let Some(call) = self.show_reply(call, &result).filter(|call| call.own) else { return };
        match (call.method.as_str(), result) {
            ("login", Ok(_)) => self.call("initEngine", Value::Null),
            ("initEngine", Ok(_)) => {
                self.prepared = true;
                self.begin();
            }
            ("startCallUsers", Ok(session)) => {
                for failed in session["failed"].as_array().into_iter().flatten() {
                    let (who, why) = (&failed["username"], &failed["name"]);
                    self.display.note(&format!("{} can't be called: {}", text(who), text(why)));
                }
            }
            // The caller is gone, or another device was faster: its event says so.
            ("accept", Err(_)) => {}
            (_, Ok(_)) => {}
            (_, Err(e)) => self.leave(Outcome::of_failure(&e)),
        }
    }

    fn begin(&mut self) {
        match &self.role {
            Role::Call { usernames } => {
                let usernames = json!({ "usernames": usernames });
                self.call("startCallUsers", usernames);
            }
            Role::Answer | Role::Echo | Role::Announce { .. } | Role::Listen => {
                self.display.note("waiting for calls")
            }
            Role::Run | Role::Drive => {}
        }
    }

    fn event(&mut self, event: Event) {
        self.display.event(&event);
        match event {
            Event::CallOutgoing(_) => {
                self.in_call = true;
                self.alarm = self.manner.ring_for.map(|t| (Instant::now() + t, Alarm::HangUp));
            }
            Event::CallReceiveInvite(_) => {
                self.in_call = true;
                if self.answers() {
                    let rings = self.manner.ring_for.unwrap_or_default();
                    self.alarm = Some((Instant::now() + rings, Alarm::Accept));
                }
            }
            Event::CallConnected(_) => {
                self.in_call = true;
                self.connected = true;
                self.alarm = self.manner.talk_for.map(|t| (Instant::now() + t, Alarm::HangUp));
            }
            Event::CallDisconnect(end) => {
                (self.in_call, self.connected, self.alarm) = (false, false, None);
                if self.leaving.is_none() && matches!(self.role, Role::Call { .. } | Role::Answer) {
                    self.leaving = Some(Outcome::of_call(&end));
                }
            }
            // No more calls will come. Whoever is at standard input may know a new token.
            Event::CallError(e) if e.code == ErrorCode::LoginRejected && !self.role.is_driven() => {
                self.leave(Outcome::of_failure(&Failure::new(e.code, e.description)));
            }
            Event::CallConnecting(_)
            | Event::CallMemberJoin(_)
            | Event::CallMemberLeave(_)
            | Event::CallOtherUserInvited(_)
            | Event::CallMemberMuted(_)
            | Event::CallActiveSpeakers(_)
            | Event::CallError(_)
            | Event::CallQuality(_)
            | Event::CallReconnecting(_)
            | Event::CallReconnected(_) => {}
        }
    }

    fn is_announcing(&self) -> bool {
        matches!(self.role, Role::Announce { .. })
    }

    /// Whether this phone accepts calls by itself.
    fn answers(&self) -> bool {
        match self.role {
            Role::Answer | Role::Echo | Role::Announce { .. } | Role::Listen => self.leaving.is_none(),
            Role::Call { .. } | Role::Run | Role::Drive => false,
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn next_line(control: &mut Option<Control>) -> Option<Result<Line, String>> {
    match control {
        Some(control) => control.next().await,
        None => pending().await,
    }
}

async fn until(alarm: Option<(Instant, Alarm)>) {
    match alarm {
        Some((at, _)) => sleep_until(at).await,
        None => pending().await,
    }
}

/// Ctrl-C, or a polite request of the system to end.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
