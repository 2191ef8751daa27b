//! Consent: whatever the server says, in any order, the microphone opens when the person has accepted or
//! dialled and not before. One test for each class of bug that such state machines have had elsewhere.

use jmrtc_call::{Input, MediaEvent, PlatformEvent};
use jmrtc_protocol::{ChannelId, ErrorCode, Reason, Reply, ServerEvent, ServerMessage};
use serde_json::json;

use crate::rig::*;

fn silent(rig: &mut Rig, what: &str) {
    let lines = rig.take();
    let sound =
        |l: &&String| ["capture", "send", "play"].iter().any(|on| l.starts_with("audio") && l.contains(on));
    assert_eq!(lines.iter().find(sound), None, "{what}: {lines:?}");
}

/// Every event that a server can send about the call, and some about another.
fn events() -> Vec<ServerEvent> {
    let mut events = Vec::new();
    for channel in ["c1", "c9"] {
        for (inviting, members) in [("bob", "alice"), ("", "alice bob"), ("bob", "alice carol"), ("", "bob")]
        {
            let session = of(channel, session(inviting, members));
            events.push(invited(session.clone()));
        }
        for who in ["bob", "alice", "carol"] {
            events.push(in_call(channel, joined(who)));
            events.push(in_call(channel, left(who, Reason::Busy)));
            events.push(in_call(channel, muted(who, true)));
        }
        events.push(in_call(channel, others_invited("bob", "alice")));
        events.push(ServerEvent::Slots {
            channel_id: ChannelId(channel.into()),
            slots: vec![Some(name("alice")), None],
        });
    }
    events
}

/// Every answer, to requests that were never made.
fn answers() -> Vec<ServerMessage> {
    let session = || session("", "alice bob");
    let replies = [
        Reply::UpdateToken,
        Reply::Logout,
        Reply::Start { session: session(), stay: 1, failed: vec![] },
        Reply::Accept { session: session(), stay: 1 },
        Reply::Refuse,
        Reply::Leave,
        Reply::Invite { invited: vec![name("bob")], failed: vec![] },
        Reply::Link { answer: "v=0 candidate".into() },
    ];
    let answer = |(id, reply)| ServerMessage::Reply { id, reply };
    (0..6).flat_map(|id| replies.clone().map(|reply| (id, reply))).map(answer).collect()
}

/// Group FaceTime 2019: adding a member answered the call. No change of members does.
#[test]
fn membership_changes_do_not_answer() {
    for first in events() {
        let mut rig = Rig::ringing();
        rig.event(first.clone());
        for second in events() {
            rig.event(second);
        }
        silent(&mut rig, &format!("{first:?}"));
    }
}

/// Signal 2019: the caller sent the message by which the callee says yes. Every message is checked against
/// what we are in the call and what we have asked.
#[test]
fn answers_to_what_was_not_asked_do_not_answer_the_call() {
    for (id, answer) in answers().into_iter().enumerate() {
        let mut rig = Rig::ringing();
        rig.message(answer);
        silent(&mut rig, &format!("answer {id}"));
    }
    // Also in the place of what was asked: the reply to our refusal is no accept.
    for reply in answers() {
        let ServerMessage::Reply { reply, .. } = reply else { unreachable!() };
        let mut rig = Rig::ringing();
        rig.command("refuse", json!(null));
        rig.reply(reply.clone());
        rig.event(joined("bob"));
        silent(&mut rig, &format!("{reply:?}"));
    }
    // A token renewed is no call, whatever the reply says.
    for reply in answers() {
        let ServerMessage::Reply { reply, .. } = reply else { unreachable!() };
        let mut rig = Rig::ringing();
        rig.command("updateToken", json!({ "token": token("bob") }));
        rig.reply(reply.clone());
        silent(&mut rig, &format!("{reply:?}"));
    }
}

/// JioChat, Mocha 2020: the transport was up before the answer and sound with it. Consent is not a matter of
/// the transport: with the link up in every way there is, all is silent.
#[test]
fn a_link_that_is_up_is_no_consent() {
    let mut rig = Rig::ringing();
    for _ in 0..3 {
        rig.media(MediaEvent::Disconnected);
        rig.offer();
        rig.answer();
        rig.media(MediaEvent::Connected);
        rig.media(MediaEvent::Connected);
    }
    rig.closed();
    rig.reconnect();
    rig.welcome(true, Some(session("", "alice bob")));
    rig.platform(PlatformEvent::NetworkChanged);
    silent(&mut rig, "link");
}

/// Duo 2020: switching sound off raced with the transport. Here off is where everything starts, on comes with
/// the person's yes, and off comes in the very step of the person's no, before any word to the server.
#[test]
fn sound_goes_on_with_yes_and_off_with_no() {
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    assert_eq!(
        rig.take().last().unwrap(),
        "audio capture",
        "but nothing is sent before the server has agreed"
    );
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    assert_eq!(rig.take().last().unwrap(), "audio capture+send+play");
    for method in ["hangup", "logout", "releaseEngine"] {
        let mut rig = rig.clone();
        rig.command(method, json!(null));
        assert_eq!(rig.take()[0], "audio off", "{method}");
        rig.event(joined("carol"));
        rig.media(MediaEvent::Connected);
        silent(&mut rig, method);
    }
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.failure(ErrorCode::ServerError);
    assert_eq!(rig.take().last().unwrap(), "audio off", "no member, no microphone");
}

/// Link answers to every request that was made and many that were not, and a link that comes up each time.
fn renegotiate(rig: &mut Rig) {
    for id in 0..12 {
        let reply = Reply::Link { answer: "v=0 a=sendrecv".into() };
        rig.message(ServerMessage::Reply { id, reply });
        rig.media(MediaEvent::Connected);
    }
}

/// Messenger 2020: a renegotiation was applied before the answer. Link answers in every state make no sound.
#[test]
fn renegotiation_is_no_consent() {
    for before in 0..3 {
        let mut rig = Rig::ready("bob");
        rig.event(invited(session("bob", "alice")));
        for _ in 0..before {
            rig.offer();
        }
        renegotiate(&mut rig);
        silent(&mut rig, "while it rings");
    }
    // Nor after a no, nor after the end, whether the server knows of it or not.
    for method in ["refuse", "hangup", "logout", "releaseEngine"] {
        let begin = || if method == "refuse" { Rig::ringing() } else { Rig::connected() };
        for told in [false, true] {
            let mut rig = begin();
            rig.command(method, json!(null));
            if told {
                rig.event(ended(session("", "alice"), Reason::Hangup, None));
            }
            rig.take();
            renegotiate(&mut rig);
            silent(&mut rig, method);
        }
    }
    for mut rig in [Rig::ringing(), Rig::connected()] {
        rig.event(ended(session("", "alice"), Reason::Cancel, None));
        rig.take();
        renegotiate(&mut rig);
        silent(&mut rig, "ended by the other side");
    }
}

/// The yes of who dials is for the microphone to open; nobody has joined whom they would be heard by or hear.
#[test]
fn renegotiation_joins_nobody_and_unmutes_nobody() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.started(session("bob", "alice"));
    renegotiate(&mut rig);
    let lines = rig.take();
    assert!(!lines.iter().any(|l| l.contains("send") || l.contains("play")), "{lines:?}");
    let mut rig = Rig::connected();
    rig.command("setIsMuted", json!({ "muted": true }));
    assert!(rig.take().contains(&"audio capture+play".to_owned()));
    renegotiate(&mut rig);
    let lines = rig.take();
    assert!(!lines.iter().any(|l| l.contains("send")), "{lines:?}");
}

/// A new sign-in that claims that this device is in a call does not open the microphone of an app that has
/// been in none.
#[test]
fn a_welcome_is_no_consent() {
    let mut rig = Rig::ready("bob");
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(false, Some(session("", "alice bob")));
    silent(&mut rig, "welcome, no call");
    let mut rig = Rig::ringing();
    rig.closed();
    rig.reconnect();
    rig.take();
    rig.welcome(false, Some(session("", "alice bob")));
    silent(&mut rig, "welcome, ringing");
}

#[test]
fn the_caller_is_not_heard_before_somebody_joins() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    silent(&mut rig, "not before the call is there");
    rig.started(session("bob", "alice"));
    rig.link();
    assert_eq!(rig.take().iter().filter(|l| l.starts_with("audio")).collect::<Vec<_>>(), ["audio capture"]);
    rig.event(joined("bob"));
    assert_eq!(rig.take().last().unwrap(), "audio capture+send+play");
    rig.event(left("bob", Reason::Hangup));
    assert_eq!(rig.take().last().unwrap(), "audio capture", "alone again");
}

#[test]
fn muted_means_that_nothing_is_sent() {
    let mut rig = Rig::ready("alice");
    rig.command("setIsMuted", json!({ "muted": true }));
    rig.command("startCallUsers", json!({ "usernames": ["bob"] }));
    rig.started(session("bob", "alice"));
    rig.link();
    rig.event(joined("bob"));
    let lines = rig.take();
    assert!(!lines.iter().any(|l| l.contains("send")), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "audio capture+play");
}

/// The person answers on the system's call screen, also before the app has made an engine.
#[test]
fn answered_on_the_systems_screen() {
    let mut rig = Rig::ringing();
    rig.platform(answered("c1"));
    assert_eq!(
        rig.take(),
        ["platform dismiss", "> accept c1", "platform started", "platform speaker false", "audio capture"]
    );
    rig.platform(answered("c1"));
    assert_eq!(rig.take(), [""; 0]);

    let mut rig = Rig::signed_in("bob");
    rig.event(invited(session("bob", "alice")));
    rig.take();
    rig.platform(answered("c1"));
    assert_eq!(rig.take(), ["platform microphone?"]);
    rig.platform(PlatformEvent::Microphone { granted: true });
    silent(&mut rig.clone(), "not before it is ready");
    rig.input(Input::Audio(jmrtc_call::AudioEvent::Ready));
    assert!(rig.take().contains(&"> accept c1".to_owned()));

    let mut rig = Rig::signed_in("bob");
    rig.event(invited(session("bob", "alice")));
    rig.platform(answered("c1"));
    rig.take();
    rig.platform(PlatformEvent::Microphone { granted: false });
    assert_eq!(
        rig.take(),
        [
            "CallError PERMISSION_DENIED",
            "CallDisconnect networkError S(i: -; j: alice)",
            "platform dismiss",
            "> leave c1 networkError",
        ],
        "the user's other devices ring on"
    );
}

/// The call shown there ended as the person touched the screen, and another rings.
#[test]
fn what_is_said_to_one_call_is_not_said_to_the_next() {
    let mut rig = Rig::ringing();
    rig.event(ended(session("", "alice"), Reason::Cancel, None));
    rig.event(invited(of("c2", inviter("carol", session("bob", "carol")))));
    rig.take();
    for event in [answered("c1"), declined("c1")] {
        rig.platform(event);
        assert_eq!(rig.take(), [""; 0]);
    }
    rig.platform(declined("c2"));
    assert_eq!(rig.take()[..2], ["platform dismiss", "> refuse c2"]);
}

#[test]
fn declined_on_the_systems_screen() {
    let mut rig = Rig::ringing();
    rig.platform(declined("c1"));
    assert_eq!(rig.take(), ["platform dismiss", "> refuse c1", "media close"]);
    rig.reply(Reply::Refuse);
    rig.event(ended(session("", "alice"), Reason::Refuse, None));
    assert_eq!(rig.heard(), ["CallDisconnect refuse S(i: -; j: alice)"]);
    rig.platform(declined("c1"));
    rig.platform(answered("c1"));
    assert_eq!(rig.take(), [""; 0]);
}
