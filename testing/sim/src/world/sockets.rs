//! Sockets: opened, broken, let go.

use super::*;

impl World {
    /// Whether the device and the server do not reach each other, known to them or not, or only just do.
    pub(super) fn is_cut_off(&self, device: usize) -> bool {
        let lately = |at: u64| self.now - at < self.times.ping + 1_000;
        let conn = self.devices[device].conn.and_then(|id| self.conns.get(&id));
        conn.is_none_or(|c| {
            c.broken || !c.at_server || c.server != self.server || !lately(c.heard) || lately(c.opened)
        })
    }

    pub(super) fn open(&mut self, device: usize, generation: u32) {
        self.hang(device);
        let id = ConnId(self.number());
        let life = self.devices[device].life;
        self.conns.insert(id, Conn::new(device, life, generation, self.server));
        self.devices[device].conn = Some(id);
        let at = self.now + self.latency();
        let offline = self.down || self.now < self.devices[device].offline_until;
        let unlucky = self.chaos && self.roll(20) == 0;
        match (offline || unlucky, self.roll(2)) {
            (false, _) => self.agenda.plan(at, Item::Opened(id)),
            (true, 0) => self.agenda.plan(at, Item::ClosedToClient(id)),
            // Swallowed: neither opens nor fails.
            (true, _) => self.brake(id),
        }
    }

    /// The client lets go of its socket.
    pub(super) fn hang(&mut self, device: usize) {
        let Some(id) = self.devices[device].conn.take() else { return };
        let at = self.now + self.latency();
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.at_client = false;
            let at = conn.up(at);
            if !conn.broken {
                self.agenda.plan(at, Item::ClosedToServer(id));
            }
        }
    }

    pub(super) fn brake(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.broken = true;
        }
    }

    pub(super) fn opened(&mut self, id: ConnId) -> Result<(), String> {
        let Some(conn) = self.conns.get_mut(&id).filter(|c| c.at_client && !c.broken) else { return Ok(()) };
        conn.heard = self.now;
        conn.opened = self.now;
        conn.server = self.server;
        let (device, life, generation) = (conn.device, conn.life, conn.generation);
        self.agenda.plan(self.now + self.times.ping, Item::Watch(id));
        self.socket(device, life, generation, SocketEvent::Opened)
    }

    pub(super) fn at_server(&mut self, id: ConnId, message: ClientMessage) -> Result<(), String> {
        let now = self.now;
        let server = self.server;
        let alive = |c: &&mut Conn| c.at_server && !c.broken && c.server == server;
        let Some(conn) = self.conns.get_mut(&id).filter(alive) else { return Ok(()) };
        conn.heard = now;
        let user = self.devices[conn.device].user.clone();
        let input = match message {
            ClientMessage::Hello(mut hello) => {
                let good =
                    |user: &&Username| app::good_until(&hello.token, user).is_some_and(|until| until > now);
                let Some(user) = self.users.iter().find(good).cloned() else {
                    conn.at_server = false;
                    let error = Failure::new(ErrorCode::LoginRejected, "the token is no good");
                    return self.send(id, ServerMessage::Fault { error });
                };
                conn.greeted = true;
                conn.expires = app::good_until(&hello.token, &user).unwrap_or_default();
                self.agenda.plan(conn.expires, Item::Expire);
                self.devices[conn.device].belongs_to(&user);
                let known = vec![self.record(&user)];
                // As if it had missed more events than are kept for it.
                if self.chaos && self.roll(6) == 0 {
                    hello.resume = None;
                }
                jmrtc_rooms::Input::Hello {
                    conn: id,
                    user,
                    device: hello.device,
                    resume: hello.resume,
                    known,
                }
            }
            ClientMessage::Request { id: request_id, request: Request::UpdateToken { token } } => {
                let Some(until) = app::good_until(&token, &user).filter(|until| *until > now) else {
                    let error = Failure::new(ErrorCode::LoginRejected, "the token is no good");
                    return self.send(id, ServerMessage::Failure { id: request_id, error });
                };
                conn.expires = until;
                self.agenda.plan(until, Item::Expire);
                let request = Request::UpdateToken { token };
                jmrtc_rooms::Input::Request { conn: id, id: request_id, request, known: vec![] }
            }
            ClientMessage::Request {
                id: request_id,
                request:
                    request @ (Request::Users { .. }
                    | Request::UpdateProfile { .. }
                    | Request::UpdateRelation { .. }
                    | Request::History { .. }),
            } => return self.ask_store(id, &user, request_id, request),
            ClientMessage::Request { id: request_id, request } => {
                let named: &[Username] = match &request {
                    Request::Start { usernames } | Request::Invite { usernames, .. } => usernames,
                    Request::UpdateToken { .. }
                    | Request::Logout
                    | Request::Accept { .. }
                    | Request::Refuse { .. }
                    | Request::Leave { .. }
                    | Request::Mute { .. }
                    | Request::Link { .. }
                    | Request::Users { .. }
                    | Request::UpdateProfile { .. }
                    | Request::UpdateRelation { .. }
                    | Request::History { .. }
                    | Request::Preflight { .. }
                    | Request::EndPreflight => &[],
                };
                let known = named.iter().filter(|n| self.users.contains(n)).map(|n| self.record(n)).collect();
                jmrtc_rooms::Input::Request { conn: id, id: request_id, request, known }
            }
            ClientMessage::Ping { ack } => jmrtc_rooms::Input::Ping { conn: id, ack },
        };
        self.server(input)
    }

    /// Connections whose token is no longer good are closed, those of users in a call once that is over.
    pub(super) fn expire(&mut self) -> Result<(), String> {
        let over = |c: &Conn| c.greeted && c.at_server && c.server == self.server && c.expires <= self.now;
        let over: Vec<_> =
            self.conns.iter().filter(|(_, c)| over(c)).map(|(id, c)| (*id, c.device)).collect();
        for (id, device) in over {
            if !self.rooms.is_in_call(&self.devices[device].user) {
                self.send(id, ServerMessage::Closing { reason: Closing::TokenExpired })?;
                self.closed_to_server(id)?;
            }
        }
        Ok(())
    }

    pub(super) fn closed_to_server(&mut self, id: ConnId) -> Result<(), String> {
        let server = self.server;
        let Some(conn) = self.conns.get_mut(&id).filter(|c| c.at_server) else { return Ok(()) };
        conn.at_server = false;
        if conn.greeted && conn.server == server {
            self.server(jmrtc_rooms::Input::Disconnected { conn: id })
        } else {
            Ok(())
        }
    }
}
