//! How many messages a client may send.

use std::time::Instant;

/// Messages per second that a client may send for any length of time.
const PER_SECOND: f64 = 50.0;
/// Messages that it may send at once after a pause.
const BURST: f64 = 200.0;

/// A bucket of tokens, one a message.
#[derive(Debug)]
pub(crate) struct Limiter {
    tokens: f64,
    filled: Instant,
}

impl Limiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { tokens: BURST, filled: now }
    }

    /// Whether one more message is within the limit.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * PER_SECOND;
        self.tokens = (self.tokens + gained).min(BURST);
        self.filled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::now();
        let mut limiter = Limiter::new(start);
        assert_eq!((0..1000).filter(|_| limiter.admit(start)).count(), 200);
        let second = start + Duration::from_secs(1);
        assert_eq!((0..1000).filter(|_| limiter.admit(second)).count(), 50);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..1000).filter(|_| limiter.admit(later)).count(), 200);
    }
}
