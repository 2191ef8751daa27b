use serde::{Deserialize, Serialize};

use crate::{Generation, Timestamp};

/// The link axis: does media flow? It knows nothing of whether the person accepted.
///
/// ```text
///  Off ──wanted──► Making ──connected──► Up ──disconnected──► Repairing ──connected──► Up
///   ▲                │ failed             │ failed                 │ failed
///   └──time comes── Waiting ◄─────────────┴────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Link {
    /// There is none and none is being made.
    #[default]
    Off,
    /// The last one failed; the next is made then.
    Waiting { at: Timestamp },
    /// Being made: offer, answer, ICE, DTLS.
    Making { generation: Generation, until: Timestamp },
    /// Sound can flow, since when.
    Up { generation: Generation, since: Timestamp },
    /// Was up; ICE is restarted.
    Repairing { generation: Generation, until: Timestamp },
}

impl Link {
    pub(crate) const fn generation(self) -> Option<Generation> {
        match self {
            Self::Off | Self::Waiting { .. } => None,
            Self::Making { generation, .. }
            | Self::Up { generation, .. }
            | Self::Repairing { generation, .. } => Some(generation),
        }
    }

    pub(crate) const fn is_up(self) -> bool {
        match self {
            Self::Up { .. } => true,
            Self::Off | Self::Waiting { .. } | Self::Making { .. } | Self::Repairing { .. } => false,
        }
    }

    pub(crate) const fn deadline(self) -> Option<Timestamp> {
        match self {
            Self::Waiting { at } => Some(at),
            Self::Making { until, .. } | Self::Repairing { until, .. } => Some(until),
            Self::Off | Self::Up { .. } => None,
        }
    }
}

/// A link that is up and seems dead. Whether it is, or the network as a whole, or nothing but the one who was heard is gone, the
/// server tells by its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stall {
    pub(crate) since: Timestamp,
    pub(crate) sign: Sign,
    /// The server was asked for a sign of life; none where there is no connection to ask over.
    pub(crate) asked: Option<Asked>,
    /// It has given none once: the app is not told that all is well before it is known of both.
    pub(crate) lost: bool,
}

impl Stall {
    pub(crate) fn deadline(self) -> Option<Timestamp> {
        self.asked.map(|asked| asked.spare.unwrap_or(asked.until))
    }
}

/// The answer that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// When another connection is tried beside the one asked over; none when it has been, or shall not be.
    pub(crate) spare: Option<Timestamp>,
    /// When the connection is given up.
    pub(crate) until: Timestamp,
    /// Something else has come over it meanwhile.
    pub(crate) heard: bool,
}

/// Of a link that was stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restart {
    pub(crate) at: Timestamp,
    /// Something has come since.
    pub(crate) helped: bool,
}

/// By what it was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sign {
    /// The others' sound comes no more.
    Sound,
    /// Nobody says any more how our sound arrives, or ICE gets no answers.
    Ours,
}
