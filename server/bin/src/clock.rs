//! The one place that reads the time for the rooms.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jmrtc_rooms::Timestamp;
use tokio::time::Instant;

/// Milliseconds since the server's start, which never go back, and the wall clock that goes with them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    epoch_ms: i64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), epoch_ms: i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX) }
    }

    /// Unix milliseconds at [`Timestamp`] 0.
    pub(crate) fn epoch_ms(&self) -> i64 {
        self.epoch_ms
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(millis(self.start.elapsed()))
    }

    /// Unix milliseconds at `at`.
    pub(crate) fn unix_ms(&self, at: Timestamp) -> i64 {
        self.epoch_ms.saturating_add_unsigned(at.0)
    }

    /// When it will be `at`.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        let far = Duration::from_secs(365 * 86_400);
        self.start + Duration::from_millis(at.0).min(far)
    }

    /// The timestamp of a Unix time in seconds; 0 for one before the start.
    pub(crate) fn timestamp_of(&self, unix_s: u64) -> Timestamp {
        let unix_ms = i128::from(unix_s) * 1000;
        Timestamp(u64::try_from(unix_ms - i128::from(self.epoch_ms)).unwrap_or(0))
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Unix seconds.
pub(crate) fn unix_s() -> u64 {
    since_epoch().as_secs()
}

/// Unix milliseconds.
pub(crate) fn unix_ms() -> i64 {
    i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
