//! How a call begins and ends on this side.

use jmrtc_protocol::{ChannelId, Detail, ErrorCode, LeaveReason, Reason, Request, Session, Stay};

use super::Client;
use super::media::close_link_of;
use crate::call::{Accept, Accepting, Call, Leaving};
use crate::out::Out;
use crate::outbox::{Entry, Owner};
use crate::{CommandId, DisconnectPayload, Event, PlatformAction, Timestamp};

/// How long the server may take to confirm a goodbye before we end the call without it.
const GOODBYE_MS: u64 = 3_000;
/// How much longer than the server we let it ring, so that the server decides while it is there.
pub(super) const RING_MARGIN_MS: u64 = 5_000;

impl Client {
    /// The person says yes.
    pub(super) fn accept_call(&mut self, commands: Vec<CommandId>, out: &mut Out) {
        let expires = self.answer_deadline();
        let Some(call) = &mut self.call else { return };
        let Accept::Ringing(ring) = call.accept else { return };
        let (channel_id, stay) = (call.session.channel_id.clone(), call.stay);
        call.accept = Accept::Accepting(Accepting { commands, ring });
        dismiss(call, out);
        self.outbox.push(Request::Accept { channel_id, stay }, Owner::Nobody, Some(expires));
    }

    /// The person says no.
    pub(super) fn refuse_call(&mut self, command: CommandId, out: &mut Out) {
        let Some((channel_id, stay)) = self.here() else { return };
        let leaving = self.leaving(Reason::Refuse, Some(command), None);
        self.say_goodbye(Request::Refuse { channel_id, stay }, leaving, out);
    }

    /// The person says goodbye to whatever there is: a call being started, one that rings, one that runs.
    pub(super) fn hang_up(&mut self, command: Option<CommandId>, out: &mut Out) {
        self.abandon_preflight(ErrorCode::InvalidState, "hung up", out);
        self.abandon_start(ErrorCode::CallEnded, "hung up before the call was there", out);
        let Some(call) = &mut self.call else {
            self.missed = false;
            return command.into_iter().for_each(|id| out.done(id));
        };
        let (channel_id, stay) = (call.session.channel_id.clone(), call.stay);
        match &mut call.accept {
            Accept::Ringing(_) => {
                let leaving = self.leaving(Reason::Refuse, None, command);
                self.say_goodbye(Request::Refuse { channel_id, stay }, leaving, out);
            }
            Accept::Accepting(accepting) => {
                let commands = std::mem::take(&mut accepting.commands);
                out.fail_all(commands, ErrorCode::CallEnded, "hung up before the call was there");
                self.leave(channel_id, stay, command, out);
            }
            Accept::Dialled { .. } | Accept::Joined => self.leave(channel_id, stay, command, out),
            Accept::Leaving(leaving) => leaving.hangups.extend(command),
        }
    }

    fn leave(&mut self, channel_id: ChannelId, stay: Stay, command: Option<CommandId>, out: &mut Out) {
        let leaving = self.leaving(Reason::Hangup, None, command);
        let request = Request::Leave { channel_id, stay: Some(stay), reason: LeaveReason::Hangup };
        self.say_goodbye(request, leaving, out);
    }

    /// Which call there is, and which stay in it.
    fn here(&self) -> Option<(ChannelId, Stay)> {
        self.call.as_ref().map(|call| (call.session.channel_id.clone(), call.stay))
    }

    fn leaving(&self, reason: Reason, refuse: Option<CommandId>, hangup: Option<CommandId>) -> Leaving {
        let until = self.now.plus(GOODBYE_MS);
        Leaving {
            reason,
            refuses: refuse.into_iter().collect(),
            hangups: hangup.into_iter().collect(),
            until,
        }
    }

    /// Silence falls at once, for it follows from the state; the rest when the server has confirmed it,
    /// or now where it can't.
    fn say_goodbye(&mut self, request: Request, leaving: Leaving, out: &mut Out) {
        let line_up = self.line_is_up();
        let Some(call) = &mut self.call else { return };
        call.accept = Accept::Leaving(leaving);
        dismiss(call, out);
        self.settle_posture(out);
        self.outbox.push(request, Owner::Nobody, None);
        if !line_up {
            self.end_left(out);
        }
    }

    /// A goodbye that the server has not confirmed, or whose `ended` has not come: it ends here and now.
    pub(super) fn end_left(&mut self, out: &mut Out) {
        let Some(call) = &mut self.call else { return };
        let Accept::Leaving(leaving) = &call.accept else { return };
        let reason = leaving.reason;
        self.answer_goodbye(out);
        self.end_here(reason, None, out);
    }

    /// The goodbye counts.
    pub(super) fn answer_goodbye(&mut self, out: &mut Out) {
        let Some(Accept::Leaving(leaving)) = self.call.as_mut().map(|c| &mut c.accept) else { return };
        let refuses = std::mem::take(&mut leaving.refuses);
        let hangups = std::mem::take(&mut leaving.hangups);
        for id in refuses.into_iter().chain(hangups) {
            out.done(id);
        }
    }

    /// Leaves without the person's doing.
    pub(super) fn leave_now(&mut self, reason: LeaveReason, shown: Reason, out: &mut Out) {
        let Some((channel_id, stay)) = self.here() else { return };
        self.leave_unwanted(channel_id, Some(stay), reason);
        self.end_here(shown, None, out);
    }

    /// Tells the server that we are not in `channel_id`, unless that is under way. `stay`: where we know which.
    pub(super) fn leave_unwanted(&mut self, channel_id: ChannelId, stay: Option<Stay>, reason: LeaveReason) {
        if !self.outbox.leaves(&channel_id, stay) {
            self.outbox.push_first(Request::Leave { channel_id, stay, reason });
        }
    }

    /// A start that nobody waits for any more: answered now; what comes of it is left as soon as it is there.
    pub(super) fn abandon_start(&mut self, code: ErrorCode, why: &str, out: &mut Out) {
        for entry in self.outbox.take(Entry::is_wanted_start) {
            out.fail_all(entry.owner.command(), code, why);
            if entry.id.is_some() {
                let forget = self.answer_deadline().plus(60_000);
                self.outbox.disown(entry, Some(forget));
            }
        }
        if !self.outbox.holds() {
            self.release_held(out);
        }
    }

    /// The call is ours now: a start or an accept has succeeded.
    pub(super) fn enter(&mut self, session: Session, out: &mut Out) {
        let Some(me) = self.me().cloned() else { return };
        let until = self.now.plus(self.settings.ring_ms).plus(RING_MARGIN_MS);
        let Some(call) = &mut self.call else { return };
        let alone = session.joined_members.iter().all(|u| u.username == me);
        call.told_muted = session.muted_members.contains(&me);
        let answered = matches!(call.accept, Accept::Accepting(_));
        call.session = session;
        dismiss(call, out);
        if alone && !answered {
            call.accept = Accept::Dialled { until };
            return;
        }
        call.accept = Accept::Joined;
        out.event(Event::CallConnecting(call.session.clone()));
        for user in call.session.joined_members.iter().filter(|u| u.username != me) {
            out.event(Event::CallMemberJoin(user.clone()));
        }
    }

    /// The call is over and it is for us to say so.
    pub(super) fn end_here(&mut self, reason: Reason, detail: Option<Detail>, out: &mut Out) {
        let Some(call) = &self.call else { return };
        let session = match self.me() {
            Some(me) => call.session_without(me),
            None => call.session.clone(),
        };
        self.end(session, reason, detail, out);
    }

    /// The call is over: the app hears it last of all things of this call, then all is given back.
    pub(super) fn end(&mut self, session: Session, reason: Reason, detail: Option<Detail>, out: &mut Out) {
        let Some(mut call) = self.call.take() else { return };
        self.drop_held(&call.session.channel_id, call.stay);
        self.last = Some((call.session.channel_id.clone(), call.stay));
        let mut unanswered = Vec::new();
        let (mut over, mut refuses, mut hangups) = (Vec::new(), Vec::new(), Vec::new());
        self.missed = false;
        match call.accept.clone() {
            Accept::Ringing(_) => self.missed = true,
            Accept::Accepting(accepting) => over = accepting.commands,
            Accept::Dialled { .. } | Accept::Joined => {}
            Accept::Leaving(leaving) => (refuses, hangups) = (leaving.refuses, leaving.hangups),
        }
        over.append(&mut refuses);
        unanswered.append(&mut over);
        for entry in self.outbox.take(|e| e.channel() == Some(&call.session.channel_id) && !e.is_goodbye()) {
            unanswered.extend(entry.owner.command());
        }
        out.fail_all(unanswered, ErrorCode::CallEnded, "the call was over before");
        hangups.into_iter().for_each(|id| out.done(id));
        out.event(Event::CallDisconnect(DisconnectPayload { session, reason, detail }));
        // An app whose engine does not run was muted in this call alone, in the life before.
        self.muted &= self.engine.is_ready();
        self.settle_posture(out);
        close_link_of(&call, out);
        dismiss(&mut call, out);
        if call.started {
            out.platform(PlatformAction::CallEnded { channel_id: call.session.channel_id, stay: call.stay });
        }
        self.release_held(out);
    }

    /// Shows an invitation and lets it ring.
    pub(super) fn ring(&mut self, session: Session, stay: Stay, ring: crate::call::Ring, out: &mut Out) {
        self.abandon_preflight(ErrorCode::AlreadyInCall, "a call has come in", out);
        let mut call = Call::new(session, stay, Accept::Ringing(ring));
        self.missed = false;
        out.event(Event::CallReceiveInvite(call.session.clone()));
        show(&mut call, out);
        self.call = Some(call);
    }

    /// Takes over a call that this device was in before the app was started anew.
    pub(super) fn restore(&mut self, session: Session, stay: Stay, remembered: bool) {
        let me = self.me().cloned();
        // Also alone, while others are rung: everybody else may have left.
        let connected = session.start_time > 0;
        let until = self.now.plus(self.settings.ring_ms).plus(RING_MARGIN_MS);
        let accept = if connected { Accept::Joined } else { Accept::Dialled { until } };
        let mut call = Call::new(session, stay, accept);
        call.connected = connected;
        call.reconnecting = connected;
        call.restored = true;
        call.told_muted = me.is_some_and(|me| call.session.muted_members.contains(&me));
        // The device remembers, or the server does.
        self.muted = remembered || call.told_muted;
        self.call = Some(call);
    }

    pub(super) fn expire_call(&mut self, out: &mut Out) {
        let now = self.now;
        let due = |at: Timestamp| at <= now;
        let Some(call) = &self.call else { return };
        match &call.accept {
            Accept::Ringing(ring) if due(ring.until) => {
                if ring.in_doubt {
                    self.end_here(Reason::NetworkError, Some(Detail::CallLost), out);
                } else {
                    self.end_here(Reason::Cancel, Some(Detail::NoAnswer), out);
                }
            }
            Accept::Dialled { until } if due(*until) => {
                let (channel_id, stay) = (call.session.channel_id.clone(), call.stay);
                self.leave_unwanted(channel_id, Some(stay), LeaveReason::Hangup);
                self.end_here(Reason::Cancel, Some(Detail::NoAnswer), out);
            }
            Accept::Leaving(leaving) if due(leaving.until) => self.end_left(out),
            Accept::Ringing(_)
            | Accept::Accepting(_)
            | Accept::Dialled { .. }
            | Accept::Joined
            | Accept::Leaving(_) => {}
        }
        if self.grace_deadline().is_some_and(due) {
            self.leave_now(LeaveReason::NetworkError, Reason::NetworkError, out);
        }
    }
}

/// Rings, where the platform can.
pub(super) fn show(call: &mut Call, out: &mut Out) {
    call.shown = true;
    out.platform(PlatformAction::ShowIncoming { session: call.session.clone(), stay: call.stay });
}

/// Stops ringing.
pub(super) fn dismiss(call: &mut Call, out: &mut Out) {
    if std::mem::take(&mut call.shown) {
        out.platform(PlatformAction::DismissIncoming {
            channel_id: call.session.channel_id.clone(),
            stay: call.stay,
        });
    }
}
