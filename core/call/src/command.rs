//! A method's name and argument, made into what it asks or a clear failure.

use std::collections::BTreeSet;

use jmrtc_protocol::limits::{DEFAULT_HISTORY, MAX_HISTORY, MAX_NAMES, MAX_TOKEN_BYTES, MAX_USERS_ASKED};
use jmrtc_protocol::{
    ChannelId, ErrorCode, Failure, Profile, ProfileChange, Relation, RelationChange, Username,
};
use serde::de::DeserializeOwned;
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
    GetUserInfo { usernames: Vec<Username> },
    UpdateMyInfo { profile: ProfileChange },
    UpdateRelation { username: Username, relation: RelationChange },
    GetRelations { after: Option<Username>, limit: u32 },
    GetCallHistory { before: Option<ChannelId>, limit: u32 },
    Preflight { seconds: u32 },
}

/// The methods of `window.JMRTC` that the machine answers.
pub const METHODS: [&str; 22] = [
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
    "isMuted",
    "setIsMuted",
    "isSpeakerphoneEnabled",
    "setIsSpeakerphoneEnabled",
    "getState",
    "getUserInfo",
    "updateMyInfo",
    "updateRelation",
    "getRelations",
    "getCallHistory",
    "preflight",
];

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
        "getUserInfo" => Command::GetUserInfo { usernames: asked(usernames(object(args)?)?)? },
        "updateMyInfo" => {
            object(args)?;
            let profile: ProfileChange = fields(args)?;
            profile.clone().apply(Profile::default()).check().map_err(invalid)?;
            Command::UpdateMyInfo { profile }
        }
        "updateRelation" => {
            let username = username(object(args)?)?;
            let relation: RelationChange = fields(args)?;
            relation.clone().apply(Relation::default()).check().map_err(invalid)?;
            Command::UpdateRelation { username, relation }
        }
        "getRelations" => relations(args)?,
        "getCallHistory" => history(args)?,
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
    match object(args)?.get("seconds").filter(|seconds| !seconds.is_null()) {
        None => Ok(DEFAULT),
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
    if list.len() > MAX_NAMES {
        return Err(invalid(format!("`usernames` holds at most {MAX_NAMES} names")));
    }
    let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
    for name in list {
        let name = name.as_str().ok_or_else(|| invalid("`usernames` must hold strings only"))?;
        let name = Username::new(name).map_err(|e| invalid(e.to_string()))?;
        if seen.insert(name.clone()) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(invalid("`usernames` must not be empty"));
    }
    Ok(names)
}

fn asked(names: Vec<Username>) -> Result<Vec<Username>, Failure> {
    if names.len() > MAX_USERS_ASKED {
        return Err(invalid(format!("`usernames` names at most {MAX_USERS_ASKED} users")));
    }
    Ok(names)
}

fn username(args: &Map<String, Value>) -> Result<Username, Failure> {
    let name = args.get("username").and_then(Value::as_str);
    let name = name.ok_or_else(|| invalid("`username` must be a string"))?;
    Username::new(name).map_err(|e| invalid(e.to_string()))
}

/// Those of a type's fields that are there.
fn fields<T: DeserializeOwned>(args: &Value) -> Result<T, Failure> {
    serde_json::from_value(args.clone()).map_err(|e| invalid(e.to_string()))
}

/// All that is asked for may be left out, and so may the argument.
fn optional(args: &Value) -> Result<Map<String, Value>, Failure> {
    if args.is_null() { Ok(Map::new()) } else { object(args).cloned() }
}

fn relations(args: &Value) -> Result<Command, Failure> {
    let args = &optional(args)?;
    let after = match args.get("after") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(Username::new(name).map_err(|e| invalid(e.to_string()))?),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(invalid("`after` must be a username"));
        }
    };
    let most = MAX_USERS_ASKED as u32;
    Ok(Command::GetRelations { after, limit: limit(args, most, most)? })
}

fn history(args: &Value) -> Result<Command, Failure> {
    let args = &optional(args)?;
    let before = match args.get("before") {
        None | Some(Value::Null) => None,
        Some(Value::String(channel)) => Some(ChannelId(channel.clone())),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(invalid("`before` must be the `channelId` of a call"));
        }
    };
    Ok(Command::GetCallHistory { before, limit: limit(args, DEFAULT_HISTORY, MAX_HISTORY)? })
}

fn limit(args: &Map<String, Value>, default: u32, most: u32) -> Result<u32, Failure> {
    match args.get("limit") {
        None | Some(Value::Null) => Ok(default),
        Some(limit) => {
            let limit = limit.as_u64().and_then(|limit| u32::try_from(limit).ok());
            let limit = limit.filter(|limit| (1..=most).contains(limit));
            limit.ok_or_else(|| invalid(format!("`limit` must be a number from 1 to {most}")))
        }
    }
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
            (
                "inviteUsers",
                json!({"usernames": vec!["bob"; MAX_NAMES]}),
                Command::InviteUsers { usernames: vec![Username::new("bob").unwrap()] },
            ),
            ("setIsMuted", json!({"muted": true}), Command::SetIsMuted { muted: true }),
            (
                "setIsSpeakerphoneEnabled",
                json!({"speakerphoneEnabled": false}),
                Command::SetIsSpeakerphoneEnabled { enabled: false },
            ),
            (
                "getUserInfo",
                json!({"usernames": ["bob", "bob"]}),
                Command::GetUserInfo { usernames: vec![Username::new("bob").unwrap()] },
            ),
            ("updateMyInfo", json!({}), Command::UpdateMyInfo { profile: ProfileChange::default() }),
            (
                "updateMyInfo",
                json!({"birthday": -5, "region": null, "more": 1}),
                Command::UpdateMyInfo {
                    profile: ProfileChange { birthday: Some(-5), ..ProfileChange::default() },
                },
            ),
            (
                "updateRelation",
                json!({"username": "bob", "isInBlackList": true}),
                Command::UpdateRelation {
                    username: Username::new("bob").unwrap(),
                    relation: RelationChange { is_in_black_list: Some(true), ..RelationChange::default() },
                },
            ),
            ("getRelations", json!(null), Command::GetRelations { after: None, limit: 40 }),
            (
                "getRelations",
                json!({"after": "bob", "limit": 5}),
                Command::GetRelations { after: Some(Username::new("bob").unwrap()), limit: 5 },
            ),
            ("getCallHistory", json!(null), Command::GetCallHistory { before: None, limit: DEFAULT_HISTORY }),
            (
                "getCallHistory",
                json!({"before": "c", "limit": MAX_HISTORY}),
                Command::GetCallHistory { before: Some(ChannelId("c".into())), limit: MAX_HISTORY },
            ),
            ("preflight", json!(null), Command::Preflight { seconds: 5 }),
            ("preflight", json!({}), Command::Preflight { seconds: 5 }),
            ("preflight", json!({"seconds": 30}), Command::Preflight { seconds: 30 }),
        ] {
            assert!(METHODS.contains(&method));
            assert_eq!(parse(method, &args), Ok(command), "{method} {args}");
        }
    }

    #[test]
    fn every_method_is_known() {
        for method in METHODS {
            let why = parse(method, &json!(7)).err().map(|e| e.description).unwrap_or_default();
            assert!(!why.starts_with("there is no method"), "{method}");
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
            ("startCallUsers", json!({"usernames": vec!["bob"; MAX_NAMES + 1]})),
            ("inviteUsers", json!({"usernames": (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>()})),
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
            ("getUserInfo", json!({"usernames": []})),
            (
                "getUserInfo",
                json!({"usernames": (0..=MAX_USERS_ASKED).map(|n| n.to_string()).collect::<Vec<_>>()}),
            ),
            ("updateMyInfo", json!(null)),
            ("updateMyInfo", json!([])),
            ("updateMyInfo", json!({"nickname": 7})),
            ("updateMyInfo", json!({"gender": "robot"})),
            ("updateMyInfo", json!({"birthday": 1.5})),
            ("updateMyInfo", json!({"extras": {"a": 1}})),
            ("updateMyInfo", json!({"nickname": "x".repeat(1025)})),
            ("updateMyInfo", json!({"nickname": "x".repeat(1000), "region": "x".repeat(1000)})),
            ("updateRelation", json!({"isFriend": true})),
            ("updateRelation", json!({"username": 7})),
            ("updateRelation", json!({"username": " bob"})),
            ("updateRelation", json!({"username": "bob", "isFriend": 1})),
            ("updateRelation", json!({"username": "bob", "noteText": "x".repeat(1025)})),
            ("getRelations", json!("bob")),
            ("getRelations", json!({"after": ""})),
            ("getRelations", json!({"after": ["bob"]})),
            ("getRelations", json!({"limit": 0})),
            ("getRelations", json!({"limit": 41})),
            ("getCallHistory", json!(7)),
            ("getCallHistory", json!({"before": 7})),
            ("getCallHistory", json!({"limit": 0})),
            ("getCallHistory", json!({"limit": -1})),
            ("getCallHistory", json!({"limit": 1.5})),
            ("getCallHistory", json!({"limit": "5"})),
            ("getCallHistory", json!({"limit": MAX_HISTORY + 1})),
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
