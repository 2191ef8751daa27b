//! Anything may happen at any time: arbitrary inputs, in arbitrary order.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_call::{
    AudioAction, AudioEvent, Client, Event, Input, LinkSample, MediaAction, MediaEvent, Output,
    PlatformEvent, SocketAction, SocketEvent, State, Timestamp, transcript,
};
use jmrtc_protocol::{
    ChannelId, ClientMessage, ClientSettings, Closing, Detail, ErrorCode, FailedUser, Failure,
    PROTOCOL_VERSION, Reason, Reply, ServerEvent, ServerMessage, Session, Stay, Username, Welcome,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::rig;

/// An input but for the numbers that have to fit to get anywhere.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)]
enum Step {
    Command(&'static str, Value),
    /// Of the current socket, or of one so many before it.
    Socket(u32, SocketEvent),
    /// The answer to the request asked so many before the last.
    Answer(usize, Result<Reply, ErrorCode>),
    Media(u32, MediaEvent),
    Audio(AudioEvent),
    Platform(PlatformEvent),
    /// Milliseconds later.
    Wait(u64),
    /// When the next deadline is.
    Deadline,
}

fn users() -> impl Strategy<Value = Vec<jmrtc_protocol::User>> {
    proptest::collection::vec(select(vec!["alice", "bob", "carol", "dave"]).prop_map(rig::user), 0..4)
}

fn channel() -> impl Strategy<Value = ChannelId> {
    select(vec!["c1", "c2", ""]).prop_map(|channel| ChannelId(channel.into()))
}

fn session() -> impl Strategy<Value = Session> {
    (channel(), select(vec!["alice", "bob"]), users(), users(), any::<i64>()).prop_map(
        |(channel_id, inviter, inviting, joined, start_time)| Session {
            channel_id,
            inviter: rig::user(inviter),
            inviting_members: inviting,
            joined_members: joined,
            muted_members: if start_time % 2 == 0 { vec![rig::name("alice")] } else { Vec::new() },
            start_time,
            ..rig::session("", "")
        },
    )
}

fn failed() -> impl Strategy<Value = Vec<FailedUser>> {
    let one = select(vec!["alice", "carol"])
        .prop_map(|n| FailedUser { username: rig::name(n), name: "USER_UNAVAILABLE".into() });
    proptest::collection::vec(one, 0..2)
}

fn stay() -> impl Strategy<Value = Stay> {
    0_u32..3
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        1 => Just(Reply::UpdateToken),
        1 => Just(Reply::Logout),
        3 => (session(), stay(), failed())
            .prop_map(|(session, stay, failed)| Reply::Start { session, stay, failed }),
        3 => (session(), stay()).prop_map(|(session, stay)| Reply::Accept { session, stay }),
        1 => Just(Reply::Refuse),
        1 => Just(Reply::Leave),
        1 => failed().prop_map(|failed| Reply::Invite { invited: vec![], failed }),
        1 => Just(Reply::Mute),
        1 => Just(Reply::Link { answer: "answer".into() }),
        1 => Just(Reply::Link { answer: "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n".into() }),
        1 => Just(Reply::EndPreflight),
    ]
}

fn event() -> impl Strategy<Value = ServerEvent> {
    let reason = || {
        let reasons =
            vec![Reason::Refuse, Reason::Hangup, Reason::Cancel, Reason::Busy, Reason::NetworkError];
        (select(reasons), select(vec![None, Some(Detail::NoAnswer), Some(Detail::Unknown)]))
    };
    let user = || select(vec!["alice", "bob", "carol"]).prop_map(rig::user);
    prop_oneof![
        3 => (session(), stay(), select(vec![0, 1, 30_000, u64::MAX]))
            .prop_map(|(session, stay, ring_ms)| ServerEvent::Invited { session, stay, ring_ms }),
        2 => (channel(), user(), select(vec![0, 1_700_000_000_000]))
            .prop_map(|(channel_id, user, start_time)| ServerEvent::Joined { channel_id, user, start_time }),
        1 => (channel(), user(), reason()).prop_map(|(channel_id, user, (reason, detail))| {
            ServerEvent::Left { channel_id, user, reason, detail }
        }),
        1 => (channel(), users(), user())
            .prop_map(|(channel_id, users, by)| ServerEvent::OthersInvited { channel_id, users, by }),
        2 => (session(), stay(), reason()).prop_map(|(session, stay, (reason, detail))| {
            ServerEvent::Ended { session, stay, reason, detail }
        }),
        1 => (channel(), user(), any::<bool>())
            .prop_map(|(channel_id, user, muted)| ServerEvent::Muted { channel_id, user, muted }),
        1 => Just(ServerEvent::Slots {
            channel_id: ChannelId("c1".into()),
            slots: vec![None, Some(rig::name("bob"))],
        }),
    ]
}

fn welcome() -> impl Strategy<Value = ServerMessage> {
    let number = || select(vec![0, 1, 1_000, 30_000, u64::MAX]);
    let call = (proptest::option::of(session()), stay());
    let who = prop_oneof![9 => Just("alice"), 1 => Just("bob")];
    (who, any::<(bool, bool)>(), call, number(), number(), number(), any::<u8>()).prop_map(
        |(who, (resumed, link_lost), (call, stay), ring_ms, grace_ms, ping_ms, slots)| {
            let max_members = u32::from(slots);
            let settings =
                ClientSettings { ring_ms, grace_ms, ping_ms, max_members, slots, ice_servers: vec![] };
            let (user, secret) = (rig::user(who), "s".into());
            let protocol = PROTOCOL_VERSION;
            let welcome = Welcome { protocol, user, secret, resumed, link_lost, call, stay, settings };
            ServerMessage::Welcome(Box::new(welcome))
        },
    )
}

fn message() -> impl Strategy<Value = ServerMessage> {
    let closing = vec![
        Closing::ServerShutdown,
        Closing::Replaced,
        Closing::TokenExpired,
        Closing::Overload,
        Closing::Unknown,
    ];
    let failure = || select(ErrorCode::ALL.to_vec()).prop_map(|code| Failure::new(code, "no"));
    prop_oneof![
        4 => welcome(),
        8 => (any::<bool>(), any::<u64>(), event()).prop_map(|(fits, seq, event)| {
            // 0 stands for the next one.
            ServerMessage::Event { seq: if fits { 0 } else { seq }, event }
        }),
        1 => (0..9_u64, reply()).prop_map(|(id, reply)| ServerMessage::Reply { id, reply }),
        1 => (0..9_u64, failure()).prop_map(|(id, error)| ServerMessage::Failure { id, error }),
        1 => failure().prop_map(|error| ServerMessage::Fault { error }),
        1 => Just(ServerMessage::Pong),
        1 => select(closing).prop_map(|reason| ServerMessage::Closing { reason }),
    ]
}

fn command() -> impl Strategy<Value = Step> {
    let commands = vec![
        ("init", json!(null)),
        ("login", json!({ "token": rig::token("alice") })),
        ("login", json!({ "token": rig::token("alice") })),
        ("login", json!({ "token": rig::token("bob") })),
        ("login", json!({ "token": "?", "serverUrl": "wss://other" })),
        ("logout", json!(null)),
        ("updateToken", json!({ "token": rig::token("alice") })),
        ("initEngine", json!(null)),
        ("initEngine", json!(null)),
        ("releaseEngine", json!(null)),
        ("startCallUsers", json!({ "usernames": ["bob"] })),
        ("startCallUsers", json!({ "usernames": ["bob", "carol", "alice"] })),
        ("startCallUsers", json!({ "usernames": 7 })),
        ("accept", json!(null)),
        ("accept", json!(null)),
        ("refuse", json!(null)),
        ("hangup", json!(null)),
        ("inviteUsers", json!({ "usernames": ["dave"] })),
        ("isMuted", json!(null)),
        ("setIsMuted", json!({ "muted": true })),
        ("isSpeakerphoneEnabled", json!(null)),
        ("setIsSpeakerphoneEnabled", json!({ "speakerphoneEnabled": true })),
        ("getState", json!(null)),
        ("preflight", json!(null)),
        ("preflight", json!({ "seconds": 1 })),
        ("nonsense", json!([1])),
    ];
    select(commands).prop_map(|(method, args)| Step::Command(method, args))
}

fn step() -> impl Strategy<Value = Step> {
    let old = || prop_oneof![19 => Just(0), 1 => 1..3_u32];
    let socket = prop_oneof![
        4 => Just(SocketEvent::Opened),
        10 => message().prop_map(|message| SocketEvent::Message { message }),
        1 => Just(SocketEvent::Closed { why: "gone".into() }),
    ];
    let media = select(vec![
        MediaEvent::Offer { sdp: "offer".into() },
        MediaEvent::Connected,
        MediaEvent::Connected,
        MediaEvent::Disconnected,
        MediaEvent::Stalled,
        MediaEvent::Unreported,
        MediaEvent::Moved,
        MediaEvent::Flowing,
        MediaEvent::Levels { own: 20, slots: vec![20, 127, 0] },
        MediaEvent::Levels { own: 20, slots: vec![] },
        MediaEvent::Failed { why: "ice".into() },
        MediaEvent::Stats { sample: LinkSample { level_in: 127, sent: 50, ..LinkSample::default() } },
    ]);
    let code = select(ErrorCode::ALL.to_vec());
    let answer = prop_oneof![5 => reply().prop_map(Ok), 1 => code.prop_map(Err)];
    prop_oneof![
        10 => command(),
        12 => (old(), socket).prop_map(|(old, event)| Step::Socket(old, event)),
        8 => (0..3_usize, answer).prop_map(|(back, answer)| Step::Answer(back, answer)),
        5 => (old(), media).prop_map(|(old, event)| Step::Media(old, event)),
        2 => prop_oneof![3 => Just(AudioEvent::Ready), 1 => Just(AudioEvent::Failed { why: "x".into() })]
            .prop_map(Step::Audio),
        3 => select(vec![
            PlatformEvent::Microphone { granted: true },
            PlatformEvent::Microphone { granted: true },
            PlatformEvent::Microphone { granted: false },
            PlatformEvent::NetworkChanged,
            rig::answered("c1"),
            rig::declined("c1"),
            PlatformEvent::Answered { channel_id: ChannelId("c1".into()), stay: 2 },
            PlatformEvent::Declined { channel_id: ChannelId("c1".into()), stay: 2 },
        ])
        .prop_map(Step::Platform),
        2 => select(vec![0, 1, 100, 10_000, 70_000, u64::MAX / 2]).prop_map(Step::Wait),
        4 => Just(Step::Deadline),
    ]
}

/// A machine, and what is needed to give it inputs that fit and to judge what it does.
struct World {
    client: Client,
    now: Timestamp,
    me: Username,
    /// The socket made last, the one that is spoken over, and those that are open or being opened.
    newest: u32,
    socket: u32,
    open: BTreeSet<u32>,
    media: u32,
    asked: Vec<u64>,
    seq: u64,
    answers: BTreeMap<u64, u32>,
    /// What the call in sight has told so far.
    in_call: bool,
    records: bool,
    lines: Vec<String>,
}

impl World {
    fn new() -> Self {
        Self {
            client: Client::new(rig::config()),
            now: Timestamp(0),
            me: rig::name("alice"),
            newest: 0,
            socket: 0,
            open: BTreeSet::new(),
            media: 0,
            asked: Vec::new(),
            seq: 0,
            answers: BTreeMap::new(),
            in_call: false,
            records: false,
            lines: vec![transcript::header(&rig::config())],
        }
    }

    /// In the middle of a call.
    fn connected() -> Self {
        let rig::Rig { client, now, seq, .. } = rig::Rig::connected();
        let (me, open) = (rig::name("bob"), BTreeSet::from([1]));
        Self { client, now, me, seq, newest: 1, socket: 1, open, media: 1, in_call: true, ..Self::new() }
    }

    fn input(&mut self, step: Step) -> Input {
        match step {
            Step::Command(method, args) => {
                let id = self.answers.len() as u64;
                self.answers.insert(id, 0);
                Input::Command { id, method: method.into(), args }
            }
            Step::Socket(old, mut event) => {
                if let SocketEvent::Message { message: ServerMessage::Event { seq: seq @ 0, .. } } =
                    &mut event
                {
                    self.seq += 1;
                    *seq = self.seq;
                }
                let generation = self.newest.wrapping_sub(old);
                if matches!(event, SocketEvent::Closed { .. }) {
                    self.open.remove(&generation);
                }
                Input::Socket { generation, event }
            }
            Step::Answer(back, answer) => {
                let at = self.asked.len().saturating_sub(back + 1);
                let id = self.asked.get(at).copied().unwrap_or_default();
                let message = match answer {
                    Ok(reply) => ServerMessage::Reply { id, reply },
                    Err(code) => ServerMessage::Failure { id, error: Failure::new(code, "no") },
                };
                Input::Socket { generation: self.socket, event: SocketEvent::Message { message } }
            }
            Step::Media(old, event) => Input::Media { generation: self.media.wrapping_sub(old), event },
            Step::Audio(event) => Input::Audio(event),
            Step::Platform(event) => Input::Platform(event),
            Step::Wait(ms) => {
                self.now = self.now.plus(ms);
                Input::Deadline
            }
            Step::Deadline => {
                self.now = self.client.next_deadline().map_or(self.now, |at| at.max(self.now));
                Input::Deadline
            }
        }
    }

    fn step(&mut self, step: Step) -> Vec<Output> {
        let input = self.input(step);
        let deadline = input == Input::Deadline;
        let outputs = self.client.handle(self.now, input.clone());
        if self.records {
            self.lines.push(transcript::step(self.now, &input, &outputs));
        }
        if deadline && self.now.0 < u64::MAX / 2 {
            let next = self.client.next_deadline();
            assert!(next.is_none_or(|at| at > self.now), "a deadline that never passes");
        }
        outputs.iter().for_each(|output| self.judge(output));
        outputs
    }

    fn judge(&mut self, output: &Output) {
        match output {
            Output::Reply { id, .. } => {
                let times = self.answers.get_mut(id).expect("a command that was given");
                *times += 1;
                assert_eq!(*times, 1, "answered twice");
            }
            Output::Event(event) => self.judge_event(event),
            Output::Socket(SocketAction::Open { generation, .. }) => {
                assert_eq!(*generation, self.newest + 1);
                self.newest = *generation;
                self.open.insert(*generation);
                assert!(self.open.len() <= 2, "{:?} are open", self.open);
            }
            Output::Socket(SocketAction::Close { generation }) => _ = self.open.remove(generation),
            Output::Socket(SocketAction::Send { generation, message }) => {
                assert!(self.open.contains(generation), "sent on a socket that is closed");
                if let ClientMessage::Hello(_) = message {
                    self.socket = *generation;
                    self.asked.clear();
                }
                assert_eq!(*generation, self.socket, "two are spoken over");
                if let ClientMessage::Request { id, .. } = message {
                    assert!(!self.asked.contains(id), "asked twice on one connection");
                    self.asked.push(*id);
                }
            }
            Output::Media(MediaAction::Open { generation, slots, .. }) => {
                assert!((1..=8).contains(slots));
                self.media = *generation;
            }
            Output::Media(MediaAction::Answer { generation, .. } | MediaAction::Restart { generation }) => {
                assert_eq!(*generation, self.media);
            }
            Output::Audio(AudioAction::Set { capture, send, play }) => {
                assert!(*capture || !(*send || *play), "sound without a microphone that may be open");
            }
            Output::Media(MediaAction::Close { .. })
            | Output::Audio(AudioAction::Prepare | AudioAction::Release)
            | Output::Platform(_) => {}
        }
    }

    /// A call begins with an invitation, an outgoing or a connecting; nothing is told of it after its end.
    fn judge_event(&mut self, event: &Event) {
        match event {
            Event::CallReceiveInvite(_) | Event::CallOutgoing(_) => {
                assert!(!self.in_call, "two calls at a time");
                self.in_call = true;
            }
            Event::CallConnecting(session) => {
                // A server that makes no sense may name nobody.
                let joined = &session.joined_members;
                assert!(
                    joined.is_empty() || joined.iter().any(|u| u.username != self.me),
                    "connecting to nobody"
                );
                self.in_call = true;
            }
            // A call that is brought back tells its end or that it is back as its first.
            Event::CallReconnected(_) | Event::CallDisconnect(_) => {
                self.in_call = matches!(event, Event::CallReconnected(_));
            }
            Event::CallConnected(session) => {
                assert!(self.in_call && session.joined_members.len() >= 2);
            }
            Event::CallMemberJoin(_)
            | Event::CallMemberLeave(_)
            | Event::CallOtherUserInvited(_)
            | Event::CallMemberMuted(_)
            | Event::CallActiveSpeakers(_)
            | Event::CallError(_)
            | Event::CallQuality(_)
            | Event::CallReconnecting(_) => {}
        }
    }
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn no_input_breaks_it_and_every_method_is_answered(
        in_call in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut world = if in_call { World::connected() } else { World::new() };
        for step in steps {
            let _judged = world.step(step);
        }
        // A goodbye, and time: whatever was open is closed.
        let _judged = world.step(Step::Command("releaseEngine", json!(null)));
        let _judged = world.step(Step::Command("logout", json!(null)));
        for _ in 0..200 {
            if world.client.next_deadline().is_none() {
                break;
            }
            let _judged = world.step(Step::Deadline);
        }
        let State { session, .. } = world.client.state();
        prop_assert_eq!(session, None);
        let unanswered: Vec<_> = world.answers.iter().filter(|(_, times)| **times != 1).collect();
        prop_assert!(unanswered.is_empty(), "unanswered: {:?}", unanswered);
        prop_assert_eq!(world.client.next_deadline(), None);
        prop_assert!(world.open.is_empty(), "open: {:?}", world.open);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// The state goes through JSON in the middle of a run and goes on as if nothing had been; the transcript
    /// of the run plays again.
    #[test]
    fn runs_are_reproducible(
        before in proptest::collection::vec(step(), 0..50),
        after in proptest::collection::vec(step(), 0..30),
    ) {
        let mut world = World { records: true, ..World::new() };
        for step in before {
            let _judged = world.step(step);
        }
        let text = serde_json::to_string(&world.client).unwrap();
        let mut copy: Client = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&copy).unwrap(), text);
        for step in after {
            let input = world.input(step);
            let outputs = world.client.handle(world.now, input.clone());
            prop_assert_eq!(&outputs, &copy.handle(world.now, input.clone()));
            world.lines.push(transcript::step(world.now, &input, &outputs));
            outputs.iter().for_each(|output| world.judge(output));
        }
        prop_assert_eq!(transcript::replay(&world.lines), Ok(world.lines.len() - 1));
    }

    /// Without the person's yes there is no sound, whatever else happens.
    #[test]
    fn no_sound_without_a_yes(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        // Signed in before, in no call: only an app that is started anew is brought back into one.
        let no_call = rig::Rig::ready("alice");
        world.client = no_call.client.clone();
        world.now = no_call.now;
        (world.newest, world.socket, world.open) = (1, 1, BTreeSet::from([1]));
        let yes = |step: &Step| match step {
            Step::Command(method, _) => matches!(*method, "accept" | "startCallUsers"),
            Step::Platform(event) => matches!(event, PlatformEvent::Answered { .. }),
            Step::Socket(..) | Step::Answer(..) | Step::Media(..) | Step::Audio(_) | Step::Wait(_)
            | Step::Deadline => false,
        };
        let mut preflights = Vec::new();
        for step in steps.into_iter().filter(|step| !yes(step)) {
            if let Step::Command("preflight", _) = step {
                preflights.push(world.answers.len() as u64);
            }
            for output in world.step(step) {
                if let Output::Audio(AudioAction::Set { capture, send, play }) = output {
                    // A preflight is a yes to the microphone for as long as it is unanswered, and to nothing else.
                    let testing = preflights.iter().any(|id| world.answers[id] == 0);
                    prop_assert!(!play && (testing || !capture && !send));
                }
            }
        }
    }
}

#[test]
fn a_replay_shows_the_first_difference() {
    let mut rig = rig::Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.started(rig::session("bob", "alice"));
    let mut lines = rig.transcript().to_vec();
    assert_eq!(transcript::replay(&lines), Ok(lines.len() - 1));
    assert!(!lines.concat().contains("c2ln"), "a token's signature in a transcript");
    let last = lines.len() - 1;
    lines[last] = lines[last].replace("CallOutgoing", "CallConnecting");
    let difference = transcript::replay(&lines).unwrap_err();
    assert_eq!(difference.line, lines.len());
    assert!(difference.what.contains("output 1"), "{difference}");
    assert!(difference.what.contains("CallOutgoing"), "{difference}");
    for broken in [vec![], vec!["{}"], vec!["no json"], vec![r#"{"version":99,"config":{}}"#]] {
        assert!(transcript::replay(broken).is_err());
    }
    lines[1] = "{".into();
    assert_eq!(transcript::replay(&lines).unwrap_err().line, 2);
}
