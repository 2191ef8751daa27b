//! What the phone says on standard output: JSON lines, plain lines, or one refreshed line on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use jmrtc_engine::Stats;
use jmrtc_engine::call::{Event, PlatformAction};
use jmrtc_protocol::{Failure, Session, User};
use serde_json::{Value, json};

use crate::outcome::Outcome;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Plain,
    Terminal,
}

/// Writes to standard output. A reader that went away does not matter.
pub(crate) struct Display {
    form: Form,
    /// The last status line, which the next one overwrites.
    status: String,
}

impl Display {
    pub(crate) fn new(json: bool) -> Self {
        let form = match (json, io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Terminal,
            (false, false) => Form::Plain,
        };
        Self { form, status: String::new() }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        match self.form {
            Form::Json => {
                let mut line = serde_json::to_value(event).unwrap_or_default();
                let name = line["name"].take();
                self.json(json!({ "event": name, "payload": line["payload"].take() }));
            }
            Form::Plain | Form::Terminal => self.line(&sentence(event)),
        }
    }

    /// Whoever plays the person at the system's call screen has to name what it shows.
    pub(crate) fn platform(&self, action: &PlatformAction) {
        let shows = match action {
            PlatformAction::ShowIncoming { session, stay } => {
                Some(("showIncoming", &session.channel_id, stay))
            }
            PlatformAction::DismissIncoming { channel_id, stay } => {
                Some(("dismissIncoming", channel_id, stay))
            }
            PlatformAction::CallStarted { session, stay, .. } => {
                Some(("callStarted", &session.channel_id, stay))
            }
            PlatformAction::CallEnded { channel_id, stay } => Some(("callEnded", channel_id, stay)),
            PlatformAction::RequestMicrophone | PlatformAction::SetSpeakerphone { .. } => None,
        };
        if let (Form::Json, Some((action, channel, stay))) = (self.form, shows) {
            self.json(json!({ "event": "platform", "action": action, "channelId": channel, "stay": stay }));
        }
    }

    /// `asked` is set where standard input asked, which wants to see the answer.
    pub(crate) fn reply(
        &mut self,
        id: Option<&Value>,
        method: &str,
        result: &Result<Value, Failure>,
        asked: bool,
    ) {
        match self.form {
            Form::Json => {
                let mut line = json!({ "event": "reply", "method": method });
                if let Some(id) = id {
                    line["id"] = id.clone();
                }
                match result {
                    Ok(result) => line["result"] = result.clone(),
                    Err(error) => line["error"] = json!(error),
                }
                self.json(line);
            }
            Form::Plain | Form::Terminal if asked => self.line(&match result {
                Ok(result) => format!("{method}: {result}"),
                Err(e) => format!("{method} failed: {} ({}): {}", e.name, e.code.number(), e.description),
            }),
            Form::Plain | Form::Terminal => {}
        }
    }

    /// `every_second` is set for one call in five.
    pub(crate) fn stats(&mut self, stats: &Stats, every_second: bool) {
        match self.form {
            Form::Json if every_second => {
                let mut line = json!({ "event": "stats" });
                if let (Value::Object(line), Ok(Value::Object(stats))) =
                    (&mut line, serde_json::to_value(stats))
                {
                    line.extend(stats);
                }
                self.json(line);
            }
            Form::Json => {}
            Form::Plain if every_second && stats.connected_ms.is_some() => println_safe(&summary(stats)),
            Form::Plain => {}
            Form::Terminal => {
                let status = summary(stats);
                let blank = self.status.chars().count().saturating_sub(status.chars().count());
                print_safe(&format!("\r{status}{:blank$}", ""));
                self.status = status;
            }
        }
    }

    pub(crate) fn exit(&mut self, outcome: &Outcome) {
        match self.form {
            Form::Json => self.json(json!({ "event": "exit", "code": outcome.code, "why": outcome.why })),
            Form::Plain | Form::Terminal => self.line(&outcome.why),
        }
    }

    /// Something worth saying that is neither event nor reply.
    pub(crate) fn note(&mut self, text: &str) {
        match self.form {
            Form::Json => self.json(json!({ "event": "note", "text": text })),
            Form::Plain | Form::Terminal => self.line(text),
        }
    }

    fn json(&self, mut line: Value) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        line["at"] = json!(now.as_secs_f64() * 1000.0);
        println_safe(&line.to_string());
    }

    fn line(&mut self, text: &str) {
        if !self.status.is_empty() {
            let width = self.status.chars().count();
            print_safe(&format!("\r{:width$}\r", ""));
            self.status.clear();
        }
        println_safe(text);
    }
}

fn print_safe(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn println_safe(text: &str) {
    print_safe(&format!("{text}\n"));
}

fn name(user: &User) -> &str {
    user.username.as_str()
}

fn names<'a>(users: impl IntoIterator<Item = &'a User>) -> String {
    users.into_iter().map(name).collect::<Vec<_>>().join(", ")
}

fn sentence(event: &Event) -> String {
    let with = |s: &Session| names(&s.joined_members);
    match event {
        Event::CallOutgoing(s) => format!("ringing {}", names(&s.inviting_members)),
        Event::CallReceiveInvite(s) => format!("{} calls", name(s.invited_by.as_ref().unwrap_or(&s.inviter))),
        Event::CallConnecting(_) => "connecting".to_owned(),
        Event::CallConnected(s) => format!("connected: {}", with(s)),
        Event::CallMemberJoin(user) => format!("{} is here", name(user)),
        Event::CallMemberLeave(leave) => format!("{} is gone: {}", name(&leave.user), word(&leave.reason)),
        Event::CallDisconnect(end) => format!("the call is over: {}", word(&end.reason)),
        Event::CallOtherUserInvited(p) => {
            format!("{} invites {}", name(&p.from_user), names(&p.invited_users))
        }
        Event::CallMemberMuted(p) => {
            format!("{} is {}", name(&p.user), if p.muted { "muted" } else { "not muted any more" })
        }
        Event::CallActiveSpeakers(p) if p.active_speakers.is_empty() => "nobody speaks".to_owned(),
        Event::CallActiveSpeakers(p) => format!("speaking: {}", names(&p.active_speakers)),
        Event::CallError(e) => format!("error {}: {}", e.name, e.description),
        Event::CallReconnecting(_) => "reconnecting".to_owned(),
        Event::CallReconnected(s) => format!("connected again: {}", with(s)),
        Event::CallQuality(q) => {
            let warnings: Vec<_> = q.warnings.iter().map(word).collect();
            format!("quality {} of 5 {}", q.score, warnings.join(", ")).trim_end().to_owned()
        }
    }
}

/// As it is spelled on the wire.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn summary(stats: &Stats) -> String {
    let Some(connected) = stats.connected_ms else { return "ringing".to_owned() };
    let seconds = connected / 1000;
    let rtt = stats.rtt_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
    format!(
        "{:>2}:{:02}  mic {}  ear {}  loss {:.1}/{:.1} %  rtt {rtt}  {}",
        seconds / 60,
        seconds % 60,
        bar(stats.level_in),
        bar(stats.level_out),
        stats.loss_up * 100.0,
        stats.loss_down * 100.0,
        stats.transport.as_ref().map_or_else(|| "no link".to_owned(), word),
    )
}

/// -60 to 0 dBov in ten steps.
fn bar(level: u8) -> String {
    let full = usize::from(60 - level.min(60)) / 6;
    format!("[{}{}]", "#".repeat(full), " ".repeat(10 - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_bar_spans_sixty_decibels() {
        assert_eq!(bar(127), "[          ]");
        assert_eq!(bar(60), "[          ]");
        assert_eq!(bar(30), "[#####     ]");
        assert_eq!(bar(0), "[##########]");
    }
}
