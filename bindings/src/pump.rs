//! One task that turns commands into replies and puts replies and events in one line.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jmrtc_protocol::{ErrorCode, Failure, encode};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::stats;

/// Something for JavaScript.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Message {
    /// The answer to `Engine.command`.
    Reply {
        /// As given there.
        id: String,
        /// Whether the method succeeded.
        ok: bool,
        /// JSON for the success callback, or `{code, name, description}` for the failure callback.
        json: String,
    },
    /// A `JMRTC` event.
    Event {
        /// JSON: `{"name": "CallOutgoing", "payload": …}`.
        json: String,
    },
}

/// A method call on its way.
pub(crate) struct Command {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) args: String,
}

/// Runs until the engine has stopped and everything is told, or nobody listens any more.
///
/// Being one task is what keeps the order: the engine holds an event back until the command that caused it has its answer,
/// and here no answer is taken while there is an event that came before it.
pub(crate) async fn run(
    engine: &jmrtc_engine::Engine,
    mut commands: mpsc::UnboundedReceiver<Command>,
    outlet: mpsc::Sender<Message>,
) {
    let mut running = FuturesUnordered::new();
    loop {
        let message = tokio::select! {
            biased;
            event = engine.next_event() => match event {
                Some(event) => Message::Event { json: encode(&event) },
                None => break,
            },
            Some(reply) = running.next() => reply,
            Some(command) = commands.recv() => {
                running.push(answer(engine, command));
                continue;
            }
        };
        if outlet.send(message).await.is_err() {
            return;
        }
    }
    // The engine has stopped: what was taken on is answered, at once, and no more is.
    commands.close();
    while let Some(command) = commands.recv().await {
        running.push(answer(engine, command));
    }
    while let Some(reply) = running.next().await {
        if outlet.send(reply).await.is_err() {
            return;
        }
    }
}

async fn answer(engine: &jmrtc_engine::Engine, Command { id, method, args }: Command) -> Message {
    let args = if args.trim().is_empty() { Ok(Value::Null) } else { serde_json::from_str(&args) };
    let result = match args {
        // Numbers of the engine; nothing that the call machine would know.
        Ok(_) if method == "getStats" => Ok(stats::for_app(&engine.stats())),
        Ok(args) => engine.command(&method, args).await,
        Err(e) => Err(Failure::new(ErrorCode::InvalidParameter, format!("the argument is not JSON: {e}"))),
    };
    match result {
        Ok(value) => Message::Reply { id, ok: true, json: value.to_string() },
        Err(failure) => Message::Reply { id, ok: false, json: encode(&failure) },
    }
}
