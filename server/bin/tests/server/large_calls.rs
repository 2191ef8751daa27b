//! As many members as a call may have, with as much in their profiles as there may be.

use jmrtc_protocol::limits::{MAX_MEMBERS, MAX_SERVER_MESSAGE_BYTES, MAX_USER_BYTES};
use jmrtc_protocol::{Reply, ServerEvent, ServerMessage, Session, decode_server};
use serde_json::{Value, json};

use crate::support::{Client, Server};

/// What a client of ours reads; fails where it would not.
fn read(message: Value) -> ServerMessage {
    let text = message.to_string();
    assert!(text.len() <= MAX_SERVER_MESSAGE_BYTES, "{} bytes", text.len());
    decode_server(&text).unwrap()
}

async fn event(client: &mut Client, kind: &str) -> ServerEvent {
    let message = read(client.event(kind).await);
    let ServerMessage::Event { event, .. } = message else { panic!("{message:?}") };
    event
}

/// All are in it, each with its whole profile and what the viewer keeps about it.
fn assert_whole(session: &Session, inviting: usize, noted: bool) {
    let members = session.inviting_members.iter().chain(&session.joined_members);
    assert_eq!((session.inviting_members.len(), members.clone().count()), (inviting, MAX_MEMBERS));
    for user in members {
        assert_eq!((user.profile.nickname.len(), user.profile.region.len()), (900, 900), "{}", user.username);
        let expected = if noted && user.username.as_str() != "user0" { 1_000 } else { 0 };
        assert_eq!(user.relation.note_text.len(), expected, "{}", user.username);
    }
}

#[tokio::test]
async fn the_largest_call_reaches_every_device_whole() {
    let server = Server::start_with(&["--max-members", &MAX_MEMBERS.to_string(), "--grace-time", "20s"]);
    let backend = server.backend();
    let names: Vec<String> = (0..MAX_MEMBERS).map(|n| format!("user{n}")).collect();
    let profile = json!({"nickname": "n".repeat(900), "region": "r".repeat(900)}).to_string();
    let relation = json!({"noteText": "t".repeat(1_000), "noteName": "n".repeat(900)}).to_string();
    for name in &names {
        server.http("PUT", &format!("/v1/users/{name}"), Some(&backend), &profile).await;
    }
    for name in &names[1..] {
        let path = format!("/v1/users/user0/relations/{name}");
        assert_eq!(server.http("PUT", &path, Some(&backend), &relation).await.0, 200);
    }
    let mut alice = server.connect().await;
    let welcome = alice.hello(&server.token("user0"), "phone", None).await;
    let mut bob = server.sign_in("user1").await;
    let start = alice.request(json!({"method": "start", "usernames": names[1..]})).await;
    let ServerMessage::Reply { reply: Reply::Start { session, failed, .. }, .. } = read(start) else {
        panic!("not started")
    };
    assert_eq!(failed, []);
    assert_whole(&session, MAX_MEMBERS - 1, true);
    let channel = session.channel_id;

    let ServerEvent::Invited { session, .. } = event(&mut bob, "invited").await else {
        panic!("not invited")
    };
    assert_whole(&session, MAX_MEMBERS - 1, false);
    let accept = |stay: usize| json!({"method": "accept", "channelId": channel, "stay": stay});
    let ServerMessage::Reply { reply: Reply::Accept { session, .. }, .. } =
        read(bob.request(accept(1)).await)
    else {
        panic!("not in it")
    };
    assert_whole(&session, MAX_MEMBERS - 2, false);
    alice.event("joined").await;
    let mut last_seen = 0;
    for (stay, name) in names.iter().enumerate().take(10).skip(2) {
        let mut client = server.sign_in(name).await;
        event(&mut client, "invited").await;
        client.request(accept(stay)).await;
        let joined = alice.event("joined").await;
        last_seen = joined["seq"].as_u64().unwrap();
        assert!(joined.to_string().len() <= MAX_USER_BYTES);
        let ServerMessage::Event { event: ServerEvent::Joined { user, .. }, .. } = read(joined) else {
            panic!()
        };
        assert_eq!((user.username.as_str(), user.relation.note_text.len()), (name.as_str(), 1_000));
    }

    // A lost connection loses nothing.
    drop(alice);
    bob.request(json!({"method": "mute", "channelId": channel, "muted": true})).await;
    let mut alice = server.connect().await;
    let resume = json!({"secret": welcome["secret"], "seq": last_seen});
    let ServerMessage::Welcome(back) = read(alice.hello(&server.token("user0"), "phone", Some(resume)).await)
    else {
        panic!("not welcome")
    };
    assert_eq!((back.resumed, back.call), (true, None));
    let ServerEvent::Muted { user, muted, .. } = event(&mut alice, "muted").await else { panic!("not told") };
    assert_eq!((user.username.as_str(), muted), ("user1", true));

    // An app that is started anew is told the whole call.
    drop(alice);
    let mut alice = server.connect().await;
    let ServerMessage::Welcome(back) = read(alice.hello(&server.token("user0"), "phone", None).await) else {
        panic!("not welcome")
    };
    let session = back.call.unwrap();
    assert_whole(&session, MAX_MEMBERS - 10, true);
    assert_eq!(session.muted_members.len(), 1);
    let more = json!({"method": "invite", "channelId": channel, "usernames": ["echo"]});
    assert_eq!(bob.failure(more).await, "LIMIT_EXCEEDED");
    assert_eq!(server.metric("jmrtc_overloads_total").await, 0);
}
