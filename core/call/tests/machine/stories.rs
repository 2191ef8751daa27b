//! Section 5 of the call semantics, story by story, each side: exactly these answers and events, in this order.

use crate::rig::*;
use jmrtc_call::MediaEvent;
use jmrtc_protocol::limits::MAX_MEMBERS;
use jmrtc_protocol::{ChannelId, Detail, ErrorCode, Reason, Reply, ServerEvent};
use serde_json::json;

fn calling(rig: &mut Rig, whom: &[&str]) {
    rig.command("startCallUsers", json!({ "usernames": whom }));
    rig.started(session(&whom.join(" "), "alice"));
    rig.offer();
    rig.answer();
}

/// Alice in a call with Bob.
fn alice() -> Rig {
    let mut rig = Rig::ready("alice");
    calling(&mut rig, &["bob"]);
    rig.media(MediaEvent::Connected);
    rig.event(joined("bob"));
    rig.take();
    rig
}

#[test]
fn alice_calls_bob_who_accepts() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    assert_eq!(rig.take(), ["> start bob"]);
    rig.started(session("bob", "alice"));
    assert_eq!(
        rig.take(),
        [
            "startCallUsers -> S(i: bob; j: alice)",
            "CallOutgoing S(i: bob; j: alice)",
            "platform started",
            "platform speaker false",
            "media open 4",
            "audio capture",
        ]
    );
    rig.offer();
    assert_eq!(rig.take(), ["> link c1 1"]);
    rig.answer();
    assert_eq!(rig.take(), ["media answer"]);
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.take(), [""; 0], "connected waits for the second member");
    rig.event(joined("bob"));
    assert_eq!(
        rig.take(),
        [
            "CallConnecting S(i: -; j: alice, bob)",
            "CallMemberJoin bob",
            "CallConnected S(i: -; j: alice, bob)",
            "audio capture+send+play",
        ]
    );
}

#[test]
fn bob_accepts() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    assert_eq!(rig.take(), ["CallReceiveInvite S(i: bob; j: alice)", "platform ring", "media open 4"]);
    rig.link();
    assert_eq!(rig.take(), ["> link c1 1", "media answer"], "prepared while it rings, and silent");
    rig.command("accept", json!(null));
    assert_eq!(
        rig.take(),
        ["platform dismiss", "> accept c1", "platform started", "platform speaker false", "audio capture"]
    );
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    assert_eq!(
        rig.take(),
        [
            "accept -> {}",
            "CallConnecting S(i: -; j: alice, bob)",
            "CallMemberJoin alice",
            "CallConnected S(i: -; j: alice, bob)",
            "audio capture+send+play",
        ]
    );
}

#[test]
fn a_link_that_comes_up_late_makes_connected_last() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    assert_eq!(
        rig.heard(),
        [
            "CallReceiveInvite S(i: bob; j: alice)",
            "accept -> {}",
            "CallConnecting S(i: -; j: alice, bob)",
            "CallMemberJoin alice",
        ]
    );
    rig.link();
    assert_eq!(rig.heard(), ["CallConnected S(i: -; j: alice, bob)"]);
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.heard(), [""; 0], "once");
}

#[test]
fn alice_hangs_up() {
    let mut rig = alice();
    rig.command("hangup", json!(null));
    assert_eq!(rig.take(), ["audio off", "> leave c1", "media close"], "silence falls at once");
    rig.reply(Reply::Leave);
    assert_eq!(rig.take(), ["hangup -> {}"]);
    rig.event(ended(session("", "bob"), Reason::Hangup, None));
    assert_eq!(rig.take(), ["CallDisconnect hangup S(i: -; j: bob)", "platform ended"]);

    let mut rig = Rig::connected();
    rig.event(left("alice", Reason::Hangup));
    rig.event(ended(session("", "bob"), Reason::Hangup, None));
    assert_eq!(
        rig.take(),
        [
            "CallMemberLeave alice hangup",
            "audio capture",
            "CallDisconnect hangup S(i: -; j: bob)",
            "audio off",
            "media close",
            "platform ended",
        ]
    );
}

#[test]
fn bob_refuses() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.take();
    rig.command("refuse", json!(null));
    assert_eq!(rig.take(), ["platform dismiss", "> refuse c1", "media close"]);
    rig.reply(Reply::Refuse);
    rig.event(ended(session("", "alice"), Reason::Refuse, None));
    assert_eq!(rig.take(), ["refuse -> {}", "CallDisconnect refuse S(i: -; j: alice)"]);

    let mut rig = Rig::ready("alice");
    calling(&mut rig, &["bob"]);
    rig.take();
    rig.event(left("bob", Reason::Refuse));
    rig.event(ended(session("", "alice"), Reason::Refuse, None));
    assert_eq!(rig.heard(), ["CallMemberLeave bob refuse", "CallDisconnect refuse S(i: -; j: alice)"]);
}

#[test]
fn bob_is_in_a_call() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.started(session("bob", "alice"));
    rig.event(left("bob", Reason::Busy));
    rig.event(ended(session("", "alice"), Reason::Busy, None));
    assert_eq!(
        rig.heard(),
        [
            "startCallUsers -> S(i: bob; j: alice)",
            "CallOutgoing S(i: bob; j: alice)",
            "CallMemberLeave bob busy",
            "CallDisconnect busy S(i: -; j: alice)",
        ]
    );
}

#[test]
fn nobody_answers() {
    let no_answer = Some(Detail::NoAnswer);
    let mut rig = Rig::ready("alice");
    calling(&mut rig, &["bob"]);
    rig.take();
    let detail = no_answer;
    rig.event(ServerEvent::Left {
        channel_id: ChannelId("c1".into()),
        user: user("bob"),
        reason: Reason::Cancel,
        detail,
    });
    rig.event(ended(session("", "alice"), Reason::Cancel, no_answer));
    assert_eq!(
        rig.heard(),
        ["CallMemberLeave bob cancel/noAnswer", "CallDisconnect cancel/noAnswer S(i: -; j: alice)"]
    );

    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.take();
    rig.event(ended(session("", "alice"), Reason::Cancel, no_answer));
    assert_eq!(
        rig.take(),
        ["CallDisconnect cancel/noAnswer S(i: -; j: alice)", "media close", "platform dismiss"]
    );
}

#[test]
fn alice_gives_up() {
    let mut rig = Rig::ready("alice");
    calling(&mut rig, &["bob"]);
    rig.take();
    rig.command("hangup", json!(null));
    rig.reply(Reply::Leave);
    rig.event(ended(session("bob", ""), Reason::Hangup, None));
    assert_eq!(rig.heard(), ["hangup -> {}", "CallDisconnect hangup S(i: bob; j: -)"]);

    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.take();
    rig.event(ended(session("", ""), Reason::Cancel, Some(Detail::CancelledByInviter)));
    assert_eq!(rig.heard(), ["CallDisconnect cancel/cancelledByInviter S(i: -; j: -)"]);
}

#[test]
fn bobs_app_dies_in_the_call() {
    let mut rig = alice();
    rig.event(left("bob", Reason::NetworkError));
    rig.event(ended(session("", "alice"), Reason::NetworkError, None));
    assert_eq!(
        rig.heard(),
        ["CallMemberLeave bob networkError", "CallDisconnect networkError S(i: -; j: alice)"]
    );

    // Bob sleeps for longer than the grace time and comes back to a server that has given him up.
    let mut rig = Rig::connected();
    rig.closed();
    assert_eq!(rig.heard(), ["CallReconnecting"]);
    rig.now = rig.now.plus(20_000);
    rig.input(jmrtc_call::Input::Deadline);
    rig.opened();
    rig.welcome(false, None);
    assert_eq!(rig.heard(), ["CallDisconnect networkError/callLost S(i: -; j: alice)"]);
}

#[test]
fn bobs_network_is_gone_for_a_while() {
    let mut rig = Rig::connected();
    rig.closed();
    assert_eq!(rig.take(), ["CallReconnecting"]);
    rig.media(MediaEvent::Disconnected);
    assert_eq!(rig.take(), ["media restart"], "one outage, told once");
    rig.offer();
    assert_eq!(rig.take(), [""; 0], "waits for the connection");
    rig.reconnect();
    rig.welcome(true, None);
    assert_eq!(rig.take(), ["socket open ws://server/v1/ws", "> hello again after 1", "> link c1 1"]);
    rig.answer();
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.take(), ["media answer", "CallReconnected"]);
}

#[test]
fn a_group_for_its_inviter() {
    let mut rig = Rig::ready("alice");
    calling(&mut rig, &["bob", "carol"]);
    rig.media(MediaEvent::Connected);
    rig.take();
    rig.event(joined("bob"));
    assert_eq!(
        rig.heard(),
        [
            "CallConnecting S(i: carol; j: alice, bob)",
            "CallMemberJoin bob",
            "CallConnected S(i: carol; j: alice, bob)",
        ]
    );
    rig.event(joined("carol"));
    assert_eq!(rig.heard(), ["CallMemberJoin carol"]);
    rig.event(others_invited("dave", "bob"));
    assert_eq!(rig.heard(), ["CallOtherUserInvited dave by bob"]);
    rig.event(left("dave", Reason::Refuse));
    assert_eq!(rig.heard(), ["CallMemberLeave dave refuse"]);
}

#[test]
fn a_group_for_the_last_to_come() {
    let mut rig = Rig::ready("carol");
    rig.event(invited(session("bob carol", "alice")));
    rig.link();
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("", "alice bob carol"), stay: 1 });
    assert_eq!(
        rig.heard(),
        [
            "CallReceiveInvite S(i: bob, carol; j: alice)",
            "accept -> {}",
            "CallConnecting S(i: -; j: alice, bob, carol)",
            "CallMemberJoin alice",
            "CallMemberJoin bob",
            "CallConnected S(i: -; j: alice, bob, carol)",
        ]
    );
    rig.event(left("alice", Reason::Hangup));
    assert_eq!(rig.heard(), ["CallMemberLeave alice hangup"], "a group outlives its inviter");
}

#[test]
fn bob_invites_dave() {
    let mut rig = Rig::connected();
    rig.command("inviteUsers", json!({ "usernames": ["dave", "bob"] }));
    assert_eq!(rig.take(), ["> invite c1 dave"]);
    rig.reply(Reply::Invite { invited: vec![name("dave")], failed: vec![] });
    rig.event(others_invited("dave", "bob"));
    assert_eq!(
        rig.heard(),
        [r#"inviteUsers -> {"invited":["dave"],"failed":[{"username":"bob","name":"INVALID_PARAMETER"}]}"#]
    );
    assert_eq!(rig.client.state().session, Some(session("dave", "alice bob")));
    rig.command("inviteUsers", json!({ "usernames": ["eve"] }));
    rig.failure(ErrorCode::UserUnavailable);
    assert_eq!(rig.heard(), ["inviteUsers -> USER_UNAVAILABLE"]);
}

#[test]
fn who_can_not_be_called_is_told() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob", "alice", "bob", "nobody"] }));
    assert_eq!(rig.take(), ["> start bob nobody"]);
    rig.started_without(session("bob", "alice"), "nobody");
    let failed = concat!(
        r#"[{"username":"nobody","name":"USER_UNAVAILABLE"},"#,
        r#"{"username":"alice","name":"INVALID_PARAMETER"}]"#
    );
    assert_eq!(
        rig.heard(),
        [
            format!("startCallUsers -> S(i: bob; j: alice) failed {failed}"),
            "CallOutgoing S(i: bob; j: alice)".into()
        ]
    );
}

#[test]
fn a_newcomer_to_the_largest_call_is_told_of_everybody() {
    let mut rig = Rig::ready("bob");
    let crowd: Vec<String> = (3..=MAX_MEMBERS).map(|n| format!("user{n}")).collect();
    let there = format!("alice {}", crowd.join(" "));
    rig.event(invited(session("bob", &there)));
    rig.command("accept", json!(null));
    rig.take();
    rig.reply(Reply::Accept { session: session("", &format!("{there} bob")), stay: 1 });
    let heard = rig.heard();
    let joined: Vec<_> = heard.iter().filter_map(|line| line.strip_prefix("CallMemberJoin ")).collect();
    assert_eq!(joined.join(" "), there);
    rig.event(left("alice", Reason::Hangup));
    assert_eq!(rig.heard(), ["CallMemberLeave alice hangup"]);
}
