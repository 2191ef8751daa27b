//! Sound that has come and comes no more, and what the server's answer to a ping tells of it.

use jmrtc_call::{MediaEvent, PlatformEvent, SocketEvent};
use serde_json::json;

use crate::rig::{Rig, muted};

fn in_call() -> Rig {
    let mut rig = Rig::connected();
    rig.wait(1_000);
    rig.take();
    rig
}

fn stall(rig: &mut Rig) {
    rig.media_in_silence(MediaEvent::Stalled);
}

/// The server has not answered, and no other connection was there first.
const GIVEN_UP: [&str; 3] = ["socket close", "socket open ws://server/v1/ws", "CallReconnecting"];

/// A second connection, which can't be made.
fn no_spare(rig: &mut Rig, ms: u64) {
    rig.wait_in_silence(ms);
    assert_eq!(rig.take().last().unwrap(), "spare open");
    rig.spare(SocketEvent::Closed { why: "no network".into() });
}

/// The connection is made again.
fn back(rig: &mut Rig) {
    rig.opened();
    rig.take();
    rig.welcome(true, None);
}

/// The system tells of another network, and connection and link are told to find their way in it.
fn told(rig: &mut Rig) {
    rig.platform(PlatformEvent::NetworkChanged);
    back(rig);
    rig.offer();
    rig.answer();
    rig.take();
}

#[test]
fn whoever_has_just_signed_in_has_changed_no_network() {
    let mut rig = Rig::connected();
    rig.media(MediaEvent::Stalled);
    assert_eq!(rig.take(), ["media restart"]);
}

#[test]
fn where_the_server_answers_the_link_is_restarted() {
    let mut rig = in_call();
    stall(&mut rig);
    assert_eq!((rig.pings().len(), rig.take()), (1, vec![]), "asked at once, and nothing else done");
    rig.now = rig.now.plus(50);
    rig.pong();
    assert_eq!(rig.take(), ["media restart"], "the app need not know");
    rig.offer();
    rig.answer();
    rig.media(MediaEvent::Connected);
    rig.media(MediaEvent::Flowing);
    assert_eq!(rig.take(), ["> link c1 1", "media answer"]);
}

/// It may be the other's network, which no restart of ours mends.
#[test]
fn a_link_that_stalls_again_and_again_is_not_restarted_each_time() {
    let mut rig = in_call();
    for (after, flows, restarts) in
        [(0, false, 1), (9_999, true, 0), (1, true, 1), (1_999, true, 0), (1, false, 1), (2_000, false, 0)]
    {
        rig.wait(after);
        rig.take();
        rig.media(MediaEvent::Stalled);
        assert_eq!(rig.take().len(), restarts, "after {after} ms more");
        if flows {
            rig.media(MediaEvent::Flowing);
        }
    }
}

#[test]
fn where_the_server_does_not_answer_all_is_made_anew() {
    let mut rig = in_call();
    stall(&mut rig);
    no_spare(&mut rig, 150);
    rig.wait_in_silence(849);
    assert_eq!(rig.take(), [""; 0], "it may answer yet");
    rig.wait_in_silence(1);
    assert_eq!(rig.take(), GIVEN_UP);
    back(&mut rig);
    assert_eq!(rig.take(), [""; 0]);
    rig.pong();
    assert_eq!(rig.take(), ["media close", "media open 4"], "a link that knows today's networks");
    rig.link();
    assert_eq!(rig.take(), ["> link c1 2", "media answer", "CallReconnected"]);
}

#[test]
fn sound_that_comes_back_in_time_needs_nothing() {
    let mut rig = in_call();
    stall(&mut rig);
    rig.wait_in_silence(100);
    rig.media_in_silence(MediaEvent::Flowing);
    rig.wait_in_silence(5_000);
    assert_eq!(rig.take(), [""; 0]);
    rig.pong();
    assert_eq!(rig.take(), [""; 0], "it has not waited for the answer");
}

#[test]
fn sound_that_comes_back_before_the_server_keeps_its_link() {
    let mut rig = in_call();
    stall(&mut rig);
    rig.wait_in_silence(1_000);
    rig.take();
    rig.media(MediaEvent::Flowing);
    back(&mut rig);
    assert_eq!(rig.take(), ["CallReconnected"]);
}

#[test]
fn nobody_is_missed_who_is_muted() {
    let mut rig = in_call();
    rig.event(muted("alice", true));
    rig.take();
    stall(&mut rig);
    assert!(rig.pings().is_empty());

    let mut rig = in_call();
    stall(&mut rig);
    rig.event(muted("alice", true));
    rig.take();
    rig.pong();
    assert_eq!(rig.take(), [""; 0], "muted, as it turns out");
}

/// The new connection was quicker than the silence was long.
#[test]
fn after_a_change_of_network_the_link_is_made_anew() {
    let mut rig = in_call();
    told(&mut rig);
    rig.media(MediaEvent::Stalled);
    assert_eq!(rig.take(), ["media close", "media open 4", "CallReconnecting"]);
}

#[test]
fn while_the_server_is_away_it_is_asked_later() {
    let mut rig = in_call();
    rig.closed();
    rig.take();
    stall(&mut rig);
    assert!(rig.pings().is_empty());
    rig.reconnect();
    rig.take();
    rig.welcome(true, None);
    assert_eq!(rig.pings().len(), 1);
    assert_eq!(rig.take(), ["CallReconnected"]);
    rig.pong();
    assert_eq!(rig.take(), ["media close", "media open 4", "CallReconnecting"]);
}

#[test]
fn a_server_far_away_has_three_round_trips() {
    let mut rig = in_call();
    rig.wait_in_silence(9_000);
    assert_eq!(rig.pings().len(), 1);
    rig.take();
    rig.now = rig.now.plus(400);
    rig.pong();
    stall(&mut rig);
    rig.wait_in_silence(799);
    assert_eq!(rig.take(), [""; 0]);
    no_spare(&mut rig, 1);
    rig.wait_in_silence(399);
    assert_eq!(rig.take(), [""; 0]);
    rig.wait_in_silence(1);
    assert_eq!(rig.take(), GIVEN_UP);
}

/// It has been silent for once, which need not be how far away it is.
#[test]
fn a_server_that_was_late_is_not_waited_for_as_long_again() {
    let mut rig = in_call();
    rig.wait_in_silence(9_000);
    rig.now = rig.now.plus(5_000);
    rig.pong();
    rig.take();
    stall(&mut rig);
    no_spare(&mut rig, 1_000);
    rig.wait_in_silence(2_000);
    assert_eq!(rig.take(), GIVEN_UP);
}

/// ICE says so when it has tried for long; the ping tells whether signalling is lost as well.
#[test]
fn a_link_that_is_disconnected_asks_as_well() {
    let mut rig = in_call();
    rig.media_in_silence(MediaEvent::Disconnected);
    assert_eq!((rig.pings().len(), rig.take()), (1, vec!["media restart".into(), "CallReconnecting".into()]));
    rig.offer();
    no_spare(&mut rig, 150);
    rig.wait_in_silence(850);
    assert_eq!(rig.take(), GIVEN_UP[..2]);
    back(&mut rig);
    rig.pong();
    assert_eq!(rig.take(), ["> link c1 1"], "the restart goes on");
}

#[test]
fn who_signs_out_is_not_called_back() {
    let mut rig = in_call();
    stall(&mut rig);
    rig.command("logout", json!(null));
    rig.take();
    rig.wait_in_silence(1_000);
    assert_eq!(rig.take(), [""; 0]);
}

/// Whoever speaks to people who are all muted hears nobody, and nobody hears him.
#[test]
fn where_nobody_is_heard_the_servers_reports_are_missed() {
    let mut rig = in_call();
    rig.event(muted("alice", true));
    rig.take();
    rig.media_in_silence(MediaEvent::Unreported);
    rig.pong();
    assert_eq!(rig.take(), ["media restart"]);

    let mut rig = in_call();
    rig.event(muted("alice", true));
    rig.take();
    rig.media_in_silence(MediaEvent::Unreported);
    rig.wait_in_silence(1_000);
    back(&mut rig);
    rig.pong();
    assert_eq!(rig.take(), ["media close", "media open 4"]);
}

/// As where UDP is blocked, which a restart believes late.
#[test]
fn a_restart_that_has_not_helped_is_followed_by_another_link() {
    let mut rig = in_call();
    rig.media(MediaEvent::Stalled);
    rig.offer();
    rig.answer();
    rig.take();
    rig.wait(2_000);
    rig.media(MediaEvent::Unreported);
    assert_eq!(rig.take(), ["media close", "media open 4", "CallReconnecting"]);
}

#[test]
fn a_link_whose_network_is_gone_is_made_anew_and_the_connection_too() {
    let mut rig = in_call();
    stall(&mut rig);
    rig.media(MediaEvent::Moved);
    assert_eq!(
        rig.take(),
        ["media close", "socket close", "socket open ws://server/v1/ws", "media open 4", "CallReconnecting"]
    );
    rig.offer();
    assert_eq!(rig.take(), [""; 0], "the offer waits");
    back(&mut rig);
    assert_eq!(rig.take(), ["> link c1 2"], "and is not thrown away");
    rig.answer();
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.take(), ["media answer", "CallReconnected"]);
}

/// The system has told just before.
#[test]
fn a_connection_that_is_of_the_new_network_is_kept() {
    let mut rig = in_call();
    told(&mut rig);
    stall(&mut rig);
    rig.media(MediaEvent::Moved);
    assert_eq!(rig.take(), ["media close", "media open 4", "CallReconnecting"]);
}

/// From Wi-Fi to cellular and back: what was made in between is of no use.
#[test]
fn a_second_change_of_network_is_as_the_first() {
    let mut rig = in_call();
    for _ in 0..2 {
        stall(&mut rig);
        rig.media_in_silence(MediaEvent::Moved);
        assert_eq!(
            rig.take(),
            [
                "media close",
                "socket close",
                "socket open ws://server/v1/ws",
                "media open 4",
                "CallReconnecting"
            ]
        );
        rig.opened();
        rig.welcome(true, None);
        rig.link();
        assert_eq!(rig.take().last().unwrap(), "CallReconnected");
        rig.wait(800);
        rig.take();
    }
}

#[test]
fn a_browser_that_tells_late_what_was_seen_before_changes_nothing() {
    let mut rig = in_call();
    rig.media(MediaEvent::Moved);
    rig.take();
    for ms in [0, 100, 2_000] {
        rig.wait(ms);
        rig.platform(PlatformEvent::NetworkChanged);
        assert_eq!(rig.take(), [""; 0]);
        if ms == 0 {
            rig.opened();
            rig.welcome(true, None);
            rig.link();
            rig.take();
        }
    }
    rig.wait(4_000);
    rig.take();
    rig.platform(PlatformEvent::NetworkChanged);
    assert_eq!(
        rig.take(),
        ["socket close", "socket open ws://server/v1/ws", "media restart", "CallReconnecting"]
    );
}

/// As over a network that loses a quarter of the packets, and reports with them.
#[test]
fn a_restart_that_has_helped_is_not_followed_by_another_link() {
    let mut rig = in_call();
    for n in 0..3 {
        rig.media(MediaEvent::Unreported);
        assert_eq!(rig.take().len(), usize::from(n != 1), "{n}");
        rig.media(MediaEvent::Flowing);
        rig.wait(if n == 0 { 1_000 } else { 5_000 });
        rig.take();
    }
}

/// While signalling was silently dead.
#[test]
fn who_was_muted_meanwhile_is_not_missed() {
    let mut rig = in_call();
    stall(&mut rig);
    rig.wait_in_silence(1_000);
    rig.opened();
    rig.welcome(true, None);
    rig.event(muted("alice", true));
    rig.take();
    rig.pong();
    assert_eq!(rig.take(), ["CallReconnected"]);
}

#[test]
fn a_link_that_ice_has_recovered_is_kept() {
    let mut rig = in_call();
    rig.media_in_silence(MediaEvent::Disconnected);
    rig.wait_in_silence(1_000);
    rig.media(MediaEvent::Connected);
    back(&mut rig);
    rig.pong();
    assert_eq!(rig.take(), ["CallReconnected"]);
}
