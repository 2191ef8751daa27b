//! The stories of the call semantics told by machines and rooms together: at each end exactly these answers
//! and events, however long each message takes.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use jmrtc_sim::World;
use serde_json::{Value, json};

const ALICE: &str = "alice/0";
const BOB: &str = "bob/0";
const CAROL: &str = "carol/0";

/// Tells a story in worlds that differ in how long messages take. `JMRTC_SIM_SEED=n` tells it in one world
/// and prints what happened there.
fn story(who: &[(&str, u32)], tell: impl Fn(&mut World) -> Result<(), String>) {
    let only: Option<u64> = std::env::var("JMRTC_SIM_SEED").ok().map(|n| n.parse().unwrap());
    for seed in only.map_or(0..40, |n| n..n + 1) {
        let mut world = World::calm(seed, only.is_some(), who).unwrap();
        let told = tell(&mut world);
        world.log().iter().for_each(|line| println!("{line}"));
        told.unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

fn users(names: &[&str]) -> Value {
    json!({ "usernames": names })
}

fn hears(world: &mut World, device: &str, expected: &[&str]) -> Result<(), String> {
    let heard = world.heard(device);
    if heard == expected { Ok(()) } else { Err(format!("{device} heard {heard:#?}, not {expected:#?}")) }
}

/// Alice and Bob in a call.
fn connect(world: &mut World) -> Result<(), String> {
    world.call(ALICE, "startCallUsers", users(&["bob"]))?;
    world.run_for(5_000)?;
    world.call(BOB, "accept", Value::Null)?;
    world.run_for(5_000)?;
    world.heard(ALICE);
    world.heard(BOB);
    world.agree()
}

#[test]
fn alice_calls_bob_and_bob_accepts() {
    story(&[("alice", 1), ("bob", 1)], |world| {
        world.call(ALICE, "startCallUsers", users(&["bob"]))?;
        world.run_for(5_000)?;
        hears(world, ALICE, &["startCallUsers -> S(i: bob; j: alice)", "CallOutgoing S(i: bob; j: alice)"])?;
        hears(world, BOB, &["CallReceiveInvite S(i: bob; j: alice)"])?;
        world.call(BOB, "accept", Value::Null)?;
        world.run_for(5_000)?;
        let connecting = "CallConnecting S(i: -; j: alice, bob)";
        let connected = "CallConnected S(i: -; j: alice, bob)";
        hears(world, ALICE, &[connecting, "CallMemberJoin bob", connected])?;
        hears(world, BOB, &["accept -> {}", connecting, "CallMemberJoin alice", connected])?;
        world.agree()?;
        world.call(ALICE, "hangup", Value::Null)?;
        world.run_for(5_000)?;
        hears(world, ALICE, &["hangup -> {}", "CallDisconnect hangup"])?;
        hears(world, BOB, &["CallMemberLeave alice hangup", "CallDisconnect hangup"])?;
        world.agree()
    });
}

#[test]
fn bob_refuses() {
    story(&[("alice", 1), ("bob", 2)], |world| {
        world.call(ALICE, "startCallUsers", users(&["bob"]))?;
        world.run_for(5_000)?;
        world.heard(ALICE);
        world.call(BOB, "refuse", Value::Null)?;
        world.run_for(5_000)?;
        hears(world, ALICE, &["CallMemberLeave bob refuse", "CallDisconnect refuse"])?;
        let invited = "CallReceiveInvite S(i: bob; j: alice)";
        hears(world, BOB, &[invited, "refuse -> {}", "CallDisconnect refuse"])?;
        hears(world, "bob/1", &[invited, "CallDisconnect refuse/refusedElsewhere"])
    });
}

#[test]
fn bob_is_in_a_call() {
    story(&[("alice", 1), ("bob", 1), ("carol", 1)], |world| {
        connect(world)?;
        world.call(CAROL, "startCallUsers", users(&["bob"]))?;
        world.run_for(5_000)?;
        hears(
            world,
            CAROL,
            &[
                "startCallUsers -> S(i: bob; j: carol)",
                "CallOutgoing S(i: bob; j: carol)",
                "CallMemberLeave bob busy",
                "CallDisconnect busy",
            ],
        )?;
        hears(world, BOB, &[])?;
        world.agree()
    });
}

#[test]
fn nobody_answers_and_alice_gives_up() {
    story(&[("alice", 1), ("bob", 2)], |world| {
        world.call(ALICE, "startCallUsers", users(&["bob"]))?;
        world.run_for(30_000)?;
        let invited = "CallReceiveInvite S(i: bob; j: alice)";
        let started = ["startCallUsers -> S(i: bob; j: alice)", "CallOutgoing S(i: bob; j: alice)"];
        let end = ["CallMemberLeave bob cancel/noAnswer", "CallDisconnect cancel/noAnswer"];
        hears(world, ALICE, &[started, end].concat())?;
        hears(world, BOB, &[invited, "CallDisconnect cancel/noAnswer"])?;
        hears(world, "bob/1", &[invited, "CallDisconnect cancel/noAnswer"])?;
        world.call(ALICE, "startCallUsers", users(&["bob"]))?;
        world.run_for(5_000)?;
        world.call(ALICE, "hangup", Value::Null)?;
        world.run_for(5_000)?;
        hears(world, ALICE, &[started, ["hangup -> {}", "CallDisconnect hangup"]].concat())?;
        hears(world, BOB, &[invited, "CallDisconnect cancel/cancelledByInviter"])?;
        hears(world, "bob/1", &[invited, "CallDisconnect cancel/cancelledByInviter"])
    });
}

#[test]
fn bobs_app_dies_in_the_call() {
    story(&[("alice", 1), ("bob", 1)], |world| {
        connect(world)?;
        world.kill_app(BOB);
        world.run_for(25_000)?;
        hears(world, ALICE, &["CallMemberLeave bob networkError", "CallDisconnect networkError"])?;
        world.start(BOB)?;
        world.run_for(8_000)?;
        world.agree()?;
        // Back within the grace time, he is back in the call.
        world.heard(ALICE);
        connect(world)?;
        world.kill_app(BOB);
        world.run_for(3_000)?;
        world.start(BOB)?;
        world.run_for(20_000)?;
        hears(world, ALICE, &[])?;
        let bobs = world.heard(BOB);
        if bobs.last().map(String::as_str) != Some("CallReconnected") {
            return Err(format!("{bobs:?}"));
        }
        world.agree()
    });
}

#[test]
fn bobs_network_is_gone() {
    story(&[("alice", 1), ("bob", 1)], |world| {
        connect(world)?;
        world.cut(BOB, 4_000);
        world.run_for(30_000)?;
        hears(world, ALICE, &[])?;
        hears(world, BOB, &["CallReconnecting", "CallReconnected"])?;
        world.agree()?;
        world.cut(BOB, 40_000);
        world.run_for(70_000)?;
        hears(world, ALICE, &["CallMemberLeave bob networkError", "CallDisconnect networkError"])?;
        hears(world, BOB, &["CallReconnecting", "CallDisconnect networkError"])?;
        world.agree()
    });
}

#[test]
fn a_group() {
    story(&[("alice", 1), ("bob", 1), ("carol", 1), ("dave", 1)], |world| {
        world.call(ALICE, "startCallUsers", users(&["bob", "carol"]))?;
        world.run_for(4_000)?;
        world.call(BOB, "accept", Value::Null)?;
        world.run_for(4_000)?;
        let (one, all) = ("S(i: carol; j: alice, bob)", "S(i: -; j: alice, bob, carol)");
        hears(
            world,
            ALICE,
            &[
                "startCallUsers -> S(i: bob, carol; j: alice)",
                "CallOutgoing S(i: bob, carol; j: alice)",
                &format!("CallConnecting {one}"),
                "CallMemberJoin bob",
                &format!("CallConnected {one}"),
            ],
        )?;
        world.heard(BOB);
        hears(world, CAROL, &["CallReceiveInvite S(i: bob, carol; j: alice)"])?;
        world.call(CAROL, "accept", Value::Null)?;
        world.run_for(4_000)?;
        hears(world, ALICE, &["CallMemberJoin carol"])?;
        hears(world, BOB, &["CallMemberJoin carol"])?;
        hears(
            world,
            CAROL,
            &[
                "accept -> {}",
                &format!("CallConnecting {all}"),
                "CallMemberJoin alice",
                "CallMemberJoin bob",
                &format!("CallConnected {all}"),
            ],
        )?;
        world.call(BOB, "inviteUsers", users(&["dave", "nobody"]))?;
        world.run_for(4_000)?;
        let failed = r#"[{"username":"nobody","name":"USER_UNAVAILABLE"}]"#;
        hears(world, BOB, &[&format!(r#"inviteUsers -> {{"invited":["dave"],"failed":{failed}}}"#)])?;
        hears(world, ALICE, &["CallOtherUserInvited dave by bob"])?;
        hears(world, CAROL, &["CallOtherUserInvited dave by bob"])?;
        hears(world, "dave/0", &["CallReceiveInvite S(i: dave; j: alice, bob, carol)"])?;
        world.call(ALICE, "hangup", Value::Null)?;
        world.run_for(4_000)?;
        hears(world, BOB, &["CallMemberLeave alice hangup"])?;
        hears(world, CAROL, &["CallMemberLeave alice hangup"])?;
        hears(world, "dave/0", &[])?;
        world.call("dave/0", "refuse", Value::Null)?;
        world.run_for(4_000)?;
        hears(world, BOB, &["CallMemberLeave dave refuse"])?;
        hears(world, CAROL, &["CallMemberLeave dave refuse"])?;
        world.agree()
    });
}

#[test]
fn glare_makes_one_call_whatever_the_order() {
    let (mut alices, mut bobs) = (0, 0);
    for seed in 0..300 {
        let mut world = World::calm(seed, false, &[("alice", 1), ("bob", 1)]).unwrap();
        let apart = world.chance(300);
        world.call_later(apart, ALICE, "startCallUsers", users(&["bob"]));
        world.call_later(150, BOB, "startCallUsers", users(&["alice"]));
        world.run_for(10_000).unwrap();
        world.agree().unwrap();
        let (alice, bob) = (world.heard(ALICE), world.heard(BOB));
        let winner = |me: &str, other: &str| {
            vec![
                format!("startCallUsers -> S(i: {other}; j: {me})"),
                format!("CallOutgoing S(i: {other}; j: {me})"),
                format!("CallConnecting S(i: -; j: {me}, {other})"),
                format!("CallMemberJoin {other}"),
                format!("CallConnected S(i: -; j: {me}, {other})"),
            ]
        };
        let loser = |me: &str, other: &str| {
            vec![
                format!("startCallUsers -> S(i: -; j: {other}, {me})"),
                format!("CallConnecting S(i: -; j: {other}, {me})"),
                format!("CallMemberJoin {other}"),
                format!("CallConnected S(i: -; j: {other}, {me})"),
            ]
        };
        // Whoever saw the other's call before dialling has been told of it; dialling answers it.
        let told = |me: &str, other: &str| {
            let mut lines = loser(me, other);
            lines.insert(0, format!("CallReceiveInvite S(i: {me}; j: {other})"));
            lines
        };
        if alice == winner("alice", "bob") {
            alices += 1;
            assert!(bob == loser("bob", "alice") || bob == told("bob", "alice"), "seed {seed}: {bob:#?}");
        } else {
            bobs += 1;
            assert!(
                alice == loser("alice", "bob") || alice == told("alice", "bob"),
                "seed {seed}: {alice:#?}"
            );
            assert_eq!(bob, winner("bob", "alice"), "seed {seed}");
        }
    }
    assert!(alices > 30 && bobs > 30, "{alices} and {bobs}: not both orders were tried");
}

#[test]
fn two_devices_accept_at_once() {
    let mut first = 0;
    for seed in 0..100 {
        let mut world = World::calm(seed, false, &[("alice", 1), ("bob", 2)]).unwrap();
        world.call(ALICE, "startCallUsers", users(&["bob"])).unwrap();
        world.run_for(5_000).unwrap();
        world.call(BOB, "accept", Value::Null).unwrap();
        world.call("bob/1", "accept", Value::Null).unwrap();
        world.run_for(5_000).unwrap();
        world.agree().unwrap();
        let mut heard = [world.heard(BOB), world.heard("bob/1")];
        if heard[1].len() > heard[0].len() {
            heard.reverse();
            first += 1;
        }
        let (joined, late) = (&heard[0], &heard[1]);
        assert_eq!(joined.last().unwrap(), "CallConnected S(i: -; j: alice, bob)", "seed {seed}");
        assert_eq!(
            late[1..],
            ["accept -> CALL_ENDED", "CallDisconnect cancel/answeredElsewhere"],
            "seed {seed}"
        );
        assert_eq!(world.heard(ALICE).iter().filter(|l| l.starts_with("CallMemberJoin")).count(), 1);
    }
    assert!((10..90).contains(&first), "{first} of 100");
}

/// Two things at once, in any order: one clean outcome at both ends, and nothing is left.
#[test]
fn what_crosses_on_the_way() {
    for (hers, his) in [
        ("hangup", "accept"),
        ("hangup", "refuse"),
        ("hangup", "hangup"),
        ("logout", "accept"),
        ("", "accept"),
        ("", "refuse"),
    ] {
        for seed in 0..60 {
            let mut world = World::calm(seed, false, &[("alice", 1), ("bob", 1)]).unwrap();
            world.call(ALICE, "startCallUsers", users(&["bob"])).unwrap();
            // Nothing of hers: his answer meets the end of the ring time.
            let at = if hers.is_empty() { 19_800 } else { 5_000 };
            let apart = world.chance(400);
            if !hers.is_empty() {
                world.call_later(at + apart, ALICE, hers, Value::Null);
            }
            world.call_later(at + 200, BOB, his, Value::Null);
            world.run_for(40_000).unwrap();
            world.agree().unwrap_or_else(|what| panic!("{hers} meets {his}, seed {seed}: {what}"));
            let (alice, bob) = (world.heard(ALICE), world.heard(BOB));
            let ends = |lines: &[String]| {
                let ends = lines.iter().filter(|l| l.starts_with("CallDisconnect")).count();
                let still = lines.last().is_some_and(|l| l.starts_with("CallConnected"));
                (ends == 1 && lines.last().unwrap().starts_with("CallDisconnect")) || (ends == 0 && still)
            };
            // `refuse` or `accept` may be answered after the end of a call that it came too late for.
            let late = ["accept -> CALL_ENDED", "refuse -> CALL_ENDED", "hangup -> {}", "logout -> {}"];
            let told = |lines: Vec<String>| {
                let mut lines = lines;
                if lines.last().is_some_and(|l| late.contains(&l.as_str())) {
                    lines.pop();
                }
                lines
            };
            let (alice, bob) = (told(alice), told(bob));
            assert!(ends(&alice) && ends(&bob), "{hers} meets {his}, seed {seed}: {alice:#?} {bob:#?}");
        }
    }
}

#[test]
fn re_call() {
    story(&[("alice", 1), ("bob", 1)], |world| {
        connect(world)?;
        world.kill_app(ALICE);
        world.run_for(1_000)?;
        world.start(ALICE)?;
        world.run_for(6_000)?;
        world.heard(ALICE);
        world.call(ALICE, "startCallUsers", users(&["bob"]))?;
        world.run_for(5_000)?;
        hears(
            world,
            BOB,
            &[
                "CallMemberLeave alice networkError",
                "CallDisconnect networkError",
                "CallReceiveInvite S(i: bob; j: alice)",
            ],
        )?;
        hears(
            world,
            ALICE,
            &[
                "CallDisconnect networkError",
                "startCallUsers -> S(i: bob; j: alice)",
                "CallOutgoing S(i: bob; j: alice)",
            ],
        )
    });
}

#[test]
fn the_server_goes() {
    for cleanly in [true, false] {
        story(&[("alice", 1), ("bob", 1)], |world| {
            connect(world)?;
            world.new_server(cleanly)?;
            world.run_for(30_000)?;
            for device in [ALICE, BOB] {
                if cleanly {
                    hears(world, device, &["CallDisconnect networkError/serverShutdown"])?;
                } else {
                    hears(world, device, &["CallReconnecting", "CallDisconnect networkError/callLost"])?;
                }
            }
            world.agree()?;
            connect(world)
        });
    }
}

#[test]
fn late_blocked_and_quiet() {
    story(&[("alice", 1), ("bob", 1), ("carol", 1), ("dave", 1)], |world| {
        // Bob comes online while it rings, and hears of it then.
        world.kill_app(BOB);
        world.run_for(3_000)?;
        world.call(ALICE, "startCallUsers", users(&["bob"]))?;
        world.run_for(4_000)?;
        world.start(BOB)?;
        world.run_for(4_000)?;
        let invited = "CallReceiveInvite S(i: bob; j: alice)".to_owned();
        let heard = world.heard(BOB);
        if !heard.contains(&invited) {
            return Err(format!("{heard:?}"));
        }
        world.run_for(20_000)?;
        // Too late it never rings.
        world.kill_app(BOB);
        world.run_for(3_000)?;
        world.call(ALICE, "startCallUsers", users(&["bob"]))?;
        world.run_for(22_000)?;
        world.start(BOB)?;
        world.run_for(4_000)?;
        let heard = world.heard(BOB);
        if heard.contains(&invited) {
            return Err(format!("{heard:?}"));
        }
        world.heard(ALICE);
        // Dave has Alice in his blacklist: she sees it ring, he sees nothing.
        world.call(ALICE, "startCallUsers", users(&["dave"]))?;
        world.run_for(30_000)?;
        hears(world, "dave/0", &[])?;
        hears(
            world,
            ALICE,
            &[
                "startCallUsers -> S(i: dave; j: alice)",
                "CallOutgoing S(i: dave; j: alice)",
                "CallMemberLeave dave cancel/noAnswer",
                "CallDisconnect cancel/noAnswer",
            ],
        )?;
        // Carol is not to be disturbed by Bob.
        world.call(BOB, "startCallUsers", users(&["carol"]))?;
        world.run_for(5_000)?;
        hears(world, CAROL, &["CallReceiveInvite S(i: carol; j: bob) silent"])
    });
}

#[test]
fn the_robot_answers_at_once() {
    story(&[("alice", 1)], |world| {
        world.call(ALICE, "startCallUsers", users(&["echo"]))?;
        world.run_for(5_000)?;
        hears(
            world,
            ALICE,
            &[
                "startCallUsers -> S(i: echo; j: alice)",
                "CallOutgoing S(i: echo; j: alice)",
                "CallConnecting S(i: -; j: alice, echo)",
                "CallMemberJoin echo",
                "CallConnected S(i: -; j: alice, echo)",
            ],
        )
    });
}
