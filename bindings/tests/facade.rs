//! The facade without a server: what Kotlin and Swift can rely on. Real calls: testing/kotlin.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use jmrtc::{AudioBackend, Engine, EngineConfig, Message, PlatformEvent, StartError};
use serde_json::{Value, json};

fn config() -> EngineConfig {
    EngineConfig {
        device_id: "test".to_owned(),
        server_url: None,
        audio: AudioBackend::Silent,
        udp: true,
        folder: None,
        transcript_path: None,
    }
}

fn start() -> Arc<Engine> {
    Engine::start(config()).unwrap()
}

async fn next(engine: &Engine) -> Option<Message> {
    tokio::time::timeout(Duration::from_secs(10), engine.next_message()).await.unwrap()
}

/// The next message, which must be a reply: its id, whether it succeeded, its value.
async fn reply(engine: &Engine) -> (String, bool, Value) {
    match next(engine).await {
        Some(Message::Reply { id, ok, json }) => (id, ok, serde_json::from_str(&json).unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_command_is_answered_in_order() {
    let engine = start();
    for (id, (method, args)) in
        [("init", ""), ("isMuted", "null"), ("dance", "{}"), ("init", "{"), ("getState", " ")]
            .into_iter()
            .enumerate()
    {
        assert!(engine.command(id.to_string(), method.to_owned(), args.to_owned()));
    }
    let mut failures = Vec::new();
    for _ in 0..5 {
        let (id, ok, value) = reply(&engine).await;
        if !ok {
            failures.push((id, value["code"].clone(), value["name"].clone()));
        }
    }
    // What is not JSON never reaches the engine, so it is answered ahead of its turn.
    failures.sort_by(|a, b| a.0.cmp(&b.0));
    let parameter = |id: &str| (id.to_owned(), json!(871_003), json!("INVALID_PARAMETER"));
    let not_initialized = ("1".to_owned(), json!(871_006), json!("NOT_INITIALIZED"));
    assert_eq!(failures, [not_initialized, parameter("2"), parameter("3")]);
    engine.stop().await;
}

/// Whoever asks many things at once hears the answers in the order in which they were given.
#[tokio::test]
async fn answers_that_come_together_keep_their_order() {
    let engine = start();
    const MANY: u32 = 2_000;
    let asked = tokio::task::spawn_blocking({
        let engine = engine.clone();
        move || {
            for id in 0..MANY {
                assert!(engine.command(id.to_string(), "isMuted".to_owned(), String::new()));
            }
        }
    });
    for id in 0..MANY {
        assert_eq!(reply(&engine).await.0, id.to_string());
    }
    asked.await.unwrap();
    engine.stop().await;
}

#[tokio::test]
async fn a_stop_answers_what_was_taken_on_and_then_ends_both_loops() {
    let engine = start();
    for id in 0..100 {
        assert!(engine.command(id.to_string(), "isMuted".to_owned(), String::new()));
    }
    let stopping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.stop().await }
    });
    let mut answered = 0;
    while let Some(message) = next(&engine).await {
        assert!(matches!(message, Message::Reply { .. }), "{message:?}");
        answered += 1;
    }
    assert_eq!(answered, 100);
    stopping.await.unwrap();
    assert_eq!(engine.next_platform_action().await, None);
    assert!(!engine.command("late".to_owned(), "isMuted".to_owned(), String::new()));
    engine.platform_event(PlatformEvent::NetworkChanged);
    engine.stop().await;
    assert_eq!(next(&engine).await, None);
}

#[tokio::test]
async fn a_loop_may_be_cancelled_and_begun_again() {
    let engine = start();
    for _ in 0..10 {
        tokio::time::timeout(Duration::from_millis(1), engine.next_message()).await.unwrap_err();
    }
    assert!(engine.command("x".to_owned(), "init".to_owned(), String::new()));
    assert_eq!(reply(&engine).await, ("x".to_owned(), true, json!({})));
}

#[test]
fn a_bad_config_is_refused() {
    for device_id in [String::new(), "x".repeat(129)] {
        let config = EngineConfig { device_id, ..config() };
        assert!(matches!(Engine::start(config), Err(StartError::Config { .. })));
    }
    let config = EngineConfig { transcript_path: Some("/does/not/exist/at/all".to_owned()), ..config() };
    assert!(matches!(Engine::start(config), Err(StartError::System { .. })));
}
