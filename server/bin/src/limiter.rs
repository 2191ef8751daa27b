//! How many messages a client may send, how many of those beyond are still answered, and how much a user may ask and change.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jmrtc_protocol::Username;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admit,
    /// Over the limit: an error is the answer.
    Refuse,
    /// Far over it: the connection is closed.
    Cut,
}

const MESSAGES: Rate = Rate { per_second: 50.0, burst: 200.0 };
const REFUSALS: Rate = Rate { per_second: 50.0, burst: 2_000.0 };
/// Of a user over REST, as many as over one connection.
pub(crate) const REQUESTS: Rate = MESSAGES;
/// Of a user's profile and relations, on all its connections: while a change is made, nobody else's is, nobody signs in, and
/// no call begins.
pub(crate) const CHANGES: Rate = Rate { per_second: 2.0, burst: 40.0 };

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// For any length of time.
    per_second: f64,
    /// At once after a pause.
    burst: f64,
}

#[derive(Debug)]
pub(crate) struct Limiter {
    messages: Bucket,
    refusals: Bucket,
}

impl Limiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { messages: Bucket::new(now, MESSAGES), refusals: Bucket::new(now, REFUSALS) }
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

/// How much each user may still do of something.
#[derive(Debug)]
pub(crate) struct PerUser {
    rate: Rate,
    buckets: BTreeMap<Username, Bucket>,
    /// When the full ones were forgotten.
    swept: Instant,
}

impl PerUser {
    const SWEPT_EVERY: Duration = Duration::from_secs(60);

    pub(crate) fn new(now: Instant, rate: Rate) -> Self {
        Self { rate, buckets: BTreeMap::new(), swept: now }
    }

    /// Counts one more time, and tells whether it may be.
    pub(crate) fn take(&mut self, now: Instant, user: &Username) -> bool {
        if now.saturating_duration_since(self.swept) >= Self::SWEPT_EVERY {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.swept = now;
        }
        self.buckets.entry(user.clone()).or_insert_with(|| Bucket::new(now, self.rate)).take(now)
    }
}

/// A bucket of tokens, one a message or change.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(now: Instant, rate: Rate) -> Self {
        Self { rate, tokens: rate.burst, filled: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        self.tokens = self.level(now);
        self.filled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    fn is_full(&self, now: Instant) -> bool {
        self.level(now) >= self.rate.burst
    }

    fn level(&self, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.rate.per_second;
        (self.tokens + gained).min(self.rate.burst)
    }
}

#[cfg(test)]
mod tests {
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
    fn every_user_has_changes_of_its_own_and_is_forgotten_once_it_may_make_them_all() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let [alice, bob] = ["alice", "bob"].map(|name| Username::new(name).unwrap());
        let mut changes = PerUser::new(start, CHANGES);
        let made = |changes: &mut PerUser, at, user| (0..100).filter(|_| changes.take(at, user)).count();
        assert_eq!(made(&mut changes, start, &alice), 40);
        assert_eq!(made(&mut changes, at(1), &alice), 2);
        assert_eq!(made(&mut changes, at(1), &bob), 40);
        assert_eq!(made(&mut changes, at(50), &bob), 40);
        assert_eq!(made(&mut changes, at(60), &bob), 20);
        assert_eq!(changes.buckets.keys().collect::<Vec<_>>(), [&bob]);
        assert_eq!(made(&mut changes, at(60), &alice), 40);
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
