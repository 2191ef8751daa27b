//! The rooms and the media relay.

use super::*;

/// As much of one as a machine looks at.
const ANSWER: &str =
    "a=candidate:1 1 udp 2 10.0.0.1 1 typ host\r\na=candidate:2 1 tcp 1 10.0.0.1 2 typ host\r\n";

impl World {
    pub(super) fn record(&self, user: &Username) -> UserRecord {
        let of_user = self.relations.iter().filter(|((of, _), _)| of == user);
        UserRecord {
            username: user.clone(),
            profile: self.profile(user),
            relations: of_user.map(|((_, to), relation)| (to.clone(), relation.clone())).collect(),
        }
    }

    pub(super) fn server(&mut self, input: jmrtc_rooms::Input) -> Result<(), String> {
        let outputs = self.rooms.handle(jmrtc_rooms::Timestamp(self.now), input.clone());
        self.mirror.follow(self.now, &input, &outputs).map_err(|what| format!("the server: {what}"))?;
        self.steps += 1;
        if self.thorough || self.steps.is_multiple_of(32) {
            self.rooms.audit()?;
        }
        for output in outputs {
            match output {
                jmrtc_rooms::Output::Send { conn, message } => self.send(conn, message)?,
                jmrtc_rooms::Output::Close { conn } => self.close(conn),
                jmrtc_rooms::Output::Media(command) => self.relay(command)?,
                jmrtc_rooms::Output::Record(record) => self.records.push(record),
                jmrtc_rooms::Output::Push(_) => {}
                // As it is kept on the disk.
                jmrtc_rooms::Output::Handover(handover) => {
                    let kept = serde_json::to_string(&handover).map_err(|e| e.to_string())?;
                    self.handover = Some(serde_json::from_str(&kept).map_err(|e| e.to_string())?);
                }
            }
        }
        self.only_members_are_heard()?;
        self.expire()
    }

    /// The media relay forwards between links that are admitted into the same: each must be of a device that the semantics
    /// have in a call, or a preflight that is alone.
    fn only_members_are_heard(&self) -> Result<(), String> {
        for link in self.links.values().filter(|link| link.admitted.is_some()) {
            let dev = &self.devices[link.device];
            let together = self.links.values().filter(|other| other.admitted == link.admitted).count();
            let may = if link.wanted.preflight {
                together == 1
            } else {
                self.mirror.model.is_joined(&(dev.user.clone(), dev.signs_in_as.clone()))
            };
            check(may, || format!("{} is heard and no member", dev.id))?;
        }
        Ok(())
    }

    /// Connections whose token is no longer good are closed, those of users in a call once that is over.
    pub(super) fn expire(&mut self) -> Result<(), String> {
        let over = |c: &Conn| {
            let there = c.greeted && c.at_server && c.server == self.server;
            there && c.expires <= self.now && !self.rooms.is_in_call(&self.devices[c.device].user)
        };
        let over = self.conns.iter().find(|(_, c)| over(c)).map(|(id, _)| *id);
        let Some(id) = over else { return Ok(()) };
        self.outcome.rejected += 1;
        self.send(id, ServerMessage::Closing { reason: Closing::TokenExpired })?;
        self.close(id);
        // And so on with the next.
        self.server(jmrtc_rooms::Input::Disconnected { conn: id, silent_ms: 0 })
    }

    /// Closes a connection once everything sent before has gone out.
    pub(super) fn close(&mut self, id: ConnId) {
        let Some(device) = self.conns.get(&id).map(|c| c.device) else { return };
        let at = self.now + self.latency(Roll::Down, device);
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.at_server = false;
            let at = conn.down(at);
            if !conn.broken {
                self.agenda.plan(at, Item::ClosedToClient(id));
            }
        }
    }

    pub(super) fn send(&mut self, id: ConnId, message: ServerMessage) -> Result<(), String> {
        if self.thorough {
            let sent = decode_server(&encode(&message)).map_err(|e| e.to_string())?;
            check(sent == message, || "a message that JSON changes".into())?;
        }
        if let ServerMessage::Failure { error, .. } = &message {
            self.outcome.limited += u64::from(error.description.contains("within a short time"));
            self.outcome.fidgeted += u64::from(error.description.contains("muted and unmuted too often"));
        }
        let Some(device) = self.conns.get(&id).map(|c| c.device) else { return Ok(()) };
        let at = self.now + self.latency(Roll::Down, device);
        if let Some(conn) = self.conns.get_mut(&id).filter(|c| !c.broken) {
            let at = conn.down(at);
            self.agenda.plan(at, Item::ToClient(id, message));
        }
        Ok(())
    }

    pub(super) fn relay(&mut self, command: MediaCommand) -> Result<(), String> {
        let (link, ticket, opens) = match command {
            MediaCommand::Open { link, ticket, .. } => {
                let slots = vec![None; SLOTS.into()];
                let new = Link { device: self.asking, wanted: self.wanted, admitted: None, slots };
                check(self.links.insert(link, new).is_none(), || "a link opened twice".into())?;
                (link, ticket, true)
            }
            MediaCommand::Renew { link, ticket, .. } => {
                let same = self.links.get(&link).is_some_and(|link| link.wanted == self.wanted);
                check(same, || "a new link in place of an old one".into())?;
                (link, ticket, false)
            }
            MediaCommand::Admit { link, call, .. } => {
                let Some(link) = self.links.get_mut(&link) else { return Err("no such link".into()) };
                return check(link.admitted.replace(call).is_none(), || "admitted twice".into());
            }
            MediaCommand::Close { link } => {
                return check(self.links.remove(&link).is_some(), || "a link closed twice".into());
            }
            MediaCommand::Echo { call, on } => {
                let was_on = if on { !self.echoes.insert(call) } else { self.echoes.remove(&call) };
                return check(on || was_on, || "an echo that is off is switched off".into());
            }
        };
        check(self.links.contains_key(&link), || "no such link".into())?;
        let refused = self.luck.strikes(Roll::Relay, self.now, ticket.0, 25);
        let result = if refused { Err("sdp".to_owned()) } else { Ok(ANSWER.to_owned()) };
        let at = self.now + self.luck.roll(Roll::RelayTime, self.now, ticket.0, 30);
        let unmade = (refused && opens).then_some(link);
        self.agenda.plan(at, Item::LinkAnswer { ticket, result, unmade, server: self.server });
        Ok(())
    }
}
