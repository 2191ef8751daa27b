//! Who is muted and who speaks.

use jmrtc_call::{AudioEvent, Input, MediaEvent, PlatformEvent, Remembered};
use jmrtc_protocol::{ChannelId, ErrorCode, Reason, Reply, ServerEvent, Session, Username};
use serde_json::json;

use crate::rig::*;

/// Bob in a call with Alice and Carol, all heard.
fn connected() -> Rig {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.link();
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("", "alice carol bob"), stay: 1 });
    rig.event(slots(&["alice", "carol"]));
    rig.take();
    rig
}

fn slots(names: &[&str]) -> ServerEvent {
    let slots: Vec<Option<Username>> = names.iter().map(|n| Some(name(n))).chain([None]).collect();
    ServerEvent::Slots { channel_id: ChannelId("c1".into()), slots }
}

fn with_muted(names: &[&str], session: Session) -> Session {
    Session { muted_members: names.iter().map(|n| name(n)).collect(), ..session }
}

fn mute(rig: &mut Rig, muted: bool) {
    rig.command("setIsMuted", json!({ "muted": muted }));
}

/// So loud for long enough that whoever speaks is known.
fn hear(rig: &mut Rig, own: u8, slots: &[u8]) {
    for _ in 0..3 {
        rig.wait(200);
        rig.media(MediaEvent::Levels { own, slots: slots.to_vec() });
    }
}

#[test]
fn the_others_are_told_who_is_muted() {
    let mut rig = connected();
    mute(&mut rig, true);
    assert_eq!(rig.take(), ["setIsMuted -> {}", "> mute c1 true", "audio capture+play"]);
    // The switch is played with while the server has not answered: it is asked for the outcome only.
    mute(&mut rig, false);
    mute(&mut rig, true);
    mute(&mut rig, false);
    rig.take();
    rig.reply(Reply::Mute);
    rig.event(muted("bob", true));
    assert_eq!(rig.take(), ["> mute c1 false"], "one's own is no news");
    assert_eq!(rig.client.state().session.unwrap().muted_members, [name("bob")]);
    rig.event(muted("bob", false));
    rig.reply(Reply::Mute);
    assert_eq!(rig.take(), [""; 0]);
    rig.event(muted("carol", true));
    assert_eq!(rig.take(), ["CallMemberMuted carol true"]);
    assert_eq!(rig.client.state().session.unwrap().muted_members, [name("carol")]);
}

#[test]
fn muted_before_the_call() {
    let mut rig = Rig::ready("bob");
    mute(&mut rig, true);
    rig.event(invited(session("bob", "alice")));
    rig.link();
    rig.take();
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    assert!(rig.take().contains(&"> mute c1 true".to_owned()));
}

#[test]
fn muted_in_a_start_that_nobody_has_answered() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.started(session("bob", "alice"));
    rig.take();
    mute(&mut rig, true);
    assert!(rig.take().contains(&"> mute c1 true".to_owned()));
    rig.failure(ErrorCode::LimitExceeded);
    assert_eq!(rig.take(), [""; 0], "the server had too much of us");
    rig.wait(1_000);
    assert_eq!(rig.take(), ["> mute c1 true"]);
    rig.failure(ErrorCode::InvalidState);
    rig.wait(5_000);
    assert!(
        !rig.take().iter().any(|l| l.starts_with("> mute")),
        "what can't be mended is not asked for ever"
    );
}

#[test]
fn muted_while_the_server_is_away() {
    let mut rig = connected();
    rig.closed();
    mute(&mut rig, true);
    rig.reconnect();
    rig.take();
    // The sign-in before is gone; meanwhile Carol has muted, and the server has us unmuted.
    rig.welcome(false, Some(with_muted(&["carol"], session("", "alice carol bob"))));
    let told = rig.take();
    assert!(told.contains(&"> mute c1 true".to_owned()), "{told:?}");
    assert!(told.contains(&"CallMemberMuted carol true".to_owned()), "{told:?}");
    assert_eq!(told.iter().filter(|l| l.starts_with("> mute")).count(), 1, "{told:?}");
}

#[test]
fn a_call_that_comes_back_muted() {
    // Where the device does not remember it, the server does.
    for muted_in in [Some(ChannelId("c1".into())), None] {
        let memory = bobs(Remembered { muted_in, ..Remembered::default() });
        let mut rig = Rig::next_life(memory, Some(with_muted(&["bob"], session("", "alice bob"))));
        assert!(!rig.take().iter().any(|l| l.starts_with("> mute")), "the server knows it");
        assert!(rig.client.state().muted);
    }
}

#[test]
fn a_call_that_comes_back_is_muted_where_only_the_device_knows() {
    let memory = bobs(Remembered { muted_in: Some(ChannelId("c1".into())), ..Remembered::default() });
    let mut rig = Rig::next_life(memory, Some(session("", "alice bob")));
    assert!(rig.client.state().muted);
    assert!(rig.take().contains(&"> mute c1 true".to_owned()), "the server is told now");
}

#[test]
fn a_call_that_comes_back_muted_stays_so_when_the_engine_fails_once() {
    let memory = bobs(Remembered { muted_in: Some(ChannelId("c1".into())), ..Remembered::default() });
    let mut rig = Rig::next_life(memory, Some(with_muted(&["bob"], session("", "alice bob"))));
    rig.command("initEngine", json!(null));
    rig.input(Input::Platform(PlatformEvent::Microphone { granted: true }));
    rig.input(Input::Audio(AudioEvent::Failed { why: "busy".into() }));
    let told = rig.take();
    assert!(told.contains(&"initEngine -> ENGINE_FAILED".to_owned()), "{told:?}");
    assert!(!told.iter().any(|l| l.starts_with("> mute")), "{told:?}");
    assert!(rig.client.state().muted && rig.remembered().muted_in.is_some());
}

#[test]
fn whoever_speaks_is_told_the_loudest_first() {
    let mut rig = connected();
    hear(&mut rig, 127, &[30, 127, 127]);
    assert_eq!(rig.take(), ["CallActiveSpeakers alice"]);
    hear(&mut rig, 25, &[30, 40, 127]);
    assert_eq!(rig.take(), ["CallActiveSpeakers alice bob carol"]);
    for _ in 0..7 {
        hear(&mut rig, 127, &[127, 20, 10]);
    }
    assert_eq!(rig.take().last().unwrap(), "CallActiveSpeakers carol", "an empty slot is nobody");
    // Somebody else is in the slot.
    rig.event(slots(&["alice", "alice"]));
    for _ in 0..3 {
        hear(&mut rig, 127, &[127, 20, 127]);
    }
    assert_eq!(rig.take().last().unwrap(), "CallActiveSpeakers alice");
    rig.media(MediaEvent::Disconnected);
    assert_eq!(rig.take(), ["media restart", "CallActiveSpeakers ", "CallReconnecting"]);
}

#[test]
fn the_muted_do_not_speak() {
    let mut rig = connected();
    mute(&mut rig, true);
    rig.take();
    hear(&mut rig, 10, &[127, 127]);
    assert_eq!(rig.take(), [""; 0]);
}

#[test]
fn who_is_muted_or_gone_in_the_middle_of_a_word_does_not_speak() {
    let mut rig = connected();
    hear(&mut rig, 20, &[30, 30]);
    assert_eq!(rig.take(), ["CallActiveSpeakers bob alice carol"]);
    mute(&mut rig, true);
    rig.event(left("carol", Reason::Hangup));
    rig.take();
    // The news of the slots is still to come.
    hear(&mut rig, 127, &[30, 30]);
    assert_eq!(rig.take(), ["CallActiveSpeakers alice"]);
    rig.event(slots(&["alice"]));
    hear(&mut rig, 127, &[30]);
    assert_eq!(rig.take(), [""; 0], "told once");
}

#[test]
fn nobody_speaks_before_the_call_is_connected() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.link();
    rig.event(slots(&["alice"]));
    rig.take();
    hear(&mut rig, 10, &[10]);
    assert_eq!(rig.take(), [""; 0]);
}
