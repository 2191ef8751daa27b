//! Calls of very many: a change costs one message for each, however many there are, and no message is longer than one may be.

use jmrtc_protocol::limits::{MAX_MEMBERS, MAX_PROFILE_BYTES};
use jmrtc_protocol::{
    Device, LeaveReason, Platform, Profile, Relation, Reply, Request, ServerEvent, ServerMessage, Session,
    encode,
};
use jmrtc_rooms::{Config, ConnId, Input, Output, Rooms, Timestamp, UserRecord};

use crate::world::{World, config, name};

/// A server that knows so many users, the first of whom are signed in. Nobody else has a device.
fn crowd(users: usize, signed_in: usize, record: impl Fn(usize) -> UserRecord) -> World {
    let mut world = World::with(Config { max_members: users, ..config() });
    world.store = (0..users).map(record).map(|record| (record.username.clone(), record)).collect();
    for n in 0..signed_in {
        world.sign_in(&user(n));
    }
    world.forget();
    world
}

fn user(n: usize) -> String {
    format!("user{n}")
}

fn users(names: std::ops::Range<usize>) -> Vec<String> {
    names.map(user).collect()
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn members(session: &Session) -> (usize, usize) {
    (session.inviting_members.len(), session.joined_members.len())
}

/// Everybody is signed in, each on a connection of its own number, with nothing between the test and the rooms.
struct Hall {
    rooms: Rooms,
    now: u64,
    records: Vec<UserRecord>,
    requests: u64,
}

impl Hall {
    fn new(people: usize) -> Self {
        let config = Config { max_members: people, ..config() };
        let records: Vec<_> = (0..people).map(|n| UserRecord::named(name(&user(n)))).collect();
        let mut hall = Self { rooms: Rooms::new(config, [7; 32]), now: 1, records, requests: 0 };
        for n in 0..people {
            hall.sign_in(n, n as u64);
        }
        hall
    }

    fn sign_in(&mut self, n: usize, conn: u64) -> Vec<Output> {
        let record = self.records[n].clone();
        let device = Device { id: "phone".into(), platform: Platform::Native };
        let (conn, user) = (ConnId(conn), record.username.clone());
        self.put(Input::Hello { conn, user, device, resume: None, known: vec![record] })
    }

    fn ask(&mut self, n: usize, request: Request, known: Vec<UserRecord>) -> Vec<Output> {
        self.requests += 1;
        self.put(Input::Request { conn: ConnId(n as u64), id: self.requests, request, known })
    }

    fn put(&mut self, input: Input) -> Vec<Output> {
        self.now += 1;
        self.rooms.handle(Timestamp(self.now), input)
    }
}

/// How many are told of a change, and the bytes of what the last of them is told.
fn told(outputs: &[Output]) -> (usize, usize) {
    let mut changes = outputs.iter().filter_map(|output| match output {
        Output::Send { message: message @ ServerMessage::Event { event, .. }, .. } if event.is_change() => {
            Some(message)
        }
        Output::Send { .. }
        | Output::Close { .. }
        | Output::Push(_)
        | Output::Handover(_)
        | Output::Record(_)
        | Output::Media(_) => None,
    });
    (changes.clone().count(), changes.next_back().map_or(0, |message| encode(message).len()))
}

#[test]
fn each_change_in_a_call_of_a_thousand_is_one_short_message_for_each() {
    let mut hall = Hall::new(MAX_MEMBERS);
    let known = |hall: &Hall, n: usize| vec![hall.records[n].clone()];
    let first = known(&hall, 1);
    let outputs = hall.ask(0, Request::Start { usernames: vec![name("user1")] }, first);
    let Some(Output::Send {
        message: ServerMessage::Reply { reply: Reply::Start { session, .. }, .. }, ..
    }) = outputs.first()
    else {
        panic!("not started: {outputs:?}");
    };
    let channel_id = session.channel_id.clone();
    let check = |outputs: &[Output], members: usize| {
        let (messages, bytes) = told(outputs);
        assert_eq!(messages, members);
        assert!(bytes < 1_024, "{bytes} bytes");
    };
    for n in 1..MAX_MEMBERS {
        if n > 1 {
            let (invited, known) = (vec![name(&user(n))], known(&hall, n));
            let invite = Request::Invite { channel_id: channel_id.clone(), usernames: invited };
            check(&hall.ask(0, invite, known), n);
        }
        let stay = u32::try_from(n).unwrap();
        check(&hall.ask(n, Request::Accept { channel_id: channel_id.clone(), stay }, vec![]), n);
    }
    let mute = Request::Mute { channel_id: channel_id.clone(), muted: true };
    check(&hall.ask(MAX_MEMBERS - 1, mute, vec![]), MAX_MEMBERS);
    let leave = Request::Leave { channel_id, stay: Some(0), reason: LeaveReason::Hangup };
    check(&hall.ask(0, leave, vec![]), MAX_MEMBERS - 1);
    let Some(Output::Send { message: ServerMessage::Welcome(welcome), .. }) =
        hall.sign_in(500, MAX_MEMBERS as u64).last().cloned()
    else {
        panic!("not welcome");
    };
    let session = welcome.call.as_ref().expect("the call goes on");
    assert_eq!(members(session), (0, MAX_MEMBERS - 1));
    assert_eq!(session.muted_members, [name("user999")]);
}

#[test]
fn a_thousand_are_called_and_some_come() {
    let mut w = crowd(1_000, 5, |n| UserRecord::named(name(&user(n))));
    w.start("user0", &refs(&users(1..1_000)));
    assert_eq!(w.pushes.len(), 995);
    for n in 1..5 {
        w.accept(&user(n));
    }
    let joined = |n: usize| w.clients[&user(n)].session.as_ref().map(members);
    assert_eq!((joined(0), joined(4)), (Some((995, 5)), Some((995, 5))));
    w.forget();
    for n in 0..5 {
        w.leave(&user(n));
    }
    assert_eq!(w.records.pop().unwrap().members.len(), 1_000);
    w.expect_nothing_left();
}

/// Each with as much in it as there may be, who keeps as much about those who are signed in.
fn full(n: usize) -> UserRecord {
    let filled = |bytes| "x".repeat((MAX_PROFILE_BYTES - bytes) / 2);
    let text = filled(encode(&Profile::default()).len());
    let note = filled(encode(&Relation::default()).len());
    let relation = Relation { note_name: note.clone(), note_text: note, ..Relation::default() };
    let mut record = UserRecord::named(name(&user(n)));
    record.profile = Profile { nickname: text.clone(), region: text, ..Profile::default() };
    record.relations = (0..MAX_MEMBERS)
        .filter(|other| n == 1 && *other != n)
        .map(|other| (name(&user(other)), relation.clone()))
        .collect();
    assert_eq!((record.profile.check(), relation.check()), (Ok(()), Ok(())));
    record
}

#[test]
fn the_largest_call_with_the_fullest_profiles() {
    let mut w = crowd(MAX_MEMBERS, 20, full);
    w.start("user0", &["user1"]);
    w.accept("user1");
    w.forget();
    let others = users(2..MAX_MEMBERS);
    w.invite("user0", &refs(&others));
    let Some(ServerMessage::Event { event: ServerEvent::OthersInvited { users, .. }, .. }) =
        w.clients["user1"].messages.last()
    else {
        panic!("user1 was told who was invited");
    };
    assert_eq!(users.len(), MAX_MEMBERS - 2);
    assert!(users.iter().all(|user| user.profile == full(0).profile && user.relation.note_text.len() > 900));
    w.accept("user2");
    let Some(ServerMessage::Reply { reply: Reply::Accept { session, .. }, .. }) =
        w.clients["user2"].messages.last()
    else {
        panic!("user2 is in");
    };
    assert_eq!(members(session), (MAX_MEMBERS - 3, 3));

    for n in 3..20 {
        w.accept(&format!("user{n}"));
    }
    // Whoever was away gets what it missed, which is little; after too much of it the whole call.
    let mut muted = [false; 20];
    for (times, resumed) in [(256, true), (257, false)] {
        w.drop("user1");
        for n in 0..times {
            // Each no more often than it may.
            let who = 2 + n % 18;
            muted[who] = !muted[who];
            w.mute(&format!("user{who}"), muted[who]);
        }
        w.forget();
        w.come_back("user1");
        let messages = &w.clients["user1"].messages;
        let Some(ServerMessage::Welcome(welcome)) = messages.first() else { panic!("no welcome") };
        let whole = (!resumed).then_some((MAX_MEMBERS - 20, 20));
        assert_eq!((welcome.resumed, welcome.call.as_ref().map(members)), (resumed, whole));
        assert_eq!(messages.len(), if resumed { 1 + times } else { 1 });
        w.ping("user1");
        w.wait(20_000);
    }
}
