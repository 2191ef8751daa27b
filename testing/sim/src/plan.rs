//! A run written down: all that people and misfortune did, in order.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Weather;
use crate::chance::{Luck, Roll};

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
const MOST_DEVICES: u64 = 9;

/// What a run is made of: with the same plan it is the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Of the luck: how long messages take and what fails by itself.
    pub seed: u64,
    /// How bad it is.
    pub weather: Weather,
    /// When misfortune ends and everything comes to rest.
    pub rest: u64,
    /// Whose devices there are, e.g. `alice/0`.
    #[serde(default = "six_devices")]
    pub devices: Vec<String>,
    /// The first shows the server the second's device id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub copies: BTreeMap<String, String>,
    /// Of one call, joined and rung.
    #[serde(default = "five_members")]
    pub max_members: usize,
    /// Of one user; as many as it likes where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitations_per_minute: Option<u32>,
    /// In order of time.
    pub steps: Vec<Step>,
}

/// Where nothing is said.
fn six_devices() -> Vec<String> {
    ["alice/0", "alice/1", "bob/0", "carol/0", "carol/1", "dave/0"].map(str::to_owned).to_vec()
}

/// Few, so that people run into it.
const fn five_members() -> usize {
    5
}

impl Plan {
    /// Nothing done yet, among two to five people with two to nine devices.
    pub(crate) fn of_seed(seed: u64, weather: Weather, rest: u64) -> Self {
        let luck = Luck { seed, weather };
        let people = 2 + luck.number(Roll::People, 0, 0) % 4;
        let count = people + luck.number(Roll::Devices, 0, 0) % (1 + MOST_DEVICES - people);
        let mut owned = [0; NAMES.len()];
        for device in 0..count {
            // Each has one, some have more.
            let owner = if device < people { device } else { luck.number(Roll::Owner, device, 0) % people };
            owned[owner as usize] += 1;
        }
        let of = |(name, count): (&&str, u32)| (0..count).map(|n| format!("{name}/{n}")).collect::<Vec<_>>();
        let devices: Vec<_> = NAMES.iter().zip(owned).flat_map(of).collect();
        // As on a new phone onto which the backup of another was put.
        let twin = devices.iter().find(|device| device.ends_with("/1"));
        let twin = twin.filter(|_| luck.number(Roll::Copies, 0, 0).is_multiple_of(4));
        let copies = twin.map(|twin| (twin.clone(), twin.replace("/1", "/0"))).into_iter().collect();
        // After a pause one may fill four calls: small ones, so that people run into it.
        let (max_members, invitations_per_minute) = match luck.number(Roll::Limits, 0, 0) % 16 {
            0 | 1 => (2, Some(1)),
            2 => (2, Some(6)),
            3 => (3, Some(2)),
            4 => (3, None),
            5 => (4, None),
            _ => (five_members(), None),
        };
        Self { seed, weather, rest, devices, copies, max_members, invitations_per_minute, steps: Vec::new() }
    }
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
    /// Nothing is heard over the link for so long, for one reason or another.
    Deaf {
        /// How long.
        ms: u64,
    },
    /// Something is heard again.
    Hear,
    /// It fails.
    Fail,
    /// The audio devices fail.
    Unplug,
    /// The person speaks.
    Talk {
        /// For how many milliseconds.
        ms: u64,
    },
    /// The company's backend deletes the device's user.
    Delete,
    /// It makes a user of that name again: another person.
    Make,
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
    /// The server is replaced by one that takes over its calls.
    HandOver,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, device, act } = self;
        let Act::Call { method, args } = act else { return write!(f, "{at:>6} {device} {act:?}") };
        if args.is_null() {
            write!(f, "{at:>6} {device} {method}")
        } else {
            write!(f, "{at:>6} {device} {method} {args}")
        }
    }
}

/// JSON on one line, as it is read again.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&jmrtc_protocol::encode(self))
    }
}
