//! What a `welcome` means for the call: it goes on, comes back, or is over.

use jmrtc_protocol::{Detail, LeaveReason, Reason, Session, Stay, User, Welcome};

use super::Client;
use super::sign_in::{confirm, others_token};
use crate::account::{Line, SignIn, Spare, sane};
use crate::call::Accept;
use crate::out::Out;
use crate::outbox::Entry;
use crate::{Event, LeavePayload, Left, MutedPayload, Remembered};

/// An invitation that the server may have forgotten is told anew within so many milliseconds, or over.
const DOUBT_MS: u64 = 3_000;

impl Client {
    pub(super) fn welcomed(&mut self, welcome: Welcome, out: &mut Out) {
        let Welcome { user, secret, resumed, link_lost, call, stay, settings, protocol: _ } = welcome;
        let now = self.now;
        let first = std::mem::take(&mut self.newborn);
        let Some(account) = &mut self.account else { return };
        let Line::Greeting { generation, greeted, .. } = account.line else { return };
        if account.me().is_some_and(|me| *me != user.username) {
            // What waits to be sent is not that user's.
            return self.put_out(others_token(), out);
        }
        let before = account.sign_in.take();
        let resumed = resumed && before.is_some();
        let seq = before.filter(|_| resumed).map_or(0, |b| b.seq);
        self.settings = sane(settings);
        account.sign_in = Some(SignIn { user, secret, seq, acked: seq });
        let ping = now.plus(self.settings.ping_ms);
        account.line =
            Line::Up { generation, since: now, heard: now, ping, pinged: None, spare: Spare::default() };
        account.rtt_ms = now.since(greeted);
        account.confirmed = Some(account.token.clone());
        account.failures = 0;
        account.lost = None;
        for owner in std::mem::take(&mut account.waiting) {
            confirm(owner, account, out);
        }
        if !resumed {
            self.outbox.renumber();
            self.held.clear();
            self.signed_in_anew(call.map(|call| (call, stay)), first, out);
        } else if link_lost {
            self.close_link(out);
        }
        self.probe(out);
    }

    /// The sign-in before is gone with all its events: what has become of the call says `theirs`, the call in
    /// which the server has this device.
    fn signed_in_anew(&mut self, theirs: Option<(Session, Stay)>, first: bool, out: &mut Out) {
        let now = self.now;
        let Some(me) = self.me().cloned() else { return };
        let theirs = theirs.filter(|(session, _)| session.is_joined(&me));
        let Remembered { muted_in, muted_start, left, left_start } = self.memory.take(&me);
        for Left { channel_id, stay, reason } in left {
            self.leave_unwanted(channel_id, stay, reason);
        }
        // A start that nobody waits for need not be made again; what came of it is in `theirs`.
        let _abandoned = self.outbox.take(Entry::is_abandoned_start);
        let Some(call) = &mut self.call else {
            match theirs {
                // Unless the person had left it before the server could be told.
                Some((session, stay))
                    if first && !left_start && !self.outbox.leaves(&session.channel_id, Some(stay)) =>
                {
                    let muted = muted_start || muted_in.as_ref() == Some(&session.channel_id);
                    self.restore(session, stay, muted);
                }
                // A start that is sent again leaves it by itself.
                Some((session, stay)) if !self.outbox.starting() => {
                    let reason = if left_start { LeaveReason::Hangup } else { LeaveReason::NetworkError };
                    self.leave_unwanted(session.channel_id, Some(stay), reason);
                }
                Some(_) | None => {}
            }
            return;
        };
        let (same, other) = match theirs {
            Some((session, stay)) if call.is_stay(&session.channel_id, stay) => (Some(session), None),
            other => (None, other),
        };
        if let Some((session, stay)) = other.filter(|_| !self.outbox.starting()) {
            self.leave_unwanted(session.channel_id, Some(stay), LeaveReason::NetworkError);
        }
        let Some(call) = &mut self.call else { return };
        match (&mut call.accept, same) {
            // Rung anew, or over.
            (Accept::Ringing(ring), None) => {
                ring.until = ring.until.min(now.plus(DOUBT_MS));
                ring.in_doubt = true;
                self.close_link(out);
            }
            // Nobody here said yes to it.
            (Accept::Ringing(_), Some(_)) => {
                self.leave_now(LeaveReason::NetworkError, Reason::NetworkError, out);
            }
            // The accept is sent again, and what it rang with may be over as well.
            (Accept::Accepting(accepting), None) => {
                accepting.ring.in_doubt = true;
                self.close_link(out);
            }
            (Accept::Accepting(_), Some(session)) => {
                self.close_link(out);
                self.accepted(session, out);
            }
            (Accept::Dialled { .. } | Accept::Joined, None) => {
                self.end_here(Reason::NetworkError, Some(Detail::CallLost), out);
            }
            (Accept::Dialled { .. } | Accept::Joined, Some(session)) => {
                self.close_link(out);
                self.catch_up(session, out);
            }
            (Accept::Leaving(_), _) => self.end_left(out),
        }
    }

    /// Tells what has changed in the call while nobody could tell us.
    fn catch_up(&mut self, session: Session, out: &mut Out) {
        let me = self.me().cloned();
        let _superseded = self.outbox.take(Entry::is_mute);
        let Some(call) = &mut self.call else { return };
        call.told_muted = me.as_ref().is_some_and(|me| session.muted_members.contains(me));
        let payload = |user: &User, reason| LeavePayload { user: user.clone(), reason, detail: None };
        // Who is only rung now has left and was invited once more.
        let left = |user: &&User| !session.is_joined(&user.username);
        let gone = |user: &&User| left(user) && !session.is_inviting(&user.username);
        let joined = call.session.joined_members.iter().filter(left).map(|u| payload(u, Reason::Hangup));
        let inviting = call.session.inviting_members.iter().filter(gone).map(|u| payload(u, Reason::Cancel));
        let leaves: Vec<_> = joined.chain(inviting).collect();
        let muted = |session: &Session, user: &User| session.muted_members.contains(&user.username);
        let stayed = session.joined_members.iter().filter(|u| call.session.is_joined(&u.username));
        let switched = stayed
            .filter(|u| muted(&session, u) != muted(&call.session, u) && me.as_ref() != Some(&u.username));
        let switches: Vec<_> =
            switched.map(|u| MutedPayload { user: u.clone(), muted: muted(&session, u) }).collect();
        self.update(session, out);
        switches.into_iter().for_each(|payload| out.event(Event::CallMemberMuted(payload)));
        leaves.into_iter().for_each(|payload| out.event(Event::CallMemberLeave(payload)));
    }
}
