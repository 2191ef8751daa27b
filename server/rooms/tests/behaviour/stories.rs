//! `docs/call-semantics.md` section 5, message by message.

use jmrtc_protocol::Reason;

use crate::world::{EPOCH_MS, GRACE_MS, RING_MS, World, name};

#[test]
fn alice_calls_bob_and_bob_accepts() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.expect("alice", &["start S(i: bob; j: alice)"]);
    w.expect("bob", &["Invited S(i: bob; j: alice) 60000"]);
    w.wait(5_000);
    w.accept("bob");
    w.expect("bob", &["accept S(i: -; j: alice bob)+"]);
    w.expect("alice", &["Joined bob S(i: -; j: alice bob)+"]);
    let start_time = EPOCH_MS + 6_000;
    assert_eq!((w.clients["alice"].start_time, w.clients["bob"].start_time), (start_time, start_time));
    w.wait(RING_MS * 10);
    w.leave("alice");
    w.expect("alice", &["leave", "Ended hangup S(i: -; j: bob)+"]);
    w.expect("bob", &["Left alice hangup S(i: -; j: bob)+", "Ended hangup S(i: -; j: bob)+"]);

    let record = w.records.pop().unwrap();
    assert_eq!(record.inviter, name("alice"));
    assert_eq!((record.start_time, record.end_time), (start_time, start_time + RING_MS as i64 * 10));
    assert_eq!((record.reason, record.detail), (Reason::Hangup, None));
    let members: Vec<_> =
        record.members.iter().map(|m| (m.username.as_str(), m.join_time, m.leave_time)).collect();
    assert_eq!(members, [("alice", EPOCH_MS + 1_000, record.end_time), ("bob", start_time, record.end_time)]);
    w.expect_quiet();
}

#[test]
fn bob_refuses() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.refuse("bob");
    w.expect("bob", &["refuse", "Ended refuse S(i: -; j: alice)"]);
    w.expect("alice", &["Left bob refuse S(i: -; j: alice)", "Ended refuse S(i: -; j: alice)"]);
    let record = w.records.pop().unwrap();
    assert_eq!((record.reason, record.start_time, record.members[1].join_time), (Reason::Refuse, 0, 0));
    w.expect_quiet();
}

#[test]
fn bob_is_in_a_call() {
    let mut w = World::in_call("bob", "carol", &["alice"]);
    w.start("alice", &["bob"]);
    w.expect(
        "alice",
        &["start S(i: bob; j: alice)", "Left bob busy S(i: -; j: alice)", "Ended busy S(i: -; j: alice)"],
    );
    w.expect("bob", &[]);
    w.expect("carol", &[]);
    assert_eq!(w.records.pop().unwrap().reason, Reason::Busy);
    w.leave("bob");
    w.expect("carol", &["Left bob hangup S(i: -; j: carol)+", "Ended hangup S(i: -; j: carol)+"]);
}

#[test]
fn nobody_answers() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.wait(RING_MS - 1);
    w.forget();
    w.wait(1);
    w.expect(
        "alice",
        &["Left bob cancel/noAnswer S(i: -; j: alice)", "Ended cancel/noAnswer S(i: -; j: alice)"],
    );
    w.expect("bob", &["Ended cancel/noAnswer S(i: -; j: alice)"]);
    w.expect_quiet();
}

#[test]
fn alice_gives_up() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.leave("alice");
    w.expect("alice", &["leave", "Ended hangup S(i: bob; j: -)"]);
    w.expect("bob", &["Ended cancel/cancelledByInviter S(i: bob; j: -)"]);
    assert_eq!(w.records.pop().unwrap().reason, Reason::Cancel);
    w.expect_quiet();
}

#[test]
fn bobs_app_dies_in_the_call() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.drop("bob");
    w.wait(GRACE_MS - 1);
    w.expect("alice", &[]);
    w.wait(1);
    w.expect("alice", &["Left bob networkError S(i: -; j: alice)+", "Ended networkError S(i: -; j: alice)+"]);
    w.come_back("bob");
    w.expect("bob", &["welcome"]);
    w.expect_quiet();
}

#[test]
fn bobs_network_is_gone_for_less_than_the_grace_time() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.drop("bob");
    w.wait(GRACE_MS - 1);
    w.come_back("bob");
    w.wait(GRACE_MS * 3);
    w.expect("bob", &["welcome resumed"]);
    w.expect("alice", &[]);
    w.leave("bob");
    w.expect("bob", &["leave", "Ended hangup S(i: -; j: alice)+"]);
    w.expect("alice", &["Left bob hangup S(i: -; j: alice)+", "Ended hangup S(i: -; j: alice)+"]);
    w.expect_quiet();
}

#[test]
fn a_group() {
    let mut w = World::new(&["alice", "bob", "carol", "dave"]);
    w.start("alice", &["bob", "carol"]);
    w.expect("alice", &["start S(i: bob carol; j: alice)"]);
    w.expect("bob", &["Invited S(i: bob carol; j: alice) 60000"]);
    w.expect("carol", &["Invited S(i: bob carol; j: alice) 60000"]);
    w.accept("bob");
    w.expect("bob", &["accept S(i: carol; j: alice bob)+"]);
    w.expect("alice", &["Joined bob S(i: carol; j: alice bob)+"]);
    w.expect("carol", &[]);
    w.wait(1_000);
    w.accept("carol");
    w.expect("carol", &["accept S(i: -; j: alice bob carol)+"]);
    for client in ["alice", "bob", "carol"] {
        assert_eq!(w.clients[client].start_time, EPOCH_MS + 1_000, "the start time stays");
    }
    w.expect("alice", &["Joined carol S(i: -; j: alice bob carol)+"]);
    w.expect("bob", &["Joined carol S(i: -; j: alice bob carol)+"]);

    w.invite("bob", &["dave"]);
    w.expect("bob", &["invite dave", "OthersInvited dave by bob S(i: dave; j: alice bob carol)+"]);
    w.expect("alice", &["OthersInvited dave by bob S(i: dave; j: alice bob carol)+"]);
    w.expect("carol", &["OthersInvited dave by bob S(i: dave; j: alice bob carol)+"]);
    w.expect("dave", &["Invited S(i: dave; j: alice bob carol)+ by bob 60000"]);

    w.leave("alice");
    w.expect("alice", &["leave", "Ended hangup S(i: dave; j: bob carol)+"]);
    w.expect("bob", &["Left alice hangup S(i: dave; j: bob carol)+"]);
    w.expect("carol", &["Left alice hangup S(i: dave; j: bob carol)+"]);
    w.expect("dave", &[]);
    w.refuse("dave");
    w.expect("dave", &["refuse", "Ended refuse S(i: -; j: bob carol)+ by bob"]);
    w.expect("bob", &["Left dave refuse S(i: -; j: bob carol)+"]);
    w.expect("carol", &["Left dave refuse S(i: -; j: bob carol)+"]);

    // The one who started it may be asked in again, and is still the inviter.
    w.invite("carol", &["alice"]);
    w.expect("alice", &["Invited S(i: alice; j: bob carol)+ by carol 60000"]);
    w.accept("alice");
    w.expect("alice", &["accept S(i: -; j: bob carol alice)+ by carol"]);
    w.leave("alice");
    w.leave("bob");
    w.forget();
    assert!(w.records.is_empty());
    w.sign_in("erin");
    w.got("erin");
    w.expect_quiet();
}

#[test]
fn a_call_goes_on_with_one_joined_and_one_rung() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.start("alice", &["bob", "carol"]);
    w.accept("bob");
    w.leave("alice");
    w.forget();
    w.wait(RING_MS);
    w.expect(
        "bob",
        &["Left carol cancel/noAnswer S(i: -; j: bob)+", "Ended cancel/noAnswer S(i: -; j: bob)+"],
    );
    w.expect("carol", &["Ended cancel/noAnswer S(i: -; j: bob)+"]);
    let record = w.records.pop().unwrap();
    let reasons: Vec<_> = record.members.iter().map(|m| (m.username.as_str(), m.reason)).collect();
    assert_eq!(reasons, [("alice", Reason::Hangup), ("bob", Reason::Cancel), ("carol", Reason::Cancel)]);
    w.expect_quiet();
}

#[test]
fn nobody_is_rung_for_a_call_without_people() {
    let mut w = World::new(&["alice", "bob", "carol", "dave"]);
    w.start("alice", &["bob", "carol", "dave"]);
    w.accept("bob");
    w.leave("alice");
    w.forget();
    w.leave("bob");
    w.expect("bob", &["leave", "Ended hangup S(i: carol dave; j: -)+"]);
    w.expect("carol", &["Ended cancel/cancelledByInviter S(i: carol dave; j: -)+"]);
    w.expect("dave", &["Ended cancel/cancelledByInviter S(i: carol dave; j: -)+"]);
    w.expect_quiet();
}
