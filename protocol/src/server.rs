use serde::{Deserialize, Serialize};

use crate::{ChannelId, Detail, Failure, PastCall, Reason, RequestId, Session, Stay, User, Username};

/// Everything a server may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(clippy::large_enum_variant)]
pub enum ServerMessage {
    /// The answer to a `hello` that is accepted.
    Welcome(Box<Welcome>),
    /// A request succeeded.
    Reply {
        /// The request's id.
        #[cfg_attr(feature = "codegen", ts(type = "number"))]
        id: RequestId,
        /// What came of it.
        reply: Reply,
    },
    /// A request failed and changed nothing.
    Failure {
        /// The request's id.
        #[cfg_attr(feature = "codegen", ts(type = "number"))]
        id: RequestId,
        /// Why.
        error: Failure,
    },
    /// Something happened. Delivered once and in order, also across reconnects.
    Event {
        /// Counts up from 1 within one sign-in.
        #[cfg_attr(feature = "codegen", ts(type = "number"))]
        seq: u64,
        /// What happened.
        event: ServerEvent,
    },
    /// A message could not be understood or was refused and belongs to no request.
    Fault {
        /// Why.
        error: Failure,
    },
    /// The answer to `ping`.
    Pong,
    /// The server closes this connection now.
    Closing {
        /// Why.
        reason: Closing,
    },
}

/// Why the server closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Closing {
    /// The server stops; its calls are over, or are those of the server that takes its place.
    ServerShutdown,
    /// The same device signed in again.
    Replaced,
    /// The token is good no more: it expired and was not renewed, or its user is deleted.
    TokenExpired,
    /// The client read too slowly or sent too much.
    Overload,
    /// A reason this release does not know.
    #[serde(other)]
    Unknown,
}

/// What a device learns when it is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// [`crate::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The signed-in user.
    pub user: User,
    /// Shown again in [`crate::Resume`] after a lost connection; keep it in memory only.
    pub secret: String,
    /// Whether the sign-in before this goes on: missed events follow, requests may be sent again.
    pub resumed: bool,
    /// After a sign-in that goes on at the server that took the place of its own: what the client has of a media link leads
    /// nowhere. It is said until the device has asked for another.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub link_lost: bool,
    /// After a new sign-in, the call in which this device is joined, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub call: Option<Session>,
    /// Which stay in `call` it is; 0 where there is none.
    #[serde(default)]
    pub stay: Stay,
    /// How this server wants its clients.
    pub settings: ClientSettings,
}

/// How a server wants its clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ClientSettings {
    /// Milliseconds that an invitation rings.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub ring_ms: u64,
    /// Milliseconds for which a lost member stays in its call.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub grace_ms: u64,
    /// Milliseconds between a client's pings; the server gives up on a silent connection after three.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub ping_ms: u64,
    /// Members of one call, joined and ringing together.
    pub max_members: u32,
    /// Receive slots to offer.
    pub slots: u8,
    /// STUN and TURN servers, in the form of `RTCConfiguration.iceServers`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ice_servers: Vec<IceServer>,
}

/// One STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct IceServer {
    /// `stun:` or `turn:` URLs.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub username: String,
    /// For TURN.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub credential: String,
}

/// What came of a [`crate::Request`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(tag = "method", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(clippy::large_enum_variant)]
pub enum Reply {
    /// The new token holds.
    UpdateToken,
    /// Signed out; the server closes.
    Logout,
    /// The call exists. Where both sides called each other, `session` is the other side's call
    /// and the caller is joined in it as if it had accepted.
    Start {
        /// The call.
        session: Session,
        /// The caller's stay in it.
        stay: Stay,
        /// Who could not be called.
        failed: Vec<FailedUser>,
    },
    /// Joined.
    Accept {
        /// The call.
        session: Session,
        /// The one that was accepted.
        stay: Stay,
    },
    /// Refused.
    Refuse,
    /// Left.
    Leave,
    /// Invited.
    Invite {
        /// Who is now being rung.
        invited: Vec<Username>,
        /// Who could not be invited.
        failed: Vec<FailedUser>,
    },
    /// The members are told.
    Mute,
    /// The link is there.
    Link {
        /// SDP (RFC 8866).
        answer: String,
    },
    /// Who they are.
    Users {
        /// In the order asked for.
        users: Vec<User>,
        /// Who does not exist.
        failed: Vec<FailedUser>,
    },
    /// Changed.
    UpdateProfile {
        /// The asker, as it is now.
        user: User,
    },
    /// Changed.
    UpdateRelation {
        /// The other user, as the asker sees it now.
        user: User,
    },
    /// These are the users.
    Relations {
        /// By name, in the order of Unicode scalar values.
        users: Vec<User>,
        /// There are others after them.
        more: bool,
    },
    /// These were the calls.
    History {
        /// Newest first; fewer than asked for also where a message is full.
        calls: Vec<PastCall>,
        /// There are older ones.
        more: bool,
    },
    /// There is no link of a preflight any more.
    EndPreflight,
}

/// A named user who could not be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FailedUser {
    /// Who.
    pub username: Username,
    /// The error table's name for why, e.g. `USER_UNAVAILABLE`.
    pub name: String,
}

/// What happened in a call. `invited` and `ended` tell the whole call as the viewer sees it; what is told in between is told
/// to all who are joined, the one who did it included, and tells only the change. The session that a device got when it
/// entered, with all changes since, is the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(clippy::large_enum_variant)]
pub enum ServerEvent {
    /// The user is invited: every device rings.
    Invited {
        /// The call.
        session: Session,
        /// Which stay it would be.
        stay: Stay,
        /// Milliseconds that are left to ring.
        #[cfg_attr(feature = "codegen", ts(type = "number"))]
        ring_ms: u64,
    },
    /// A member joined, as the last of the joined; told to those joined before.
    Joined {
        /// The call.
        channel_id: ChannelId,
        /// The newcomer, as the viewer sees it.
        user: User,
        /// When the call first became connected, Unix milliseconds.
        #[cfg_attr(feature = "codegen", ts(type = "number"))]
        start_time: i64,
    },
    /// A joined or ringing member is gone; told to those who are still joined.
    Left {
        /// The call.
        channel_id: ChannelId,
        /// Who, as the viewer sees it.
        user: User,
        /// Why.
        reason: Reason,
        /// More about why.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[cfg_attr(feature = "codegen", ts(optional))]
        detail: Option<Detail>,
    },
    /// Users were invited into the running call, after all who were rung before.
    OthersInvited {
        /// The call.
        channel_id: ChannelId,
        /// Who is now being rung, as the viewer sees them.
        users: Vec<User>,
        /// Who invited.
        by: User,
    },
    /// The call is over for this device.
    Ended {
        /// The call.
        session: Session,
        /// Which stay in it.
        stay: Stay,
        /// Why.
        reason: Reason,
        /// More about why.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[cfg_attr(feature = "codegen", ts(optional))]
        detail: Option<Detail>,
    },
    /// A joined member muted or unmuted.
    Muted {
        /// The call.
        channel_id: ChannelId,
        /// Who, as the viewer sees it.
        user: User,
        /// Whether the microphone is muted now.
        muted: bool,
    },
    /// Who is heard in which receive slot of this device.
    Slots {
        /// The call.
        channel_id: ChannelId,
        /// In the order of the offer's `recvonly` lines; null for an empty slot.
        slots: Vec<Option<Username>>,
    },
}

impl ServerEvent {
    /// The call that it is about.
    pub const fn channel(&self) -> &ChannelId {
        match self {
            Self::Invited { session, .. } | Self::Ended { session, .. } => &session.channel_id,
            Self::Joined { channel_id, .. }
            | Self::Left { channel_id, .. }
            | Self::OthersInvited { channel_id, .. }
            | Self::Muted { channel_id, .. }
            | Self::Slots { channel_id, .. } => channel_id,
        }
    }

    /// The stay in it that begins or ends.
    pub const fn stay(&self) -> Option<Stay> {
        match self {
            Self::Invited { stay, .. } | Self::Ended { stay, .. } => Some(*stay),
            Self::Joined { .. }
            | Self::Left { .. }
            | Self::OthersInvited { .. }
            | Self::Muted { .. }
            | Self::Slots { .. } => None,
        }
    }

    /// Whether it tells only what has changed in a running call.
    pub const fn is_change(&self) -> bool {
        match self {
            Self::Joined { .. } | Self::Left { .. } | Self::OthersInvited { .. } | Self::Muted { .. } => true,
            Self::Invited { .. } | Self::Ended { .. } | Self::Slots { .. } => false,
        }
    }
}
