//! What standard input says, one JSON object a line.

use std::io;
use std::str::FromStr;
use std::thread;

use jmrtc_engine::call::PlatformEvent;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::microphone::{State, Use};

/// Lines that wait to be taken.
const BACKLOG: usize = 16;

/// Reads standard input, on a thread of its own: such a read can't be interrupted.
pub(crate) struct Control {
    lines: mpsc::Receiver<String>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// A method call.
    Method(Method),
    /// Something that an operating system would tell.
    Platform(PlatformEvent),
    /// How it is with the microphone from now on.
    Microphone(State),
    /// Whether it is used so, which is a mistake where it is not.
    MicrophoneIs(Use),
}

/// A method call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Method {
    /// Comes back in the reply.
    pub(crate) id: Option<Value>,
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) args: Value,
}

impl FromStr for Line {
    type Err = serde_json::Error;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let mut value: Value = serde_json::from_str(line)?;
        if let Some(state) = value.get_mut("microphone") {
            serde_json::from_value(state.take()).map(Self::Microphone)
        } else if let Some(used) = value.get_mut("microphoneIs") {
            serde_json::from_value(used.take()).map(Self::MicrophoneIs)
        } else if value.get("event").is_some() {
            serde_json::from_value(value).map(Self::Platform)
        } else {
            serde_json::from_value(value).map(Self::Method)
        }
    }
}

impl Control {
    pub(crate) fn stdin() -> Self {
        let (sender, lines) = mpsc::channel(BACKLOG);
        thread::spawn(move || {
            for line in io::stdin().lines() {
                let Ok(line) = line else { return };
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines }
    }

    /// The next line that is not blank; `None` at the end. May be dropped and called again without loss.
    ///
    /// # Errors
    /// What is wrong with a line that is neither.
    pub(crate) async fn next(&mut self) -> Option<Result<Line, String>> {
        loop {
            let line = self.lines.recv().await?;
            if !line.trim().is_empty() {
                return Some(line.parse().map_err(|e: serde_json::Error| e.to_string()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn id_and_args_may_be_left_out() {
        let line: Line = r#"{"method": "getState"}"#.parse().unwrap();
        assert_eq!(line, Line::Method(Method { id: None, method: "getState".to_owned(), args: Value::Null }));
        let line: Line = r#"{"id": 7, "method": "setIsMuted", "args": {"muted": true}}"#.parse().unwrap();
        let Line::Method(method) = line else { panic!("{line:?}") };
        assert_eq!((method.id, method.args), (Some(json!(7)), json!({ "muted": true })));
    }

    #[test]
    fn what_the_system_tells_is_told_too() {
        let line: Line = r#"{"event": "networkChanged"}"#.parse().unwrap();
        assert_eq!(line, Line::Platform(PlatformEvent::NetworkChanged));
        let line: Line = r#"{"event": "answered", "channelId": "c", "stay": 2}"#.parse().unwrap();
        let channel_id = jmrtc_protocol::ChannelId("c".to_owned());
        assert_eq!(line, Line::Platform(PlatformEvent::Answered { channel_id, stay: 2 }));
    }

    #[test]
    fn the_microphone_is_spoken_of() {
        let line: Line = r#"{"microphone": "refused"}"#.parse().unwrap();
        assert_eq!(line, Line::Microphone(State::Refused));
        let line: Line = r#"{"microphoneIs": "untouched"}"#.parse().unwrap();
        assert_eq!(line, Line::MicrophoneIs(Use::Untouched));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "",
            "nonsense",
            "{}",
            "[]",
            "7",
            r#"{"args": {}}"#,
            r#"{"event": "tomorrow"}"#,
            r#"{"event": "answered", "channelId": "c"}"#,
            r#"{"method": 7}"#,
            r#"{"microphone": "loud"}"#,
            r#"{"microphoneIs": "refused"}"#,
        ] {
            assert!(line.parse::<Line>().is_err(), "{line}");
        }
    }
}
