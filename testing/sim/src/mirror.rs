//! Holds the server against the call semantics: what it is asked, people do in the model; what it says must be
//! what the model says. Time and network, of which the model knows nothing, are here.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::{
    ChannelId, Closing, ErrorCode, Reply, Request, RequestId, ServerEvent, ServerMessage, Session, Stay,
    User, Username,
};
use jmrtc_rooms::{ConnId, Input, LinkId, MediaCommand, Output, Ticket, UserRecord};

use crate::budget::Budget;
use crate::history::History;
use crate::semantics::{CallNo, Device, Semantics, StayNo, Told, View, What};
use crate::world::EPOCH_MS;

/// What time will bring. The order is that of things at one time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Ring(CallNo, Username),
    Seat(CallNo, Username),
    SignIn(u64),
}

#[derive(Debug)]
pub(crate) struct Mirror {
    pub(crate) model: Semantics,
    /// Outlives the server.
    pub(crate) history: History,
    ring: u64,
    grace: u64,
    ping: u64,
    /// For each invitation.
    pushes: BTreeMap<(CallNo, Username), u8>,
    due: BTreeMap<Due, u64>,
    sign_ins: BTreeMap<u64, SignIn>,
    lines: BTreeMap<ConnId, Line>,
    /// With when they began.
    channels: BTreeMap<ChannelId, (CallNo, i64)>,
    pub(crate) budget: Budget,
    pub(crate) mutings: Budget,
    /// Media links of calls.
    links: BTreeMap<LinkId, Carried>,
    /// Links of which the media relay has not said yet whether it makes them.
    opening: BTreeMap<Ticket, LinkId>,
    last: u64,
}

/// A link of a sign-in.
#[derive(Debug)]
struct Carried {
    sign_in: u64,
    /// Who is heard on it, where nobody could be told.
    untold: Option<Vec<Option<Username>>>,
}

/// A sign-in and all that it was told.
#[derive(Debug)]
struct SignIn {
    device: Device,
    conn: Option<ConnId>,
    secret: String,
    told: Vec<Told>,
    /// Until when the invitations among them ring, by their numbers.
    rings: BTreeMap<u64, u64>,
    /// So many of them it has for sure, and they are not kept for it.
    acked: u64,
    /// Where they are already given.
    answers: BTreeMap<RequestId, Option<ServerMessage>>,
    /// Its link went with the server before.
    link_lost: bool,
    /// The answer to a request for a link depends on the media relay, and on what has become of the link since.
    links: BTreeSet<RequestId>,
}

/// A connection and how much of that has gone over it.
#[derive(Debug)]
struct Line {
    sign_in: u64,
    sent: u64,
    asked: BTreeSet<RequestId>,
    answered: BTreeSet<RequestId>,
}

/// What a request must be answered with.
#[derive(Debug)]
enum Answer {
    None,
    Anything,
    Same(Box<ServerMessage>),
    Done,
    Start { view: View, stay: Option<StayNo>, failed: Vec<Username> },
    Mute,
    Accept { view: View, stay: StayNo },
    Invite { invited: Vec<Username>, failed: Vec<Username> },
    Failure(ErrorCode),
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Events that a server keeps for a device that is away, where each tells of few.
const KEPT: u64 = 256;

/// A server's that has just started.
pub(crate) const fn mutings() -> Budget {
    Budget::new(60, 20)
}

impl Mirror {
    pub(crate) fn new(model: Semantics, ring: u64, grace: u64, ping: u64, budget: Budget) -> Self {
        Self {
            model,
            history: History::default(),
            ring,
            grace,
            ping,
            pushes: BTreeMap::new(),
            due: BTreeMap::new(),
            sign_ins: BTreeMap::new(),
            lines: BTreeMap::new(),
            channels: BTreeMap::new(),
            budget,
            mutings: mutings(),
            links: BTreeMap::new(),
            opening: BTreeMap::new(),
            last: 0,
        }
    }

    /// Takes what the server was given and compares what it did.
    pub(crate) fn follow(&mut self, now: u64, input: &Input, outputs: &[Output]) -> Result<(), String> {
        self.model.now = EPOCH_MS.saturating_add_unsigned(now);
        self.pass(now);
        let told_before =
            self.line_of(input).map(|(conn, line)| (conn, self.sign_ins[&line].told.len() as u64));
        let asked = match input {
            Input::Request { conn, id, request, known } => {
                Some((*conn, *id, self.request(now, *conn, *id, request, known)?))
            }
            Input::Hello { conn, user, device, resume, known: _ } => {
                let device = (user.clone(), device.id.clone());
                let resume = resume.as_ref().map(|r| (r.secret.as_str(), r.seq));
                self.hello(now, *conn, device, resume, outputs)?;
                None
            }
            Input::Disconnected { conn, silent_ms } => {
                self.disconnected(now, *conn, *silent_ms);
                None
            }
            Input::Shutdown => {
                self.model.server_stops();
                None
            }
            Input::Suspend { .. } => {
                self.suspended(now);
                None
            }
            Input::Ping { conn, ack } => {
                if let Some(sign_in) = self.sign_ins.values_mut().find(|s| s.conn == Some(*conn)) {
                    sign_in.acked = sign_in.acked.max(*ack);
                }
                None
            }
            Input::RelationChanged { viewer, about, relation } => {
                self.model.keeps(viewer, about, relation);
                None
            }
            Input::UserDeleted(user) => {
                self.model.deleted(user);
                None
            }
            Input::Slots { link, sources } => {
                self.heard(*link, sources);
                None
            }
            Input::LinkAnswer { ticket, result } => {
                if let (Some(link), Err(_)) = (self.opening.remove(ticket), result) {
                    self.links.remove(&link);
                }
                None
            }
            Input::TakeOver { .. } => {
                self.pushes.values_mut().for_each(|pushes| *pushes = (*pushes).min(1));
                self.model.all_are_out_of_reach();
                None
            }
            Input::ProfileChanged(..) | Input::Deadline => None,
        };
        self.deliver();
        self.woken(outputs)?;
        if let Some((conn, id, answer)) = &asked {
            self.answer(*conn, *id, answer, outputs)?;
        }
        self.ended(outputs)?;
        let asked = asked.map(|(conn, id, _)| (conn, id));
        for output in outputs {
            if let Output::Send { conn, message } = output {
                self.sent(now, *conn, message, asked.zip(told_before.map(|(_, n)| n)))?;
            }
        }
        self.carried(told_before.map(|(conn, _)| conn), input, outputs);
        if let Input::UserDeleted(user) = input {
            self.signed_out(user, outputs)?;
            self.history.deleted(user, self.model.now);
        }
        if let Input::Request { request: Request::Logout, conn, .. } = input {
            let line = self.lines.get(conn).map(|line| line.sign_in);
            line.and_then(|sign_in| self.sign_ins.remove(&sign_in));
        }
        if let Input::UserDeleted(user) = input {
            self.sign_ins.retain(|_, sign_in| &sign_in.device.0 != user);
        }
        if let Input::Shutdown = input {
            self.sign_ins.clear();
        }
        for sign_in in self.sign_ins.values() {
            let line = sign_in.conn.and_then(|conn| self.lines.get(&conn));
            check(line.is_none_or(|line| line.sent == sign_in.told.len() as u64), || {
                format!("{} was not told {:?}", sign_in.device.1, sign_in.told.last())
            })?;
        }
        Ok(())
    }

    fn line_of(&self, input: &Input) -> Option<(ConnId, u64)> {
        let Input::Request { conn, .. } = input else { return None };
        let line = self.lines.get(conn)?;
        self.sign_ins.contains_key(&line.sign_in).then_some((*conn, line.sign_in))
    }

    /// All devices of a user who is deleted learn that their token is good no more, and nobody else.
    fn signed_out(&mut self, user: &Username, outputs: &[Output]) -> Result<(), String> {
        let (mut expected, mut closed) = (BTreeSet::new(), BTreeSet::new());
        for (id, sign_in) in self.sign_ins.extract_if(.., |_, sign_in| &sign_in.device.0 == user) {
            self.due.remove(&Due::SignIn(id));
            expected.extend(sign_in.conn);
        }
        for output in outputs {
            if let Output::Close { conn } = output {
                closed.insert(*conn);
            }
        }
        let expired = ServerMessage::Closing { reason: Closing::TokenExpired };
        let told = closed.iter().all(|conn| messages(outputs, *conn).last() == Some(&expired));
        check(closed == expected && told, || {
            format!("{user} is deleted: closed {closed:?}, not {expected:?} as expired")
        })
    }

    /// The media relay forwards others than before on a link: its device is told which members, or once it is back.
    fn heard(&mut self, link: LinkId, sources: &[Option<LinkId>]) {
        let Some(sign_in) = self.links.get(&link).and_then(|link| self.sign_ins.get(&link.sign_in)) else {
            return;
        };
        let device = &sign_in.device;
        let source = |link: LinkId| {
            if link == LinkId::ECHO {
                return self.model.robot_with(device).cloned();
            }
            let user = &self.sign_ins.get(&self.links.get(&link)?.sign_in)?.device.0;
            Some(user.clone()).filter(|user| self.model.is_with(device, user))
        };
        let slots = sources.iter().map(|link| link.and_then(source)).collect();
        let device = device.clone();
        match (sign_in.conn, self.links.get_mut(&link)) {
            (None, Some(link)) if self.model.is_joined(&device) => link.untold = Some(slots),
            (None, _) => {}
            (Some(_), _) => self.model.hear(&device, slots),
        }
    }

    /// Follows which links there are.
    fn carried(&mut self, asker: Option<ConnId>, input: &Input, outputs: &[Output]) {
        let of_call = matches!(input, Input::Request { request: Request::Link { .. }, .. });
        let sign_in = asker.and_then(|conn| self.lines.get(&conn)).map(|line| line.sign_in);
        for output in outputs {
            match (output, sign_in) {
                (Output::Media(MediaCommand::Open { link, ticket, .. }), Some(sign_in)) if of_call => {
                    self.opening.insert(*ticket, *link);
                    self.links.insert(*link, Carried { sign_in, untold: None });
                }
                (Output::Media(MediaCommand::Close { link }), _) => {
                    self.links.remove(link);
                }
                (
                    Output::Media(_)
                    | Output::Send { .. }
                    | Output::Close { .. }
                    | Output::Push { .. }
                    | Output::Handover(_)
                    | Output::Record(_),
                    _,
                ) => {}
            }
        }
    }

    /// Time passes.
    fn pass(&mut self, now: u64) {
        loop {
            let next = self.due.iter().map(|(due, at)| (*at, due.clone())).min();
            let Some((_, due)) = next.filter(|(at, _)| *at <= now) else { break };
            self.due.remove(&due);
            match due {
                Due::Ring(call, user) => self.model.no_answer(call, &user),
                Due::Seat(call, user) => self.model.lost(call, &user),
                Due::SignIn(id) => {
                    if let Some(sign_in) = self.sign_ins.remove(&id) {
                        self.model.devices.remove(&sign_in.device);
                    }
                }
            }
            self.deliver();
        }
    }

    /// Hands what was told to the sign-ins.
    fn deliver(&mut self) {
        for (device, told) in std::mem::take(&mut self.model.told) {
            let sign_in = self.sign_ins.values_mut().find(|s| s.device == device);
            if let Some(sign_in) = sign_in {
                let until = self.due.get(&Due::Ring(told.view.call, sign_in.device.0.clone()));
                if let (What::Invited(_), Some(until)) = (&told.what, until) {
                    sign_in.rings.insert(sign_in.told.len() as u64 + 1, *until);
                }
                sign_in.told.push(told);
                sign_in.acked = sign_in.acked.max((sign_in.told.len() as u64).saturating_sub(KEPT));
            }
        }
    }

    fn hello(
        &mut self,
        now: u64,
        conn: ConnId,
        device: Device,
        resume: Option<(&str, u64)>,
        outputs: &[Output],
    ) -> Result<(), String> {
        let before = self.sign_ins.iter().find(|(_, s)| s.device == device).map(|(id, _)| *id);
        let goes_on = before.zip(resume).filter(|(id, (secret, seq))| {
            let sign_in = &self.sign_ins[id];
            sign_in.secret == *secret && (sign_in.acked..=sign_in.told.len() as u64).contains(seq)
        });
        let welcome = messages(outputs, conn).find_map(|message| {
            if let ServerMessage::Welcome(welcome) = message { Some(welcome) } else { None }
        });
        let Some(welcome) = welcome else { return Err("no welcome".into()) };
        check(welcome.resumed == goes_on.is_some(), || format!("resumed: {}", welcome.resumed))?;
        let (id, sent) = match (goes_on, before) {
            (Some((id, (_, seq))), _) => {
                self.due.remove(&Due::SignIn(id));
                if let Some(member) = self.model.seat(&device).filter(|m| !m.lapsed) {
                    let user = member.user.clone();
                    if let Some(call) = self.model.place(&user) {
                        self.due.remove(&Due::Seat(call, user));
                    }
                }
                self.model.devices.insert(device.clone(), true);
                let own = self.links.values_mut().filter(|link| link.sign_in == id);
                let missed: Vec<_> = own.filter_map(|link| link.untold.take()).collect();
                missed.into_iter().for_each(|slots| self.model.hear(&device, slots));
                (id, seq)
            }
            (None, before) => {
                if let Some(before) = before {
                    self.keep_seat(now + self.grace, &device);
                    self.due.remove(&Due::SignIn(before));
                    self.sign_ins.remove(&before);
                }
                self.last += 1;
                let new = SignIn {
                    device: device.clone(),
                    conn: None,
                    secret: welcome.secret.clone(),
                    told: Vec::new(),
                    rings: BTreeMap::new(),
                    acked: 0,
                    answers: BTreeMap::new(),
                    link_lost: false,
                    links: BTreeSet::new(),
                };
                self.sign_ins.insert(self.last, new);
                self.model.sign_in(&device);
                (self.last, 0)
            }
        };
        if let Some(sign_in) = self.sign_ins.get_mut(&id) {
            sign_in.conn = Some(conn);
            sign_in.acked = sent;
            let (user, device) = sign_in.device.clone();
            check(welcome.user.username == user, || "welcome to somebody else".into())?;
            let joined = self.model.is_joined(&(user, device));
            check(welcome.link_lost == sign_in.link_lost, || format!("link lost: {}", welcome.link_lost))?;
            check(welcome.call.is_some() == (joined && !welcome.resumed), || {
                format!("welcome: joined is {joined}")
            })?;
            let place = welcome.call.as_ref().and_then(|_| self.model.place(&welcome.user.username));
            let stay = place.and_then(|call| self.model.stay(call, &welcome.user.username));
            check(number(welcome.stay) == stay.unwrap_or(0), || {
                format!("welcome to stay {}, which is {stay:?}", welcome.stay)
            })?;
        }
        self.lines
            .insert(conn, Line { sign_in: id, sent, asked: BTreeSet::new(), answered: BTreeSet::new() });
        Ok(())
    }

    /// The place of a device that is lost is kept for a while, unless it is being lost already.
    fn keep_seat(&mut self, until: u64, device: &Device) {
        let Some(user) = self.model.seat(device).filter(|m| !m.lapsed).map(|m| m.user.clone()) else {
            return;
        };
        if let Some(call) = self.model.place(&user) {
            let at = self.due.entry(Due::Seat(call, user)).or_insert(until);
            *at = until.min(*at);
        }
    }

    /// The server hands its calls over, and the devices whose user is in one or that may not have been told all: to the next they
    /// are lost, and the others are not signed in.
    fn suspended(&mut self, now: u64) {
        let devices: Vec<Device> = self.sign_ins.values().map(|sign_in| sign_in.device.clone()).collect();
        for device in &devices {
            self.keep_seat(now + self.grace, device);
        }
        let model = &self.model;
        self.sign_ins.retain(|_, sign_in| {
            let untold = sign_in.acked < sign_in.told.len() as u64;
            untold || model.place(&sign_in.device.0).is_some()
        });
        let left = &self.sign_ins;
        self.due.retain(|due, _| if let Due::SignIn(id) = due { left.contains_key(id) } else { true });
        for (id, sign_in) in &mut self.sign_ins {
            self.due.entry(Due::SignIn(*id)).or_insert(now + self.grace);
            (sign_in.conn, sign_in.link_lost) = (None, true);
        }
        self.opening.clear();
        let lost = self.sign_ins.values().map(|sign_in| (sign_in.device.clone(), false)).collect();
        self.model.server_hands_over(lost);
    }

    fn disconnected(&mut self, now: u64, conn: ConnId, silent_ms: u64) {
        let Some((id, sign_in)) = self.sign_ins.iter_mut().find(|(_, s)| s.conn == Some(conn)) else {
            return;
        };
        sign_in.conn = None;
        let (id, device) = (*id, sign_in.device.clone());
        self.model.devices.insert(device.clone(), false);
        // Where it fell silent, the time is counted from the ping that did not come.
        let until = (now + 1).max((now + self.grace).min(now - silent_ms + self.ping + self.grace));
        self.due.insert(Due::SignIn(id), until);
        self.keep_seat(until, &device);
        self.model.ring_out_of_reach(&device.0);
    }

    fn request(
        &mut self,
        now: u64,
        conn: ConnId,
        id: RequestId,
        request: &Request,
        known: &[UserRecord],
    ) -> Result<Answer, String> {
        let Some(line) = self.lines.get_mut(&conn) else { return Err("a request on no connection".into()) };
        line.asked.insert(id);
        let line = line.sign_in;
        let Some(sign_in) = self.sign_ins.get_mut(&line).filter(|s| s.conn == Some(conn)) else {
            return Ok(Answer::Failure(ErrorCode::NotLoggedIn));
        };
        if sign_in.links.contains(&id) {
            return Ok(Answer::Anything);
        }
        match sign_in.answers.get(&id) {
            Some(Some(message)) => return Ok(Answer::Same(Box::new(message.clone()))),
            Some(None) => return Ok(Answer::None),
            None => {}
        }
        sign_in.answers.insert(id, None);
        if let Request::Link { .. } | Request::Preflight { .. } = request {
            sign_in.links.insert(id);
        }
        let who = sign_in.device.clone();
        let exists = |name: &Username| known.iter().any(|record| &record.username == name);
        let number_of = |channel: &ChannelId| self.channels.get(channel).map(|(no, _)| *no);
        let answer = match request {
            Request::UpdateToken { .. } => Ok(Answer::Done),
            Request::Logout => {
                self.model.log_out(&who);
                self.model.ring_out_of_reach(&who.0);
                Ok(Answer::Done)
            }
            Request::Start { usernames } => {
                let allowance = self.budget.allowance(now, &who.0);
                self.model.start(&who, usernames, exists, allowance).map(|(call, failed)| {
                    let view = self.model.view(call, &who.0);
                    // Whoever calls somebody busy may be out of it again at once.
                    let stay = self.model.stay(call, &who.0);
                    let ringing = view.inviting.clone();
                    self.due.remove(&Due::Seat(call, who.0.clone()));
                    self.begin(now, &who.0, call, &ringing);
                    Answer::Start { view, stay, failed }
                })
            }
            Request::Accept { channel_id, stay } => {
                let stay = number(*stay);
                self.model.accept(&who, number_of(channel_id), stay).map(|call| {
                    self.due.remove(&Due::Seat(call, who.0.clone()));
                    Answer::Accept { view: self.model.view(call, &who.0), stay }
                })
            }
            Request::Refuse { channel_id, stay } => {
                self.model.refuse(&who, number_of(channel_id), number(*stay)).map(|()| Answer::Done)
            }
            Request::Leave { channel_id, stay, reason } => {
                self.model.hang_up(&who, number_of(channel_id), stay.map(number), *reason);
                Ok(Answer::Done)
            }
            Request::Invite { channel_id, usernames } => {
                let allowance = self.budget.allowance(now, &who.0);
                let result = self.model.invite(&who, number_of(channel_id), usernames, exists, allowance);
                result.map(|(call, invited, failed)| {
                    self.begin(now, &who.0, call, &invited);
                    Answer::Invite { invited, failed }
                })
            }
            Request::Mute { channel_id, muted } => {
                let allowance = self.mutings.allowance(now, &who.0);
                self.model.mute(&who, number_of(channel_id), *muted, allowance).map(|news| {
                    self.mutings.spend(now, &who.0, u64::from(news));
                    Answer::Mute
                })
            }
            // On a link that belongs to no call, or answered by the store: nothing that the model knows.
            Request::Preflight { .. }
            | Request::EndPreflight
            | Request::Users { .. }
            | Request::UpdateProfile { .. }
            | Request::UpdateRelation { .. }
            | Request::Relations { .. }
            | Request::History { .. } => Ok(Answer::Anything),
            Request::Link { channel_id, stay, .. } => {
                let call = number_of(channel_id);
                let taken = self.model.take_up(&who, call, number(*stay));
                if let (Ok(()), Some(sign_in)) = (taken, self.sign_ins.get_mut(&line)) {
                    sign_in.link_lost = false;
                }
                if let (Ok(()), Some(call)) = (taken, call)
                    && self.model.is_joined(&who)
                {
                    self.due.remove(&Due::Seat(call, who.0.clone()));
                }
                taken.map(|()| Answer::Anything)
            }
        };
        Ok(answer.unwrap_or_else(Answer::Failure))
    }

    /// What comes of invitations at once and later.
    fn begin(&mut self, now: u64, by: &Username, call: CallNo, invited: &[Username]) {
        self.budget.spend(now, by, invited.len() as u64);
        for user in invited {
            self.pushes.remove(&(call, user.clone()));
            self.due.insert(Due::Ring(call, user.clone()), now + self.ring);
        }
        self.model.ring(call, invited);
    }

    /// Whoever begins to ring and has no device that can be reached, or rings and has none any more, is woken, twice for one
    /// invitation, and nobody else.
    fn woken(&mut self, outputs: &[Output]) -> Result<(), String> {
        let rung = std::mem::take(&mut self.model.rung);
        let mut expected = Vec::new();
        for (call, user) in rung.iter().filter(|(_, user)| !self.model.is_reachable(user)) {
            let pushes = self.pushes.entry((*call, user.clone())).or_insert(0);
            if *pushes < 2 {
                *pushes += 1;
                expected.push(user);
            }
        }
        let mut woken = Vec::new();
        for output in outputs {
            if let Output::Push(push) = output {
                woken.push(&push.user);
            }
        }
        check(woken == expected, || format!("woken {woken:?}, not {expected:?}"))
    }

    /// Each call that has ended is recorded, once and as it was.
    fn ended(&mut self, outputs: &[Output]) -> Result<(), String> {
        let over = std::mem::take(&mut self.model.over);
        let mut records = Vec::new();
        for output in outputs {
            if let Output::Record(record) = output {
                records.push(record);
            }
        }
        check(over.len() == records.len(), || {
            format!("{} calls ended, {} records", over.len(), records.len())
        })?;
        for (past, record) in over.into_iter().zip(records) {
            self.compare_call(&record.channel_id, record.start_time, past.call)?;
            let right = past.record(record.channel_id.clone());
            check(*record == right, || format!("{record:?} where the model says {right:?}"))?;
            self.history.add(record.channel_id.clone(), past);
        }
        Ok(())
    }

    fn answer(
        &mut self,
        conn: ConnId,
        id: RequestId,
        answer: &Answer,
        outputs: &[Output],
    ) -> Result<(), String> {
        let message = messages(outputs, conn).find(|message| answers(message) == Some(id));
        let right = match (answer, message) {
            (Answer::None, None) | (Answer::Anything, _) => true,
            (Answer::Same(before), Some(message)) => *message == **before,
            (Answer::Done, Some(ServerMessage::Reply { .. })) => true,
            (Answer::Failure(code), Some(ServerMessage::Failure { error, .. })) => error.code == *code,
            (
                Answer::Start { view, stay, failed },
                Some(ServerMessage::Reply {
                    reply: Reply::Start { session, stay: of, failed: told }, ..
                }),
            ) => {
                self.channels.entry(session.channel_id.clone()).or_insert((view.call, 0));
                self.compare(session, view)?;
                Some(number(*of)) == *stay && same(told.iter().map(|f| &f.username), failed)
            }
            (Answer::Mute, Some(ServerMessage::Reply { reply: Reply::Mute, .. })) => true,
            (
                Answer::Accept { view, stay },
                Some(ServerMessage::Reply { reply: Reply::Accept { session, stay: of }, .. }),
            ) => {
                self.compare(session, view)?;
                number(*of) == *stay
            }
            (
                Answer::Invite { invited, failed },
                Some(ServerMessage::Reply { reply: Reply::Invite { invited: told, failed: not }, .. }),
            ) => told == invited && same(not.iter().map(|f| &f.username), failed),
            _ => false,
        };
        check(right, || format!("{message:?} where the model says {answer:?}"))
    }

    fn sent(
        &mut self,
        now: u64,
        conn: ConnId,
        message: &ServerMessage,
        asked: Option<((ConnId, RequestId), u64)>,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&conn) else { return Ok(()) };
        let sign_in = self.sign_ins.get_mut(&line.sign_in);
        if let Some(id) = answers(message) {
            check(line.answered.insert(id), || format!("request {id} is answered twice"))?;
            if let Some(sign_in) = sign_in {
                sign_in.answers.insert(id, Some(message.clone()));
            }
            return Ok(());
        }
        let ServerMessage::Event { seq, event } = message else { return Ok(()) };
        line.sent += 1;
        check(*seq == line.sent, || format!("event {seq} where {} is next", line.sent))?;
        if let Some(((asker, id), before)) = asked {
            let early = asker == conn && *seq > before && !line.answered.contains(&id);
            check(!early, || "an event before the answer to what causes it".into())?;
        }
        let Some(sign_in) = sign_in else { return Ok(()) };
        let told = sign_in.told.get(*seq as usize - 1).cloned();
        let until = sign_in.rings.get(seq).copied();
        let who = sign_in.device.1.clone();
        let what = what(event);
        let Some(told) = told else { return Err(format!("{who} is told {what:?}, by the model nothing")) };
        check(told.what == what, || format!("{who} is told {what:?}, by the model {:?}", told.what))?;
        if let (ServerEvent::Invited { ring_ms, .. }, Some(until)) = (event, until) {
            // Also where it is told late.
            let left = until.saturating_sub(now);
            check(*ring_ms == left, || format!("rings for {ring_ms} ms, but for {left} there are"))?;
        }
        self.compare_event(event, &told.view).map_err(|e| format!("{who}, {what:?}: {e}"))
    }

    /// A whole session is what the model says; a change is of the same call. What a device makes of it [`Self::shows`].
    fn compare_event(&mut self, event: &ServerEvent, view: &View) -> Result<(), String> {
        match event {
            ServerEvent::Invited { session, .. } | ServerEvent::Ended { session, .. } => {
                self.compare(session, view)
            }
            ServerEvent::Joined { channel_id, start_time, .. } => {
                check(*start_time != 0, || "a join that begins nothing".into())?;
                self.compare_call(channel_id, *start_time, view.call)
            }
            ServerEvent::Left { channel_id, .. }
            | ServerEvent::OthersInvited { channel_id, .. }
            | ServerEvent::Muted { channel_id, .. }
            | ServerEvent::Slots { channel_id, .. } => self.compare_call(channel_id, 0, view.call),
        }
    }

    /// A session is what the model says, and began when it has always begun.
    fn compare(&mut self, session: &Session, view: &View) -> Result<(), String> {
        self.compare_call(&session.channel_id, session.start_time, view.call)?;
        let seen = view_of(view.call, session);
        check(&seen == view, || format!("{seen:?} where the model says {view:?}"))
    }

    /// A channel is of that call, and began when it has always begun; 0 says nothing.
    fn compare_call(&mut self, channel: &ChannelId, start_time: i64, call: CallNo) -> Result<(), String> {
        let Some((no, began)) = self.channels.get_mut(channel) else {
            return Err(format!("there is no call {channel}"));
        };
        // An event that is sent again shows what was.
        let constant = *began == 0 || start_time == 0 || *began == start_time;
        check(constant, || "it began at another time".into())?;
        *began = start_time.max(*began);
        check(*no == call, || format!("{channel} is call {no} where the model says {call}"))
    }

    /// What a member shows right after it was told of a change is what the model has seen then.
    pub(crate) fn shows(&self, conn: ConnId, seq: u64, session: &Session) -> Result<(), String> {
        let sign_in = self.lines.get(&conn).and_then(|line| self.sign_ins.get(&line.sign_in));
        let Some(told) = sign_in.and_then(|sign_in| sign_in.told.get(seq as usize - 1)) else {
            return Ok(());
        };
        let began = self.channels.get(&session.channel_id).map_or(0, |(_, began)| *began);
        let (seen, view) = (view_of(told.view.call, session), &told.view);
        check(&seen == view && (!view.begun || session.start_time == began), || {
            format!("shows {seen:?} after {:?}, where the model says {view:?}", told.what)
        })
    }

    /// Who is rung at the moment and may know, with the call, the stay that it would be and since when.
    pub(crate) fn rung(&self) -> impl Iterator<Item = (&ChannelId, Stay, &Username, u64)> {
        self.due.iter().filter_map(|(due, until)| {
            let Due::Ring(call, user) = due else { return None };
            let named = self.channels.iter().find(|(_, (no, _))| no == call)?;
            let stay = self.model.stay(*call, user).and_then(|stay| Stay::try_from(stay).ok())?;
            self.model.is_known(*call, user).then_some((named.0, stay, user, until - self.ring))
        })
    }

    /// What is asked on a connection that stands is answered on it.
    pub(crate) fn all_answered(&self) -> Result<(), String> {
        for sign_in in self.sign_ins.values() {
            let Some(line) = sign_in.conn.and_then(|conn| self.lines.get(&conn)) else { continue };
            let left: Vec<_> = line.asked.difference(&line.answered).collect();
            check(left.is_empty(), || format!("the server owes {} answers to {left:?}", sign_in.device.1))?;
        }
        Ok(())
    }

    /// What a device shows is what there is.
    pub(crate) fn agrees(&self, session: &Session, user: &Username) -> Result<(), String> {
        let call = self.channels.get(&session.channel_id).map(|(call, _)| *call);
        let Some(call) = call.filter(|call| self.model.calls.contains_key(call)) else {
            return Err(format!("shows {}, which is over", session.channel_id));
        };
        let (seen, view) = (view_of(call, session), self.model.view(call, user));
        check(seen == view, || format!("shows {seen:?} where the model says {view:?}"))
    }
}

/// What is sent on a connection.
fn messages(outputs: &[Output], conn: ConnId) -> impl Iterator<Item = &ServerMessage> {
    outputs.iter().filter_map(move |output| match output {
        Output::Send { conn: to, message } if *to == conn => Some(message),
        Output::Send { .. }
        | Output::Close { .. }
        | Output::Push(_)
        | Output::Handover(_)
        | Output::Record(_)
        | Output::Media(_) => None,
    })
}

fn answers(message: &ServerMessage) -> Option<RequestId> {
    match message {
        ServerMessage::Reply { id, .. } | ServerMessage::Failure { id, .. } => Some(*id),
        ServerMessage::Welcome(_)
        | ServerMessage::Event { .. }
        | ServerMessage::Fault { .. }
        | ServerMessage::Closing { .. }
        | ServerMessage::Pong => None,
    }
}

/// A stay's number in the model, whose stays begin in the same order.
const fn number(stay: Stay) -> StayNo {
    stay as StayNo
}

fn what(event: &ServerEvent) -> What {
    let name = |user: &User| user.username.clone();
    match event {
        ServerEvent::Invited { stay, .. } => What::Invited(number(*stay)),
        ServerEvent::Joined { user, .. } => What::Joined(name(user)),
        ServerEvent::Left { user, reason, detail, .. } => What::Left(name(user), (*reason, *detail)),
        ServerEvent::OthersInvited { users, by, .. } => {
            What::OthersInvited { users: users.iter().map(name).collect(), by: name(by) }
        }
        ServerEvent::Muted { user, muted, .. } => What::Muted(name(user), *muted),
        ServerEvent::Ended { stay, reason, detail, .. } => What::Ended(number(*stay), (*reason, *detail)),
        ServerEvent::Slots { slots, .. } => What::Heard(slots.clone()),
    }
}

fn view_of(call: CallNo, session: &Session) -> View {
    let names = |users: &[User]| users.iter().map(|user| user.username.clone()).collect();
    View {
        call,
        inviter: session.inviter.username.clone(),
        inviting: names(&session.inviting_members),
        joined: names(&session.joined_members),
        muted: session.muted_members.clone(),
        begun: session.start_time != 0,
        invited_by: session.invited_by.as_ref().map(|user| user.username.clone()),
        silent: session.silent,
    }
}

fn same<'a>(some: impl Iterator<Item = &'a Username>, others: &'a [Username]) -> bool {
    some.collect::<BTreeSet<_>>() == others.iter().collect()
}
