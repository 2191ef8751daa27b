//! JSON text to messages and back. Stricter than JSON: duplicate keys, deep nesting and oversize
//! messages are refused, so that two parsers can never read two things out of one message.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{MAX_JSON_DEPTH, MAX_MESSAGE_BYTES, MAX_SERVER_MESSAGE_BYTES};
use crate::{ClientMessage, ErrorCode, Failure, RequestId, ServerMessage};

/// A message that could not be read. Answer a client's with `failure` where `id` is known, else with `fault`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// The id of the request that the message seems to be.
    pub id: Option<RequestId>,
    /// What to answer.
    pub failure: Failure,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure.description)
    }
}

impl std::error::Error for DecodeError {}

/// Reads what a client sent.
pub fn decode_client(text: &str) -> Result<ClientMessage, DecodeError> {
    decode(text, MAX_MESSAGE_BYTES)
}

/// Reads what a server sent.
pub fn decode_server(text: &str) -> Result<ServerMessage, DecodeError> {
    decode(text, MAX_SERVER_MESSAGE_BYTES)
}

/// Writes a message.
pub fn encode<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).unwrap_or_else(|e| {
        // Only maps with non-string keys and failing Serialize impls can fail; messages have neither.
        unreachable!("a message could not be written: {e}")
    })
}

fn decode<T: for<'de> Deserialize<'de>>(text: &str, limit: usize) -> Result<T, DecodeError> {
    let fail = |id, code, description: String| DecodeError { id, failure: Failure::new(code, description) };
    if text.len() > limit {
        let description = format!("a message has at most {limit} bytes, this one {}", text.len());
        return Err(fail(None, ErrorCode::LimitExceeded, description));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: MAX_JSON_DEPTH }
        .deserialize(&mut json)
        .and_then(|v| json.end().map(|()| v))
        .map_err(|e| fail(None, ErrorCode::InvalidParameter, format!("not a JSON message: {e}")))?;
    let id = value.get("id").and_then(Value::as_u64);
    serde_json::from_value(value)
        .map_err(|e| fail(id, ErrorCode::InvalidParameter, format!("not a known message: {e}")))
}

/// Reads any JSON value, but no key twice in one object and no deeper than `depth`.
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(format_args!("nested deeper than {MAX_JSON_DEPTH}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: de::Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(v) = seq.next_element_seed(self.deeper()?)? {
            list.push(v);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key `{key}` stands twice")));
            }
            object.insert(key, map.next_value_seed(self.deeper()?)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::{
        MAX_APP_KEY_BYTES, MAX_MEMBERS, MAX_PROFILE_BYTES, MAX_USER_BYTES, MAX_USERNAME_CHARS,
        MAX_USERS_ASKED,
    };
    use crate::{
        ChannelId, FailedUser, MediaType, Profile, Relation, Reply, Request, ServerEvent, Session, User,
        Username,
    };

    fn client_error(text: &str) -> DecodeError {
        decode_client(text).expect_err(text)
    }

    /// `[[[…]]]` as a field that nothing knows; the message around it is one level itself.
    fn nested(levels: usize) -> String {
        format!(r#"{{"type":"ping","ack":1,"x":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1))
    }

    #[test]
    fn a_key_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"type":"ping","ack":1,"ack":1}"#,
            r#"{"type":"ping","ack":1,"\u0061ck":2}"#,
            r#"{"type":"request","id":5,"request":{"method":"accept","channelId":"a","channelId":"b"}}"#,
            r#"{"type":"ping","ack":1,"x":[{"a":{"b":1,"b":1}}]}"#,
        ] {
            let error = client_error(text);
            assert_eq!(error.failure.code, ErrorCode::InvalidParameter);
            assert!(error.failure.description.contains("stands twice"), "{error}");
            assert_eq!(error.id, None, "no part of a message with two meanings is believed");
        }
    }

    #[test]
    fn a_message_nests_no_deeper_than_the_limit() {
        assert!(decode_client(&nested(MAX_JSON_DEPTH)).is_ok());
        let error = client_error(&nested(MAX_JSON_DEPTH + 1));
        assert!(error.failure.description.contains("nested deeper than 16"), "{error}");
        // Far beyond what a recursive reader without a limit would survive.
        client_error(&"[".repeat(MAX_MESSAGE_BYTES));
        client_error(&r#"{"a":"#.repeat(MAX_MESSAGE_BYTES / 5));
    }

    #[test]
    fn a_message_has_no_more_bytes_than_the_limit() {
        let empty = r#"{"type":"ping","ack":1,"x":""}"#;
        let filled = |bytes: usize| empty.replace(r#""x":"""#, &format!(r#""x":"{}""#, "a".repeat(bytes)));
        assert!(decode_client(&filled(MAX_MESSAGE_BYTES - empty.len())).is_ok());
        let error = client_error(&filled(MAX_MESSAGE_BYTES - empty.len() + 1));
        assert_eq!((error.id, error.failure.code), (None, ErrorCode::LimitExceeded));
    }

    /// As large as a user can be: each part of it at its limit, in characters that take four bytes each.
    fn full_user(n: usize) -> User {
        let name = format!("{n:𝟎>width$}", width = MAX_USERNAME_CHARS);
        let mut profile = Profile { nickname: "𝟎".repeat(400), birthday: i64::MIN, ..Default::default() };
        profile.region = "r".repeat(MAX_PROFILE_BYTES - encode(&profile).len());
        let mut relation = Relation { note_name: "𝟎".repeat(400), ..Default::default() };
        relation.note_text = "n".repeat(MAX_PROFILE_BYTES - encode(&relation).len());
        assert_eq!((profile.check(), relation.check()), (Ok(()), Ok(())));
        assert_eq!((encode(&profile).len(), encode(&relation).len()), (MAX_PROFILE_BYTES, MAX_PROFILE_BYTES));
        // Each byte of it takes two in JSON.
        let app_key = "\"".repeat(MAX_APP_KEY_BYTES / 2);
        User::new(&app_key, Username::new(name).expect("a name"), profile, relation)
    }

    fn can_be_read(message: &ServerMessage) {
        assert_eq!(decode_server(&encode(message)).as_ref(), Ok(message));
    }

    #[test]
    fn the_largest_user_is_as_large_as_the_limit_says() {
        let size = encode(&full_user(MAX_MEMBERS)).len();
        assert!((MAX_USER_BYTES - 64..=MAX_USER_BYTES).contains(&size), "{size} of {MAX_USER_BYTES}");
    }

    #[test]
    fn what_is_told_of_the_largest_call_can_be_read() {
        let users = |numbers: std::ops::Range<usize>| numbers.map(full_user).collect::<Vec<_>>();
        let names =
            |numbers: std::ops::Range<usize>| numbers.map(|n| full_user(n).username).collect::<Vec<_>>();
        let session = Session {
            channel_id: ChannelId("c".repeat(32)),
            media_type: MediaType::Voice,
            inviter: full_user(0),
            inviting_members: Vec::new(),
            joined_members: users(0..MAX_MEMBERS),
            muted_members: names(0..MAX_MEMBERS),
            start_time: i64::MAX,
            invited_by: Some(full_user(1)),
            silent: true,
        };
        let failed = |username| FailedUser { username, name: ErrorCode::UserUnavailable.name().into() };
        let failed = names(0..MAX_MEMBERS).into_iter().map(failed).collect();
        can_be_read(&ServerMessage::Reply {
            id: u64::MAX,
            reply: Reply::Start { session, stay: u32::MAX, failed },
        });

        let channel_id = ChannelId("c".repeat(32));
        let event = ServerEvent::OthersInvited { channel_id, users: users(2..MAX_MEMBERS), by: full_user(1) };
        can_be_read(&ServerMessage::Event { seq: u64::MAX, event });

        let reply = Reply::Users { users: users(0..MAX_USERS_ASKED), failed: Vec::new() };
        can_be_read(&ServerMessage::Reply { id: u64::MAX, reply });
    }

    #[test]
    fn an_unknown_type_or_method_or_a_bad_argument_keeps_the_id() {
        for text in [
            r#"{"type":"dance","id":7}"#,
            r#"{"id":7}"#,
            r#"{"type":"request","id":7,"request":{"method":"dance"}}"#,
            r#"{"type":"request","id":7,"request":{"method":"start"}}"#,
            r#"{"type":"request","id":7,"request":{"method":"start","usernames":["bob",1]}}"#,
            r#"{"type":"request","id":7,"request":{"method":"start","usernames":[" bob"]}}"#,
            r#"{"type":"request","id":7}"#,
        ] {
            let error = client_error(text);
            assert_eq!((error.id, error.failure.code), (Some(7), ErrorCode::InvalidParameter), "{text}");
        }
        for text in [
            r#"{"type":"request","id":-7,"request":{"method":"logout"}}"#,
            r#"{"type":"request","id":"7","request":{"method":"logout"}}"#,
            r#"{"type":"request","id":7.5,"request":{"method":"logout"}}"#,
            r#"{"type":"request","request":{"method":"logout"}}"#,
        ] {
            assert_eq!(client_error(text).id, None, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_json_object_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "null",
            "7",
            "[]",
            "\"ping\"",
            "{'type':'ping'}",
            r#"{"type":"ping","ack":1} x"#,
            r#"{"type":"ping","ack":1}{"type":"ping","ack":1}"#,
            r#"{"type":"ping","ack":1,}"#,
            r#"{"type":"ping","ack":01}"#,
            r#"{"type":"ping","ack":NaN}"#,
            r#"{"type":"ping","ack":1e999}"#,
            r#"{"type":"ping","ack":1,"x":"\ud800"}"#,
            "{\"type\":\"ping\",\"ack\":1,\"x\":\"\u{1}\"}",
        ] {
            assert_eq!(client_error(text).failure.code, ErrorCode::InvalidParameter, "{text}");
        }
        assert!(decode_client(" {\"type\":\"ping\",\"ack\":1}\r\n").is_ok(), "white space around it is fine");
    }

    #[test]
    fn numbers_keep_their_value() {
        let text = format!(r#"{{"type":"ping","ack":{}}}"#, u64::MAX);
        assert_eq!(decode_client(&text), Ok(ClientMessage::Ping { ack: u64::MAX }));
        assert!(decode_client(&format!(r#"{{"type":"ping","ack":{}0}}"#, u64::MAX)).is_err());
    }

    /// JSON values with the protocol's own words in them, so that many get past the first check.
    fn json() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec![
            "type",
            "id",
            "request",
            "method",
            "start",
            "usernames",
            "event",
            "hello",
            "ping",
            "ack",
            "reply",
            "session",
            "slots",
            "link",
            "error",
            "code",
            "settings",
            "user",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            word.clone().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 48, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((word.clone(), inner), 0..6)
                    .prop_map(|pairs| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,400}") {
            let _ = (decode_client(&text), decode_server(&text));
        }

        #[test]
        fn any_json_is_read_or_refused_and_keeps_its_id(value in json()) {
            let text = value.to_string();
            let id = value.get("id").and_then(Value::as_u64);
            if let Err(error) = decode_client(&text) {
                prop_assert!(error.id == id || error.failure.description.contains("not a JSON message"));
            }
            let _ = decode_server(&text);
        }

        #[test]
        fn a_broken_message_is_read_or_refused(at in 0_usize..200, byte in any::<u8>()) {
            let whole = r#"{"type":"request","id":3,"request":{"method":"leave","channelId":"c","reason":"hangup"}}"#;
            let mut bytes = whole.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            let text = String::from_utf8_lossy(&bytes);
            let _ = (decode_client(&text), decode_client(&text[..text.floor_char_boundary(at)]));
        }

        #[test]
        fn what_is_written_is_read_again(id in any::<u64>(), names in prop::collection::vec("[^\\s\\p{Cc}]{1,20}", 0..8)) {
            let usernames = names.into_iter().map(|n| Username::new(n).unwrap()).collect();
            let message = ClientMessage::Request { id, request: Request::Start { usernames } };
            prop_assert_eq!(decode_client(&encode(&message)), Ok(message));
        }
    }
}
