//! A device tests its way without a call: nobody else is told, and nothing stays.

use jmrtc_protocol::Request;
use jmrtc_rooms::{Input, LinkId};

use crate::world::World;

fn preflight(w: &mut World, client: &str, generation: u32) -> u64 {
    w.ask(client, Request::Preflight { generation, offer: "offer".into() })
}

#[test]
fn it_hears_itself_and_nothing_is_left() {
    let mut w = World::new(&["alice", "bob"]);
    preflight(&mut w, "alice", 1);
    w.relay_answers(Ok("answer"));
    w.put(Input::Slots { link: LinkId(1), sources: vec![Some(LinkId::ECHO)] });
    w.expect("alice", &["link answer"]);
    preflight(&mut w, "alice", 2);
    w.relay_answers(Ok("another"));
    w.expect("alice", &["link another"]);
    w.ask("alice", Request::EndPreflight);
    w.ask("alice", Request::EndPreflight);
    w.expect("alice", &["endPreflight", "endPreflight"]);
    w.expect_media(&[
        "open 1 offer",
        "echo on",
        "admit 1",
        "echo off",
        "close 1",
        "open 3 offer",
        "echo on",
        "admit 3",
        "echo off",
        "close 3",
    ]);
    assert_eq!(w.rooms.counts().calls, 0);
    assert!(w.records.is_empty() && w.pushes.is_empty());
    w.expect_quiet();
}

#[test]
fn generations_and_offers_are_a_links() {
    let mut w = World::new(&["alice"]);
    preflight(&mut w, "alice", 0);
    w.expect("alice", &["! INVALID_PARAMETER"]);
    preflight(&mut w, "alice", 2);
    w.relay_answers(Ok("answer"));
    preflight(&mut w, "alice", 2);
    w.relay_answers(Ok("renewed"));
    preflight(&mut w, "alice", 1);
    w.expect("alice", &["link answer", "link renewed", "! INVALID_STATE"]);
    w.expect_media(&["open 1 offer", "echo on", "admit 1", "renew 1 offer"]);
}

#[test]
fn an_offer_that_is_refused_leaves_nothing() {
    let mut w = World::new(&["alice"]);
    preflight(&mut w, "alice", 1);
    w.relay_answers(Err("bad SDP"));
    w.expect("alice", &["! INVALID_PARAMETER"]);
    w.expect_media(&["open 1 offer", "echo on", "admit 1", "echo off"]);
    assert_eq!(w.rooms.counts().links, 0);
    w.expect_quiet();
}

#[test]
fn it_is_called_meanwhile_as_if_nothing_were() {
    let mut w = World::new(&["alice", "bob"]);
    preflight(&mut w, "bob", 1);
    w.relay_answers(Ok("answer"));
    w.start("alice", &["bob"]);
    w.expect("bob", &["link answer", "Invited S(i: bob; j: alice) 60000"]);
    w.media.clear();
    // The call's link takes the preflight's place, whatever its generation; a preflight beside it there is none.
    w.link("bob", 1);
    w.expect_media(&["echo off", "close 1", "open 3 offer"]);
    w.relay_answers(Ok("answer"));
    preflight(&mut w, "bob", 9);
    w.expect("bob", &["link answer", "! ALREADY_IN_CALL"]);
}

#[test]
fn another_devices_call_leaves_it_alone() {
    let mut w = World::new(&["alice", "bob", "bob/tablet"]);
    preflight(&mut w, "bob/tablet", 1);
    w.start("alice", &["bob"]);
    w.accept("bob");
    w.leave("bob");
    w.expect_media(&["open 1 offer", "echo on", "admit 1"]);
}

#[test]
fn it_ends_by_itself() {
    type End = fn(&mut World);
    let ends: [(&str, End); 4] = [
        ("a minute", |w| w.wait(60_000)),
        ("lost", |w| {
            w.drop("alice");
            w.wait(60_000);
        }),
        ("logout", |w| _ = w.ask("alice", Request::Logout)),
        ("stopped", |w| w.put(Input::Shutdown)),
    ];
    for (end, act) in ends {
        let mut w = World::new(&["alice"]);
        preflight(&mut w, "alice", 1);
        act(&mut w);
        assert!(w.open_links.is_empty(), "{end}");
        assert_eq!(w.media.last().map(String::as_str), Some("close 1"), "{end}");
    }
}
