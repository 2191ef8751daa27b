//! What the threads tell each other about how it goes.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// When the files of [`crate::Backend::Wav`] began.
#[derive(Debug, Default)]
pub(crate) struct Began {
    times: Mutex<(Option<SystemTime>, Option<SystemTime>)>,
}

impl Began {
    /// The first block of the played file, `length` long, has just been heard.
    pub(crate) fn play(&self, length: Duration) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).0 = SystemTime::now().checked_sub(length);
    }

    /// A block of the recording begins to sound now; the first call counts.
    pub(crate) fn record(&self) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).1.get_or_insert_with(SystemTime::now);
    }

    /// First samples of `play` and of `record`.
    pub(crate) fn times(&self) -> (Option<SystemTime>, Option<SystemTime>) {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
