//! The machine's clock: never goes back and counts sleep, so that a phone which slept through the ring
//! time knows it on waking. `std::time::Instant` stops during sleep on Linux, Android and Apple systems.

use jmrtc_call::Timestamp;
use rustix::time::{ClockId, clock_gettime};

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
/// On Apple systems `CLOCK_MONOTONIC` goes on during sleep (clock_gettime(3)).
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

pub(crate) struct Clock {
    start_ns: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start_ns: read() }
    }

    /// Milliseconds since the start.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(read().saturating_sub(self.start_ns) / 1_000_000)
    }
}

fn read() -> u64 {
    let t = clock_gettime(CLOCK);
    // Both parts are never negative on a clock that counts from boot.
    t.tv_sec.unsigned_abs() * 1_000_000_000 + u64::from(t.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn goes_on_as_fast_as_instant_and_never_back() {
        // The machine may do something else between any two of these.
        let (before, clock, after) = (Instant::now(), Clock::start(), Instant::now());
        let mut last = clock.now();
        while after.elapsed().as_millis() < 5 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        let (low, now, high) = (after.elapsed().as_millis(), clock.now().0, before.elapsed().as_millis());
        assert!((low..=high + 1).contains(&u128::from(now)), "{now} ms, not {low} to {high}");
    }
}
