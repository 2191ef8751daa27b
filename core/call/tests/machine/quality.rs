//! How a call sounds and whether one would work: samples in, `CallQuality` and preflight reports out.

use jmrtc_call::{CallState, LinkSample, MediaEvent, PreflightReport};
use jmrtc_protocol::{ErrorCode, Reply, ServerMessage};
use serde_json::{Value, json};

use crate::rig::*;

const GOOD: LinkSample = LinkSample {
    rtt_ms: Some(20),
    jitter_ms: 2,
    buffer_ms: 30,
    loss_up_permille: Some(0),
    loss_down_permille: 0,
    sent: 50,
    received: 50,
    level_in: 40,
};

/// One sample a second.
fn sample(rig: &mut Rig, sample: LinkSample, times: u64) {
    for _ in 0..times {
        rig.wait(1_000);
        rig.media(MediaEvent::Stats { sample });
    }
}

fn connected() -> Rig {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.link();
    sample(&mut rig, GOOD, 3);
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    rig.take();
    rig
}

#[test]
fn quality_is_told_when_connected_and_when_it_changes() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.link();
    rig.take();
    sample(&mut rig, GOOD, 10);
    assert!(rig.heard().is_empty(), "nothing while it rings");
    assert_eq!(rig.client.state().quality, None);

    let mut rig = connected();
    sample(&mut rig, GOOD, 10);
    assert_eq!(rig.heard(), ["CallQuality 5 []"]);
    sample(&mut rig, LinkSample { loss_down_permille: 200, ..GOOD }, 10);
    let told = rig.heard();
    assert_eq!(told.last().unwrap(), "CallQuality 1 [Mos, Loss]", "{told:?}");
    assert_eq!(rig.client.state().quality.unwrap().score, 1);
    sample(&mut rig, GOOD, 20);
    assert_eq!(rig.heard().last().unwrap(), "CallQuality 5 []");
}

#[test]
fn nothing_is_judged_while_it_reconnects() {
    let mut rig = connected();
    sample(&mut rig, GOOD, 1);
    rig.media(MediaEvent::Disconnected);
    rig.take();
    sample(&mut rig, LinkSample { received: 0, loss_up_permille: Some(1000), ..GOOD }, 8);
    assert!(!rig.heard().iter().any(|l| l.starts_with("CallQuality")));
    assert_eq!(rig.client.state().call, CallState::Reconnecting);
}

#[test]
fn a_muted_member_need_not_be_heard() {
    let quiet = LinkSample { received: 0, ..GOOD };
    let mut rig = connected();
    rig.event(muted("alice", true));
    sample(&mut rig, quiet, 20);
    assert_eq!(rig.heard(), ["CallMemberMuted alice true", "CallQuality 5 []"]);
}

#[test]
fn who_is_not_heard_is_warned_of_before_the_grace_time_is_over() {
    let quiet = LinkSample { received: 0, ..GOOD };
    let mut rig = connected();
    sample(&mut rig, quiet, 5);
    assert_eq!(rig.heard(), ["CallQuality 5 []"]);
    sample(&mut rig, quiet, 1);
    assert_eq!(rig.heard(), ["CallQuality 5 [OneWayAudio]"]);
    // That nothing of ours arrives is known at once.
    let mut rig = connected();
    sample(&mut rig, LinkSample { loss_up_permille: Some(1_000), ..GOOD }, 6);
    assert!(rig.heard().last().unwrap().contains("OneWayAudio"));
}

#[test]
fn a_muted_microphone_is_not_silent() {
    let mut rig = connected();
    rig.command("setIsMuted", json!({"muted": true}));
    sample(&mut rig, LinkSample { level_in: 127, sent: 0, ..GOOD }, 30);
    assert_eq!(rig.heard(), ["setIsMuted -> {}", "CallQuality 5 []"]);
    rig.command("setIsMuted", json!({"muted": false}));
    sample(&mut rig, LinkSample { level_in: 127, ..GOOD }, 15);
    assert_eq!(rig.heard(), ["setIsMuted -> {}", "CallQuality 5 [SilentMicrophone]"]);
}

#[test]
fn alone_in_a_group_call_nobody_is_missed() {
    let mut rig = connected();
    rig.event(left("alice", jmrtc_protocol::Reason::Hangup));
    rig.take();
    sample(&mut rig, LinkSample { received: 0, sent: 0, ..GOOD }, 20);
    assert_eq!(rig.heard(), ["CallQuality 5 []"]);
}

#[test]
fn samples_of_an_old_link_count_for_nothing() {
    let mut rig = connected();
    let stale = rig.client.stale_count();
    rig.old_media(MediaEvent::Stats { sample: GOOD });
    assert!(rig.heard().is_empty());
    assert_eq!(rig.client.stale_count(), stale + 1);
}

// Preflight

const ANSWER: &str = "v=0\r\na=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n\
                      a=candidate:2 1 tcp 1 10.0.0.1 2 typ host tcptype passive\r\n";

fn asked() -> Rig {
    let mut rig = Rig::ready("bob");
    rig.command("preflight", json!({ "seconds": 3 }));
    assert_eq!(rig.take(), ["media open 1", "audio capture+send"]);
    rig
}

/// The link comes up over the way that is tested now.
fn up(rig: &mut Rig) {
    rig.offer();
    rig.reply(Reply::Link { answer: ANSWER.to_owned() });
    rig.media(MediaEvent::Connected);
}

fn report(lines: &[String]) -> PreflightReport {
    let line = lines.iter().find_map(|l| l.strip_prefix("preflight -> ")).expect("a report");
    serde_json::from_str(line).unwrap()
}

#[test]
fn a_preflight_tests_both_ways_and_leaves_nothing() {
    let mut rig = asked();
    rig.wait(40);
    up(&mut rig);
    assert_eq!(rig.take(), ["> preflight 1", "media answer"]);
    sample(&mut rig, GOOD, 4);
    assert_eq!(rig.take(), ["media open 1", "audio off"], "measured: the microphone is closed");
    up(&mut rig);
    let end = rig.take();
    assert_eq!(end[..2], ["> preflight 2", "media answer"]);
    assert_eq!(end[2], "media close");
    assert!(end[3].starts_with("preflight -> "), "{end:?}");
    assert_eq!(end[4..], ["> endPreflight"]);
    rig.reply(Reply::EndPreflight);
    assert_eq!(rig.take(), Vec::<String>::new());
    let report = report(&end);
    assert!(report.ok, "{report:?}");
    assert_eq!(report.checks.len(), 9);
}

#[test]
fn a_server_that_does_not_answer() {
    let mut rig = asked();
    rig.offer();
    rig.wait(8_000);
    rig.offer();
    rig.wait(8_000);
    let report = report(&rig.take());
    assert!(!report.ok);
    assert_eq!(report.checks.iter().filter(|c| c.ok).count(), 1, "{report:?}");
}

#[test]
fn a_server_that_refuses() {
    let mut rig = asked();
    rig.offer();
    rig.failure(ErrorCode::LimitExceeded);
    rig.media(MediaEvent::Failed { why: "no socket".into() });
    let report = report(&rig.take());
    let details: Vec<_> = report.checks.iter().map(|c| c.detail.as_str()).collect();
    assert_eq!((details[0], details[3], details[4]), ("answered in 0 ms", "no", "no socket"));
}

#[test]
fn when_it_can_not_be() {
    let mut rig = Rig::new();
    rig.command("preflight", json!(null));
    assert_eq!(rig.take(), ["preflight -> NOT_LOGGED_IN"]);
    let mut rig = Rig::signed_in("bob");
    rig.command("preflight", json!(null));
    assert_eq!(rig.take(), ["preflight -> NOT_INITIALIZED"]);
    let mut rig = connected();
    rig.command("preflight", json!(null));
    assert_eq!(rig.take(), ["preflight -> ALREADY_IN_CALL"]);
    let mut rig = asked();
    rig.command("preflight", json!(null));
    assert_eq!(rig.take(), ["preflight -> INVALID_STATE"]);
    let mut rig = Rig::ready("bob");
    rig.command("setIsMuted", json!({"muted": true}));
    rig.take();
    rig.command("preflight", json!(null));
    assert_eq!(rig.take(), ["preflight -> INVALID_STATE"]);
}

#[test]
fn muted_in_the_middle_nothing_is_sent() {
    let mut rig = asked();
    rig.command("setIsMuted", json!({"muted": true}));
    assert_eq!(rig.take(), ["setIsMuted -> {}", "audio capture"]);
}

/// What is more important ends it: silence falls first, then the asker is told why.
#[test]
fn whatever_comes_between() {
    type Interruption = fn(&mut Rig);
    let table: [(Interruption, &str); 5] = [
        (|rig| rig.event(invited(session("bob", "alice"))), "preflight -> ALREADY_IN_CALL"),
        (
            |rig| _ = rig.command("startCallUsers", json!({"usernames": ["alice"]})),
            "preflight -> ALREADY_IN_CALL",
        ),
        (|rig| _ = rig.command("hangup", json!(null)), "preflight -> INVALID_STATE"),
        (|rig| _ = rig.command("releaseEngine", json!(null)), "preflight -> INVALID_STATE"),
        (|rig| _ = rig.command("logout", json!(null)), "preflight -> NOT_LOGGED_IN"),
    ];
    for (interrupt, answer) in table {
        let mut rig = asked();
        up(&mut rig);
        rig.take();
        interrupt(&mut rig);
        let lines = rig.take();
        assert_eq!(lines[..2], ["audio off", "media close"], "{lines:?}");
        assert!(lines.iter().any(|l| l == answer), "{lines:?}");
        assert!(lines.iter().any(|l| l == "> endPreflight" || l == "> logout"), "{lines:?}");
        assert!(!lines.iter().any(|l| l.starts_with("audio") && l.contains("capture")), "{lines:?}");
    }
}

#[test]
fn the_microphone_breaks() {
    let mut rig = asked();
    rig.audio_failed();
    let lines = rig.take();
    let report = report(&lines);
    let microphone = serde_json::to_value(&report.checks[2]).unwrap();
    let wanted = json!({ "name": "microphone", "ok": false, "detail": "can't be opened: no device" });
    assert_eq!(microphone, wanted);
    assert!(lines.contains(&"CallError ENGINE_FAILED".to_owned()), "{lines:?}");
}

#[test]
fn a_late_answer_changes_nothing() {
    let mut rig = asked();
    rig.offer();
    rig.command("hangup", json!(null));
    rig.take();
    let reply = Reply::Link { answer: ANSWER.to_owned() };
    rig.message(ServerMessage::Reply { id: 1, reply });
    assert_eq!(rig.take(), Vec::<String>::new());
    let state: Value = serde_json::to_value(rig.client.state()).unwrap();
    assert_eq!(state["call"], "idle");
}
