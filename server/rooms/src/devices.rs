//! Devices come, are lost, come back and go.

use jmrtc_protocol::limits::MAX_DEVICE_ID_BYTES;
use jmrtc_protocol::{
    ClientSettings, Closing, ErrorCode, Failure, PROTOCOL_VERSION, Resume, ServerEvent, ServerMessage,
    Username, Welcome,
};

use crate::call::{Joined, Seat, stay};
use crate::decide::Gone;
use crate::link::Closed;
use crate::rooms::Rooms;
use crate::signin::{Answers, Events, Secret, SignIn, SignInId};
use crate::timers::Due;
use crate::{CallKey, ConnId, Output, UserRecord};

/// Devices of one user that are signed in at the same time.
pub(crate) const MAX_DEVICES: usize = 16;

impl Rooms {
    pub(crate) fn hello(
        &mut self,
        conn: ConnId,
        user: Username,
        device: &str,
        resume: Option<&Resume>,
        known: Vec<UserRecord>,
    ) {
        if self.stopped {
            self.send(conn, ServerMessage::Closing { reason: Closing::ServerShutdown });
            self.out.push(Output::Close { conn });
            return;
        }
        if self.conns.contains_key(&conn) {
            let error = Failure::new(ErrorCode::InvalidState, "this connection is signed in already");
            self.send(conn, ServerMessage::Fault { error });
            return;
        }
        let before = self.device(&user, device);
        if let Err(error) = self.may_sign_in(&user, device, before) {
            self.send(conn, ServerMessage::Fault { error });
            self.out.push(Output::Close { conn });
            return;
        }
        let record = known.into_iter().find(|r| r.username == user);
        let goes_on = before.filter(|id| self.can_resume(*id, resume));
        match (goes_on, resume) {
            (Some(id), Some(resume)) => self.come_back(id, conn, resume, record),
            (Some(_) | None, Some(_) | None) => self.sign_in(conn, user, device, before, record),
        }
    }

    fn may_sign_in(
        &mut self,
        user: &Username,
        device: &str,
        before: Option<SignInId>,
    ) -> Result<(), Failure> {
        if self.config.robots.contains(user) {
            return Err(Failure::new(ErrorCode::LoginRejected, "this user is a robot of the server"));
        }
        if device.is_empty() || device.len() > MAX_DEVICE_ID_BYTES {
            let description = format!("a device id has 1 to {MAX_DEVICE_ID_BYTES} bytes");
            return Err(Failure::new(ErrorCode::InvalidParameter, description));
        }
        let devices = self.devices_of(user);
        if before.is_some() || devices.len() < MAX_DEVICES {
            return Ok(());
        }
        // A device that is lost and in no call gives way: it would only be gone a little earlier.
        let place = self.places.get(user).and_then(|call| self.calls.get(call));
        let seat = place.and_then(|call| call.joined(user));
        let spare = devices.into_iter().find(|id| {
            self.sign_ins
                .get(id)
                .is_some_and(|s| s.conn.is_none() && !seat.is_some_and(|seat| seat.is_with(&s.device)))
        });
        let Some(spare) = spare else {
            let description = format!("a user has at most {MAX_DEVICES} devices signed in");
            return Err(Failure::new(ErrorCode::LimitExceeded, description));
        };
        self.sign_out(spare);
        Ok(())
    }

    fn can_resume(&self, id: SignInId, resume: Option<&Resume>) -> bool {
        resume.zip(self.sign_ins.get(&id)).is_some_and(|(resume, sign_in)| {
            sign_in.secret.is(&resume.secret) && sign_in.events.reach_back_to(resume.seq)
        })
    }

    /// A sign-in goes on with another connection: the device gets the events that it missed.
    fn come_back(&mut self, id: SignInId, conn: ConnId, resume: &Resume, record: Option<UserRecord>) {
        self.close_conn(id, Some(Closing::Replaced));
        self.timers.clear(&Due::SignIn(id));
        if let Some(record) = record {
            self.directory.renew(record);
        }
        if let Some((call, user)) = self.seat_of(id) {
            self.timers.clear(&Due::Seat(call, user));
        }
        let Some(sign_in) = self.sign_ins.get_mut(&id) else { return };
        sign_in.conn = Some(conn);
        sign_in.secret = Secret::Known(resume.secret.clone());
        sign_in.events.ack(resume.seq);
        let missed = sign_in.events.again(self.now);
        let link = sign_in.link.as_mut();
        let slots = link.and_then(|link| Some((link.call, link.untold_slots.take()?)));
        self.conns.insert(conn, id);
        self.welcome(id, conn, &resume.secret, true);
        for message in missed {
            self.send(conn, message);
        }
        if let Some((call, slots)) = slots
            && let Some(call) = self.calls.get(&call)
        {
            let channel_id = call.channel.clone();
            self.tell(id, ServerEvent::Slots { channel_id, slots });
        }
    }

    /// A new sign-in. A place in a call that the device had before is kept for a while.
    fn sign_in(
        &mut self,
        conn: ConnId,
        user: Username,
        device: &str,
        before: Option<SignInId>,
        record: Option<UserRecord>,
    ) {
        let id = SignInId(self.number());
        let record = record.unwrap_or_else(|| self.directory.record(&user));
        self.directory.hold(record);
        if let Some(before) = before {
            if let Some((call, user)) = self.seat_of(before) {
                let until = self.now.plus(self.config.grace_ms);
                self.timers.set_no_later(Due::Seat(call, user), until);
            }
            self.close_conn(before, Some(Closing::Replaced));
            self.sign_out(before);
        }
        let secret = self.unguessable();
        let sign_in = SignIn {
            user: user.clone(),
            device: device.to_owned(),
            secret: Secret::Known(secret.clone()),
            conn: Some(conn),
            events: Events::default(),
            answers: Answers::default(),
            link: None,
            link_lost: false,
            preflight: None,
        };
        self.sign_ins.insert(id, sign_in);
        self.devices.entry(user.clone()).or_default().insert(device.to_owned(), id);
        self.conns.insert(conn, id);
        self.welcome(id, conn, &secret, false);
        if let Some(call) = self.places.get(&user).copied() {
            self.show(call, &user, id);
        }
    }

    fn welcome(&mut self, id: SignInId, conn: ConnId, secret: &str, resumed: bool) {
        let Some(sign_in) = self.sign_ins.get(&id) else { return };
        let config = &self.config;
        // Whoever goes on gets what it missed.
        let joined = self.joined_with(sign_in).filter(|_| !resumed);
        let stay = joined.map_or(0, |(_, member)| stay(member.entry));
        let call = joined.map(|(call, member)| call.session(&self.directory, &member.viewer()));
        let welcome = Welcome {
            protocol: PROTOCOL_VERSION,
            user: self.directory.view(&sign_in.user, &sign_in.user),
            secret: secret.to_owned(),
            resumed,
            link_lost: sign_in.link_lost,
            call,
            stay,
            settings: ClientSettings {
                ring_ms: config.ring_ms,
                grace_ms: config.grace_ms,
                ping_ms: config.ping_ms,
                max_members: u32::try_from(config.max_members).unwrap_or(u32::MAX),
                slots: config.slots,
                ice_servers: config.ice_servers.clone(),
            },
        };
        self.send(conn, ServerMessage::Welcome(Box::new(welcome)));
    }

    pub(crate) fn ping(&mut self, conn: ConnId, ack: u64) {
        if let Some(sign_in) = self.conns.get(&conn).and_then(|id| self.sign_ins.get_mut(id)) {
            sign_in.events.ack(ack);
            sign_in.answers.seen(conn, ack);
            self.send(conn, ServerMessage::Pong);
        }
    }

    pub(crate) fn disconnected(&mut self, conn: ConnId, silent_ms: u64) {
        let Some(id) = self.conns.remove(&conn) else { return };
        let Some(sign_in) = self.sign_ins.get_mut(&id) else { return };
        sign_in.conn = None;
        let user = sign_in.user.clone();
        let missed = silent_ms.saturating_sub(self.config.ping_ms);
        // At the earliest with the next deadline, as all that happens by itself.
        let until = self.now.plus(self.config.grace_ms.saturating_sub(missed).max(1));
        self.timers.set(Due::SignIn(id), until);
        if let Some((call, user)) = self.seat_of(id) {
            self.timers.set_no_later(Due::Seat(call, user), until);
        }
        self.out_of_reach(&user);
    }

    /// Takes the connection from a sign-in, if it has one.
    pub(crate) fn close_conn(&mut self, id: SignInId, reason: Option<Closing>) {
        let Some(conn) = self.sign_ins.get_mut(&id).and_then(|s| s.conn.take()) else { return };
        self.conns.remove(&conn);
        if let Some(reason) = reason {
            self.send(conn, ServerMessage::Closing { reason });
        }
        self.out.push(Output::Close { conn });
    }

    /// Forgets a sign-in. A place in a call stays until its own time is up.
    pub(crate) fn sign_out(&mut self, id: SignInId) {
        self.close_link(id, Closed::CallEnded);
        self.end_preflight(id, Closed::CallEnded);
        self.timers.clear(&Due::SignIn(id));
        let Some(sign_in) = self.sign_ins.remove(&id) else { return };
        if let Some(devices) = self.devices.get_mut(&sign_in.user) {
            devices.remove(&sign_in.device);
            if devices.is_empty() {
                self.devices.remove(&sign_in.user);
            }
        }
        self.directory.release(&sign_in.user);
    }

    /// A user is no more. Calls that ring hidden from it go on as if it were still there: nobody learns of that either.
    pub(crate) fn deleted(&mut self, user: &Username) {
        if let Some(key) = self.places.get(user).copied() {
            let joined = self.calls.get(&key).is_some_and(|call| call.joined(user).is_some());
            self.depart(key, user, if joined { Gone::HungUp } else { Gone::NoAnswer });
        }
        for id in self.devices_of(user) {
            self.close_conn(id, Some(Closing::TokenExpired));
            self.sign_out(id);
        }
        self.directory.deleted(user);
    }

    /// The call in which the device of a sign-in is joined, whichever sign-in of the device that was.
    fn joined_with(&self, sign_in: &SignIn) -> Option<(&crate::call::Call, &Joined)> {
        let call = self.places.get(&sign_in.user).and_then(|key| self.calls.get(key))?;
        let member = call.joined(&sign_in.user).filter(|m| m.is_with(&sign_in.device))?;
        Some((call, member))
    }

    /// The call in which a sign-in itself has a seat.
    fn seat_of(&self, id: SignInId) -> Option<(CallKey, Username)> {
        let (call, member) = self.joined_with(self.sign_ins.get(&id)?)?;
        match &member.seat {
            Seat::Device { sign_in, .. } if *sign_in == id => Some((call.key, member.user.clone())),
            Seat::Device { .. } | Seat::Robot => None,
        }
    }
}
