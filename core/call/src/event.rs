//! What the app is told: the seed's nine events, and ours.

use jmrtc_protocol::{Detail, ErrorCode, Reason, Session, User};
use serde::{Deserialize, Serialize};

use crate::CallQuality;

/// An event of `window.JMRTC`. As JSON `{"name": "CallOutgoing", "payload": …}`; the payload is what a listener gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(tag = "name", content = "payload")]
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// The server has sent the invitations.
    CallOutgoing(Session),
    /// Someone calls.
    CallReceiveInvite(Session),
    /// Accepted on either side; media is being set up.
    CallConnecting(Session),
    /// The media link is up and at least two members are joined. Once per call.
    CallConnected(Session),
    /// A member is in the call.
    CallMemberJoin(User),
    /// A joined or ringing member is gone.
    CallMemberLeave(LeavePayload),
    /// The call is over for the local user. Once per call, always last.
    CallDisconnect(DisconnectPayload),
    /// Someone is invited into the running call.
    CallOtherUserInvited(OthersInvitedPayload),
    /// A member muted or unmuted the microphone.
    CallMemberMuted(MutedPayload),
    /// Others speak than before.
    CallActiveSpeakers(ActiveSpeakersPayload),
    /// Something failed that no method call can report.
    CallError(ErrorPayload),
    /// Signalling or media is lost; the call goes on.
    CallReconnecting(Session),
    /// Signalling and media are back.
    CallReconnected(Session),
    /// The bars or the warnings have changed; once a second at most.
    CallQuality(CallQuality),
}

/// Who left and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
pub struct LeavePayload {
    /// Who.
    pub user: User,
    /// Why: one of the seed's five.
    pub reason: Reason,
    /// More about why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub detail: Option<Detail>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
pub struct DisconnectPayload {
    /// The call.
    pub session: Session,
    /// Why: one of the seed's five.
    pub reason: Reason,
    /// More about why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub detail: Option<Detail>,
}

/// Who was invited and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct OthersInvitedPayload {
    /// Who is now being rung; always an array.
    pub invited_users: Vec<User>,
    /// Who invited.
    pub from_user: User,
}

/// Who muted or unmuted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
pub struct MutedPayload {
    /// Who.
    pub user: User,
    /// Whether the microphone is muted now.
    pub muted: bool,
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ActiveSpeakersPayload {
    /// All who speak, oneself included. The first is the loudest by and large and changes rarely: the one to show.
    /// In a call of more voices than can be heard at once, of those that are heard.
    pub active_speakers: Vec<User>,
}

/// A failure with the fields of the session it happened in, if any: it serves apps that
/// expect the seed's session as well as those that expect `{code, description}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[cfg_attr(feature = "codegen", ts(type = "Failure & Partial<Session>"))]
pub struct ErrorPayload {
    /// One of the stable numbers of the error table.
    #[cfg_attr(feature = "codegen", schemars(with = "u32"))]
    pub code: ErrorCode,
    /// The stable name that goes with `code`.
    pub name: String,
    /// What went wrong, for a developer.
    pub description: String,
    /// The session's fields, side by side with the error's.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub session: Option<Session>,
}

/// What `getState` answers: enough for a reloaded WebView to draw itself again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// `loggedOut`, `loggingIn`, `loggedIn`, `reconnecting` or `tokenRejected`.
    pub login: LoginState,
    /// `off`, `starting` or `ready`.
    pub engine: EngineState,
    /// The call there is, ringing or running.
    pub session: Option<Session>,
    /// Where that call stands.
    pub call: CallState,
    /// The microphone is muted.
    pub muted: bool,
    /// The loudspeaker is on.
    pub speakerphone_enabled: bool,
    /// How the connected call sounds, as `CallQuality` told it last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub quality: Option<CallQuality>,
}

/// Where the sign-in stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum LoginState {
    /// No `login` yet, or `logout`.
    LoggedOut,
    /// `login` is under way.
    LoggingIn,
    /// The server knows this device.
    LoggedIn,
    /// The connection is lost and being made again.
    Reconnecting,
    /// The token is no longer good, and nothing goes on until `updateToken` or `login` brings another.
    TokenRejected,
}

/// Where the audio engine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum EngineState {
    /// No `initEngine` yet, or `releaseEngine`.
    Off,
    /// `initEngine` is under way.
    Starting,
    /// Calls can be made.
    Ready,
}

/// Where a call stands: both axes in one word, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum CallState {
    /// There is none.
    Idle,
    /// We dialled and nobody has answered.
    Outgoing,
    /// We are being called.
    Incoming,
    /// Accepted; the media link is not up yet.
    Connecting,
    /// Sound can flow.
    Connected,
    /// Signalling or media is lost; it goes on.
    Reconnecting,
}
