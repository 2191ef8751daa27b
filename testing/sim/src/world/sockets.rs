//! Sockets: opened, broken, let go.

use super::*;

impl World {
    /// Whether the device and the server do not reach each other, known to them or not, or only just do.
    pub(super) fn is_cut_off(&self, device: usize) -> bool {
        // A freeze or a sleep is an absence, too.
        let lately = |at: u64| self.now - at < self.times.ping + 1_000;
        let dev = &self.devices[device];
        if dev.held.is_some()
            || self.frozen_until + self.times.ping + 1_000 > self.now
            || dev.asleep_until + self.times.ping + 1_000 > self.now
        {
            return true;
        }
        let conn = self.devices[device].conn.and_then(|id| self.conns.get(&id));
        conn.is_none_or(|c| {
            c.broken
                || !c.at_server
                || c.stalled_until + self.times.ping + 1_000 > self.now
                || c.server != self.server
                || !lately(c.heard)
                || lately(c.opened)
        })
    }

    /// Whether something that an earlier life of the app sent has come to the server in this one.
    pub(super) fn is_haunted(&self, device: usize) -> bool {
        let life = self.devices[device].life;
        let conns = || self.conns.values().filter(|c| c.device == device);
        let born = conns().filter(|c| c.life == life).map(|c| c.opened).min();
        born.is_some_and(|born| conns().any(|c| c.life < life && c.greeted && c.heard >= born))
    }

    /// Other devices that show the server the same id.
    pub(super) fn twins(&self, device: usize) -> impl Iterator<Item = usize> {
        let id = &self.devices[device].signs_in_as;
        let twin = move |at: &usize| *at != device && self.devices[*at].signs_in_as == *id;
        (0..self.devices.len()).filter(twin)
    }

    /// The client has this connection, open or being opened.
    pub(super) fn has(&self, id: Option<ConnId>) -> bool {
        id.and_then(|id| self.conns.get(&id)).is_some_and(|conn| conn.at_client)
    }

    pub(super) fn open(&mut self, device: usize, generation: u32, url: &str) -> Result<(), String> {
        let id = ConnId(self.number());
        let Device { life, conn, spare, .. } = self.devices[device];
        check(!self.has(spare), || "a third connection".into())?;
        if self.has(conn) {
            self.devices[device].spare = Some(id);
        } else {
            self.devices[device].conn = Some(id);
        }
        self.conns.insert(id, Conn::new(device, life, generation, self.server));
        let at = self.now + self.latency(Roll::Up, device);
        let nobody = url != "ws://server/v1/ws";
        let offline = nobody || self.down || self.now < self.devices[device].offline_until;
        let unlucky = self.luck.strikes(Roll::Socket, self.now, device as u64, 20);
        match (offline || unlucky, self.luck.roll(Roll::Swallowed, self.now, device as u64, 2)) {
            (false, _) => self.agenda.plan(at, Item::Opened(id)),
            (true, 0) => self.agenda.plan(at, Item::ClosedToClient(id)),
            // Swallowed: neither opens nor fails.
            (true, _) => self.brake(id),
        }
        Ok(())
    }

    /// The client lets go of one of its sockets.
    pub(super) fn close_socket(&mut self, device: usize, generation: u32) {
        let is = |id: &ConnId| self.conns.get(id).is_some_and(|conn| conn.generation == generation);
        let dev = &mut self.devices[device];
        if let Some(id) = dev.spare.take_if(|id| is(id)) {
            self.hang(id);
        } else if let Some(id) = dev.conn.take_if(|id| is(id)) {
            dev.conn = dev.spare.take();
            self.outcome.switched += u64::from(dev.conn.is_some());
            self.hang(id);
        }
    }

    pub(super) fn hang(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.at_client = false;
            conn.let_go = Some(self.now);
            if !conn.broken {
                self.send_up(id, Item::ClosedToServer(id));
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

    pub(super) fn at_client(&mut self, id: ConnId, message: ServerMessage) -> Result<(), String> {
        let Some(conn) = self.conns.get(&id).filter(|c| !c.broken) else { return Ok(()) };
        // What had been read when the socket was let go still comes in.
        let late = conn.let_go.is_some_and(|at| self.now - at < 200)
            && self.luck.roll(Roll::Late, self.now, conn.device as u64, 2) == 1;
        if !conn.at_client && !late {
            return Ok(());
        }
        self.outcome.late += u64::from(!conn.at_client);
        let (device, life, generation) = (conn.device, conn.life, conn.generation);
        self.socket(device, life, generation, SocketEvent::Message { message })
    }

    pub(super) fn at_server(&mut self, id: ConnId, message: ClientMessage) -> Result<(), String> {
        let now = self.now;
        let server = self.server;
        let alive = |c: &&mut Conn| c.at_server && !c.broken && c.server == server;
        let Some(conn) = self.conns.get_mut(&id).filter(alive) else { return Ok(()) };
        conn.heard = now;
        self.asking = conn.device;
        if !matches!(message, ClientMessage::Ping { .. }) {
            self.trace(|w| format!("server <- {} {}", w.devices[w.asking].id, shorten(&message)));
        }
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        let user = self.devices[conn.device].user.clone();
        let input = match message {
            ClientMessage::Hello(mut hello) => {
                // The server waits 5 s for it.
                if now - conn.opened > 5_000 {
                    self.close(id);
                    return Ok(());
                }
                conn.token.clone_from(&hello.token);
                let good = |user: &&Username| app::good_until(&hello.token, user).is_some_and(|at| at > now);
                let Some(user) = self.people.keys().find(good).cloned() else {
                    self.outcome.rejected += 1;
                    self.send(id, ServerMessage::Fault { error: rejected() })?;
                    self.close(id);
                    return Ok(());
                };
                conn.greeted = true;
                conn.expires = app::good_until(&hello.token, &user).unwrap_or_default();
                self.agenda.plan(conn.expires, Item::Expire);
                self.devices[self.asking].belongs_to(&user);
                let known = vec![self.record(&user)];
                // As if it had missed more events than are kept for it, or a stranger tried to take it over.
                match self.luck.number(Roll::Forgets, now, self.asking as u64) % 12 {
                    0 | 1 if self.luck.weather == Weather::Rough => hello.resume = None,
                    2 if self.luck.weather == Weather::Rough => {
                        hello.resume.iter_mut().for_each(|resume| resume.secret.push('?'));
                    }
                    _ => {}
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
                    return self.send(id, ServerMessage::Failure { id: request_id, error: rejected() });
                };
                conn.token.clone_from(&token);
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
                    | Request::Relations { .. }
                    | Request::History { .. }),
            } => return self.ask_store(id, &user, request_id, request),
            ClientMessage::Request { id: request_id, request } => {
                if let Request::Link { generation, .. } | Request::Preflight { generation, .. } = &request {
                    let preflight = matches!(request, Request::Preflight { .. });
                    self.wanted = Wanted { generation: *generation, preflight };
                }
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
                    | Request::Relations { .. }
                    | Request::History { .. }
                    | Request::Preflight { .. }
                    | Request::EndPreflight => &[],
                };
                let known = self.records_named(named, &user);
                jmrtc_rooms::Input::Request { conn: id, id: request_id, request, known }
            }
            ClientMessage::Ping { ack } => jmrtc_rooms::Input::Ping { conn: id, ack },
        };
        self.server(input)
    }

    pub(super) fn closed_to_server(&mut self, id: ConnId) -> Result<(), String> {
        let server = self.server;
        let Some(conn) = self.conns.get_mut(&id).filter(|c| c.at_server) else { return Ok(()) };
        conn.at_server = false;
        if conn.greeted && conn.server == server {
            let silent_ms = self.now - conn.heard;
            self.server(jmrtc_rooms::Input::Disconnected { conn: id, silent_ms })
        } else {
            Ok(())
        }
    }
}

fn rejected() -> Failure {
    Failure::new(ErrorCode::LoginRejected, "the token is no good")
}
