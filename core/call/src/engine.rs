use serde::{Deserialize, Serialize};

use crate::{CommandId, EngineState, Timestamp};

/// Where `initEngine` stands, with the calls of it that wait for an answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) enum Engine {
    #[default]
    Off,
    /// The person is asked for the microphone.
    Asking {
        commands: Vec<CommandId>,
    },
    /// The audio devices are looked up.
    Preparing {
        commands: Vec<CommandId>,
        until: Timestamp,
    },
    Ready,
}

impl Engine {
    pub(crate) const fn is_ready(&self) -> bool {
        match self {
            Self::Ready => true,
            Self::Off | Self::Asking { .. } | Self::Preparing { .. } => false,
        }
    }

    pub(crate) const fn state(&self) -> EngineState {
        match self {
            Self::Off => EngineState::Off,
            Self::Asking { .. } | Self::Preparing { .. } => EngineState::Starting,
            Self::Ready => EngineState::Ready,
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Preparing { until, .. } => Some(*until),
            Self::Off | Self::Asking { .. } | Self::Ready => None,
        }
    }

    /// Turns it off and gives up the commands that waited.
    pub(crate) fn turn_off(&mut self) -> Vec<CommandId> {
        match std::mem::take(self) {
            Self::Asking { commands } | Self::Preparing { commands, .. } => commands,
            Self::Off | Self::Ready => Vec::new(),
        }
    }
}
