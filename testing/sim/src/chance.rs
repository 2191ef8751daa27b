//! Where chance comes from. People choose, the weather is.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// What people and misfortune choose to do: rolled from a seed, or read from bytes, so that a fuzzer can steer it.
#[derive(Debug)]
pub(crate) enum Choices {
    Seed(Box<ChaCha8Rng>),
    Bytes { bytes: Vec<u8>, at: usize },
}

impl Choices {
    pub(crate) fn of_seed(seed: u64) -> Self {
        Self::Seed(Box::new(ChaCha8Rng::seed_from_u64(seed)))
    }

    pub(crate) const fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::Bytes { bytes, at: 0 }
    }

    /// A number below `below`; 0 when the bytes are used up.
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        match self {
            Self::Seed(dice) => dice.next_u64() % below,
            Self::Bytes { bytes, at } => {
                let long = if below <= 256 { 1 } else { 2 };
                let number =
                    (0..long).fold(0, |n, i| n << 8 | u64::from(bytes.get(*at + i).copied().unwrap_or(0)));
                *at += long;
                number % below
            }
        }
    }

    /// Nothing is chosen any more.
    pub(crate) fn is_spent(&self) -> bool {
        match self {
            Self::Seed(_) => false,
            Self::Bytes { bytes, at } => *at >= bytes.len(),
        }
    }
}

/// How bad the network is, and everything else that has moods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Weather {
    /// Everything takes as long as it must.
    Still,
    /// Everything takes its time.
    Fair,
    /// And some of it fails.
    Rough,
}

/// What is rolled for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Roll {
    Up,
    Down,
    Socket,
    Swallowed,
    Media,
    MediaTime,
    Relay,
    RelayTime,
    Audio,
    AudioTime,
    Microphone,
    MicrophoneTime,
    LearnsClient,
    LearnsServer,
    LearnsClientTime,
    LearnsServerTime,
    Forgets,
    Late,
    Wakes,
    Seed,
    Ring,
    Grace,
    Ping,
    People,
    Devices,
    Owner,
    Limits,
    Slot,
    Measure,
    Mood,
    Odd,
    Screen,
    Copies,
    Fidgets,
}

/// Luck has no memory: at one time and place it is the same whatever has been before. So a step that is taken
/// out of a plan changes what it caused and little else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Luck {
    pub(crate) seed: u64,
    pub(crate) weather: Weather,
}

impl Luck {
    /// A number below `below`.
    pub(crate) fn roll(self, what: Roll, now: u64, place: u64, below: u64) -> u64 {
        match self.weather {
            Weather::Still => 0,
            Weather::Fair | Weather::Rough => self.number(what, now, place) % below,
        }
    }

    /// Whether one of so many misfortunes strikes.
    pub(crate) fn strikes(self, what: Roll, now: u64, place: u64, one_in: u64) -> bool {
        self.weather == Weather::Rough && self.number(what, now, place).is_multiple_of(one_in)
    }

    /// Unlike luck this is the same in any weather.
    pub(crate) fn number(self, what: Roll, now: u64, place: u64) -> u64 {
        [what as u64, now, place].iter().fold(self.seed, |hash, n| scramble(hash ^ scramble(*n)))
    }
}

/// SplitMix64.
const fn scramble(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
