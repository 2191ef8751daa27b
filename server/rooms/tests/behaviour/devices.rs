//! Devices that are lost, come back, sign in anew; events once and in order.

use std::collections::BTreeSet;

use jmrtc_protocol::{Device, Platform, Profile, Relation, Request};
use jmrtc_rooms::{ConnId, Counts, Input, Timestamp};

use crate::world::{GRACE_MS, RING_MS, World, name};

#[test]
fn missed_events_follow_once_and_in_order() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.start("alice", &["bob", "carol"]);
    w.drop("alice");
    w.accept("bob");
    w.accept("carol");
    w.leave("bob");
    w.forget();
    w.come_back("alice");
    let now = "S(i: -; j: alice carol)+";
    w.expect(
        "alice",
        &[
            "welcome resumed",
            "Joined bob S(i: carol; j: alice bob)+",
            "Joined carol S(i: -; j: alice bob carol)+",
            &format!("Left bob hangup {now}"),
        ],
    );
    // Again, as if the last two had been lost on the way; here both are made already.
    w.come_back_from("alice", 1);
    w.expect(
        "alice",
        &["welcome resumed", &format!("Joined carol {now}"), &format!("Left bob hangup {now}")],
    );
    w.ping("alice");
    w.come_back("alice");
    w.expect("alice", &["pong", "welcome resumed"]);
}

#[test]
fn what_was_acknowledged_is_gone() {
    let mut w = World::in_call("alice", "bob", &["carol"]);
    w.invite("bob", &["carol"]);
    w.ping("alice");
    w.forget();
    w.come_back_from("alice", 0);
    w.expect("alice", &["welcome S(i: carol; j: alice bob)+"]);
}

#[test]
fn a_wrong_secret_or_number_signs_in_anew() {
    for (secret, seq) in [(None, 99), (Some("guess"), 1), (Some(""), 0)] {
        let mut w = World::in_call("alice", "bob", &[]);
        let c = w.clients.get_mut("alice").unwrap();
        c.secret = secret.map_or(c.secret.clone(), str::to_owned);
        w.come_back_from("alice", seq);
        w.expect("alice", &["welcome S(i: -; j: alice bob)+"]);
        w.leave("bob");
        w.expect("alice", &["Left bob hangup S(i: -; j: alice)+", "Ended hangup S(i: -; j: alice)+"]);
    }
}

#[test]
fn the_secret_of_another_device_or_user_is_of_no_use() {
    let mut w = World::new(&["alice", "alice/tablet", "bob"]);
    let secret = w.clients["alice"].secret.clone();
    for other in ["alice/tablet", "bob"] {
        w.clients.get_mut(other).unwrap().secret = secret.clone();
        w.come_back(other);
        w.expect(other, &["welcome"]);
    }
    w.come_back("alice");
    w.expect("alice", &["welcome resumed"]);
}

#[test]
fn a_device_that_missed_too_much_signs_in_anew() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.drop("alice");
    for _ in 0..129 {
        w.invite("bob", &["carol"]);
        w.sign_in("carol");
        w.refuse("carol");
    }
    w.forget();
    w.come_back("alice");
    w.expect("alice", &["welcome S(i: -; j: alice bob)+"]);
    // It is in the call with a new sign-in and takes its place up.
    w.link("alice", 1);
    w.wait(GRACE_MS * 2);
    w.expect("bob", &[]);
}

#[test]
fn the_place_of_a_killed_app_is_kept_for_what_is_left_of_the_grace_time() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.drop("alice");
    w.wait(20_000);
    w.sign_in("alice");
    w.wait(9_999);
    w.expect("alice", &["welcome S(i: -; j: alice bob)+"]);
    w.expect("bob", &[]);
    w.wait(1);
    w.expect("alice", &["Ended networkError S(i: -; j: bob)+"]);
    w.expect("bob", &["Left alice networkError S(i: -; j: bob)+", "Ended networkError S(i: -; j: bob)+"]);
    w.expect_quiet();
}

#[test]
fn a_killed_app_takes_its_place_up_again() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.sign_in("alice");
    w.wait(GRACE_MS - 1);
    w.link("alice", 1);
    w.wait(GRACE_MS * 2);
    w.expect("alice", &["welcome S(i: -; j: alice bob)+"]);
    w.expect("bob", &[]);
    // From now on it is like any other.
    w.start("alice", &["carol"]);
    w.expect("alice", &["! ALREADY_IN_CALL"]);
    w.drop("alice");
    w.wait(GRACE_MS);
    w.expect("bob", &["Left alice networkError S(i: -; j: bob)+", "Ended networkError S(i: -; j: bob)+"]);
    w.expect_quiet();
}

#[test]
fn a_killed_app_that_dies_again_has_no_more_time() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.drop("alice");
    w.wait(20_000);
    w.sign_in("alice");
    w.drop("alice");
    w.come_back("alice");
    w.wait(9_999);
    w.expect("bob", &[]);
    w.wait(1);
    w.expect("bob", &["Left alice networkError S(i: -; j: bob)+", "Ended networkError S(i: -; j: bob)+"]);
}

/// A dead network breaks no connection: what is known of the time that it has been dead is not waited for again.
#[test]
fn who_has_been_silent_is_missed_since_the_ping_that_did_not_come() {
    for (silent_ms, left_ms) in
        [(10_000, GRACE_MS), (30_000, GRACE_MS - 20_000), (GRACE_MS + 10_000, 0), (u64::MAX, 0)]
    {
        let mut w = World::in_call("alice", "bob", &[]);
        w.drop_after("alice", silent_ms);
        if left_ms > 0 {
            w.wait(left_ms - 1);
            w.expect("bob", &[]);
            assert_eq!(w.rooms.counts().sign_ins, 2);
        }
        w.wait(1);
        w.expect("bob", &["Left alice networkError S(i: -; j: bob)+", "Ended networkError S(i: -; j: bob)+"]);
        assert_eq!(w.rooms.counts().sign_ins, 1);
    }
}

#[test]
fn a_killed_app_hangs_up() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.sign_in("alice");
    w.leave("alice");
    w.expect("alice", &["welcome S(i: -; j: alice bob)+", "leave", "Ended hangup S(i: -; j: bob)+"]);
    w.expect("bob", &["Left alice hangup S(i: -; j: bob)+", "Ended hangup S(i: -; j: bob)+"]);
    w.expect_quiet();
}

#[test]
fn a_rung_device_that_signs_in_anew_rings_on() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.wait(5_000);
    w.forget();
    w.sign_in("bob");
    w.expect("bob", &["welcome", "Invited S(i: bob; j: alice) 55000"]);
    w.accept("bob");
    w.expect("bob", &["accept S(i: -; j: alice bob)+"]);
}

#[test]
fn the_same_device_replaces_itself() {
    let mut w = World::empty();
    let hello = |conn| Input::Hello {
        conn: ConnId(conn),
        user: name("alice"),
        device: Device { id: "phone".into(), platform: Platform::Browser },
        resume: None,
        known: vec![],
    };
    w.rooms.handle(Timestamp(0), hello(1));
    let out = format!("{:?}", w.rooms.handle(Timestamp(0), hello(2)));
    let order = ["Closing { reason: Replaced }", "Close { conn: ConnId(1) }", "Welcome", "resumed: false"];
    let at = order.map(|text| out.find(text).unwrap_or_else(|| panic!("{text} in {out}")));
    assert!(at.is_sorted(), "{out}");
    assert_eq!(w.rooms.counts(), Counts { sign_ins: 1, connected: 1, ..Counts::default() });
    // The end of the old connection is old news.
    assert_eq!(w.rooms.handle(Timestamp(0), Input::Disconnected { conn: ConnId(1), silent_ms: 0 }), []);
    assert_eq!(w.rooms.counts().connected, 1);
    // A second hello on a connection is not understood, and does no harm.
    let out = format!("{:?}", w.rooms.handle(Timestamp(0), hello(2)));
    assert!(out.contains("INVALID_STATE") && out.contains("Fault"), "{out}");
    assert_eq!(w.rooms.counts().connected, 1);
}

#[test]
fn a_connection_that_is_not_missed_yet_is_replaced_by_the_one_that_resumes() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.come_back("alice");
    w.expect("alice", &["welcome resumed"]);
    assert_eq!(
        w.rooms.counts(),
        Counts { sign_ins: 2, connected: 2, calls: 1, connected_calls: 1, links: 0 }
    );
    w.wait(GRACE_MS * 2);
    w.expect("bob", &[]);
}

#[test]
fn a_sign_in_is_forgotten_after_the_grace_time() {
    let mut w = World::new(&["alice"]);
    w.drop("alice");
    w.wait(GRACE_MS);
    assert!(w.rooms.is_idle());
    w.come_back("alice");
    w.expect("alice", &["welcome"]);
}

#[test]
fn bad_devices_and_robots_are_turned_away() {
    let mut w = World::empty();
    for (client, fault) in [
        ("alice/", "fault INVALID_PARAMETER"),
        (&format!("alice/{}", "x".repeat(129)), "fault INVALID_PARAMETER"),
        ("echo", "fault LOGIN_REJECTED"),
    ] {
        w.sign_in(client);
        w.expect(client, &[fault, "closed"]);
    }
    assert!(w.rooms.is_idle());
}

#[test]
fn a_user_has_so_many_devices() {
    let mut w = World::new(&["bob"]);
    let devices: Vec<String> = (0..16).map(|n| format!("alice/{n}")).collect();
    for device in &devices {
        w.sign_in(device);
    }
    w.sign_in("alice/more");
    w.expect("alice/more", &["fault LIMIT_EXCEEDED", "closed"]);
    w.sign_in("alice/3");
    assert_eq!(w.rooms.counts().sign_ins, 17);
    // The lost give way, but not the one in a call.
    w.start("alice/5", &["bob"]);
    w.forget();
    w.drop("alice/5");
    w.sign_in("alice/more");
    w.expect("alice/more", &["fault LIMIT_EXCEEDED", "closed"]);
    w.drop("alice/7");
    w.sign_in("alice/more");
    w.expect("alice/more", &["welcome"]);
    w.come_back("alice/5");
    w.expect("alice/5", &["welcome resumed"]);
    w.come_back("alice/7");
    w.expect("alice/7", &["fault LIMIT_EXCEEDED", "closed"]);
    w.forget();
    w.expect_nothing_left();
}

#[test]
fn profiles_change_under_way() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    let changed = || {
        let profile = Profile { nickname: "Bob the Builder".into(), ..Profile::default() };
        Input::ProfileChanged(name("bob"), profile)
    };
    w.put(changed());
    w.accept("bob");
    let last = format!("{:?}", w.clients["alice"].messages.last().unwrap());
    assert!(last.contains("Bob the Builder"), "{last}");
    w.leave("alice");
    for client in ["alice", "bob"] {
        w.ask(client, Request::Logout);
    }
    w.put(changed());
    assert!(w.rooms.is_idle(), "a user whom nobody needs is not remembered");
}

#[test]
fn online_is_who_is_connected() {
    let mut w = World::new(&["alice", "alice/tablet", "bob"]);
    w.drop("bob");
    w.drop("alice");
    let online = w.rooms.online();
    assert_eq!(online, BTreeSet::from(["alice", "echo"].map(name)));
    w.wait(RING_MS);
    w.expect("alice/tablet", &[]);
}

#[test]
fn a_deleted_user_leaves_its_call_and_is_signed_out() {
    let mut w = World::in_call("alice", "bob", &["carol"]);
    w.put(Input::UserDeleted(name("bob")));
    w.expect("alice", &["Left bob hangup S(i: -; j: alice)+", "Ended hangup S(i: -; j: alice)+"]);
    w.expect("bob", &["Ended hangup S(i: -; j: alice)+", "closing tokenExpired", "closed"]);

    w.start("alice", &["carol"]);
    w.forget();
    w.put(Input::UserDeleted(name("carol")));
    w.expect("carol", &["Ended cancel/noAnswer S(i: -; j: alice)", "closing tokenExpired", "closed"]);
    w.expect(
        "alice",
        &["Left carol cancel/noAnswer S(i: -; j: alice)", "Ended cancel/noAnswer S(i: -; j: alice)"],
    );
    w.put(Input::UserDeleted(name("nobody")));
    w.expect_quiet();
}

#[test]
fn who_gets_a_deleted_users_name_keeps_nothing_of_what_that_one_kept() {
    let mut w = World::in_call("alice", "bob", &["carol"]);
    w.invite("alice", &["carol"]);
    w.relate("carol", "alice", Relation { is_in_black_list: true, ..Relation::default() });
    w.put(Input::UserDeleted(name("carol")));
    w.store.get_mut(&name("carol")).unwrap().relations.clear();
    w.put(Input::ProfileChanged(name("carol"), Profile::default()));
    w.forget();
    w.invite("alice", &["carol"]);
    assert_eq!(w.woken(), ["carol by alice"]);
}

#[test]
fn who_gets_the_name_of_a_deleted_user_is_another() {
    let mut w = World::new(&["alice", "bob"]);
    w.relate("alice", "bob", Relation { is_in_black_list: true, ..Relation::default() });
    w.relations_end("bob");
    w.put(Input::UserDeleted(name("bob")));
    w.sign_in("bob");
    w.forget();
    w.start("bob", &["alice"]);
    w.expect("alice", &["Invited S(i: alice; j: bob) 60000"]);
}
