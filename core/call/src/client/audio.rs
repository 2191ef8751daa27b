//! The audio engine: permission, preparation, release.

use jmrtc_protocol::{ChannelId, ErrorCode, Failure, LeaveReason, Reason, Stay};
use serde_json::Value;

use super::Client;
use crate::call::{Accept, Call};
use crate::engine::Engine;
use crate::out::Out;
use crate::{AudioAction, AudioEvent, CommandId, PlatformAction, PlatformEvent};

/// How long the audio devices may take to be looked up.
const PREPARE_MS: u64 = 20_000;

impl Client {
    pub(super) fn init_engine(&mut self, id: CommandId, out: &mut Out) {
        match &mut self.engine {
            Engine::Off => self.ask_for_microphone(vec![id], out),
            Engine::Asking { commands } | Engine::Preparing { commands, .. } => commands.push(id),
            Engine::Ready => out.ok(id, Value::Null),
        }
    }

    fn ask_for_microphone(&mut self, commands: Vec<CommandId>, out: &mut Out) {
        self.engine = Engine::Asking { commands };
        out.platform(PlatformAction::RequestMicrophone);
    }

    pub(super) fn release_engine(&mut self, id: CommandId, out: &mut Out) {
        self.turn_engine_off(ErrorCode::InvalidState, "the engine was released meanwhile", out);
        self.hang_up(Some(id), out);
    }

    /// Silence first, then the devices are given back.
    fn turn_engine_off(&mut self, code: ErrorCode, why: &str, out: &mut Out) {
        let used = match self.engine {
            Engine::Off | Engine::Asking { .. } => false,
            Engine::Preparing { .. } | Engine::Ready => true,
        };
        self.abandon_preflight(code, why, out);
        let commands = self.engine.turn_off();
        out.fail_all(commands, code, why);
        self.settle_posture(out);
        if used {
            self.muted = false;
            self.speakerphone = false;
            out.audio(AudioAction::Release);
        }
    }

    pub(super) fn audio_event(&mut self, event: AudioEvent, out: &mut Out) {
        match (event, &self.engine) {
            (AudioEvent::Ready, Engine::Preparing { .. }) => self.engine_is_ready(out),
            (AudioEvent::Failed { why }, Engine::Preparing { .. }) => {
                self.engine_failed(ErrorCode::EngineFailed, &why, out);
            }
            (AudioEvent::Failed { why }, Engine::Ready) => self.engine_broke(&why, out),
            (AudioEvent::Ready, Engine::Off | Engine::Asking { .. } | Engine::Ready)
            | (AudioEvent::Failed { .. }, Engine::Off | Engine::Asking { .. }) => {}
        }
    }

    fn engine_is_ready(&mut self, out: &mut Out) {
        let commands = self.engine.turn_off();
        self.engine = Engine::Ready;
        for id in commands {
            out.ok(id, Value::Null);
        }
        if self.answered_early() {
            self.accept_call(Vec::new(), out);
        }
    }

    /// It could not start: everybody who waited for it is told.
    pub(super) fn engine_failed(&mut self, code: ErrorCode, why: &str, out: &mut Out) {
        let muted = self.muted;
        self.turn_engine_off(code, why, out);
        // The call that waits for an engine is as muted as it was when the app ended.
        self.muted = muted && self.call.as_ref().is_some_and(Call::is_member);
        if self.answered_early() {
            let session = self.call.as_ref().map(|c| c.session.clone());
            out.error(Failure::new(code, why), session);
            // The person said yes: another device of theirs may still take it.
            self.leave_now(LeaveReason::NetworkError, Reason::NetworkError, out);
        }
    }

    /// It ran and is broken for good: a call can't go on without it.
    fn engine_broke(&mut self, why: &str, out: &mut Out) {
        self.preflight_without_microphone(why, out);
        self.turn_engine_off(ErrorCode::EngineFailed, why, out);
        self.abandon_start(ErrorCode::EngineFailed, why, out);
        if let Some(Accept::Accepting(accepting)) = self.call.as_mut().map(|c| &mut c.accept) {
            out.fail_all(std::mem::take(&mut accepting.commands), ErrorCode::EngineFailed, why);
        }
        let session = self.call.as_ref().map(|c| c.session.clone());
        out.error(Failure::new(ErrorCode::EngineFailed, why), session);
        if self.call.as_ref().is_some_and(Call::is_consented) {
            self.leave_now(LeaveReason::NetworkError, Reason::NetworkError, out);
        }
    }

    /// The person answered on the system's call screen before the engine was ready.
    fn answered_early(&self) -> bool {
        self.call.as_ref().is_some_and(|c| match &c.accept {
            Accept::Ringing(ring) => ring.answered,
            Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Joined | Accept::Leaving(_) => false,
        })
    }

    pub(super) fn platform_event(&mut self, event: PlatformEvent, out: &mut Out) {
        match event {
            PlatformEvent::Microphone { granted } => self.microphone(granted, out),
            PlatformEvent::NetworkChanged => self.network_changed(out),
            PlatformEvent::Answered { channel_id, stay } => self.answered(&channel_id, stay, out),
            PlatformEvent::Declined { channel_id, stay } => self.declined(&channel_id, stay, out),
        }
    }

    fn microphone(&mut self, granted: bool, out: &mut Out) {
        match &mut self.engine {
            Engine::Asking { commands } if granted => {
                let commands = std::mem::take(commands);
                self.engine = Engine::Preparing { commands, until: self.now.plus(PREPARE_MS) };
                out.audio(AudioAction::Prepare);
            }
            Engine::Asking { .. } => {
                self.engine_failed(ErrorCode::PermissionDenied, "the microphone was refused", out);
            }
            Engine::Off | Engine::Preparing { .. } | Engine::Ready => {}
        }
    }

    fn answered(&mut self, channel: &ChannelId, stay: Stay, out: &mut Out) {
        if self.outbox.starting() {
            return;
        }
        let ready = self.engine.is_ready();
        let Some(call) = self.call.as_mut().filter(|c| c.is_stay(channel, stay)) else { return };
        match &mut call.accept {
            Accept::Ringing(_) if ready => self.accept_call(Vec::new(), out),
            Accept::Ringing(ring) => {
                ring.answered = true;
                if matches!(self.engine, Engine::Off) {
                    self.ask_for_microphone(Vec::new(), out);
                }
            }
            Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Joined | Accept::Leaving(_) => {}
        }
    }

    fn declined(&mut self, channel: &ChannelId, stay: Stay, out: &mut Out) {
        let Some(call) = self.call.as_ref().filter(|c| c.is_stay(channel, stay)) else { return };
        match &call.accept {
            Accept::Ringing(_) | Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Joined => {
                self.hang_up(None, out);
            }
            Accept::Leaving(_) => {}
        }
    }
}
