//! The world: its clock, its parts, and what must hold.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_call::{
    AudioAction, AudioEvent, CallState, Event, Input, LoginState, MediaAction, MediaEvent, Output,
    PlatformAction, PlatformEvent, SocketAction, SocketEvent, Timestamp,
};
use jmrtc_protocol::{
    ChannelId, ClientMessage, ErrorCode, Profile, Reason, Relation, Request, ServerMessage, Session,
    Username, decode_client, decode_server, encode,
};
use jmrtc_rooms::{ConnId, LinkId, MediaCommand, Rooms, UserRecord};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::app;
use crate::device::Device;
use crate::network::{Agenda, Conn, Item};

/// For how long people and misfortune are at work.
const CHAOS_MS: u64 = 60_000;
/// Longer than any backoff and any answer that is waited for.
const REST_MS: u64 = 40_000;

/// What a run has seen, so that a test can tell that it has tried something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Calls that became connected at some device.
    pub connected: u64,
    /// Calls that were restored in a new life of an app.
    pub restored: u64,
    /// Times that a call was told as reconnected.
    pub reconnected: u64,
    /// Sockets that broke.
    pub broken: u64,
    /// Calls that were still running when everything was at rest.
    pub at_rest: u64,
}

/// How this run's server wants its clients, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    ring: u64,
    grace: u64,
    ping: u64,
}

impl Times {
    /// After so long everything has come to rest by itself: rings, grace times, backoffs.
    const fn rest(self) -> u64 {
        self.ring + self.grace + 4 * self.ping + REST_MS
    }
}

/// One run.
#[derive(Debug)]
pub struct World {
    now: u64,
    dice: ChaCha8Rng,
    times: Times,
    users: Vec<Username>,
    devices: Vec<Device>,
    rooms: Rooms,
    /// Servers started so far.
    server: u32,
    conns: BTreeMap<ConnId, Conn>,
    agenda: Agenda,
    /// People and misfortune are at work.
    chaos: bool,
    /// Links that the media relay has, and whether they are admitted.
    links: BTreeMap<LinkId, bool>,
    last_id: u64,
    /// The machine at work does what it does because of the time alone.
    by_itself: bool,
    /// It answers to a method call in the same step.
    at_once: bool,
    /// Of the server.
    steps: u64,
    outcome: Outcome,
    log: Vec<String>,
    traced: bool,
    /// Whether each message is written and read and the rooms audited at each step, which takes most of the time.
    thorough: bool,
}

impl World {
    /// A world at its beginning. `traced` keeps a log of the run for [`World::log`].
    pub fn new(seed: u64, traced: bool) -> Self {
        let name = |n: &str| Username::new(n).unwrap_or_else(|e| unreachable!("{e}"));
        let users: Vec<_> = ["alice", "bob", "carol", "dave"].map(name).into();
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut devices = Vec::new();
        for (who, count) in users.iter().zip([2, 1, 2, 1]) {
            for n in 0..count {
                let mut device = Device::new(who.clone(), format!("{who}/{n}"), dice.next_u64());
                device.has_siblings = count > 1;
                devices.push(device);
            }
        }
        let mut between = |least: u64, most: u64| least + dice.next_u64() % (most - least);
        let times = Times {
            ring: between(6_000, 30_000),
            grace: between(5_000, 30_000),
            ping: between(2_000, 8_000),
        };
        let rooms = rooms(times, &mut dice);
        let mut world = Self {
            now: 1_000,
            dice,
            times,
            users,
            devices,
            rooms,
            server: 1,
            conns: BTreeMap::new(),
            agenda: Agenda::default(),
            chaos: true,
            links: BTreeMap::new(),
            last_id: 0,
            by_itself: false,
            at_once: false,
            steps: 0,
            outcome: Outcome::default(),
            log: Vec::new(),
            traced,
            thorough: seed.is_multiple_of(16),
        };
        for device in 0..world.devices.len() {
            world.start_app(device);
        }
        world.agenda.plan(world.now, Item::Chaos);
        world
    }

    /// What happened, one line each.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Lets it run: misfortune, then rest, then everybody goes home. The error says what does not hold.
    pub fn run(&mut self) -> Result<Outcome, String> {
        self.run_until(self.now + CHAOS_MS)?;
        self.trace(|_| "---- rest".into());
        self.chaos = false;
        self.devices.iter_mut().for_each(|d| d.offline_until = 0);
        self.run_until(self.now + self.times.rest())?;
        self.all_agree()?;
        self.trace(|_| "---- good night".into());
        for device in 0..self.devices.len() {
            if self.devices[device].alive {
                self.command(device, "releaseEngine", json!(null))?;
                self.command(device, "logout", json!(null))?;
            }
        }
        self.run_until(self.now + self.times.rest())?;
        self.all_gone()?;
        Ok(self.outcome)
    }

    fn run_until(&mut self, end: u64) -> Result<(), String> {
        loop {
            let clients = self.devices.iter().filter(|d| d.alive).filter_map(|d| d.client.next_deadline());
            let next = clients
                .map(|at| at.0)
                .chain(self.rooms.next_deadline().map(|at| at.0))
                .chain(self.agenda.next())
                .min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            while let Some(item) = self.agenda.take(self.now) {
                self.happen(item)?;
            }
            for device in 0..self.devices.len() {
                let now = self.now;
                let due = |d: &Device| d.client.next_deadline().is_some_and(|at| at.0 <= now);
                if self.devices[device].alive && due(&self.devices[device]) {
                    self.input(device, Input::Deadline)?;
                    check(!due(&self.devices[device]), || "a deadline that never passes".into())?;
                }
            }
            if self.rooms.next_deadline().is_some_and(|at| at.0 <= self.now) {
                self.server(jmrtc_rooms::Input::Deadline)?;
            }
        }
        self.now = end;
        Ok(())
    }

    fn happen(&mut self, item: Item) -> Result<(), String> {
        match item {
            Item::Opened(id) => self.opened(id),
            Item::ToServer(id, message) => self.at_server(id, message),
            Item::ToClient(id, message) => {
                let Some(conn) = self.conns.get(&id).filter(|c| c.at_client && !c.broken) else {
                    return Ok(());
                };
                self.socket(conn.device, conn.life, conn.generation, SocketEvent::Message { message })
            }
            Item::ClosedToClient(id) => {
                let Some(conn) = self.conns.get_mut(&id).filter(|c| c.at_client) else { return Ok(()) };
                conn.at_client = false;
                let (device, life, generation) = (conn.device, conn.life, conn.generation);
                self.socket(device, life, generation, SocketEvent::Closed { why: "gone".into() })
            }
            Item::ClosedToServer(id) => self.closed_to_server(id),
            Item::Watch(id) => {
                let Some(conn) = self.conns.get(&id).filter(|c| c.at_server) else { return Ok(()) };
                if self.now - conn.heard >= 3 * self.times.ping {
                    self.closed_to_server(id)
                } else {
                    self.agenda.plan(self.now + self.times.ping, Item::Watch(id));
                    Ok(())
                }
            }
            Item::LinkAnswer { ticket, result, unmade, server } => {
                if server == self.server {
                    // What was refused has never been made: no close will come for it.
                    unmade.and_then(|link| self.links.remove(&link));
                    self.server(jmrtc_rooms::Input::LinkAnswer { ticket, result })
                } else {
                    Ok(())
                }
            }
            Item::Media { device, life, generation, event } => {
                self.in_life(device, life, Input::Media { generation, event })
            }
            Item::Audio { device, life, event } => self.in_life(device, life, Input::Audio(event)),
            Item::Platform { device, life, event } => self.in_life(device, life, Input::Platform(event)),
            Item::Command { device, life, method, args } => {
                if self.devices[device].life == life && self.devices[device].alive {
                    self.command(device, method, args)
                } else {
                    Ok(())
                }
            }
            Item::Revive { device } => {
                if !self.devices[device].alive {
                    self.trace(|w| format!("{} is started anew", w.devices[device].id));
                    let seed = self.dice.next_u64();
                    self.devices[device].revive(seed);
                    self.start_app(device);
                }
                Ok(())
            }
            Item::Chaos => self.misfortune(),
        }
    }

    // The devices.

    fn start_app(&mut self, device: usize) {
        let life = self.devices[device].life;
        let args = json!({ "token": app::token(&self.devices[device].user) });
        let at = self.now + self.roll(500);
        self.agenda.plan(at, Item::Command { device, life, method: "login", args });
        if self.roll(5) > 0 {
            let at = at + 500 + self.roll(1_000);
            self.agenda.plan(at, Item::Command { device, life, method: "initEngine", args: json!(null) });
        }
    }

    fn command(&mut self, device: usize, method: &'static str, args: Value) -> Result<(), String> {
        let dev = &mut self.devices[device];
        let id = dev.commands.len() as u64 + 1;
        dev.commands.insert(id, (method, false));
        let state = dev.client.state();
        if let ("accept", CallState::Incoming, Some(session)) = (method, state.call, state.session) {
            dev.yes.insert(session.channel_id);
        }
        self.input(device, Input::Command { id, method: method.to_owned(), args })
    }

    fn in_life(&mut self, device: usize, life: u32, input: Input) -> Result<(), String> {
        if self.devices[device].life == life && self.devices[device].alive {
            self.input(device, input)
        } else {
            Ok(())
        }
    }

    fn socket(
        &mut self,
        device: usize,
        life: u32,
        generation: u32,
        event: SocketEvent,
    ) -> Result<(), String> {
        self.in_life(device, life, Input::Socket { generation, event })
    }

    fn input(&mut self, device: usize, input: Input) -> Result<(), String> {
        self.trace(|w| format!("{} <- {}", w.devices[device].id, shorten(&input)));
        self.by_itself = input == Input::Deadline;
        self.at_once = matches!(input, Input::Command { .. });
        let outputs = self.devices[device].client.handle(Timestamp(self.now), input);
        for output in outputs {
            self.trace(|w| format!("{} -> {}", w.devices[device].id, shorten(&output)));
            self.output(device, output).map_err(|what| format!("{}: {what}", self.devices[device].id))?;
        }
        self.look(device).map_err(|what| format!("{}: {what}", self.devices[device].id))
    }

    /// What a reloaded page would see must be what was told.
    fn look(&mut self, device: usize) -> Result<(), String> {
        let dev = &mut self.devices[device];
        let state = dev.client.state();
        if !dev.looked && state.login == LoginState::LoggedIn {
            dev.looked = true;
            if let Some(session) = &state.session {
                let known = dev.yes.contains(&session.channel_id) || session.inviter.username == dev.user;
                check(known, || "brought back into a call that nobody here accepted or dialled".into())?;
                dev.yes.insert(session.channel_id.clone());
                dev.ear.adopt(session);
                self.outcome.restored += 1;
            }
        }
        let (now, grace) = (self.now, self.times.grace);
        let dev = &mut self.devices[device];
        dev.reconnecting = match state.call {
            CallState::Reconnecting => dev.reconnecting.or(Some(now)),
            CallState::Idle
            | CallState::Outgoing
            | CallState::Incoming
            | CallState::Connecting
            | CallState::Connected => None,
        };
        let since = dev.reconnecting.unwrap_or(now);
        check(now - since <= 2 * grace, || "clings to a call that is lost".into())?;
        dev.ear.compare(&state)
    }

    fn output(&mut self, device: usize, output: Output) -> Result<(), String> {
        let life = self.devices[device].life;
        match output {
            Output::Reply { id, result } => {
                let dev = &mut self.devices[device];
                let Some((method, answered)) = dev.commands.get_mut(&id) else {
                    return Err("an answer to nothing".into());
                };
                check(!std::mem::replace(answered, true), || format!("`{method}` answered twice"))?;
                match result {
                    Ok(value) if *method == "startCallUsers" => {
                        let session: Session = serde_json::from_value(value).map_err(|e| e.to_string())?;
                        dev.yes.insert(session.channel_id);
                    }
                    // A machine that sees no call has left all that the server may see.
                    Err(f) if f.code == ErrorCode::AlreadyInCall && !dev.has_siblings => {
                        let seen = self.at_once || dev.client.state().session.is_some();
                        check(seen, || "the server sees a call where there is none".into())?;
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            Output::Event(event) => self.told(device, event)?,
            Output::Socket(SocketAction::Open { generation, .. }) => self.open(device, generation),
            Output::Socket(SocketAction::Close { .. }) => self.hang(device),
            Output::Socket(SocketAction::Send { message, .. }) => {
                if self.thorough {
                    let sent = decode_client(&encode(&message)).map_err(|e| e.to_string())?;
                    check(sent == message, || "a message that JSON changes".into())?;
                }
                let at = self.now + self.latency();
                if let Some((id, conn)) =
                    self.devices[device].conn.and_then(|id| Some((id, self.conns.get_mut(&id)?)))
                {
                    let at = conn.up(at);
                    self.agenda.plan(at, Item::ToServer(id, message));
                }
            }
            Output::Media(action) => self.media(device, life, &action),
            Output::Audio(AudioAction::Prepare) => {
                let event = if self.chaos && self.roll(20) == 0 {
                    AudioEvent::Failed { why: "busy".into() }
                } else {
                    AudioEvent::Ready
                };
                let at = self.now + self.roll(300);
                self.agenda.plan(at, Item::Audio { device, life, event });
            }
            Output::Audio(AudioAction::Set { capture, send, play }) => {
                self.consent(device, capture, send, play)?;
            }
            Output::Platform(PlatformAction::RequestMicrophone) => {
                let granted = !self.chaos || self.roll(20) > 0;
                let at = self.now + self.roll(500);
                let event = PlatformEvent::Microphone { granted };
                self.agenda.plan(at, Item::Platform { device, life, event });
            }
            Output::Audio(AudioAction::Release) | Output::Platform(_) => {}
        }
        Ok(())
    }

    fn told(&mut self, device: usize, event: Event) -> Result<(), String> {
        self.devices[device].ear.hear(&event)?;
        if let (Event::CallDisconnect(end), true) = (&event, self.by_itself) {
            // It may lose patience with a server that is gone, never with one that is there.
            let cut_off = self.is_cut_off(device);
            check(end.reason == Reason::NetworkError || cut_off, || "ended by itself".into())?;
        }
        self.outcome.connected += u64::from(matches!(event, Event::CallConnected(_)));
        self.outcome.reconnected += u64::from(matches!(event, Event::CallReconnected(_)));
        if self.chaos
            && let Some(method) = app::reflex(&event, |n| self.dice.next_u64() % n)
        {
            let life = self.devices[device].life;
            let at = self.now + self.roll(4_000);
            self.agenda.plan(at, Item::Command { device, life, method, args: json!(null) });
        }
        Ok(())
    }

    /// No sound but in a call to which the person has said yes, and none to or from somebody alone.
    fn consent(&self, device: usize, capture: bool, send: bool, play: bool) -> Result<(), String> {
        let dev = &self.devices[device];
        let state = dev.client.state();
        if !(capture || send || play) {
            return Ok(());
        }
        let Some(session) = state.session else { return Err("sound in no call".into()) };
        check(dev.yes.contains(&session.channel_id), || "sound without a yes".into())?;
        let talking = session.joined_members.len() >= 2 && session.is_joined(&dev.user);
        check(talking || !(send || play), || "sound to or from nobody".into())?;
        check(!(send && state.muted), || "sent while muted".into())
    }

    fn media(&mut self, device: usize, life: u32, action: &MediaAction) {
        let (generation, event) = match action {
            MediaAction::Open { generation, .. } | MediaAction::Restart { generation } => {
                self.devices[device].link = *generation;
                (*generation, MediaEvent::Offer { sdp: "offer".into() })
            }
            MediaAction::Answer { generation, .. } => (*generation, MediaEvent::Connected),
            MediaAction::Close { .. } => return,
        };
        let luck = if self.chaos { self.roll(12) } else { 1 };
        let at = self.now + self.roll(400);
        match luck {
            // Nothing comes of it.
            0 => {}
            2 => {
                let event = MediaEvent::Failed { why: "ice".into() };
                self.agenda.plan(at, Item::Media { device, life, generation, event });
            }
            _ => self.agenda.plan(at, Item::Media { device, life, generation, event }),
        }
    }

    /// Whether the device and the server do not reach each other, known to them or not.
    fn is_cut_off(&self, device: usize) -> bool {
        let conn = self.devices[device].conn.and_then(|id| self.conns.get(&id));
        conn.is_none_or(|c| {
            c.broken || !c.at_server || c.server != self.server || self.now - c.heard > self.times.ping
        })
    }

    // The network.

    fn open(&mut self, device: usize, generation: u32) {
        self.hang(device);
        let id = ConnId(self.number());
        let life = self.devices[device].life;
        self.conns.insert(id, Conn::new(device, life, generation, self.server));
        self.devices[device].conn = Some(id);
        let at = self.now + self.latency();
        let offline = self.now < self.devices[device].offline_until;
        let unlucky = self.chaos && self.roll(20) == 0;
        match (offline || unlucky, self.roll(2)) {
            (false, _) => self.agenda.plan(at, Item::Opened(id)),
            (true, 0) => self.agenda.plan(at, Item::ClosedToClient(id)),
            // Swallowed: neither opens nor fails.
            (true, _) => self.brake(id),
        }
    }

    /// The client lets go of its socket.
    fn hang(&mut self, device: usize) {
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

    fn brake(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.broken = true;
        }
    }

    fn opened(&mut self, id: ConnId) -> Result<(), String> {
        let Some(conn) = self.conns.get_mut(&id).filter(|c| c.at_client && !c.broken) else { return Ok(()) };
        conn.heard = self.now;
        conn.server = self.server;
        let (device, life, generation) = (conn.device, conn.life, conn.generation);
        self.agenda.plan(self.now + self.times.ping, Item::Watch(id));
        self.socket(device, life, generation, SocketEvent::Opened)
    }

    fn at_server(&mut self, id: ConnId, message: ClientMessage) -> Result<(), String> {
        let now = self.now;
        let server = self.server;
        let alive = |c: &&mut Conn| c.at_server && !c.broken && c.server == server;
        let Some(conn) = self.conns.get_mut(&id).filter(alive) else { return Ok(()) };
        conn.heard = now;
        let user = self.devices[conn.device].user.clone();
        let input = match message {
            ClientMessage::Hello(mut hello) => {
                conn.greeted = true;
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
            ClientMessage::Request { id: request_id, request } => {
                let named: &[Username] = match &request {
                    Request::Start { usernames } | Request::Invite { usernames, .. } => usernames,
                    Request::UpdateToken { .. }
                    | Request::Logout
                    | Request::Accept { .. }
                    | Request::Refuse { .. }
                    | Request::Leave { .. }
                    | Request::Link { .. } => &[],
                };
                let known = named.iter().filter(|n| self.users.contains(n)).map(|n| self.record(n)).collect();
                jmrtc_rooms::Input::Request { conn: id, id: request_id, request, known }
            }
            ClientMessage::Ping { ack } => jmrtc_rooms::Input::Ping { conn: id, ack },
        };
        self.server(input)
    }

    fn closed_to_server(&mut self, id: ConnId) -> Result<(), String> {
        let server = self.server;
        let Some(conn) = self.conns.get_mut(&id).filter(|c| c.at_server) else { return Ok(()) };
        conn.at_server = false;
        if conn.greeted && conn.server == server {
            self.server(jmrtc_rooms::Input::Disconnected { conn: id })
        } else {
            Ok(())
        }
    }

    // The server.

    /// Dave does not want to hear of Alice, and Carol not to be disturbed by Bob.
    fn record(&self, user: &Username) -> UserRecord {
        let mut record =
            UserRecord { username: user.clone(), profile: Profile::default(), relations: BTreeMap::new() };
        match user.as_str() {
            "dave" => {
                let relation = Relation { is_in_black_list: true, ..Relation::default() };
                record.relations.insert(self.users[0].clone(), relation);
            }
            "carol" => {
                let relation = Relation { is_no_disturb: true, ..Relation::default() };
                record.relations.insert(self.users[1].clone(), relation);
            }
            _ => {}
        }
        record
    }

    fn server(&mut self, input: jmrtc_rooms::Input) -> Result<(), String> {
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
                jmrtc_rooms::Output::Push { .. } | jmrtc_rooms::Output::Record(_) => {}
            }
        }
        Ok(())
    }

    fn send(&mut self, id: ConnId, message: ServerMessage) -> Result<(), String> {
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

    fn relay(&mut self, command: MediaCommand) -> Result<(), String> {
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

    // People and misfortune.

    fn misfortune(&mut self) -> Result<(), String> {
        if !self.chaos {
            return Ok(());
        }
        let at = self.now + 20 + self.roll(1_200);
        self.agenda.plan(at, Item::Chaos);
        let device = self.roll(self.devices.len() as u64) as usize;
        let life = self.devices[device].life;
        match self.roll(100) {
            0..=59 => self.whim(device),
            60..=74 => {
                self.break_socket(device);
                Ok(())
            }
            75..=78 => {
                self.devices[device].offline_until = self.now + self.roll(2 * self.times.grace);
                self.break_socket(device);
                Ok(())
            }
            79..=86 => {
                let (generation, failed) = (self.devices[device].link, self.roll(3) == 0);
                let event =
                    if failed { MediaEvent::Failed { why: "ice".into() } } else { MediaEvent::Disconnected };
                self.in_life(device, life, Input::Media { generation, event })
            }
            87..=90 => self.in_life(device, life, Input::Platform(PlatformEvent::NetworkChanged)),
            91..=92 => {
                let event = if self.roll(2) == 0 { PlatformEvent::Answered } else { PlatformEvent::Declined };
                let dev = &mut self.devices[device];
                let state = dev.client.state();
                if let (PlatformEvent::Answered, CallState::Incoming, Some(session)) =
                    (&event, state.call, state.session)
                {
                    dev.yes.insert(session.channel_id);
                }
                self.in_life(device, life, Input::Platform(event))
            }
            93..=96 => {
                self.kill(device);
                Ok(())
            }
            97 => self.restart_server(true),
            98 => self.restart_server(false),
            _ => self.in_life(device, life, Input::Audio(AudioEvent::Failed { why: "unplugged".into() })),
        }
    }

    fn whim(&mut self, device: usize) -> Result<(), String> {
        let dev = &self.devices[device];
        if !dev.alive {
            return Ok(());
        }
        let (state, user) = (dev.client.state(), dev.user.clone());
        let users = self.users.clone();
        let (method, args) = app::whim(&state, &user, &users, |n| self.dice.next_u64() % n);
        self.command(device, method, args)
    }

    fn break_socket(&mut self, device: usize) {
        let Some(id) = self.devices[device].conn else { return };
        if self.conns.get(&id).is_none_or(|c| c.broken) {
            return;
        }
        self.outcome.broken += 1;
        self.trace(|w| format!("the socket of {} breaks", w.devices[device].id));
        self.brake(id);
        // Each end learns of it soon, or only by the silence.
        if self.roll(3) > 0 {
            let at = self.now + self.roll(2_000);
            self.agenda.plan(at, Item::ClosedToClient(id));
        }
        if self.roll(3) > 0 {
            let at = self.now + self.roll(2_000);
            self.agenda.plan(at, Item::ClosedToServer(id));
        }
    }

    fn kill(&mut self, device: usize) {
        if !self.devices[device].alive {
            return;
        }
        self.trace(|w| format!("{} is killed", w.devices[device].id));
        self.hang(device);
        let dev = &mut self.devices[device];
        dev.alive = false;
        dev.life += 1;
        if self.roll(4) > 0 {
            let at = self.now + self.roll(2 * self.times.grace);
            self.agenda.plan(at, Item::Revive { device });
        }
    }

    fn restart_server(&mut self, cleanly: bool) -> Result<(), String> {
        if self.roll(3) > 0 {
            return Ok(());
        }
        self.trace(|_| format!("the server is restarted, cleanly: {cleanly}"));
        if cleanly {
            self.server(jmrtc_rooms::Input::Shutdown)?;
            check(self.rooms.counts().calls == 0 && self.links.is_empty(), || "left by a shutdown".into())?;
        }
        self.links.clear();
        self.server += 1;
        self.rooms = rooms(self.times, &mut self.dice);
        let ids: Vec<_> = self.conns.iter().filter(|(_, c)| c.at_client).map(|(id, _)| *id).collect();
        for id in ids {
            let at = self.now + self.latency();
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.at_server = false;
                let at = conn.down(at);
                self.agenda.plan(at, Item::ClosedToClient(id));
            }
        }
        Ok(())
    }

    // What must hold when all is quiet.

    fn all_agree(&mut self) -> Result<(), String> {
        let mut seats: BTreeMap<ChannelId, BTreeSet<Username>> = BTreeMap::new();
        let mut sessions = Vec::new();
        for dev in self.devices.iter().filter(|d| d.alive) {
            let unanswered = dev.unanswered();
            check(unanswered.is_empty(), || format!("{}: unanswered {unanswered:?}", dev.id))?;
            let state = dev.client.state();
            check(state.session.is_some() == dev.ear.call.is_some(), || {
                format!("{}: an end untold", dev.id)
            })?;
            let Some(session) = state.session else { continue };
            let at_rest = state.call == CallState::Connected;
            check(at_rest, || format!("{}: {:?} for ever", dev.id, state.call))?;
            let seated = seats.entry(session.channel_id.clone()).or_default().insert(dev.user.clone());
            check(seated, || format!("{} is in {} twice", dev.user, session.channel_id))?;
            sessions.push((dev.id.clone(), session));
        }
        for (id, session) in &sessions {
            check(session.inviting_members.is_empty(), || format!("{id}: rings for ever"))?;
            let people = session.joined_members.iter().map(|u| u.username.clone());
            let people: BTreeSet<_> = people.filter(|u| u.as_str() != "echo").collect();
            let there = &seats[&session.channel_id];
            check(&people == there, || format!("{id}: sees {people:?}, there are {there:?}"))?;
        }
        let counts = self.rooms.counts();
        check(counts.calls == seats.len(), || {
            format!("the server has {} calls, the devices {}", counts.calls, seats.len())
        })?;
        let admitted = self.links.values().filter(|admitted| **admitted).count();
        check(admitted == sessions.len() && counts.links == sessions.len(), || {
            format!("{} devices in calls, {} links, {admitted} admitted", sessions.len(), counts.links)
        })?;
        self.outcome.at_rest = seats.len() as u64;
        Ok(())
    }

    fn all_gone(&self) -> Result<(), String> {
        for dev in self.devices.iter().filter(|d| d.alive) {
            let unanswered = dev.unanswered();
            check(unanswered.is_empty(), || format!("{}: unanswered {unanswered:?}", dev.id))?;
            check(dev.ear.call.is_none(), || format!("{}: a call without an end", dev.id))?;
            check(dev.client.next_deadline().is_none(), || format!("{}: still waits", dev.id))?;
        }
        check(self.rooms.is_idle(), || format!("the server remembers: {:?}", self.rooms.counts()))?;
        check(self.links.is_empty(), || "links are left".into())
    }

    // Chance.

    /// A number below `below`.
    fn roll(&mut self, below: u64) -> u64 {
        self.dice.next_u64() % below
    }

    fn latency(&mut self) -> u64 {
        match self.roll(10) {
            0 => self.roll(900),
            1..=4 => 1,
            _ => 1 + self.roll(80),
        }
    }

    fn number(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn trace(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.traced {
            let line = format!("{:>7} {}", self.now, line(self));
            self.log.push(line);
        }
    }
}

fn rooms(times: Times, dice: &mut ChaCha8Rng) -> Rooms {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&dice.next_u64().to_le_bytes());
    let echo = Username::new("echo").unwrap_or_else(|e| unreachable!("{e}"));
    let config = jmrtc_rooms::Config {
        app_key: "app".into(),
        epoch_ms: 1_700_000_000_000,
        ring_ms: times.ring,
        grace_ms: times.grace,
        ping_ms: times.ping,
        max_members: 4,
        slots: 4,
        ice_servers: vec![],
        robots: BTreeSet::from([echo]),
    };
    Rooms::new(config, seed)
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// JSON without what every user has.
fn shorten(what: &impl serde::Serialize) -> String {
    let mut value = serde_json::to_value(what).unwrap_or_default();
    strip(&mut value);
    value.to_string()
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) if fields.contains_key("username") && fields.contains_key("nickname") => {
            *value = fields.get("username").cloned().unwrap_or_default();
        }
        Value::Object(fields) => fields.values_mut().for_each(strip),
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
