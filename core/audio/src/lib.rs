//! Sound for a call: devices, Opus, jitter buffers, mixer.
//!
//! ```text
//!              callback        jmrtc-audio (worker)                         events, receive()
//! microphone  ->  ring  ->  resample -> frames of 20 ms -> Opus + FEC  ->  EncodedFrame
//! loudspeaker <-  ring  <-  resample <- limiter <- mixer <- jitter buffers <- RtpFrame
//!       ^ opened, closed and opened again by jmrtc-devices (keeper)
//! ```
//! Device callbacks touch only lock-free rings. Everything that thinks is in `Pipeline` and below, which know neither
//! threads nor clocks; the worker is a thin shell around it. Sound is 48 kHz mono in frames of 20 ms; in memory a sample
//! is an `f32`, full scale at ±1.
#![deny(missing_docs)]

mod audio;
mod backend;
mod codec;
mod delay;
#[cfg(test)]
mod device_tests;
mod jitter;
mod keeper;
mod level;
mod mixer;
mod pipeline;
mod resample;
pub mod ring;
mod sender;
mod shared;
#[cfg(test)]
mod signal;
mod stats;
mod stretch;
mod types;
mod worker;

pub use audio::Audio;
#[cfg(target_os = "android")]
pub use backend::context_given;
pub use types::{
    AudioConfig, AudioError, AudioEvent, AudioStats, Backend, EncodedFrame, Plug, Posture, RtpFrame,
    SlotStats,
};

/// Samples per second.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in one frame.
pub const FRAME: usize = 960;
