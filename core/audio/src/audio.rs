//! The handle that the engine holds.

use crate::{AudioConfig, AudioError, AudioEvent, AudioStats, Posture, RtpFrame};

/// Sound of one engine. Dropping it closes the devices and ends its threads.
pub struct Audio {}

impl Audio {
    /// Starts the threads; opens no device.
    ///
    /// `events` is called on them and must neither block for long nor call back into this `Audio`.
    ///
    /// # Errors
    /// A bad configuration, or no thread or memory to be had. Devices and files are not looked at yet: see
    /// [`Self::prepare`].
    pub fn spawn(
        config: AudioConfig,
        events: impl Fn(AudioEvent) + Send + Sync + 'static,
    ) -> Result<Self, AudioError> {
        let _ = (config, events);
        Err(AudioError::Unsupported("finished"))
    }

    /// Sees that there is a way to record and play, opening no microphone. Answered by [`AudioEvent::Ready`] or
    /// [`AudioEvent::Failed`].
    pub fn prepare(&self) {}

    /// What may run from now on. After it has returned no frame is handed out that the posture forbids, and the
    /// microphone is being closed if it is to be.
    pub fn set(&self, posture: Posture) {
        let _ = posture;
    }

    /// A packet for a slot. Dropped where there is no such slot or nothing may be played.
    pub fn receive(&self, slot: usize, frame: RtpFrame) {
        let _ = (slot, frame);
    }

    /// What share of our packets, 0 to 1, the other end reports lost.
    pub fn loss(&self, fraction: f32) {
        let _ = fraction;
    }

    /// How it goes.
    pub fn stats(&self) -> AudioStats {
        AudioStats::default()
    }
}
