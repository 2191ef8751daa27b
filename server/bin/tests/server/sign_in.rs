//! Connections and sign-ins: welcome, resume, replacement, expiry, silence.

use std::time::{Duration, Instant};

use crate::support::{Server, token, unix_s};
use serde_json::json;

#[tokio::test]
async fn hello_is_welcomed_with_the_servers_settings() {
    let server = Server::start_with(&["--ring-time", "7s", "--slots", "3", "--max-members", "9"]);
    let mut alice = server.connect().await;
    let welcome = alice.hello(&server.token("alice"), "phone", None).await;
    assert_eq!(welcome["user"]["username"], "alice");
    assert_eq!(welcome["user"]["appKey"], "app");
    assert_eq!(welcome["resumed"], false);
    let settings = json!({"ringMs": 7000, "graceMs": 500, "pingMs": 10_000, "maxMembers": 9, "slots": 3});
    assert_eq!(welcome["settings"], settings);
    alice.ping().await;
    let (_, users) = server.http("GET", "/v1/users", Some(&server.token("bob")), "").await;
    let online: Vec<bool> =
        users.as_array().unwrap().iter().map(|u| u["online"].as_bool().unwrap()).collect();
    assert_eq!(online, [true, false, true], "alice, bob, echo");
    assert_eq!(server.metric("jmrtc_users_online").await, 2);
    let reply = alice.request(json!({"method": "logout"})).await;
    assert_eq!(reply["reply"]["method"], "logout");
    alice.is_closed().await;
    server.is_unharmed().await;
}

#[tokio::test]
async fn who_comes_back_in_time_gets_what_was_missed_once() {
    let server = Server::start_with(&["--grace-time", "20s"]);
    let mut bob = server.connect().await;
    let welcome = bob.hello(&server.token("bob"), "phone", None).await;
    let mut alice = server.sign_in("alice").await;
    // The cable is pulled: no close frame.
    drop(bob);
    server.until_metric("jmrtc_connections", 1).await;
    alice.request(json!({"method": "start", "usernames": ["bob"]})).await;

    let resume = json!({"secret": welcome["secret"], "seq": 0});
    let mut bob = server.connect().await;
    let back = bob.hello(&server.token("bob"), "phone", Some(resume)).await;
    assert_eq!(back["resumed"], true);
    assert_eq!(bob.event("invited").await["seq"], 1);
    bob.ping().await;

    let mut bob_again = server.connect().await;
    let resume = json!({"secret": back["secret"], "seq": 1});
    let again = bob_again.hello(&server.token("bob"), "phone", Some(resume)).await;
    assert_eq!(again["resumed"], true, "the old socket need not be gone");
    bob_again.ping().await;

    let mut thief = server.connect().await;
    let resume = json!({"secret": again["secret"], "seq": 0});
    let other = thief.hello(&server.token("mallory"), "phone", Some(resume)).await;
    assert_eq!((&other["user"]["username"], &other["resumed"]), (&json!("mallory"), &json!(false)));
}

#[tokio::test]
async fn a_silent_connection_is_given_up_and_a_pinging_one_is_not() {
    let server = Server::start_with(&["--ping-time", "300ms"]);
    let mut alice = server.sign_in("alice").await;
    let mut bob = server.sign_in("bob").await;
    for _ in 0..6 {
        alice.ping().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bob.is_closed().await;
    alice.ping().await;
    server.until_metric("jmrtc_connections", 1).await;
}

/// Of a connection that breaks after a silence the grace time has begun with the first ping that did not come.
#[tokio::test]
async fn a_silence_before_a_connection_breaks_counts() {
    let server = Server::start_with(&["--ping-time", "1500ms", "--grace-time", "4s"]);
    let mut alice = server.sign_in("alice").await;
    let mut bob = server.sign_in("bob").await;
    let start = alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
    bob.event("invited").await;
    bob.request(json!({"method": "accept", "channelId": start["reply"]["session"]["channelId"], "stay": 1}))
        .await;
    alice.event("joined").await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        alice.ping().await;
    }
    drop(bob);
    let broken = Instant::now();
    alice.event("left").await;
    assert!(broken.elapsed() < Duration::from_secs(3), "{:?} after it broke", broken.elapsed());
}

#[tokio::test]
async fn a_token_that_expires_ends_the_connection_unless_it_is_renewed() {
    let server = Server::start();
    let short = |user: &str| token(&json!({"iss": "app", "sub": user, "exp": unix_s() + 2}));
    let mut alice = server.connect().await;
    alice.hello(&short("alice"), "a", None).await;
    let mut bob = server.connect().await;
    bob.hello(&short("bob"), "b", None).await;
    let update = |token: String| json!({"method": "updateToken", "token": token});
    assert_eq!(bob.failure(update("x".into())).await, "LOGIN_REJECTED");
    assert_eq!(bob.failure(update(server.token("alice"))).await, "LOGIN_REJECTED");
    assert_eq!(bob.request(update(server.token("bob"))).await["reply"]["method"], "updateToken");
    assert_eq!(alice.hear().await, Some(json!({"type": "closing", "reason": "tokenExpired"})));
    alice.is_closed().await;
    bob.ping().await;
}

#[tokio::test]
async fn a_token_that_expires_in_a_call_holds_until_its_end() {
    let server = Server::start();
    let mut alice = server.connect().await;
    alice.hello(&token(&json!({"iss": "app", "sub": "alice", "exp": unix_s() + 2})), "a", None).await;
    let mut bob = server.sign_in("bob").await;
    let start = alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
    bob.event("invited").await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    alice.ping().await;
    bob.request(json!({"method": "refuse", "channelId": start["reply"]["session"]["channelId"], "stay": 1}))
        .await;
    alice.event("left").await;
    alice.event("ended").await;
    assert_eq!(alice.hear().await, Some(json!({"type": "closing", "reason": "tokenExpired"})));
}

#[tokio::test]
async fn pages_of_other_origins_are_let_in_only_if_told() {
    let server = Server::start_with(&["--origin", "https://app.example,http://localhost:8000"]);
    assert_eq!(server.connect_from("https://app.example").await, 101);
    assert_eq!(server.connect_from(&format!("http://{}", server.address)).await, 101, "the demo page");
    assert_eq!(server.connect_from("https://evil.example").await, 403);
    server.sign_in("native").await;
    let open = Server::start();
    assert_eq!(open.connect_from("https://anything.example").await, 101);
}

#[tokio::test]
async fn the_same_device_replaces_itself() {
    let server = Server::start();
    let mut first = server.sign_in("alice").await;
    let mut second = server.sign_in("alice").await;
    assert_eq!(first.hear().await, Some(json!({"type": "closing", "reason": "replaced"})));
    first.is_closed().await;
    second.ping().await;
}
