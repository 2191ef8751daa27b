//! A scenario file, read strictly: what is not understood is an error that names file and line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use jmrtc_call::{CallState, EngineState, LoginState, METHODS};
use jmrtc_protocol::limits::MAX_MEMBERS;
use jmrtc_protocol::{ErrorCode, Profile, Relation, Username};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_saphyr::{Error, Spanned, UserMessageFormatter};

use crate::ear::is_scripted;
use crate::model;
use crate::stage::{AppState, Kind, Order, Related, ServerState, Settings, token, user_of};

/// Long enough to be out of the way on the slowest machine; a scenario that waits for one of them says how long.
const RING_MS: u64 = 60_000;
const GRACE_MS: u64 = 60_000;
const PING_MS: u64 = 4_000;
const MEMBERS: usize = 8;
const HOUR_MS: i64 = 3_600_000;
/// Of one user, that a server lets sign in.
const DEVICES: usize = 16;
/// The longest that a server takes.
const YEAR_MS: u64 = 365 * 24 * 3_600_000;

const SYSTEM: [&str; 3] = ["answered", "declined", "networkChanged"];

/// A scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file, as it was named.
    pub file: PathBuf,
    /// In one line.
    pub title: String,
    /// Where it is not played, and why not.
    pub skip: BTreeMap<Kind, String>,
    /// Who takes part, and how far each app is at the beginning.
    pub(crate) devices: Vec<(String, AppState)>,
    /// The first signs in with the second's id.
    pub(crate) ids: BTreeMap<String, String>,
    pub(crate) settings: Settings,
    pub(crate) steps: Vec<Step>,
}

/// One step, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) line: u64,
    pub(crate) action: Action,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Does not wait for the answer.
    Send {
        device: String,
        method: String,
        args: Option<Value>,
    },
    Expect(Expect),
    /// Exactly the first of these that comes true.
    OneOf(Vec<Vec<Expect>>),
    Nothing {
        device: String,
    },
    /// Waits until `getState` says so.
    Becomes {
        device: String,
        state: Value,
    },
    App {
        device: String,
        state: AppState,
    },
    /// The stage is told so.
    Stage(Order),
    Wait {
        ms: u64,
    },
}

/// The next thing that an app is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expect {
    pub(crate) device: String,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Event { name: String, payload: Value },
    Result { method: String, result: Option<Value> },
    Failure { method: String, code: ErrorCode },
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Event { name, payload } => write!(f, "{} hears {name} {payload}", self.device),
            What::Result { method, result: Some(result) } => {
                write!(f, "{}: {method} gives {result}", self.device)
            }
            What::Result { method, result: None } => write!(f, "{}: {method} succeeds", self.device),
            What::Failure { method, code } => write!(f, "{}: {method} fails {}", self.device, code.name()),
        }
    }
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    title: String,
    devices: Spanned<Vec<Value>>,
    #[serde(default)]
    same_device: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    server: RawServer,
    #[serde(default)]
    relations: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    skip: BTreeMap<Kind, String>,
    steps: Vec<Spanned<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawServer {
    ring_time: Option<Spanned<String>>,
    grace_time: Option<Spanned<String>>,
    ping_time: Option<Spanned<String>>,
    max_members: Option<Spanned<usize>>,
    #[serde(default)]
    keep_calls: bool,
}

/// `3s`, `500ms`.
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s')?, 1_000),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn time(text: &str) -> Result<u64, String> {
    match milliseconds(text) {
        None => Err(format!("`{text}` is no time; write 3s or 500ms")),
        Some(ms @ 1..=YEAR_MS) => Ok(ms),
        Some(_) => Err(format!("`{text}` is no time from 1ms to a year")),
    }
}

/// One of a few words.
fn word<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|e| e.to_string())
}

fn one_of<'a>(word: &'a str, known: &[&str], what: &str) -> Result<&'a str, String> {
    if known.contains(&word) { Ok(word) } else { Err(format!("there is no {what} `{word}`")) }
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        Self::parse(file, &text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn parse(file: &Path, text: &str) -> Result<Self, String> {
        let raw: Raw =
            serde_saphyr::from_str(text).map_err(|e| format!("{}: {}", file.display(), unreadable(&e)))?;
        let at = |line: u64, what: String| format!("{}:{line}: {what}", file.display());
        let line = raw.devices.referenced.line();
        let devices = devices(&raw.devices.value).map_err(|e| at(line, e))?;
        let reader = Reader { devices: devices.iter().map(|(name, _)| name.as_str()).collect() };
        let mut settings = settings(&raw.server).map_err(|(line, e)| at(line, format!("server: {e}")))?;
        for (pair, relation) in raw.relations {
            let related = reader.relation(&pair, &relation.value);
            settings.relations.push(related.map_err(|e| at(relation.referenced.line(), e))?);
        }
        let mut ids = BTreeMap::new();
        for (copy, original) in &raw.same_device {
            let (line, original) = (original.referenced.line(), &original.value);
            let known = |name: &String| devices.iter().any(|(device, _)| device == name);
            if !known(copy) || !known(original) || user_of(copy) != user_of(original) {
                return Err(at(line, format!("`{copy}` and `{original}` are not two devices of one user")));
            }
            if raw.same_device.contains_key(original) {
                return Err(at(line, format!("`{original}` is a copy and has no id of its own")));
            }
            ids.insert(copy.clone(), original.clone());
        }
        let mut steps = Vec::new();
        let mut server = ServerState::Running;
        for (n, step) in raw.steps.iter().enumerate() {
            let line = step.referenced.line();
            let wrong = |e| at(line, format!("step {}: {e}", n + 1));
            let actions = reader.step(&step.value).map_err(wrong)?;
            for action in &actions {
                server = after(server, action).map_err(wrong)?;
            }
            steps.extend(actions.into_iter().map(|action| Step { line, action }));
        }
        let Some(last) = raw.steps.last() else {
            return Err(format!("{}: there are no steps", file.display()));
        };
        if server == ServerState::ReadOnly {
            let what = "at the end the server could not keep its calls: `server: running` before it";
            return Err(at(last.referenced.line(), what.into()));
        }
        Ok(Self { file: file.to_owned(), title: raw.title, skip: raw.skip, devices, ids, settings, steps })
    }
}

/// Every scenario file in `folder` and those below.
///
/// # Errors
/// A folder that can't be read.
pub fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn devices(list: &[Value]) -> Result<Vec<(String, AppState)>, String> {
    let mut devices: Vec<(String, AppState)> = Vec::new();
    let mut seen = BTreeSet::new();
    for item in list {
        let only =
            item.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next());
        let (name, state) = match (item.as_str(), only) {
            (Some(name), _) => (name.to_owned(), AppState::Ready),
            (None, Some((name, state))) => (name.clone(), word(state)?),
            (None, None) => {
                return Err(format!("`{item}` is no device: write `bob`, `bob/tablet` or `bob: closed`"));
            }
        };
        Username::new(user_of(&name)).map_err(|e| format!("device `{name}`: {e}"))?;
        if name.contains(char::is_whitespace) || !seen.insert(name.clone()) {
            return Err(format!("device `{name}`: a name has no blanks and is there once"));
        }
        let of_user = devices.iter().filter(|(other, _)| user_of(other) == user_of(&name)).count();
        if of_user == DEVICES {
            return Err(format!("device `{name}`: a user has at most {DEVICES}"));
        }
        devices.push((name, state));
    }
    if devices.is_empty() { Err("there are no devices".into()) } else { Ok(devices) }
}

/// How the server is after a step; why the step can't be done.
fn after(server: ServerState, action: &Action) -> Result<ServerState, String> {
    match (server, action) {
        (
            ServerState::Stopped | ServerState::Killed,
            Action::Stage(Order::Server { state: ServerState::ReadOnly }),
        ) => Err("only a server that runs is `readOnly`".into()),
        (_, Action::Stage(Order::Server { state })) => Ok(*state),
        (
            ServerState::Stopped | ServerState::Killed | ServerState::ReadOnly,
            Action::Stage(Order::Make { .. } | Order::Delete { .. } | Order::Relate(_)),
        ) => Err("the backend needs a server that runs and keeps changes".into()),
        (server, _) => Ok(server),
    }
}

/// What is wrong with the YAML.
fn unreadable(error: &Error) -> String {
    let mut text = error.render_with_formatter(&UserMessageFormatter);
    if text.contains("mapping values are not allowed") {
        text += "\nA step that is followed by `gives` or `fails` ends with a colon.";
    }
    text
}

/// What a real server would refuse is refused here, with the line.
fn settings(raw: &RawServer) -> Result<Settings, (u64, String)> {
    let or = |text: &Option<Spanned<String>>, otherwise: u64| match text {
        Some(text) => time(&text.value).map_err(|e| (text.referenced.line(), e)),
        None => Ok(otherwise),
    };
    let max_members = match &raw.max_members {
        Some(n) if !(2..=MAX_MEMBERS).contains(&n.value) => {
            return Err((n.referenced.line(), format!("`maxMembers` is from 2 to {MAX_MEMBERS}")));
        }
        Some(n) => n.value,
        None => MEMBERS,
    };
    Ok(Settings {
        ring_ms: or(&raw.ring_time, RING_MS)?,
        grace_ms: or(&raw.grace_time, GRACE_MS)?,
        ping_ms: or(&raw.ping_time, PING_MS)?,
        max_members,
        keep_calls: raw.keep_calls,
        relations: Vec::new(),
    })
}

/// A model of which only some fields are named.
fn filled<T: Default + Serialize + DeserializeOwned>(
    what: &str,
    fields: &Value,
    check: impl Fn(&T) -> Result<(), String>,
) -> Result<T, String> {
    let mut whole = serde_json::to_value(T::default()).map_err(|e| e.to_string())?;
    for (name, value) in fields.as_object().ok_or_else(|| format!("a {what} has fields"))? {
        let known = whole.get_mut(name).ok_or_else(|| format!("a {what} has no `{name}`"))?;
        *known = value.clone();
    }
    let whole = word(&whole)?;
    check(&whole)?;
    Ok(whole)
}

/// Whether one of two ways is how the other begins: then the longer never comes true, or by luck.
fn begins(shorter: &[Expect], longer: &[Expect]) -> bool {
    shorter.iter().all(|expect| {
        let of_device = |way: &[Expect]| -> Vec<_> {
            way.iter().filter(|other| other.device == expect.device).cloned().collect()
        };
        of_device(longer).starts_with(&of_device(shorter))
    })
}

struct Reader<'a> {
    devices: BTreeSet<&'a str>,
}

/// `DEVICE VERB …: VALUE`, and what stands beside it.
struct Phrase<'a> {
    words: Vec<&'a str>,
    value: Option<&'a Value>,
    more: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Phrase<'a> {
    fn of(step: &'a Value) -> Result<Self, String> {
        let mut fields = step.as_object().into_iter().flatten();
        let (text, value) = match (step.as_str(), fields.next()) {
            (Some(text), _) => (text, None),
            // `- bob calls accept:` without a value is null.
            (None, Some((text, value))) => (text.as_str(), Some(value).filter(|v| !v.is_null())),
            (None, None) => return Err(format!("`{step}` is no step")),
        };
        let more = fields.map(|(key, value)| (key.as_str(), value)).collect();
        Ok(Self { words: text.split(' ').collect(), value, more })
    }

    fn some(&self) -> Result<&'a Value, String> {
        self.value.ok_or_else(|| format!("`{}` needs a value", self.words.join(" ")))
    }

    fn none(&self) -> Result<(), String> {
        if self.value.is_none() { Ok(()) } else { Err(format!("`{}` has no value", self.words.join(" "))) }
    }

    fn alone(&self) -> Result<(), String> {
        match self.more.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("`{key}` means nothing beside `{}`", self.words.join(" "))),
        }
    }
}

impl Reader<'_> {
    fn step(&self, step: &Value) -> Result<Vec<Action>, String> {
        let phrase = Phrase::of(step)?;
        let device = phrase.words.first().copied().unwrap_or_default();
        match phrase.words[..] {
            ["server"] => {
                phrase.alone()?;
                return Ok(vec![Action::Stage(Order::Server { state: word(phrase.some()?)? })]);
            }
            ["wait"] => {
                phrase.alone()?;
                let text = phrase.some()?.as_str().ok_or("`wait` needs a time")?;
                return Ok(vec![Action::Wait { ms: time(text)? }]);
            }
            ["backend", ref rest @ ..] => {
                phrase.alone()?;
                return Ok(vec![self.backend(rest, &phrase)?]);
            }
            ["one", "of"] => {
                phrase.alone()?;
                let ways = phrase.some()?.as_array().filter(|w| w.len() >= 2);
                let ways = ways.ok_or("`one of` is a list of at least two lists of steps")?;
                let ways: Vec<_> = ways.iter().map(|way| self.way(way)).collect::<Result<_, _>>()?;
                for (n, way) in ways.iter().enumerate() {
                    if let Some(other) = (0..ways.len()).find(|m| *m != n && begins(way, &ways[*m])) {
                        return Err(format!("way {} is how way {} begins", n + 1, other + 1));
                    }
                }
                return Ok(vec![Action::OneOf(ways)]);
            }
            _ => {}
        }
        if !self.devices.contains(device) {
            return Err(format!("`{device}` is no device of this scenario"));
        }
        let device = device.to_owned();
        Ok(match phrase.words[1..] {
            ["calls", method] => {
                let send = Action::Send {
                    args: self.args(&device, &phrase)?,
                    device: device.clone(),
                    method: known(method)?,
                };
                vec![send, Action::Expect(Expect { device, what: answer(method, &phrase.more)? })]
            }
            ["sends", method] => {
                phrase.alone()?;
                vec![Action::Send { args: self.args(&device, &phrase)?, device, method: known(method)? }]
            }
            ["is", "answered", method] => {
                phrase.none()?;
                vec![Action::Expect(Expect { device, what: answer(&known(method)?, &phrase.more)? })]
            }
            ["hears", "nothing"] => {
                phrase.none()?;
                phrase.alone()?;
                vec![Action::Nothing { device }]
            }
            ["hears", name] => {
                phrase.alone()?;
                // Whether there is such an event matters more than that its fields are missing.
                let payload = phrase.value.unwrap_or(&Value::Null);
                vec![Action::Expect(Expect { device, what: event(name, payload)? })]
            }
            ["hears"] => {
                phrase.alone()?;
                let list = phrase.some()?.as_array().ok_or("`hears` needs an event or a list of events")?;
                let expect = |item: &Value| match item.as_object().filter(|fields| fields.len() == 1) {
                    Some(fields) => fields.iter().next().map_or(Err(String::new()), |(n, p)| event(n, p)),
                    None => Err(match item.as_str() {
                        Some(name) => event(name, &Value::Null).err().unwrap_or_default(),
                        None => format!("`{item}` is no event with its fields"),
                    }),
                };
                if list.is_empty() {
                    return Err("`hears` needs an event, or write `hears nothing`".into());
                }
                let whats: Vec<_> = list.iter().map(expect).collect::<Result<_, _>>()?;
                let heard = |what| Action::Expect(Expect { device: device.clone(), what });
                whats.into_iter().map(heard).collect()
            }
            ["becomes"] => {
                phrase.alone()?;
                vec![Action::Becomes { device, state: state(phrase.some()?)? }]
            }
            ["app"] => {
                phrase.alone()?;
                vec![Action::App { device, state: word(phrase.some()?)? }]
            }
            ["network"] => {
                phrase.alone()?;
                vec![Action::Stage(Order::Network { device, state: word(phrase.some()?)? })]
            }
            ["sleeps"] => {
                phrase.alone()?;
                let text = phrase.some()?.as_str().ok_or("`sleeps` needs a time")?;
                vec![Action::Stage(Order::Sleep { device, ms: time(text)? })]
            }
            ["microphone"] => {
                phrase.alone()?;
                vec![Action::Stage(Order::Microphone { device, state: word(phrase.some()?)? })]
            }
            ["microphone", "is"] => {
                phrase.alone()?;
                vec![Action::Stage(Order::MicrophoneIs { device, state: word(phrase.some()?)? })]
            }
            ["system"] => {
                phrase.alone()?;
                let event = phrase.some()?.as_str().ok_or("`system` needs a word")?;
                vec![Action::Stage(Order::System {
                    device,
                    event: one_of(event, &SYSTEM, "word of a system")?.to_owned(),
                })]
            }
            _ => return Err(format!("`{}` is not understood", phrase.words.join(" "))),
        })
    }

    fn user(&self, name: &str) -> Result<String, String> {
        let known = self.devices.iter().any(|device| user_of(device) == name);
        if known { Ok(name.to_owned()) } else { Err(format!("`{name}` is no user of this scenario")) }
    }

    /// `dave to alice: {isInBlackList: true}`.
    fn relation(&self, pair: &str, fields: &Value) -> Result<Related, String> {
        let (of, to) = pair.split_once(" to ").ok_or("a relation is `dave to alice: {…}`")?;
        self.related(of, to, fields)
    }

    fn related(&self, of: &str, to: &str, fields: &Value) -> Result<Related, String> {
        let (of, to) = (self.user(of)?, self.user(to)?);
        if of == to {
            return Err("nobody has a relation to itself".into());
        }
        Ok(Related { of, to, relation: filled("relation", fields, Relation::check)? })
    }

    /// What the company's backend does, which knows users and no devices.
    fn backend(&self, words: &[&str], phrase: &Phrase<'_>) -> Result<Action, String> {
        match *words {
            ["makes", name] => {
                let fields = phrase.value.map(|fields| filled("profile", fields, Profile::check));
                let profile = fields.unwrap_or_else(|| Ok(Profile::default()))?;
                Ok(Action::Stage(Order::Make { user: self.user(name)?, profile }))
            }
            ["deletes", name] => {
                phrase.none()?;
                Ok(Action::Stage(Order::Delete { user: self.user(name)? }))
            }
            ["relates", of, "to", to] => {
                Ok(Action::Stage(Order::Relate(self.related(of, to, phrase.some()?)?)))
            }
            _ => Err(format!("`{}` is not understood", phrase.words.join(" "))),
        }
    }

    /// One way of several: only what is heard.
    fn way(&self, steps: &Value) -> Result<Vec<Expect>, String> {
        let steps = steps.as_array().ok_or("each way is a list of steps")?;
        let mut all = Vec::new();
        for step in steps {
            for action in self.step(step)? {
                let Action::Expect(expect) = action else {
                    return Err("in `one of` there is only what somebody hears or is answered".into());
                };
                all.push(expect);
            }
        }
        if all.is_empty() { Err("a way is empty".into()) } else { Ok(all) }
    }

    fn args(&self, device: &str, phrase: &Phrase<'_>) -> Result<Option<Value>, String> {
        let mut args = phrase.value.cloned();
        if let Some(Value::Object(fields)) = &mut args {
            for value in fields.values_mut() {
                if let Some(text) = value.as_str().and_then(|text| text.strip_prefix('$')) {
                    *value = self.token_of(text, user_of(device))?;
                }
            }
        }
        Ok(args)
    }

    /// `token`, `token of bob`, `token for 3s`, `expired token`.
    fn token_of(&self, text: &str, user: &str) -> Result<Value, String> {
        Ok(match text.split(' ').collect::<Vec<_>>()[..] {
            ["token"] => token(user, HOUR_MS),
            ["token", "of", other] => token(&self.user(other)?, HOUR_MS),
            ["token", "for", ms] => token(user, time(ms)?.try_into().unwrap_or(HOUR_MS)),
            ["expired", "token"] => token(user, -HOUR_MS),
            _ => return Err(format!("`${text}` is no token")),
        })
    }
}

/// What is waited for: `{login: reconnecting}`.
fn state(value: &Value) -> Result<Value, String> {
    let fields = value.as_object().filter(|fields| !fields.is_empty());
    for (field, value) in fields.ok_or("`becomes` needs fields of `getState`")? {
        let known = match field.as_str() {
            "login" => word::<LoginState>(value).map(drop),
            "engine" => word::<EngineState>(value).map(drop),
            "call" => word::<CallState>(value).map(drop),
            _ => return Err(format!("there is no field of getState `{field}`")),
        };
        if *value == Value::Bool(false) {
            return Err(format!(
                "`{field}` never is `false`; YAML takes `off` for that without quotes: \"off\""
            ));
        }
        known.map_err(|e| format!("`{field}`: {e}"))?;
        value.as_str().ok_or_else(|| format!("`{field}` is a word"))?;
    }
    Ok(value.clone())
}

fn known(method: &str) -> Result<String, String> {
    if method == "getStats" {
        return Err("`getStats` is in no file: its numbers depend on the sound".into());
    }
    one_of(method, &METHODS, "method").map(str::to_owned)
}

fn event(name: &str, payload: &Value) -> Result<What, String> {
    if !is_scripted(name) {
        return Err(format!("`{name}` is in no file: when it comes depends on what is heard"));
    }
    let specimen = model::event(name).ok_or_else(|| format!("there is no event `{name}`"))?;
    if payload.is_null() {
        return Err(format!("`{name}` needs its fields; write `{name}: {{}}` where none matters"));
    }
    model::known(payload, &specimen)?;
    let says_why = payload.get("reason").is_some();
    if ["CallDisconnect", "CallMemberLeave"].contains(&name) && !says_why {
        return Err(format!("`{name}` needs a reason"));
    }
    Ok(What::Event { name: name.to_owned(), payload: payload.clone() })
}

/// What a method is expected to come to: `gives`, `fails`, or the success that the contract states.
fn answer(method: &str, more: &BTreeMap<&str, &Value>) -> Result<What, String> {
    let method = known(method)?;
    if let Some(key) = more.keys().find(|key| !["gives", "fails"].contains(*key)) {
        return Err(format!("`{key}` means nothing here; `gives` and `fails` do"));
    }
    match (more.get("gives"), more.get("fails")) {
        (Some(_), Some(_)) => Err("it either `gives` or `fails`".into()),
        (_, Some(name)) => {
            let code = ErrorCode::ALL.into_iter().find(|code| name.as_str() == Some(code.name()));
            Ok(What::Failure { method, code: code.ok_or_else(|| format!("there is no failure {name}"))? })
        }
        (Some(result), None) => {
            model::known(result, &model::result(&method))?;
            Ok(What::Result { method, result: Some((*result).clone()) })
        }
        (None, None) => {
            let result = match method.as_str() {
                "initEngine" => Some(Value::Null),
                "init"
                | "logout"
                | "updateToken"
                | "releaseEngine"
                | "accept"
                | "refuse"
                | "hangup"
                | "setIsMuted"
                | "setIsSpeakerphoneEnabled" => Some(Value::Object(Map::new())),
                _ => None,
            };
            Ok(What::Result { method, result })
        }
    }
}

/// What `login` gets when an app is made ready.
pub(crate) fn own_token(device: &str) -> Value {
    token(user_of(device), HOUR_MS)
}

impl Serialize for Expect {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
