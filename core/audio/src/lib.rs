//! Sound for a call: devices, Opus, jitter buffers, mixer.
//!
//! One worker thread owns everything that thinks; device callbacks touch only lock-free rings. Sound
//! is 48 kHz mono in frames of 20 ms; in memory a sample is an `f32`, full scale at ±1.
#![deny(missing_docs)]

mod audio;
mod types;

pub use audio::Audio;
pub use types::{
    AudioConfig, AudioError, AudioEvent, AudioStats, Backend, EncodedFrame, Posture, RtpFrame, SlotStats,
};

/// Samples per second.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in one frame.
pub const FRAME: usize = 960;
