//! The rooms and the media relay.

use super::*;

impl World {
    pub(super) fn record(&self, user: &Username) -> UserRecord {
        let of_user = self.relations.iter().filter(|((of, _), _)| of == user);
        UserRecord {
            username: user.clone(),
            profile: self.profiles.get(user).cloned().unwrap_or_default(),
            relations: of_user.map(|((_, to), relation)| (to.clone(), relation.clone())).collect(),
        }
    }

    pub(super) fn server(&mut self, input: jmrtc_rooms::Input) -> Result<(), String> {
        let outputs = self.rooms.handle(jmrtc_rooms::Timestamp(self.now), input);
        self.steps += 1;
        if self.thorough || self.steps.is_multiple_of(32) {
            self.rooms.audit()?;
        }
        for output in outputs {
            match output {
                jmrtc_rooms::Output::Send { conn, message } => self.send(conn, message)?,
                jmrtc_rooms::Output::Close { conn: id } => {
                    let at = self.now + self.latency();
                    if let Some(conn) = self.conns.get_mut(&id) {
                        conn.at_server = false;
                        let at = conn.down(at);
                        if !conn.broken {
                            self.agenda.plan(at, Item::ClosedToClient(id));
                        }
                    }
                }
                jmrtc_rooms::Output::Media(command) => self.relay(command)?,
                jmrtc_rooms::Output::Record(record) => self.records.push(record),
                jmrtc_rooms::Output::Push { .. } => {}
            }
        }
        self.expire()
    }

    pub(super) fn send(&mut self, id: ConnId, message: ServerMessage) -> Result<(), String> {
        if self.thorough {
            let sent = decode_server(&encode(&message)).map_err(|e| e.to_string())?;
            check(sent == message, || "a message that JSON changes".into())?;
        }
        let at = self.now + self.latency();
        if let Some(conn) = self.conns.get_mut(&id).filter(|c| !c.broken) {
            let at = conn.down(at);
            self.agenda.plan(at, Item::ToClient(id, message));
        }
        Ok(())
    }

    pub(super) fn relay(&mut self, command: MediaCommand) -> Result<(), String> {
        let (link, ticket, opens) = match command {
            MediaCommand::Open { link, ticket, .. } => {
                check(self.links.insert(link, false).is_none(), || "a link opened twice".into())?;
                (link, ticket, true)
            }
            MediaCommand::Renew { link, ticket, .. } => (link, ticket, false),
            MediaCommand::Admit { link, .. } => {
                let Some(admitted) = self.links.get_mut(&link) else { return Err("no such link".into()) };
                return check(!std::mem::replace(admitted, true), || "admitted twice".into());
            }
            MediaCommand::Close { link } => {
                return check(self.links.remove(&link).is_some(), || "a link closed twice".into());
            }
            MediaCommand::Echo { .. } => return Ok(()),
        };
        check(self.links.contains_key(&link), || "no such link".into())?;
        let refused = self.chaos && self.roll(25) == 0;
        let result = if refused { Err("sdp".to_owned()) } else { Ok("answer".to_owned()) };
        let at = self.now + self.roll(30);
        let unmade = (refused && opens).then_some(link);
        self.agenda.plan(at, Item::LinkAnswer { ticket, result, unmade, server: self.server });
        Ok(())
    }
}
