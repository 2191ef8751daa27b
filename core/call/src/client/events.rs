//! What the server tells of calls. Each event is checked against the call and against what we are in it:
//! nothing that a server says can answer a call.

use jmrtc_protocol::{ChannelId, Detail, LeaveReason, Reason, ServerEvent, Session, User};

use serde::{Deserialize, Serialize};

use super::Client;
use super::calls::RING_MARGIN_MS;
use crate::call::{Accept, Accepting, Ring};
use crate::out::Out;
use crate::{Event, LeavePayload, MutedPayload, OthersInvitedPayload, Timestamp};

/// More than a server may owe us.
const MAX_HELD: usize = 256;

/// An event that waits for the answer to a start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Since when: who rings does not ring for ever.
    at: Timestamp,
    event: ServerEvent,
}

impl Client {
    pub(super) fn server_event(&mut self, event: ServerEvent, out: &mut Out) {
        if !self.concerns_call(&event) && self.outbox.holds() {
            self.hold(event);
            return;
        }
        match event {
            ServerEvent::Invited { session, ring_ms } => self.invited(session, ring_ms, out),
            ServerEvent::Joined { session, user: _ } => {
                if self.member_event(&session, out) {
                    self.update(session, out);
                }
            }
            ServerEvent::Left { session, user, reason, detail } => {
                if self.member_event(&self.before_leave(&session, &user), out) {
                    self.left(session, LeavePayload { user, reason, detail }, out);
                }
            }
            ServerEvent::OthersInvited { session, users, by } => {
                if self.member_event(&session, out) {
                    self.update(session, out);
                    let payload = OthersInvitedPayload { invited_users: users, from_user: by };
                    out.event(Event::CallOtherUserInvited(payload));
                }
            }
            ServerEvent::Ended { session, reason, detail } => self.ended(session, reason, detail, out),
            ServerEvent::Muted { session, user, muted } => {
                if self.member_event(&session, out) {
                    self.update(session, out);
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

    fn concerns_call(&self, event: &ServerEvent) -> bool {
        self.call.as_ref().is_some_and(|c| c.is(channel_of(event)))
    }

    /// Keeps an event until the start is answered. An invitation that is over meanwhile was never there; its end is
    /// kept, for the start may have made us a member of that very call.
    fn hold(&mut self, event: ServerEvent) {
        if let ServerEvent::Ended { session, .. } = &event {
            let channel = &session.channel_id;
            self.held.retain(|held| match &held.event {
                ServerEvent::Invited { session, .. } => &session.channel_id != channel,
                ServerEvent::Joined { .. }
                | ServerEvent::Left { .. }
                | ServerEvent::OthersInvited { .. }
                | ServerEvent::Muted { .. }
                | ServerEvent::Ended { .. }
                | ServerEvent::Slots { .. } => true,
            });
        }
        if self.held.len() < MAX_HELD {
            self.held.push(Held { at: self.now, event });
        }
    }

    /// What was held back, of it only what came since the server has taken a start for `channel`: whoever called before was
    /// told busy, or it is the call itself; when that is over somebody else may call.
    pub(super) fn held_since_start(&mut self, channel: &ChannelId) -> Vec<Held> {
        let mut over = false;
        let mut held = std::mem::take(&mut self.held);
        held.retain(|Held { event, .. }| {
            let same = channel_of(event) == channel;
            over |= same && matches!(event, ServerEvent::Ended { .. });
            same || over
        });
        held
    }

    /// The start is answered: what was held back happens now.
    pub(super) fn release_held(&mut self, out: &mut Out) {
        for Held { at, mut event } in std::mem::take(&mut self.held) {
            if let ServerEvent::Invited { ring_ms, .. } = &mut event {
                *ring_ms = ring_ms.saturating_sub(self.now.since(at));
            }
            self.server_event(event, out);
        }
    }

    fn invited(&mut self, session: Session, ring_ms: u64, out: &mut Out) {
        let ring =
            Ring { until: self.now.plus(ring_ms).plus(RING_MARGIN_MS), in_doubt: false, answered: false };
        if let Some(call) = &mut self.call {
            let same = call.session.channel_id == session.channel_id;
            // Another call than ours the server tells busy, unless ours is over and nobody could tell us.
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
        if ring_ms > 0 && !self.outbox.declines(&session.channel_id) {
            self.ring(session, ring, out);
        }
    }

    /// The session as it was before `user` left.
    fn before_leave(&self, session: &Session, user: &User) -> Session {
        let mut before = session.clone();
        match &self.call {
            Some(call) if call.is(&session.channel_id) && call.session.is_joined(&user.username) => {
                before.joined_members.insert(0, user.clone());
            }
            Some(_) | None => before.inviting_members.push(user.clone()),
        }
        before
    }

    /// Whether an event that only members get is for us to handle: we are one in that call.
    fn member_event(&mut self, session: &Session, out: &mut Out) -> bool {
        let me = self.me().cloned();
        let is_joined = me.is_some_and(|me| session.is_joined(&me));
        let Some(call) = self.call.as_mut().filter(|c| c.is(&session.channel_id)) else {
            // The server believes us in a call that is not there: tell it.
            if is_joined {
                self.leave_unwanted(session.channel_id.clone(), LeaveReason::NetworkError);
            }
            return false;
        };
        match &mut call.accept {
            Accept::Ringing(_) | Accept::Leaving(_) => false,
            // The answer to our accept was lost with the connection; this event says what it was.
            Accept::Accepting(_) if is_joined => {
                self.accepted(session.clone(), out);
                true
            }
            Accept::Accepting(_) => false,
            Accept::Dialled { .. } | Accept::Joined => true,
        }
    }

    /// Takes a newer session and tells who has joined since.
    pub(super) fn update(&mut self, session: Session, out: &mut Out) {
        let Some(me) = self.me().cloned() else { return };
        let Some(call) = &mut self.call else { return };
        let newcomers = call.update(session, &me);
        if newcomers.is_empty() {
            return;
        }
        if matches!(call.accept, Accept::Dialled { .. }) {
            call.accept = Accept::Joined;
            out.event(Event::CallConnecting(call.session.clone()));
        }
        newcomers.into_iter().for_each(|user| out.event(Event::CallMemberJoin(user)));
    }

    fn left(&mut self, session: Session, payload: LeavePayload, out: &mut Out) {
        self.update(session, out);
        out.event(Event::CallMemberLeave(payload));
    }

    fn ended(&mut self, session: Session, reason: Reason, detail: Option<Detail>, out: &mut Out) {
        if self.call.as_ref().is_some_and(|c| c.is(&session.channel_id)) {
            self.end(session, reason, detail, out);
        }
    }
}

/// The call that an event is about.
const fn channel_of(event: &ServerEvent) -> &ChannelId {
    match event {
        ServerEvent::Invited { session, .. }
        | ServerEvent::Joined { session, .. }
        | ServerEvent::Left { session, .. }
        | ServerEvent::OthersInvited { session, .. }
        | ServerEvent::Muted { session, .. }
        | ServerEvent::Ended { session, .. } => &session.channel_id,
        ServerEvent::Slots { channel_id, .. } => channel_id,
    }
}
