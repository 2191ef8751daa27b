use jmrtc_protocol::{ErrorCode, Failure, Session};
use serde_json::{Value, json};

use crate::{AudioAction, CommandId, ErrorPayload, Event, MediaAction, Output, PlatformAction, SocketAction};

/// The outputs of one step, in order.
#[derive(Debug, Default)]
pub(crate) struct Out(pub(crate) Vec<Output>);

impl Out {
    pub(crate) fn ok(&mut self, id: CommandId, value: Value) {
        self.0.push(Output::Reply { id, result: Ok(value) });
    }

    /// Success with `{}`.
    pub(crate) fn done(&mut self, id: CommandId) {
        self.ok(id, json!({}));
    }

    pub(crate) fn failure(&mut self, id: CommandId, failure: Failure) {
        self.0.push(Output::Reply { id, result: Err(failure) });
    }

    pub(crate) fn fail(&mut self, id: CommandId, code: ErrorCode, why: &str) {
        self.failure(id, Failure::new(code, why));
    }

    pub(crate) fn fail_all(&mut self, ids: impl IntoIterator<Item = CommandId>, code: ErrorCode, why: &str) {
        for id in ids {
            self.fail(id, code, why);
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.0.push(Output::Event(event));
    }

    /// `CallError`.
    pub(crate) fn error(&mut self, failure: Failure, session: Option<Session>) {
        let Failure { code, name, description } = failure;
        self.event(Event::CallError(ErrorPayload { code, name, description, session }));
    }

    pub(crate) fn socket(&mut self, action: SocketAction) {
        self.0.push(Output::Socket(action));
    }

    pub(crate) fn media(&mut self, action: MediaAction) {
        self.0.push(Output::Media(action));
    }

    pub(crate) fn audio(&mut self, action: AudioAction) {
        self.0.push(Output::Audio(action));
    }

    pub(crate) fn platform(&mut self, action: PlatformAction) {
        self.0.push(Output::Platform(action));
    }
}
