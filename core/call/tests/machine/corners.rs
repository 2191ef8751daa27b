//! The corners of section 3: races, both ways; each ends cleanly.

use jmrtc_call::{Config, Left, Memory, PlatformEvent, Remembered};
use jmrtc_protocol::{
    ChannelId, Closing, Detail, ErrorCode, LeaveReason, Reason, Reply, ServerEvent, ServerMessage,
};
use serde_json::json;

use crate::rig::*;

fn dialling() -> Rig {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.take();
    rig
}

/// Bob's call to Alice.
fn theirs(inviting: &str, joined: &str) -> jmrtc_protocol::Session {
    of("c2", inviter("bob", session(inviting, joined)))
}

#[test]
fn glare_lost_is_an_accepted_call() {
    let mut rig = dialling();
    rig.event(invited(theirs("alice", "bob")));
    assert_eq!(rig.take(), [""; 0], "held back while the start is under way");
    rig.started(theirs("", "bob alice"));
    rig.link();
    assert_eq!(
        rig.heard(),
        [
            "startCallUsers -> S(i: -; j: bob, alice)",
            "CallConnecting S(i: -; j: bob, alice)",
            "CallMemberJoin bob",
            "CallConnected S(i: -; j: bob, alice)",
        ]
    );
}

/// The answer to the start was lost with the connection, and what came of it since is told before it is given again.
#[test]
fn glare_that_is_over_before_its_answer_comes() {
    let mut rig = dialling();
    rig.event(invited(theirs("alice", "bob")));
    rig.event(in_call("c2", left("bob", Reason::Hangup)));
    rig.event(ended(theirs("", "alice"), Reason::Hangup, None));
    assert_eq!(rig.take(), [""; 0], "held back while the start is under way");
    rig.started(theirs("", "bob alice"));
    assert_eq!(
        rig.heard(),
        [
            "startCallUsers -> S(i: -; j: bob, alice)",
            "CallConnecting S(i: -; j: bob, alice)",
            "CallMemberJoin bob",
            "CallMemberLeave bob hangup",
            "CallDisconnect hangup S(i: -; j: alice)",
        ]
    );
}

#[test]
fn glare_won_is_a_call_like_any() {
    let mut rig = dialling();
    rig.started(session("bob", "alice"));
    rig.event(joined("bob"));
    rig.link();
    assert_eq!(
        rig.heard(),
        [
            "startCallUsers -> S(i: bob; j: alice)",
            "CallOutgoing S(i: bob; j: alice)",
            "CallConnecting S(i: -; j: alice, bob)",
            "CallMemberJoin bob",
            "CallConnected S(i: -; j: alice, bob)",
        ]
    );
}

/// Bob's call rings at Alice, who calls him: it is taken, and the answer is lost with the connection.
fn glare_whose_answer_is_lost() -> Rig {
    let mut rig = Rig::ready("alice");
    rig.event(invited(theirs("alice", "bob")));
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    rig.take();
    rig
}

#[test]
fn changes_wait_for_the_answer_that_makes_us_a_member_by_glare() {
    let mut rig = glare_whose_answer_is_lost();
    rig.event(in_call("c2", muted("bob", true)));
    rig.event(in_call("c2", others_invited("carol", "bob")));
    assert_eq!(rig.heard(), [""; 0]);
    rig.started(theirs("", "bob alice"));
    let heard = rig.heard();
    assert!(heard.contains(&"CallMemberMuted bob true".to_owned()), "{heard:?}");
    let session = rig.client.state().session.unwrap();
    assert_eq!((session.inviting_members.len(), session.muted_members.len()), (1, 1));
}

#[test]
fn a_call_by_glare_that_is_over_before_its_answer_comes_again_is_over() {
    let mut rig = glare_whose_answer_is_lost();
    rig.event(in_call("c2", left("bob", Reason::Hangup)));
    rig.event(ended(theirs("", "alice"), Reason::Hangup, None));
    assert_eq!(rig.heard(), [""; 0]);
    rig.started(theirs("", "bob alice"));
    let heard = rig.heard();
    assert_eq!(heard.last().unwrap(), "CallDisconnect hangup S(i: -; j: alice)", "{heard:?}");
    assert!(rig.client.state().session.is_none());
}

/// Nobody waits for the start any more, and the person says yes by hand: what comes of the start is that yes.
#[test]
fn a_start_that_was_given_up_is_an_accept_where_the_person_has_accepted_since() {
    let given_up = |give_up: fn(&mut Rig)| {
        let mut rig = Rig::ready("alice");
        rig.event(invited(theirs("alice", "bob")));
        rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
        rig.closed();
        give_up(&mut rig);
        rig.take();
        rig.command("accept", json!(null));
        assert_eq!(rig.heard(), [""; 0]);
        rig.reconnect();
        rig.welcome(true, None);
        rig.take();
        rig.started(theirs("", "bob alice"));
        assert_eq!(
            rig.heard(),
            ["accept -> {}", "CallConnecting S(i: -; j: bob, alice)", "CallMemberJoin bob"]
        );
        rig
    };
    for give_up in [
        |rig: &mut Rig| rig.wait_in_silence(15_000),
        |rig: &mut Rig| {
            rig.audio_failed();
            rig.engine();
        },
    ] {
        let mut rig = given_up(give_up);
        rig.event(in_call("c2", muted("bob", true)));
        rig.failure(ErrorCode::InvalidState);
        assert_eq!(rig.take(), ["CallMemberMuted bob true"], "the server has accepted already");
        assert_eq!(rig.client.state().session.unwrap().joined_members.len(), 2);
    }
}

#[test]
fn glare_with_the_invitation_shown_already() {
    let mut rig = Rig::ready("alice");
    rig.event(invited(theirs("alice", "bob")));
    rig.take();
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    assert_eq!(rig.take(), ["startCallUsers -> ALREADY_IN_CALL"], "calling someone else is no answer");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    assert_eq!(rig.take(), ["> start bob"]);
    rig.command("accept", json!(null));
    assert_eq!(rig.take(), ["accept -> INVALID_STATE"]);
    rig.started(theirs("", "bob alice"));
    assert_eq!(
        rig.take(),
        [
            "startCallUsers -> S(i: -; j: bob, alice)",
            "platform dismiss",
            "CallConnecting S(i: -; j: bob, alice)",
            "CallMemberJoin bob",
            "platform started",
            "platform speaker false",
            "audio capture+send+play",
        ]
    );
    // Bob gave up before our start arrived, which is then a call of its own.
    let mut rig = Rig::ready("alice");
    rig.event(invited(theirs("alice", "bob")));
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.take();
    rig.event(ended(theirs("", ""), Reason::Cancel, Some(Detail::CancelledByInviter)));
    rig.started(session("bob", "alice"));
    assert_eq!(
        rig.heard(),
        [
            "CallDisconnect cancel/cancelledByInviter S(i: -; j: -)",
            "startCallUsers -> S(i: bob; j: alice)",
            "CallOutgoing S(i: bob; j: alice)",
        ]
    );
}

#[test]
fn an_invitation_during_a_start_waits_for_its_end() {
    let carols = of("c3", inviter("carol", session("alice", "carol")));
    let mut rig = dialling();
    rig.event(invited(carols.clone()));
    rig.started(session("bob", "alice"));
    assert_eq!(rig.heard().len(), 2, "void: Carol was told busy");
    rig.event(ended(carols.clone(), Reason::Busy, None));
    assert_eq!(rig.heard(), [""; 0]);

    let mut rig = dialling();
    rig.event(invited(carols.clone()));
    rig.failure(ErrorCode::UserUnavailable);
    assert_eq!(
        rig.heard(),
        ["startCallUsers -> USER_UNAVAILABLE", "CallReceiveInvite S(i: alice; j: carol)"],
        "shown after all"
    );

    let mut rig = dialling();
    rig.event(invited(carols.clone()));
    rig.event(ended(carols, Reason::Cancel, Some(Detail::CancelledByInviter)));
    rig.failure(ErrorCode::UserUnavailable);
    assert_eq!(rig.heard(), ["startCallUsers -> USER_UNAVAILABLE"], "over before it could be shown");
}

#[test]
fn two_devices_accept_at_once() {
    // The word of the other device's accept comes first, or the failure of ours.
    let elsewhere = Some(Detail::AnsweredElsewhere);
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.take();
    rig.event(ended(session("", "alice bob"), Reason::Cancel, elsewhere));
    assert_eq!(
        rig.take(),
        [
            "accept -> CALL_ENDED",
            "CallDisconnect cancel/answeredElsewhere S(i: -; j: alice, bob)",
            "audio off",
            "media close",
            "platform ended",
        ]
    );
    rig.command("accept", json!(null));
    assert_eq!(rig.take(), ["accept -> INVALID_STATE"]);

    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.failure(ErrorCode::CallEnded);
    rig.event(ended(session("", "alice bob"), Reason::Cancel, elsewhere));
    assert_eq!(rig.heard(), ["accept -> CALL_ENDED", "CallDisconnect cancel S(i: -; j: alice)"], "once");

    let mut rig = Rig::ringing();
    rig.event(ended(session("", "alice bob"), Reason::Cancel, elsewhere));
    rig.take();
    for method in ["accept", "refuse"] {
        rig.command(method, json!(null));
        assert_eq!(rig.take(), [format!("{method} -> CALL_ENDED")], "the person was a moment too late");
    }
}

/// Cut off while accepting, and meanwhile rung for long enough and invited once more into the same call: the
/// accept that is sent again answers the second invitation at the server, which the person has not even seen.
#[test]
fn an_accept_is_not_for_the_next_invitation() {
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    rig.take();
    rig.event(ended(session("", "alice carol"), Reason::Cancel, Some(Detail::NoAnswer)));
    rig.event(invited(session("bob", "alice carol")));
    assert_eq!(
        rig.heard(),
        [
            "accept -> CALL_ENDED",
            "CallDisconnect cancel/noAnswer S(i: -; j: alice, carol)",
            "CallReceiveInvite S(i: bob; j: alice, carol)",
        ]
    );
    rig.reply(Reply::Accept { session: session("", "alice carol bob"), stay: 1 });
    assert_eq!(rig.take(), ["> leave c1"]);
    rig.reply(Reply::Leave);
    rig.event(ended(session("", "alice carol"), Reason::Hangup, None));
    assert_eq!(rig.heard(), ["CallDisconnect hangup S(i: -; j: alice, carol)"]);
}

/// What is sent again goes in the order in which it was sent first.
#[test]
fn a_refusal_does_not_come_after_the_call_that_followed_it() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.command("refuse", json!(null));
    rig.wait_in_silence(3_000);
    rig.command("startCallUsers", json!({ "usernames": ["alice"] }));
    rig.command("hangup", json!(null));
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(true, None);
    assert_eq!(rig.take(), ["> refuse c1", "> start alice"]);
    rig.failure(ErrorCode::InvalidState);
    assert_eq!(rig.take(), ["> leave c1"], "no refusal, then a goodbye");
}

#[test]
fn an_accept_that_fails_for_now_rings_on() {
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.command("accept", json!(null));
    rig.take();
    rig.failure(ErrorCode::LimitExceeded);
    assert_eq!(
        rig.take(),
        [
            "accept -> LIMIT_EXCEEDED",
            "accept -> LIMIT_EXCEEDED",
            "platform ended",
            "platform ring",
            "audio off"
        ]
    );
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    assert_eq!(rig.heard().len(), 4);
}

#[test]
fn refuse_meets_no_answer() {
    let no_answer = Some(Detail::NoAnswer);
    let mut rig = Rig::ringing();
    rig.command("refuse", json!(null));
    rig.event(ended(session("", "alice"), Reason::Cancel, no_answer));
    rig.failure(ErrorCode::CallEnded);
    assert_eq!(rig.heard(), ["refuse -> CALL_ENDED", "CallDisconnect cancel/noAnswer S(i: -; j: alice)"]);
    let mut rig = Rig::ringing();
    rig.command("refuse", json!(null));
    rig.failure(ErrorCode::CallEnded);
    assert_eq!(rig.heard(), ["refuse -> CALL_ENDED", "CallDisconnect refuse S(i: -; j: alice)"]);
}

#[test]
fn hangup_meets_the_other_sides_hangup() {
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.command("hangup", json!(null));
    rig.event(left("alice", Reason::Hangup));
    rig.event(ended(session("", "bob"), Reason::Hangup, None));
    rig.reply(Reply::Leave);
    assert_eq!(
        rig.heard(),
        ["hangup -> {}", "hangup -> {}", "CallDisconnect hangup S(i: -; j: bob)"],
        "nothing in between"
    );
    rig.command("hangup", json!(null));
    assert_eq!(rig.take(), ["hangup -> {}"], "with nothing to end");
}

#[test]
fn hangup_meets_accept() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.started(session("bob", "alice"));
    rig.command("hangup", json!(null));
    rig.take();
    rig.event(joined("bob"));
    rig.reply(Reply::Leave);
    rig.event(ended(session("", "bob"), Reason::Hangup, None));
    assert_eq!(rig.take(), ["hangup -> {}", "CallDisconnect hangup S(i: -; j: bob)", "platform ended"]);

    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.command("hangup", json!(null));
    assert_eq!(
        rig.take(),
        [
            "platform dismiss",
            "> accept c1",
            "platform started",
            "platform speaker false",
            "audio capture",
            "accept -> CALL_ENDED",
            "audio off",
            "> leave c1",
            "media close",
        ]
    );
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    rig.reply(Reply::Leave);
    rig.event(ended(session("", "alice"), Reason::Hangup, None));
    assert_eq!(rig.heard(), ["hangup -> {}", "CallDisconnect hangup S(i: -; j: alice)"]);
}

#[test]
fn hangup_meets_an_accept_that_came_too_late() {
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.command("hangup", json!(null));
    rig.failure(ErrorCode::CallEnded);
    assert_eq!(
        rig.heard(),
        ["accept -> CALL_ENDED", "hangup -> {}", "CallDisconnect hangup S(i: -; j: alice)"]
    );
    rig.reply(Reply::Leave);
    assert_eq!(rig.heard(), [""; 0]);
}

#[test]
fn hangup_before_the_call_is_there_leaves_no_ghost() {
    let mut rig = dialling();
    rig.command("hangup", json!(null));
    assert_eq!(rig.take(), ["startCallUsers -> CALL_ENDED", "hangup -> {}"]);
    rig.event(invited(theirs("alice", "bob")));
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    assert_eq!(rig.take(), [""; 0], "waits until the first is gone");
    rig.started(session("bob", "alice"));
    assert_eq!(rig.take(), ["> leave c1", "> start carol"]);
    rig.reply(Reply::Leave);
    rig.event(ended(session("bob", ""), Reason::Hangup, None));
    rig.started(of("c4", session("carol", "alice")));
    assert_eq!(
        rig.heard(),
        ["startCallUsers -> S(i: carol; j: alice)", "CallOutgoing S(i: carol; j: alice)"]
    );
    // Not even asked yet: nothing to leave.
    let mut rig = Rig::ready("alice");
    rig.closed();
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.command("hangup", json!(null));
    rig.take();
    rig.reconnect();
    rig.welcome(true, None);
    assert_eq!(rig.take(), ["socket open ws://server/v1/ws", "> hello again after 0"]);
}

#[test]
fn hangup_without_a_connection_ends_it_here_and_tells_later() {
    let mut rig = Rig::connected();
    rig.closed();
    rig.take();
    rig.command("hangup", json!(null));
    assert_eq!(
        rig.take(),
        [
            "audio off",
            "hangup -> {}",
            "CallDisconnect hangup S(i: -; j: alice)",
            "media close",
            "platform ended"
        ]
    );
    rig.reconnect();
    rig.welcome(true, None);
    assert_eq!(rig.take(), ["socket open ws://server/v1/ws", "> hello again after 1", "> leave c1"]);
    rig.event(left("alice", Reason::Hangup));
    rig.reply(Reply::Leave);
    assert_eq!(rig.take(), [""; 0]);
    // The connection goes while the goodbye is under way; the new sign-in knows the call: it is left, once.
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.closed();
    assert_eq!(rig.heard(), ["hangup -> {}", "CallDisconnect hangup S(i: -; j: alice)"]);
    rig.reconnect();
    rig.welcome(false, Some(session("", "alice bob")));
    assert_eq!(rig.take(), ["socket open ws://server/v1/ws", "> hello again after 1", "> leave c1"]);
}

#[test]
fn a_goodbye_that_the_server_does_not_confirm_ends_all_the_same() {
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.wait_in_silence(3_000);
    assert_eq!(rig.heard(), ["hangup -> {}", "CallDisconnect hangup S(i: -; j: alice)"]);
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.take();
    rig.failure(ErrorCode::LimitExceeded);
    assert_eq!(rig.heard(), ["hangup -> {}", "CallDisconnect hangup S(i: -; j: alice)"]);
    rig.wait(1_000);
    assert_eq!(rig.take(), ["> leave c1"], "asked again, or the others would still hear silence");
}

#[test]
fn a_goodbye_that_the_server_would_not_hear_goes_before_the_next_start() {
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.failure(ErrorCode::LimitExceeded);
    rig.take();
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    rig.wait(999);
    assert_eq!(rig.take(), [""; 0]);
    rig.wait(1);
    assert_eq!(rig.take(), ["> leave c1", "> start carol"]);
}

#[test]
fn a_logout_that_the_server_would_not_hear_is_asked_for_again() {
    let mut rig = Rig::connected();
    rig.command("logout", json!(null));
    rig.take();
    rig.failure(ErrorCode::LimitExceeded);
    rig.wait(1_000);
    assert_eq!(rig.take(), ["> logout"]);
    let mut deaf = rig.clone();
    rig.reply(Reply::Logout);
    assert_eq!(rig.heard(), ["logout -> {}", "CallDisconnect hangup S(i: -; j: alice)"]);
    deaf.wait_in_silence(2_000);
    assert_eq!(deaf.heard(), ["logout -> {}", "CallDisconnect hangup S(i: -; j: alice)"], "not for ever");
}

/// The answer to the start was lost with the connection, and Carol calls when all is over.
#[test]
fn whoever_calls_when_the_call_of_an_unanswered_start_is_over_rings() {
    let carols = of("c3", inviter("carol", session("alice", "carol")));
    for given_up in [false, true] {
        let mut rig = dialling();
        if given_up {
            rig.command("hangup", json!(null));
        }
        let mut busy = rig.clone();
        rig.event(left("bob", Reason::Busy));
        rig.event(ended(session("", "alice"), Reason::Busy, None));
        rig.event(invited(carols.clone()));
        rig.take();
        rig.started(session("bob", "alice"));
        assert_eq!(rig.heard().last().unwrap(), "CallReceiveInvite S(i: alice; j: carol)");
        // Had she called before, she would be told busy.
        busy.event(invited(carols.clone()));
        busy.take();
        busy.started(session("bob", "alice"));
        assert!(!busy.heard().iter().any(|line| line.starts_with("CallReceiveInvite")));
    }
}

/// The accept is lost with the connection and sent again; meanwhile it has stopped ringing, and begun once more.
#[test]
fn an_accept_is_answered_when_the_same_call_rings_again() {
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    rig.event(ended(session("", "alice carol"), Reason::Cancel, Some(Detail::NoAnswer)));
    rig.event(invited(session("bob", "alice carol")));
    rig.take();
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("", "alice carol bob"), stay: 1 });
    assert_eq!(rig.heard()[..2], ["accept -> {}", "CallConnecting S(i: -; j: alice, carol, bob)"]);
    rig.failure(ErrorCode::InvalidState);
    assert_eq!(rig.heard(), [""; 0], "the second is one too many");
}

/// What waits for the answer to a start grows old meanwhile.
#[test]
fn an_invitation_that_was_held_back_rings_for_what_is_left_of_its_time() {
    let carols = of("c3", inviter("carol", session("alice", "carol")));
    let mut rig = dialling();
    rig.event(invited(carols.clone()));
    rig.wait(10_000);
    rig.failure(ErrorCode::UserUnavailable);
    rig.wait(54_999);
    assert_eq!(
        rig.heard(),
        ["startCallUsers -> USER_UNAVAILABLE", "CallReceiveInvite S(i: alice; j: carol)"]
    );
    rig.wait(1);
    assert_eq!(rig.heard(), ["CallDisconnect cancel/noAnswer S(i: -; j: carol)"]);
    // Nothing is left where the answer never came and is given up.
    let mut rig = dialling();
    rig.event(invited(carols));
    rig.wait_in_silence(120_000);
    assert_eq!(rig.heard(), ["startCallUsers -> NETWORK"]);
}

/// Bob calls the one who calls him and gives it up; before the server says that this was an answer, he calls Carol.
#[test]
fn what_came_of_a_start_that_was_given_up_is_left_before_the_next() {
    let mut rig = Rig::ringing();
    rig.command("startCallUsers", json!({ "usernames": ["alice"] }));
    rig.command("hangup", json!(null));
    rig.wait_in_silence(3_000);
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    rig.take();
    rig.started(session("", "alice bob"));
    assert_eq!(rig.take(), ["> leave c1", "> start carol"], "a refusal is on its way, and comes too late");
    rig.failure(ErrorCode::InvalidState);
    assert_eq!(rig.take(), [""; 0]);
}

#[test]
fn a_late_invitation_never_rings() {
    let mut rig = Rig::ready("bob");
    rig.event(ServerEvent::Invited { session: session("bob", "alice"), stay: 1, ring_ms: 0 });
    assert_eq!(rig.take(), [""; 0]);
    rig.event(ended(session("", "alice"), Reason::Cancel, Some(Detail::NoAnswer)));
    assert_eq!(rig.take(), [""; 0]);
}

#[test]
fn what_waited_while_the_phone_slept_is_asked_for_again() {
    for pong in [false, true] {
        asked_for_again(pong);
    }
}

/// `pong`: it is not the first thing that waited.
fn asked_for_again(pong: bool) {
    let mut rig = Rig::ready("bob");
    rig.now = rig.now.plus(50_000);
    if pong {
        rig.message(ServerMessage::Pong);
    }
    rig.event(invited(session("bob", "alice")));
    assert_eq!(rig.heard(), [""; 0], "who knows how long it has been waiting");
    rig.opened();
    rig.seq = 0;
    rig.welcome(true, None);
    rig.event(ServerEvent::Invited { session: session("bob", "alice"), stay: 1, ring_ms: 10_000 });
    assert_eq!(rig.heard(), ["CallReceiveInvite S(i: bob; j: alice)"]);
}

#[test]
fn another_call_rings_where_it_is_in_doubt_whether_the_first_still_does() {
    let mut rig = Rig::ringing();
    rig.closed();
    rig.wait(3_000);
    rig.opened();
    rig.welcome(false, None);
    rig.take();
    rig.event(invited(of("c3", inviter("carol", session("bob", "carol")))));
    assert_eq!(
        rig.heard(),
        ["CallDisconnect networkError/callLost S(i: -; j: alice)", "CallReceiveInvite S(i: bob; j: carol)"]
    );
}

#[test]
fn another_call_rings_where_the_answer_to_the_first_may_have_come_too_late() {
    let carols = of("c3", inviter("carol", session("bob", "carol")));
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.welcome(false, None);
    rig.take();
    rig.event(invited(carols.clone()));
    assert_eq!(
        rig.heard(),
        [
            "accept -> CALL_ENDED",
            "CallDisconnect networkError/callLost S(i: -; j: alice)",
            "CallReceiveInvite S(i: bob; j: carol)",
        ]
    );
    rig.failure(ErrorCode::CallEnded);
    assert_eq!(rig.heard(), [""; 0]);
    // Where the server has the first call, it tells so before anything else.
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.welcome(false, None);
    rig.event(invited(session("bob", "alice")));
    rig.take();
    rig.event(invited(carols.clone()));
    assert_eq!(rig.take(), [""; 0]);
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    assert!(rig.heard().contains(&"accept -> {}".to_owned()));
    // A refusal.
    let mut rig = Rig::ringing();
    rig.closed();
    rig.reconnect();
    rig.welcome(false, None);
    rig.command("refuse", json!(null));
    rig.take();
    rig.event(invited(carols));
    assert_eq!(
        rig.heard(),
        [
            "refuse -> CALL_ENDED",
            "CallDisconnect refuse S(i: -; j: alice)",
            "CallReceiveInvite S(i: bob; j: carol)",
        ]
    );
}

#[test]
fn ringing_ends_without_the_server() {
    let mut rig = Rig::ringing();
    rig.wait(64_999);
    assert_eq!(rig.heard(), [""; 0]);
    rig.wait(1);
    assert_eq!(rig.heard(), ["CallDisconnect cancel/noAnswer S(i: -; j: alice)"]);
    let mut rig = dialling();
    rig.started(session("bob", "alice"));
    rig.take();
    rig.wait(65_000);
    assert_eq!(rig.heard(), ["CallDisconnect cancel/noAnswer S(i: bob; j: -)"]);
}

#[test]
fn a_second_invitation_is_never_shown_and_breaks_nothing() {
    let carols = of("c3", inviter("carol", session("bob", "carol")));
    let mut rig = Rig::connected();
    rig.event(invited(carols.clone()));
    rig.event(ended(carols.clone(), Reason::Cancel, None));
    assert_eq!(rig.take(), [""; 0]);
    let mut rig = Rig::ringing();
    rig.event(invited(carols));
    assert_eq!(rig.take(), [""; 0]);
    rig.event(invited(session("bob", "alice")));
    assert_eq!(rig.take(), [""; 0], "nor is the same twice");
    rig.command("accept", json!(null));
    rig.take();
    rig.event(invited(of("c3", inviter("carol", session("bob", "carol")))));
    assert_eq!(rig.take(), [""; 0]);
}

#[test]
fn re_call() {
    // Alice's app was killed and calls again: the old call ends, the new one rings.
    let mut rig = Rig::connected();
    rig.event(left("alice", Reason::NetworkError));
    rig.event(ended(session("", "bob"), Reason::NetworkError, None));
    rig.event(invited(of("c2", session("bob", "alice"))));
    assert_eq!(
        rig.heard(),
        [
            "CallMemberLeave alice networkError",
            "CallDisconnect networkError S(i: -; j: bob)",
            "CallReceiveInvite S(i: bob; j: alice)",
        ]
    );
    // And Alice's new life.
    let mut rig = Rig::new();
    rig.me = "alice".into();
    rig.command("login", json!({ "token": token("alice") }));
    rig.opened();
    rig.welcome(false, Some(session("", "alice bob")));
    assert_eq!(rig.client.state().session, Some(session("", "alice bob")));
    rig.engine();
    rig.take();
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    assert_eq!(
        rig.take(),
        [
            "CallDisconnect networkError S(i: -; j: bob)",
            "audio off",
            "media close",
            "platform ended",
            "> leave c1 networkError",
            "> start bob",
        ]
    );
    // But a call that goes on again is one like any other.
    let mut rig = Rig::new();
    rig.me = "alice".into();
    rig.command("login", json!({ "token": token("alice") }));
    rig.opened();
    rig.welcome(false, Some(session("", "alice bob")));
    rig.engine();
    rig.link();
    assert_eq!(rig.heard().last().unwrap(), "CallReconnected");
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    assert_eq!(rig.take(), ["startCallUsers -> ALREADY_IN_CALL"]);
}

#[test]
fn a_killed_app_comes_back_into_its_call() {
    let mut rig = Rig::new();
    rig.me = "bob".into();
    rig.command("login", json!({ "token": token("bob") }));
    rig.opened();
    rig.take();
    rig.welcome(false, Some(session("", "alice bob")));
    assert_eq!(rig.take(), [r#"login -> {"username":"bob","appKey":"app"}"#]);
    rig.engine();
    assert_eq!(
        rig.take(),
        [
            "platform microphone?",
            "audio prepare",
            "initEngine -> null",
            "platform started",
            "platform speaker false",
            "media open 4",
            "audio capture+send+play",
        ]
    );
    rig.link();
    assert_eq!(rig.take(), ["> link c1 1", "media answer", "CallReconnected"]);
    rig.command("hangup", json!(null));
    rig.reply(Reply::Leave);
    rig.event(ended(session("", "alice"), Reason::Hangup, None));
    assert_eq!(rig.heard(), ["hangup -> {}", "CallDisconnect hangup S(i: -; j: alice)"]);

    // Without an engine it does not come back, and after the grace time it is over.
    let mut rig = Rig::new();
    rig.me = "bob".into();
    rig.command("login", json!({ "token": token("bob") }));
    rig.opened();
    rig.welcome(false, Some(session("", "alice bob")));
    rig.take();
    rig.wait(30_000);
    assert_eq!(rig.take(), ["CallDisconnect networkError S(i: -; j: alice)", "> leave c1 networkError"]);
}

#[test]
fn the_server_stops() {
    let mut rig = Rig::connected();
    rig.event(ended(session("", "alice bob"), Reason::NetworkError, Some(Detail::ServerShutdown)));
    rig.closing(Closing::ServerShutdown);
    assert_eq!(rig.heard(), ["CallDisconnect networkError/serverShutdown S(i: -; j: alice, bob)"]);
    rig.reconnect();
    rig.welcome(false, None);
    assert_eq!(rig.heard(), [""; 0]);
}

#[test]
fn the_server_was_killed() {
    for (what, mut rig, heard) in [
        (
            "in a call",
            Rig::connected(),
            vec!["CallReconnecting", "CallDisconnect networkError/callLost S(i: -; j: alice)"],
        ),
        ("ringing", Rig::ringing(), vec!["CallDisconnect networkError/callLost S(i: -; j: alice)"]),
    ] {
        rig.closed();
        rig.reconnect();
        rig.welcome(false, None);
        rig.wait(3_000);
        assert_eq!(rig.heard(), heard, "{what}");
    }
}

#[test]
fn signed_in_anew_while_ringing() {
    // The server has not forgotten the call and invites once more: nothing happens, it rings on.
    let mut rig = Rig::ringing();
    rig.closed();
    rig.reconnect();
    rig.welcome(false, None);
    rig.event(ServerEvent::Invited { session: session("bob", "alice"), stay: 1, ring_ms: 20_000 });
    rig.link();
    assert_eq!(rig.heard(), [""; 0]);
    rig.wait(24_999);
    assert_eq!(rig.heard(), [""; 0]);
    rig.wait(1);
    assert_eq!(rig.heard(), ["CallDisconnect cancel/noAnswer S(i: -; j: alice)"]);
}

#[test]
fn signed_in_anew_in_the_call() {
    let mut rig = Rig::connected();
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(false, Some(session("", "bob carol")));
    assert_eq!(
        rig.take(),
        ["media close", "CallMemberJoin carol", "CallMemberLeave alice hangup", "media open 4"],
        "what was missed is told"
    );
    rig.link();
    assert_eq!(rig.take(), ["> link c1 2", "media answer", "CallReconnected"]);
}

#[test]
fn replaced_by_the_same_device_elsewhere() {
    let mut rig = Rig::connected();
    rig.command("inviteUsers", json!({ "usernames": ["carol"] }));
    rig.take();
    rig.closing(Closing::Replaced);
    assert_eq!(
        rig.heard(),
        [
            "inviteUsers -> NOT_LOGGED_IN",
            "CallError LOGIN_REJECTED",
            "CallDisconnect networkError S(i: -; j: alice)",
        ]
    );
    rig.wait(100_000);
    assert_eq!(rig.take(), [""; 0], "no fight over the sign-in");
}

/// What the person has said last is told by the next sign-in, in this life of the app or another.
#[test]
fn a_goodbye_that_the_server_has_not_confirmed_outlives_a_sign_in_elsewhere() {
    let dialled = || {
        let mut rig = Rig::ready("alice");
        rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
        rig.started(session("bob", "alice"));
        rig
    };
    let said: [(Rig, &str, &str, &str); 3] = [
        (Rig::connected(), "hangup", "CallDisconnect hangup S(i: -; j: alice)", "> leave c1"),
        (Rig::ringing(), "refuse", "CallDisconnect refuse S(i: -; j: alice)", "> leave c1"),
        (dialled(), "hangup", "CallDisconnect hangup S(i: bob; j: -)", "> leave c1"),
    ];
    for (mut rig, method, told, asked) in said {
        rig.command(method, json!(null));
        rig.take();
        rig.closing(Closing::Replaced);
        assert_eq!(rig.heard(), [&format!("{method} -> {{}}"), "CallError LOGIN_REJECTED", told]);
        assert_eq!(rig.remembered().left.len(), 1);
        let me = rig.me.clone();
        rig.login(&me);
        let lines = rig.take();
        assert!(lines.iter().any(|line| line == asked), "{lines:?}");
        assert_eq!(rig.remembered().left.len(), 1, "until it is confirmed");
    }
}

#[test]
fn a_start_that_was_told_to_have_failed_by_a_sign_in_elsewhere_is_given_up() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.closing(Closing::Replaced);
    assert_eq!(rig.heard(), ["startCallUsers -> NOT_LOGGED_IN", "CallError LOGIN_REJECTED"]);
    assert!(rig.remembered().left_start);
}

/// The answer to the accept was lost with the connection, and meanwhile all others have left but one who is rung.
#[test]
fn accepted_into_a_call_where_nobody_is_left() {
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(false, Some(session("dave", "bob")));
    assert_eq!(rig.heard(), ["accept -> {}", "CallConnecting S(i: dave; j: bob)"]);
    rig.link();
    assert_eq!(rig.heard(), [""; 0]);
    rig.event(joined("dave"));
    assert_eq!(rig.heard(), ["CallMemberJoin dave", "CallConnected S(i: -; j: bob, dave)"]);
}

/// A hello on a socket that was let go comes to the server after its successor's, and takes the sign-in over. That
/// is no other app: the call goes on.
#[test]
fn replaced_by_ones_own_stray_hello() {
    let mut rig = Rig::connected();
    rig.closed();
    rig.reconnect();
    rig.platform(PlatformEvent::NetworkChanged);
    rig.opened();
    rig.welcome(true, None);
    rig.take();
    rig.closing(Closing::Replaced);
    assert_eq!(rig.take(), ["socket close", "CallReconnecting"]);
    rig.reconnect();
    rig.welcome(true, None);
    assert_eq!(rig.heard(), ["CallReconnected"]);
    // Once; and not for ever.
    for wait in [0, 40_000] {
        let mut rig = rig.clone();
        if wait > 0 {
            rig.closed();
            rig.reconnect();
            rig.platform(PlatformEvent::NetworkChanged);
            rig.opened();
            rig.welcome(true, None);
            rig.wait(wait);
        }
        rig.take();
        rig.closing(Closing::Replaced);
        assert_eq!(rig.heard()[0], "CallError LOGIN_REJECTED", "{wait}");
    }
}

#[test]
fn replaced_by_a_hello_of_ones_own_that_was_not_answered_in_time() {
    let mut rig = Rig::connected();
    rig.closed();
    rig.reconnect();
    rig.reconnect();
    rig.welcome(true, None);
    rig.take();
    rig.closing(Closing::Replaced);
    rig.reconnect();
    rig.welcome(true, None);
    assert_eq!(rig.heard(), ["CallReconnecting", "CallReconnected"]);
    rig.closing(Closing::Replaced);
    assert_eq!(rig.heard()[0], "CallError LOGIN_REJECTED", "it was one");
}

/// The network changes several times in a row, and every hello comes to the server in the end.
#[test]
fn replaced_by_several_hellos_of_ones_own() {
    let mut rig = Rig::connected();
    for _ in 0..3 {
        rig.platform(PlatformEvent::NetworkChanged);
        rig.opened();
    }
    rig.welcome(true, None);
    for _ in 0..2 {
        rig.take();
        rig.closing(Closing::Replaced);
        rig.reconnect();
        rig.welcome(true, None);
        assert_eq!(rig.heard(), ["CallReconnecting", "CallReconnected"]);
    }
    rig.closing(Closing::Replaced);
    assert_eq!(rig.heard()[0], "CallError LOGIN_REJECTED", "one more than there were");
}

#[test]
fn answers_lost_with_the_connection() {
    // The accept went through, its answer was lost; an event comes before the answer comes again.
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(true, None);
    assert_eq!(rig.take(), ["> accept c1"]);
    rig.event(joined("carol"));
    assert_eq!(rig.heard(), [""; 0], "the answer is older than the event");
    rig.reply(Reply::Accept { session: session("carol", "alice bob"), stay: 1 });
    assert_eq!(
        rig.heard(),
        [
            "accept -> {}",
            "CallConnecting S(i: carol; j: alice, bob)",
            "CallMemberJoin alice",
            "CallMemberJoin carol",
            "CallConnected S(i: -; j: alice, bob, carol)",
        ]
    );
    assert_eq!(rig.client.state().session, Some(session("", "alice bob carol")));

    // It may even be over by then.
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    rig.take();
    rig.event(left("alice", Reason::Hangup));
    rig.event(ended(session("", "bob"), Reason::Hangup, None));
    rig.event(invited(of("c3", inviter("carol", session("bob", "carol")))));
    assert_eq!(rig.heard(), [""; 0]);
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    assert_eq!(
        rig.heard(),
        [
            "accept -> {}",
            "CallConnecting S(i: -; j: alice, bob)",
            "CallMemberJoin alice",
            "CallMemberLeave alice hangup",
            "CallDisconnect hangup S(i: -; j: bob)",
            "CallReceiveInvite S(i: bob; j: carol)",
        ]
    );

    // The same for a start.
    let mut rig = dialling();
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    rig.take();
    rig.event(joined("bob"));
    rig.event(left("bob", Reason::Hangup));
    rig.event(ended(session("", "alice"), Reason::Hangup, None));
    rig.started(session("bob", "alice"));
    assert_eq!(
        rig.heard(),
        [
            "startCallUsers -> S(i: bob; j: alice)",
            "CallOutgoing S(i: bob; j: alice)",
            "CallConnecting S(i: -; j: alice, bob)",
            "CallMemberJoin bob",
            "CallMemberLeave bob hangup",
            "CallDisconnect hangup S(i: -; j: alice)",
        ]
    );
    // Signed in anew, the start is made anew.
    let mut rig = dialling();
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(false, Some(session("bob", "alice")));
    assert_eq!(rig.take(), ["> start bob"]);
    // Accepted, and signed in anew.
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(false, Some(session("", "alice bob")));
    assert_eq!(rig.heard()[..2], ["accept -> {}", "CallConnecting S(i: -; j: alice, bob)"]);
}

#[test]
fn requests_that_nobody_answers() {
    let mut rig = dialling();
    rig.wait(15_000);
    assert_eq!(rig.heard(), ["startCallUsers -> NETWORK"]);
    rig.started(session("bob", "alice"));
    assert_eq!(rig.take(), ["> leave c1"], "and when it comes after all, it is left");

    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.wait(15_000);
    assert_eq!(rig.heard(), ["accept -> NETWORK", "CallDisconnect networkError S(i: -; j: alice)"]);

    let mut rig = Rig::connected();
    rig.command("inviteUsers", json!({ "usernames": ["carol"] }));
    rig.wait(15_000);
    assert_eq!(rig.heard(), ["inviteUsers -> NETWORK"]);
}

#[test]
fn a_call_that_only_the_server_believes_in_is_left() {
    let mut rig = Rig::ready("bob");
    rig.event(joined("bob"));
    rig.event(joined("carol"));
    assert_eq!(rig.take(), ["> leave c1#? networkError"]);
    let mut rig = Rig::ready("bob");
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(false, Some(session("", "alice bob")));
    assert_eq!(rig.take(), ["> leave c1 networkError"], "this app's life has seen no such call");
}

#[test]
fn who_has_hung_up_may_call_at_once() {
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.reply(Reply::Leave);
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    rig.event(ended(session("", "alice"), Reason::Hangup, None));
    rig.started(of("c2", inviter("bob", session("carol", "bob"))));
    assert_eq!(
        rig.heard(),
        [
            "hangup -> {}",
            "CallDisconnect hangup S(i: -; j: alice)",
            "startCallUsers -> S(i: carol; j: bob)",
            "CallOutgoing S(i: carol; j: bob)",
        ]
    );
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    let lines = rig.take();
    let at = |what: &str| lines.iter().position(|l| l == what).unwrap_or_else(|| panic!("{what}: {lines:?}"));
    assert!(at("> leave c1") < at("> start carol"), "{lines:?}");
    assert!(at("hangup -> {}") < at("CallDisconnect hangup S(i: -; j: alice)"), "{lines:?}");
}

#[test]
fn releasing_the_engine_or_signing_out_refuses_a_call_that_rings() {
    let mut rig = Rig::ringing();
    rig.command("releaseEngine", json!(null));
    assert!(rig.take().contains(&"> refuse c1".to_owned()));
    rig.reply(Reply::Refuse);
    rig.event(ended(session("", "alice"), Reason::Refuse, None));
    assert_eq!(rig.heard(), ["releaseEngine -> {}", "CallDisconnect refuse S(i: -; j: alice)"]);
    let mut rig = Rig::ringing();
    rig.command("logout", json!(null));
    rig.reply(Reply::Logout);
    assert_eq!(rig.heard(), ["logout -> {}", "CallDisconnect refuse S(i: -; j: alice)"]);
}

#[test]
fn a_call_that_comes_back_after_a_reload_is_as_muted_as_before() {
    let muted_in = |channel: &str| {
        bobs(Remembered { muted_in: Some(ChannelId(channel.into())), ..Remembered::default() })
    };
    let muted_start = bobs(Remembered { muted_start: true, ..Remembered::default() });
    for (memory, muted) in
        [(Memory::default(), false), (muted_in("c1"), true), (muted_in("c0"), false), (muted_start, true)]
    {
        let mut rig = Rig::next_life(memory, Some(session("", "alice bob")));
        assert_eq!(rig.remembered().muted_in.is_some(), muted);
        rig.engine();
        rig.link();
        assert_eq!(rig.client.state().muted, muted);
        assert_eq!(rig.take().contains(&"audio capture+send+play".to_owned()), !muted);
    }
}

#[test]
fn what_is_remembered_of_being_muted_is_of_the_call() {
    let c1 = ChannelId("c1".into());
    let muted_in = |rig: &Rig| rig.remembered().muted_in;
    let mut rig = Rig::ringing();
    rig.command("setIsMuted", json!({ "muted": true }));
    assert_eq!(rig.client.memory(), Memory::default(), "rung and not in it");
    rig.command("accept", json!(null));
    assert_eq!(muted_in(&rig), Some(c1.clone()));
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    rig.command("setIsMuted", json!({ "muted": false }));
    assert_eq!(rig.client.memory(), Memory::default());
    rig.command("setIsMuted", json!({ "muted": true }));
    assert_eq!(muted_in(&rig), Some(c1));
    rig.event(ended(session("", "bob"), Reason::Hangup, None));
    assert_eq!(rig.client.memory(), Memory::default(), "it is over");
    let mut rig = Rig::ready("bob");
    rig.command("setIsMuted", json!({ "muted": true }));
    rig.command("startCallUsers", json!({ "usernames": ["alice"] }));
    assert!(rig.remembered().muted_start, "whatever comes of it");
    rig.started(session("alice", "bob"));
    assert!(!rig.remembered().muted_start && muted_in(&rig).is_some());
}

/// The person is out of it, the server does not know, and the system ends the app.
#[test]
fn a_call_that_was_left_does_not_come_back() {
    let theirs = || session("", "alice bob");
    for method in ["hangup", "releaseEngine", "logout"] {
        let mut rig = Rig::connected();
        rig.closed();
        rig.command(method, json!(null));
        assert_eq!(rig.heard().last().unwrap(), "CallDisconnect hangup S(i: -; j: alice)", "{method}");
        let mut next = Rig::next_life(rig.client.memory(), Some(theirs()));
        assert_eq!(next.take(), [r#"login -> {"username":"bob","appKey":"app"}"#, "> leave c1"], "{method}");
        assert_eq!(next.client.state().session, None);
        assert_eq!(
            next.remembered().left,
            [Left { channel_id: ChannelId("c1".into()), stay: Some(1), reason: LeaveReason::Hangup }],
            "until the server has confirmed it"
        );
        next.reply(Reply::Leave);
        assert_eq!(next.client.memory(), Memory::default());
    }
    // With a word of the server's it is forgotten.
    for (method, reply) in [("hangup", Reply::Leave), ("logout", Reply::Logout)] {
        let mut rig = Rig::connected();
        rig.command(method, json!(null));
        assert_eq!(
            rig.remembered().left,
            [Left { channel_id: ChannelId("c1".into()), stay: Some(1), reason: LeaveReason::Hangup }],
            "{method}"
        );
        rig.reply(reply);
        assert_eq!(rig.client.memory(), Memory::default(), "{method}");
    }
    // The same life signs in again.
    let mut rig = Rig::connected();
    rig.closed();
    rig.command("logout", json!(null));
    rig.take();
    rig.login("bob");
    assert!(rig.take().contains(&"> leave c1".to_owned()));
}

#[test]
fn a_call_whose_start_was_given_up_does_not_come_back() {
    for method in ["hangup", "logout"] {
        let mut rig = Rig::ready("bob");
        rig.command("startCallUsers", json!({ "usernames": ["alice"] }));
        rig.closed();
        assert!(!rig.remembered().left_start);
        rig.command(method, json!(null));
        let theirs = inviter("bob", session("", "alice bob"));
        let mut next = Rig::next_life(rig.client.memory(), Some(theirs.clone()));
        assert_eq!(next.take(), [r#"login -> {"username":"bob","appKey":"app"}"#, "> leave c1"], "{method}");
        assert_eq!(next.client.state().session, None);
        let mut next = Rig::next_life(Memory::default(), Some(theirs));
        next.engine();
        assert!(next.client.state().session.is_some(), "one that was not does");
    }
}

/// Bob leaves and signs out where the server can't be told, and hands the device on to Carol, whom the call rings.
#[test]
fn what_one_user_has_left_is_nothing_to_the_next() {
    let mut rig = Rig::connected();
    rig.closed();
    rig.command("logout", json!(null));
    let kept = rig.client.memory();
    let next_life = Rig::with(Config { memory: kept.clone(), ..config() });
    for mut rig in [rig, next_life] {
        rig.take();
        rig.login("carol");
        rig.event(invited(session("carol", "alice bob")));
        assert!(!rig.take().iter().any(|l| l.starts_with("> leave")));
        assert_eq!(rig.client.memory(), kept, "for him");
        rig.command("logout", json!(null));
        rig.reply(Reply::Logout);
        rig.login("bob");
        assert!(rig.take().contains(&"> leave c1".to_owned()));
    }
}

#[test]
fn what_another_release_has_remembered_is_ignored() {
    let older = json!({ "mutedIn": null, "mutedStart": false, "left": ["c1"], "leftStart": false });
    for kept in [json!(null), json!("?"), older] {
        let mut config = serde_json::to_value(config()).unwrap();
        config["memory"] = kept;
        assert_eq!(serde_json::from_value::<Config>(config).unwrap().memory, Memory::default());
    }
}

/// Nobody has said no: the person's other devices ring on.
#[test]
fn an_accept_that_did_not_reach_the_server_is_no_refusal_in_the_next_life() {
    for (method, goodbye) in [("accept", "> leave c1 networkError"), ("refuse", "> leave c1")] {
        let mut rig = Rig::ringing();
        rig.closed();
        rig.command(method, json!(null));
        rig.wait_in_silence(15_000);
        assert_eq!(rig.client.state().session, None);
        let mut next = Rig::next_life(rig.client.memory(), None);
        assert_eq!(next.take().last().unwrap(), goodbye);
    }
}

/// The next start waits until the one that was given up is answered.
#[test]
fn a_call_whose_start_was_given_up_does_not_come_back_in_place_of_the_next() {
    let mut rig = Rig::ready("bob");
    rig.command("startCallUsers", json!({ "usernames": ["alice"] }));
    rig.command("hangup", json!(null));
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    let mut next = Rig::next_life(rig.client.memory(), Some(inviter("bob", session("", "alice bob"))));
    assert!(next.take().contains(&"> leave c1".to_owned()));
    assert_eq!(next.client.state().session, None);
}

#[test]
fn a_token_that_is_no_longer_good_is_told_apart_from_a_lost_network() {
    let mut rig = Rig::connected();
    rig.closing(Closing::TokenExpired);
    assert_eq!(rig.client.state().login, jmrtc_call::LoginState::TokenRejected);
    rig.command("updateToken", json!({ "token": token("bob") }));
    assert_eq!(rig.client.state().login, jmrtc_call::LoginState::Reconnecting);
    rig.opened();
    rig.welcome(true, None);
    assert_eq!(rig.client.state().login, jmrtc_call::LoginState::LoggedIn);
}
