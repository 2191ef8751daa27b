//! A sound card with nothing connected to it, and one whose loudspeaker is held to its microphone.

use super::paced::{Heard, Paced, World};
use crate::{AudioError, Plug};

/// 20 ms: nobody listens, so the fewest wake-ups win.
const PERIOD: usize = 960;
/// 5 ms: the far end waits for its echo.
const ECHO_PERIOD: usize = 240;

/// Records silence, plays to nobody.
pub(super) fn device(plug: Plug) -> Paced<impl World> {
    Paced::new(PERIOD, Silence { plug })
}

/// Records what is played.
pub(super) fn echo() -> Paced<impl World> {
    Paced::new(ECHO_PERIOD, Echo { played: Vec::new() })
}

struct Silence {
    plug: Plug,
}

impl World for Silence {
    fn check(&mut self) -> Result<(), AudioError> {
        if self.plug.works() { Ok(()) } else { Err(AudioError::Device("there is no microphone".into())) }
    }
    fn capture_opened(&mut self) -> Result<(), AudioError> {
        self.check()?;
        self.plug.set_used(true);
        Ok(())
    }
    fn capture_closed(&mut self) {
        self.plug.set_used(false);
    }
    fn playback_opened(&mut self) -> Result<(), AudioError> {
        Ok(())
    }
    fn hear(&mut self, _live: bool, into: &mut [f32]) -> Heard {
        into.fill(0.0);
        if self.plug.is_in() { Heard::Sound } else { Heard::Gone }
    }
    fn play(&mut self, _sound: &[f32]) {}
    fn playback_closed(&mut self) {}
}

struct Echo {
    played: Vec<f32>,
}

impl World for Echo {
    fn check(&mut self) -> Result<(), AudioError> {
        Ok(())
    }
    fn capture_opened(&mut self) -> Result<(), AudioError> {
        Ok(())
    }
    fn capture_closed(&mut self) {}
    fn playback_opened(&mut self) -> Result<(), AudioError> {
        Ok(())
    }
    fn hear(&mut self, _live: bool, into: &mut [f32]) -> Heard {
        self.played.resize(into.len(), 0.0);
        into.copy_from_slice(&self.played);
        self.played.clear();
        Heard::Sound
    }
    fn play(&mut self, sound: &[f32]) {
        self.played.clear();
        self.played.extend_from_slice(sound);
    }
    fn playback_closed(&mut self) {
        self.played.clear();
    }
}
