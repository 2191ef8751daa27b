use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a method or request failed. Number and name are stable; the first eight numbers are those of
/// the original iOS SDK. On the wire and in JavaScript `code` is the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The server can't be reached or did not answer in time.
    Network,
    /// Not possible now.
    InvalidState,
    /// An argument is missing, of the wrong type or over a limit.
    InvalidParameter,
    /// Needs a sign-in first.
    NotLoggedIn,
    /// The token is invalid, expired or revoked.
    LoginRejected,
    /// Needs `initEngine` first.
    NotInitialized,
    /// An audio device or the media engine could not start.
    EngineFailed,
    /// There is a call already.
    AlreadyInCall,
    /// The microphone was refused.
    PermissionDenied,
    /// No named user can be called.
    UserUnavailable,
    /// The call was over before the request arrived.
    CallEnded,
    /// Too many members, requests or bytes.
    LimitExceeded,
    /// The server failed.
    ServerError,
}

impl ErrorCode {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 13] = [
        Self::Network,
        Self::InvalidState,
        Self::InvalidParameter,
        Self::NotLoggedIn,
        Self::LoginRejected,
        Self::NotInitialized,
        Self::EngineFailed,
        Self::AlreadyInCall,
        Self::PermissionDenied,
        Self::UserUnavailable,
        Self::CallEnded,
        Self::LimitExceeded,
        Self::ServerError,
    ];

    /// The stable number.
    pub const fn number(self) -> u32 {
        match self {
            Self::Network => 871_001,
            Self::InvalidState => 871_002,
            Self::InvalidParameter => 871_003,
            Self::NotLoggedIn => 871_004,
            Self::LoginRejected => 871_005,
            Self::NotInitialized => 871_006,
            Self::EngineFailed => 871_007,
            Self::AlreadyInCall => 871_008,
            Self::PermissionDenied => 871_101,
            Self::UserUnavailable => 871_102,
            Self::CallEnded => 871_103,
            Self::LimitExceeded => 871_104,
            Self::ServerError => 871_105,
        }
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "NETWORK",
            Self::InvalidState => "INVALID_STATE",
            Self::InvalidParameter => "INVALID_PARAMETER",
            Self::NotLoggedIn => "NOT_LOGGED_IN",
            Self::LoginRejected => "LOGIN_REJECTED",
            Self::NotInitialized => "NOT_INITIALIZED",
            Self::EngineFailed => "ENGINE_FAILED",
            Self::AlreadyInCall => "ALREADY_IN_CALL",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::UserUnavailable => "USER_UNAVAILABLE",
            Self::CallEnded => "CALL_ENDED",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::ServerError => "SERVER_ERROR",
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u32(self.number())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let n = u32::deserialize(d)?;
        Self::ALL
            .into_iter()
            .find(|c| c.number() == n)
            .ok_or_else(|| de::Error::custom(format_args!("unknown error code {n}")))
    }
}

/// A failure as JavaScript sees it: `{code, name, description}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
pub struct Failure {
    /// One of the stable numbers of the error table.
    #[cfg_attr(feature = "codegen", schemars(with = "u32"), ts(type = "number"))]
    pub code: ErrorCode,
    /// The stable name that goes with `code`.
    pub name: String,
    /// What went wrong, for a developer; may change between releases.
    pub description: String,
}

impl Failure {
    /// A failure with its stable name filled in.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        Self { code, name: code.name().to_owned(), description: description.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_read_back() {
        let numbers: BTreeSet<_> = ErrorCode::ALL.iter().map(|c| c.number()).collect();
        let names: BTreeSet<_> = ErrorCode::ALL.iter().map(|c| c.name()).collect();
        assert_eq!((numbers.len(), names.len()), (ErrorCode::ALL.len(), ErrorCode::ALL.len()));
        for code in ErrorCode::ALL {
            let failure = Failure::new(code, "why");
            let text = serde_json::to_string(&failure).unwrap();
            let expected =
                format!(r#"{{"code":{},"name":"{}","description":"why"}}"#, code.number(), code.name());
            assert_eq!(text, expected);
            assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), failure);
        }
    }

    #[test]
    fn an_unknown_number_is_refused() {
        assert!(serde_json::from_str::<ErrorCode>("871000").is_err());
        assert!(serde_json::from_str::<ErrorCode>("\"NETWORK\"").is_err());
    }
}
