//! What the server tells of calls. Each event is checked against the call and against what we are in it:
//! nothing that a server says can answer a call.

use jmrtc_protocol::{ChannelId, Detail, LeaveReason, Reason, ServerEvent, Session, Stay, User};

use serde::{Deserialize, Serialize};

use super::Client;
use super::calls::RING_MARGIN_MS;
use crate::call::{Accept, Accepting, Call, Ring};
use crate::out::Out;
use crate::{Event, LeavePayload, MutedPayload, OthersInvitedPayload, Timestamp};

/// More than a server may owe us, with what happens while it answers.
const MAX_HELD: usize = 4_096;

/// An event that waits for the answer to a start or an accept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Since when: who rings does not ring for ever.
    at: Timestamp,
    event: ServerEvent,
}

impl Client {
    pub(super) fn server_event(&mut self, event: ServerEvent, out: &mut Out) {
        if self.must_wait(&event) {
            self.hold(event);
            return;
        }
        match event {
            ServerEvent::Invited { session, stay, ring_ms } => self.invited(session, stay, ring_ms, out),
            ServerEvent::Joined { channel_id, user, start_time } => {
                if self.change(&channel_id, |session| session.join(user.clone(), start_time)) {
                    self.tell_newcomers(vec![user], out);
                }
            }
            ServerEvent::Left { channel_id, user, reason, detail } => {
                if self.change(&channel_id, |session| session.leave(&user.username)) {
                    out.event(Event::CallMemberLeave(LeavePayload { user, reason, detail }));
                }
            }
            ServerEvent::OthersInvited { channel_id, users, by } => {
                if self.change(&channel_id, |session| session.invite(&users)) && !self.is_me(&by) {
                    let payload = OthersInvitedPayload { invited_users: users, from_user: by };
                    out.event(Event::CallOtherUserInvited(payload));
                }
            }
            ServerEvent::Ended { session, stay, reason, detail } => {
                if self.call.as_ref().is_some_and(|c| c.is_stay(&session.channel_id, stay)) {
                    self.end(session, reason, detail, out);
                }
            }
            ServerEvent::Muted { channel_id, user, muted } => {
                if self.change(&channel_id, |session| session.mute(&user.username, muted))
                    && !self.is_me(&user)
                {
                    out.event(Event::CallMemberMuted(MutedPayload { user, muted }));
                }
            }
            ServerEvent::Slots { channel_id, slots } => {
                if let Some(call) = self.call.as_mut().filter(|c| c.is(&channel_id)) {
                    call.slots = slots;
                }
            }
        }
    }

    /// What is told of another stay is as if of another call.
    fn concerns_call(&self, event: &ServerEvent) -> bool {
        let is_its = |call: &Call| event.stay().is_none_or(|stay| stay == call.stay);
        self.call.as_ref().is_some_and(|call| call.is(event.channel()) && is_its(call))
    }

    fn is_me(&self, user: &User) -> bool {
        self.me() == Some(&user.username)
    }

    /// Whether an event comes before the answer that says what it is about: to a start, the call itself; to an accept, the
    /// session that is changed. What comes after one that waits for an accept waits, too. A start may be an accept of the
    /// call that rings: only a member is told of changes.
    fn must_wait(&self, event: &ServerEvent) -> bool {
        let starting = self.outbox.holds();
        let accepting = self.call.as_ref().filter(|call| {
            matches!(call.accept, Accept::Accepting(_))
                || (starting && matches!(call.accept, Accept::Ringing(_)))
        });
        let accepting = accepting.map(|call| &call.session.channel_id);
        let waits = |channel| {
            (event.channel() == channel && event.is_change())
                || self.held.iter().any(|held| held.event.channel() == channel)
        };
        accepting.is_some_and(waits) || (!self.concerns_call(event) && starting)
    }

    /// Keeps an event until the answer is there. An invitation that is over meanwhile was never there; its end is
    /// kept, for the start may have made us a member of that very call.
    fn hold(&mut self, event: ServerEvent) {
        if let ServerEvent::Ended { session, stay: over, .. } = &event {
            self.held.retain(|held| {
                let invited = matches!(&held.event, ServerEvent::Invited { stay, .. } if stay == over);
                !invited || held.event.channel() != &session.channel_id
            });
        }
        if self.held.len() < MAX_HELD {
            self.held.push(Held { at: self.now, event });
        }
    }

    /// What was held back, of it only what came since the server has taken a start for `stay` in `channel`: whoever called before
    /// was told busy, or it is the call itself; when that is over somebody else may call.
    pub(super) fn held_since_start(&mut self, channel: &ChannelId, stay: Stay) -> Vec<Held> {
        let held = std::mem::take(&mut self.held);
        // What is told of the call before is of the stays before.
        let is_before =
            |event: &ServerEvent| event.channel() == channel && event.stay().is_some_and(|s| s < stay);
        let before = held.iter().rposition(|held| is_before(&held.event));
        let mut over = false;
        let since_start = |(at, held): (usize, Held)| {
            let same = held.event.channel() == channel && before.is_none_or(|before| at > before);
            over |= same && matches!(held.event, ServerEvent::Ended { .. });
            (same || over || self.concerns_call(&held.event)).then_some(held)
        };
        held.into_iter().enumerate().filter_map(since_start).collect()
    }

    /// An answer is there: what was held back for it happens now.
    pub(super) fn release_held(&mut self, out: &mut Out) {
        for Held { at, mut event } in std::mem::take(&mut self.held) {
            if let ServerEvent::Invited { ring_ms, .. } = &mut event {
                *ring_ms = ring_ms.saturating_sub(self.now.since(at));
            }
            self.server_event(event, out);
        }
    }

    /// A stay in a call is over: what waits to happen in it never will. What waits behind an invitation that came later is
    /// of the next.
    pub(super) fn drop_held(&mut self, channel: &ChannelId, over: Stay) {
        let mut again = false;
        self.held.retain(|Held { event, .. }| {
            let same = event.channel() == channel;
            again |= same && matches!(event, ServerEvent::Invited { stay, .. } if *stay > over);
            again || !same
        });
    }

    fn invited(&mut self, session: Session, stay: Stay, ring_ms: u64, out: &mut Out) {
        let ring =
            Ring { until: self.now.plus(ring_ms).plus(RING_MARGIN_MS), in_doubt: false, answered: false };
        if let Some(call) = &mut self.call {
            let same = call.is_stay(&session.channel_id, stay);
            // Another call than ours the server tells busy, unless ours is over and nobody could tell us; and into ours it
            // invites us again only when we are out of it.
            let (reason, detail) = match &mut call.accept {
                Accept::Ringing(old) | Accept::Accepting(Accepting { ring: old, .. }) if same => {
                    // Told anew after a new sign-in.
                    *old = Ring { answered: old.answered, ..ring };
                    return;
                }
                Accept::Ringing(old) | Accept::Accepting(Accepting { ring: old, .. }) if old.in_doubt => {
                    (Reason::NetworkError, Some(Detail::CallLost))
                }
                Accept::Leaving(leaving) if !same => (leaving.reason, None),
                Accept::Ringing(_)
                | Accept::Accepting(_)
                | Accept::Dialled { .. }
                | Accept::Joined
                | Accept::Leaving(_) => return,
            };
            self.end_here(reason, detail, out);
        }
        if ring_ms > 0 && !self.outbox.declines(&session.channel_id, stay) {
            self.ring(session, stay, ring, out);
        }
    }

    /// Changes the session of the call in which we are a member, as the server tells its members; false where that is
    /// nothing new.
    fn change(&mut self, channel: &ChannelId, change: impl FnOnce(&mut Session) -> bool) -> bool {
        match self.call.as_mut().filter(|c| c.is(channel)) {
            Some(call) => call.is_member() && change(&mut call.session),
            None => {
                // The server believes us in a call that is not there: tell it. Where that was ours we know which stay: we may
                // be invited again.
                let last = self.last.as_ref().filter(|(last, _)| last == channel);
                let stay = last.map(|(_, stay)| *stay);
                self.leave_unwanted(channel.clone(), stay, LeaveReason::NetworkError);
                false
            }
        }
    }

    /// Takes a newer session and tells who has joined since.
    pub(super) fn update(&mut self, session: Session, out: &mut Out) {
        let Some(me) = self.me().cloned() else { return };
        let Some(call) = &mut self.call else { return };
        let newcomers = call.update(session, &me);
        if !newcomers.is_empty() {
            self.tell_newcomers(newcomers, out);
        }
    }

    fn tell_newcomers(&mut self, newcomers: Vec<User>, out: &mut Out) {
        let Some(call) = &mut self.call else { return };
        if matches!(call.accept, Accept::Dialled { .. }) {
            call.accept = Accept::Joined;
            out.event(Event::CallConnecting(call.session.clone()));
        }
        newcomers.into_iter().for_each(|user| out.event(Event::CallMemberJoin(user)));
    }
}
