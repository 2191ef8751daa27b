//! Answers and events in the words of the call semantics' table.

use std::collections::BTreeMap;

use jmrtc_call::{CommandId, Event, Output};
use jmrtc_protocol::{Detail, Reason, Session, User};
use serde_json::Value;

/// What an app hears of an output: `accept -> {}`, `CallConnecting S(i: -; j: alice, bob)`.
pub(crate) fn line(output: &Output, commands: &BTreeMap<CommandId, (&'static str, bool)>) -> Option<String> {
    match output {
        Output::Reply { id, result } => {
            let method = commands.get(id).map_or("?", |(method, _)| *method);
            let answer = result.as_ref().map_or_else(|f| f.name.clone(), value);
            Some(format!("{method} -> {answer}"))
        }
        Output::Event(event) => Some(words(event)),
        Output::Socket(_) | Output::Media(_) | Output::Audio(_) | Output::Platform(_) => None,
    }
}

fn value(value: &Value) -> String {
    serde_json::from_value::<Session>(value.clone()).map_or_else(|_| value.to_string(), |s| session(&s))
}

fn session(session: &Session) -> String {
    let names = |users: &[User]| {
        let names: Vec<_> = users.iter().map(|u| u.username.as_str()).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(", ") }
    };
    format!("S(i: {}; j: {})", names(&session.inviting_members), names(&session.joined_members))
}

fn why(reason: Reason, detail: Option<Detail>) -> String {
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let reason = word(serde_json::to_value(reason).unwrap_or_default());
    match detail {
        Some(detail) => format!("{reason}/{}", word(serde_json::to_value(detail).unwrap_or_default())),
        None => reason,
    }
}

fn words(event: &Event) -> String {
    match event {
        Event::CallOutgoing(s) => format!("CallOutgoing {}", session(s)),
        Event::CallReceiveInvite(s) => {
            let silent = if s.silent { " silent" } else { "" };
            format!("CallReceiveInvite {}{silent}", session(s))
        }
        Event::CallConnecting(s) => format!("CallConnecting {}", session(s)),
        Event::CallConnected(s) => format!("CallConnected {}", session(s)),
        Event::CallMemberJoin(u) => format!("CallMemberJoin {}", u.username),
        Event::CallMemberLeave(p) => {
            format!("CallMemberLeave {} {}", p.user.username, why(p.reason, p.detail))
        }
        Event::CallDisconnect(p) => format!("CallDisconnect {}", why(p.reason, p.detail)),
        Event::CallOtherUserInvited(p) => {
            let names: Vec<_> = p.invited_users.iter().map(|u| u.username.as_str()).collect();
            format!("CallOtherUserInvited {} by {}", names.join(", "), p.from_user.username)
        }
        Event::CallError(p) => format!("CallError {}", p.name),
        Event::CallReconnecting(_) => "CallReconnecting".to_owned(),
        Event::CallReconnected(_) => "CallReconnected".to_owned(),
    }
}
