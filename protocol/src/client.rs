use serde::{Deserialize, Serialize};

use crate::{ChannelId, ProfileChange, RelationChange, RequestId, Stay, Username};

/// Everything a client may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// Must be the first message, within five seconds of the connection.
    Hello(Hello),
    /// Asks for something; answered by exactly one `reply` or `failure` with the same id.
    Request {
        /// Counts up from 1 within one sign-in. The same id again gets the same answer.
        #[cfg_attr(feature = "codegen", ts(type = "number"))]
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// Keeps the connection alive and tells which events have arrived; answered by `pong`.
    Ping {
        /// The last event sequence number seen; 0 for none.
        #[cfg_attr(feature = "codegen", ts(type = "number"))]
        ack: u64,
    },
}

/// Signs a device in, or back in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// [`crate::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// A JWT: HS256, `iss` = appKey, `sub` = username, `exp`, `nbf`.
    pub token: String,
    /// Which device this is.
    pub device: Device,
    /// Given when coming back within the grace time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub resume: Option<Resume>,
}

/// One installation of an app: the same id signing in again replaces the sign-in before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Opaque, kept by the app across starts; 1 to 128 bytes.
    pub id: String,
    /// What it runs on.
    pub platform: Platform,
}

/// What a device runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Platform {
    Android,
    Ios,
    Browser,
    Native,
    #[serde(other)]
    Other,
}

/// Where to go on after a lost connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    /// The secret of the last `welcome`.
    pub secret: String,
    /// The last event sequence number seen; 0 for none.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub seq: u64,
}

/// What a signed-in client may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(tag = "method", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// A fresh token for the same user, before the old one expires.
    UpdateToken {
        /// As in [`Hello`].
        token: String,
    },
    /// Signs the device out at once; its call, if any, is left as by a hang-up.
    Logout,
    /// Calls users.
    Start {
        /// Whom to call.
        usernames: Vec<Username>,
    },
    /// Says yes to an invitation.
    Accept {
        /// The call.
        channel_id: ChannelId,
        /// The invitation.
        stay: Stay,
    },
    /// Says no to an invitation.
    Refuse {
        /// The call.
        channel_id: ChannelId,
        /// The invitation.
        stay: Stay,
    },
    /// Leaves a call, or gives up ringing. Succeeds when the call is over already.
    Leave {
        /// The call.
        channel_id: ChannelId,
        /// Which stay in it; whichever there is where it is missing.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[cfg_attr(feature = "codegen", ts(optional))]
        stay: Option<Stay>,
        /// Why.
        reason: LeaveReason,
    },
    /// Asks more users into a call that one has joined.
    Invite {
        /// The call.
        channel_id: ChannelId,
        /// Whom to invite.
        usernames: Vec<Username>,
    },
    /// Tells the other members whether one's microphone is muted. Says nothing about what the server forwards.
    Mute {
        /// The call.
        channel_id: ChannelId,
        /// Whether it is, from now on.
        muted: bool,
    },
    /// Makes or renews the media link of this device for a call in which the user is ringing or joined:
    /// an SDP offer of one `sendonly` and N `recvonly` Opus lines. A link may be prepared while it rings;
    /// no sound passes it before `accept`. A repeat on the same link is an ICE restart.
    Link {
        /// The call.
        channel_id: ChannelId,
        /// Which stay in it.
        stay: Stay,
        /// Counts the client's links within a stay from 1; a new number replaces the link,
        /// the same number renews it.
        generation: u32,
        /// SDP (RFC 8866).
        offer: String,
    },
    /// What is known of users, each with what the asker keeps about it.
    Users {
        /// Of whom; at most [`crate::limits::MAX_USERS_ASKED`].
        usernames: Vec<Username>,
    },
    /// Changes the asker's own profile.
    UpdateProfile {
        /// What to change.
        profile: ProfileChange,
    },
    /// Changes what the asker keeps about another user.
    UpdateRelation {
        /// About whom.
        username: Username,
        /// What to change.
        relation: RelationChange,
    },
    /// The users about whom the asker keeps something, by name.
    Relations {
        /// Only those whose name comes after this one, which need be nobody's.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[cfg_attr(feature = "codegen", ts(optional))]
        after: Option<Username>,
        /// How many at most: 1 to [`crate::limits::MAX_USERS_ASKED`].
        limit: u32,
    },
    /// The calls of the asker that are over, newest first.
    History {
        /// Only calls older than this one, which is one of them.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[cfg_attr(feature = "codegen", ts(optional))]
        before: Option<ChannelId>,
        /// How many at most: 1 to [`crate::limits::MAX_HISTORY`].
        limit: u32,
    },
    /// Makes or renews a media link that belongs to no call, to find out whether one would work: the server sends
    /// back what it hears on it. Answered as `link`. A call's link takes its place; it is closed after a minute.
    Preflight {
        /// As in [`Self::Link`], counted within one preflight.
        generation: u32,
        /// SDP (RFC 8866) of one `sendonly` and one `recvonly` line.
        offer: String,
    },
    /// Closes the link of `preflight`. Succeeds when there is none.
    EndPreflight,
}

/// Why a client leaves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum LeaveReason {
    /// The person hung up.
    Hangup,
    /// The client's media or signalling was gone for longer than the grace time.
    NetworkError,
}
