//! What comes back for our requests.

use jmrtc_protocol::{
    ChannelId, Detail, ErrorCode, FailedUser, Failure, LeaveReason, Reason, Reply, Request, RequestId,
    Session, Stay, Username,
};
use serde_json::{Value, json};

use super::Client;
use super::calls::show;
use crate::call::{Accept, Call, Ring};
use crate::out::Out;
use crate::outbox::{Entry, Owner};
use crate::{Event, Left, PlatformAction};

/// How long to leave a server in peace that had too much of us.
const RETRY_MS: u64 = 1_000;

impl Client {
    pub(super) fn replied(&mut self, id: RequestId, reply: Reply, out: &mut Out) {
        let Some(entry) = self.outbox.answered(id) else {
            self.answered_late(reply, out);
            return;
        };
        let Entry { request, owner, .. } = entry.clone();
        match (request, reply) {
            (Request::UpdateToken { token }, Reply::UpdateToken) => self.token_renewed(token, owner, out),
            (Request::Logout, Reply::Logout) => {
                if let Some(me) = self.me().cloned() {
                    let _told = self.memory.take(&me);
                }
                self.finish_logout(out);
            }
            (Request::Start { .. }, Reply::Start { session, stay, failed }) => {
                self.started(owner, session, stay, failed, out);
            }
            (Request::Accept { channel_id, stay }, Reply::Accept { session, .. }) => {
                if self.is_accepting(&channel_id, stay) {
                    self.accepted(session, out);
                }
            }
            (Request::Refuse { channel_id, stay }, Reply::Refuse) => {
                if self.is_in(&channel_id, Some(stay)) {
                    self.answer_goodbye(out);
                }
            }
            (Request::Leave { channel_id, stay, .. }, Reply::Leave) => {
                if self.is_in(&channel_id, stay) {
                    self.answer_goodbye(out);
                }
            }
            (Request::Invite { .. }, Reply::Invite { invited, failed }) => {
                self.invited_users(owner, invited, failed, out);
            }
            (Request::Mute { channel_id, muted }, Reply::Mute) => self.mute_told(&channel_id, muted),
            (Request::Link { .. }, Reply::Link { answer }) => self.link_answered(answer, out),
            (Request::Users { .. }, Reply::Users { users, failed }) => {
                tell(owner, json!({ "users": users, "failed": failed }), out);
            }
            (Request::UpdateProfile { .. }, Reply::UpdateProfile { user })
            | (Request::UpdateRelation { .. }, Reply::UpdateRelation { user }) => {
                tell(owner, json!(user), out);
            }
            (Request::Relations { .. }, Reply::Relations { users, more }) => {
                tell(owner, json!({ "users": users, "more": more }), out);
            }
            (Request::History { .. }, Reply::History { calls, more }) => {
                tell(owner, json!({ "calls": calls, "more": more }), out);
            }
            (Request::Preflight { .. }, Reply::Link { answer }) => self.preflight_answered(Ok(&answer), out),
            (Request::EndPreflight, Reply::EndPreflight) => {}
            _ => {
                let error = Failure::new(ErrorCode::ServerError, "the server answered something else");
                self.failed(entry, error, out);
            }
        }
    }

    /// The answer to a start or an accept that was given up.
    fn answered_late(&mut self, reply: Reply, out: &mut Out) {
        let accept = matches!(reply, Reply::Accept { .. });
        let (Reply::Start { session, stay, .. } | Reply::Accept { session, stay }) = reply else { return };
        if accept && self.is_accepting(&session.channel_id, stay) {
            // The same invitation rang once more, and was accepted again.
            self.accepted(session, out);
        } else if !self
            .call
            .as_ref()
            .is_some_and(|c| c.is_stay(&session.channel_id, stay) && c.is_consented())
        {
            self.leave_unwanted(session.channel_id, Some(stay), LeaveReason::Hangup);
        }
    }

    pub(super) fn request_failed(&mut self, id: RequestId, error: Failure, out: &mut Out) {
        if let Some(entry) = self.outbox.answered(id) {
            self.failed(entry, error, out);
        }
    }

    fn failed(&mut self, entry: Entry, error: Failure, out: &mut Out) {
        let command = entry.owner.command();
        let for_now = matches!(error.code, ErrorCode::LimitExceeded | ErrorCode::ServerError);
        match entry.request {
            Request::UpdateToken { .. }
            | Request::Invite { .. }
            | Request::Users { .. }
            | Request::UpdateProfile { .. }
            | Request::UpdateRelation { .. }
            | Request::Relations { .. }
            | Request::History { .. } => {
                command.into_iter().for_each(|id| out.failure(id, error.clone()));
            }
            // Had it been dropped, the server would keep us signed in.
            Request::Logout if for_now => self.outbox.retry(entry.request, self.now.plus(RETRY_MS)),
            Request::Logout => self.finish_logout(out),
            Request::Start { .. } => {
                command.into_iter().for_each(|id| out.failure(id, error.clone()));
                if !self.outbox.holds() {
                    self.release_held(out);
                }
            }
            Request::Accept { channel_id, stay } => {
                if self.is_accepting(&channel_id, stay) {
                    self.accept_failed(&error, out);
                } else if error.code == ErrorCode::CallEnded && self.is_in(&channel_id, Some(stay)) {
                    // Hung up meanwhile, and no `ended` will come of that.
                    self.end_left(out);
                }
            }
            Request::Refuse { .. } | Request::Leave { .. } => {
                let Some(Left { channel_id, stay, .. }) = entry.left() else { return };
                let code = error.code;
                self.goodbye_failed(&channel_id, stay, error, out);
                // Had it been dropped, the server would keep us in the call.
                if for_now {
                    self.outbox.retry(entry.request, self.now.plus(RETRY_MS));
                } else if code != ErrorCode::CallEnded {
                    self.leave_unwanted(channel_id, stay, LeaveReason::Hangup);
                }
            }
            Request::Mute { ref channel_id, muted } => {
                if for_now {
                    self.outbox.retry(entry.request, self.now.plus(RETRY_MS));
                } else {
                    // Nothing that asking again would mend.
                    self.mute_told(&channel_id.clone(), muted);
                }
            }
            Request::Link { .. } => self.link_refused(&error, out),
            Request::Preflight { .. } => self.preflight_answered(Err(&error), out),
            Request::EndPreflight => {}
        }
    }

    fn started(
        &mut self,
        owner: Owner,
        session: Session,
        stay: Stay,
        mut failed: Vec<FailedUser>,
        out: &mut Out,
    ) {
        let channel = session.channel_id.clone();
        let held = self.held_since_start(&channel, stay);
        let Some(me) = self.me().cloned() else { return };
        let Owner::Naming { command, oneself } = owner else {
            self.held = held;
            if self.is_accepting(&channel, stay) {
                // It came of both calling each other, and the person has said yes to it since.
                self.accepted(session, out);
            } else {
                self.leave_unwanted(channel, Some(stay), LeaveReason::Hangup);
                self.release_held(out);
            }
            return;
        };
        if oneself && !failed.iter().any(|f| f.username == me) {
            failed.push(FailedUser { username: me, name: ErrorCode::InvalidParameter.name().to_owned() });
        }
        let mut result = serde_json::to_value(&session).unwrap_or_default();
        if let Value::Object(fields) = &mut result {
            fields.insert("failed".to_owned(), json!(failed));
        }
        out.ok(command, result);
        if self.call.as_ref().is_some_and(|c| !c.is_stay(&channel, stay)) {
            self.end_here(Reason::Cancel, None, out);
        }
        if self.call.is_none() {
            self.call = Some(Call::new(session.clone(), stay, Accept::Dialled { until: self.now }));
        }
        self.enter(session, out);
        self.tell_outgoing(out);
        self.held = held;
        self.release_held(out);
    }

    /// The server has sent our invitations, unless it found us in the other side's call.
    fn tell_outgoing(&self, out: &mut Out) {
        let Some(call) = &self.call else { return };
        match call.accept {
            Accept::Dialled { .. } => out.event(Event::CallOutgoing(call.session.clone())),
            Accept::Ringing(_) | Accept::Accepting(_) | Accept::Joined | Accept::Leaving(_) => {}
        }
    }

    fn is_accepting(&self, channel: &ChannelId, stay: Stay) -> bool {
        self.call.as_ref().is_some_and(|c| match c.accept {
            Accept::Accepting(_) => c.is_stay(channel, stay),
            Accept::Ringing(_) | Accept::Dialled { .. } | Accept::Joined | Accept::Leaving(_) => false,
        })
    }

    /// Whether that is our call, by `stay` where it is known.
    fn is_in(&self, channel: &ChannelId, stay: Option<Stay>) -> bool {
        self.call.as_ref().is_some_and(|c| c.is(channel) && stay.is_none_or(|stay| c.stay == stay))
    }

    /// The server has made us a member.
    pub(super) fn accepted(&mut self, session: Session, out: &mut Out) {
        let Some(Accept::Accepting(accepting)) = self.call.as_mut().map(|c| &mut c.accept) else { return };
        let commands = std::mem::take(&mut accepting.commands);
        commands.into_iter().for_each(|id| out.done(id));
        let _answered = self.outbox.take(|e| match &e.request {
            Request::Accept { channel_id, .. } => channel_id == &session.channel_id,
            Request::UpdateToken { .. }
            | Request::Logout
            | Request::Start { .. }
            | Request::Refuse { .. }
            | Request::Leave { .. }
            | Request::Invite { .. }
            | Request::Mute { .. }
            | Request::Link { .. }
            | Request::Users { .. }
            | Request::UpdateProfile { .. }
            | Request::UpdateRelation { .. }
            | Request::Relations { .. }
            | Request::History { .. }
            | Request::Preflight { .. }
            | Request::EndPreflight => false,
        });
        self.enter(session, out);
        self.release_held(out);
    }

    fn accept_failed(&mut self, error: &Failure, out: &mut Out) {
        let Some(call) = &mut self.call else { return };
        let Accept::Accepting(accepting) = &mut call.accept else { return };
        let ring = Ring { answered: false, ..accepting.ring };
        let commands = std::mem::take(&mut accepting.commands);
        commands.into_iter().for_each(|id| out.failure(id, error.clone()));
        if error.code == ErrorCode::CallEnded {
            // What rang was in doubt since the sign-in was lost, and nobody could tell how it ended.
            let (reason, detail) = match ring.in_doubt {
                true => (Reason::NetworkError, Some(Detail::CallLost)),
                false => (Reason::Cancel, None),
            };
            self.end_here(reason, detail, out);
            return;
        }
        // It rings on, and the person may try again.
        call.accept = Accept::Ringing(ring);
        if std::mem::take(&mut call.started) {
            out.platform(PlatformAction::CallEnded {
                channel_id: call.session.channel_id.clone(),
                stay: call.stay,
            });
        }
        show(call, out);
        self.release_held(out);
    }

    fn goodbye_failed(&mut self, channel: &ChannelId, stay: Option<Stay>, error: Failure, out: &mut Out) {
        if !self.is_in(channel, stay) {
            return;
        }
        let Some(call) = &mut self.call else { return };
        let Accept::Leaving(leaving) = &mut call.accept else { return };
        if error.code == ErrorCode::CallEnded {
            for id in std::mem::take(&mut leaving.refuses) {
                out.failure(id, error.clone());
            }
        }
        self.end_left(out);
    }

    fn invited_users(
        &self,
        owner: Owner,
        invited: Vec<Username>,
        mut failed: Vec<FailedUser>,
        out: &mut Out,
    ) {
        let Owner::Naming { command, oneself } = owner else { return };
        if let Some(me) = self.me().filter(|_| oneself)
            && !failed.iter().any(|f| &f.username == me)
        {
            let name = ErrorCode::InvalidParameter.name().to_owned();
            failed.push(FailedUser { username: me.clone(), name });
        }
        out.ok(command, json!({ "invited": invited, "failed": failed }));
    }

    pub(super) fn expire_requests(&mut self, out: &mut Out) {
        const WHY: &str = "the server did not answer in time";
        for entry in self.outbox.expire(self.now) {
            let command = entry.owner.command();
            match &entry.request {
                Request::Start { .. } => {
                    out.fail_all(command, ErrorCode::Network, WHY);
                    if command.is_some() && entry.id.is_some() {
                        let forget = self.answer_deadline().plus(60_000);
                        self.outbox.disown(entry, Some(forget));
                    }
                    if !self.outbox.holds() {
                        self.release_held(out);
                    }
                }
                Request::Accept { channel_id, stay } => {
                    if self.is_accepting(channel_id, *stay) {
                        self.accept_timed_out(WHY, out);
                    }
                }
                Request::UpdateToken { .. }
                | Request::Logout
                | Request::Refuse { .. }
                | Request::Leave { .. }
                | Request::Invite { .. }
                | Request::Mute { .. }
                | Request::Link { .. }
                | Request::Users { .. }
                | Request::UpdateProfile { .. }
                | Request::UpdateRelation { .. }
                | Request::Relations { .. }
                | Request::History { .. }
                | Request::Preflight { .. }
                | Request::EndPreflight => out.fail_all(command, ErrorCode::Network, WHY),
            }
        }
    }

    /// Nobody knows whether we are a member: we make sure that we are not.
    fn accept_timed_out(&mut self, why: &str, out: &mut Out) {
        let Some(Accept::Accepting(accepting)) = self.call.as_mut().map(|c| &mut c.accept) else { return };
        let commands = std::mem::take(&mut accepting.commands);
        out.fail_all(commands, ErrorCode::Network, why);
        self.leave_now(LeaveReason::NetworkError, Reason::NetworkError, out);
    }
}

/// Gives a method its answer.
fn tell(owner: Owner, answer: Value, out: &mut Out) {
    if let Some(id) = owner.command() {
        out.ok(id, answer);
    }
}
