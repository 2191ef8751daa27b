//! The JSON Schemas describe the golden messages, and refuse what is none.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

fn read(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn validator(side: &str) -> Validator {
    let path = xtask::root().join(format!("protocol/schema/{side}-message.schema.json"));
    jsonschema::validator_for(&read(path)).unwrap()
}

#[test]
fn every_fixture_is_valid_for_its_side_only() {
    let (client, server) = (validator("client"), validator("server"));
    let mut count = 0;
    for entry in fs::read_dir(xtask::root().join("protocol/fixtures")).unwrap() {
        let path = entry.unwrap().path();
        let message = read(&path);
        let is_client = path.file_name().unwrap().to_string_lossy().starts_with("client.");
        let (own, other) = if is_client { (&client, &server) } else { (&server, &client) };
        if let Err(e) = own.validate(&message) {
            panic!("{}: {e} at {}", path.display(), e.instance_path());
        }
        assert!(!other.is_valid(&message), "{} is valid for the other side too", path.display());
        count += 1;
    }
    assert!(count > 30, "only {count} fixtures were read");
}

#[test]
fn what_is_no_message_is_invalid() {
    let (client, server) = (validator("client"), validator("server"));
    for message in [
        json!(null),
        json!({}),
        json!({"type": "dance"}),
        json!({"type": "ping"}),
        json!({"type": "ping", "ack": -1}),
        json!({"type": "request", "id": 1, "request": {"method": "accept"}}),
        json!({"type": "request", "id": 1, "request": {"method": "leave", "channelId": "c", "reason": "busy"}}),
    ] {
        assert!(!client.is_valid(&message), "{message}");
    }
    let mut welcome = read(xtask::root().join("protocol/fixtures/server.welcome.json"));
    assert!(server.is_valid(&welcome));
    welcome["user"]["isFriend"] = json!("yes");
    assert!(!server.is_valid(&welcome));
}
