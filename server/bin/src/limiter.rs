//! How many messages a client may send, and how many of those beyond are still answered.

use std::time::Instant;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admit,
    /// Over the limit: an error is the answer.
    Refuse,
    /// Far over it: the connection is closed.
    Cut,
}

#[derive(Debug)]
pub(crate) struct Limiter {
    messages: Bucket,
    refusals: Bucket,
    changes: Bucket,
}

impl Limiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            messages: Bucket::new(now, 50.0, 200.0),
            refusals: Bucket::new(now, 50.0, 2_000.0),
            changes: Bucket::new(now, 2.0, 40.0),
        }
    }

    /// Counts one more change of a profile or relation, and tells whether it may be made: while it is, nobody else's is, and no call
    /// begins.
    pub(crate) fn may_change(&mut self, now: Instant) -> bool {
        self.changes.take(now)
    }

    /// Counts one more message.
    pub(crate) fn judge(&mut self, now: Instant) -> Verdict {
        if self.messages.take(now) {
            Verdict::Admit
        } else if self.refusals.take(now) {
            Verdict::Refuse
        } else {
            Verdict::Cut
        }
    }
}

/// A bucket of tokens, one a message.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    /// Messages per second for any length of time.
    per_second: f64,
    /// Messages at once after a pause.
    burst: f64,
}

impl Bucket {
    fn new(now: Instant, per_second: f64, burst: f64) -> Self {
        Self { tokens: burst, filled: now, per_second, burst }
    }

    fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.burst);
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
        let mut admitted = |at| (0..1000).filter(|_| limiter.judge(at) == Verdict::Admit).count();
        assert_eq!(admitted(start), 200);
        assert_eq!(admitted(start + Duration::from_secs(1)), 50);
        assert_eq!(admitted(start + Duration::from_secs(3600)), 200);
    }

    #[test]
    fn changes_have_a_limit_of_their_own() {
        let start = Instant::now();
        let mut limiter = Limiter::new(start);
        let mut made = |at| (0..100).filter(|_| limiter.may_change(at)).count();
        assert_eq!(made(start), 40);
        assert_eq!(made(start + Duration::from_secs(1)), 2);
    }

    #[test]
    fn a_flood_is_refused_for_a_while_and_then_cut_off() {
        let start = Instant::now();
        let mut limiter = Limiter::new(start);
        let verdicts: Vec<_> = (0..2_500).map(|_| limiter.judge(start)).collect();
        let count = |verdict| verdicts.iter().filter(|v| **v == verdict).count();
        assert_eq!((count(Verdict::Admit), count(Verdict::Refuse), count(Verdict::Cut)), (200, 2_000, 300));
    }
}
