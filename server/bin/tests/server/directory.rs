//! Profiles, relations and call records: by signalling and over REST, for users and for the company's backend.

use crate::support::{Server, token, unix_s};
use serde_json::{Value, json};

/// The usernames in a list of `{user: …}` or of users.
fn names(list: &Value) -> Vec<&str> {
    let name = |item: &'static str, user: &Value| user[item].as_str().is_some();
    list.as_array()
        .unwrap_or_else(|| panic!("{list}"))
        .iter()
        .map(|item| if name("username", item) { &item["username"] } else { &item["user"]["username"] })
        .map(|name| name.as_str().unwrap())
        .collect()
}

fn channels(answer: &Value) -> Vec<&str> {
    let calls = answer["calls"].as_array().unwrap_or_else(|| panic!("{answer}"));
    calls.iter().map(|call| call["channelId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_user_manages_its_own_profile_and_relations() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    let profile = json!({"nickname": "Älice", "extras": {"team": "red"}});
    let changed = alice.request(json!({"method": "updateProfile", "profile": profile})).await;
    assert_eq!(changed["reply"]["user"]["nickname"], "Älice", "{changed}");
    alice.request(json!({"method": "updateProfile", "profile": {"gender": "female"}})).await;
    let relation = json!({"noteName": "Al", "isFriend": true});
    let changed =
        bob.request(json!({"method": "updateRelation", "username": "alice", "relation": relation})).await;
    assert_eq!(changed["reply"]["user"]["noteName"], "Al", "{changed}");
    let quiet = json!({"isNoDisturb": true});
    bob.request(json!({"method": "updateRelation", "username": "alice", "relation": quiet})).await;

    let asked = json!({"method": "users", "usernames": ["nobody", "alice", "bob", "alice"]});
    let seen = bob.request(asked.clone()).await;
    assert_eq!(names(&seen["reply"]["users"]), ["alice", "bob"]);
    assert_eq!(seen["reply"]["failed"], json!([{"username": "nobody", "name": "USER_UNAVAILABLE"}]));
    let user = &seen["reply"]["users"][0];
    for (field, value) in [
        ("nickname", json!("Älice")),
        ("gender", json!("female")),
        ("extras", json!({"team": "red"})),
        ("noteName", json!("Al")),
        ("isFriend", json!(true)),
        ("isNoDisturb", json!(true)),
    ] {
        assert_eq!(user[field], value, "{field}");
    }
    let own = alice.request(asked).await;
    assert_eq!(own["reply"]["users"][0]["noteName"], "", "what Bob keeps is Bob's");

    // The rooms know at once: it rings silently, under the name that Bob gave.
    alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
    let session = bob.event("invited").await["event"]["session"].clone();
    assert_eq!((&session["silent"], &session["inviter"]["noteName"]), (&json!(true), &json!("Al")));
    assert_eq!(session["inviter"]["nickname"], "Älice");
}

#[tokio::test]
async fn who_is_blocked_rings_without_an_answer_and_the_other_never_learns_of_it() {
    let server = Server::start_with(&["--ring-time", "400ms"]);
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    let block = json!({"isInBlackList": true});
    bob.request(json!({"method": "updateRelation", "username": "alice", "relation": block})).await;
    let start = alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
    let channel = start["reply"]["session"]["channelId"].as_str().unwrap().to_owned();
    assert_eq!(alice.event("left").await["event"]["detail"], "noAnswer");
    alice.event("ended").await;
    bob.ping().await;

    // Who was told that a call is over finds it.
    let history = json!({"method": "history", "limit": 5});
    let of_alice = alice.request(history.clone()).await["reply"].clone();
    assert_eq!(channels(&of_alice), [channel.as_str()]);
    let call = &of_alice["calls"][0];
    assert_eq!((&call["reason"], &call["detail"]), (&json!("cancel"), &json!("noAnswer")));
    assert_eq!(names(&call["members"]), ["alice", "bob"]);
    assert_eq!(call["members"][1]["detail"], "noAnswer");
    assert_eq!(channels(&bob.request(history).await["reply"]), [""; 0]);
    let before = json!({"method": "history", "before": channel, "limit": 5});
    assert_eq!(bob.failure(before).await, "INVALID_PARAMETER");

    let path = format!("/v1/calls/{channel}");
    let of = async |token: String| server.http("GET", &path, Some(&token), "").await;
    assert_eq!(of(server.token("alice")).await, (200, call.clone()));
    assert_eq!(of(server.token("bob")).await.0, 404);
    assert_eq!(of(server.token("eve")).await.0, 404);
    let (status, record) = of(server.backend()).await;
    assert_eq!((status, &record["members"][1]["shown"]), (200, &json!(false)), "{record}");
    let (_, calls) = server.http("GET", "/v1/users/bob/calls", Some(&server.backend()), "").await;
    assert_eq!(channels(&calls), [channel.as_str()]);
    let (_, calls) = server.http("GET", "/v1/users/bob/calls", Some(&server.token("bob")), "").await;
    assert_eq!(calls, json!({"calls": [], "more": false}));
}

#[tokio::test]
async fn calls_come_page_by_page() {
    let server = Server::start();
    let mut alice = server.sign_in("alice").await;
    let mut made = Vec::new();
    for _ in 0..3 {
        let start = alice.request(json!({"method": "start", "usernames": ["echo"]})).await;
        let channel = start["reply"]["session"]["channelId"].as_str().unwrap().to_owned();
        alice.request(json!({"method": "leave", "channelId": channel, "reason": "hangup"})).await;
        made.insert(0, channel);
        // Two of the same millisecond would be told in another order.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let first = alice.request(json!({"method": "history", "limit": 2})).await["reply"].clone();
    assert_eq!((channels(&first), &first["more"]), (vec![made[0].as_str(), &made[1]], &json!(true)));
    let rest = json!({"method": "history", "before": made[1], "limit": 2});
    let rest = alice.request(rest).await["reply"].clone();
    assert_eq!((channels(&rest), &rest["more"]), (vec![made[2].as_str()], &json!(false)));
    let path = format!("/v1/users/alice/calls?before={}&limit=1", made[0]);
    for token in [server.token("alice"), server.backend()] {
        let (_, page) = server.http("GET", &path, Some(&token), "").await;
        assert_eq!((channels(&page), &page["more"]), (vec![made[1].as_str()], &json!(true)));
    }
    for limit in [0, 101] {
        assert_eq!(alice.failure(json!({"method": "history", "limit": limit})).await, "INVALID_PARAMETER");
    }
}

#[tokio::test]
async fn the_backend_manages_everything() {
    let server = Server::start();
    let backend = server.backend();
    let ask = async |method: &str, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        server.http(method, path, Some(&backend), &body).await
    };
    let (status, user) = ask("PUT", "/v1/users/bob", json!({"nickname": "Bob"})).await;
    assert_eq!((status, &user["nickname"]), (201, &json!("Bob")));
    assert_eq!(ask("PUT", "/v1/users/bob", json!({"region": "Lisbon"})).await.0, 200);
    let (_, user) = ask("GET", "/v1/users/bob", json!(null)).await;
    assert_eq!((&user["region"], &user["nickname"]), (&json!("Lisbon"), &json!("")), "replaced whole");
    // A name like any other.
    assert_eq!(ask("PUT", "/v1/users/me", json!({})).await.0, 201);
    assert_eq!(names(&ask("GET", "/v1/users", json!(null)).await.1), ["bob", "echo", "me"]);
    assert_eq!(names(&ask("GET", "/v1/users?after=bob", json!(null)).await.1), ["echo", "me"]);

    let (status, seen) = ask("PUT", "/v1/users/bob/relations/me", json!({"noteName": "Myself"})).await;
    assert_eq!((status, &seen["username"], &seen["noteName"]), (200, &json!("me"), &json!("Myself")));
    let (_, list) = ask("GET", "/v1/users/bob/relations", json!(null)).await;
    assert_eq!((names(&list), &list[0]["noteName"]), (vec!["me"], &json!("Myself")));
    assert_eq!(ask("GET", "/v1/users/bob/relations/echo", json!(null)).await.1["noteName"], "");
    ask("PUT", "/v1/users/bob/relations/me", json!({})).await;
    assert_eq!(ask("GET", "/v1/users/bob/relations", json!(null)).await.1, json!([]));

    let names_long = "n".repeat(129);
    for (method, path, body, status, error) in [
        ("GET", "/v1/users/nobody".to_owned(), json!(null), 404, "USER_UNAVAILABLE"),
        ("DELETE", "/v1/users/nobody".to_owned(), json!(null), 404, "USER_UNAVAILABLE"),
        ("DELETE", "/v1/users/echo".to_owned(), json!(null), 403, "PERMISSION_DENIED"),
        ("PUT", format!("/v1/users/{names_long}"), json!({}), 400, "INVALID_PARAMETER"),
        ("PUT", "/v1/users/%20bob".to_owned(), json!({}), 400, "INVALID_PARAMETER"),
        ("PUT", "/v1/users/bob".to_owned(), json!({"gender": "robot"}), 400, "INVALID_PARAMETER"),
        ("PUT", "/v1/users/bob".to_owned(), json!(7), 400, "INVALID_PARAMETER"),
        ("PUT", "/v1/users/bob".to_owned(), json!([]), 400, "INVALID_PARAMETER"),
        ("PUT", "/v1/users/bob".to_owned(), json!(["Mallory", "male"]), 400, "INVALID_PARAMETER"),
        ("PUT", "/v1/users/bob".to_owned(), json!({"nick": "Mallory"}), 400, "INVALID_PARAMETER"),
        ("PUT", "/v1/users/bob/relations/me".to_owned(), json!([]), 400, "INVALID_PARAMETER"),
        (
            "PUT",
            "/v1/users/bob/relations/me".to_owned(),
            json!({"isInBlacklist": true}),
            400,
            "INVALID_PARAMETER",
        ),
        ("PUT", "/v1/users/bob".to_owned(), json!({"nickname": "x".repeat(1025)}), 413, "LIMIT_EXCEEDED"),
        ("PUT", "/v1/users/bob".to_owned(), json!({"nickname": "x".repeat(20_000)}), 413, "LIMIT_EXCEEDED"),
        ("PUT", "/v1/users/bob/relations/bob".to_owned(), json!({}), 400, "INVALID_PARAMETER"),
        ("PUT", "/v1/users/bob/relations/nobody".to_owned(), json!({}), 404, "USER_UNAVAILABLE"),
        ("PUT", "/v1/users/nobody/relations/bob".to_owned(), json!({}), 404, "USER_UNAVAILABLE"),
        ("PUT", "/v1/users/bob/relations/me".to_owned(), json!({"isFriend": 1}), 400, "INVALID_PARAMETER"),
        ("GET", "/v1/users/bob/calls?limit=0".to_owned(), json!(null), 400, "INVALID_PARAMETER"),
        ("GET", "/v1/users/bob/calls?limit=x".to_owned(), json!(null), 400, "INVALID_PARAMETER"),
        ("GET", "/v1/users/bob/calls?before=x".to_owned(), json!(null), 400, "INVALID_PARAMETER"),
        ("GET", "/v1/calls/nothing".to_owned(), json!(null), 404, "USER_UNAVAILABLE"),
        ("POST", "/v1/users/bob".to_owned(), json!({}), 405, "INVALID_PARAMETER"),
    ] {
        let (got, failure) = ask(method, &path, body).await;
        assert_eq!((got, failure["name"].as_str()), (status, Some(error)), "{method} {path}: {failure}");
    }
    assert_eq!(ask("GET", "/v1/users/bob", json!(null)).await.1["region"], "Lisbon", "nothing was changed");
    // It is nobody to sign in.
    let answer = server.connect().await.hello(&backend, "d", None).await;
    assert_eq!(answer["error"]["name"], "LOGIN_REJECTED", "{answer}");
}

#[tokio::test]
async fn users_have_their_own_and_no_more() {
    let server = Server::start();
    let (alice, eve) = (server.token("alice"), server.token("eve"));
    for (path, body) in
        [("/v1/users/alice", ""), ("/v1/users/alice/relations", ""), ("/v1/users/alice/calls", "")]
    {
        assert_eq!(server.http("GET", path, Some(&alice), body).await.0, 200, "{path}");
    }
    let profile = r#"{"nickname":"Al"}"#;
    assert_eq!(server.http("PUT", "/v1/users/alice", Some(&alice), profile).await.1["nickname"], "Al");
    for (method, path) in [
        ("GET", "/v1/users/alice"),
        ("PUT", "/v1/users/alice"),
        ("DELETE", "/v1/users/alice"),
        ("DELETE", "/v1/users/eve"),
        ("GET", "/v1/users/nobody"),
        ("GET", "/v1/users/alice/relations"),
        ("GET", "/v1/users/alice/relations/eve"),
        ("PUT", "/v1/users/alice/relations/eve"),
        ("GET", "/v1/users/alice/calls"),
    ] {
        let (status, error) = server.http(method, path, Some(&eve), "{}").await;
        assert_eq!((status, &error["name"]), (403, &json!("PERMISSION_DENIED")), "{method} {path}");
        assert_eq!(server.http(method, path, None, "{}").await.0, 401, "{method} {path}");
    }
    let both = token(&json!({"iss": "app", "sub": "eve", "scope": "backend", "exp": unix_s() + 60}));
    assert_eq!(server.http("GET", "/v1/users/alice", Some(&both), "").await.0, 401);
}

#[tokio::test]
async fn a_deleted_user_is_out_of_its_call_and_can_not_come_back() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
    let start = alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
    let channel = start["reply"]["session"]["channelId"].clone();
    bob.event("invited").await;
    bob.request(json!({"method": "accept", "channelId": channel, "stay": 1})).await;
    alice.event("joined").await;

    let backend = server.backend();
    assert_eq!(server.http("DELETE", "/v1/users/bob", Some(&backend), "").await.0, 204);
    assert_eq!(bob.event("ended").await["event"]["reason"], "hangup");
    assert_eq!(bob.hear().await, Some(json!({"type": "closing", "reason": "tokenExpired"})));
    bob.is_closed().await;
    assert_eq!(alice.event("left").await["event"]["reason"], "hangup");
    alice.event("ended").await;

    let again = server.connect().await.hello(&server.token("bob"), "bob", None).await;
    assert_eq!(again["error"]["name"], "LOGIN_REJECTED", "{again}");
    assert_eq!(server.http("GET", "/v1/users/bob", Some(&server.token("bob")), "").await.0, 401);
    assert_eq!(alice.failure(json!({"method": "start", "usernames": ["bob"]})).await, "USER_UNAVAILABLE");
    let history = alice.request(json!({"method": "history", "limit": 1})).await;
    assert_eq!(names(&history["reply"]["calls"][0]["members"]), ["alice", "bob"], "the call was");

    assert_eq!(server.http("PUT", "/v1/users/bob", Some(&backend), "{}").await.0, 201);
    let mut bob = server.sign_in("bob").await;
    let history = bob.request(json!({"method": "history", "limit": 1})).await;
    assert_eq!(channels(&history["reply"]), [""; 0], "another Bob");
    let path = format!("/v1/calls/{}", channel.as_str().unwrap());
    assert_eq!(server.http("GET", &path, Some(&server.token("bob")), "").await.0, 404);
    assert_eq!(server.http("GET", &path, Some(&server.token("alice")), "").await.0, 200);
    drop((alice, bob));
    server.is_unharmed().await;
}

#[tokio::test]
async fn bad_directory_requests_are_refused_and_change_nothing() {
    let server = Server::start();
    let mut alice = server.sign_in("alice").await;
    server.sign_in("bob").await;
    let many: Vec<String> = (0..41).map(|n| format!("user{n}")).collect();
    for (request, error) in [
        (json!({"method": "users", "usernames": []}), "INVALID_PARAMETER"),
        (json!({"method": "users", "usernames": many}), "LIMIT_EXCEEDED"),
        (json!({"method": "users"}), "INVALID_PARAMETER"),
        (json!({"method": "updateProfile", "profile": {"birthday": "x"}}), "INVALID_PARAMETER"),
        (json!({"method": "updateProfile", "profile": {"nickname": "x".repeat(1025)}}), "LIMIT_EXCEEDED"),
        (json!({"method": "updateRelation", "username": "alice", "relation": {}}), "INVALID_PARAMETER"),
        (json!({"method": "updateRelation", "username": "nobody", "relation": {}}), "USER_UNAVAILABLE"),
        (json!({"method": "updateRelation", "username": "bob"}), "INVALID_PARAMETER"),
        (json!({"method": "history", "limit": -1}), "INVALID_PARAMETER"),
        (json!({"method": "history", "before": "nothing", "limit": 1}), "INVALID_PARAMETER"),
    ] {
        assert_eq!(alice.failure(request.clone()).await, error, "{request}");
    }
    // Each alone is within the limits, together they are not.
    let filled = json!({"method": "updateProfile", "profile": {"nickname": "n".repeat(1000)}});
    alice.request(filled).await;
    let more = json!({"method": "updateProfile", "profile": {"region": "r".repeat(1000)}});
    assert_eq!(alice.failure(more).await, "LIMIT_EXCEEDED");
    let seen = alice.request(json!({"method": "users", "usernames": ["alice"]})).await;
    assert_eq!(seen["reply"]["users"][0]["region"], "");
    alice.ping().await;
}
