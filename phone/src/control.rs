//! Methods from standard input, one JSON object a line.

use std::io;
use std::thread;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

/// Lines that wait to be taken.
const BACKLOG: usize = 16;

/// Reads standard input, on a thread of its own: such a read can't be interrupted.
pub(crate) struct Control {
    lines: mpsc::Receiver<String>,
}

/// One method call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Line {
    /// Comes back in the reply.
    pub(crate) id: Option<Value>,
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) args: Value,
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
    /// What is wrong with a line that is no method call.
    pub(crate) async fn next(&mut self) -> Option<Result<Line, String>> {
        loop {
            let line = self.lines.recv().await?;
            if !line.trim().is_empty() {
                return Some(serde_json::from_str(&line).map_err(|e| e.to_string()));
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
        let line: Line = serde_json::from_str(r#"{"method": "getState"}"#).unwrap();
        assert_eq!(line, Line { id: None, method: "getState".to_owned(), args: Value::Null });
        let line: Line =
            serde_json::from_str(r#"{"id": 7, "method": "setIsMuted", "args": {"muted": true}}"#).unwrap();
        assert_eq!((line.id, line.args), (Some(json!(7)), json!({ "muted": true })));
        assert!(serde_json::from_str::<Line>(r#"{"args": {}}"#).is_err());
    }
}
