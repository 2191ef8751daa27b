use jmrtc_protocol::encode;

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

impl From<jmrtc_engine::Message> for Message {
    fn from(message: jmrtc_engine::Message) -> Self {
        match message {
            jmrtc_engine::Message::Reply { id, result: Ok(value) } => {
                Self::Reply { id, ok: true, json: value.to_string() }
            }
            jmrtc_engine::Message::Reply { id, result: Err(failure) } => {
                Self::Reply { id, ok: false, json: encode(&failure) }
            }
            jmrtc_engine::Message::Event(event) => Self::Event { json: encode(&event) },
        }
    }
}
