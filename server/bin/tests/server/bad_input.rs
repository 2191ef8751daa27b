//! Whatever clients send: a clear error, the connection or at least the server unharmed, no state left.

use std::time::Instant;

use crate::support::{SECRET, SOON, Server, token, token_of, unix_s};
use futures_util::SinkExt;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_bad_token_is_refused_with_its_reason() {
    let server = Server::start();
    let good = json!({"iss": "app", "sub": "alice", "exp": unix_s() + 60});
    let with = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        token(&claims)
    };
    let cases = [
        ("expired", with("exp", json!(unix_s() - 60))),
        ("not valid yet", with("nbf", json!(unix_s() + 600))),
        ("app key", with("iss", json!("other"))),
        ("no username", with("sub", json!(""))),
        ("no `exp`", token(&json!({"iss": "app", "sub": "alice"}))),
        ("no `sub`", token(&json!({"iss": "app", "exp": unix_s() + 60}))),
        ("HS384", token_of(Algorithm::HS384, SECRET, &good)),
        ("another secret", token_of(Algorithm::HS256, &SECRET.replace('a', "b"), &good)),
        ("no JWT", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImlzcyI6ImFwcCJ9.".to_owned()),
        ("no JWT", String::new()),
        ("at most", "x".repeat(9000)),
    ];
    for (why, token) in cases {
        let mut client = server.connect().await;
        let answer = client.hello(&token, "d", None).await;
        assert_eq!((&answer["type"], &answer["error"]["code"]), (&json!("fault"), &json!(871_005)), "{why}");
        let said = answer["error"]["description"].as_str().unwrap();
        assert!(said.contains(why), "{why}: {said}");
        client.is_closed().await;
        let (status, error) = server.http("GET", "/v1/users", Some(&token), "").await;
        let name = if token.is_empty() { "NOT_LOGGED_IN" } else { "LOGIN_REJECTED" };
        assert_eq!((status, &error["name"]), (401, &json!(name)), "{why}");
    }
    assert_eq!(server.metric("jmrtc_logins_refused_total").await, 11);
    server.is_unharmed().await;
}

#[tokio::test]
async fn the_first_message_must_be_a_good_hello() {
    let server = Server::start();
    let hello = |change: &dyn Fn(&mut Value)| {
        let mut hello = json!({
            "type": "hello", "protocol": 1, "token": server.token("alice"),
            "device": {"id": "d", "platform": "native"},
        });
        change(&mut hello);
        hello.to_string()
    };
    let cases = [
        ("NOT_LOGGED_IN", json!({"type": "ping", "ack": 0}).to_string()),
        ("NOT_LOGGED_IN", json!({"type": "request", "id": 1, "request": {"method": "logout"}}).to_string()),
        ("INVALID_PARAMETER", "{".to_owned()),
        ("INVALID_PARAMETER", "null".to_owned()),
        ("INVALID_PARAMETER", hello(&|h| h["protocol"] = json!(2))),
        ("INVALID_PARAMETER", hello(&|h| h["device"]["id"] = json!(""))),
        ("INVALID_PARAMETER", hello(&|h| h["device"]["id"] = json!("x".repeat(129)))),
        ("INVALID_PARAMETER", hello(&|h| h["device"] = json!(null))),
        ("LIMIT_EXCEEDED", hello(&|h| h["pad"] = json!("x".repeat(70_000)))),
        ("LIMIT_EXCEEDED", hello(&|h| h["pad"] = json!("x".repeat(400_000)))),
    ];
    for (error, text) in cases {
        let mut client = server.connect().await;
        // The server may close before it has read all of what is too long.
        let _ = client.socket.send(Message::text(text.clone())).await;
        assert_eq!(client.fault().await, error, "{}", &text[..text.len().min(200)]);
        client.is_closed().await;
    }
    let mut client = server.connect().await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.fault().await, "INVALID_PARAMETER");
    server.is_unharmed().await;
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let server = Server::start();
    let mut client = server.connect().await;
    assert_eq!(client.fault().await, "NOT_LOGGED_IN");
    client.is_closed().await;
    server.is_unharmed().await;
}

#[tokio::test]
async fn a_bad_message_harms_neither_the_connection_nor_the_call() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
    bob.event("invited").await;

    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let faults = [
        ("INVALID_PARAMETER", "not json".to_owned()),
        ("INVALID_PARAMETER", String::new()),
        ("INVALID_PARAMETER", r#"{"type":"ping","ack":0,"ack":1}"#.to_owned()),
        ("INVALID_PARAMETER", r#"{"type":"ping","ack":0} {}"#.to_owned()),
        ("INVALID_PARAMETER", r#"{"type":"ping","ack":-1}"#.to_owned()),
        ("INVALID_PARAMETER", r#"{"type":"dance"}"#.to_owned()),
        ("INVALID_PARAMETER", r#"["ping"]"#.to_owned()),
        ("INVALID_PARAMETER", deep),
        ("INVALID_PARAMETER", "\u{0}\u{1}\u{202e}".to_owned()),
        ("LIMIT_EXCEEDED", format!(r#"{{"type":"ping","ack":0,"pad":"{}"}}"#, "x".repeat(66_000))),
        (
            "INVALID_STATE",
            json!({"type": "hello", "protocol": 1, "token": server.token("alice"),
                                 "device": {"id": "d", "platform": "native"}})
            .to_string(),
        ),
    ];
    for (error, text) in &faults {
        alice.say_text(text).await;
        assert_eq!(alice.fault().await, *error, "{}", &text[..text.len().min(100)]);
        alice.ping().await;
    }
    let requests = [
        json!({"method": "dance"}),
        json!({"method": "start"}),
        json!({"method": "start", "usernames": "bob"}),
        json!({"method": "start", "usernames": [" bob"]}),
        json!({"method": "accept", "channelId": 7}),
        json!({"method": "leave", "channelId": "c", "reason": "boredom"}),
        json!("logout"),
    ];
    for request in &requests {
        assert_eq!(alice.failure(request.clone()).await, "INVALID_PARAMETER", "{request}");
    }
    alice.socket.send(Message::binary(vec![0; 10])).await.unwrap();
    assert_eq!(alice.fault().await, "INVALID_PARAMETER");
    alice.ping().await;
    bob.ping().await;
    assert_eq!(server.metric("jmrtc_calls").await, 1, "the call rings on");
    drop((alice, bob));
    server.is_unharmed().await;
}

#[tokio::test]
async fn a_message_without_end_costs_its_connection_only() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    // The server may close before it has read all of it.
    let _ = alice.socket.send(Message::text("x".repeat(1_000_000))).await;
    assert_eq!(alice.fault().await, "LIMIT_EXCEEDED");
    alice.is_closed().await;
    bob.ping().await;
    drop((alice, bob));
    server.is_unharmed().await;
}

#[tokio::test]
async fn a_burst_is_answered_message_by_message() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    for id in 1..=1000 {
        let request = json!({"method": "leave", "channelId": "none", "reason": "hangup"});
        alice
            .socket
            .feed(Message::text(json!({"type": "request", "id": id, "request": request}).to_string()))
            .await
            .unwrap();
    }
    alice.socket.flush().await.unwrap();
    bob.ping().await;
    let (mut answered, mut limited) = (std::collections::BTreeSet::new(), 0);
    while answered.len() < 1000 {
        let answer = alice.hear().await.expect("every message is answered");
        assert!(answered.insert(answer["id"].as_u64().unwrap()), "once: {answer}");
        if answer["type"] == "failure" {
            assert_eq!(answer["error"]["name"], "LIMIT_EXCEEDED");
            limited += 1;
        }
    }
    assert!((500..=800).contains(&limited), "{limited}");
    assert_eq!(server.metric("jmrtc_messages_limited_total").await, limited);
    // The bucket fills again; until then a ping is refused too.
    loop {
        alice.say(&json!({"type": "ping", "ack": 0})).await;
        match alice.hear().await.unwrap()["type"].as_str().unwrap() {
            "pong" => break,
            other => assert_eq!(other, "fault"),
        }
    }
    drop((alice, bob));
    server.is_unharmed().await;
}

#[tokio::test]
async fn a_flood_is_cut_off_with_its_reason() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    for _ in 0..3_000 {
        if alice.socket.feed(Message::text("{")).await.is_err() {
            break;
        }
    }
    let _ = alice.socket.flush().await;
    let last = loop {
        let message = alice.hear().await.expect("the reason comes before the end");
        if message["type"] != "fault" {
            break message;
        }
    };
    assert_eq!(last, json!({"type": "closing", "reason": "overload"}));
    bob.ping().await;
    assert_eq!(server.metric("jmrtc_overloads_total").await, 1);
    drop((alice, bob));
    server.is_unharmed().await;
}

#[tokio::test]
async fn too_many_names_are_refused_and_harm_no_call() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    let mut eve = server.sign_in("eve").await;
    // As short as names of so many can be: longer ones are too long a message before they are too many.
    let digits: Vec<char> = ('0'..='9').chain('a'..='z').collect();
    let name = |n: usize| [n / 1296, n / 36 % 36, n % 36].map(|at| digits[at]).iter().collect::<String>();
    let many: Vec<String> = (0..10_000).map(name).collect();
    let start = alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
    let channel = start["reply"]["session"]["channelId"].clone();
    bob.event("invited").await;
    bob.request(json!({"method": "accept", "channelId": channel, "stay": 1})).await;
    alice.event("joined").await;
    let invite = |names: &[String]| json!({"method": "invite", "channelId": channel, "usernames": names});
    assert_eq!(eve.failure(json!({"method": "start", "usernames": many})).await, "LIMIT_EXCEEDED");
    for names in [&many[..], &many[..40]] {
        assert_eq!(alice.failure(invite(names)).await, "LIMIT_EXCEEDED", "{} names", names.len());
    }
    // Also where they are so many that nobody reads on: no request of hers is known, and the call goes on.
    let long: Vec<String> = (0..10_000).map(|n| format!("somebody{n}")).collect();
    alice.say(&json!({"type": "request", "id": 99, "request": invite(&long)})).await;
    assert_eq!(alice.fault().await, "LIMIT_EXCEEDED");
    for client in [&mut alice, &mut bob, &mut eve] {
        client.ping().await;
    }
    bob.request(json!({"method": "leave", "channelId": channel, "reason": "hangup"})).await;
    alice.event("left").await;
    assert_eq!(alice.event("ended").await["event"]["session"]["invitingMembers"], json!([]));
    drop((alice, bob, eve));
    server.is_unharmed().await;
}

#[tokio::test]
async fn a_member_that_floods_harms_the_call_of_the_others_not() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    let mut mallory = server.sign_in("mallory").await;
    let start = alice.request(json!({"method": "start", "usernames": ["bob", "mallory"]})).await;
    let channel = start["reply"]["session"]["channelId"].clone();
    for client in [&mut bob, &mut mallory] {
        let stay = client.event("invited").await["event"]["stay"].clone();
        client.request(json!({"method": "accept", "channelId": channel, "stay": stay})).await;
        alice.event("joined").await;
    }
    bob.event("joined").await;
    for id in 1_000..4_000 {
        let mute = json!({"method": "mute", "channelId": channel, "muted": id % 2 == 0});
        let message = json!({"type": "request", "id": id, "request": mute}).to_string();
        if mallory.socket.feed(Message::text(message)).await.is_err() {
            break;
        }
    }
    let _ = mallory.socket.flush().await;
    // Those that were admitted are told, each in its order; then nobody hears of mallory any more but that it is gone.
    let mut told = false;
    loop {
        let event = alice.hear().await.expect("the call goes on");
        match event["event"]["type"].as_str().unwrap() {
            "muted" => {
                assert_ne!(event["event"]["muted"], told, "{event}");
                told = !told;
            }
            other => {
                assert_eq!((other, &event["event"]["reason"]), ("left", &json!("networkError")));
                break;
            }
        }
    }
    assert_eq!(server.metric("jmrtc_overloads_total").await, 1);
    bob.request(json!({"method": "mute", "channelId": channel, "muted": true})).await;
    assert_eq!(alice.event("muted").await["event"]["user"]["username"], "bob");
    bob.request(json!({"method": "leave", "channelId": channel, "reason": "hangup"})).await;
    alice.event("left").await;
    drop((alice, bob, mallory));
    server.is_unharmed().await;
}

#[tokio::test]
async fn who_calls_and_hangs_up_again_and_again_is_slowed_down_on_all_devices() {
    let server = Server::start_with(&["--invitations", "1", "--max-members", "2"]);
    let mut bob = server.sign_in("bob").await;
    let mut devices = Vec::new();
    for device in ["phone", "tablet", "web"] {
        let mut client = server.connect().await;
        client.hello(&server.token("alice"), device, None).await;
        devices.push(client);
    }
    let start = json!({"method": "start", "usernames": ["bob"]});
    // As many as fill four calls.
    for n in 0..8 {
        let alice = &mut devices[n % 3];
        let channel = alice.request(start.clone()).await["reply"]["session"]["channelId"].clone();
        bob.event("invited").await;
        alice.request(json!({"method": "leave", "channelId": channel, "reason": "hangup"})).await;
        bob.event("ended").await;
    }
    for alice in &mut devices {
        assert_eq!(alice.failure(start.clone()).await, "LIMIT_EXCEEDED");
    }
    bob.ping().await;
    let mut carol = server.sign_in("carol").await;
    assert_eq!(carol.request(start).await["type"], "reply");
    drop((bob, carol, devices));
    server.is_unharmed().await;
}

#[tokio::test]
async fn who_asks_without_end_over_rest_is_told_to_slow_down_and_the_backend_is_not() {
    let server = Server::start();
    server.sign_in("mallory").await;
    let asked = async |token: &str| {
        let gets = (0..250).map(|_| server.http("GET", "/v1/users/mallory", Some(token), ""));
        futures_util::future::join_all(gets).await
    };
    let (mut answers, mallory) = (Vec::new(), server.token("mallory"));
    // However slow the machine is: 50 a second come back.
    while answers.iter().all(|(status, _)| *status == 200) {
        answers.extend(asked(&mallory).await);
        assert!(answers.len() < 5_000, "there is no limit");
    }
    assert!(answers.iter().filter(|(status, _)| *status == 200).count() >= 200);
    let (status, error) = answers.iter().find(|(status, _)| *status != 200).unwrap();
    assert_eq!((*status, &error["name"]), (429, &json!("LIMIT_EXCEEDED")));
    assert!(asked(&server.backend()).await.iter().all(|(status, _)| *status == 200));
    assert_eq!(server.http("GET", "/v1/users/bob", Some(&server.token("bob")), "").await.0, 200);
}

#[tokio::test]
async fn who_changes_a_profile_without_end_holds_nobody_up_on_no_connection() {
    let server = Server::start();
    let (mut bob, mallory) = (server.sign_in("bob").await, server.token("mallory"));
    server.sign_in("mallory").await;
    let begun = Instant::now();
    let puts = (0..300).map(async |n| {
        let (path, body) = match n % 2 {
            0 => ("/v1/users/mallory", json!({"nickname": n.to_string()})),
            _ => ("/v1/users/mallory/relations/bob", json!({"noteName": n.to_string()})),
        };
        server.http("PUT", path, Some(&mallory), &body.to_string()).await
    });
    let bystander = async {
        let mut carol = server.sign_in("carol").await;
        carol.request(json!({"method": "start", "usernames": ["bob"]})).await;
        bob.event("invited").await;
        carol
    };
    let (answers, carol) = tokio::join!(futures_util::future::join_all(puts), bystander);
    for (status, error) in answers.iter().filter(|(status, _)| *status != 200) {
        assert_eq!((*status, &error["name"]), (429, &json!("LIMIT_EXCEEDED")));
    }
    let mut made = answers.iter().filter(|(status, _)| *status == 200).count();
    // A new connection is no new user.
    let mut again = server.sign_in("mallory").await;
    for _ in 0..50 {
        let answer = again.request(json!({"method": "updateProfile", "profile": {"nickname": "M"}})).await;
        match answer["type"].as_str() {
            Some("reply") => made += 1,
            _ => assert_eq!(answer["error"]["name"], "LIMIT_EXCEEDED"),
        }
    }
    let most = 40 + 2 * (begun.elapsed().as_secs() as usize + 1);
    assert!((40..=most).contains(&made), "{made} of {most}");
    // The company's backend may do as it likes.
    for _ in 0..50 {
        let (status, _) =
            server.http("PUT", "/v1/users/mallory/relations/bob", Some(&server.backend()), "{}").await;
        assert_eq!(status, 200);
    }
    drop((bob, carol, again));
    server.is_unharmed().await;
}

#[tokio::test]
async fn a_head_or_body_that_never_comes_holds_no_connection() {
    let server = Server::start();
    for begun in [
        "",
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\n",
        "POST /v1/dev/token HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n\r\n{",
    ] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(SOON * 2, stream.read_to_end(&mut answer))
            .await
            .expect("the server hangs up")
            .unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{begun:?}: {answer}");
    }
}

#[tokio::test]
async fn who_sends_and_never_reads_is_not_waited_for() {
    let server = Server::start_with(&["--ping-time", "300ms"]);
    let mut alice = server.sign_in("alice").await;
    // Each is answered by a fault; nobody takes the answers, until the sockets between are full.
    let flood = async { while alice.socket.send(Message::text("{")).await.is_ok() {} };
    tokio::time::timeout(SOON * 3, flood).await.expect("the server hangs up");
    server.is_unharmed().await;
}

#[tokio::test]
async fn the_wrong_role_call_or_state_is_told() {
    let server = Server::start();
    let mut alice = server.sign_in("alice").await;
    let (mut bob, mut eve) = (server.sign_in("bob").await, server.sign_in("eve").await);

    assert_eq!(alice.failure(json!({"method": "start", "usernames": ["nobody"]})).await, "USER_UNAVAILABLE");
    assert_eq!(alice.failure(json!({"method": "start", "usernames": ["alice"]})).await, "INVALID_PARAMETER");
    assert_eq!(alice.failure(json!({"method": "start", "usernames": []})).await, "INVALID_PARAMETER");
    let many: Vec<String> = (0..100).map(|n| format!("user{n}")).collect();
    assert_eq!(alice.failure(json!({"method": "start", "usernames": many})).await, "LIMIT_EXCEEDED");
    assert_eq!(
        alice.failure(json!({"method": "accept", "channelId": "none", "stay": 1})).await,
        "CALL_ENDED"
    );
    assert_eq!(
        alice.failure(json!({"method": "refuse", "channelId": "none", "stay": 1})).await,
        "CALL_ENDED"
    );

    let start = alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
    let channel = start["reply"]["session"]["channelId"].clone();
    bob.event("invited").await;
    assert_eq!(alice.failure(json!({"method": "start", "usernames": ["eve"]})).await, "ALREADY_IN_CALL");
    for (who, client) in [("caller", &mut alice), ("stranger", &mut eve)] {
        let answer = client.request(json!({"method": "refuse", "channelId": channel, "stay": 1})).await;
        assert_eq!(answer["type"], "failure", "{who}: {answer}");
    }
    for request in [
        json!({"method": "accept", "channelId": channel, "stay": 1}),
        json!({"method": "invite", "channelId": channel, "usernames": ["eve"]}),
        json!({"method": "link", "channelId": channel, "stay": 1, "generation": 1, "offer": "v=0"}),
    ] {
        assert_eq!(eve.failure(request.clone()).await, "CALL_ENDED", "a stranger learns nothing: {request}");
    }
    assert_eq!(
        bob.failure(json!({"method": "invite", "channelId": channel, "usernames": ["eve"]})).await,
        "INVALID_STATE"
    );
    for offer in ["", "v=0", "m=video 9 x 1\r\na=mid:0\r\n", "m=audio 9 x 1\r\na=mid:0\r\na=recvonly\r\n"] {
        let link =
            json!({"method": "link", "channelId": channel, "stay": 1, "generation": 1, "offer": offer});
        assert_eq!(bob.failure(link).await, "INVALID_PARAMETER", "{offer}");
    }
    let link = json!({"method": "link", "channelId": channel, "stay": 1, "generation": 1, "offer": "x".repeat(50_000)});
    let error = bob.failure(link).await;
    assert!(["INVALID_PARAMETER", "LIMIT_EXCEEDED"].contains(&error.as_str()), "{error}");
    eve.ping().await;
    bob.request(json!({"method": "refuse", "channelId": channel, "stay": 1})).await;
    assert_eq!(bob.event("ended").await["event"]["reason"], "refuse");
    alice.event("left").await;
    assert_eq!(alice.event("ended").await["event"]["reason"], "refuse");
    assert_eq!(server.metric("jmrtc_calls").await, 0);
    drop((alice, bob, eve));
    server.is_unharmed().await;
}
