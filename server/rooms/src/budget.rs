//! How often a user may do what others are told of, with all its devices together: whoever calls and hangs up again and
//! again rings somebody each time; whoever plays with the mute switch is told to everybody, and so is in which slot whoever makes its
//! link anew is heard then.

use std::collections::BTreeMap;

use jmrtc_protocol::Username;

use crate::Timestamp;

const MINUTE_MS: u64 = 60_000;
/// After a pause a user may fill so many calls at once.
const CALLS_AT_ONCE: usize = 4;

/// What each user has spent and not got back yet.
#[derive(Debug)]
pub(crate) struct Budget {
    per_minute: u64,
    at_once: u64,
    spent: BTreeMap<Username, Spent>,
    /// When those who have got all back were forgotten.
    swept: Timestamp,
}

/// In parts of one time, [`MINUTE_MS`] each, so that a millisecond gives `per_minute` of them back.
#[derive(Debug, Clone, Copy)]
struct Spent {
    parts: u64,
    at: Timestamp,
}

impl Budget {
    pub(crate) fn new(per_minute: u32, max_members: usize) -> Self {
        let at_once = u64::from(per_minute).max((CALLS_AT_ONCE * max_members) as u64);
        Self { per_minute: per_minute.into(), at_once, spent: BTreeMap::new(), swept: Timestamp(0) }
    }

    /// One a second, and after a pause so many at once.
    pub(crate) fn one_a_second(at_once: u64) -> Self {
        Self { per_minute: 60, at_once, spent: BTreeMap::new(), swept: Timestamp(0) }
    }

    /// Whether a user may do it so many times now.
    pub(crate) fn allows(&self, now: Timestamp, user: &Username, times: usize) -> bool {
        let wanted = (times as u64).saturating_mul(MINUTE_MS);
        self.owed(now, user).saturating_add(wanted) <= self.at_once * MINUTE_MS
    }

    /// The user has done it.
    pub(crate) fn spend(&mut self, now: Timestamp, user: &Username, times: usize) {
        if now.since(self.swept) >= MINUTE_MS {
            let per_minute = self.per_minute;
            self.spent.retain(|_, spent| spent.left(now, per_minute) > 0);
            self.swept = now;
        }
        let parts = self.owed(now, user).saturating_add((times as u64).saturating_mul(MINUTE_MS));
        self.spent.insert(user.clone(), Spent { parts, at: now });
    }

    fn owed(&self, now: Timestamp, user: &Username) -> u64 {
        self.spent.get(user).map_or(0, |spent| spent.left(now, self.per_minute))
    }
}

impl Spent {
    fn left(self, now: Timestamp, per_minute: u64) -> u64 {
        self.parts.saturating_sub(now.since(self.at).saturating_mul(per_minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many invitations, made one by one, are admitted.
    fn spend_all(budget: &mut Budget, now: Timestamp, user: &Username) -> usize {
        let mut made = 0;
        while budget.allows(now, user, 1) {
            budget.spend(now, user, 1);
            made += 1;
        }
        made
    }

    #[test]
    fn so_many_at_once_and_then_the_rate() {
        let [alice, bob] = ["alice", "bob"].map(|name| Username::new(name).unwrap());
        let mut budget = Budget::new(30, 5);
        let start = Timestamp(1_000_000);
        assert_eq!(spend_all(&mut budget, start, &alice), 30);
        assert_eq!(spend_all(&mut budget, start.plus(1_999), &alice), 0);
        assert_eq!(spend_all(&mut budget, start.plus(2_000), &alice), 1);
        assert!(
            !budget.allows(start.plus(61_999), &alice, 31) && budget.allows(start.plus(61_999), &alice, 29)
        );
        assert_eq!(spend_all(&mut budget, start.plus(2_000), &bob), 30, "each has its own");
    }

    #[test]
    fn whole_calls_can_be_filled_however_small_the_rate() {
        let alice = Username::new("alice").unwrap();
        let mut budget = Budget::new(1, 200);
        assert!(budget.allows(Timestamp(0), &alice, 199));
        assert_eq!(spend_all(&mut budget, Timestamp(0), &alice), 800);
    }

    #[test]
    fn who_has_got_all_back_is_forgotten() {
        let mut budget = Budget::new(60, 2);
        for n in 0..100 {
            budget.spend(Timestamp(n), &Username::new(format!("user{n}")).unwrap(), 1);
        }
        assert_eq!(budget.spent.len(), 100);
        budget.spend(Timestamp(MINUTE_MS), &Username::new("last").unwrap(), 1);
        assert_eq!(budget.spent.len(), 1);
    }
}
