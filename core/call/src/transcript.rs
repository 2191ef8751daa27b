//! A run written down as JSON lines, and played again.
//!
//! The first line is a [`Header`]; every other line is a [`Step`]. The driver writes a line per
//! [`crate::Client::handle`]; [`replay`] makes a machine from the header, gives it the same inputs and
//! compares what it does with what is written.
//!
//! A transcript goes into bug reports, so tokens' signatures, resume secrets and TURN credentials are not
//! written. The machine never looks into them: it does the same without.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Client, Config, Input, Output, Timestamp};

/// The version of the transcript's form.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// How the machine was made.
    pub config: Config,
}

/// Every other line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub now: Timestamp,
    /// What happened.
    pub input: Input,
    /// What the machine wanted done.
    pub outputs: Vec<Output>,
}

/// A machine that writes down what happens to it.
#[derive(Debug, Clone)]
pub struct Recorder {
    client: Client,
    lines: Vec<String>,
}

impl Recorder {
    /// A fresh machine and the header line.
    pub fn new(config: Config) -> Self {
        let lines = vec![header(&config)];
        Self { client: Client::new(config), lines }
    }

    /// [`Client::handle`], written down.
    #[must_use = "the outputs are the machine's only effect"]
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        let outputs = self.client.handle(now, input.clone());
        self.lines.push(step(now, &input, &outputs));
        outputs
    }

    /// The machine.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The lines written since the last call, without line ends.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

/// The first line of a transcript, without a line end.
pub fn header(config: &Config) -> String {
    jmrtc_protocol::encode(&Header { version: VERSION, config: config.clone() })
}

/// One step's line, without a line end.
pub fn step(now: Timestamp, input: &Input, outputs: &[Output]) -> String {
    let step = Step { now, input: input.clone(), outputs: outputs.to_vec() };
    jmrtc_protocol::encode(&without_secrets(&step))
}

fn without_secrets(what: &impl Serialize) -> Value {
    // As in `encode`: nothing here can fail to serialise.
    let mut value = serde_json::to_value(what).unwrap_or_default();
    black_out(&mut value);
    value
}

fn black_out(value: &mut Value) {
    const REDACTED: &str = "redacted";
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(items) => items.iter_mut().for_each(black_out),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match (key.as_str(), &mut *value) {
                    // The claims stay: whom a token is for decides what `login` does.
                    ("token", Value::String(token)) if !token.is_empty() => {
                        let claims = token.rsplit_once('.').filter(|(claims, _)| claims.contains('.'));
                        *token = claims.map_or_else(
                            || REDACTED.to_owned(),
                            |(claims, _)| format!("{claims}.{REDACTED}"),
                        );
                    }
                    ("secret" | "credential", Value::String(secret)) => REDACTED.clone_into(secret),
                    (_, value) => black_out(value),
                }
            }
        }
    }
}

/// Where a replay went another way than what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong: an unreadable line, or the first output that differs, written and made now.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Difference {}

/// Plays a transcript again and returns how many steps it has, or the first difference.
pub fn replay<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Result<usize, Difference> {
    let mut lines = lines.into_iter().enumerate().filter(|(_, l)| !l.as_ref().trim().is_empty());
    let unreadable = |line: usize, e: serde_json::Error| Difference { line: line + 1, what: e.to_string() };
    let Some((n, first)) = lines.next() else {
        return Err(Difference { line: 1, what: "the transcript is empty".to_owned() });
    };
    let header: Header = serde_json::from_str(first.as_ref()).map_err(|e| unreadable(n, e))?;
    if header.version != VERSION {
        let what = format!("a transcript of version {}, this replays version {VERSION}", header.version);
        return Err(Difference { line: n + 1, what });
    }
    let mut client = Client::new(header.config);
    let mut steps = 0;
    for (n, line) in lines {
        let step: Step = serde_json::from_str(line.as_ref()).map_err(|e| unreadable(n, e))?;
        let made = client.handle(step.now, step.input);
        if let Some(what) = first_difference(&step.outputs, &made) {
            return Err(Difference { line: n + 1, what });
        }
        steps += 1;
    }
    Ok(steps)
}

fn first_difference(written: &[Output], made: &[Output]) -> Option<String> {
    let secretless = |outputs: &[Output]| outputs.iter().map(without_secrets).collect::<Vec<_>>();
    let (written, made) = (secretless(written), secretless(made));
    let show = |o: Option<&Value>| o.map_or_else(|| "nothing".to_owned(), Value::to_string);
    (0..written.len().max(made.len()))
        .find(|&i| written.get(i) != made.get(i))
        .map(|i| format!("output {i}\n  written: {}\n  made:    {}", show(written.get(i)), show(made.get(i))))
}
