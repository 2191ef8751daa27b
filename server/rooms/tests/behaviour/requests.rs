//! Every request at every wrong moment: the right answer, and nothing changed.

use std::collections::BTreeSet;

use jmrtc_protocol::{ChannelId, LeaveReason, Request, Stay, Username};
use jmrtc_rooms::{ConnId, Input, Timestamp};

use crate::world::{World, config, name};

/// What a client may ask about the call `w.part(client)`.
fn request(method: &str, (channel_id, stay): (ChannelId, Stay), users: &[&str]) -> Request {
    let usernames: Vec<Username> = users.iter().map(|u| name(u)).collect();
    match method {
        "start" => Request::Start { usernames },
        "accept" => Request::Accept { channel_id, stay },
        "refuse" => Request::Refuse { channel_id, stay },
        "leave" => Request::Leave { channel_id, stay: Some(stay), reason: LeaveReason::Hangup },
        "lose" => Request::Leave { channel_id, stay: Some(stay), reason: LeaveReason::NetworkError },
        "invite" => Request::Invite { channel_id, usernames },
        "mute" => Request::Mute { channel_id, muted: true },
        "link" => Request::Link { channel_id, stay, generation: 1, offer: "offer".into() },
        other => panic!("{other}"),
    }
}

/// A world at the given moment of a call of alice with bob; who asks is `asker`.
fn at(moment: &str) -> (World, &'static str) {
    let mut w = World::new(&["alice", "bob", "bob/tablet", "carol"]);
    let asker = match moment {
        "no call" => {
            w.clients.get_mut("alice").unwrap().channel = Some(ChannelId("made up".into()));
            "alice"
        }
        "ended" => {
            w.start("alice", &["bob"]);
            w.refuse("bob");
            "bob"
        }
        "calling" => {
            w.start("alice", &["bob"]);
            "alice"
        }
        "rung" => {
            w.start("alice", &["bob"]);
            "bob"
        }
        "joined" => {
            w.start("alice", &["bob"]);
            w.accept("bob");
            "bob"
        }
        "joined elsewhere" => {
            w.start("alice", &["bob"]);
            w.accept("bob/tablet");
            "bob"
        }
        "invited again" | "in it again" => {
            w.start("alice", &["bob", "carol"]);
            w.accept("carol");
            w.accept("bob");
            let before = w.clients["bob"].stay;
            w.leave("bob");
            w.invite("alice", &["bob"]);
            if moment == "in it again" {
                w.accept("bob");
            }
            // What is asked now is asked about the stay before.
            w.clients.get_mut("bob").unwrap().stay = before;
            "bob"
        }
        "stranger" => {
            w.start("alice", &["bob"]);
            w.accept("bob");
            w.clients.get_mut("carol").unwrap().channel = w.clients["alice"].channel.clone();
            "carol"
        }
        other => panic!("{other}"),
    };
    w.forget();
    (w, asker)
}

#[test]
fn method_by_wrong_moment() {
    let rows = [
        ("no call", "accept", "! CALL_ENDED"),
        ("no call", "refuse", "! CALL_ENDED"),
        ("no call", "leave", "leave"),
        ("no call", "lose", "leave"),
        ("no call", "mute", "! CALL_ENDED"),
        ("no call", "invite", "! CALL_ENDED"),
        ("no call", "link", "! CALL_ENDED"),
        ("ended", "accept", "! CALL_ENDED"),
        ("ended", "refuse", "! CALL_ENDED"),
        ("ended", "leave", "leave"),
        ("ended", "mute", "! CALL_ENDED"),
        ("ended", "invite", "! CALL_ENDED"),
        ("ended", "link", "! CALL_ENDED"),
        ("calling", "start", "! ALREADY_IN_CALL"),
        ("calling", "accept", "! INVALID_STATE"),
        ("calling", "refuse", "! INVALID_STATE"),
        ("calling", "invite", "! INVALID_STATE"),
        ("rung", "mute", "! INVALID_STATE"),
        ("rung", "invite", "! INVALID_STATE"),
        ("rung", "lose", "leave"),
        ("joined", "start", "! ALREADY_IN_CALL"),
        ("joined", "accept", "! INVALID_STATE"),
        ("joined", "refuse", "! INVALID_STATE"),
        ("joined elsewhere", "start", "! ALREADY_IN_CALL"),
        ("joined elsewhere", "accept", "! CALL_ENDED"),
        ("joined elsewhere", "refuse", "! CALL_ENDED"),
        ("joined elsewhere", "leave", "leave"),
        ("joined elsewhere", "lose", "leave"),
        ("joined elsewhere", "mute", "! CALL_ENDED"),
        ("joined elsewhere", "invite", "! CALL_ENDED"),
        ("joined elsewhere", "link", "! CALL_ENDED"),
        ("invited again", "accept", "! CALL_ENDED"),
        ("invited again", "refuse", "! CALL_ENDED"),
        ("invited again", "leave", "leave"),
        ("invited again", "lose", "leave"),
        ("invited again", "link", "! CALL_ENDED"),
        ("in it again", "accept", "! CALL_ENDED"),
        ("in it again", "refuse", "! CALL_ENDED"),
        ("in it again", "leave", "leave"),
        ("in it again", "lose", "leave"),
        ("in it again", "link", "! CALL_ENDED"),
        ("stranger", "accept", "! CALL_ENDED"),
        ("stranger", "refuse", "! CALL_ENDED"),
        ("stranger", "leave", "leave"),
        ("stranger", "lose", "leave"),
        ("stranger", "mute", "! CALL_ENDED"),
        ("stranger", "invite", "! CALL_ENDED"),
        ("stranger", "link", "! CALL_ENDED"),
    ];
    for (moment, method, answer) in rows {
        let (w, asker) = at(moment);
        let request = request(method, w.part(asker), &["dave"]);
        expect_nothing_changed(w, asker, &request, answer, &format!("{method} when {moment}"));
    }
}

#[test]
fn bad_arguments() {
    let many = ["bob", "carol", "dave", "erin", "frank", "echo"];
    for (moment, method, users, answer) in [
        ("no call", "start", &[][..], "! INVALID_PARAMETER"),
        ("no call", "start", &["alice"], "! INVALID_PARAMETER"),
        ("no call", "start", &["alice", "alice"], "! INVALID_PARAMETER"),
        ("no call", "start", &["nobody"], "! USER_UNAVAILABLE"),
        ("no call", "start", &["nobody", "alice"], "! USER_UNAVAILABLE"),
        ("no call", "start", &many, "! LIMIT_EXCEEDED"),
        ("rung", "start", &[], "! INVALID_PARAMETER"),
        ("rung", "start", &["nobody"], "! USER_UNAVAILABLE"),
        ("rung", "start", &["carol", "dave", "erin", "frank", "alice", "echo"], "! LIMIT_EXCEEDED"),
        ("joined", "invite", &[], "! INVALID_PARAMETER"),
        ("joined", "invite", &["bob"], "! INVALID_PARAMETER"),
        ("joined", "invite", &["alice"], "! USER_UNAVAILABLE"),
        ("joined", "invite", &["nobody"], "! USER_UNAVAILABLE"),
        ("joined", "invite", &["carol", "dave", "erin", "frank", "echo"], "! LIMIT_EXCEEDED"),
    ] {
        let (w, asker) = at(moment);
        let request = request(method, w.part(asker), users);
        expect_nothing_changed(w, asker, &request, answer, &format!("{method} {users:?} when {moment}"));
    }
    for (generation, offer, answer) in [
        (0, "offer".into(), "! INVALID_PARAMETER"),
        (1, String::new(), "! INVALID_PARAMETER"),
        (1, "x".repeat(48 * 1024 + 1), "! LIMIT_EXCEEDED"),
    ] {
        let (w, asker) = at("rung");
        let (channel_id, stay) = w.part(asker);
        let request = Request::Link { channel_id, stay, generation, offer };
        expect_nothing_changed(w, asker, &request, answer, "a bad link");
    }
}

/// The answer, also when it is asked for again, and beside it nothing: no message to anybody, nothing to the
/// media relay, and the state (all of it, but for the kept answer) is as before.
fn expect_nothing_changed(mut w: World, asker: &str, request: &Request, answer: &str, what: &str) {
    let before = w.fingerprint();
    let id = w.ask(asker, request.clone());
    w.ask_again(asker, id, request.clone());
    assert_eq!(w.got(asker), [answer, answer], "{what}");
    for (client, c) in &w.clients {
        assert_eq!(c.got, [""; 0], "{what}: {client}");
    }
    assert!(w.media.is_empty() && w.pushes.is_empty() && w.records.is_empty(), "{what}");
    assert_eq!(w.fingerprint(), before, "{what}");
}

#[test]
fn a_full_call() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob", "carol", "dave", "erin", "frank"]);
    w.accept("bob");
    w.forget();
    w.invite("bob", &["echo"]);
    w.expect("bob", &["! LIMIT_EXCEEDED"]);
    for takes_no_room in ["nobody", "carol"] {
        w.invite("bob", &[takes_no_room]);
        w.expect("bob", &["! USER_UNAVAILABLE"]);
    }
    w.wait(60_000);
    w.forget();
    w.invite("bob", &["carol"]);
    w.expect("bob", &["invite carol", "OthersInvited carol by bob S(i: carol; j: alice bob)+"]);
}

#[test]
fn before_hello() {
    let mut w = World::empty();
    let conn = ConnId(99);
    let input = Input::Request { conn, id: 1, request: Request::Logout, known: vec![] };
    let out = w.rooms.handle(Timestamp(1), input);
    assert!(format!("{out:?}").contains("NOT_LOGGED_IN"), "{out:?}");
    assert_eq!(w.rooms.handle(Timestamp(1), Input::Ping { conn, ack: 0 }), []);
    assert_eq!(w.rooms.handle(Timestamp(1), Input::Disconnected { conn, silent_ms: 0 }), []);
    assert!(w.rooms.is_idle());
}

#[test]
fn a_request_that_comes_twice_is_done_once() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    let start = Request::Start { usernames: vec![name("bob"), name("carol")] };
    let id = w.ask("alice", start.clone());
    w.ask_again("alice", id, start.clone());
    let reply = "start S(i: bob carol; j: alice)";
    w.expect("alice", &[reply, reply]);
    w.expect("bob", &["Invited S(i: bob carol; j: alice) 60000"]);
    // Much later and on another connection still the same.
    w.drop("alice");
    w.refuse("bob");
    w.come_back("alice");
    w.ask_again("alice", id, start);
    w.expect("alice", &["welcome resumed", "Left bob refuse S(i: carol; j: alice)", reply]);
}

#[test]
fn a_reply_that_got_lost_is_given_again() {
    let mut w = World::in_call("alice", "bob", &[]);
    let (channel_id, stay) = w.part("alice");
    let seen = w.clients["alice"].seen;
    let leave = Request::Leave { channel_id, stay: Some(stay), reason: LeaveReason::Hangup };
    let id = w.ask("alice", leave.clone());
    w.drop("alice");
    w.got("alice");
    w.come_back_from("alice", seen);
    w.ask_again("alice", id, leave);
    w.expect("alice", &["welcome resumed", "Ended hangup S(i: -; j: bob)+", "leave"]);
}

#[test]
fn old_request_ids_are_refused() {
    let mut w = World::new(&["alice"]);
    for _ in 0..70 {
        w.start("alice", &["nobody"]);
    }
    w.forget();
    let start = Request::Start { usernames: vec![name("bob")] };
    w.ask_again("alice", 3, start.clone());
    w.ask_again("alice", 0, start.clone());
    w.ask_again("alice", 69, start);
    w.expect("alice", &["! INVALID_PARAMETER", "! INVALID_PARAMETER", "! USER_UNAVAILABLE"]);
    w.expect_quiet();
}

#[test]
fn update_token_and_logout() {
    let mut w = World::in_call("alice", "bob", &["alice/tablet", "carol"]);
    w.ask("alice", Request::UpdateToken { token: "checked before".into() });
    w.expect("alice", &["updateToken"]);
    w.ask("alice", Request::Logout);
    w.expect("alice", &["logout", "Ended hangup S(i: -; j: bob)+", "closed"]);
    w.expect("bob", &["Left alice hangup S(i: -; j: bob)+", "Ended hangup S(i: -; j: bob)+"]);
    assert_eq!(w.rooms.online(), BTreeSet::from(["alice", "bob", "carol", "echo"].map(name)));
    w.ask("alice/tablet", Request::Logout);
    assert_eq!(w.rooms.online(), BTreeSet::from(["bob", "carol", "echo"].map(name)));
    w.ask("bob", Request::Logout);
    w.ask("carol", Request::Logout);
    assert!(w.rooms.is_idle());
}

#[test]
fn logout_while_rung() {
    let mut w = World::new(&["alice", "bob", "bob/tablet"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.ask("bob", Request::Logout);
    w.expect("bob", &["logout", "closed"]);
    w.expect("alice", &[]);
    w.expect("bob/tablet", &[]);
    w.ask("bob/tablet", Request::Logout);
    w.expect("bob/tablet", &["logout", "Ended refuse S(i: -; j: alice)", "closed"]);
    w.expect("alice", &["Left bob refuse S(i: -; j: alice)", "Ended refuse S(i: -; j: alice)"]);
    w.expect_quiet();
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let run = || {
        let mut w = World::new(&["alice", "bob"]);
        w.start("alice", &["bob"]);
        (w.clients["alice"].secret.clone(), w.clients["bob"].secret.clone(), w.channel("alice"))
    };
    let (alice, bob, ChannelId(channel)) = run();
    assert_eq!((alice.clone(), bob.clone(), ChannelId(channel.clone())), run());
    assert!(alice != bob && bob != channel && [alice, bob, channel].iter().all(|s| s.len() == 32));
    let mut other = config();
    other.max_members = 2;
    let mut w = World::with(other);
    w.sign_in("alice");
    w.start("alice", &["bob", "carol"]);
    w.expect("alice", &["welcome", "! LIMIT_EXCEEDED"]);
}

#[test]
fn invitations_into_one_call_are_finite() {
    let mut w = World::in_call("carol", "dave", &["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.accept("bob");
    for _ in 0..998 {
        w.invite("alice", &["carol"]);
    }
    w.forget();
    w.invite("alice", &["carol"]);
    w.expect("alice", &["! LIMIT_EXCEEDED"]);
    w.leave("alice");
    assert_eq!(w.records.pop().unwrap().members.len(), 1_000);
}

#[test]
fn invitations_are_counted_for_a_user_and_all_its_devices() {
    let mut config = config();
    config.invitations_per_minute = 30;
    let mut w = World::with(config);
    for client in ["alice", "alice/tablet", "bob", "carol"] {
        w.sign_in(client);
    }
    for device in ["alice", "alice/tablet"].repeat(15) {
        w.start(device, &["bob"]);
        w.leave(device);
    }
    w.forget();
    w.start("alice/tablet", &["bob"]);
    w.expect("alice/tablet", &["! LIMIT_EXCEEDED"]);
    w.expect("bob", &[]);
    w.start("carol", &["bob"]);
    w.expect("carol", &["start S(i: bob; j: carol)"]);
    w.leave("carol");
    w.wait(2_000);
    w.forget();
    w.start("alice", &["nobody"]);
    w.start("alice", &["bob"]);
    w.leave("alice");
    w.start("alice", &["bob"]);
    let hung_up = ["start S(i: bob; j: alice)", "leave", "Ended hangup S(i: bob; j: -)"];
    w.expect("alice", &[&["! USER_UNAVAILABLE"], &hung_up[..], &["! LIMIT_EXCEEDED"]].concat());
}

#[test]
fn who_asks_people_in_without_end_is_told_so_and_the_others_are_spared() {
    let mut config = config();
    config.invitations_per_minute = 30;
    let mut w = World::with(config);
    for client in ["alice", "bob", "carol"] {
        w.sign_in(client);
    }
    w.start("alice", &["bob"]);
    w.accept("bob");
    for _ in 0..29 {
        w.invite("alice", &["carol"]);
        w.refuse("carol");
    }
    w.forget();
    w.invite("alice", &["carol"]);
    w.expect("alice", &["! LIMIT_EXCEEDED"]);
    for other in ["bob", "carol"] {
        w.expect(other, &[]);
    }
    w.invite("bob", &["carol"]);
    assert_eq!(w.got("carol").len(), 1, "{:?}", w.got("carol"));
}

#[test]
fn a_whole_call_can_be_filled_at_once() {
    let mut config = config();
    config.invitations_per_minute = 1;
    let mut w = World::with(config);
    w.sign_in("alice");
    for _ in 0..4 {
        w.start("alice", &["bob", "carol", "dave", "erin", "frank"]);
        w.leave("alice");
    }
    w.forget();
    w.start("alice", &["bob", "carol", "dave", "erin", "frank"]);
    w.expect("alice", &["! LIMIT_EXCEEDED"]);
}

#[test]
fn more_names_than_a_call_has_members_are_refused_whoever_they_are() {
    let names = |names: std::ops::Range<u32>| names.map(|n| n.to_string()).collect::<Vec<_>>();
    for (moment, method) in [("no call", "start"), ("joined", "invite")] {
        let (w, asker) = at(moment);
        let (part, names) = (w.part(asker), names(0..9_000));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let request = request(method, part, &names);
        expect_nothing_changed(w, asker, &request, "! LIMIT_EXCEEDED", method);
    }
}

#[test]
fn whoever_plays_with_the_mute_switch_is_told_so_and_the_others_are_spared() {
    let mut w = World::in_call("alice", "bob", &[]);
    let played = |w: &mut World| {
        w.forget();
        for n in 0..100 {
            w.mute("alice", n % 2 == 0);
        }
        let told = w.got("bob").iter().filter(|line| line.starts_with("Muted")).count();
        let refused = w.got("alice").iter().filter(|line| line.contains("LIMIT_EXCEEDED")).count();
        (told, refused > 0)
    };
    assert_eq!(played(&mut w), (20, true));
    w.wait(5_000);
    assert_eq!(played(&mut w).0, 5, "one a second");
    w.leave("alice");
}

#[test]
fn whoever_makes_link_after_link_is_told_so_and_keeps_the_last() {
    let mut w = World::in_call("alice", "bob", &[]);
    let made = |w: &mut World, from: u32| {
        w.forget();
        let refused = |w: &mut World, generation: u32| {
            w.link("alice", generation);
            w.got("alice").iter().any(|line| line.contains("LIMIT_EXCEEDED"))
        };
        let made: Vec<_> = (from..from + 100).filter(|generation| !refused(w, *generation)).collect();
        made.iter().for_each(|_| w.relay_answers(Ok("answer")));
        made.len()
    };
    assert_eq!(made(&mut w, 2), 60);
    w.wait(3_000);
    assert_eq!(made(&mut w, 200), 3, "one a second");
    // An ICE restart of the last is another matter.
    w.forget();
    w.link("alice", 202);
    w.relay_answers(Ok("again"));
    assert!(w.got("alice").iter().any(|line| line.contains("again")), "{:?}", w.got("alice"));
    w.leave("alice");
}

#[test]
fn whoever_mutes_is_shown_muted_to_all() {
    let mut w = World::in_call("alice", "bob", &["carol"]);
    w.invite("alice", &["carol"]);
    w.forget();
    w.mute("alice", true);
    let muted = "Muted alice true S(i: carol; j: alice bob; m: alice)+";
    w.expect("alice", &["mute", muted]);
    w.expect("bob", &[muted]);
    w.expect("carol", &[]);
    w.mute("alice", true);
    w.expect("alice", &["mute"]);
    w.expect("bob", &[]);
    w.accept("carol");
    w.expect("carol", &["accept S(i: -; j: alice bob carol; m: alice)+"]);
    w.leave("alice");
    w.invite("bob", &["alice"]);
    w.forget();
    // Back in the call, nobody is muted before saying so.
    w.accept("alice");
    w.expect("alice", &["accept S(i: -; j: bob carol alice)+ by bob"]);
    w.forget();
    w.mute("alice", false);
    w.expect("alice", &["mute"]);
    w.expect("bob", &[]);
}
