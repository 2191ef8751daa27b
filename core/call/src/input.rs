//! What the machine is told.

use jmrtc_protocol::{ChannelId, Device, ServerMessage, Stay};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{LinkSample, Memory, memory};

/// Milliseconds on a clock of the driver's that never goes back and counts sleep. The zero is the driver's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// `ms` later.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this; 0 where `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Names one method call of the app; chosen by the driver, answered by exactly one [`crate::Output::Reply`].
pub type CommandId = u64;

/// Counts sockets and media links. An event of an older generation is stale: dropped and counted.
pub type Generation = u32;

/// How a machine is made. The same config and inputs give the same outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Seeds every random choice (backoff jitter).
    pub seed: u64,
    /// Which device this is.
    pub device: Device,
    /// Where `login` goes when it names no server: the WebSocket URL, or the server's `http(s)` address.
    pub server_url: Option<String>,
    /// What [`crate::Client::memory`] said last in this app's life before.
    #[serde(default, deserialize_with = "memory::readable")]
    pub memory: Memory,
}

/// Everything that can happen to a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "input", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(clippy::large_enum_variant)]
pub enum Input {
    /// The app calls a method of `window.JMRTC`. Unknown names and bad arguments are answered like any other.
    Command {
        /// Comes back in the reply.
        id: CommandId,
        /// E.g. `startCallUsers`.
        method: String,
        /// The method's one argument; null for none.
        #[cfg_attr(feature = "codegen", ts(type = "unknown"))]
        args: Value,
    },
    /// From the signalling socket.
    Socket {
        /// Of [`crate::SocketAction::Open`].
        generation: Generation,
        /// What happened.
        event: SocketEvent,
    },
    /// From the media link.
    Media {
        /// Of [`crate::MediaAction::Open`].
        generation: Generation,
        /// What happened.
        event: MediaEvent,
    },
    /// From the audio devices.
    Audio(AudioEvent),
    /// From the operating system.
    Platform(PlatformEvent),
    /// `Client::next_deadline` has come.
    Deadline,
}

/// What a signalling socket tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(clippy::large_enum_variant)]
pub enum SocketEvent {
    /// Ready to send.
    Opened,
    /// A message of the server.
    Message {
        /// Decoded by the driver with [`jmrtc_protocol::decode_server`].
        message: ServerMessage,
    },
    /// Could not open, or is gone. Nothing more comes of this generation.
    Closed {
        /// For the developer.
        why: String,
    },
}

/// What a media link tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum MediaEvent {
    /// The offer asked for by `Open` or `Restart`.
    Offer {
        /// SDP (RFC 8866).
        sdp: String,
    },
    /// ICE and DTLS are up: sound could flow.
    Connected,
    /// Nothing comes through at the moment.
    Disconnected,
    /// Sound that has come comes no more: no packet for 200 ms, of which whoever is not muted sends ten in that time. Long
    /// before ICE says `Disconnected`; but whoever was heard may have lost the network as well.
    Stalled,
    /// Sound is sent, and the server has not told for 2.2 s how it arrives, as it does every second (RTCP receiver reports, RFC
    /// 3550 section 6.4). Where nobody is heard there is no sooner sign.
    Unreported,
    /// The one comes again, or the other.
    Flowing,
    /// The network that the link sends from is none of this device's any more, and the system has not told.
    Moved,
    /// The link is beyond repair: a new generation is needed.
    Failed {
        /// For the developer.
        why: String,
    },
    /// How loud it is at the moment, in -dBov (RFC 6464): 0 is the loudest, 127 silence. Five times a second while
    /// the link is up.
    Levels {
        /// What is sent of the microphone; 127 while nothing is.
        own: u8,
        /// What each receive slot plays, in the order of the offer.
        slots: Vec<u8>,
    },
    /// What was measured; once a second for as long as there is a link.
    Stats {
        /// Since the last one.
        sample: LinkSample,
    },
}

/// What the audio devices tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AudioEvent {
    /// `Prepare` succeeded.
    Ready,
    /// `Prepare` failed, or a device broke for good.
    Failed {
        /// For the developer.
        why: String,
    },
}

/// What the operating system tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PlatformEvent {
    /// The answer to [`crate::PlatformAction::RequestMicrophone`].
    Microphone {
        /// Whether the person allowed it.
        granted: bool,
    },
    /// The network changed (Wi-Fi to cellular, a new address): renew what depends on it now.
    NetworkChanged,
    /// The person answered on the system's own call screen. Nothing comes of it where what that showed is over, whatever
    /// rings in its place.
    Answered {
        /// The call that the screen showed.
        channel_id: ChannelId,
        /// The stay in it that the screen showed.
        stay: Stay,
    },
    /// The person refused or hung up there.
    Declined {
        /// The call that the screen showed.
        channel_id: ChannelId,
        /// The stay in it that the screen showed.
        stay: Stay,
    },
}
