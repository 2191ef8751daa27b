//! Media links: prepared while it rings, admitted when joined, gone with the call.

use jmrtc_protocol::Request;
use jmrtc_rooms::{Input, LinkId};

use crate::world::{GRACE_MS, RING_MS, World};

/// Alice calls bob (two devices), all of them have links.
fn ringing() -> World {
    let mut w = World::new(&["alice", "bob", "bob/tablet"]);
    w.start("alice", &["bob"]);
    w.forget();
    for client in ["alice", "bob", "bob/tablet"] {
        w.link(client, 1);
        w.relay_answers(Ok("answer"));
        w.expect(client, &["link answer"]);
    }
    w.expect_media(&["open 1 offer", "admit 1", "open 3 offer", "open 5 offer"]);
    w
}

#[test]
fn prepared_while_it_rings_and_admitted_by_accept() {
    let mut w = ringing();
    w.accept("bob");
    w.expect_media(&["admit 3", "close 5"]);
    w.leave("bob");
    w.expect_media(&["close 3", "close 1"]);
    w.forget();
    w.expect_quiet();
}

#[test]
fn made_after_accept() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.link("bob", 1);
    w.expect_media(&["open 1 offer", "admit 1"]);
    w.expect("bob", &[]);
    w.relay_answers(Ok("answer"));
    w.expect("bob", &["link answer"]);
    w.expect("alice", &[]);
}

#[test]
fn glare_admits_what_was_prepared() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.link("bob", 1);
    w.start("bob", &["alice"]);
    w.expect_media(&["open 1 offer", "admit 1"]);
}

#[test]
fn every_end_closes_every_link() {
    type End = fn(&mut World);
    let ends: [(&str, End); 6] = [
        ("refused", |w| _ = w.refuse("bob")),
        ("given up", |w| _ = w.leave("alice")),
        ("no answer", |w| w.wait(RING_MS)),
        ("lost", |w| {
            w.drop("alice");
            w.wait(GRACE_MS);
        }),
        ("logout", |w| _ = w.ask("alice", Request::Logout)),
        ("stopped", |w| w.put(Input::Shutdown)),
    ];
    for (end, act) in ends {
        let mut w = ringing();
        act(&mut w);
        assert!(w.open_links.is_empty(), "{end}");
        assert_eq!(w.rooms.counts().calls, 0, "{end}");
    }
}

#[test]
fn a_member_who_leaves_takes_only_its_own_link() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.start("alice", &["bob", "carol"]);
    for client in ["bob", "carol"] {
        w.accept(client);
    }
    for client in ["alice", "bob", "carol"] {
        w.link(client, 1);
    }
    w.media.clear();
    w.leave("bob");
    w.expect_media(&["close 3"]);
}

#[test]
fn renewed_and_replaced() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.link("bob", 2);
    w.link("bob", 2);
    w.expect_media(&["open 1 offer", "admit 1", "renew 1 offer"]);
    w.relay_answers(Ok("first"));
    w.relay_answers(Ok("second"));
    w.expect("bob", &["link first", "link second"]);
    w.link("bob", 1);
    w.expect("bob", &["! INVALID_STATE"]);
    w.expect_media(&[]);
    // A renewal that the relay refuses leaves the link alone.
    w.link("bob", 2);
    w.relay_answers(Err("bad SDP"));
    w.expect("bob", &["! INVALID_PARAMETER"]);
    w.expect_media(&["renew 1 offer"]);
    // A newer one takes its place; who still waits for the older one is told.
    let waiting = w.link("bob", 2);
    w.link("bob", 3);
    w.expect_media(&["renew 1 offer", "close 1", "open 6 offer", "admit 6"]);
    w.expect("bob", &["! INVALID_STATE"]);
    w.relay_answers(Ok("too late"));
    w.expect("bob", &[]);
    w.relay_answers(Ok("third"));
    w.expect("bob", &["link third"]);
    let (channel_id, stay) = w.part("bob");
    w.ask_again("bob", waiting, Request::Link { channel_id, stay, generation: 2, offer: "offer".into() });
    w.expect("bob", &["! INVALID_STATE"]);
}

#[test]
fn a_member_is_the_same_one_to_the_relay_with_every_link() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.start("alice", &["bob", "carol"]);
    w.accept("carol");
    w.accept("bob");
    for (client, generation) in [("alice", 1), ("bob", 1), ("bob", 2)] {
        w.link(client, generation);
    }
    w.leave("bob");
    w.invite("carol", &["bob"]);
    w.accept("bob");
    w.link("bob", 1);
    w.link("carol", 1);
    let [alice, bob, again, back, carol] = w.admitted[..] else { panic!("{:?}", w.admitted) };
    assert_eq!((bob, bob), (again, back));
    assert!(alice != bob && bob != carol && carol != alice);
}

#[test]
fn an_offer_that_is_refused_leaves_no_link() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.link("bob", 1);
    w.relay_answers(Err("bad SDP"));
    w.expect("bob", &["! INVALID_PARAMETER"]);
    w.expect_media(&["open 1 offer", "admit 1"]);
    assert_eq!(w.rooms.counts().links, 0);
    w.link("bob", 1);
    w.expect_media(&["open 3 offer", "admit 3"]);
    w.leave("bob");
    w.expect_media(&["close 3"]);
}

#[test]
fn an_answer_for_a_call_that_is_over_is_dropped() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.link("bob", 1);
    w.leave("alice");
    w.expect("bob", &["Left alice hangup S(i: -; j: bob)+", "! CALL_ENDED", "Ended hangup S(i: -; j: bob)+"]);
    w.relay_answers(Ok("too late"));
    w.relay_answers_nothing();
    w.expect("bob", &[]);
    w.forget();
    w.expect_quiet();
}

#[test]
fn an_answer_that_comes_while_the_device_is_away_waits_for_it() {
    let mut w = World::in_call("alice", "bob", &[]);
    let id = w.link("bob", 1);
    w.drop("bob");
    w.relay_answers(Ok("answer"));
    w.come_back("bob");
    w.expect("bob", &["welcome resumed"]);
    let (channel_id, stay) = w.part("bob");
    w.ask_again("bob", id, Request::Link { channel_id, stay, generation: 1, offer: "offer".into() });
    w.expect("bob", &["link answer"]);
    w.expect_media(&["open 1 offer", "admit 1"]);
}

#[test]
fn an_answer_that_comes_after_the_device_is_back_comes_once() {
    let mut w = World::in_call("alice", "bob", &[]);
    let id = w.link("bob", 1);
    w.drop("bob");
    w.come_back("bob");
    let (channel_id, stay) = w.part("bob");
    w.ask_again("bob", id, Request::Link { channel_id, stay, generation: 1, offer: "offer".into() });
    w.relay_answers(Ok("answer"));
    w.expect("bob", &["welcome resumed", "link answer"]);
    // One that is not asked for again is not given unasked.
    let mut w = World::in_call("alice", "bob", &[]);
    w.link("bob", 1);
    w.drop("bob");
    w.come_back("bob");
    w.relay_answers(Ok("answer"));
    w.expect("bob", &["welcome resumed"]);
}

#[test]
fn the_link_of_a_killed_app_is_closed() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.link("bob", 5);
    w.relay_answers(Ok("answer"));
    w.forget();
    w.sign_in("bob");
    w.expect_media(&["close 1"]);
    w.link("bob", 1);
    w.expect_media(&["open 3 offer", "admit 3"]);
    w.relay_answers(Ok("new"));
    w.expect("bob", &["welcome S(i: -; j: alice bob)+", "link new"]);
}

#[test]
fn so_many_at_a_time() {
    let mut w = World::in_call("alice", "bob", &[]);
    for _ in 0..16 {
        w.link("bob", 1);
    }
    w.expect("bob", &[]);
    w.link("bob", 1);
    w.expect("bob", &["! LIMIT_EXCEEDED"]);
    w.relay_answers(Ok("answer"));
    w.link("bob", 1);
    w.expect("bob", &["link answer"]);
}

#[test]
fn slots_name_who_is_heard() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.start("alice", &["bob", "carol"]);
    for client in ["alice", "bob", "carol"] {
        w.link(client, 1);
    }
    w.accept("bob");
    w.forget();
    let [alice, bob, carol] = [1, 3, 5].map(LinkId);
    let slots = |link, sources: &[Option<LinkId>]| Input::Slots { link, sources: sources.to_vec() };
    w.put(slots(alice, &[Some(bob), None]));
    w.expect("alice", &["Slots bob -"]);
    // Whoever is not joined is neither told nor named.
    w.put(slots(carol, &[Some(bob)]));
    w.expect("carol", &[]);
    w.put(slots(alice, &[Some(carol), Some(LinkId(77)), Some(LinkId::ECHO)]));
    w.expect("alice", &["Slots - - -"]);
    w.put(slots(LinkId(77), &[Some(bob)]));
    // Who is away is told where it stands, not how it came to stand there.
    w.drop("alice");
    w.put(slots(alice, &[Some(bob), Some(bob)]));
    w.accept("carol");
    w.put(slots(alice, &[Some(bob), Some(carol)]));
    w.come_back("alice");
    w.expect("alice", &["welcome resumed", "Joined carol S(i: -; j: alice bob carol)+", "Slots bob carol"]);
    w.ping("alice");
    w.come_back("alice");
    w.expect("alice", &["pong", "welcome resumed"]);
    w.leave("alice");
    w.put(slots(alice, &[Some(bob)]));
    w.expect("alice", &["leave", "Ended hangup S(i: -; j: bob carol)+"]);
}
