//! A run written down: all that people and misfortune did, in order.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Weather;

/// What a run is made of: with the same plan it is the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Of the luck: how long messages take and what fails by itself.
    pub seed: u64,
    /// How bad it is.
    pub weather: Weather,
    /// When misfortune ends and everything comes to rest.
    pub rest: u64,
    /// In order of time.
    pub steps: Vec<Step>,
}

/// Something that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds.
    pub at: u64,
    /// By whom or to whom, e.g. `alice/0`; for the server anybody.
    pub device: String,
    /// What.
    #[serde(flatten)]
    pub act: Act,
}

/// What may be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "camelCase")]
pub enum Act {
    /// The app calls a method.
    Call {
        /// Its name.
        method: String,
        /// Its argument.
        args: Value,
    },
    /// The person answers on the system's call screen.
    Answer,
    /// The person declines there.
    Decline,
    /// The app is killed.
    Kill,
    /// And started anew.
    Start,
    /// The phone sleeps: nothing is handled, then everything at once, and the clock has jumped.
    Sleep {
        /// For how many milliseconds.
        ms: u64,
    },
    /// The socket breaks, with what is on the way.
    Break,
    /// It breaks, and no other can be opened.
    Offline {
        /// For how many milliseconds.
        ms: u64,
    },
    /// Nothing gets through, and then all of it; maybe when there is another socket already.
    Stall {
        /// For how many milliseconds.
        ms: u64,
    },
    /// The operating system tells of another network.
    Network,
    /// The media link is interrupted.
    Interrupt,
    /// It fails.
    Fail,
    /// The audio devices fail.
    Unplug,
    /// The server is suspended and its clock jumps.
    Freeze {
        /// For how many milliseconds.
        ms: u64,
    },
    /// The server is replaced by one that knows nothing.
    Restart {
        /// It says goodbye.
        cleanly: bool,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, device, act } = self;
        if let Act::Call { method, args } = act {
            let args = if args.is_null() { String::new() } else { format!(" {args}") };
            write!(f, "{at:>6} {device} {method}{args}")
        } else {
            write!(f, "{at:>6} {device} {act:?}")
        }
    }
}

/// JSON on one line, as it is read again.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&jmrtc_protocol::encode(self))
    }
}
