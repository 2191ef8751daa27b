//! How many invitations, changes or mutings a user may make, counted from all that it has made: so many a minute come back, and
//! no more than so many are ever left.

use std::collections::BTreeMap;

use jmrtc_protocol::Username;

const MINUTE_MS: u64 = 60_000;

#[derive(Debug)]
pub(crate) struct Budget {
    per_minute: u64,
    at_once: u64,
    /// When each has made how many.
    made: BTreeMap<Username, Vec<(u64, u64)>>,
}

impl Budget {
    pub(crate) const fn new(per_minute: u64, at_once: u64) -> Self {
        Self { per_minute, at_once, made: BTreeMap::new() }
    }

    /// How many `user` may make now.
    pub(crate) fn allowance(&self, now: u64, user: &Username) -> u64 {
        let (mut owed, mut since) = (0_u64, 0);
        for (at, count) in self.made.get(user).into_iter().flatten().chain(&[(now, 0)]) {
            owed = owed.saturating_sub((at - since) * self.per_minute) + count * MINUTE_MS;
            since = *at;
        }
        (self.at_once * MINUTE_MS - owed) / MINUTE_MS
    }

    pub(crate) fn spend(&mut self, now: u64, user: &Username, count: u64) {
        self.made.entry(user.clone()).or_default().push((now, count));
    }
}
