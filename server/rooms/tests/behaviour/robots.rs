//! The robot answers every call at once and is alone in none.

use jmrtc_rooms::{Input, LinkId};

use crate::world::World;

#[test]
fn a_call_of_the_robot() {
    let mut w = World::new(&["alice"]);
    w.start("alice", &["echo"]);
    w.expect("alice", &["start S(i: echo; j: alice)", "Joined echo S(i: -; j: alice echo)+"]);
    w.link("alice", 1);
    w.relay_answers(Ok("answer"));
    w.put(Input::Slots { link: LinkId(1), sources: vec![Some(LinkId::ECHO), None] });
    w.expect("alice", &["link answer", "Slots echo -"]);
    w.leave("alice");
    w.expect("alice", &["leave", "Ended hangup S(i: -; j: echo)+"]);
    w.expect_media(&["echo on", "open 1 offer", "admit 1", "close 1", "echo off"]);
    assert!(w.pushes.is_empty());
    assert_eq!(w.records.len(), 1);
    w.expect_quiet();
}

#[test]
fn the_robot_is_never_busy() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["echo"]);
    w.start("bob", &["echo"]);
    w.expect("alice", &["start S(i: echo; j: alice)", "Joined echo S(i: -; j: alice echo)+"]);
    w.expect("bob", &["start S(i: echo; j: bob)", "Joined echo S(i: -; j: bob echo)+"]);
}

#[test]
fn the_robot_in_a_group() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.start("alice", &["bob", "echo", "dave"]);
    w.expect("alice", &["start S(i: bob echo dave; j: alice)", "Joined echo S(i: bob dave; j: alice echo)+"]);
    w.expect("bob", &["Invited S(i: bob dave; j: alice echo)+ 60000"]);
    w.accept("bob");
    w.expect("bob", &["accept S(i: dave; j: alice echo bob)+"]);
    w.leave("alice");
    w.forget();
    // People who are rung are not left to talk with a robot.
    w.leave("bob");
    w.expect("bob", &["leave", "Ended hangup S(i: dave; j: echo)+"]);
    w.expect_media(&["echo off"]);
    w.expect_quiet();
}

#[test]
fn the_robot_is_invited() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.invite("bob", &["echo"]);
    w.expect(
        "bob",
        &[
            "invite echo",
            "OthersInvited echo by bob S(i: echo; j: alice bob)+",
            "Joined echo S(i: -; j: alice bob echo)+",
        ],
    );
    w.expect(
        "alice",
        &["OthersInvited echo by bob S(i: echo; j: alice bob)+", "Joined echo S(i: -; j: alice bob echo)+"],
    );
    w.expect_media(&["echo on"]);
    w.leave("alice");
    w.leave("bob");
    w.expect_media(&["echo off"]);
    w.forget();
    w.expect_quiet();
}

#[test]
fn a_robot_needs_no_record() {
    let mut w = World::new(&["alice"]);
    assert!(!w.store.contains_key(&crate::world::name("echo")));
    w.start("alice", &["echo", "bob"]);
    w.expect("alice", &["start S(i: echo bob; j: alice)", "Joined echo S(i: bob; j: alice echo)+"]);
}
