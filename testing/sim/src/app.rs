//! What people, apps and misfortune choose to do.

use jmrtc_call::{CallState, EngineState, Event, LoginState, METHODS, State};
use jmrtc_protocol::{ErrorCode, Username};
use serde_json::{Value, json};

use crate::chance::Choices;
use crate::plan::Act;

/// A token that tells its user and until when it is good: a JWT by its form, signed by nobody.
pub(crate) fn token(user: &Username, until: u64) -> String {
    format!("{until}.{}.", base64url(json!({ "sub": user }).to_string().as_bytes()))
}

/// Until when `token` is good, if it is one of `user`.
pub(crate) fn good_until(token: &str, user: &Username) -> Option<u64> {
    let until = token.split('.').next()?.parse().ok()?;
    (self::token(user, until) == token).then_some(until)
}

/// Base64 for URLs without padding (RFC 4648 section 5).
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = [0; 4];
        word[1..=chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes(word);
        let digits = (0..=chunk.len()).map(|n| DIGITS[(word >> (18 - 6 * n)) as usize & 63] as char);
        text.extend(digits);
    }
    text
}

/// A method call that an app may think of in `state`, the likely ones more often; `token` gets one.
pub(crate) fn whim(
    state: &State,
    users: &[Username],
    token: impl Fn(&mut Choices) -> String,
    choices: &mut Choices,
) -> Act {
    let call = |method: &str, args: Value| Act::Call { method: method.to_owned(), args };
    let signs_in = |method: &str, choices: &mut Choices| call(method, json!({ "token": token(choices) }));
    if state.login == LoginState::LoggedOut {
        return signs_in("login", choices);
    }
    if state.engine == EngineState::Off && choices.roll(4) > 0 {
        return call("initEngine", Value::Null);
    }
    let talks = match state.call {
        CallState::Connected | CallState::Reconnecting => choices.roll(4) == 0,
        CallState::Idle | CallState::Outgoing | CallState::Incoming | CallState::Connecting => false,
    };
    if talks {
        return Act::Talk { ms: 500 + choices.roll(6_000) };
    }
    let likely: &[&str] = match state.call {
        CallState::Idle => &["startCallUsers", "startCallUsers", "startCallUsers", "updateRelation"],
        CallState::Outgoing => &["hangup"],
        CallState::Incoming => &["accept", "accept", "accept", "refuse", "hangup", "startCallUsers"],
        CallState::Connecting | CallState::Connected | CallState::Reconnecting => {
            &["hangup", "inviteUsers", "inviteUsers", "setIsMuted", "setIsMuted"]
        }
    };
    let methods = if choices.roll(5) > 0 { likely } else { &METHODS };
    let method = methods[choices.roll(methods.len() as u64) as usize];
    let args = match method {
        "login" | "updateToken" => return signs_in(method, choices),
        "startCallUsers" | "inviteUsers" | "getUserInfo" => json!({ "usernames": names(users, choices) }),
        "setIsMuted" => json!({ "muted": choices.roll(2) == 0 }),
        "setIsSpeakerphoneEnabled" => json!({ "speakerphoneEnabled": choices.roll(2) == 0 }),
        "updateMyInfo" => json!({ "nickname": choices.roll(100).to_string() }),
        "updateRelation" => {
            let kept = if choices.roll(2) == 0 { "isInBlackList" } else { "isNoDisturb" };
            json!({ "username": name(users, choices), kept: choices.roll(4) == 0 })
        }
        "getRelations" => json!({ "after": name(users, choices), "limit": 1 + choices.roll(3) }),
        "getCallHistory" => json!({ "limit": 1 + choices.roll(3) }),
        "preflight" => json!({ "seconds": 1 + choices.roll(5) }),
        _ => Value::Null,
    };
    call(method, args)
}

fn name(users: &[Username], choices: &mut Choices) -> String {
    match choices.roll(20) {
        0 => "nobody".to_owned(),
        1 => "echo".to_owned(),
        n => users[n as usize % users.len()].to_string(),
    }
}

fn names(users: &[Username], choices: &mut Choices) -> Vec<String> {
    let many = match choices.roll(12) {
        0..8 => 1,
        8..11 => 2,
        _ => 4,
    };
    (0..many).map(|_| name(users, choices)).collect()
}

/// What strikes.
pub(crate) fn misfortune(grace: u64, choices: &mut Choices) -> Option<Act> {
    Some(match choices.roll(48) {
        0..=13 => Act::Break,
        14..=16 => Act::Offline { ms: choices.roll(2 * grace) },
        17..=19 => Act::Stall { ms: choices.roll(grace) },
        20..=22 => Act::Sleep { ms: choices.roll(2 * grace) },
        23..=25 => Act::Interrupt,
        26..=27 => Act::Deaf { ms: choices.roll(grace) },
        28..=30 => Act::Fail,
        31..=34 => Act::Network,
        35..=36 => Act::Answer,
        37 => Act::Decline,
        38..=41 => Act::Kill,
        42 => Act::Unplug,
        43 => Act::Freeze { ms: choices.roll(grace) },
        44 if choices.roll(2) == 0 => Act::Restart { cleanly: choices.roll(2) == 0 },
        45 if choices.roll(2) == 0 => Act::Delete,
        46 => Act::HandOver,
        _ => return None,
    })
}

/// What an app does about an event by itself, if the person is quick: answers the telephone, gets a new token, looks up the
/// calls that were. An app that `insists` calls and gives up again and again.
pub(crate) fn reflex(
    event: &Event,
    insists: bool,
    users: &[Username],
    token: impl Fn(&mut Choices) -> String,
    choices: &mut Choices,
) -> Option<Act> {
    let call = |method: &str, args: Value| Some(Act::Call { method: method.to_owned(), args });
    match event {
        Event::CallReceiveInvite(_) => match choices.roll(6) {
            0 => call("refuse", Value::Null),
            1 | 2 => None,
            _ => call("accept", Value::Null),
        },
        Event::CallError(payload) if payload.code == ErrorCode::LoginRejected => match choices.roll(6) {
            0 => None,
            1 => call("login", json!({ "token": token(choices) })),
            _ => call("updateToken", json!({ "token": token(choices) })),
        },
        // Whoever is gone is asked in again now and then.
        Event::CallMemberLeave(left) if choices.roll(6) == 1 => {
            call("inviteUsers", json!({ "usernames": [left.user.username] }))
        }
        Event::CallOutgoing(_) if insists && choices.roll(3) > 0 => call("hangup", Value::Null),
        Event::CallDisconnect(_) if insists => {
            call("startCallUsers", json!({ "usernames": names(users, choices) }))
        }
        Event::CallDisconnect(end) if choices.roll(4) == 0 => {
            let before = Some(&end.session.channel_id).filter(|_| choices.roll(3) == 0);
            call("getCallHistory", json!({ "before": before, "limit": 1 + choices.roll(4) }))
        }
        Event::CallOutgoing(_)
        | Event::CallConnecting(_)
        | Event::CallConnected(_)
        | Event::CallMemberJoin(_)
        | Event::CallMemberLeave(_)
        | Event::CallDisconnect(_)
        | Event::CallOtherUserInvited(_)
        | Event::CallMemberMuted(_)
        | Event::CallActiveSpeakers(_)
        | Event::CallError(_)
        | Event::CallQuality(_)
        | Event::CallReconnecting(_)
        | Event::CallReconnected(_) => None,
    }
}
