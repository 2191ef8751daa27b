//! What people and apps do.

use jmrtc_call::{CallState, EngineState, Event, LoginState, State};
use jmrtc_protocol::Username;
use serde_json::{Value, json};

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

/// The methods that an app may think of in `state`, the likely ones more often; `dice` picks.
pub(crate) fn whim(
    state: &State,
    me: &Username,
    users: &[Username],
    mut dice: impl FnMut(u64) -> u64,
) -> (&'static str, Value) {
    if state.login == LoginState::LoggedOut {
        return ("login", json!({ "token": token(me, u64::MAX) }));
    }
    if state.engine == EngineState::Off && dice(4) > 0 {
        return ("initEngine", json!(null));
    }
    let likely: &[&'static str] = match state.call {
        CallState::Idle => &["startCallUsers"],
        CallState::Outgoing => &["hangup"],
        CallState::Incoming => &["accept", "accept", "accept", "refuse", "hangup", "startCallUsers"],
        CallState::Connecting | CallState::Connected | CallState::Reconnecting => {
            &["hangup", "inviteUsers", "inviteUsers", "setIsMuted"]
        }
    };
    let any: &[&'static str] = &[
        "init",
        "login",
        "logout",
        "updateToken",
        "initEngine",
        "releaseEngine",
        "startCallUsers",
        "accept",
        "refuse",
        "hangup",
        "inviteUsers",
        "setIsMuted",
        "getState",
    ];
    let methods = if dice(5) > 0 { likely } else { any };
    let method = methods[dice(methods.len() as u64) as usize];
    let args = match method {
        "login" | "updateToken" => json!({ "token": token(me, u64::MAX) }),
        "startCallUsers" | "inviteUsers" => json!({ "usernames": names(users, &mut dice) }),
        "setIsMuted" => json!({ "muted": dice(2) == 0 }),
        _ => json!(null),
    };
    (method, args)
}

fn names(users: &[Username], dice: &mut impl FnMut(u64) -> u64) -> Vec<String> {
    let pick = |n: u64| match n {
        0 => "nobody".to_owned(),
        1 => "echo".to_owned(),
        n => users[n as usize % users.len()].to_string(),
    };
    let first = pick(dice(20));
    if dice(3) > 0 { vec![first] } else { vec![first, pick(dice(20))] }
}

/// What an app does about an event by itself, if the person is quick: answers the telephone.
pub(crate) fn reflex(event: &Event, mut dice: impl FnMut(u64) -> u64) -> Option<&'static str> {
    match event {
        Event::CallReceiveInvite(_) => match dice(6) {
            0 => Some("refuse"),
            1 | 2 => None,
            _ => Some("accept"),
        },
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
