//! Where sound comes from and goes to. What is here is the operating system's business and nothing else: reopening,
//! resampling, mixing to mono and all bookkeeping are done in front of it, once for all backends.

#[cfg(feature = "desktop")]
mod desktop;
mod null;
mod paced;
mod wav;

use std::sync::Arc;

use crate::{
    AudioError, Backend,
    ring::{CaptureHalf, PlaybackHalf},
    stats::Began,
};

/// A microphone and a loudspeaker. All calls come from one thread, never from a callback; they may block.
///
/// A device may call its half with any number of samples at any time, may change the rate
/// ([`CaptureHalf::set_rate`]) between two calls, and reports its end by a [`crate::ring::LostHandle`]; it is then closed
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
        Backend::Null => Box::new(null::device()),
        Backend::Wav { play, record, repeat } => {
            Box::new(wav::device(play.clone(), record.clone(), *repeat, began))
        }
        Backend::Echo => Box::new(null::echo()),
        #[cfg(feature = "desktop")]
        Backend::Desktop => Box::new(desktop::Desktop::new()),
        #[cfg(not(feature = "desktop"))]
        Backend::Desktop => return Err(AudioError::Unsupported("desktop")),
    })
}
