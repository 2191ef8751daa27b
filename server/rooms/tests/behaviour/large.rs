//! Calls of very many: everybody is told of everybody, and no message is longer than one may be (the world reads each).

use jmrtc_protocol::limits::{MAX_MEMBERS, MAX_PROFILE_BYTES};
use jmrtc_protocol::{Profile, Relation, Reply, ServerEvent, ServerMessage, Session, encode};
use jmrtc_rooms::{Config, UserRecord};

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

#[test]
fn a_thousand_are_called_and_some_come() {
    let mut w = crowd(1_000, 5, |n| UserRecord::named(name(&user(n))));
    w.start("user0", &refs(&users(1..1_000)));
    assert_eq!(w.pushes.len(), 995);
    for n in 1..5 {
        w.accept(&user(n));
    }
    let Some(ServerMessage::Event { event: ServerEvent::Joined { session, user: newcomer }, .. }) =
        w.clients["user0"].messages.last()
    else {
        panic!("user0 was told of the last who came");
    };
    assert_eq!((members(session), newcomer.username.as_str()), ((995, 5), "user4"));
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
    let mut w = crowd(MAX_MEMBERS, 3, full);
    w.start("user0", &["user1"]);
    w.accept("user1");
    w.forget();
    let others = users(2..MAX_MEMBERS);
    w.invite("user0", &refs(&others));
    let Some(ServerMessage::Event { event: ServerEvent::OthersInvited { session, users, .. }, .. }) =
        w.clients["user1"].messages.last()
    else {
        panic!("user1 was told who was invited");
    };
    assert_eq!((members(session), users.len()), ((MAX_MEMBERS - 2, 2), MAX_MEMBERS - 2));
    assert!(users.iter().all(|user| user.profile == full(0).profile && user.relation.note_text.len() > 900));
    w.accept("user2");
    let Some(ServerMessage::Reply { reply: Reply::Accept { session }, .. }) =
        w.clients["user2"].messages.last()
    else {
        panic!("user2 is in");
    };
    assert_eq!(members(session), (MAX_MEMBERS - 3, 3));

    // Away for longer than what is kept of such a call lasts: signed in anew, in the call, and told who is there.
    w.drop("user1");
    for muted in [true, false].repeat(11) {
        w.mute("user0", muted);
        w.wait(500);
    }
    w.forget();
    w.come_back("user1");
    let Some(ServerMessage::Welcome(welcome)) = w.clients["user1"].messages.last() else {
        panic!("no welcome")
    };
    assert_eq!((welcome.resumed, welcome.call.as_ref().map(members)), (false, Some((MAX_MEMBERS - 3, 3))));
}
