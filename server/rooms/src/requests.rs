//! What signed-in clients ask for. Each request is checked completely before it changes anything.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::limits::MAX_OFFER_BYTES;
use jmrtc_protocol::{
    ChannelId, ErrorCode, FailedUser, Failure, LeaveReason, Reply, Request, RequestId, ServerEvent,
    ServerMessage, Session, Stay, Username,
};

use crate::call::{Call, Joined, Seat, stay};
use crate::decide::{Collision, Gone, Standing, collision};
use crate::link::{Asked, Closed, Link, Plan, plan};
use crate::rooms::Rooms;
use crate::signin::{Arrival, SignInId};
use crate::{CallKey, ConnId, MediaCommand, MemberRecord, Output, UserRecord};

/// Invitations in the course of one call, or for each member that it may have; keeps a call in which people come and go
/// for days finite.
const MAX_INVITATIONS: usize = 1000;
const MAX_INVITATIONS_A_MEMBER: usize = 10;

/// Which device of whom asks, and how.
pub(crate) struct Asker {
    pub(crate) id: SignInId,
    user: Username,
    device: String,
    conn: ConnId,
    request: RequestId,
}

/// What part a device has in a call.
enum Part {
    /// Its user is rung.
    Rung,
    /// Its user is joined with this very device.
    Joined,
}

/// Whom a `start` or an `invite` names, sorted.
struct Named {
    found: Vec<UserRecord>,
    failed: Vec<FailedUser>,
}

fn fail<T>(code: ErrorCode, description: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(code, description))
}

impl Rooms {
    pub(crate) fn request(&mut self, conn: ConnId, id: RequestId, request: Request, known: Vec<UserRecord>) {
        let Some(sign_in) = self.conns.get(&conn).copied() else {
            let error = Failure::new(ErrorCode::NotLoggedIn, "the first message must be hello");
            return self.send(conn, ServerMessage::Failure { id, error });
        };
        let Some(asked) = self.sign_ins.get_mut(&sign_in) else { return };
        match asked.answers.arrive(id, conn, asked.events.last()) {
            Arrival::Answered(message) => return self.send(conn, *message),
            Arrival::Pending => return,
            Arrival::Forgotten => {
                let why = "request ids count up from 1, and what was answered to this one is forgotten";
                let error = Failure::new(ErrorCode::InvalidParameter, why);
                return self.send(conn, ServerMessage::Failure { id, error });
            }
            Arrival::New => {}
        }
        let (user, device) = (asked.user.clone(), asked.device.clone());
        let asker = Asker { id: sign_in, user, device, conn, request: id };
        // The answer goes before all that the request causes.
        let first = self.out.len();
        let message = match self.answer(&asker, request, known) {
            Ok(Some(reply)) => ServerMessage::Reply { id, reply },
            Ok(None) => return,
            Err(error) => ServerMessage::Failure { id, error },
        };
        if let Some(asked) = self.sign_ins.get_mut(&sign_in) {
            asked.answers.give(id, conn, message.clone(), asked.events.last());
        }
        self.out.insert(first, Output::Send { conn, message });
    }

    /// None: the media relay will answer.
    fn answer(
        &mut self,
        asker: &Asker,
        request: Request,
        known: Vec<UserRecord>,
    ) -> Result<Option<Reply>, Failure> {
        let reply = match request {
            Request::UpdateToken { token: _ } => Reply::UpdateToken,
            Request::Logout => self.logout(asker),
            Request::Start { usernames } => self.start(asker, usernames, known)?,
            Request::Accept { channel_id, stay } => self.accept(asker, &channel_id, stay)?,
            Request::Refuse { channel_id, stay } => self.refuse(asker, &channel_id, stay)?,
            Request::Leave { channel_id, stay, reason } => self.leave(asker, &channel_id, stay, reason),
            Request::Invite { channel_id, usernames } => self.invite(asker, &channel_id, usernames, known)?,
            Request::Mute { channel_id, muted } => self.mute(asker, &channel_id, muted)?,
            Request::Link { channel_id, stay, generation, offer } => {
                self.link(asker, &channel_id, stay, generation, offer)?;
                return Ok(None);
            }
            Request::Users { .. }
            | Request::UpdateProfile { .. }
            | Request::UpdateRelation { .. }
            | Request::Relations { .. }
            | Request::History { .. } => {
                return fail(ErrorCode::ServerError, "the store answers that, not the rooms");
            }
            Request::Preflight { generation, offer } => {
                self.preflight(asker, generation, offer)?;
                return Ok(None);
            }
            Request::EndPreflight => {
                self.end_preflight(asker.id, Closed::CallEnded);
                Reply::EndPreflight
            }
        };
        Ok(Some(reply))
    }

    /// The call, if the asking device has a part in it, in that very stay where one is named. Whether the call exists at all is
    /// not told to others.
    fn part(
        &self,
        asker: &Asker,
        channel: &ChannelId,
        stay: Option<Stay>,
    ) -> Result<(CallKey, Part), Failure> {
        let key = self.channels.get(channel).filter(|key| self.places.get(&asker.user) == Some(key));
        let call = key.and_then(|key| self.calls.get(key));
        if let Some(call) = call.filter(|call| stay.is_none() || call.stay(&asker.user) == stay) {
            if call.rung(&asker.user).is_some() {
                return Ok((call.key, Part::Rung));
            }
            if call.joined(&asker.user).is_some_and(|m| m.is_with(&asker.device)) {
                return Ok((call.key, Part::Joined));
            }
        }
        fail(ErrorCode::CallEnded, "the call is over for this device")
    }

    fn logout(&mut self, asker: &Asker) -> Reply {
        let place = self.places.get(&asker.user).and_then(|key| self.calls.get(key));
        let part = place.and_then(|call| self.part(asker, &call.channel, None).ok());
        match part {
            Some((key, Part::Joined)) => self.depart(key, &asker.user, Gone::HungUp),
            // The user's other devices ring on.
            Some((key, Part::Rung)) if self.devices_of(&asker.user).len() == 1 => {
                self.depart(key, &asker.user, Gone::Refused { by: asker.id });
            }
            Some((_, Part::Rung)) | None => {}
        }
        self.close_conn(asker.id, None);
        self.sign_out(asker.id);
        self.out_of_reach(&asker.user);
        Reply::Logout
    }

    /// Whether a request of a user's begins a call, which a start that answers the one that rings does not.
    pub fn begins_call(&self, user: &Username, request: &Request) -> bool {
        matches!(request, Request::Start { usernames } if self.collision(user, None, usernames) != Collision::Glare)
    }

    fn collision(&self, user: &Username, device: Option<&str>, usernames: &[Username]) -> Collision {
        let others: BTreeSet<&Username> = usernames.iter().filter(|name| *name != user).collect();
        let only = others.first().copied().filter(|_| others.len() == 1);
        collision(self.standing(user, device), only)
    }

    fn start(
        &mut self,
        asker: &Asker,
        usernames: Vec<Username>,
        known: Vec<UserRecord>,
    ) -> Result<Reply, Failure> {
        let user = &asker.user;
        let collision = self.collision(user, Some(&asker.device), &usernames);
        match collision {
            Collision::InCall => return fail(ErrorCode::AlreadyInCall, "there is a call already"),
            Collision::Glare => return self.answer_glare(asker, &usernames),
            Collision::None | Collision::Outbid | Collision::Recall => {}
        }
        let Named { found, failed } = self.named(user, usernames, known, None)?;
        if let Some(old) = self.places.get(user).copied() {
            let gone = if collision == Collision::Recall { Gone::Lost } else { Gone::Busy };
            self.depart(old, user, gone);
        }

        let key = CallKey(self.number());
        let channel = ChannelId(self.unguessable());
        self.directory.hold(self.directory.record(user));
        let unix_ms = self.unix_ms();
        let seat = Seat::Device { device: asker.device.clone(), sign_in: asker.id };
        let call = Call {
            key,
            channel: channel.clone(),
            inviter: user.clone(),
            rung: Vec::new(),
            joined: vec![Joined {
                user: user.clone(),
                invited_by: user.clone(),
                seat,
                muted: false,
                entry: 0,
            }],
            start_time: 0,
            log: vec![MemberRecord {
                username: user.clone(),
                invited_by: user.clone(),
                invited_time: unix_ms,
                join_time: unix_ms,
                leave_time: 0,
                reason: jmrtc_protocol::Reason::Hangup,
                detail: None,
                shown: true,
            }],
            cast: BTreeSet::from([user.clone()]),
        };
        self.calls.insert(key, call);
        self.channels.insert(channel, key);
        self.places.insert(user.clone(), key);

        let users: Vec<Username> = found.iter().map(|r| r.username.clone()).collect();
        self.add(key, user, found);
        let (session, stay) = self.session(key, user)?;
        self.ring(key, &users);
        Ok(Reply::Start { session, stay, failed })
    }

    /// As `asker` may see it, a device of the user's.
    fn standing(&self, user: &Username, asker: Option<&str>) -> Standing<'_> {
        let Some(call) = self.places.get(user).and_then(|key| self.calls.get(key)) else {
            return Standing::Free;
        };
        match call.joined(user).map(|m| &m.seat) {
            Some(Seat::Device { sign_in, device }) => {
                let connected = |id: SignInId| self.sign_ins.get(&id).is_some_and(|s| s.conn.is_some());
                // An app that was killed and is back is about to take its place up: it may call instead, no other may.
                let back = asker != Some(device) && self.device(user, device).is_some_and(connected);
                Standing::Joined { reachable: connected(*sign_in) || back }
            }
            Some(Seat::Robot) => Standing::Joined { reachable: true },
            None => {
                let alone = call.members() == 2 && call.joined(&call.inviter).is_some();
                Standing::Rung { alone_with: alone.then_some(&call.inviter) }
            }
        }
    }

    /// Both call each other: the starter joins the other's call.
    fn answer_glare(&mut self, asker: &Asker, usernames: &[Username]) -> Result<Reply, Failure> {
        let Some(key) = self.places.get(&asker.user).copied() else {
            return fail(ErrorCode::CallEnded, "the call is over");
        };
        self.join(key, &asker.user, Seat::Device { device: asker.device.clone(), sign_in: asker.id });
        let failed = usernames.iter().find(|name| **name == asker.user).map(oneself).into_iter().collect();
        let (session, stay) = self.session(key, &asker.user)?;
        Ok(Reply::Start { session, stay, failed })
    }

    fn accept(&mut self, asker: &Asker, channel: &ChannelId, stay: Stay) -> Result<Reply, Failure> {
        match self.part(asker, channel, Some(stay))? {
            (_, Part::Joined) => fail(ErrorCode::InvalidState, "accepted already"),
            (key, Part::Rung) => {
                let seat = Seat::Device { device: asker.device.clone(), sign_in: asker.id };
                self.join(key, &asker.user, seat);
                let (session, stay) = self.session(key, &asker.user)?;
                Ok(Reply::Accept { session, stay })
            }
        }
    }

    fn refuse(&mut self, asker: &Asker, channel: &ChannelId, stay: Stay) -> Result<Reply, Failure> {
        match self.part(asker, channel, Some(stay))? {
            (_, Part::Joined) => fail(ErrorCode::InvalidState, "accepted already; leave instead"),
            (key, Part::Rung) => {
                self.depart(key, &asker.user, Gone::Refused { by: asker.id });
                Ok(Reply::Refuse)
            }
        }
    }

    fn leave(
        &mut self,
        asker: &Asker,
        channel: &ChannelId,
        stay: Option<Stay>,
        reason: LeaveReason,
    ) -> Reply {
        match (self.part(asker, channel, stay), reason) {
            (Ok((key, Part::Joined)), LeaveReason::Hangup) => self.depart(key, &asker.user, Gone::HungUp),
            (Ok((key, Part::Joined)), LeaveReason::NetworkError) => self.depart(key, &asker.user, Gone::Lost),
            (Ok((key, Part::Rung)), LeaveReason::Hangup) => {
                self.depart(key, &asker.user, Gone::Refused { by: asker.id });
            }
            // The device gives up, not the person: the user's other devices may still answer.
            (Ok((_, Part::Rung)), LeaveReason::NetworkError) => {}
            // What should be over is over.
            (Err(_), LeaveReason::Hangup | LeaveReason::NetworkError) => {}
        }
        Reply::Leave
    }

    fn invite(
        &mut self,
        asker: &Asker,
        channel: &ChannelId,
        usernames: Vec<Username>,
        known: Vec<UserRecord>,
    ) -> Result<Reply, Failure> {
        let (key, Part::Joined) = self.part(asker, channel, None)? else {
            return fail(ErrorCode::InvalidState, "accept the call first");
        };
        let call = self.calls.get(&key).filter(|call| call.start_time != 0);
        let Some(call) = call else {
            return fail(ErrorCode::InvalidState, "nobody has accepted the call yet");
        };
        let Named { found, failed } = self.named(&asker.user, usernames, known, Some(call))?;
        let invited: Vec<Username> = found.iter().map(|r| r.username.clone()).collect();
        let (channel_id, members) = (call.channel.clone(), call.audience());

        self.add(key, &asker.user, found);
        self.tell_each(members, |rooms, viewer| ServerEvent::OthersInvited {
            channel_id: channel_id.clone(),
            users: invited.iter().map(|user| rooms.directory.view(viewer, user)).collect(),
            by: rooms.directory.view(viewer, &asker.user),
        });
        self.ring(key, &invited);
        Ok(Reply::Invite { invited, failed })
    }

    fn mute(&mut self, asker: &Asker, channel: &ChannelId, muted: bool) -> Result<Reply, Failure> {
        let (key, Part::Joined) = self.part(asker, channel, None)? else {
            return fail(ErrorCode::InvalidState, "accept the call first");
        };
        let Some(call) = self.calls.get_mut(&key) else {
            return fail(ErrorCode::ServerError, "the call is gone");
        };
        let own = call.joined.iter_mut().find(|m| m.user == asker.user && m.muted != muted);
        if let Some(own) = own {
            if !self.mutings.allows(self.now, &asker.user, 1) {
                return fail(ErrorCode::LimitExceeded, "muted and unmuted too often");
            }
            self.mutings.spend(self.now, &asker.user, 1);
            own.muted = muted;
            let (channel_id, members) = (call.channel.clone(), call.audience());
            self.tell_each(members, |rooms, viewer| ServerEvent::Muted {
                channel_id: channel_id.clone(),
                user: rooms.directory.view(viewer, &asker.user),
                muted,
            });
        }
        Ok(Reply::Mute)
    }

    /// Sorts whom `by` names for a new call or for the call `inside`; fails if nobody is left or it is too many.
    fn named(
        &self,
        by: &Username,
        usernames: Vec<Username>,
        known: Vec<UserRecord>,
        inside: Option<&Call>,
    ) -> Result<Named, Failure> {
        let too_many = || {
            fail(ErrorCode::LimitExceeded, format!("a call has at most {} members", self.config.max_members))
        };
        let mut seen = BTreeSet::new();
        let names: Vec<Username> = usernames.into_iter().filter(|name| seen.insert(name.clone())).collect();
        if names.len() > self.config.max_members {
            return too_many();
        }
        if names.iter().all(|name| name == by) {
            return fail(ErrorCode::InvalidParameter, "name at least one other user");
        }
        let mut known: BTreeMap<Username, UserRecord> =
            known.into_iter().map(|record| (record.username.clone(), record)).collect();
        let mut named = Named { found: Vec::new(), failed: Vec::new() };
        for name in names {
            if &name == by {
                named.failed.push(oneself(&name));
                continue;
            }
            if inside.is_some_and(|call| call.has(&name)) {
                named.failed.push(failed(name, ErrorCode::AlreadyInCall));
                continue;
            }
            let robot = self.config.robots.contains(&name).then(|| UserRecord::named(name.clone()));
            match known.remove(&name).or(robot) {
                Some(record) => named.found.push(record),
                None => named.failed.push(failed(name, ErrorCode::UserUnavailable)),
            }
        }
        // Nobody takes up no room.
        let wanted = named.found.len();
        let (members, invitations) = inside.map_or((1, 1), |call| (call.members(), call.log.len()));
        if members + wanted > self.config.max_members {
            return too_many();
        }
        if invitations + wanted > MAX_INVITATIONS.max(MAX_INVITATIONS_A_MEMBER * self.config.max_members) {
            return fail(ErrorCode::LimitExceeded, "there were too many invitations into this call");
        }
        if named.found.is_empty() {
            return fail(ErrorCode::UserUnavailable, "none of the named users can be called");
        }
        if !self.budget.allows(self.now, by, wanted) {
            return fail(ErrorCode::LimitExceeded, "too many invitations within a short time; wait a little");
        }
        Ok(named)
    }

    fn link(
        &mut self,
        asker: &Asker,
        channel: &ChannelId,
        stay: Stay,
        generation: u32,
        offer: String,
    ) -> Result<(), Failure> {
        check_offer(generation, &offer)?;
        let (key, part) = self.part(asker, channel, Some(stay))?;
        let sign_in = self.sign_ins.get(&asker.id);
        if let Some(sign_in) = sign_in {
            sign_in.check_pending()?;
        }
        let there = sign_in.and_then(|s| s.link.as_ref()).map(|link| (link.id, link.generation));
        match (plan(there.map(|(_, generation)| generation), generation), there) {
            (Plan::Stale, _) => return fail(ErrorCode::InvalidState, "a newer link is there already"),
            (Plan::Renew, Some((link, _))) => {
                let ticket = self.ask(asker, link, false);
                self.media(MediaCommand::Renew { link, ticket, offer });
            }
            (Plan::Open | Plan::Replace | Plan::Renew, _) => {
                // The others may be told that nobody is in its slot, and then that it is back.
                if let Part::Joined = part {
                    if !self.links_opened.allows(self.now, &asker.user, 1) {
                        return fail(ErrorCode::LimitExceeded, "too many links");
                    }
                    self.links_opened.spend(self.now, &asker.user, 1);
                }
                self.close_link(asker.id, Closed::Replaced);
                self.end_preflight(asker.id, Closed::Replaced);
                let link = self.links.open(asker.id);
                if let Some(sign_in) = self.sign_ins.get_mut(&asker.id) {
                    let new = Link { id: link, call: key, generation, admitted: false, untold_slots: None };
                    sign_in.link = Some(new);
                    sign_in.link_lost = false;
                }
                let ticket = self.ask(asker, link, true);
                self.media(MediaCommand::Open { link, ticket, offer });
            }
        }
        if let Part::Joined = part {
            self.take_seat(key, asker);
            self.admit(key, asker.id);
        }
        Ok(())
    }

    pub(crate) fn ask(&mut self, asker: &Asker, link: crate::LinkId, opens: bool) -> crate::Ticket {
        if let Some(sign_in) = self.sign_ins.get_mut(&asker.id) {
            sign_in.answers.wait(asker.request, asker.conn, link);
        }
        self.links.ask(Asked { sign_in: asker.id, link, request: asker.request, opens })
    }

    /// A device that signed in anew takes its place up again.
    fn take_seat(&mut self, key: CallKey, asker: &Asker) {
        let call = self.calls.get_mut(&key);
        if let Some(member) = call.and_then(|call| call.joined.iter_mut().find(|m| m.user == asker.user)) {
            member.seat = Seat::Device { device: asker.device.clone(), sign_in: asker.id };
            self.timers.clear(&crate::timers::Due::Seat(key, asker.user.clone()));
        }
    }

    /// The call as its joined member `user` sees it, and which stay that is.
    fn session(&self, key: CallKey, user: &Username) -> Result<(Session, Stay), Failure> {
        let call = self.calls.get(&key);
        let member = call.and_then(|call| call.joined(user));
        match (call, member) {
            (Some(call), Some(member)) => {
                Ok((call.session(&self.directory, &member.viewer()), stay(member.entry)))
            }
            (None, _) | (_, None) => fail(ErrorCode::ServerError, "the call is gone"),
        }
    }
}

/// What every offer has to be.
pub(crate) fn check_offer(generation: u32, offer: &str) -> Result<(), Failure> {
    if generation == 0 || offer.is_empty() {
        return fail(ErrorCode::InvalidParameter, "a link needs a generation from 1 and an offer");
    }
    if offer.len() > MAX_OFFER_BYTES {
        return fail(ErrorCode::LimitExceeded, format!("an offer has at most {MAX_OFFER_BYTES} bytes"));
    }
    Ok(())
}

fn failed(username: Username, code: ErrorCode) -> FailedUser {
    FailedUser { username, name: code.name().to_owned() }
}

fn oneself(name: &Username) -> FailedUser {
    failed(name.clone(), ErrorCode::InvalidParameter)
}
