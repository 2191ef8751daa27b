//! Links that seem dead. ICE takes seconds to believe that a way is lost, and a browser as long to know of a new
//! network; the server's answer to a ping tells much sooner what has happened:
//!
//! - none: the network has changed under signalling as well. A spare connection is tried beside the silent one. If it is there
//!   first, the other is dead, which takes a fraction of the time after which one may be given up without such a proof. Where still
//!   no sound comes over the new one, the link is made anew, too: a new one knows today's networks.
//! - one, over a connection as old as the call: the link is restarted, which costs nothing where it was the other's network. Where
//!   it was not, and that has not helped, the link is made anew.

use super::Client;
use crate::account::{Account, Line};
use crate::call::Call;
use crate::link::{Asked, Link, Restart, Sign, Stall};
use crate::out::Out;
use crate::{MediaAction, Timestamp};

/// After so many round trips, of the length of the last one, without the server's answer to a ping, at least and at most so long,
/// a spare connection is tried, of which nobody need know.
const SPARE_TRIPS: u64 = 2;
const SPARE_MIN_MS: u64 = 150;
const SPARE_MAX_MS: u64 = 1_000;
/// After so many the connection is given up. What takes as long as a busy page, or a packet that is sent a third time, is no lost
/// connection: the app would be told of it.
const ANSWER_TRIPS: u64 = 3;
const ANSWER_MIN_MS: u64 = 1_000;
const ANSWER_MAX_MS: u64 = 3_000;
/// A connection that was made since a link went silent, which is noticed so much later, is of another network than the link.
const NOTICED_MS: u64 = 300;
/// Between two restarts: one who is heard over a bad network stalls again and again, and no restart of ours helps.
const RESTART_MS: u64 = 10_000;
/// The same after one that has helped.
const RESTART_AGAIN_MS: u64 = 2_000;

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
        if let Some(call) = &mut self.call {
            call.moved = Some(self.now);
        }
        if !is_new {
            self.renew_line(out);
        }
    }

    /// The connection is another than when the link came up, and was made since the link went silent.
    fn connected_anew(&self, stalled: Timestamp) -> bool {
        let line = self.account.as_ref().map(|account| &account.line);
        let link = self.call.as_ref().map(|call| call.link);
        let (Some(Line::Up { since, .. }), Some(Link::Up { since: up, .. })) = (line, link) else {
            return false;
        };
        *since > up && since.plus(NOTICED_MS) > stalled
    }

    /// Somebody else is in the call and not muted.
    fn should_hear(&self) -> bool {
        let Some(Call { session, .. }) = &self.call else { return false };
        let mut others = session.joined_members.iter().filter(|u| Some(&u.username) != self.me());
        others.any(|u| !session.muted_members.contains(&u.username))
    }

    /// Something comes again.
    pub(super) fn flowing(&mut self) {
        let Some(call) = &mut self.call else { return };
        call.stall = None;
        if let Some(restart) = &mut call.restart {
            restart.helped = true;
        }
    }

    /// Of a link that is up.
    pub(super) fn look_into_stall(&mut self, sign: Sign, out: &mut Out) {
        let Some(call) = self.call.as_mut().filter(|call| call.link.is_up()) else { return };
        let stall = call.stall.get_or_insert(Stall { since: self.now, sign, asked: None, lost: false });
        if sign == Sign::Ours {
            stall.sign = sign;
        }
        self.probe(out);
    }

    /// Asks the server for a sign of life, if there is a stall and a connection to ask over. On a new one comes before the answer what
    /// was missed, as that somebody is muted.
    pub(super) fn probe(&mut self, out: &mut Out) {
        let Some(Account { line: Line::Up { .. }, rtt_ms, .. }) = &self.account else { return };
        let after = |trips: u64, min, max| self.now.plus(rtt_ms.saturating_mul(trips).clamp(min, max));
        let spare = after(SPARE_TRIPS, SPARE_MIN_MS, SPARE_MAX_MS);
        let until = after(ANSWER_TRIPS, ANSWER_MIN_MS, ANSWER_MAX_MS);
        if let Some(stall) = self.stall().filter(|stall| stall.asked.is_none()) {
            let spare = (!stall.lost).then_some(spare);
            stall.asked = Some(Asked { spare, until, heard: false });
            self.ping(out);
        }
    }

    /// The server has said something over the connection that it was asked over: its answer can't be lost.
    pub(super) fn stall_heard(&mut self) {
        let until = self.now.plus(ANSWER_MIN_MS);
        if let Some(Stall { asked: Some(asked), .. }) = self.stall() {
            *asked = Asked { spare: None, until: until.max(asked.until), heard: true };
        }
    }

    fn stall(&mut self) -> Option<&mut Stall> {
        self.call.as_mut()?.stall.as_mut()
    }

    /// The connection is gone.
    pub(super) fn stall_offline(&mut self) {
        if let Some(stall) = self.stall() {
            stall.asked = None;
        }
    }

    /// The connection is dead.
    pub(super) fn stall_lost(&mut self) {
        if let Some(stall) = self.stall() {
            stall.lost = true;
        }
    }

    pub(super) fn expire_stall(&mut self, out: &mut Out) {
        let now = self.now;
        let Some(Stall { asked: Some(Asked { spare, until, .. }), .. }) = self.stall() else { return };
        if *until <= now {
            self.replace_line(out);
        } else if spare.take_if(|at| *at <= now).is_some() {
            self.open_spare(out);
        }
    }

    /// The server was asked for a sign of life, and the connection over which it was is there and silent. The first one in this
    /// stall: where the next is silent as well it is not the network that has changed.
    pub(super) fn awaits_answer(&self) -> bool {
        let stall = self.call.as_ref().and_then(|call| call.stall).filter(|stall| !stall.lost);
        stall.and_then(|stall| stall.asked).is_some_and(|asked| !asked.heard)
    }

    /// The server has answered; sound has not come meanwhile.
    pub(super) fn stall_answered(&mut self, out: &mut Out) {
        let (now, should_hear) = (self.now, self.should_hear());
        let Some(Stall { since, sign, asked: Some(_), .. }) = self.stall().copied() else { return };
        let is_new = self.connected_anew(since);
        let Some(call) = &mut self.call else { return };
        call.stall = None;
        let Link::Up { generation, .. } = call.link else { return };
        // Muted meanwhile.
        if sign == Sign::Sound && !should_hear {
            return;
        }
        let anew = is_new || (sign == Sign::Ours && call.restart.is_some_and(|restart| !restart.helped));
        let pause = match call.restart {
            Some(Restart { helped: true, .. }) => RESTART_AGAIN_MS,
            Some(Restart { helped: false, .. }) | None => RESTART_MS,
        };
        if anew {
            call.restart = None;
            self.close_link(out);
        } else if call.restart.is_none_or(|restart| now.since(restart.at) >= pause) {
            call.restart = Some(Restart { at: now, helped: false });
            out.media(MediaAction::Restart { generation });
        }
    }
}
