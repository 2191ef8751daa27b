//! The server is replaced by another, which goes on with its calls and with who is in them.

use jmrtc_protocol::Request;
use jmrtc_rooms::Handover;

use crate::world::{GRACE_MS, World, name};

#[test]
fn who_is_back_at_the_next_server_is_told_all_it_missed_in_order() {
    let mut w = World::in_call("alice", "bob", &["carol", "dave"]);
    w.invite("alice", &["carol"]);
    w.accept("carol");
    w.ping("carol");
    w.drop("carol");
    w.invite("alice", &["dave"]);
    w.replace(1_000);
    w.forget();
    for client in ["alice", "bob", "dave"] {
        w.come_back(client);
        w.expect(client, &["welcome resumed, link lost"]);
    }
    w.refuse("dave");
    w.invite("alice", &["erin"]);
    w.forget();
    w.come_back("carol");
    w.expect(
        "carol",
        &[
            "welcome resumed, link lost",
            "OthersInvited dave by alice S(i: dave; j: alice bob carol)+",
            "Left dave refuse S(i: -; j: alice bob carol)+",
            "OthersInvited erin by alice S(i: erin; j: alice bob carol)+",
        ],
    );
    w.expect_nothing_left();
}

#[test]
fn one_who_is_given_up_after_it_is_told_of_with_the_same_reason_to_all() {
    let mut w = World::in_call("alice", "bob", &["carol"]);
    w.invite("alice", &["carol"]);
    w.accept("carol");
    w.drop("carol");
    w.wait(GRACE_MS - 3_000);
    w.replace(1_000);
    w.forget();
    w.come_back("alice");
    w.wait(1_999);
    w.expect("alice", &["welcome resumed, link lost"]);
    w.wait(1);
    let now = "S(i: -; j: alice bob)+";
    w.expect("alice", &[&format!("Left carol networkError {now}")]);
    w.come_back("bob");
    w.expect("bob", &["welcome resumed, link lost", &format!("Left carol networkError {now}")]);
    // As long as anybody who was lost with the server, from the stop on.
    w.drop("alice");
    w.drop("bob");
    w.expect_nothing_left();
}

#[test]
fn a_start_whose_answer_was_lost_is_answered_by_the_next_server_and_rings_once() {
    let mut w = World::new(&["alice", "bob"]);
    let id = w.start("alice", &["bob"]);
    w.replace(100);
    w.forget();
    w.come_back("bob");
    w.expect("bob", &["welcome resumed, link lost"]);
    w.come_back("alice");
    let channel = w.channel("alice");
    w.ask_again("alice", id, Request::Start { usernames: vec![name("bob")] });
    w.expect("alice", &["welcome resumed, link lost", "start S(i: bob; j: alice)"]);
    assert_eq!((w.channel("alice"), w.rooms.counts().calls), (channel, 1));
    w.expect("bob", &[]);
    // What comes next is new.
    w.leave("alice");
    w.expect("alice", &["leave", "Ended hangup S(i: bob; j: -)"]);
    w.expect("bob", &["Ended cancel/cancelledByInviter S(i: bob; j: -)"]);
    w.expect_quiet();
}

#[test]
fn a_link_that_went_with_the_server_is_lost_until_another_is_asked_for() {
    let mut w = World::in_call("alice", "bob", &[]);
    let pending = w.link("alice", 3);
    w.replace(100);
    w.forget();
    w.come_back("alice");
    w.come_back("alice");
    w.expect("alice", &["welcome resumed, link lost"; 2]);
    let channel_id = w.channel("alice");
    let offer = "of the link before".into();
    w.ask_again("alice", pending, Request::Link { channel_id, stay: 0, generation: 3, offer });
    w.expect("alice", &["! INVALID_STATE"]);
    w.expect_media(&[]);
    w.link("alice", 1);
    w.expect_media(&["open 1 offer", "admit 1"]);
    w.come_back("alice");
    w.expect("alice", &["welcome resumed"]);
    w.expect_nothing_left();
}

#[test]
fn who_is_in_no_call_and_has_been_told_all_signs_in_anew() {
    let mut w = World::in_call("alice", "bob", &["carol", "dave"]);
    w.invite("alice", &["carol"]);
    w.refuse("carol");
    w.ping("carol");
    w.replace(100);
    w.forget();
    for client in ["carol", "dave"] {
        w.come_back(client);
        w.expect(client, &["welcome"]);
    }
    w.expect_nothing_left();
}

#[test]
fn who_missed_the_end_of_a_call_is_told_by_the_next_server() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.ping("alice");
    w.ping("bob");
    w.drop("bob");
    w.leave("alice");
    w.replace(100);
    w.forget();
    assert_eq!(w.rooms.counts().calls, 0);
    w.come_back("bob");
    w.expect(
        "bob",
        &[
            "welcome resumed, link lost",
            "Left alice hangup S(i: -; j: bob)+",
            "Ended hangup S(i: -; j: bob)+",
        ],
    );
    w.expect_nothing_left();
}

#[test]
fn a_handover_of_a_release_without_sign_ins_or_with_others_is_taken_over() {
    for sign_ins in [None, Some(serde_json::json!([{"of": "the future"}]))] {
        let mut w = World::in_call("alice", "bob", &[]);
        let mut text = serde_json::to_value(w.suspend()).unwrap();
        let fields = text.as_object_mut().unwrap();
        match sign_ins {
            None => fields.remove("signIns"),
            Some(others) => fields.insert("signIns".into(), others),
        };
        for seat in fields["calls"][0]["joined"].as_array_mut().unwrap() {
            seat.as_object_mut().unwrap().remove("taken");
        }
        let handover: Handover = serde_json::from_value(text).unwrap();
        w.take_over(handover, 100);
        w.forget();
        w.come_back("alice");
        w.expect("alice", &["welcome S(i: -; j: alice bob)+"]);
        w.expect_nothing_left();
    }
}

#[test]
fn what_is_handed_over_is_of_no_use_to_sign_in_with() {
    let mut w = World::in_call("alice", "bob", &[]);
    let handover = w.suspend();
    let text = serde_json::to_value(&handover).unwrap();
    let (secret, read) = (w.clients["alice"].secret.clone(), &text["signIns"][0]);
    assert_eq!(read["user"], "alice");
    assert!(!text.to_string().contains(&secret));
    let read = read["secret"].as_str().unwrap().to_owned();
    w.take_over(handover, 100);
    w.clients.get_mut("alice").unwrap().secret = read;
    w.forget();
    w.come_back_from("alice", 0);
    w.expect("alice", &["welcome S(i: -; j: alice bob)+"]);
    w.expect_nothing_left();
}
