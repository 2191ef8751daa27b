//! A method's name and argument, made into what it asks or a clear failure.

use jmrtc_protocol::limits::MAX_TOKEN_BYTES;
use jmrtc_protocol::{ErrorCode, Failure, Username};
use serde_json::{Map, Value};

/// A method call of `window.JMRTC` whose argument is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Init,
    Login { token: String, server_url: Option<String> },
    Logout,
    UpdateToken { token: String },
    InitEngine,
    ReleaseEngine,
    StartCallUsers { usernames: Vec<Username> },
    Accept,
    Refuse,
    Hangup,
    InviteUsers { usernames: Vec<Username> },
    IsMuted,
    SetIsMuted { muted: bool },
    IsSpeakerphoneEnabled,
    SetIsSpeakerphoneEnabled { enabled: bool },
    GetState,
    Preflight { seconds: u32 },
}

/// Reads a method call; every failure is 871003. What a method does not know it ignores.
pub(crate) fn parse(method: &str, args: &Value) -> Result<Command, Failure> {
    Ok(match method {
        "init" => Command::Init,
        "login" => {
            let args = object(args)?;
            Command::Login { token: token(args)?, server_url: server_url(args)? }
        }
        "logout" => Command::Logout,
        "updateToken" => Command::UpdateToken { token: token(object(args)?)? },
        "initEngine" => Command::InitEngine,
        "releaseEngine" => Command::ReleaseEngine,
        "startCallUsers" => Command::StartCallUsers { usernames: usernames(object(args)?)? },
        "accept" => Command::Accept,
        "refuse" => Command::Refuse,
        "hangup" => Command::Hangup,
        "inviteUsers" => Command::InviteUsers { usernames: usernames(object(args)?)? },
        "isMuted" => Command::IsMuted,
        "setIsMuted" => Command::SetIsMuted { muted: flag(object(args)?, "muted")? },
        "isSpeakerphoneEnabled" => Command::IsSpeakerphoneEnabled,
        "setIsSpeakerphoneEnabled" => {
            Command::SetIsSpeakerphoneEnabled { enabled: flag(object(args)?, "speakerphoneEnabled")? }
        }
        "getState" => Command::GetState,
        "preflight" => Command::Preflight { seconds: seconds(args)? },
        _ => return Err(invalid(format!("there is no method `{}`", shortened(method)))),
    })
}

/// The failure of a bad argument.
pub(crate) fn invalid(why: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::InvalidParameter, why)
}

fn object(args: &Value) -> Result<&Map<String, Value>, Failure> {
    args.as_object().ok_or_else(|| invalid("the argument must be an object"))
}

fn token(args: &Map<String, Value>) -> Result<String, Failure> {
    match args.get("token").and_then(Value::as_str) {
        None | Some("") => Err(invalid("`token` must be a string that is not empty")),
        Some(token) if token.len() > MAX_TOKEN_BYTES => {
            Err(invalid(format!("`token` has at most {MAX_TOKEN_BYTES} bytes")))
        }
        Some(token) => Ok(token.to_owned()),
    }
}

fn server_url(args: &Map<String, Value>) -> Result<Option<String>, Failure> {
    match args.get("serverUrl") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(url)) => Ok(Some(url.clone())),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(invalid("`serverUrl` must be a string"))
        }
    }
}

fn flag(args: &Map<String, Value>, name: &str) -> Result<bool, Failure> {
    args.get(name).and_then(Value::as_bool).ok_or_else(|| invalid(format!("`{name}` must be true or false")))
}

/// How long to measure; the argument may be left out.
fn seconds(args: &Value) -> Result<u32, Failure> {
    const DEFAULT: u32 = 5;
    const MOST: u64 = 30;
    if args.is_null() {
        return Ok(DEFAULT);
    }
    match object(args)?.get("seconds") {
        None | Some(Value::Null) => Ok(DEFAULT),
        Some(seconds) => seconds
            .as_u64()
            .filter(|s| (1..=MOST).contains(s))
            .map(|s| s as u32)
            .ok_or_else(|| invalid(format!("`seconds` must be a whole number from 1 to {MOST}"))),
    }
}

/// Each name once, in the order given.
fn usernames(args: &Map<String, Value>) -> Result<Vec<Username>, Failure> {
    let list = args.get("usernames").and_then(Value::as_array);
    let list = list.ok_or_else(|| invalid("`usernames` must be an array of strings"))?;
    let mut names = Vec::new();
    for name in list {
        let name = name.as_str().ok_or_else(|| invalid("`usernames` must hold strings only"))?;
        let name = Username::new(name).map_err(|e| invalid(e.to_string()))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(invalid("`usernames` must not be empty"));
    }
    Ok(names)
}

fn shortened(method: &str) -> String {
    method.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn good_arguments_are_read() {
        let bob = Username::new("bob").unwrap();
        let eve = Username::new("eve").unwrap();
        for (method, args, command) in [
            ("init", json!(null), Command::Init),
            ("accept", json!([]), Command::Accept),
            ("login", json!({"token": "t"}), Command::Login { token: "t".into(), server_url: None }),
            (
                "login",
                json!({"token": "t", "serverUrl": "http://x", "more": 1}),
                Command::Login { token: "t".into(), server_url: Some("http://x".into()) },
            ),
            (
                "startCallUsers",
                json!({"usernames": ["bob", "eve", "bob"]}),
                Command::StartCallUsers { usernames: vec![bob, eve] },
            ),
            ("setIsMuted", json!({"muted": true}), Command::SetIsMuted { muted: true }),
            (
                "setIsSpeakerphoneEnabled",
                json!({"speakerphoneEnabled": false}),
                Command::SetIsSpeakerphoneEnabled { enabled: false },
            ),
            ("preflight", json!(null), Command::Preflight { seconds: 5 }),
            ("preflight", json!({}), Command::Preflight { seconds: 5 }),
            ("preflight", json!({"seconds": 30}), Command::Preflight { seconds: 30 }),
        ] {
            assert_eq!(parse(method, &args), Ok(command), "{method} {args}");
        }
    }

    #[test]
    fn bad_arguments_fail_with_871003() {
        let long = "x".repeat(129);
        for (method, args) in [
            ("", json!(null)),
            ("startcallusers", json!({"usernames": ["bob"]})),
            ("startCallUsers", json!(null)),
            ("startCallUsers", json!("bob")),
            ("startCallUsers", json!({})),
            ("startCallUsers", json!({"usernames": null})),
            ("startCallUsers", json!({"usernames": "bob"})),
            ("startCallUsers", json!({"usernames": []})),
            ("startCallUsers", json!({"usernames": ["bob", 7]})),
            ("startCallUsers", json!({"usernames": [null]})),
            ("startCallUsers", json!({"usernames": [""]})),
            ("startCallUsers", json!({"usernames": [" bob"]})),
            ("startCallUsers", json!({"usernames": [long]})),
            ("inviteUsers", json!({"usernames": {}})),
            ("login", json!({})),
            ("login", json!({"token": ""})),
            ("login", json!({"token": 1})),
            ("login", json!({"token": "t", "serverUrl": 1})),
            ("login", json!({"token": "t".repeat(MAX_TOKEN_BYTES + 1)})),
            ("updateToken", json!([])),
            ("setIsMuted", json!({"muted": 1})),
            ("setIsMuted", json!(true)),
            ("setIsSpeakerphoneEnabled", json!({"enabled": true})),
            ("preflight", json!(3)),
            ("preflight", json!({"seconds": 0})),
            ("preflight", json!({"seconds": 31})),
            ("preflight", json!({"seconds": 1.5})),
            ("preflight", json!({"seconds": "5"})),
        ] {
            let failure = parse(method, &args).unwrap_err();
            assert_eq!(failure.code, ErrorCode::InvalidParameter, "{method} {args}");
        }
    }
}
