//! A server with fake clients. Clients are named `bob`, or `bob/tablet` for a second device. What they
//! get is written down as one short line for each message:
//!
//! - `start S(i: bob; j: alice)`, `leave`, … the reply to a request, `! CALL_ENDED` its failure
//! - `Left bob cancel/noAnswer S(i: -; j: alice)`, `Ended hangup S(…)`, … an event; where it tells only a change, with the
//!   session that the client has then
//! - `welcome`, `welcome resumed`, `welcome S(…)`, `pong`, `fault …`, `closing …`
//!
//! In a session `+` says that it has a start time, `by bob` who invited, `silent` what it says.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::{
    ChannelId, ClientMessage, Detail, Device, LeaveReason, Platform, Reason, Relation, Reply, Request,
    Resume, ServerEvent, ServerMessage, Session, Stay, Username, decode_client, decode_server, encode,
};
use jmrtc_rooms::{
    CallRecord, Config, ConnId, Handover, Input, LinkId, MediaCommand, MemberKey, Output, Push, Rooms,
    Ticket, Timestamp, UserRecord,
};

pub(crate) const EPOCH_MS: i64 = 1_800_000_000_000;
pub(crate) const RING_MS: u64 = 60_000;
pub(crate) const GRACE_MS: u64 = 30_000;

pub(crate) fn name(user: &str) -> Username {
    Username::new(user).unwrap()
}

pub(crate) fn config() -> Config {
    Config {
        app_key: "app".into(),
        epoch_ms: EPOCH_MS,
        ring_ms: RING_MS,
        grace_ms: GRACE_MS,
        ping_ms: 10_000,
        max_members: 6,
        invitations_per_minute: 100_000,
        slots: 4,
        ice_servers: vec![],
        robots: BTreeSet::from([name("echo")]),
    }
}

#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) conn: Option<ConnId>,
    pub(crate) secret: String,
    /// The last event seen.
    pub(crate) seen: u64,
    pub(crate) last_id: u64,
    /// The call of the last session seen.
    pub(crate) channel: Option<ChannelId>,
    /// Which stay in it that was.
    pub(crate) stay: Stay,
    pub(crate) start_time: i64,
    pub(crate) got: Vec<String>,
    pub(crate) messages: Vec<ServerMessage>,
    asked: BTreeSet<u64>,
    answered: BTreeSet<u64>,
    view: View,
    /// The session it got last, with all changes since.
    pub(crate) session: Option<Session>,
    /// Calls that are over for this client, but of which it has not been told so.
    stale: BTreeSet<ChannelId>,
}

/// What a client believes. Each call that it hears of ends for it exactly once.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) enum View {
    #[default]
    Free,
    Rung(ChannelId),
    In(ChannelId),
    /// It gets old messages again.
    Muddled,
}

pub(crate) struct World {
    pub(crate) rooms: Rooms,
    pub(crate) now: u64,
    pub(crate) store: BTreeMap<Username, UserRecord>,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) media: Vec<String>,
    /// Questions to the media relay, and the link that comes of it.
    pub(crate) tickets: Vec<(Ticket, Option<LinkId>)>,
    pub(crate) open_links: BTreeSet<LinkId>,
    /// As whom links were admitted.
    pub(crate) admitted: Vec<MemberKey>,
    pub(crate) pushes: Vec<Push>,
    pub(crate) handover: Option<Handover>,
    pub(crate) records: Vec<CallRecord>,
    owners: BTreeMap<ConnId, String>,
    last_conn: u64,
    servers: u8,
}

fn split(client: &str) -> (Username, Device) {
    let (user, device) = client.split_once('/').unwrap_or((client, "phone"));
    (name(user), Device { id: device.into(), platform: Platform::Native })
}

impl World {
    /// A server that knows the users alice to frank and the robot; nobody is signed in.
    pub(crate) fn empty() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let users = ["alice", "bob", "carol", "dave", "erin", "frank"].map(name);
        Self {
            rooms: Rooms::new(config, [0; 32]),
            now: 1_000,
            store: users.into_iter().map(|u| (u.clone(), UserRecord::named(u))).collect(),
            clients: BTreeMap::new(),
            media: vec![],
            tickets: vec![],
            open_links: BTreeSet::new(),
            admitted: vec![],
            pushes: vec![],
            handover: None,
            records: vec![],
            owners: BTreeMap::new(),
            last_conn: 0,
            servers: 0,
        }
    }

    /// [`Self::empty`] with these clients signed in.
    pub(crate) fn new(clients: &[&str]) -> Self {
        let mut world = Self::empty();
        for client in clients {
            world.sign_in(client);
            world.got(client);
        }
        world
    }

    /// Two people in a call, nothing unread.
    pub(crate) fn in_call(caller: &str, callee: &str, others: &[&str]) -> Self {
        let mut world = Self::new(others);
        for client in [caller, callee] {
            world.sign_in(client);
        }
        world.start(caller, &[&split(callee).0.to_string()]);
        world.accept(callee);
        world.forget();
        world
    }

    pub(crate) fn relate(&mut self, viewer: &str, user: &str, relation: Relation) {
        let (viewer, about) = (name(viewer), name(user));
        self.store.get_mut(&viewer).unwrap().relations.insert(about.clone(), relation.clone());
        self.put(Input::RelationChanged { viewer, about, relation });
    }

    /// The store forgets what others keep about `user`, and tells nobody.
    pub(crate) fn relations_end(&mut self, user: &str) {
        self.store.values_mut().for_each(|record| drop(record.relations.remove(&name(user))));
    }

    // Clients act.

    fn connect(&mut self, client: &str, resume: Option<Resume>) {
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let (user, device) = split(client);
        self.owners.insert(conn, client.into());
        self.clients.entry(client.into()).or_default().conn = Some(conn);
        let known = self.store.get(&user).cloned().into_iter().collect();
        self.put(Input::Hello { conn, user, device, resume, known });
    }

    /// As an app does that was just started.
    pub(crate) fn sign_in(&mut self, client: &str) {
        let old = self.clients.remove(client).unwrap_or_default();
        self.clients.insert(client.into(), Client { got: old.got, ..Client::default() });
        self.connect(client, None);
    }

    /// As an app does that lost its connection, whether or not the server knows that.
    pub(crate) fn come_back(&mut self, client: &str) {
        let c = &self.clients[client];
        let resume = Resume { secret: c.secret.clone(), seq: c.seen };
        self.connect(client, Some(resume));
    }

    /// As [`Self::come_back`], but all that came after `seq` got lost on the way.
    pub(crate) fn come_back_from(&mut self, client: &str, seq: u64) {
        let c = self.clients.get_mut(client).unwrap();
        (c.seen, c.view) = (seq, View::Muddled);
        self.come_back(client);
    }

    pub(crate) fn drop(&mut self, client: &str) {
        self.drop_after(client, 0);
    }

    /// The connection is given up after nothing was heard on it for so long.
    pub(crate) fn drop_after(&mut self, client: &str, silent_ms: u64) {
        if let Some(conn) = self.clients.get_mut(client).unwrap().conn.take() {
            self.owners.remove(&conn);
            self.put(Input::Disconnected { conn, silent_ms });
        }
    }

    pub(crate) fn ask(&mut self, client: &str, request: Request) -> u64 {
        let c = self.clients.get_mut(client).unwrap();
        c.last_id += 1;
        let id = c.last_id;
        self.ask_again(client, id, request);
        id
    }

    pub(crate) fn ask_again(&mut self, client: &str, id: u64, request: Request) {
        let text = encode(&ClientMessage::Request { id, request });
        let Ok(ClientMessage::Request { id, request }) = decode_client(&text) else { panic!("{text}") };
        let named = match &request {
            Request::Start { usernames } | Request::Invite { usernames, .. } => usernames.as_slice(),
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
        let known = named.iter().filter_map(|n| self.store.get(n).cloned()).collect();
        let c = self.clients.get_mut(client).unwrap();
        c.asked.insert(id);
        let conn = c.conn.expect("connected");
        let waits = matches!(request, Request::Link { .. } | Request::Preflight { .. });
        self.put(Input::Request { conn, id, request, known });
        assert!(waits || !self.clients[client].asked.contains(&id), "request {id} is unanswered");
    }

    pub(crate) fn channel(&self, client: &str) -> ChannelId {
        self.clients[client].channel.clone().unwrap_or(ChannelId("none".into()))
    }

    /// The call that a client knows last, and which stay in it that is.
    pub(crate) fn part(&self, client: &str) -> (ChannelId, Stay) {
        (self.channel(client), self.clients[client].stay)
    }

    pub(crate) fn start(&mut self, client: &str, users: &[&str]) -> u64 {
        self.ask(client, Request::Start { usernames: users.iter().map(|u| name(u)).collect() })
    }

    pub(crate) fn accept(&mut self, client: &str) -> u64 {
        let (channel_id, stay) = self.part(client);
        self.ask(client, Request::Accept { channel_id, stay })
    }

    pub(crate) fn refuse(&mut self, client: &str) -> u64 {
        let (channel_id, stay) = self.part(client);
        self.ask(client, Request::Refuse { channel_id, stay })
    }

    pub(crate) fn leave(&mut self, client: &str) -> u64 {
        let (channel_id, stay) = self.part(client);
        self.ask(client, Request::Leave { channel_id, stay: Some(stay), reason: LeaveReason::Hangup })
    }

    pub(crate) fn invite(&mut self, client: &str, users: &[&str]) -> u64 {
        let channel_id = self.channel(client);
        self.ask(client, Request::Invite { channel_id, usernames: users.iter().map(|u| name(u)).collect() })
    }

    pub(crate) fn mute(&mut self, client: &str, muted: bool) -> u64 {
        let channel_id = self.channel(client);
        self.ask(client, Request::Mute { channel_id, muted })
    }

    pub(crate) fn link(&mut self, client: &str, generation: u32) -> u64 {
        let (channel_id, stay) = self.part(client);
        self.ask(client, Request::Link { channel_id, stay, generation, offer: "offer".into() })
    }

    pub(crate) fn ping(&mut self, client: &str) {
        let c = &self.clients[client];
        let (conn, ack) = (c.conn.unwrap(), c.seen);
        self.put(Input::Ping { conn, ack });
    }

    // The rest of the world acts.

    /// The media relay answers the oldest question.
    pub(crate) fn relay_answers(&mut self, result: Result<&str, &str>) {
        self.relay_answers_nth(0, result);
    }

    pub(crate) fn relay_answers_nth(&mut self, n: usize, result: Result<&str, &str>) {
        let (ticket, opens) = self.tickets.remove(n);
        if let (Some(link), Err(_)) = (opens, result) {
            self.open_links.remove(&link);
        }
        let result = result.map(str::to_owned).map_err(str::to_owned);
        self.put(Input::LinkAnswer { ticket, result });
    }

    /// The media relay answers what nobody asked.
    pub(crate) fn relay_answers_nothing(&mut self) {
        self.put(Input::LinkAnswer { ticket: Ticket(12_345), result: Ok("?".into()) });
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(Timestamp(at)) = self.rooms.next_deadline().filter(|at| at.0 <= until) {
            self.now = self.now.max(at);
            self.put(Input::Deadline);
        }
        self.now = until;
    }

    pub(crate) fn put(&mut self, input: Input) {
        let said = format!("{input:?}");
        let outputs = self.rooms.handle(Timestamp(self.now), input);
        for output in outputs {
            self.take(output);
        }
        if let Err(what) = self.rooms.audit() {
            panic!("after {said}: {what}");
        }
        self.members_agree(&said);
        if let Some(deadline) = self.rooms.next_deadline() {
            assert!(deadline.0 > self.now, "what was due is done");
        }
    }

    /// All connected devices in a call know the same members.
    fn members_agree(&self, said: &str) {
        let mut told: BTreeMap<&ChannelId, String> = BTreeMap::new();
        for (client, c) in self.clients.iter().filter(|(_, c)| c.conn.is_some()) {
            if let (View::In(channel), Some(session)) = (&c.view, &c.session) {
                let members = show_members(session);
                let first = told.entry(channel).or_insert_with(|| members.clone());
                assert_eq!(*first, members, "{client} and another after {said}");
            }
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Send { conn, message } => {
                let Some(owner) = self.owners.get(&conn) else { panic!("{message:?} on closed {conn:?}") };
                let text = encode(&message);
                assert_eq!(decode_server(&text).unwrap(), message, "survives the wire");
                let client = self.clients.get_mut(owner).unwrap();
                client.take(conn, message);
            }
            Output::Close { conn } => {
                let owner = self.owners.remove(&conn).expect("closed once");
                let client = self.clients.get_mut(&owner).unwrap();
                if client.conn == Some(conn) {
                    client.conn = None;
                    client.got.push("closed".into());
                }
            }
            Output::Push(push) => self.pushes.push(push),
            Output::Handover(handover) => self.handover = Some(handover),
            Output::Record(record) => {
                assert!(record.members.iter().all(|m| m.leave_time >= m.join_time && m.leave_time > 0));
                self.records.push(record);
            }
            Output::Media(command) => self.relay(&command),
        }
    }

    fn relay(&mut self, command: &MediaCommand) {
        let line = match command {
            MediaCommand::Open { link, ticket, offer } => {
                assert!(self.open_links.insert(*link), "{link:?} opened twice");
                assert_ne!(*link, LinkId::ECHO);
                self.tickets.push((*ticket, Some(*link)));
                format!("open {} {offer}", link.0)
            }
            MediaCommand::Renew { link, ticket, offer } => {
                assert!(self.open_links.contains(link), "{link:?} renewed but not open");
                self.tickets.push((*ticket, None));
                format!("renew {} {offer}", link.0)
            }
            MediaCommand::Admit { link, call: _, member } => {
                assert!(self.open_links.contains(link), "{link:?} admitted but not open");
                self.admitted.push(*member);
                format!("admit {}", link.0)
            }
            MediaCommand::Close { link } => {
                assert!(self.open_links.remove(link), "{link:?} closed but not open");
                format!("close {}", link.0)
            }
            MediaCommand::Echo { call: _, on } => format!("echo {}", if *on { "on" } else { "off" }),
        };
        self.media.push(line);
    }

    // The test looks.

    /// What a client got since the last look.
    pub(crate) fn got(&mut self, client: &str) -> Vec<String> {
        std::mem::take(&mut self.clients.get_mut(client).unwrap().got)
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, client: &str, lines: &[&str]) {
        assert_eq!(self.got(client), lines, "{client} got (left), should get (right)");
    }

    #[track_caller]
    pub(crate) fn expect_media(&mut self, lines: &[&str]) {
        assert_eq!(std::mem::take(&mut self.media), lines);
    }

    /// Who was to be woken since the last [`Self::forget`], and by whom.
    pub(crate) fn woken(&self) -> Vec<String> {
        self.pushes.iter().map(|push| format!("{} by {}", push.user, push.invited_by.username)).collect()
    }

    /// All that the server remembers, but for the answers that it keeps.
    pub(crate) fn fingerprint(&self) -> String {
        let mut rest = format!("{:?}", self.rooms);
        let mut text = String::new();
        while let Some(at) = rest.find("answers: Answers {") {
            text.push_str(&rest[..at]);
            let mut depth = 0;
            let end = rest[at..].char_indices().find(|(_, c)| {
                depth += i32::from(*c == '{') - i32::from(*c == '}');
                *c == '}' && depth == 0
            });
            rest = rest[at + end.unwrap().0..].to_owned();
        }
        text + &rest
    }

    /// The server is stopped; what it hands over.
    pub(crate) fn suspend(&mut self) -> Handover {
        self.put(Input::Suspend { unix_ms: self.unix_ms() });
        assert!(self.rooms.is_idle() && self.open_links.is_empty(), "left by the one before");
        self.handover.take().unwrap()
    }

    /// Another server takes it over so much later.
    pub(crate) fn take_over(&mut self, handover: Handover, ms: u64) {
        self.now += ms;
        self.tickets.clear();
        self.servers = self.servers.wrapping_add(1);
        self.rooms = Rooms::new(config(), [self.servers; 32]);
        let known = self.store.values().cloned().collect();
        self.put(Input::TakeOver { unix_ms: self.unix_ms(), handover, known });
    }

    /// The server is stopped and another takes its place so much later.
    pub(crate) fn replace(&mut self, ms: u64) {
        // As it is kept on the disk.
        let text = serde_json::to_string(&self.suspend()).unwrap();
        self.take_over(serde_json::from_str(&text).unwrap(), ms);
    }

    fn unix_ms(&self) -> i64 {
        EPOCH_MS.saturating_add_unsigned(self.now)
    }

    /// Nothing so far counts as unread.
    pub(crate) fn forget(&mut self) {
        for client in self.clients.values_mut() {
            client.got.clear();
            client.messages.clear();
        }
        self.media.clear();
        self.pushes.clear();
        self.records.clear();
    }

    /// Nobody has anything unread, and once all are gone and time has passed nothing is left.
    #[track_caller]
    pub(crate) fn expect_quiet(mut self) {
        for (client, c) in &self.clients {
            assert_eq!(c.got, [""; 0], "unread at {client}");
        }
        self.expect_nothing_left();
    }

    #[track_caller]
    pub(crate) fn expect_nothing_left(&mut self) {
        let clients: Vec<String> = self.clients.keys().cloned().collect();
        for client in clients {
            self.drop(&client);
        }
        self.wait(GRACE_MS + RING_MS);
        assert!(self.rooms.is_idle(), "left behind: {:#?}", self.rooms);
        assert!(self.open_links.is_empty());
        assert_eq!(self.rooms.counts(), jmrtc_rooms::Counts::default());
    }
}

impl Client {
    fn take(&mut self, conn: ConnId, message: ServerMessage) {
        match &message {
            ServerMessage::Welcome(welcome) => {
                self.secret = welcome.secret.clone();
                if !welcome.resumed {
                    (self.seen, self.last_id) = (0, 0);
                    self.asked.clear();
                    self.answered.clear();
                    self.stale.clear();
                    self.view = View::Free;
                    if let Some(session) = &welcome.call {
                        self.enter(session);
                    }
                }
                if let Some(session) = &welcome.call {
                    self.channel = Some(session.channel_id.clone());
                    self.stay = welcome.stay;
                }
            }
            ServerMessage::Event { seq, event } => {
                assert_eq!(self.conn, Some(conn), "an event on the newest connection only");
                self.seen += 1;
                assert_eq!(*seq, self.seen, "events count up one by one");
                self.believe(event);
            }
            ServerMessage::Reply { id, reply } => {
                assert!(self.asked.remove(id), "an answer to nothing: {message:?}");
                let first = self.answered.insert(*id);
                if let Reply::Start { session, stay, .. } | Reply::Accept { session, stay } = reply
                    && first
                {
                    self.enter(session);
                    self.channel = Some(session.channel_id.clone());
                    self.stay = *stay;
                    self.start_time = session.start_time;
                }
            }
            ServerMessage::Failure { id, .. } => {
                assert!(self.asked.remove(id), "an answer to nothing: {message:?}")
            }
            ServerMessage::Fault { .. } | ServerMessage::Pong | ServerMessage::Closing { .. } => {}
        }
        // What an old connection is told is not unread by the new one.
        if self.conn == Some(conn) {
            self.got.push(show(&message, self.session.as_ref()));
            self.messages.push(message);
        }
    }

    fn believe(&mut self, event: &ServerEvent) {
        let wrong = format!("{event:?} while {:?}", self.view);
        match event {
            ServerEvent::Invited { session, stay, ring_ms } => {
                assert!(
                    *ring_ms <= RING_MS && session.inviting_members.len() + session.joined_members.len() > 1
                );
                self.channel = Some(session.channel_id.clone());
                self.stay = *stay;
                if self.view != View::Muddled {
                    assert_eq!(self.view, View::Free, "{wrong}");
                    self.view = View::Rung(session.channel_id.clone());
                }
            }
            ServerEvent::Joined { channel_id, user, start_time } => {
                self.start_time = *start_time;
                self.goes_on(channel_id, &wrong, |session| session.join(user.clone(), *start_time));
            }
            ServerEvent::Left { channel_id, user, .. } => {
                self.goes_on(channel_id, &wrong, |session| session.leave(&user.username));
            }
            ServerEvent::Muted { channel_id, user, muted } => {
                self.goes_on(channel_id, &wrong, |session| session.mute(&user.username, *muted));
            }
            ServerEvent::OthersInvited { channel_id, users, .. } => {
                self.goes_on(channel_id, &wrong, |session| session.invite(users));
            }
            ServerEvent::Ended { session, stay, .. } => {
                let channel = &session.channel_id;
                if self.view == View::Muddled || self.stale.remove(channel) {
                    return;
                }
                let believed = match &self.view {
                    View::Rung(rung) => rung == channel,
                    View::In(call) => call == channel,
                    View::Free | View::Muddled => false,
                };
                assert!(believed && *stay == self.stay, "{wrong}");
                self.view = View::Free;
            }
            ServerEvent::Slots { channel_id, .. } => {
                let here = matches!(&self.view, View::In(channel) if channel == channel_id);
                assert!(here || self.view == View::Muddled, "{wrong}");
            }
        }
    }

    fn enter(&mut self, session: &Session) {
        self.session = Some(session.clone());
        if self.view == View::Muddled {
            return;
        }
        match std::mem::replace(&mut self.view, View::In(session.channel_id.clone())) {
            View::Rung(old) | View::In(old) if old != session.channel_id => {
                self.stale.insert(old);
            }
            View::Free | View::Rung(_) | View::In(..) | View::Muddled => {}
        }
    }

    /// Each change is one: to whom it is told, it is news.
    fn goes_on(&mut self, channel: &ChannelId, wrong: &str, change: impl FnOnce(&mut Session) -> bool) {
        let session = self.session.as_mut().filter(|session| session.channel_id == *channel);
        let news = session.map(change);
        if self.view != View::Muddled {
            assert_eq!((&self.view, news), (&View::In(channel.clone()), Some(true)), "{wrong}");
        }
    }
}

fn names<'a>(users: impl IntoIterator<Item = &'a Username>) -> String {
    let names: Vec<_> = users.into_iter().map(Username::as_str).collect();
    if names.is_empty() { "-".into() } else { names.join(" ") }
}

/// What is the same for all viewers.
fn show_members(session: &Session) -> String {
    let inviting = names(session.inviting_members.iter().map(|u| &u.username));
    let joined = names(session.joined_members.iter().map(|u| &u.username));
    let mut text = format!("S(i: {inviting}; j: {joined}");
    if !session.muted_members.is_empty() {
        text.push_str(&format!("; m: {}", names(&session.muted_members)));
    }
    text.push(')');
    if session.start_time != 0 {
        text.push('+');
    }
    text
}

pub(crate) fn show_session(session: &Session) -> String {
    let mut text = show_members(session);
    if let Some(by) = &session.invited_by {
        text.push_str(&format!(" by {}", by.username));
    }
    if session.silent {
        text.push_str(" silent");
    }
    text
}

fn word<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

pub(crate) fn show_why(reason: Reason, detail: Option<Detail>) -> String {
    match detail {
        Some(detail) => format!("{}/{}", word(reason), word(detail)),
        None => word(reason),
    }
}

/// `session` is the receiver's, right after the message.
fn show(message: &ServerMessage, session: Option<&Session>) -> String {
    let now = || session.map(show_session).unwrap_or_default();
    match message {
        ServerMessage::Welcome(welcome) => {
            let resumed = match (welcome.resumed, welcome.link_lost) {
                (true, true) => " resumed, link lost",
                (true, false) => " resumed",
                (false, false) => "",
                (false, true) => panic!("a link that a new sign-in does not have"),
            };
            let call = welcome.call.as_ref().map(|s| format!(" {}", show_session(s))).unwrap_or_default();
            format!("welcome{resumed}{call}")
        }
        ServerMessage::Reply { reply, .. } => match reply {
            Reply::Start { session, failed, .. } => {
                let failed: Vec<_> = failed.iter().map(|f| format!(" !{} {}", f.username, f.name)).collect();
                format!("start {}{}", show_session(session), failed.concat())
            }
            Reply::Accept { session, .. } => format!("accept {}", show_session(session)),
            Reply::Invite { invited, failed } => {
                let failed: Vec<_> = failed.iter().map(|f| format!(" !{} {}", f.username, f.name)).collect();
                format!("invite {}{}", names(invited), failed.concat())
            }
            Reply::Link { answer } => format!("link {answer}"),
            Reply::UpdateToken => "updateToken".into(),
            Reply::Logout => "logout".into(),
            Reply::Refuse => "refuse".into(),
            Reply::Leave => "leave".into(),
            Reply::Mute => "mute".into(),
            Reply::Users { .. }
            | Reply::UpdateProfile { .. }
            | Reply::UpdateRelation { .. }
            | Reply::Relations { .. }
            | Reply::History { .. } => panic!("the rooms have no store: {reply:?}"),
            Reply::EndPreflight => "endPreflight".into(),
        },
        ServerMessage::Failure { error, .. } => format!("! {}", error.name),
        ServerMessage::Event { event, .. } => match event {
            ServerEvent::Invited { session, ring_ms, .. } => {
                format!("Invited {} {ring_ms}", show_session(session))
            }
            ServerEvent::Joined { user, .. } => format!("Joined {} {}", user.username, now()),
            ServerEvent::Left { user, reason, detail, .. } => {
                format!("Left {} {} {}", user.username, show_why(*reason, *detail), now())
            }
            ServerEvent::OthersInvited { users, by, .. } => {
                let users = names(users.iter().map(|u| &u.username));
                format!("OthersInvited {users} by {} {}", by.username, now())
            }
            ServerEvent::Muted { user, muted, .. } => format!("Muted {} {muted} {}", user.username, now()),
            ServerEvent::Ended { session, reason, detail, .. } => {
                format!("Ended {} {}", show_why(*reason, *detail), show_session(session))
            }
            ServerEvent::Slots { slots, .. } => {
                let slots: Vec<_> = slots.iter().map(|s| s.as_ref().map_or("-", Username::as_str)).collect();
                format!("Slots {}", slots.join(" "))
            }
        },
        ServerMessage::Fault { error } => format!("fault {}", error.name),
        ServerMessage::Pong => "pong".into(),
        ServerMessage::Closing { reason } => format!("closing {}", word(reason)),
    }
}
