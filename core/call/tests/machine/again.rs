//! Invited again into the same call: what was said to the stay before is not said to the next.

use jmrtc_call::{AudioEvent, CallState, Config, Input, Left, Memory, PlatformEvent};
use jmrtc_protocol::{ChannelId, ErrorCode, LeaveReason, Reason, Reply};
use serde_json::json;

use crate::rig::{
    Rig, answered, config, declined, ended, ended_stay, invited, invited_again, joined, left, session,
};

const RINGS: &str = "CallReceiveInvite S(i: bob; j: alice)";

fn again(rig: &mut Rig) {
    rig.event(invited_again(session("bob", "alice")));
}

#[test]
fn a_goodbye_that_the_server_has_not_confirmed_hides_no_later_invitation() {
    for method in ["hangup", "refuse"] {
        let mut rig = if method == "refuse" { Rig::ringing() } else { Rig::connected() };
        rig.closed();
        rig.command(method, json!(null));
        rig.reconnect();
        rig.welcome(true, None);
        let said = if method == "refuse" { "> refuse c1" } else { "> leave c1" };
        assert!(rig.take().contains(&said.to_owned()));
        rig.event(invited(session("bob", "alice")));
        assert_eq!(rig.heard(), [""; 0], "that one is over");
        again(&mut rig);
        assert_eq!(rig.heard(), [RINGS], "{method}");
        // The answer is not to what rings now.
        match method {
            "refuse" => rig.failure(ErrorCode::CallEnded),
            _ => rig.reply(Reply::Leave),
        }
        assert_eq!(rig.client.state().call, CallState::Incoming);
        rig.command("refuse", json!(null));
        assert!(rig.take().contains(&"> refuse c1#2".to_owned()));
    }
}

#[test]
fn a_call_that_is_being_left_ends_before_it_rings_again() {
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.take();
    again(&mut rig);
    assert_eq!(rig.heard(), ["hangup -> {}", "CallDisconnect hangup S(i: -; j: alice)", RINGS]);
    rig.command("hangup", json!(null));
    rig.take();
    // Of the first goodbye.
    rig.reply(Reply::Leave);
    assert_eq!(rig.heard(), [""; 0]);
    rig.reply(Reply::Refuse);
    assert_eq!(rig.heard(), ["hangup -> {}"]);
}

#[test]
fn an_accept_of_an_invitation_that_is_over_does_not_answer_the_next() {
    for late in [Ok(()), Err(ErrorCode::CallEnded)] {
        let mut rig = Rig::ringing();
        rig.command("accept", json!(null));
        rig.event(ended(session("", "alice"), Reason::Refuse, None));
        again(&mut rig);
        rig.command("accept", json!(null));
        rig.take();
        match late {
            Ok(()) => rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 }),
            Err(code) => rig.failure(code),
        }
        assert_eq!(rig.client.state().call, CallState::Connecting);
        assert_eq!(rig.heard(), [""; 0]);
        rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 2 });
        assert!(rig.heard().contains(&"CallMemberJoin alice".to_owned()));
    }
}

/// What waits for the answer to an accept tells of its end, and of the next invitation behind it.
#[test]
fn an_invitation_that_waits_behind_the_call_that_is_given_up_rings() {
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    rig.take();
    rig.event(joined("carol"));
    rig.event(ended(session("", "alice carol"), Reason::NetworkError, None));
    again(&mut rig);
    assert_eq!(rig.heard(), [""; 0]);
    rig.command("hangup", json!(null));
    rig.closed();
    let heard = rig.heard();
    assert_eq!(heard.last().unwrap(), RINGS, "{heard:?}");
}

/// While Bob calls somebody he learns what became of the call that he had left, and that he is invited again.
#[test]
fn what_is_told_of_the_call_that_was_left_hides_no_invitation_behind_it() {
    let mut rig = Rig::connected();
    rig.command("hangup", json!(null));
    rig.command("startCallUsers", json!({ "usernames": ["dave"] }));
    rig.reply(Reply::Leave);
    rig.event(joined("carol"));
    rig.event(ended(session("", "alice carol"), Reason::Hangup, None));
    again(&mut rig);
    rig.take();
    rig.failure(ErrorCode::UserUnavailable);
    assert_eq!(rig.heard(), ["startCallUsers -> USER_UNAVAILABLE", RINGS]);
}

#[test]
fn a_new_sign_in_ends_what_rang_before_it_rings_again() {
    for (method, told) in [("accept", "accept -> CALL_ENDED"), ("getState", "")] {
        let mut rig = Rig::ringing();
        rig.command(method, json!(null));
        rig.closed();
        rig.reconnect();
        rig.welcome(false, None);
        rig.take();
        again(&mut rig);
        let heard = rig.heard();
        let ends = "CallDisconnect networkError/callLost S(i: -; j: alice)";
        let expected: Vec<_> = [told, ends, RINGS].into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(heard, expected);
    }
}

/// Bob is in the call by another invitation than that of his goodbye.
#[test]
fn a_goodbye_of_the_life_before_is_of_its_stay() {
    let goodbye = |stay| Left { channel_id: ChannelId("c1".into()), stay, reason: LeaveReason::Hangup };
    for (stay, comes_back) in [(Some(1), false), (Some(0), true), (None, false)] {
        let mut rig = Rig::connected();
        rig.closed();
        rig.command("hangup", json!(null));
        let mut memory = rig.client.memory();
        memory.0.values_mut().for_each(|remembered| remembered.left = vec![goodbye(stay)]);
        let next = Rig::next_life(memory, Some(session("", "alice bob")));
        assert_eq!(next.client.state().session.is_some(), comes_back, "{stay:?}");
    }
}

/// Releases before did not write down which stay.
#[test]
fn a_memory_without_stays_is_read() {
    let kept = json!({ "bob": { "left": [{ "channelId": "c1", "reason": "hangup" }] } });
    let memory: Memory = serde_json::from_value(kept.clone()).unwrap();
    assert_eq!(serde_json::to_value(&memory).unwrap()["bob"]["left"], kept["bob"]["left"]);
    let config: Config =
        serde_json::from_value(serde_json::to_value(Config { memory, ..config() }).unwrap()).unwrap();
    let mut rig = Rig::next_life(config.memory, None);
    assert!(rig.take().contains(&"> leave c1#?".to_owned()));
    again(&mut rig);
    assert_eq!(rig.heard(), [""; 0], "the goodbye may be to that one");
}

/// His phone has said no to the first without a connection and calls Alice; the server has ended that one for another reason, she
/// has asked him in again, and both calls are one.
#[test]
fn the_end_of_the_stay_before_ends_no_call_that_both_began() {
    let mut rig = Rig::ringing();
    rig.closed();
    rig.command("refuse", json!(null));
    rig.command("startCallUsers", json!({ "usernames": ["alice"] }));
    rig.reconnect();
    rig.welcome(true, None);
    rig.event(left("carol", Reason::Hangup));
    rig.event(ended(session("", "alice"), Reason::Refuse, None));
    again(&mut rig);
    rig.event(joined("dave"));
    rig.take();
    rig.failure(ErrorCode::CallEnded);
    rig.reply(Reply::Start { session: session("", "alice bob"), stay: 2, failed: vec![] });
    let heard = rig.heard();
    let told: Vec<_> = heard.iter().filter(|line| line.starts_with("Call")).collect();
    let joined = "CallMemberJoin";
    assert_eq!(
        told,
        ["CallConnecting S(i: -; j: alice, bob)", &format!("{joined} alice"), &format!("{joined} dave")]
    );
    assert_eq!(rig.client.state().call, CallState::Connecting);
    rig.event(ended_stay(2, session("", "alice"), Reason::Hangup));
    assert_eq!(rig.client.state().call, CallState::Idle);
}

#[test]
fn the_end_of_the_stay_before_ends_nothing_that_rings() {
    let mut rig = Rig::ringing();
    rig.closed();
    rig.command("refuse", json!(null));
    rig.reconnect();
    rig.welcome(true, None);
    again(&mut rig);
    rig.event(ended(session("", "alice"), Reason::Refuse, None));
    assert_eq!(rig.client.state().call, CallState::Incoming);
}

/// The screen showed an invitation that was over as the person touched it, or the notification a call that was.
#[test]
fn what_is_said_at_a_screen_of_the_stay_before_is_not_said_to_the_next() {
    for (mut rig, late) in [
        (Rig::ringing(), declined("c1")),
        (Rig::ringing(), answered("c1")),
        (Rig::connected(), declined("c1")),
    ] {
        rig.event(ended(session("", "alice"), Reason::NetworkError, None));
        again(&mut rig);
        assert!(rig.take().contains(&"platform ring#2".to_owned()));
        rig.platform(late.clone());
        assert_eq!(rig.take(), [""; 0], "{late:?}");
        assert_eq!(rig.client.state().call, CallState::Incoming, "{late:?}");
    }
}

#[test]
fn the_screen_knows_which_stay_it_shows() {
    let at = |stay, answers| {
        let channel_id = ChannelId("c1".into());
        match answers {
            true => PlatformEvent::Answered { channel_id, stay },
            false => PlatformEvent::Declined { channel_id, stay },
        }
    };
    let mut rig = Rig::ready("bob");
    again(&mut rig);
    assert!(rig.take().contains(&"platform ring#2".to_owned()));
    for stay in [0, 1, 3] {
        for answers in [true, false] {
            rig.platform(at(stay, answers));
            assert_eq!(rig.take(), [""; 0]);
        }
    }
    rig.platform(at(2, true));
    let lines = rig.take();
    assert_eq!(lines[..3], ["platform dismiss#2", "> accept c1#2", "platform started#2"]);
    rig.platform(at(2, false));
    rig.reply(Reply::Leave);
    rig.event(ended_stay(2, session("", "alice"), Reason::Hangup));
    assert!(rig.take().contains(&"platform ended#2".to_owned()));
}

/// Answered before the engine was ready, and asked for the microphone.
#[test]
fn an_answer_that_waits_for_the_engine_is_not_said_to_the_next() {
    let mut rig = Rig::signed_in("bob");
    rig.event(invited(session("bob", "alice")));
    rig.platform(answered("c1"));
    rig.event(ended(session("", "alice"), Reason::Refuse, None));
    again(&mut rig);
    rig.platform(answered("c1"));
    rig.take();
    rig.platform(PlatformEvent::Microphone { granted: true });
    rig.input(Input::Audio(AudioEvent::Ready));
    assert_eq!(rig.client.state().call, CallState::Incoming);
}
