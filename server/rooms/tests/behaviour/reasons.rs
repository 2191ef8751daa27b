//! The reason table of `docs/call-semantics.md` section 3, where section 5 does not tell it already.

use jmrtc_protocol::{LeaveReason, Request};
use jmrtc_rooms::Input;

use crate::world::{GRACE_MS, World};

#[test]
fn refused_elsewhere() {
    let mut w = World::new(&["alice", "bob", "bob/tablet"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.refuse("bob/tablet");
    w.expect("bob/tablet", &["refuse", "Ended refuse S(i: -; j: alice)"]);
    w.expect("bob", &["Ended refuse/refusedElsewhere S(i: -; j: alice)"]);
    w.expect("alice", &["Left bob refuse S(i: -; j: alice)", "Ended refuse S(i: -; j: alice)"]);
    w.expect_quiet();
}

#[test]
fn answered_elsewhere() {
    let mut w = World::new(&["alice", "bob", "bob/tablet", "bob/web"]);
    w.start("alice", &["bob"]);
    for device in ["bob", "bob/tablet", "bob/web"] {
        w.expect(device, &["Invited S(i: bob; j: alice) 60000"]);
    }
    w.accept("bob/tablet");
    w.expect("bob/tablet", &["accept S(i: -; j: alice bob)+"]);
    w.expect("bob", &["Ended cancel/answeredElsewhere S(i: -; j: alice bob)+"]);
    w.expect("bob/web", &["Ended cancel/answeredElsewhere S(i: -; j: alice bob)+"]);
    // The call is over for the others, whatever they ask.
    w.accept("bob");
    w.expect("bob", &["! CALL_ENDED"]);
    w.leave("bob");
    w.expect("bob", &["leave"]);
    w.drop("bob");
    w.wait(GRACE_MS * 2);
    w.forget();
    w.leave("alice");
    w.expect("bob/tablet", &["Left alice hangup S(i: -; j: bob)+", "Ended hangup S(i: -; j: bob)+"]);
    w.expect("bob/web", &[]);
}

#[test]
fn busy_with_a_group() {
    let mut w = World::in_call("bob", "erin", &["alice", "carol"]);
    w.start("alice", &["bob", "carol"]);
    w.expect("alice", &["start S(i: bob carol; j: alice)", "Left bob busy S(i: carol; j: alice)"]);
    w.expect("carol", &["Invited S(i: carol; j: alice) 60000"]);
    w.accept("carol");
    w.forget();
    w.invite("carol", &["erin"]);
    w.expect(
        "carol",
        &[
            "invite erin",
            "OthersInvited erin by carol S(i: erin; j: alice carol)+",
            "Left erin busy S(i: -; j: alice carol)+",
        ],
    );
    w.expect(
        "alice",
        &[
            "OthersInvited erin by carol S(i: erin; j: alice carol)+",
            "Left erin busy S(i: -; j: alice carol)+",
        ],
    );
    w.expect("erin", &[]);
    w.expect("bob", &[]);
}

#[test]
fn the_inviter_gives_up_a_group() {
    let mut w = World::new(&["alice", "bob", "bob/tablet", "carol"]);
    w.start("alice", &["bob", "carol"]);
    w.forget();
    w.leave("alice");
    w.expect("alice", &["leave", "Ended hangup S(i: bob carol; j: -)"]);
    for client in ["bob", "bob/tablet", "carol"] {
        w.expect(client, &["Ended cancel/cancelledByInviter S(i: bob carol; j: -)"]);
    }
    w.expect_quiet();
}

#[test]
fn the_inviter_is_lost_while_it_rings() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.drop("alice");
    w.forget();
    w.wait(GRACE_MS);
    w.expect("bob", &["Ended networkError S(i: bob; j: -)"]);
    w.expect_quiet();
}

#[test]
fn a_client_that_lost_its_media_leaves() {
    let mut w = World::in_call("alice", "bob", &[]);
    let (channel_id, stay) = w.part("bob");
    w.ask("bob", Request::Leave { channel_id, stay: Some(stay), reason: LeaveReason::NetworkError });
    w.expect("bob", &["leave", "Ended networkError S(i: -; j: alice)+"]);
    w.expect("alice", &["Left bob networkError S(i: -; j: alice)+", "Ended networkError S(i: -; j: alice)+"]);
    w.expect_quiet();
}

#[test]
fn the_server_stops() {
    let mut w = World::in_call("alice", "bob", &["carol", "dave", "erin"]);
    w.start("carol", &["dave"]);
    w.drop("dave");
    w.forget();
    w.put(Input::Shutdown);
    for client in ["alice", "bob"] {
        let ended = "Ended networkError/serverShutdown S(i: -; j: alice bob)+";
        w.expect(client, &[ended, "closing serverShutdown", "closed"]);
    }
    let ended = "Ended networkError/serverShutdown S(i: dave; j: carol)";
    w.expect("carol", &[ended, "closing serverShutdown", "closed"]);
    w.expect("dave", &[]);
    w.expect("erin", &["closing serverShutdown", "closed"]);
    assert_eq!(w.records.len(), 2);
    assert!(w.rooms.is_idle());
    w.sign_in("alice");
    w.expect("alice", &["closing serverShutdown", "closed"]);
    assert!(w.rooms.is_idle());
}
