//! The link axis, the connection, and both at once.

use jmrtc_call::{Input, MediaEvent, PlatformEvent, SocketEvent};
use jmrtc_protocol::{Closing, ErrorCode, Failure, Reason, Reply, ServerMessage};
use serde_json::json;

use crate::rig::*;

#[test]
fn in_a_lively_call_the_server_learns_soon_what_was_seen() {
    let mut rig = Rig::connected();
    let seq = rig.seq;
    for n in 0..130 {
        rig.event(muted("alice", n % 2 == 0));
    }
    let acked: Vec<u64> = rig.pings().iter().map(|ack| ack.parse().unwrap()).collect();
    assert_eq!(acked, [64, 128]);
    assert!(seq < 64);
}

#[test]
fn a_broken_link_is_restarted_then_replaced() {
    let mut rig = Rig::connected();
    rig.media(MediaEvent::Disconnected);
    assert_eq!(rig.take(), ["media restart", "CallReconnecting"]);
    rig.offer();
    assert_eq!(rig.take(), ["> link c1 1"], "the same generation again");
    rig.answer();
    rig.wait(10_000);
    assert_eq!(rig.take(), ["media answer", "media close"]);
    rig.wait(500);
    assert_eq!(rig.take(), ["media open 4"]);
    rig.offer();
    assert_eq!(rig.take(), ["> link c1 2"], "a new one");
    rig.answer();
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.take(), ["media answer", "CallReconnected"]);
    rig.media(MediaEvent::Failed { why: "dtls".into() });
    assert_eq!(rig.take(), ["media close", "CallReconnecting"]);
}

#[test]
fn a_link_that_comes_back_by_itself() {
    let mut rig = Rig::connected();
    rig.media(MediaEvent::Disconnected);
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.take(), ["media restart", "CallReconnecting", "CallReconnected"]);
}

/// Whoever connects while signalling is lost hears both at once.
#[test]
fn a_link_that_comes_up_while_the_line_is_down() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    rig.offer();
    rig.answer();
    rig.closed();
    rig.take();
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.take(), ["CallConnected S(i: -; j: alice, bob)", "CallReconnecting"]);
}

#[test]
fn a_link_that_stays_away_ends_the_call() {
    let mut rig = Rig::connected();
    rig.media(MediaEvent::Failed { why: "ice".into() });
    rig.wait(29_999);
    let before = rig.take();
    assert_eq!(before.iter().filter(|l| l.starts_with("Call")).count(), 1, "{before:?}");
    assert!(before.iter().filter(|l| *l == "media open 4").count() >= 1, "tried meanwhile: {before:?}");
    rig.wait(1);
    let end = rig.take();
    assert!(end.contains(&"CallDisconnect networkError S(i: -; j: alice)".to_owned()), "{end:?}");
    assert!(end.contains(&"> leave c1 networkError".to_owned()), "{end:?}");
}

#[test]
fn links_that_fail_are_made_again_ever_more_slowly() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.take();
    for number in 1..8 {
        rig.offer();
        assert_eq!(rig.take(), [format!("> link c1 {number}")]);
        rig.refuse_link(ErrorCode::ServerError);
        assert_eq!(rig.take(), ["media close"]);
        rig.wait(5_000);
        assert_eq!(rig.take(), ["media open 4"]);
    }
    rig.media(MediaEvent::Offer { sdp: "x".repeat(50_000) });
    assert_eq!(rig.take(), ["media close"], "an offer no server would take");
}

#[test]
fn events_of_old_links_and_sockets_are_dropped_and_counted() {
    let mut rig = Rig::connected();
    for event in [
        MediaEvent::Offer { sdp: "old".into() },
        MediaEvent::Connected,
        MediaEvent::Disconnected,
        MediaEvent::Stalled,
        MediaEvent::Unreported,
        MediaEvent::Moved,
        MediaEvent::Flowing,
        MediaEvent::Failed { why: "old".into() },
    ] {
        for generation in [0, 2, u32::MAX] {
            rig.input(Input::Media { generation, event: event.clone() });
        }
    }
    for generation in [0, 2] {
        rig.input(Input::Socket { generation, event: SocketEvent::Opened });
        rig.input(Input::Socket { generation, event: SocketEvent::Closed { why: "old".into() } });
        let message = ServerMessage::Closing { reason: Closing::Replaced };
        rig.input(Input::Socket { generation, event: SocketEvent::Message { message } });
    }
    assert_eq!(rig.take(), [""; 0]);
    assert_eq!(rig.client.stale_count(), 30);
}

#[test]
fn a_network_change_renews_both_at_once() {
    let mut rig = Rig::connected();
    rig.platform(PlatformEvent::NetworkChanged);
    assert_eq!(
        rig.take(),
        ["socket close", "socket open ws://server/v1/ws", "media restart", "CallReconnecting"]
    );
    rig.offer();
    rig.opened();
    rig.welcome(true, None);
    assert_eq!(rig.take(), ["> hello again after 1", "> link c1 1", "CallReconnected"]);
    rig.closed();
    rig.take();
    rig.platform(PlatformEvent::NetworkChanged);
    assert_eq!(rig.take(), ["socket open ws://server/v1/ws", "media restart"], "no waiting");
}

#[test]
fn at_a_server_that_took_the_place_of_the_one_before_a_new_link_is_made() {
    let mut rig = Rig::connected();
    rig.closing(Closing::ServerShutdown);
    rig.media(MediaEvent::Disconnected);
    rig.offer();
    rig.take();
    rig.reconnect();
    rig.take();
    rig.welcome_from_the_next();
    assert_eq!(rig.take(), ["media close", "media open 4"], "nothing is asked about the link before");
    rig.event(muted("alice", true));
    rig.offer();
    rig.answer();
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.take(), ["CallMemberMuted alice true", "> link c1 2", "media answer", "CallReconnected"]);
}

#[test]
fn a_silent_server_gets_a_new_connection() {
    let mut rig = Rig::connected();
    rig.wait(60_000);
    assert_eq!(rig.take(), [""; 0], "answered pings keep it");
    while rig.take().is_empty() {
        rig.now = rig.client.next_deadline().unwrap();
        rig.input(Input::Deadline);
        assert!(rig.now.0 < 200_000);
    }
    assert_eq!(rig.client.state().call, jmrtc_call::CallState::Reconnecting);
    rig.opened();
    rig.welcome(true, None);
    assert_eq!(rig.take(), ["> hello again after 1", "CallReconnected"]);
}

/// Before each of twelve tries of which none succeeds, milliseconds.
fn waits_in_vain(rig: &mut Rig) -> Vec<u64> {
    let mut next = || {
        let at = rig.client.next_deadline().unwrap();
        let wait = at.since(rig.now);
        rig.now = at;
        rig.input(Input::Deadline);
        rig.closed();
        wait
    };
    (0..12).map(|_| next()).collect()
}

#[test]
fn reconnects_for_ever_with_backoff() {
    let mut rig = Rig::signed_in("bob");
    rig.closed();
    let start = rig.now;
    let waits = waits_in_vain(&mut rig);
    for (attempt, wait) in waits.iter().enumerate() {
        assert!(*wait <= (500 << attempt).min(15_000), "{waits:?}");
    }
    assert!(waits.iter().any(|w| *w > 2_000), "{waits:?}");
    rig.take();
    // Lost twice while greeting, too.
    rig.reconnect();
    rig.closed();
    rig.reconnect();
    rig.message(ServerMessage::Fault { error: Failure::new(ErrorCode::ServerError, "busy") });
    rig.reconnect();
    rig.welcome(true, None);
    assert_eq!(rig.unanswered(), [""; 0]);
    assert!(rig.now > start);
}

#[test]
fn a_token_that_is_refused_on_the_way_back() {
    let mut rig = Rig::connected();
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.message(ServerMessage::Fault { error: Failure::new(ErrorCode::LoginRejected, "expired") });
    assert_eq!(rig.take(), ["socket close", "CallError LOGIN_REJECTED"]);
    rig.command("updateToken", json!({ "token": token("bob") }));
    rig.opened();
    rig.message(ServerMessage::Fault { error: Failure::new(ErrorCode::LoginRejected, "expired") });
    assert_eq!(rig.heard(), ["updateToken -> LOGIN_REJECTED"]);
    rig.command("login", json!({ "token": token("bob") }));
    rig.closed();
    assert_eq!(rig.heard(), ["login -> NETWORK"], "but it goes on trying");
    rig.reconnect();
    rig.welcome(true, None);
    assert_eq!(rig.heard(), ["CallReconnected"]);
}

#[test]
fn signalling_away_for_longer_than_the_grace_time_ends_the_call() {
    let mut rig = Rig::connected();
    rig.closed();
    rig.take();
    let start = rig.now;
    while rig.now.since(start) < 30_000 {
        rig.now = rig.client.next_deadline().unwrap();
        rig.input(Input::Deadline);
        if rig.take().iter().any(|l| l.starts_with("CallDisconnect networkError")) {
            break;
        }
        rig.closed();
    }
    assert_eq!(rig.now.since(start), 30_000);
    rig.reconnect();
    rig.take();
    rig.welcome(true, None);
    assert_eq!(rig.take(), ["> leave c1 networkError"], "should the server still believe in it");
}

#[test]
fn requests_go_out_again_after_a_reconnect() {
    let mut rig = Rig::connected();
    rig.command("inviteUsers", json!({ "usernames": ["carol"] }));
    rig.command("updateToken", json!({ "token": token("bob") }));
    rig.closed();
    rig.command("inviteUsers", json!({ "usernames": ["dave"] }));
    rig.take();
    rig.reconnect();
    rig.welcome(true, None);
    assert_eq!(
        rig.take()[2..],
        ["> invite c1 carol", "> updateToken", "> invite c1 dave", "CallReconnected"]
    );
}

#[test]
fn events_come_once() {
    let mut rig = Rig::connected();
    let event = joined("carol");
    let message = ServerMessage::Event { seq: rig.seq + 1, event };
    rig.message(message.clone());
    rig.message(message.clone());
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    rig.message(message);
    assert_eq!(rig.heard(), ["CallMemberJoin carol", "CallReconnecting", "CallReconnected"]);
}

/// Which waits for the grace time, and a server that is there again must not find it asleep.
#[test]
fn in_a_call_the_next_try_is_soon() {
    for (mut rig, most) in [(Rig::connected(), 2_000), (Rig::ringing(), 2_000), (Rig::ready("bob"), 15_000)] {
        rig.closed();
        let waits = waits_in_vain(&mut rig);
        let longest = *waits.iter().max().unwrap();
        assert!((most / 2..=most).contains(&longest), "{waits:?}");
    }
}

/// The server answers a restart that the end of the call has overtaken.
#[test]
fn a_link_that_is_refused_because_the_call_is_over_is_no_reconnecting() {
    let mut rig = Rig::connected();
    rig.platform(PlatformEvent::NetworkChanged);
    rig.reconnect();
    rig.welcome(true, None);
    rig.offer();
    rig.heard();
    rig.event(left("alice", Reason::Hangup));
    rig.refuse_link(ErrorCode::CallEnded);
    rig.event(ended(session("", "bob"), Reason::Hangup, None));
    assert_eq!(
        rig.heard(),
        ["CallMemberLeave alice hangup", "CallDisconnect hangup S(i: -; j: bob)"],
        "nothing between"
    );
}
