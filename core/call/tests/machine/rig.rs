//! A machine with a scripted world around it. What it does is written down in short lines, so that a test
//! reads like the story table of the call semantics.

use std::collections::BTreeMap;
use std::fmt::Display;

use jmrtc_call::{
    AudioAction, AudioEvent, Client, CommandId, Config, Event, Input, MediaAction, MediaEvent, Memory,
    Output, PlatformAction, PlatformEvent, Remembered, SocketAction, SocketEvent, Timestamp, transcript,
};
use jmrtc_protocol::{
    ChannelId, ClientMessage, ClientSettings, Closing, Detail, Device, ErrorCode, FailedUser, Failure,
    LeaveReason, MediaType, PROTOCOL_VERSION, Platform, Profile, Reason, Relation, Reply, Request, RequestId,
    ServerEvent, ServerMessage, Session, Stay, User, Username, Welcome,
};
use serde_json::{Value, json};

pub(crate) fn name(name: &str) -> Username {
    Username::new(name).unwrap()
}

pub(crate) fn user(who: &str) -> User {
    User::new("app", name(who), Profile::default(), Relation::default())
}

const START_TIME: i64 = 1_700_000_000_000;

/// The session of call `c1` with alice as its inviter: `S(inviting; joined)`, names set apart by spaces.
pub(crate) fn session(inviting: &str, joined: &str) -> Session {
    let users = |names: &str| names.split_whitespace().map(user).collect::<Vec<_>>();
    let joined_members = users(joined);
    Session {
        channel_id: ChannelId("c1".into()),
        media_type: MediaType::Voice,
        inviter: user("alice"),
        inviting_members: users(inviting),
        muted_members: Vec::new(),
        start_time: if joined_members.len() > 1 { START_TIME } else { 0 },
        joined_members,
        invited_by: None,
        silent: false,
    }
}

pub(crate) fn of(channel: &str, session: Session) -> Session {
    Session { channel_id: ChannelId(channel.into()), ..session }
}

pub(crate) fn inviter(who: &str, session: Session) -> Session {
    Session { inviter: user(who), ..session }
}

pub(crate) fn invited(session: Session) -> ServerEvent {
    ServerEvent::Invited { session, stay: 1, ring_ms: 60_000 }
}

/// After a stay that is over.
pub(crate) fn invited_again(session: Session) -> ServerEvent {
    ServerEvent::Invited { session, stay: 2, ring_ms: 60_000 }
}

pub(crate) fn joined(who: &str) -> ServerEvent {
    ServerEvent::Joined { channel_id: ChannelId("c1".into()), user: user(who), start_time: START_TIME }
}

pub(crate) fn left(who: &str, reason: Reason) -> ServerEvent {
    ServerEvent::Left { channel_id: ChannelId("c1".into()), user: user(who), reason, detail: None }
}

pub(crate) fn others_invited(whom: &str, by: &str) -> ServerEvent {
    let users = whom.split_whitespace().map(user).collect();
    ServerEvent::OthersInvited { channel_id: ChannelId("c1".into()), users, by: user(by) }
}

pub(crate) fn muted(who: &str, muted: bool) -> ServerEvent {
    ServerEvent::Muted { channel_id: ChannelId("c1".into()), user: user(who), muted }
}

/// At the screen of the first stay.
pub(crate) fn answered(channel: &str) -> PlatformEvent {
    PlatformEvent::Answered { channel_id: ChannelId(channel.into()), stay: 1 }
}

/// At the screen of the first stay, or the notification.
pub(crate) fn declined(channel: &str) -> PlatformEvent {
    PlatformEvent::Declined { channel_id: ChannelId(channel.into()), stay: 1 }
}

/// The same event in another call.
pub(crate) fn in_call(channel: &str, mut event: ServerEvent) -> ServerEvent {
    match &mut event {
        ServerEvent::Invited { session, .. } | ServerEvent::Ended { session, .. } => {
            session.channel_id.0 = channel.into();
        }
        ServerEvent::Joined { channel_id, .. }
        | ServerEvent::Left { channel_id, .. }
        | ServerEvent::OthersInvited { channel_id, .. }
        | ServerEvent::Muted { channel_id, .. }
        | ServerEvent::Slots { channel_id, .. } => channel_id.0 = channel.into(),
    }
    event
}

/// Of the first stay of whoever is told.
pub(crate) fn ended(session: Session, reason: Reason, detail: Option<Detail>) -> ServerEvent {
    ServerEvent::Ended { session, stay: 1, reason, detail }
}

/// Of another stay.
pub(crate) fn ended_stay(stay: Stay, session: Session, reason: Reason) -> ServerEvent {
    ServerEvent::Ended { session, stay, reason, detail: None }
}

pub(crate) fn config() -> Config {
    Config {
        seed: 7,
        device: Device { id: "phone".into(), platform: Platform::Native },
        server_url: Some("http://server".into()),
        memory: Memory::default(),
    }
}

/// What the life before has left to Bob.
pub(crate) fn bobs(remembered: Remembered) -> Memory {
    Memory(BTreeMap::from([(name("bob"), remembered)]))
}

/// An unsigned token for `who`, good for nothing but telling its user.
pub(crate) fn token(who: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let claims = format!("{{\"sub\":\"{who}\"}}");
    let mut text = String::new();
    for three in claims.as_bytes().chunks(3) {
        let bits = three.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            text.push(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63] as char);
        }
    }
    format!("e30.{text}.c2ln")
}

#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
    pub(crate) me: String,
    pub(crate) seq: u64,
    /// What the server's next welcome says.
    pub(crate) max_members: u32,
    methods: BTreeMap<CommandId, String>,
    answered: BTreeMap<CommandId, u32>,
    /// The socket that is spoken over, and one beside it.
    socket: u32,
    spare: Option<u32>,
    /// Those that are open or being opened.
    open: Vec<u32>,
    media: u32,
    asked: Vec<(RequestId, Request)>,
    log: Vec<String>,
    lines: Vec<String>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            lines: vec![transcript::header(&config)],
            client: Client::new(config),
            now: Timestamp(1_000),
            me: String::new(),
            seq: 0,
            max_members: 8,
            methods: BTreeMap::new(),
            answered: BTreeMap::new(),
            socket: 0,
            spare: None,
            open: Vec::new(),
            media: 0,
            asked: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Signed in as `who`.
    pub(crate) fn signed_in(who: &str) -> Self {
        let mut rig = Self::new();
        rig.login(who);
        rig.take();
        rig
    }

    /// Signed in as `who`, with the engine ready.
    pub(crate) fn ready(who: &str) -> Self {
        let mut rig = Self::signed_in(who);
        rig.engine();
        rig.take();
        rig
    }

    /// Bob's, whom Alice rings; the link is up.
    pub(crate) fn ringing() -> Self {
        let mut rig = Self::ready("bob");
        rig.event(invited(session("bob", "alice")));
        rig.link();
        rig.take();
        rig
    }

    /// Bob's, who has accepted.
    pub(crate) fn connected() -> Self {
        let mut rig = Self::ringing();
        rig.command("accept", json!(null));
        rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
        rig.take();
        rig
    }

    /// The next life of Bob's app, as the one before left it: what it is welcomed with.
    pub(crate) fn next_life(memory: Memory, theirs: Option<Session>) -> Self {
        let mut rig = Self::with(Config { memory: memory.clone(), ..config() });
        rig.me = "bob".into();
        rig.command("login", json!({ "token": token("bob") }));
        rig.opened();
        assert_eq!(rig.client.memory(), memory, "remembered over another reload");
        rig.take();
        rig.welcome(false, theirs);
        rig
    }

    pub(crate) fn login(&mut self, who: &str) {
        self.me = who.to_owned();
        self.command("login", json!({ "token": token(who) }));
        self.opened();
        self.welcome(false, None);
    }

    pub(crate) fn engine(&mut self) {
        self.command("initEngine", json!(null));
        self.platform(PlatformEvent::Microphone { granted: true });
        self.input(Input::Audio(AudioEvent::Ready));
    }

    // What happens.

    /// Every step is made twice, once by a copy that went through JSON: the two must agree.
    pub(crate) fn input(&mut self, input: Input) {
        let text = serde_json::to_string(&self.client).unwrap();
        let mut copy: Client = serde_json::from_str(&text).unwrap();
        let outputs = self.client.handle(self.now, input.clone());
        assert_eq!(outputs, copy.handle(self.now, input.clone()), "a copy of the state went another way");
        self.lines.push(transcript::step(self.now, &input, &outputs));
        for output in outputs {
            self.output(output);
        }
    }

    pub(crate) fn command(&mut self, method: &str, args: Value) -> CommandId {
        let id = self.methods.len() as CommandId + 1;
        self.methods.insert(id, method.to_owned());
        self.input(Input::Command { id, method: method.to_owned(), args });
        id
    }

    pub(crate) fn socket(&mut self, event: SocketEvent) {
        self.on(self.socket, event);
    }

    /// Of the socket that is opened beside the other.
    pub(crate) fn spare(&mut self, event: SocketEvent) {
        self.on(self.spare.expect("a spare socket"), event);
    }

    fn on(&mut self, generation: u32, event: SocketEvent) {
        if matches!(event, SocketEvent::Closed { .. }) {
            self.open.retain(|g| *g != generation);
        }
        self.input(Input::Socket { generation, event });
    }

    pub(crate) fn opened(&mut self) {
        self.socket(SocketEvent::Opened);
    }

    pub(crate) fn closed(&mut self) {
        self.socket(SocketEvent::Closed { why: "gone".into() });
    }

    pub(crate) fn message(&mut self, message: ServerMessage) {
        self.socket(SocketEvent::Message { message });
    }

    pub(crate) fn welcome(&mut self, resumed: bool, call: Option<Session>) {
        self.welcome_from(resumed, false, call);
    }

    /// From a server that took the place of the one before.
    pub(crate) fn welcome_from_the_next(&mut self) {
        self.welcome_from(true, true, None);
    }

    fn welcome_from(&mut self, resumed: bool, link_lost: bool, call: Option<Session>) {
        if !resumed {
            self.seq = 0;
        }
        let settings = ClientSettings {
            ring_ms: 60_000,
            grace_ms: 30_000,
            ping_ms: 10_000,
            max_members: self.max_members,
            slots: 4,
            ice_servers: vec![],
        };
        let user = user(&self.me.clone());
        let secret = "s".into();
        // As invited, if not as the one who calls.
        let stay = call.as_ref().map_or(0, |call| Stay::from(call.inviter != user));
        let protocol = PROTOCOL_VERSION;
        let welcome = Welcome { protocol, user, secret, resumed, link_lost, call, stay, settings };
        self.message(ServerMessage::Welcome(Box::new(welcome)));
    }

    pub(crate) fn event(&mut self, mut event: ServerEvent) {
        self.seq += 1;
        // Whoever began it was not invited.
        if let ServerEvent::Ended { session, stay: stay @ 1, .. } = &mut event
            && session.inviter.username == name(&self.me)
        {
            *stay = 0;
        }
        self.message(ServerMessage::Event { seq: self.seq, event });
    }

    pub(crate) fn closing(&mut self, reason: Closing) {
        self.message(ServerMessage::Closing { reason });
    }

    /// Answers the oldest unanswered request that is not about the link.
    pub(crate) fn reply(&mut self, reply: Reply) {
        let id = self.request();
        self.message(ServerMessage::Reply { id, reply });
    }

    pub(crate) fn failure(&mut self, code: ErrorCode) {
        let id = self.request();
        self.message(ServerMessage::Failure { id, error: Failure::new(code, "no") });
    }

    fn request(&mut self) -> RequestId {
        let at = self.asked.iter().position(|(_, r)| !matches!(r, Request::Link { .. }));
        self.asked.remove(at.expect("a request to answer")).0
    }

    pub(crate) fn started(&mut self, session: Session) {
        let stay = Stay::from(session.inviter.username != name(&self.me));
        self.reply(Reply::Start { session, stay, failed: vec![] });
    }

    pub(crate) fn started_without(&mut self, session: Session, who: &str) {
        let failed = vec![FailedUser { username: name(who), name: "USER_UNAVAILABLE".into() }];
        self.reply(Reply::Start { session, stay: 0, failed });
    }

    /// Pings are answered.
    pub(crate) fn media(&mut self, event: MediaEvent) {
        let before = self.log.len();
        self.media_in_silence(event);
        self.answer_ping(before);
    }

    /// As [`Self::media`], while nothing is heard of the server.
    pub(crate) fn media_in_silence(&mut self, event: MediaEvent) {
        self.input(Input::Media { generation: self.media, event });
    }

    fn answer_ping(&mut self, before: usize) {
        if self.log[before..].iter().any(|l| l.starts_with("> ping")) {
            self.pong();
        }
    }

    pub(crate) fn pong(&mut self) {
        self.message(ServerMessage::Pong);
    }

    /// Of the link before.
    pub(crate) fn old_media(&mut self, event: MediaEvent) {
        self.input(Input::Media { generation: self.media - 1, event });
    }

    pub(crate) fn offer(&mut self) {
        self.media(MediaEvent::Offer { sdp: "offer".into() });
    }

    /// Answers the last link request.
    pub(crate) fn answer(&mut self) {
        let at = self.asked.iter().rposition(|(_, r)| matches!(r, Request::Link { .. }));
        let (id, _) = self.asked.remove(at.expect("a link request"));
        self.message(ServerMessage::Reply { id, reply: Reply::Link { answer: "answer".into() } });
    }

    pub(crate) fn refuse_link(&mut self, code: ErrorCode) {
        let at = self.asked.iter().rposition(|(_, r)| matches!(r, Request::Link { .. }));
        let (id, _) = self.asked.remove(at.expect("a link request"));
        self.message(ServerMessage::Failure { id, error: Failure::new(code, "no") });
    }

    /// The link comes up.
    pub(crate) fn link(&mut self) {
        self.offer();
        self.answer();
        self.media(MediaEvent::Connected);
    }

    pub(crate) fn platform(&mut self, event: PlatformEvent) {
        self.input(Input::Platform(event));
    }

    pub(crate) fn audio_failed(&mut self) {
        self.input(Input::Audio(AudioEvent::Failed { why: "no device".into() }));
    }

    /// Time passes; every deadline on the way is met, pings are answered.
    pub(crate) fn wait(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        while let Some(at) = self.client.next_deadline().filter(|at| *at <= end) {
            assert!(self.client.next_deadline().is_some());
            self.now = self.now.max(at);
            let before = self.log.len();
            self.input(Input::Deadline);
            self.answer_ping(before);
            assert!(
                self.client.next_deadline().is_none_or(|at| at > self.now),
                "a deadline that never passes"
            );
        }
        self.now = end;
    }

    /// As [`Self::wait`], while nothing is heard of the server.
    pub(crate) fn wait_in_silence(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        while let Some(at) = self.client.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Deadline);
        }
        self.now = end;
    }

    /// Lost and back: the new connection is open and `hello` sent.
    pub(crate) fn reconnect(&mut self) {
        let before = self.socket;
        while self.socket == before {
            self.now = self.client.next_deadline().expect("another try");
            self.input(Input::Deadline);
        }
        self.opened();
    }

    // What came of it.

    /// What the pings since the last `take` have acknowledged.
    pub(crate) fn pings(&self) -> Vec<&str> {
        self.log.iter().filter_map(|line| line.strip_prefix("> ping ")).collect()
    }

    /// The lines since the last call, without pings.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log).into_iter().filter(|l| !l.starts_with("> ping")).collect()
    }

    /// Only what the app hears: answers and events.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        let machinery = ["> ", "media ", "audio ", "platform ", "socket "];
        self.take().into_iter().filter(|l| !machinery.iter().any(|m| l.starts_with(m))).collect()
    }

    /// The last audio posture told: what may run.
    pub(crate) fn transcript(&self) -> &[String] {
        &self.lines
    }

    /// What this life would leave to its user's next.
    pub(crate) fn remembered(&self) -> Remembered {
        self.client.memory().0.remove(&name(&self.me)).unwrap_or_default()
    }

    pub(crate) fn unanswered(&self) -> Vec<&str> {
        self.methods
            .iter()
            .filter(|(id, _)| !self.answered.contains_key(id))
            .map(|(_, m)| m.as_str())
            .collect()
    }

    fn output(&mut self, output: Output) {
        let line = match output {
            Output::Reply { id, result } => {
                let times = self.answered.entry(id).or_default();
                *times += 1;
                assert_eq!(*times, 1, "`{}` answered twice", self.methods[&id]);
                match result {
                    Ok(value) => format!("{} -> {}", self.methods[&id], show(&value)),
                    Err(f) => format!("{} -> {}", self.methods[&id], f.name),
                }
            }
            Output::Event(event) => show_event(&event),
            Output::Socket(SocketAction::Open { generation, url }) => {
                let beside = !self.open.is_empty();
                self.open.push(generation);
                assert!(self.open.len() <= 2, "{:?} are open", self.open);
                if beside {
                    self.spare = Some(generation);
                    "spare open".to_owned()
                } else {
                    self.socket = generation;
                    self.asked.clear();
                    format!("socket open {url}")
                }
            }
            Output::Socket(SocketAction::Close { generation }) => {
                self.open.retain(|g| *g != generation);
                if generation != self.socket {
                    "spare close".to_owned()
                } else {
                    if let Some(spare) = self.open.first() {
                        self.socket = *spare;
                        self.asked.clear();
                    }
                    "socket close".to_owned()
                }
            }
            Output::Socket(SocketAction::Send { generation, message }) => {
                assert_eq!(generation, self.socket, "sent on an old socket");
                if let ClientMessage::Request { id, request } = &message {
                    self.asked.push((*id, request.clone()));
                }
                show_sent(&message)
            }
            Output::Media(MediaAction::Open { generation, slots, .. }) => {
                self.media = generation;
                format!("media open {slots}")
            }
            Output::Media(MediaAction::Answer { .. }) => "media answer".to_owned(),
            Output::Media(MediaAction::Restart { .. }) => "media restart".to_owned(),
            Output::Media(MediaAction::Close { .. }) => "media close".to_owned(),
            Output::Audio(AudioAction::Prepare) => "audio prepare".to_owned(),
            Output::Audio(AudioAction::Release) => "audio release".to_owned(),
            Output::Audio(AudioAction::Set { capture, send, play }) => {
                let flags = [(capture, "capture"), (send, "send"), (play, "play")];
                let on: Vec<_> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
                format!("audio {}", if on.is_empty() { "off".to_owned() } else { on.join("+") })
            }
            Output::Platform(action) => match action {
                PlatformAction::RequestMicrophone => "platform microphone?".to_owned(),
                PlatformAction::ShowIncoming { stay, .. } => again("platform ring", Some(stay)),
                PlatformAction::DismissIncoming { stay, .. } => again("platform dismiss", Some(stay)),
                PlatformAction::CallStarted { stay, .. } => again("platform started", Some(stay)),
                PlatformAction::CallEnded { stay, .. } => again("platform ended", Some(stay)),
                PlatformAction::SetSpeakerphone { enabled } => format!("platform speaker {enabled}"),
            },
        };
        self.log.push(line);
    }
}

fn show(value: &Value) -> String {
    match serde_json::from_value::<Session>(value.clone()) {
        Ok(session) => {
            let failed = &value["failed"];
            if failed.as_array().is_some_and(Vec::is_empty) {
                show_session(&session)
            } else {
                format!("{} failed {failed}", show_session(&session))
            }
        }
        Err(_) => value.to_string(),
    }
}

fn show_session(session: &Session) -> String {
    let names = |users: &[User]| {
        let names: Vec<_> = users.iter().map(|u| u.username.as_str()).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(", ") }
    };
    format!("S(i: {}; j: {})", names(&session.inviting_members), names(&session.joined_members))
}

fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap_or_default().to_owned()
}

fn why(reason: Reason, detail: Option<Detail>) -> String {
    match detail {
        Some(detail) => format!("{}/{}", word(reason), word(detail)),
        None => word(reason),
    }
}

fn show_event(event: &Event) -> String {
    match event {
        Event::CallOutgoing(s) => format!("CallOutgoing {}", show_session(s)),
        Event::CallReceiveInvite(s) => format!("CallReceiveInvite {}", show_session(s)),
        Event::CallConnecting(s) => format!("CallConnecting {}", show_session(s)),
        Event::CallConnected(s) => {
            assert!(s.start_time > 0, "connected at no time");
            format!("CallConnected {}", show_session(s))
        }
        Event::CallMemberJoin(u) => format!("CallMemberJoin {}", u.username),
        Event::CallMemberLeave(p) => {
            format!("CallMemberLeave {} {}", p.user.username, why(p.reason, p.detail))
        }
        Event::CallDisconnect(p) => {
            format!("CallDisconnect {} {}", why(p.reason, p.detail), show_session(&p.session))
        }
        Event::CallOtherUserInvited(p) => {
            let names: Vec<_> = p.invited_users.iter().map(|u| u.username.as_str()).collect();
            format!("CallOtherUserInvited {} by {}", names.join(", "), p.from_user.username)
        }
        Event::CallError(p) => format!("CallError {}", p.name),
        Event::CallMemberMuted(p) => format!("CallMemberMuted {} {}", p.user.username, p.muted),
        Event::CallActiveSpeakers(p) => {
            let names: Vec<_> = p.active_speakers.iter().map(|u| u.username.as_str()).collect();
            format!("CallActiveSpeakers {}", names.join(" "))
        }
        Event::CallReconnecting(_) => "CallReconnecting".to_owned(),
        Event::CallReconnected(_) => "CallReconnected".to_owned(),
        Event::CallQuality(q) => format!("CallQuality {} {:?}", q.score, q.warnings),
    }
}

/// `what` is said of, and of which stay where that is not the first, or is not said.
fn again(what: impl Display, stay: Option<Stay>) -> String {
    match stay {
        Some(0 | 1) => what.to_string(),
        Some(stay) => format!("{what}#{stay}"),
        None => format!("{what}#?"),
    }
}

fn show_sent(message: &ClientMessage) -> String {
    match message {
        ClientMessage::Hello(hello) => match &hello.resume {
            Some(resume) => format!("> hello again after {}", resume.seq),
            None => "> hello".to_owned(),
        },
        ClientMessage::Ping { ack } => format!("> ping {ack}"),
        ClientMessage::Request { request, .. } => match request {
            Request::UpdateToken { .. } => "> updateToken".to_owned(),
            Request::Logout => "> logout".to_owned(),
            Request::Start { usernames } => {
                let names: Vec<_> = usernames.iter().map(Username::as_str).collect();
                format!("> start {}", names.join(" "))
            }
            Request::Accept { channel_id, stay } => format!("> accept {}", again(channel_id, Some(*stay))),
            Request::Refuse { channel_id, stay } => format!("> refuse {}", again(channel_id, Some(*stay))),
            Request::Leave { channel_id, stay, reason: LeaveReason::Hangup } => {
                format!("> leave {}", again(channel_id, *stay))
            }
            Request::Leave { channel_id, stay, reason: LeaveReason::NetworkError } => {
                format!("> leave {} networkError", again(channel_id, *stay))
            }
            Request::Invite { channel_id, usernames } => {
                let names: Vec<_> = usernames.iter().map(Username::as_str).collect();
                format!("> invite {channel_id} {}", names.join(" "))
            }
            Request::Mute { channel_id, muted } => format!("> mute {channel_id} {muted}"),
            Request::Link { channel_id, stay, generation, .. } => {
                format!("> link {} {generation}", again(channel_id, Some(*stay)))
            }
            Request::Users { usernames } => {
                let names: Vec<_> = usernames.iter().map(Username::as_str).collect();
                format!("> users {}", names.join(" "))
            }
            Request::UpdateProfile { profile } => {
                format!("> updateProfile {}", serde_json::to_string(profile).unwrap())
            }
            Request::UpdateRelation { username, relation } => {
                format!("> updateRelation {username} {}", serde_json::to_string(relation).unwrap())
            }
            Request::Relations { after, limit } => {
                let after = after.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
                format!("> relations {after}{limit}")
            }
            Request::History { before, limit } => {
                let before = before.as_ref().map(|channel| format!("{channel} ")).unwrap_or_default();
                format!("> history {before}{limit}")
            }
            Request::Preflight { generation, .. } => format!("> preflight {generation}"),
            Request::EndPreflight => "> endPreflight".to_owned(),
        },
    }
}
