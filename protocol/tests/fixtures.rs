//! `fixtures/` holds a golden message for every variant that travels. Each is what the codec itself
//! writes, byte for byte once pretty-printed: a change of the wire shows as a change of these files.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jmrtc_protocol::{
    ClientMessage, Reply, Request, ServerEvent, ServerMessage, decode_client, decode_server, encode,
};
use serde::Serialize;

/// Names the variants of an enum, all of them: the match does not compile when one is missing.
macro_rules! names {
    ($function:ident, $list:ident, $type:ident { $($variant:ident => $name:literal),* $(,)? }) => {
        const $list: &[&str] = &[$($name),*];
        fn $function(value: &$type) -> &'static str {
            match value { $($type::$variant { .. } => $name),* }
        }
    };
}

names!(client_name, CLIENT, ClientMessage { Hello => "hello", Request => "request", Ping => "ping" });

names!(request_name, REQUESTS, Request {
    UpdateToken => "updateToken",
    Logout => "logout",
    Start => "start",
    Accept => "accept",
    Refuse => "refuse",
    Leave => "leave",
    Invite => "invite",
    Mute => "mute",
    Link => "link",
    Users => "users",
    UpdateProfile => "updateProfile",
    UpdateRelation => "updateRelation",
    Relations => "relations",
    History => "history",
    Preflight => "preflight",
    EndPreflight => "endPreflight",
});

names!(server_name, SERVER, ServerMessage {
    Welcome => "welcome",
    Reply => "reply",
    Failure => "failure",
    Event => "event",
    Fault => "fault",
    Pong => "pong",
    Closing => "closing",
});

names!(reply_name, REPLIES, Reply {
    UpdateToken => "updateToken",
    Logout => "logout",
    Start => "start",
    Accept => "accept",
    Refuse => "refuse",
    Leave => "leave",
    Invite => "invite",
    Mute => "mute",
    Link => "link",
    Users => "users",
    UpdateProfile => "updateProfile",
    UpdateRelation => "updateRelation",
    Relations => "relations",
    History => "history",
    EndPreflight => "endPreflight",
});

names!(event_name, EVENTS, ServerEvent {
    Invited => "invited",
    Joined => "joined",
    Left => "left",
    OthersInvited => "othersInvited",
    Ended => "ended",
    Muted => "muted",
    Slots => "slots",
});

#[test]
fn every_variant_has_a_fixture_and_every_fixture_round_trips() {
    let mut missing: Vec<String> = Vec::new();
    missing.extend(CLIENT.iter().map(|n| format!("client.{n}")));
    missing.extend(REQUESTS.iter().map(|n| format!("client.request.{n}")));
    missing.extend(SERVER.iter().map(|n| format!("server.{n}")));
    missing.extend(REPLIES.iter().map(|n| format!("server.reply.{n}")));
    missing.extend(EVENTS.iter().map(|n| format!("server.event.{n}")));

    for (name, text) in fixtures() {
        let (variant, written) = if name.starts_with("client.") {
            let message = decode_client(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            (client_variant(&message), pretty(&message))
        } else {
            let message = decode_server(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            (server_variant(&message), pretty(&message))
        };
        assert_eq!(written, text, "{name} is not as the codec writes it");
        assert!(
            name == variant || name.starts_with(&format!("{variant}.")),
            "{name}.json holds a {variant}: name it {variant}[.SPECIAL].json"
        );
        missing.retain(|m| !variant.starts_with(m.as_str()));
    }
    assert_eq!(missing, [""; 0], "variants without a file in protocol/fixtures");
}

#[test]
fn unknown_fields_are_ignored() {
    for (name, text) in fixtures() {
        let text = text.replacen('{', "{\"aFieldOfTheFuture\": [1, {\"a\": null}],", 1);
        if name.starts_with("client.") {
            decode_client(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        } else {
            decode_server(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

#[test]
fn a_side_refuses_the_messages_of_its_own() {
    for (name, text) in fixtures() {
        if name.starts_with("client.") {
            assert!(decode_server(&text).is_err(), "{name} was read as a server's");
        } else {
            assert!(decode_client(&text).is_err(), "{name} was read as a client's");
        }
    }
}

fn client_variant(message: &ClientMessage) -> String {
    match message {
        ClientMessage::Request { request, .. } => format!("client.request.{}", request_name(request)),
        ClientMessage::Hello(_) | ClientMessage::Ping { .. } => format!("client.{}", client_name(message)),
    }
}

fn server_variant(message: &ServerMessage) -> String {
    match message {
        ServerMessage::Reply { reply, .. } => format!("server.reply.{}", reply_name(reply)),
        ServerMessage::Event { event, .. } => format!("server.event.{}", event_name(event)),
        ServerMessage::Welcome(_)
        | ServerMessage::Failure { .. }
        | ServerMessage::Fault { .. }
        | ServerMessage::Pong
        | ServerMessage::Closing { .. } => format!("server.{}", server_name(message)),
    }
}

/// What the codec writes, in the fixtures' layout.
fn pretty<T: Serialize>(message: &T) -> String {
    let value: serde_json::Value = serde_json::from_str(&encode(message)).unwrap();
    serde_json::to_string_pretty(&value).unwrap() + "\n"
}

fn fixtures() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let name = name.strip_suffix(".json").unwrap_or_else(|| panic!("{name} is no fixture")).to_owned();
        found.insert(name, fs::read_to_string(path).unwrap());
    }
    found
}
