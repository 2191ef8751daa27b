use std::collections::BTreeMap;

use jmrtc_protocol::{ChannelId, ClientSettings, Stay, Username};
use serde::{Deserialize, Serialize};

use crate::account::{Account, default_settings};
use crate::call::{Accept, Call};
use crate::dice::Dice;
use crate::engine::Engine;
use crate::out::Out;
use crate::outbox::Outbox;
use crate::posture::Posture;
use crate::preflight::Preflight;
use crate::{
    ActiveSpeakersPayload, AudioAction, CallState, Config, Event, Generation, Input, LoginState, Memory,
    Output, PlatformAction, Remembered, State, Timestamp,
};

mod audio;
mod calls;
mod deadlines;
mod events;
mod line;
mod media;
mod methods;
mod quality;
mod requests;
mod sign_in;
mod spare;
mod stall;
mod voices;
mod welcome;

/// The machine. Pure: the same config and inputs give the same outputs, and the whole of it serialises.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    config: Config,
    /// Of the last input; never goes back.
    now: Timestamp,
    dice: Dice,
    account: Option<Account>,
    /// Sockets opened so far.
    sockets: Generation,
    /// Sockets on which `hello` was unanswered when they were let go: each may still come to the server, after a later one.
    strays: BTreeMap<Generation, Timestamp>,
    outbox: Outbox,
    /// Events of calls that are not ours yet, held back while a start is unanswered.
    held: Vec<events::Held>,
    /// Of users who are not signed in, or on their way out.
    memory: Memory,
    /// No `welcome` has come in this app's life: the first may bring back a call of the life before.
    newborn: bool,
    /// How the server wants its clients, as it said last.
    settings: ClientSettings,
    call: Option<Call>,
    /// A test of what a call would be like; never beside one.
    preflight: Option<Preflight>,
    /// The call before, and which stay in it.
    last: Option<(ChannelId, Stay)>,
    /// The last call was over before the person could say anything to it.
    missed: bool,
    /// Links opened so far.
    medias: Generation,
    engine: Engine,
    muted: bool,
    speakerphone: bool,
    /// What the audio devices were told last.
    posture: Posture,
    /// Events of old sockets and links.
    stale: u64,
}

impl Client {
    /// A machine that nothing has happened to yet.
    pub fn new(mut config: Config) -> Self {
        Self {
            dice: Dice::new(config.seed),
            memory: std::mem::take(&mut config.memory),
            config,
            now: Timestamp::default(),
            account: None,
            sockets: 0,
            strays: BTreeMap::new(),
            outbox: Outbox::default(),
            held: Vec::new(),
            newborn: true,
            settings: default_settings(),
            call: None,
            preflight: None,
            last: None,
            missed: false,
            medias: 0,
            engine: Engine::Off,
            muted: false,
            speakerphone: false,
            posture: Posture::default(),
            stale: 0,
        }
    }

    /// Takes one input at `now` and says what is to be done about it, in order. No input in any state is
    /// an error: what makes no sense changes nothing, and a method call is always answered.
    #[must_use = "the outputs are the machine's only effect"]
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        self.now = self.now.max(now);
        let mut out = Out::default();
        match input {
            Input::Command { id, method, args } => self.command(id, &method, &args, &mut out),
            Input::Socket { generation, event } => self.socket_event(generation, event, &mut out),
            Input::Media { generation, event } => self.media_event(generation, event, &mut out),
            Input::Audio(event) => self.audio_event(event, &mut out),
            Input::Platform(event) => self.platform_event(event, &mut out),
            Input::Deadline => self.expire(&mut out),
        }
        self.settle(&mut out);
        out.0
    }

    /// When [`Input::Deadline`] is due next; may change with every input.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let account = self.account.as_ref().and_then(|a| a.deadline(self.settings.ping_ms));
        let call = self.call.as_ref().and_then(Call::deadline);
        account
            .into_iter()
            .chain(self.outbox.deadline())
            .chain(self.engine.deadline())
            .chain(call)
            .chain(self.grace_deadline())
            .chain(self.preflight.as_ref().map(Preflight::deadline))
            .min()
    }

    /// What `getState` answers.
    pub fn state(&self) -> State {
        let leaving = |call: &&Call| call.state() == CallState::Idle;
        let call = self.call.as_ref().filter(|c| !leaving(c));
        let starting = if self.outbox.starting() { CallState::Outgoing } else { CallState::Idle };
        State {
            login: self.account.as_ref().map_or(LoginState::LoggedOut, Account::state),
            engine: self.engine.state(),
            session: call.map(|c| c.session.clone()),
            call: call.map_or(starting, Call::state),
            muted: self.muted,
            speakerphone_enabled: self.speakerphone,
            quality: call.and_then(|c| c.quality.told().cloned()),
        }
    }

    /// What this app's life leaves to the next, should it end now: the next one's [`Config::memory`].
    pub fn memory(&self) -> Memory {
        let mut memory = self.memory.clone();
        if let Some(me) = self.me() {
            memory.keep(me, self.remembered(self.outbox.abandoned()));
        }
        memory
    }

    /// Of the user; whether a start that nobody wants any more is unanswered.
    fn remembered(&self, given_up: bool) -> Remembered {
        let call = self.call.as_ref().filter(|c| c.is_consented());
        Remembered {
            muted_in: call.filter(|_| self.muted).map(|c| c.session.channel_id.clone()),
            muted_start: self.muted && self.outbox.starting(),
            left: self.outbox.left().collect(),
            left_start: given_up && call.is_none(),
        }
    }

    /// How many events of old sockets and links were dropped.
    pub fn stale_count(&self) -> u64 {
        self.stale
    }

    /// Does what follows from the state that an input has led to.
    fn settle(&mut self, out: &mut Out) {
        self.settle_muted();
        self.flush(out);
        self.settle_platform(out);
        self.settle_link(out);
        self.settle_spare(out);
        self.settle_events(out);
        self.settle_posture(out);
    }

    fn flush(&mut self, out: &mut Out) {
        if let Some(generation) = self.account.as_ref().and_then(|a| a.line.writable()) {
            self.outbox.flush(self.now, generation, out);
        }
    }

    fn settle_platform(&mut self, out: &mut Out) {
        let ready = self.engine.is_ready();
        let Some(call) = self.call.as_mut().filter(|c| ready && c.is_consented() && !c.started) else {
            return;
        };
        call.started = true;
        let me = self.account.as_ref().and_then(Account::me);
        let members = call.session.joined_members.iter().chain(&call.session.inviting_members);
        let others = members.filter(|u| Some(&u.username) != me).cloned().collect();
        out.platform(PlatformAction::CallStarted { session: call.session.clone(), stay: call.stay, others });
        out.platform(PlatformAction::SetSpeakerphone { enabled: self.speakerphone });
    }

    /// Tells connected, lost and back, each when it has become true.
    fn settle_events(&mut self, out: &mut Out) {
        let line_up = self.line_is_up();
        let now = self.now;
        let Some(call) = &mut self.call else { return };
        let joined = match call.accept {
            Accept::Joined => true,
            Accept::Ringing(_) | Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Leaving(_) => false,
        };
        if !joined {
            return;
        }
        let link_up = call.link.is_up();
        if !link_up && call.speakers.silence() {
            out.event(Event::CallActiveSpeakers(ActiveSpeakersPayload { active_speakers: Vec::new() }));
        }
        call.link_lost = if link_up { None } else { call.link_lost.or(Some(now)) };
        if !call.connected {
            if !link_up || call.session.joined_members.len() < 2 {
                return;
            }
            call.connected = true;
            out.event(Event::CallConnected(call.session.clone()));
        }
        let whole = call.is_whole(line_up);
        if call.reconnecting == whole {
            call.reconnecting = !whole;
            call.restored &= !whole;
            let session = call.session.clone();
            out.event(if whole { Event::CallReconnected(session) } else { Event::CallReconnecting(session) });
        }
    }

    fn settle_posture(&mut self, out: &mut Out) {
        let posture = Posture::of(&self.engine, self.call.as_ref(), self.preflight.as_ref(), self.muted);
        if posture != self.posture {
            self.posture = posture;
            let Posture { capture, send, play } = posture;
            out.audio(AudioAction::Set { capture, send, play });
        }
    }

    fn line_is_up(&self) -> bool {
        self.account.as_ref().is_some_and(|a| a.line.is_up())
    }

    /// The signed-in user.
    fn me(&self) -> Option<&Username> {
        self.account.as_ref().and_then(Account::me)
    }
}
