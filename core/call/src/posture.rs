use serde::{Deserialize, Serialize};

use crate::call::{Accept, Call};
use crate::engine::Engine;
use crate::preflight::Preflight;

/// What the audio devices may do. This is where consent lives: nothing but the state decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Posture {
    pub(crate) capture: bool,
    pub(crate) send: bool,
    pub(crate) play: bool,
}

impl Posture {
    /// The microphone opens when the person has accepted or dialled; sound passes when the server has made
    /// us a member and somebody else is one too. The link axis has no say: where it is down nothing flows.
    /// A preflight is asked for too; what it sends goes to the server and back to nobody else, and is not played.
    pub(crate) fn of(
        engine: &Engine,
        call: Option<&Call>,
        preflight: Option<&Preflight>,
        muted: bool,
    ) -> Self {
        if !engine.is_ready() {
            return Self::default();
        }
        let Some(call) = call else {
            let listens = preflight.is_some_and(Preflight::listens);
            return Self { capture: listens, send: listens && !muted, play: false };
        };
        let (consent, member) = match call.accept {
            Accept::Ringing(_) | Accept::Leaving(_) => (false, false),
            Accept::Accepting(_) | Accept::Dialled { .. } => (true, false),
            Accept::Joined => (true, true),
        };
        let talking = member && call.session.joined_members.len() >= 2;
        Self { capture: consent, send: talking && !muted, play: talking }
    }
}
