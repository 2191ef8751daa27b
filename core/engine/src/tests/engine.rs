//! A whole engine, from the outside.

use std::time::Duration;

use jmrtc_audio::{AudioConfig, Backend, Plug};
use jmrtc_call::{Event, PlatformAction, PlatformEvent};
use jmrtc_protocol::{Device, ErrorCode, Failure, Reply, Request, ServerEvent};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::media::{connect, frame};
use super::relay::Relay;
use super::server::{Conversation, PATIENCE, Server, channel, session};
use crate::config::{EngineConfig, NetworkConfig, Platform};
use crate::engine::Engine;
use crate::events::Message;
use crate::media::MediaOutput;
use crate::stats::Stats;

fn config(server: &Server) -> EngineConfig {
    EngineConfig {
        server_url: Some(server.url()),
        device: Device { id: "test".to_owned(), platform: jmrtc_protocol::Platform::Native },
        seed: Some(1),
        audio: AudioConfig { backend: Backend::Null(Plug::default()), slots: 4 },
        network: NetworkConfig::default(),
        platform: Platform::Headless,
        folder: None,
        transcript: None,
    }
}

/// An engine that is signed in as `name` and ready for calls.
async fn ready(server: &Server, name: &str) -> (Engine, Conversation) {
    let engine = Engine::start(config(server)).unwrap();
    let welcome = async {
        let mut conversation = server.accept().await;
        conversation.welcome(name).await;
        conversation
    };
    let (login, conversation) = tokio::join!(call(&engine, "login", json!({ "token": "t" })), welcome);
    assert_eq!(login.unwrap(), json!({ "username": name, "appKey": "app" }));
    call(&engine, "initEngine", Value::Null).await.unwrap();
    (engine, conversation)
}

async fn message(engine: &Engine) -> Message {
    timeout(PATIENCE, engine.next_message()).await.expect("no message").expect("the engine has stopped")
}

async fn event(engine: &Engine) -> Event {
    match message(engine).await {
        Message::Event(event) => event,
        reply @ Message::Reply { .. } => panic!("{reply:?}"),
    }
}

/// Calls a method and waits for its answer; events that come before are passed over.
async fn call(engine: &Engine, method: &str, args: Value) -> Result<Value, Failure> {
    assert!(engine.command(method.to_owned(), method.to_owned(), args));
    loop {
        if let Message::Reply { id, result } = message(engine).await {
            assert_eq!(id, method);
            return result;
        }
    }
}

/// Waits until the statistics show it.
async fn seen(engine: &Engine, what: impl Fn(&Stats) -> bool) -> Stats {
    let mut ticks = interval(Duration::from_millis(10));
    let look = async {
        loop {
            ticks.tick().await;
            let stats = engine.stats();
            if what(&stats) {
                return stats;
            }
        }
    };
    timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("never seen, but {:?}", engine.stats()))
}

#[tokio::test]
async fn an_answer_comes_before_the_events_that_its_method_causes() {
    let server = Server::start().await;
    let (engine, mut conversation) = ready(&server, "alice").await;
    let args = json!({ "usernames": ["bob"] });
    assert!(engine.command("1".to_owned(), "startCallUsers".to_owned(), args));
    let (id, request) = conversation.request().await;
    assert!(matches!(request, Request::Start { .. }), "{request:?}");
    conversation
        .reply(id, Reply::Start { session: session(&["bob"], &["alice"]), stay: 0, failed: vec![] })
        .await;
    let Message::Reply { id, result } = message(&engine).await else { panic!("an event before the answer") };
    assert!(id == "1" && result.is_ok(), "{result:?}");
    assert!(matches!(event(&engine).await, Event::CallOutgoing(_)));
}

#[tokio::test]
async fn answers_and_events_come_in_the_order_in_which_the_server_gave_them() {
    let server = Server::start().await;
    let (engine, mut conversation) = ready(&server, "bob").await;
    let users = json!({ "usernames": ["alice"] });
    assert!(engine.command("first".to_owned(), "getUserInfo".to_owned(), users));
    assert!(engine.command("second".to_owned(), "getCallHistory".to_owned(), Value::Null));
    let (users, _) = conversation.request().await;
    let (history, _) = conversation.request().await;
    conversation.reply(history, Reply::History { calls: vec![], more: false }).await;
    let invited = ServerEvent::Invited { session: session(&["bob"], &["alice"]), stay: 1, ring_ms: 60_000 };
    conversation.event(invited).await;
    conversation.reply(users, Reply::Users { users: vec![], failed: vec![] }).await;
    assert!(matches!(message(&engine).await, Message::Reply { id, .. } if id == "second"));
    assert!(matches!(message(&engine).await, Message::Event(Event::CallReceiveInvite(_))));
    assert!(matches!(message(&engine).await, Message::Reply { id, .. } if id == "first"));
}

/// The server here breaks the rules: it lets sound through to and from a phone that only rings.
#[tokio::test]
async fn without_consent_no_sound_leaves_or_is_played_whatever_the_server_does() {
    let (server, relay) = (Server::start().await, Relay::start().await);
    let (engine, mut conversation) = ready(&server, "bob").await;
    conversation
        .event(ServerEvent::Invited { session: session(&["bob"], &["alice"]), stay: 1, ring_ms: 60_000 })
        .await;
    assert!(matches!(event(&engine).await, Event::CallReceiveInvite(_)));
    let (id, request) = conversation.request().await;
    let Request::Link { offer, .. } = request else { panic!("{request:?}") };
    conversation.reply(id, Reply::Link { answer: relay.open(1, offer).await }).await;
    let mut alice = connect(&relay, 2, 1, NetworkConfig::default()).await;
    relay.admit(1);
    relay.admit(2);
    // Alice talks all the time and counts what she hears.
    let (heard, mut hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(20));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for n in 0.. {
            tokio::select! {
                _ = ticks.tick() => alice.send(frame(n)),
                () = alice.step() => {}
            }
            while let Some(output) = alice.poll_output() {
                if matches!(output, MediaOutput::Sound(..)) && heard.send(()).is_err() {
                    return;
                }
            }
        }
    });
    let ringing = seen(&engine, |s| s.packets_refused >= 10).await;
    assert_eq!(ringing.packets_sent, 0);
    assert_eq!(ringing.level_out, 127);
    assert_eq!(relay.stats(1).await.packets_in, 0);
    assert!(hears.try_recv().is_err());

    let accept = async {
        let (id, request) = conversation.request().await;
        assert_eq!(request, Request::Accept { channel_id: channel(), stay: 1 });
        // Nothing is sent on the mere wish to accept.
        assert_eq!(relay.stats(1).await.packets_in, 0);
        conversation.reply(id, Reply::Accept { session: session(&[], &["alice", "bob"]), stay: 1 }).await;
    };
    let (accepted, ()) = tokio::join!(call(&engine, "accept", Value::Null), accept);
    accepted.unwrap();
    timeout(PATIENCE, hears.recv()).await.expect("alice hears nothing").unwrap();
    seen(&engine, |s| s.slots.iter().any(|slot| slot.received > s.packets_refused + 10)).await;

    call(&engine, "setIsMuted", json!({ "muted": true })).await.unwrap();
    // What was under way arrives; alice's own packets are the clock.
    let received = engine.stats().packets_received;
    seen(&engine, |s| s.packets_received >= received + 20).await;
    let muted = relay.stats(1).await.packets_in;
    seen(&engine, |s| s.packets_received >= received + 40).await;
    assert_eq!(relay.stats(1).await.packets_in, muted, "sound while muted");

    call(&engine, "setIsMuted", json!({ "muted": false })).await.unwrap();
    while hears.try_recv().is_ok() {}
    timeout(PATIENCE, hears.recv()).await.expect("alice hears nothing after the mute").unwrap();
}

#[tokio::test]
async fn stopping_signs_out_and_answers_everybody() {
    let server = Server::start().await;
    let (engine, mut conversation) = ready(&server, "alice").await;
    let serve = async {
        let (id, request) = conversation.request().await;
        assert_eq!(request, Request::Logout);
        conversation.reply(id, Reply::Logout).await;
        assert_eq!(conversation.next().await, None);
    };
    tokio::join!(engine.stop(), engine.stop(), serve);
    assert_eq!(engine.next_message().await, None);
    assert_eq!(engine.next_platform_action().await, None);
    assert!(!engine.command("late".to_owned(), "getState".to_owned(), Value::Null));
    assert!(!engine.answer("late".to_owned(), Ok(Value::Null)));
    engine.platform_event(PlatformEvent::NetworkChanged);
    engine.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_dead_server() {
    let server = Server::start().await;
    let (engine, _conversation) = ready(&server, "alice").await;
    let args = json!({ "usernames": ["bob"] });
    assert!(engine.command("1".to_owned(), "startCallUsers".to_owned(), args));
    timeout(Duration::from_secs(5), engine.stop()).await.expect("waits too long");
    let Message::Reply { id, result } = message(&engine).await else { panic!("no answer") };
    assert_eq!((id.as_str(), result.unwrap_err().code), ("1", ErrorCode::NotLoggedIn));
    assert_eq!(engine.next_message().await, None);
}

/// Muted while the server could not be told, and the process is killed: in the next one's life the call comes back.
#[tokio::test]
async fn a_call_comes_back_muted_after_the_process_was_killed() {
    let folder = std::env::temp_dir().join(format!("jmrtc-killed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let server = Server::start().await;
    let call_there = || Some(session(&[], &["alice", "bob"]));
    let start = async |call_before| {
        let engine = Engine::start(EngineConfig { folder: Some(folder.clone()), ..config(&server) }).unwrap();
        let (login, conversation) = tokio::join!(call(&engine, "login", json!({ "token": "t" })), async {
            let mut conversation = server.accept().await;
            conversation.welcome_back("bob", call_before).await;
            conversation
        });
        login.unwrap();
        call(&engine, "initEngine", Value::Null).await.unwrap();
        (engine, conversation)
    };
    let (engine, conversation) = start(call_there()).await;
    assert_eq!(call(&engine, "isMuted", Value::Null).await.unwrap(), json!(false));
    drop(conversation);
    while call(&engine, "getState", Value::Null).await.unwrap()["login"] != "reconnecting" {}
    call(&engine, "setIsMuted", json!({ "muted": true })).await.unwrap();
    drop(engine);

    let (engine, mut conversation) = start(call_there()).await;
    assert_eq!(call(&engine, "isMuted", Value::Null).await.unwrap(), json!(true));
    // Now the server is told.
    let told = Request::Mute { channel_id: channel(), muted: true };
    while conversation.request().await.1 != told {}
    call(&engine, "setIsMuted", json!({ "muted": false })).await.unwrap();
    drop((engine, conversation));
    let (engine, _conversation) = start(call_there()).await;
    assert_eq!(call(&engine, "isMuted", Value::Null).await.unwrap(), json!(false));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_bridge_is_asked_for_the_microphone() {
    let server = Server::start().await;
    let engine = Engine::start(EngineConfig { platform: Platform::Bridged, ..config(&server) }).unwrap();
    let welcome = async {
        let mut conversation = server.accept().await;
        conversation.welcome("alice").await;
        conversation
    };
    let (login, _conversation) = tokio::join!(call(&engine, "login", json!({ "token": "t" })), welcome);
    login.unwrap();
    let bridge = async {
        let action = timeout(PATIENCE, engine.next_platform_action()).await.unwrap();
        assert_eq!(action, Some(PlatformAction::RequestMicrophone));
        engine.platform_event(PlatformEvent::Microphone { granted: false });
    };
    let (init, ()) = tokio::join!(call(&engine, "initEngine", Value::Null), bridge);
    assert_eq!(init.unwrap_err().code, ErrorCode::PermissionDenied);
}

#[tokio::test]
async fn a_run_is_written_down_and_plays_again() {
    let path = std::env::temp_dir().join(format!("jmrtc-transcript-{}.jsonl", std::process::id()));
    let server = Server::start().await;
    let engine = Engine::start(EngineConfig { transcript: Some(path.clone()), ..config(&server) }).unwrap();
    let (login, ()) = tokio::join!(call(&engine, "login", json!({ "token": "t" })), async {
        let mut conversation = server.accept().await;
        conversation.welcome("alice").await;
    });
    login.unwrap();
    call(&engine, "nonsense", json!([1, 2])).await.unwrap_err();
    engine.stop().await;
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let steps = jmrtc_call::transcript::replay(text.lines()).unwrap();
    assert!(steps >= 4, "{steps} steps");
}
