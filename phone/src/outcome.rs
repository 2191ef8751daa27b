//! Why the phone ends, and the exit code that says so.

use jmrtc_engine::call::DisconnectPayload;
use jmrtc_protocol::{Detail, ErrorCode, Failure, Reason};

pub(crate) const MANUAL: &str = "\
Exit codes:
   0  the call was hung up by either side, --for is over, or Ctrl-C
   1  something else failed; the message says what
   2  bad arguments
  10  refused
  11  busy
  12  nobody answered
  13  the caller gave up, or another device answered
  14  no such user, or the user can't be called
  20  the server can't be reached, or the call lost its network
  21  the token is invalid, expired or revoked, or the server gives none by name
  22  no microphone or loudspeaker, or a file can't be read or written

Examples:
  jmrtc-phone --user alice call echo
  jmrtc-phone --user bob answer --record heard.wav
  jmrtc-phone --user alice call bob --play question.wav --record answer.wav --for 10s
  jmrtc-phone --user desk announce welcome.wav
  echo '{\"method\": \"getState\"}' | jmrtc-phone --user alice run --json";

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: u8,
    pub(crate) why: String,
}

impl Outcome {
    pub(crate) fn new(code: u8, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }

    pub(crate) fn done(why: &str) -> Self {
        Self::new(0, why)
    }

    /// Of a call that is over.
    pub(crate) fn of_call(end: &DisconnectPayload) -> Self {
        match (end.reason, end.detail) {
            (Reason::Hangup, _) => Self::done("hung up"),
            (Reason::Refuse, Some(Detail::RefusedElsewhere)) => Self::new(10, "refused on another device"),
            (Reason::Refuse, _) => Self::new(10, "refused"),
            (Reason::Busy, _) => Self::new(11, "busy"),
            (Reason::Cancel, Some(Detail::NoAnswer)) => Self::new(12, "nobody answered"),
            (Reason::Cancel, Some(Detail::AnsweredElsewhere)) => Self::new(13, "answered on another device"),
            (Reason::Cancel, _) => Self::new(13, "the caller gave up"),
            (Reason::NetworkError, Some(Detail::ServerShutdown)) => Self::new(20, "the server stopped"),
            (Reason::NetworkError, _) => Self::new(20, "the network was lost"),
        }
    }

    /// Of a method that failed.
    pub(crate) fn of_failure(failure: &Failure) -> Self {
        let code = match failure.code {
            ErrorCode::Network => 20,
            ErrorCode::LoginRejected => 21,
            ErrorCode::EngineFailed | ErrorCode::PermissionDenied => 22,
            ErrorCode::UserUnavailable => 14,
            ErrorCode::CallEnded => 13,
            ErrorCode::InvalidParameter => 2,
            ErrorCode::InvalidState
            | ErrorCode::NotLoggedIn
            | ErrorCode::NotInitialized
            | ErrorCode::AlreadyInCall
            | ErrorCode::LimitExceeded
            | ErrorCode::ServerError => 1,
        };
        Self::new(code, format!("{}: {}", failure.name, failure.description))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_manual() {
        for code in ErrorCode::ALL {
            let outcome = Outcome::of_failure(&Failure::new(code, "x"));
            assert!(MANUAL.contains(&format!("\n  {:>2}  ", outcome.code)), "{outcome:?}");
        }
    }
}
