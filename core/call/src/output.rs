//! What the machine wants done.

use jmrtc_protocol::{ChannelId, ClientMessage, Failure, IceServer, Session, Stay, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CommandId, Event, Generation};

/// One thing to do, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "output", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(clippy::large_enum_variant)]
pub enum Output {
    /// Answer a method call; comes exactly once for each.
    Reply {
        /// Of [`crate::Input::Command`].
        id: CommandId,
        /// What the success or failure callback gets.
        #[cfg_attr(feature = "codegen", ts(type = "{ Ok: unknown } | { Err: Failure }"))]
        result: Result<Value, Failure>,
    },
    /// Tell the app.
    Event(Event),
    /// To the signalling socket.
    Socket(SocketAction),
    /// To the media link.
    Media(MediaAction),
    /// To the audio devices.
    Audio(AudioAction),
    /// To the operating system.
    Platform(PlatformAction),
}

/// For the signalling sockets: one, and for a moment a second one beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SocketAction {
    /// Connect.
    Open {
        /// Comes back in each event.
        generation: Generation,
        /// `ws:` or `wss:` URL of `/v1/ws`.
        url: String,
    },
    /// Send one text frame, encoded by the driver with [`jmrtc_protocol::encode`].
    Send {
        /// Of the open socket.
        generation: Generation,
        /// What to send.
        message: ClientMessage,
    },
    /// Close; no event is expected.
    Close {
        /// Of the socket.
        generation: Generation,
    },
}

/// For the media link: one peer connection to the server. There is at most one; `Open` replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum MediaAction {
    /// Make a link of one `sendonly` and `slots` `recvonly` lines, with the microphone closed; tell its offer.
    Open {
        /// Comes back in each event.
        generation: Generation,
        /// Receive slots.
        slots: u8,
        /// STUN and TURN servers.
        ice_servers: Vec<IceServer>,
    },
    /// The server's answer to the last offer.
    Answer {
        /// Of the link.
        generation: Generation,
        /// SDP (RFC 8866).
        sdp: String,
    },
    /// Restart ICE (RFC 8445 section 9), on a new socket where addresses may have changed; tell the new offer.
    Restart {
        /// Of the link.
        generation: Generation,
    },
    /// Close; no event is expected.
    Close {
        /// Of the link.
        generation: Generation,
    },
}

/// For the audio devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AudioAction {
    /// See that there is a way to record and play; open no microphone. Answered by an `AudioEvent`.
    Prepare,
    /// What may run from now on. Consent lives here: all false until the person accepted or dialled.
    Set {
        /// The microphone is open.
        capture: bool,
        /// What it hears is sent. False while muted or alone.
        send: bool,
        /// What arrives is played.
        play: bool,
    },
    /// Close everything.
    Release,
}

/// What only the operating system's side can do. The browser and the phone ignore what they don't have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(clippy::large_enum_variant)]
pub enum PlatformAction {
    /// Ask the person for the microphone unless that is settled; answered by `PlatformEvent::Microphone`.
    RequestMicrophone,
    /// Ring: show the system's incoming-call screen or notification.
    ShowIncoming {
        /// The call. Where `silent` is set there, show without a ring tone.
        session: Session,
        /// Which stay in it: what the person says there is said to that one.
        stay: Stay,
    },
    /// Stop ringing and take the incoming-call screen away.
    DismissIncoming {
        /// The call.
        channel_id: ChannelId,
        /// The stay that was shown.
        stay: Stay,
    },
    /// The person is in a call from now on: foreground service, audio mode and focus, audio session.
    CallStarted {
        /// The call.
        session: Session,
        /// Which stay in it, as of `ShowIncoming`.
        stay: Stay,
        /// Whom to show: its other members, joined before ringing.
        others: Vec<User>,
    },
    /// Give back what `CallStarted` took.
    CallEnded {
        /// The call.
        channel_id: ChannelId,
        /// The stay that had started.
        stay: Stay,
    },
    /// Route to the loudspeaker or the earpiece.
    SetSpeakerphone {
        /// Loudspeaker.
        enabled: bool,
    },
}
