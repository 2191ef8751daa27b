use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::Username;

use crate::signin::SignInId;
use crate::{CallKey, Timestamp};

/// What happens when a time has come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The user has been rung for long enough.
    Ring(CallKey, Username),
    /// The user's place in the call has been kept for long enough.
    Seat(CallKey, Username),
    /// The sign-in has been without a connection for long enough.
    SignIn(SignInId),
    /// The device has heard itself for long enough.
    Preflight(SignInId),
}

/// At most one time for each [`Due`].
#[derive(Debug, Default)]
pub(crate) struct Timers {
    at: BTreeMap<Due, Timestamp>,
    order: BTreeSet<(Timestamp, Due)>,
}

impl Timers {
    pub(crate) fn set(&mut self, due: Due, at: Timestamp) {
        self.clear(&due);
        self.at.insert(due.clone(), at);
        self.order.insert((at, due));
    }

    /// As [`Self::set`], but an earlier time that is set already stays.
    pub(crate) fn set_no_later(&mut self, due: Due, at: Timestamp) {
        if self.at.get(&due).is_none_or(|before| *before > at) {
            self.set(due, at);
        }
    }

    pub(crate) fn clear(&mut self, due: &Due) {
        if let Some((due, at)) = self.at.remove_entry(due) {
            self.order.remove(&(at, due));
        }
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    pub(crate) fn at(&self, due: &Due) -> Option<Timestamp> {
        self.at.get(due).copied()
    }

    pub(crate) fn has(&self, due: &Due) -> bool {
        self.at(due).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Takes out the earliest that is due.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Due> {
        let at = self.next().filter(|at| *at <= now)?;
        let (_, due) = self.order.pop_first()?;
        debug_assert_eq!(self.at.get(&due), Some(&at));
        self.at.remove(&due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_each_once() {
        let mut timers = Timers::default();
        let due = |n| Due::SignIn(SignInId(n));
        timers.set(due(1), Timestamp(30));
        timers.set(due(2), Timestamp(20));
        timers.set(due(1), Timestamp(10));
        timers.set_no_later(due(1), Timestamp(15));
        timers.set(due(3), Timestamp(40));
        timers.set_no_later(due(3), Timestamp(25));
        assert_eq!(timers.next(), Some(Timestamp(10)));
        assert_eq!(timers.pop(Timestamp(9)), None);
        assert_eq!(timers.pop(Timestamp(30)), Some(due(1)));
        assert_eq!(timers.pop(Timestamp(30)), Some(due(2)));
        timers.clear(&due(3));
        assert_eq!(timers.pop(Timestamp(99)), None);
        assert!(timers.is_empty());
    }
}
