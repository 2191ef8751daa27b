use jmrtc_protocol::{ErrorCode, Failure};
use serde::{Deserialize, Serialize};

use crate::{CallState, Config, EngineState, Input, LoginState, Output, State, Timestamp};

/// The machine. Pure: the same config and inputs give the same outputs, and the whole of it serialises.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    config: Config,
    stale: u64,
}

impl Client {
    /// A machine that nothing has happened to yet.
    pub fn new(config: Config) -> Self {
        Self { config, stale: 0 }
    }

    /// Takes one input at `now` and says what is to be done about it, in order.
    #[must_use = "the outputs are the machine's only effect"]
    pub fn handle(&mut self, _now: Timestamp, input: Input) -> Vec<Output> {
        match input {
            Input::Command { id, method, .. } => {
                let result = Err(Failure::new(ErrorCode::InvalidParameter, format!("no method `{method}`")));
                vec![Output::Reply { id, result }]
            }
            Input::Socket { .. }
            | Input::Media { .. }
            | Input::Audio(_)
            | Input::Platform(_)
            | Input::Deadline => Vec::new(),
        }
    }

    /// When [`Input::Deadline`] is due next; changes with every input.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// What `getState` answers.
    pub fn state(&self) -> State {
        State {
            login: LoginState::LoggedOut,
            engine: EngineState::Off,
            session: None,
            call: CallState::Idle,
            muted: false,
            speakerphone_enabled: false,
        }
    }

    /// How many events of old sockets and links were dropped.
    pub fn stale_count(&self) -> u64 {
        self.stale
    }
}
