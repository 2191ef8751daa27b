//! Where sound comes from and goes to. What is here is the operating system's business and nothing else: reopening,
//! resampling, mixing to mono and all bookkeeping are done in front of it, once for all backends.

#[cfg(target_os = "android")]
mod android;
#[cfg(all(feature = "desktop", not(any(target_os = "android", target_os = "ios"))))]
mod desktop;
#[cfg(any(target_os = "ios", test))]
mod duplex;
#[cfg(target_os = "ios")]
mod ios;
mod null;
mod paced;
mod wav;

use std::sync::Arc;

#[cfg(target_os = "android")]
pub use android::context_given;

use crate::{
    AudioError, Backend,
    ring::{CaptureHalf, PlaybackHalf},
    stats::Began,
};

/// A microphone and a loudspeaker. All calls come from one thread, never from a callback; they may block.
///
/// A device may call its half with any number of samples at any time, may change the rate
/// ([`CaptureHalf::set_rate`]) between two calls, and reports its end by a [`crate::ring::LineHandle`]; it is then closed
/// and opened again.
pub(crate) trait Device: Send {
    /// Sees that both directions exist; opens no microphone.
    fn check(&mut self) -> Result<(), AudioError>;
    /// Opens the microphone. On success the half's rate is set and its callbacks run.
    fn open_capture(&mut self, half: CaptureHalf) -> Result<(), AudioError>;
    /// Closes the microphone: when this returns the half is gone.
    fn close_capture(&mut self);
    /// Opens the loudspeaker, as [`Self::open_capture`].
    fn open_playback(&mut self, half: PlaybackHalf) -> Result<(), AudioError>;
    /// Closes the loudspeaker: when this returns the half is gone.
    fn close_playback(&mut self);
}

/// The device of a backend. Looks at nothing outside yet.
pub(crate) fn device(backend: &Backend, began: Arc<Began>) -> Result<Box<dyn Device>, AudioError> {
    Ok(match backend {
        Backend::Null(plug) => Box::new(null::device(plug.clone())),
        Backend::Wav { play, record, repeat } => {
            Box::new(wav::device(play.clone(), record.clone(), *repeat, began))
        }
        Backend::Echo => Box::new(null::echo()),
        Backend::Device => return system(),
    })
}

/// The system's microphone and loudspeaker.
#[cfg_attr(
    any(feature = "desktop", target_os = "android", target_os = "ios"),
    expect(clippy::unnecessary_wraps, reason = "not every build has one")
)]
fn system() -> Result<Box<dyn Device>, AudioError> {
    #[cfg(target_os = "android")]
    return Ok(Box::new(android::Phone::new()));
    #[cfg(target_os = "ios")]
    return Ok(Box::new(duplex::Duplex::<ios::VoiceUnit>::new()));
    #[cfg(all(feature = "desktop", not(any(target_os = "android", target_os = "ios"))))]
    return Ok(Box::new(desktop::Desktop::new()));
    #[cfg(not(any(feature = "desktop", target_os = "android", target_os = "ios")))]
    Err(AudioError::NoBackend)
}

/// Asks the system to let the calling thread go before those that don't deal with sound. Only a hint: where it is refused,
/// the worker keeps a little more sound in hand by itself.
pub(crate) fn hurry() {
    #[cfg(target_os = "android")]
    android::hurry();
    #[cfg(target_os = "ios")]
    ios::hurry();
}
