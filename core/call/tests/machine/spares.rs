//! A second connection beside one over which the server does not answer in a call.

use jmrtc_call::{MediaEvent, PlatformEvent, SocketEvent};
use jmrtc_protocol::{Closing, Reason, ServerMessage};
use serde_json::json;

use crate::rig::{Rig, ended, muted, session};

type What = fn(&mut Rig);

/// Bob hears Alice no more, and the server does not answer: a second connection is tried.
fn tried() -> Rig {
    let mut rig = Rig::connected();
    rig.wait(1_000);
    rig.media_in_silence(MediaEvent::Stalled);
    rig.take();
    rig.wait_in_silence(149);
    assert_eq!(rig.take(), [""; 0]);
    rig.wait_in_silence(1);
    assert_eq!(rig.take(), ["spare open"], "of which the app need not know");
    rig
}

/// What follows from a connection that is dead, where another is spoken over instead.
const GONE_OVER: [&str; 3] = ["socket close", "> hello again after 1", "CallReconnecting"];

/// It is there first, and takes the place of the other.
fn gone_over() -> Rig {
    let mut rig = tried();
    rig.spare(SocketEvent::Opened);
    rig.wait_in_silence(50);
    assert_eq!(rig.take(), GONE_OVER);
    rig
}

/// What the server says as if nothing had been, or what comes of the others.
const ALIVE: [(What, &[&str]); 2] = [
    (|rig| rig.pong(), &["media restart", "spare close"]),
    (|rig| rig.media_in_silence(MediaEvent::Flowing), &["spare close"]),
];

#[test]
fn one_that_is_there_first_takes_the_place_of_the_other() {
    let mut rig = tried();
    rig.spare(SocketEvent::Opened);
    rig.wait_in_silence(49);
    assert_eq!(rig.take(), [""; 0], "the other may have been asleep with it");
    rig.wait_in_silence(1);
    assert_eq!(rig.take(), GONE_OVER);
    rig.welcome(true, None);
    rig.pong();
    assert_eq!(rig.take(), ["media close", "media open 4"]);
    rig.link();
    assert_eq!(rig.take(), ["> link c1 2", "media answer", "CallReconnected"]);
}

#[test]
fn it_is_given_up_where_the_first_is_alive() {
    for (alive, told) in ALIVE {
        for opened in [false, true] {
            let mut rig = tried();
            if opened {
                rig.spare(SocketEvent::Opened);
                rig.wait_in_silence(40);
            }
            alive(&mut rig);
            assert_eq!(rig.take(), told);
            rig.wait(2_000);
            assert_eq!(rig.take(), [""; 0]);
        }
    }
}

/// Over a network that stands still again and again, or with a server that has too much to do.
#[test]
fn after_one_that_was_not_needed_there_is_none_for_a_while() {
    let failed = |rig: &mut Rig| {
        rig.spare(SocketEvent::Closed { why: "refused".into() });
        rig.media_in_silence(MediaEvent::Flowing);
    };
    for end in [ALIVE[0].0, ALIVE[1].0, failed] {
        for (wait, lines) in [(9_500, &[][..]), (9_700, &["spare open"][..])] {
            let mut rig = tried();
            end(&mut rig);
            rig.pong();
            rig.wait(wait);
            rig.take();
            rig.media_in_silence(MediaEvent::Stalled);
            rig.wait_in_silence(300);
            assert_eq!(rig.take(), lines, "{wait} ms later");
        }
    }
}

/// The network may change once more.
#[test]
fn after_one_that_was_needed_there_is_another_at_once() {
    let mut rig = gone_over();
    rig.welcome(true, None);
    rig.pong();
    rig.link();
    rig.take();
    rig.media_in_silence(MediaEvent::Stalled);
    rig.wait_in_silence(150);
    assert_eq!(rig.take(), ["spare open"]);
}

/// Of a server far away. The app learns only then that something is amiss.
#[test]
fn one_that_is_on_its_way_when_the_answer_is_waited_for_no_longer_goes_on() {
    let mut rig = Rig::connected();
    rig.wait_in_silence(10_000);
    rig.now = rig.now.plus(400);
    rig.pong();
    rig.media_in_silence(MediaEvent::Stalled);
    rig.take();
    rig.wait_in_silence(800);
    assert_eq!(rig.take(), ["spare open"]);
    rig.wait_in_silence(400);
    assert_eq!(rig.take(), ["socket close", "CallReconnecting"]);
    rig.wait_in_silence(3_999);
    assert_eq!(rig.take(), [""; 0]);
    rig.opened();
    assert_eq!(rig.take(), ["> hello again after 1"]);
}

/// Its first packet is lost.
#[test]
fn one_that_takes_long_is_made_anew() {
    let mut rig = tried();
    rig.wait_in_silence(850);
    assert_eq!(
        rig.take(),
        ["spare close", "socket close", "socket open ws://server/v1/ws", "CallReconnecting"]
    );
}

/// Some networks say so to a connection that they have forgotten.
#[test]
fn where_the_first_breaks_there_is_nothing_to_wait_for() {
    let mut rig = tried();
    rig.closed();
    assert_eq!(
        rig.take(),
        ["spare close", "socket close", "socket open ws://server/v1/ws", "CallReconnecting"]
    );

    let mut rig = tried();
    rig.spare(SocketEvent::Opened);
    rig.closed();
    assert_eq!(rig.take(), GONE_OVER);

    // Before there is another.
    let mut rig = Rig::connected();
    rig.wait(1_000);
    rig.media_in_silence(MediaEvent::Stalled);
    rig.take();
    rig.closed();
    assert_eq!(rig.take(), ["socket close", "socket open ws://server/v1/ws", "CallReconnecting"]);
}

/// The answer waits for something at the server, or the app is told why nobody is heard.
#[test]
fn a_connection_over_which_anything_comes_is_not_dead() {
    let mut rig = tried();
    rig.spare(SocketEvent::Opened);
    rig.event(muted("alice", true));
    assert_eq!(rig.take(), ["CallMemberMuted alice true", "spare close"]);
    rig.wait_in_silence(900);
    rig.event(muted("alice", false));
    rig.take();
    rig.wait_in_silence(999);
    assert_eq!(rig.take(), [""; 0]);
    rig.wait_in_silence(1);
    assert_eq!(rig.take(), ["socket close", "socket open ws://server/v1/ws", "CallReconnecting"]);
}

/// The server welcomes and then is silent: more connections would not help.
#[test]
fn where_one_after_the_other_is_silent_there_is_no_third() {
    let mut rig = gone_over();
    rig.welcome(true, None);
    rig.take();
    rig.wait_in_silence(999);
    assert_eq!(rig.take(), [""; 0]);
    rig.wait_in_silence(1);
    assert_eq!(rig.take(), ["socket close", "socket open ws://server/v1/ws"]);
}

#[test]
fn one_that_opens_and_is_silent_is_given_up() {
    let mut rig = gone_over();
    rig.wait_in_silence(3_999);
    assert_eq!(rig.take(), [""; 0]);
    rig.wait_in_silence(600);
    assert_eq!(rig.take(), ["socket close", "socket open ws://server/v1/ws"]);
}

#[test]
fn a_link_that_fails_meanwhile_leaves_the_question() {
    let mut rig = tried();
    rig.media_in_silence(MediaEvent::Failed { why: "gone".into() });
    assert_eq!(rig.take(), ["media close", "CallReconnecting"]);
    rig.spare(SocketEvent::Opened);
    rig.wait_in_silence(50);
    assert_eq!(rig.take()[..2], GONE_OVER[..2]);
}

/// As a server may that takes no more than a sign-in.
#[test]
fn where_one_after_the_other_breaks_there_is_a_pause() {
    let mut rig = tried();
    rig.spare(SocketEvent::Opened);
    rig.closed();
    assert_eq!(rig.take(), GONE_OVER);
    for _ in 0..5 {
        rig.welcome(true, None);
        rig.closed();
        assert!(!rig.take().iter().any(|line| line.starts_with("socket open")));
        rig.reconnect();
        rig.take();
    }
}

/// What is told then may be another change.
#[test]
fn a_change_of_network_is_believed_right_after() {
    let mut rig = gone_over();
    rig.welcome(true, None);
    rig.pong();
    rig.link();
    rig.wait(1_000);
    rig.take();
    rig.platform(PlatformEvent::NetworkChanged);
    assert_eq!(
        rig.take(),
        ["socket close", "socket open ws://server/v1/ws", "media restart", "CallReconnecting"]
    );
}

#[test]
fn it_does_not_outlive_what_it_is_for() {
    let ends: [What; 5] = [
        |rig| _ = rig.command("logout", json!(null)),
        |rig| _ = rig.command("releaseEngine", json!(null)),
        |rig| rig.platform(PlatformEvent::NetworkChanged),
        |rig| rig.event(ended(session("", "alice bob"), Reason::Hangup, None)),
        |rig| rig.message(ServerMessage::Closing { reason: Closing::TokenExpired }),
    ];
    for (n, end) in ends.into_iter().enumerate() {
        for opened in [false, true] {
            let mut rig = tried();
            if opened {
                rig.spare(SocketEvent::Opened);
            }
            end(&mut rig);
            let lines = rig.take();
            assert!(lines.iter().any(|line| line == "spare close"), "{n}: {lines:?}");
        }
    }
}
