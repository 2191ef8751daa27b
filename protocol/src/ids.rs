use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::MAX_USERNAME_CHARS;

/// A username or channel id that breaks the rules of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError(&'static str);

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for IdError {}

/// A user's name within one app: 1 to 128 characters, no control characters, no white space at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS), ts(type = "string"))]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

impl Username {
    /// Checks the rules; the error says which one is broken.
    pub fn new(name: impl Into<String>) -> Result<Self, IdError> {
        let name = name.into();
        if name.is_empty() {
            return Err(IdError("a username must not be empty"));
        }
        if name.chars().count() > MAX_USERNAME_CHARS {
            return Err(IdError("a username has at most 128 characters"));
        }
        if name.chars().any(char::is_control) {
            return Err(IdError("a username must not hold control characters"));
        }
        if name.trim() != name {
            return Err(IdError("a username must not begin or end with white space"));
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Username {
    type Error = IdError;
    fn try_from(name: String) -> Result<Self, IdError> {
        Self::new(name)
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one call. Opaque text made by the server, never reused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct ChannelId(pub String);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Numbers a client's requests within one sign-in, from 1 upwards.
pub type RequestId = u64;

/// Numbers the stays in a call in the order of the invitations; that of who started it is 0. A user who is out of the call
/// and invited again is in it with another number: what was meant for a stay that is over is not for the next.
pub type Stay = u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_keeps_its_rules() {
        for name in ["a", "Alice", "a b", "卡罗尔", "a@b.c/d", "👩‍👩‍👧", &"é".repeat(128)] {
            assert_eq!(Username::new(name).unwrap().as_str(), name);
            let json = serde_json::to_string(name).unwrap();
            assert_eq!(
                serde_json::to_string(&serde_json::from_str::<Username>(&json).unwrap()).unwrap(),
                json
            );
        }
        for name in
            ["", " ", " a", "a ", "a\u{3000}", "a\nb", "a\u{0}b", "a\u{7f}", "a\u{85}b", &"e".repeat(129)]
        {
            assert!(Username::new(name).is_err(), "{name:?}");
            assert!(
                serde_json::from_str::<Username>(&serde_json::to_string(name).unwrap()).is_err(),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_channel_id_is_text_on_the_wire() {
        assert_eq!(serde_json::to_string(&ChannelId("x".to_owned())).unwrap(), "\"x\"");
        assert!(serde_json::from_str::<ChannelId>("7").is_err());
    }
}
