//! The one place that reads the time for the rooms.
//!
//! There are two times, and they part when the machine sleeps or its clock is set. What is compared with the rooms' own times, or with
//! what a record says of a call, is told by [`Clock`]; what others compare with their clocks, or say by theirs (tokens, webhooks), by
//! the wall clock. From one to the other goes only what is left until then.

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

    /// Unix milliseconds now, on the clock of the calls: what is compared with their times is told by this.
    pub(crate) fn unix_now(&self) -> i64 {
        self.unix_ms(self.now())
    }

    /// When it will be `at`.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        let far = Duration::from_secs(365 * 86_400);
        self.start + Duration::from_millis(at.0).min(far)
    }

    /// When the wall clock will say this Unix time in seconds, as it goes now; now where it is past.
    pub(crate) fn timestamp_of(&self, unix_s: u64) -> Timestamp {
        let left_ms = i128::from(unix_s) * 1000 - i128::from(unix_ms());
        self.now().plus(u64::try_from(left_ms).unwrap_or(0))
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Unix seconds by the wall clock.
pub(crate) fn unix_s() -> u64 {
    since_epoch().as_secs()
}

/// Unix milliseconds by the wall clock.
pub(crate) fn unix_ms() -> i64 {
    i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_wall_clock_what_is_left_counts() {
        let clock = Clock { epoch_ms: 0, ..Clock::start() };
        assert!((8_000..=10_000).contains(&clock.timestamp_of(unix_s() + 10).0));
        assert!(clock.timestamp_of(unix_s() - 10) <= clock.now());
    }
}
