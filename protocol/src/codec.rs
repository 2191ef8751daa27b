//! JSON text to messages and back. Stricter than JSON: duplicate keys, deep nesting and oversize
//! messages are refused, so that two parsers can never read two things out of one message.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{MAX_JSON_DEPTH, MAX_MESSAGE_BYTES};
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
    decode(text)
}

/// Reads what a server sent.
pub fn decode_server(text: &str) -> Result<ServerMessage, DecodeError> {
    decode(text)
}

/// Writes a message.
pub fn encode<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).unwrap_or_else(|e| {
        // Only maps with non-string keys and failing Serialize impls can fail; messages have neither.
        unreachable!("a message could not be written: {e}")
    })
}

fn decode<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, DecodeError> {
    let fail = |id, code, description: String| DecodeError { id, failure: Failure::new(code, description) };
    if text.len() > MAX_MESSAGE_BYTES {
        let description = format!("a message has at most {MAX_MESSAGE_BYTES} bytes, this one {}", text.len());
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
