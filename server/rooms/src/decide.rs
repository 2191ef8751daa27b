//! The decisions that are easy to get wrong, as functions of what they depend on and nothing else.

use jmrtc_protocol::{Detail, Reason, Relation, Username};
use serde::{Deserialize, Serialize};

use crate::signin::SignInId;

/// Where the user stands who wants to start a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// In no call.
    Free,
    /// Rung. `alone_with` is the inviter, where nobody but the inviter is joined and nobody else is rung.
    Rung { alone_with: Option<&'a Username> },
    /// Joined. `reachable` is whether the device that joined is connected and knows the call.
    Joined { reachable: bool },
}

/// What a start does to the call in which the user is already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collision {
    /// There is none.
    None,
    /// Both call each other: it counts as an accept.
    Glare,
    /// The user does not answer it but calls someone else.
    Outbid,
    /// The user's app was killed in it; the old call is left.
    Recall,
    /// The user is in it: no start.
    InCall,
}

/// `only` is whom the start names, where that is exactly one.
pub(crate) fn collision(standing: Standing<'_>, only: Option<&Username>) -> Collision {
    match standing {
        Standing::Free => Collision::None,
        Standing::Rung { alone_with } if only.is_some() && alone_with == only => Collision::Glare,
        Standing::Rung { .. } => Collision::Outbid,
        Standing::Joined { reachable: false } => Collision::Recall,
        Standing::Joined { reachable: true } => Collision::InCall,
    }
}

/// What an invitation does at the invitee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ring {
    /// Its devices show it, and ring unless `silent`.
    Shown { silent: bool },
    /// It learns nothing, and nobody learns that.
    Hidden,
    /// It is in another call and learns nothing.
    Busy,
    /// It is a robot and joins at once.
    Robot,
}

/// `relation` is what the invitee keeps about the one who invites. The blacklist comes before busy: a blocked
/// caller must not learn what the invitee is doing.
pub(crate) fn ring(robot: bool, relation: &Relation, in_call: bool) -> Ring {
    if robot {
        Ring::Robot
    } else if relation.is_in_black_list {
        Ring::Hidden
    } else if in_call {
        Ring::Busy
    } else {
        Ring::Shown { silent: relation.is_no_disturb }
    }
}

/// What is said about an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) reason: Reason,
    pub(crate) detail: Option<Detail>,
}

impl Why {
    pub(crate) const ANSWERED_ELSEWHERE: Self = Self::with(Reason::Cancel, Detail::AnsweredElsewhere);
    pub(crate) const SERVER_SHUTDOWN: Self = Self::with(Reason::NetworkError, Detail::ServerShutdown);

    const fn new(reason: Reason) -> Self {
        Self { reason, detail: None }
    }

    const fn with(reason: Reason, detail: Detail) -> Self {
        Self { reason, detail: Some(detail) }
    }
}

/// How a member leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Refused on this device.
    Refused { by: SignInId },
    /// Is in another call, or has started one while it rang.
    Busy,
    /// Did not answer in time.
    NoAnswer,
    /// Hung up or gave up.
    HungUp,
    /// Was lost.
    Lost,
}

impl Gone {
    /// What the joined are told.
    pub(crate) fn to_others(self) -> Why {
        match self {
            Self::Refused { .. } => Why::new(Reason::Refuse),
            Self::Busy => Why::new(Reason::Busy),
            Self::NoAnswer => Why::with(Reason::Cancel, Detail::NoAnswer),
            Self::HungUp => Why::new(Reason::Hangup),
            Self::Lost => Why::new(Reason::NetworkError),
        }
    }

    /// What a device of the member itself is told.
    pub(crate) fn to_own(self, device: SignInId) -> Why {
        match self {
            Self::Refused { by } if by != device => Why::with(Reason::Refuse, Detail::RefusedElsewhere),
            Self::Refused { .. } | Self::Busy | Self::NoAnswer | Self::HungUp | Self::Lost => {
                self.to_others()
            }
        }
    }

    /// What those are told who are still rung when the call ends by this.
    pub(crate) fn to_rung(self) -> Why {
        match self {
            Self::HungUp => Why::with(Reason::Cancel, Detail::CancelledByInviter),
            Self::Refused { .. } | Self::Busy | Self::NoAnswer | Self::Lost => self.to_others(),
        }
    }
}

/// Whether a call with so many members is over. People who are rung are waited for only by people: robots
/// alone keep no call.
pub(crate) fn is_over(joined_people: usize, joined_robots: usize, rung: usize) -> bool {
    joined_people == 0 || joined_people + joined_robots + rung < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collisions() {
        let name = |n: &str| Username::new(n).unwrap();
        let (bob, carol) = (name("bob"), name("carol"));
        let rung = |alone_with| Standing::Rung { alone_with };
        for (standing, only, expected) in [
            (Standing::Free, Some(&bob), Collision::None),
            (Standing::Free, None, Collision::None),
            (rung(Some(&bob)), Some(&bob), Collision::Glare),
            (rung(Some(&bob)), Some(&carol), Collision::Outbid),
            (rung(Some(&bob)), None, Collision::Outbid),
            (rung(None), Some(&bob), Collision::Outbid),
            (rung(None), None, Collision::Outbid),
            (Standing::Joined { reachable: true }, Some(&bob), Collision::InCall),
            (Standing::Joined { reachable: true }, None, Collision::InCall),
            (Standing::Joined { reachable: false }, Some(&bob), Collision::Recall),
            (Standing::Joined { reachable: false }, None, Collision::Recall),
        ] {
            assert_eq!(collision(standing, only), expected, "{standing:?}, naming {only:?}");
        }
    }

    #[test]
    fn rings() {
        let relation = |is_in_black_list, is_no_disturb| Relation {
            is_in_black_list,
            is_no_disturb,
            ..Relation::default()
        };
        for (robot, black, quiet, in_call, expected) in [
            (false, false, false, false, Ring::Shown { silent: false }),
            (false, false, true, false, Ring::Shown { silent: true }),
            (false, false, false, true, Ring::Busy),
            (false, false, true, true, Ring::Busy),
            (false, true, false, false, Ring::Hidden),
            (false, true, true, false, Ring::Hidden),
            (false, true, false, true, Ring::Hidden),
            (true, false, false, false, Ring::Robot),
            (true, false, false, true, Ring::Robot),
        ] {
            let got = ring(robot, &relation(black, quiet), in_call);
            assert_eq!(
                got, expected,
                "robot {robot}, blacklist {black}, no disturb {quiet}, in call {in_call}"
            );
        }
    }

    #[test]
    fn the_table_of_reasons() {
        use Detail::{CancelledByInviter, NoAnswer, RefusedElsewhere};
        use Reason::{Busy, Cancel, Hangup, NetworkError, Refuse};
        let (this, other) = (SignInId(1), SignInId(2));
        let said = |why: Why| (why.reason, why.detail);
        for (gone, others, own, own_other, rung) in [
            (
                Gone::Refused { by: this },
                (Refuse, None),
                (Refuse, None),
                (Refuse, Some(RefusedElsewhere)),
                (Refuse, None),
            ),
            (Gone::Busy, (Busy, None), (Busy, None), (Busy, None), (Busy, None)),
            (
                Gone::NoAnswer,
                (Cancel, Some(NoAnswer)),
                (Cancel, Some(NoAnswer)),
                (Cancel, Some(NoAnswer)),
                (Cancel, Some(NoAnswer)),
            ),
            (
                Gone::HungUp,
                (Hangup, None),
                (Hangup, None),
                (Hangup, None),
                (Cancel, Some(CancelledByInviter)),
            ),
            (
                Gone::Lost,
                (NetworkError, None),
                (NetworkError, None),
                (NetworkError, None),
                (NetworkError, None),
            ),
        ] {
            assert_eq!(said(gone.to_others()), others, "{gone:?} to others");
            assert_eq!(said(gone.to_own(this)), own, "{gone:?} to its own device");
            assert_eq!(said(gone.to_own(other)), own_other, "{gone:?} to its other device");
            assert_eq!(said(gone.to_rung()), rung, "{gone:?} to the rung");
        }
    }

    #[test]
    fn ends() {
        for (people, robots, rung, expected) in [
            (0, 0, 0, true),
            (0, 0, 2, true),
            (0, 1, 1, true),
            (0, 2, 0, true),
            (1, 0, 0, true),
            (1, 0, 1, false),
            (1, 1, 0, false),
            (2, 0, 0, false),
            (2, 1, 3, false),
        ] {
            assert_eq!(is_over(people, robots, rung), expected, "{people} + {robots} joined, {rung} rung");
        }
    }
}
