use jmrtc_engine::call;
use jmrtc_protocol::ChannelId;

/// What the operating system or the person at its call screen did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum PlatformEvent {
    /// The answer to `PlatformAction.RequestMicrophone`.
    Microphone {
        /// Whether the person allowed it.
        granted: bool,
    },
    /// The network changed (Wi-Fi to cellular, a new address) or came back.
    NetworkChanged,
    /// The person answered on the system's own call screen or notification.
    Answered {
        /// The call shown there.
        channel_id: String,
        /// And which stay in it, as told when it was to be shown: where that is over, nothing else is answered in its
        /// place, not even the next invitation into the same call.
        stay: u32,
    },
    /// The person refused or hung up there.
    Declined {
        /// The call shown there.
        channel_id: String,
        /// And which stay in it.
        stay: u32,
    },
}

impl From<PlatformEvent> for call::PlatformEvent {
    fn from(event: PlatformEvent) -> Self {
        match event {
            PlatformEvent::Microphone { granted } => Self::Microphone { granted },
            PlatformEvent::NetworkChanged => Self::NetworkChanged,
            PlatformEvent::Answered { channel_id, stay } => {
                Self::Answered { channel_id: ChannelId(channel_id), stay }
            }
            PlatformEvent::Declined { channel_id, stay } => {
                Self::Declined { channel_id: ChannelId(channel_id), stay }
            }
        }
    }
}
