//! Links that seem dead. ICE takes seconds to believe that a way is lost, and a browser as long to know of a new
//! network; the server's answer to a ping tells much sooner what has happened:
//!
//! - none: the network has changed under signalling as well. The connection is made anew, and where still no sound comes then, so
//!   is the link: a new one knows today's networks.
//! - one, over a connection as old as the call: the link is restarted, which costs nothing where it was the other's network. Where
//!   it was not, and that has not helped, the link is made anew.

use super::Client;
use crate::account::{Account, Line};
use crate::call::Call;
use crate::link::{Asked, Link, Sign, Stall};
use crate::out::Out;
use crate::{MediaAction, Timestamp};

/// The server has three round trips to answer a ping, of the length of the last one; at least and at most so long. What takes as
/// long as a busy page, or a packet that is sent a third time, is no lost connection: the app would be told of it.
const ANSWER_MIN_MS: u64 = 1_000;
const ANSWER_MAX_MS: u64 = 3_000;
/// Whoever had to connect anew so shortly before the link stalled, or since, has changed the network.
const CHANGE_MS: u64 = 2_000;
/// Between two restarts: one who is heard over a bad network stalls again and again, and no restart of ours helps.
const RESTART_MS: u64 = 10_000;

impl Client {
    /// Nothing comes over the link that is up.
    pub(super) fn stalled(&mut self, out: &mut Out) {
        if self.should_hear() {
            self.look_into_stall(Sign::Sound, out);
        }
    }

    /// Nobody says any more how our sound arrives.
    pub(super) fn unreported(&mut self, out: &mut Out) {
        self.look_into_stall(Sign::Ours, out);
    }

    /// The network that the link is in is gone, and with it the connection.
    pub(super) fn moved(&mut self, out: &mut Out) {
        let is_new = self.connected_anew(self.now);
        self.close_link(out);
        if !is_new {
            self.renew_line(out);
        }
    }

    /// The connection is another than when the link came up, and was made at `stalled`, shortly before or later: it is of another
    /// network than the link.
    fn connected_anew(&self, stalled: Timestamp) -> bool {
        let line = self.account.as_ref().map(|account| &account.line);
        let link = self.call.as_ref().map(|call| call.link);
        let (Some(Line::Up { since, .. }), Some(Link::Up { since: up, .. })) = (line, link) else {
            return false;
        };
        *since > up && since.plus(CHANGE_MS) > stalled
    }

    /// Somebody else is in the call and not muted.
    fn should_hear(&self) -> bool {
        let Some(Call { session, .. }) = &self.call else { return false };
        let mut others = session.joined_members.iter().filter(|u| Some(&u.username) != self.me());
        others.any(|u| !session.muted_members.contains(&u.username))
    }

    /// Something comes again.
    pub(super) fn flowing(&mut self) {
        if let Some(call) = &mut self.call {
            call.stall = None;
        }
    }

    /// Of a link that is up.
    pub(super) fn look_into_stall(&mut self, sign: Sign, out: &mut Out) {
        let Some(call) = self.call.as_mut().filter(|call| call.link.is_up()) else { return };
        let stall = call.stall.get_or_insert(Stall { since: self.now, sign, asked: Asked::NotYet });
        if sign == Sign::Ours {
            stall.sign = sign;
        }
        self.probe(out);
    }

    /// Asks the server for a sign of life, if it was not asked and there is a connection to ask over.
    fn probe(&mut self, out: &mut Out) {
        let Some(Account { line: Line::Up { .. }, rtt_ms, .. }) = &self.account else { return };
        let until = self.now.plus(rtt_ms.saturating_mul(3).clamp(ANSWER_MIN_MS, ANSWER_MAX_MS));
        if let Some(stall) = self.stall().filter(|stall| stall.asked == Asked::NotYet) {
            stall.asked = Asked::Until(until);
            self.ping(out);
        }
    }

    fn stall(&mut self) -> Option<&mut Stall> {
        self.call.as_mut()?.stall.as_mut()
    }

    /// The connection is gone.
    pub(super) fn stall_offline(&mut self) {
        if let Some(stall) = self.stall().filter(|stall| stall.deadline().is_some()) {
            stall.asked = Asked::NotYet;
        }
    }

    /// The connection is there again.
    pub(super) fn stall_online(&mut self, out: &mut Out) {
        if self.stall().is_some_and(|stall| stall.asked == Asked::Unanswered) {
            self.close_link(out);
        } else {
            self.probe(out);
        }
    }

    pub(super) fn expire_stall(&mut self, out: &mut Out) {
        let (now, line_up) = (self.now, self.line_is_up());
        let Some(stall) = self.stall() else { return };
        if stall.deadline().is_some_and(|at| at <= now) {
            stall.asked = Asked::Unanswered;
            // Who is on the way out is not called back.
            if line_up {
                self.open_socket(out);
            }
        }
    }

    /// The server has answered; sound has not come meanwhile.
    pub(super) fn stall_answered(&mut self, out: &mut Out) {
        let (now, should_hear) = (self.now, self.should_hear());
        let Some(Stall { since, sign, .. }) =
            self.stall().copied().filter(|stall| stall.deadline().is_some())
        else {
            return;
        };
        let is_new = self.connected_anew(since);
        let Some(call) = &mut self.call else { return };
        call.stall = None;
        let Link::Up { generation, .. } = call.link else { return };
        // Muted meanwhile.
        if sign == Sign::Sound && !should_hear {
            return;
        }
        let restarted = call.restarted.is_some_and(|at| now.since(at) < RESTART_MS);
        if is_new || (restarted && sign == Sign::Ours) {
            self.close_link(out);
        } else if !restarted {
            call.restarted = Some(now);
            out.media(MediaAction::Restart { generation });
        }
    }
}
