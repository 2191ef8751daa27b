//! Which fields there are: of all that apps are told a specimen, with everything in it that may be there.

use std::collections::BTreeMap;

use jmrtc_call::{
    CallQuality, CallState, CheckName, DisconnectPayload, EngineState, ErrorPayload, LeavePayload,
    LoginState, MutedPayload, OthersInvitedPayload, PreflightCheck, PreflightReport, State,
};
use jmrtc_protocol::{
    ChannelId, Detail, ErrorCode, FailedUser, MediaType, PastCall, PastMember, Profile, Reason, Relation,
    Session, User, Username,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::fit::long;

/// Stands for whatever name an app gives a field.
const ANY: &str = "*";

/// Fails where `expected` names a field that can't be there.
pub(crate) fn known(expected: &Value, specimen: &Value) -> Result<(), String> {
    match (expected, specimen) {
        (Value::Object(fields), Value::Object(there)) => fields.iter().try_for_each(|(key, value)| {
            let specimen = there.get(long(key)).or_else(|| there.get(ANY));
            known(value, specimen.ok_or_else(|| format!("there is no field `{key}`"))?)
        }),
        (Value::Array(items), Value::Array(there)) => {
            items.iter().zip(there.iter().cycle()).try_for_each(|(item, specimen)| known(item, specimen))
        }
        (Value::Object(fields), _) if !fields.is_empty() => {
            Err(format!("{expected} has fields where there are none"))
        }
        _ => Ok(()),
    }
}

/// What an event tells; none for one that there is not.
pub(crate) fn event(name: &str) -> Option<Value> {
    Some(match name {
        "CallOutgoing" | "CallReceiveInvite" | "CallConnecting" | "CallConnected" | "CallReconnecting"
        | "CallReconnected" => value(&session()),
        "CallMemberJoin" => value(&user()),
        "CallMemberLeave" => value(&LeavePayload { user: user(), reason: Reason::Cancel, detail: DETAIL }),
        "CallDisconnect" => {
            value(&DisconnectPayload { session: session(), reason: Reason::Cancel, detail: DETAIL })
        }
        "CallOtherUserInvited" => {
            value(&OthersInvitedPayload { invited_users: vec![user()], from_user: user() })
        }
        "CallMemberMuted" => value(&MutedPayload { user: user(), muted: true }),
        "CallError" => value(&ErrorPayload {
            code: ErrorCode::ServerError,
            name: String::new(),
            description: String::new(),
            session: Some(session()),
        }),
        _ => return None,
    })
}

/// What a method gives that succeeds.
pub(crate) fn result(method: &str) -> Value {
    match method {
        "login" => json!({ "username": name(), "appKey": "" }),
        "startCallUsers" => {
            let mut started = value(&session());
            started["failed"] = json!([failed()]);
            started
        }
        "inviteUsers" => json!({ "invited": [name()], "failed": [failed()] }),
        "getState" => value(&State {
            login: LoginState::LoggedOut,
            engine: EngineState::Off,
            session: Some(session()),
            call: CallState::Idle,
            muted: true,
            speakerphone_enabled: true,
            quality: Some(CallQuality { score: 1, mos: 1.0, warnings: Vec::new() }),
        }),
        "getUserInfo" => json!({ "users": [user()], "failed": [failed()] }),
        "updateMyInfo" | "updateRelation" => value(&user()),
        "getRelations" => json!({ "users": [user()], "more": true }),
        "getCallHistory" => json!({ "calls": [past_call()], "more": true }),
        "preflight" => value(&PreflightReport {
            ok: true,
            checks: vec![PreflightCheck {
                name: CheckName::Signalling,
                ok: true,
                detail: String::new(),
                value: Some(0.0),
            }],
        }),
        _ => Value::Null,
    }
}

const DETAIL: Option<Detail> = Some(Detail::NoAnswer);

fn value(what: &impl Serialize) -> Value {
    serde_json::to_value(what).unwrap_or_else(|e| unreachable!("{e}"))
}

fn name() -> Username {
    Username::new(ANY).unwrap_or_else(|e| unreachable!("{e}"))
}

fn user() -> User {
    let extras = BTreeMap::from([(ANY.to_owned(), String::new())]);
    User::new("", name(), Profile { extras, ..Profile::default() }, Relation::default())
}

fn failed() -> FailedUser {
    FailedUser { username: name(), name: String::new() }
}

fn session() -> Session {
    Session {
        channel_id: ChannelId(String::new()),
        media_type: MediaType::Voice,
        inviter: user(),
        inviting_members: vec![user()],
        joined_members: vec![user()],
        muted_members: vec![name()],
        start_time: 0,
        invited_by: Some(user()),
        silent: true,
    }
}

fn past_call() -> PastCall {
    PastCall {
        channel_id: ChannelId(String::new()),
        inviter: user(),
        members: vec![PastMember {
            user: user(),
            invited_time: 0,
            join_time: 0,
            leave_time: 0,
            reason: Some(Reason::Cancel),
            detail: DETAIL,
        }],
        start_time: 0,
        end_time: 0,
        reason: Reason::Cancel,
        detail: DETAIL,
    }
}
