use std::sync::Arc;

use jmrtc_protocol::{ErrorCode, Failure};
use serde_json::Value;

use crate::{EngineConfig, Message, PlatformAction, PlatformEvent, StartError, stats};

/// One device of one user, in at most one call. bindings/src/lib.rs says how a bridge uses it.
#[derive(uniffi::Object)]
pub struct Engine {
    native: jmrtc_engine::Engine,
}

#[uniffi::export]
impl Engine {
    /// Makes an engine; nothing is connected or opened yet.
    ///
    /// # Errors
    /// `StartError`: a bad config, no thread, a transcript that can't be written.
    #[uniffi::constructor]
    pub fn start(config: EngineConfig) -> Result<Arc<Self>, StartError> {
        let system = |e: std::io::Error| StartError::System { why: e.to_string() };
        let native = jmrtc_engine::Engine::start(config.into_native()?).map_err(system)?;
        Ok(Arc::new(Self { native }))
    }

    /// Calls a method of `window.JMRTC`, e.g. `startCallUsers` with `{"usernames":["bob"]}`. The answer is
    /// a `Message.Reply` with the same `id`, exactly one, whatever `method` and `args` are.
    ///
    /// `id`: the bridge's own name for this call. `args`: JSON of the method's one argument; `null` or
    /// empty for none. False once the engine has stopped: no answer will come, the bridge has to give one.
    pub fn command(&self, id: String, method: String, args: String) -> bool {
        let args = if args.trim().is_empty() { Ok(Value::Null) } else { serde_json::from_str(&args) };
        match args {
            // Numbers of the engine; nothing that the call machine would know.
            Ok(_) if method == "getStats" => self.native.answer(id, Ok(stats::for_app(&self.native.stats()))),
            Ok(args) => self.native.command(id, method, args),
            Err(e) => {
                let why = format!("the argument is not JSON: {e}");
                self.native.answer(id, Err(Failure::new(ErrorCode::InvalidParameter, why)))
            }
        }
    }

    /// The next reply or event, in the order in which JavaScript is to get them; none once the engine has
    /// stopped and everything is told. For one loop.
    pub async fn next_message(&self) -> Option<Message> {
        self.native.next_message().await.map(Message::from)
    }

    /// The next thing for the operating system's side to do, in order; none once the engine has stopped.
    /// For one loop.
    pub async fn next_platform_action(&self) -> Option<PlatformAction> {
        self.native.next_platform_action().await.map(PlatformAction::from)
    }

    /// Tells the engine what the operating system or the person at its call screen did.
    pub fn platform_event(&self, event: PlatformEvent) {
        self.native.platform_event(event.into());
    }

    /// Leaves the call, signs out, closes everything; done within two seconds. May be called again.
    pub async fn stop(&self) {
        self.native.stop().await;
    }
}

/// This library's version, e.g. `0.1.0`.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
