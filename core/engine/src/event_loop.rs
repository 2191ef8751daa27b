//! The task: waits for anything to happen, tells the machine, does what it says, in order.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jmrtc_audio::{Audio, AudioConfig, Posture};
use jmrtc_call::{
    AudioAction, AudioEvent, Client, CommandId, Config, Event, Generation, Input, LinkSample, MediaAction,
    MediaEvent, Output, PlatformAction, PlatformEvent, SocketAction, SocketEvent, Timestamp,
};
use jmrtc_protocol::{ErrorCode, Failure};
use log::{debug, info, warn};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config::{EngineConfig, NetworkConfig, Platform};
use crate::engine::{Control, Outlets};
use crate::events::Message;
use crate::media::{Media, MediaOutput};
use crate::memory::MemoryFile;
use crate::signalling::Signalling;
use crate::stats::Stats;
use crate::transcript::TranscriptFile;

/// The timer stands still while the system sleeps, the machine's clock does not: after sleep a deadline
/// is late by no more than this.
const MAX_SLEEP: Duration = Duration::from_secs(5);
/// Between two renewals of the statistics during a call.
const STATS_INTERVAL: Duration = Duration::from_millis(200);
/// For signing out and saying goodbye on all connections.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Frames that wait for this task before new ones are dropped: one second.
const AUDIO_BACKLOG: usize = 50;

/// Digital silence, -dBov.
const SILENCE: u8 = 127;

/// Names the sign-out of [`Control::Stop`]; no caller waits for it.
const STOP_COMMAND: CommandId = 0;

pub(crate) struct EventLoop {
    clock: Clock,
    client: Client,
    memory: MemoryFile,
    transcript: Option<TranscriptFile>,
    outlets: Outlets,
    control: mpsc::UnboundedReceiver<Control>,
    /// What the callers who wait for an answer call it.
    callers: BTreeMap<CommandId, String>,
    last_command: CommandId,
    signalling: Signalling,
    media: Option<Media>,
    network: NetworkConfig,
    audio: Option<Audio>,
    audio_config: AudioConfig,
    audio_sender: mpsc::Sender<jmrtc_audio::AudioEvent>,
    audio_events: mpsc::Receiver<jmrtc_audio::AudioEvent>,
    /// What the machine allows. The consent of the person is kept here too, not only in the audio.
    posture: Posture,
    /// The link there is was up once: before that nothing is worth recording.
    link_up: bool,
    /// Of the link there is.
    sample: Option<LinkSample>,
    /// What the microphone heard since then, -dBov.
    loudest: u8,
    refused: u64,
    platform: Platform,
    connected: Option<Instant>,
    next_stats: Instant,
    stopping: Option<Stopping>,
}

struct Stopping {
    done: Vec<oneshot::Sender<()>>,
    until: Instant,
}

/// What the task woke up for.
#[allow(clippy::large_enum_variant)]
enum Wake {
    Control(Option<Control>),
    Socket(Generation, SocketEvent),
    Audio(Option<jmrtc_audio::AudioEvent>),
    /// The media link took something in, or it is time for something.
    Look,
}

impl EventLoop {
    pub(crate) fn new(
        config: EngineConfig,
        control: mpsc::UnboundedReceiver<Control>,
        outlets: Outlets,
    ) -> io::Result<Self> {
        let seed = match config.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(io::Error::other)?,
        };
        let memory = MemoryFile::of(config.folder);
        let machine = Config {
            seed,
            device: config.device,
            server_url: config.server_url,
            memory: memory.memory().clone(),
        };
        let transcript = config.transcript.map(|path| TranscriptFile::create(&path, &machine)).transpose()?;
        let (audio_sender, audio_events) = mpsc::channel(AUDIO_BACKLOG);
        Ok(Self {
            clock: Clock::start(),
            client: Client::new(machine),
            memory,
            transcript,
            outlets,
            control,
            callers: BTreeMap::new(),
            last_command: STOP_COMMAND,
            signalling: Signalling::default(),
            media: None,
            network: config.network,
            audio: None,
            audio_config: config.audio,
            audio_sender,
            audio_events,
            posture: Posture::default(),
            link_up: false,
            sample: None,
            loudest: SILENCE,
            refused: 0,
            platform: config.platform,
            connected: None,
            next_stats: Instant::now(),
            stopping: None,
        })
    }

    /// Runs until stopped or until the handle is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            match self.wait().await {
                Wake::Control(Some(control)) => self.control(control),
                Wake::Control(None) => break,
                Wake::Socket(generation, event) => self.handle(Input::Socket { generation, event }),
                Wake::Audio(Some(event)) => self.audio_event(event),
                Wake::Audio(None) | Wake::Look => {}
            }
            self.media_outputs();
            while self.client.next_deadline().is_some_and(|t| t <= self.clock.now()) {
                self.handle(Input::Deadline);
            }
            self.publish_stats();
            if self.stopping.as_ref().is_some_and(|s| s.until <= Instant::now()) {
                break;
            }
        }
        self.finish().await;
    }

    async fn wait(&mut self) -> Wake {
        let timer = self.timer();
        let Self { control, signalling, media, audio_events, .. } = self;
        let media = async {
            match media {
                Some(media) => media.step().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            c = control.recv() => Wake::Control(c),
            (generation, event) = signalling.next() => Wake::Socket(generation, event),
            event = audio_events.recv() => Wake::Audio(event),
            () = media => Wake::Look,
            () = tokio::time::sleep(timer) => Wake::Look,
        }
    }

    /// How long to wait for anything else to happen.
    fn timer(&self) -> Duration {
        let now = Instant::now();
        let deadline = match self.client.next_deadline() {
            Some(t) => Duration::from_millis(t.since(self.clock.now())).min(MAX_SLEEP),
            None => Duration::MAX,
        };
        let stats = match &self.media {
            Some(_) => self.next_stats.saturating_duration_since(now),
            None => Duration::MAX,
        };
        let stop = self.stopping.as_ref().map_or(Duration::MAX, |s| s.until.saturating_duration_since(now));
        deadline.min(stats).min(stop)
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Command { id, method, args } => {
                self.last_command += 1;
                self.callers.insert(self.last_command, id);
                self.handle(Input::Command { id: self.last_command, method, args });
            }
            Control::Platform(event) => self.handle(Input::Platform(event)),
            Control::Stop { done } => match &mut self.stopping {
                Some(stopping) => stopping.done.push(done),
                None => {
                    self.stopping = Some(Stopping { done: vec![done], until: Instant::now() + STOP_TIMEOUT });
                    self.handle(Input::Command {
                        id: STOP_COMMAND,
                        method: "logout".to_owned(),
                        args: Value::Null,
                    });
                }
            },
        }
    }

    fn audio_event(&mut self, event: jmrtc_audio::AudioEvent) {
        match event {
            jmrtc_audio::AudioEvent::Ready => self.handle(Input::Audio(AudioEvent::Ready)),
            jmrtc_audio::AudioEvent::Failed { why } => self.handle(Input::Audio(AudioEvent::Failed { why })),
            jmrtc_audio::AudioEvent::Frame(frame) => {
                if let Some(media) = &mut self.media
                    && self.posture.send
                {
                    media.send(frame);
                }
            }
            jmrtc_audio::AudioEvent::PlaybackDone => self.outlets.playback.send_modify(|n| *n += 1),
        }
    }

    fn media_outputs(&mut self) {
        while let Some(media) = &mut self.media
            && let Some(output) = media.poll_output()
        {
            match output {
                MediaOutput::Event(event) => {
                    let generation = media.generation;
                    if event == MediaEvent::Connected {
                        self.link_up = true;
                        self.set_audio();
                    }
                    self.handle(Input::Media { generation, event });
                }
                MediaOutput::Sound(slot, frame) => match &self.audio {
                    Some(audio) if self.posture.play => audio.receive(slot, frame),
                    Some(_) | None => self.refused += 1,
                },
                MediaOutput::Moved => self.handle(Input::Platform(PlatformEvent::NetworkChanged)),
                MediaOutput::Measured(sample) => {
                    let generation = media.generation;
                    let sample = self.with_audio(sample);
                    self.sample = Some(sample);
                    self.handle(Input::Media { generation, event: MediaEvent::Stats { sample } });
                }
            }
        }
    }

    /// Tells the audio how lossy the way is, and the sample what the audio knows.
    fn with_audio(&mut self, sample: LinkSample) -> LinkSample {
        let loudest = std::mem::replace(&mut self.loudest, SILENCE);
        let Some(audio) = &self.audio else { return LinkSample { level_in: SILENCE, ..sample } };
        audio.loss(f32::from(sample.loss_up_permille.unwrap_or(0)) / 1000.0);
        let stats = audio.stats();
        let buffers = stats.slots.iter().map(|s| s.buffered_ms).filter(|ms| *ms > 0);
        let (sum, count) = buffers.fold((0, 0), |(sum, count), ms| (sum + ms, count + 1));
        LinkSample {
            buffer_ms: sum.checked_div(count).unwrap_or_default(),
            level_in: loudest.min(stats.level_in),
            ..sample
        }
    }

    /// Tells the machine, does what it says, and tells it at once what comes of that.
    fn handle(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = self.clock.now();
            let outputs = self.step(now, input);
            // Before anybody is told.
            self.memory.keep(self.client.memory());
            for output in outputs {
                inputs.extend(self.execute(output));
            }
        }
    }

    fn step(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        let Some(transcript) = &mut self.transcript else { return self.client.handle(now, input) };
        let outputs = self.client.handle(now, input.clone());
        transcript.step(now, &input, &outputs);
        outputs
    }

    /// Does one thing; returns what came of it at once.
    fn execute(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Reply { id, result } => {
                self.reply(id, result);
                None
            }
            Output::Event(event) => {
                match &event {
                    Event::CallConnected(_) => self.connected = Some(Instant::now()),
                    Event::CallDisconnect(_) => self.connected = None,
                    Event::CallOutgoing(_)
                    | Event::CallReceiveInvite(_)
                    | Event::CallConnecting(_)
                    | Event::CallMemberJoin(_)
                    | Event::CallMemberLeave(_)
                    | Event::CallOtherUserInvited(_)
                    | Event::CallMemberMuted(_)
                    | Event::CallActiveSpeakers(_)
                    | Event::CallError(_)
                    | Event::CallQuality(_)
                    | Event::CallReconnecting(_)
                    | Event::CallReconnected(_) => {}
                }
                self.outlets.messages.push(Message::Event(event));
                None
            }
            Output::Socket(action) => {
                match action {
                    SocketAction::Open { generation, url } => self.signalling.open(generation, url),
                    SocketAction::Send { generation, message } => self.signalling.send(generation, &message),
                    SocketAction::Close { generation } => self.signalling.close(generation),
                }
                None
            }
            Output::Media(action) => self.media_action(action),
            Output::Audio(action) => self.audio_action(action),
            Output::Platform(action) => self.platform_action(action),
        }
    }

    fn reply(&mut self, id: CommandId, result: Result<Value, Failure>) {
        if id == STOP_COMMAND {
            if let Err(e) = result {
                debug!("sign-out when stopping: {}", e.description);
            }
            if let Some(stopping) = &mut self.stopping {
                stopping.until = Instant::now();
            }
            return;
        }
        match self.callers.remove(&id) {
            Some(id) => {
                self.outlets.messages.push(Message::Reply { id, result });
            }
            None => warn!("an answer to command {id}, which nobody waits for"),
        }
    }

    fn media_action(&mut self, action: MediaAction) -> Option<Input> {
        let (generation, event) = match action {
            MediaAction::Open { generation, slots, ice_servers } => {
                if !ice_servers.is_empty() {
                    debug!(
                        "{} STUN and TURN servers are not used: the server has a public address",
                        ice_servers.len()
                    );
                }
                self.close_media();
                match Media::open(generation, slots, self.network.clone()) {
                    Ok((media, sdp)) => {
                        self.media = Some(media);
                        (generation, MediaEvent::Offer { sdp })
                    }
                    Err(why) => (generation, MediaEvent::Failed { why }),
                }
            }
            MediaAction::Answer { generation, sdp } => {
                let media = self.media.as_mut().filter(|m| m.generation == generation)?;
                match media.answer(sdp) {
                    Ok(()) => return None,
                    Err(why) => (generation, MediaEvent::Failed { why }),
                }
            }
            MediaAction::Restart { generation } => {
                let media = self.media.as_mut().filter(|m| m.generation == generation)?;
                match media.restart() {
                    Ok(sdp) => (generation, MediaEvent::Offer { sdp }),
                    Err(why) => (generation, MediaEvent::Failed { why }),
                }
            }
            MediaAction::Close { generation } => {
                if self.media.as_ref().is_some_and(|m| m.generation == generation) {
                    self.close_media();
                }
                return None;
            }
        };
        Some(Input::Media { generation, event })
    }

    fn close_media(&mut self) {
        if let Some(media) = self.media.take() {
            media.close();
            self.outlets.stats.send_replace(Stats::default());
            self.link_up = false;
            self.sample = None;
            self.set_audio();
        }
    }

    fn audio_action(&mut self, action: AudioAction) -> Option<Input> {
        match action {
            AudioAction::Prepare => {
                if self.audio.is_none() {
                    match self.spawn_audio() {
                        Ok(audio) => self.audio = Some(audio),
                        Err(e) => return Some(Input::Audio(AudioEvent::Failed { why: e.to_string() })),
                    }
                }
                if let Some(audio) = &self.audio {
                    audio.prepare();
                }
            }
            AudioAction::Set { capture, send, play } => {
                self.posture = Posture { capture, send, play };
                self.set_audio();
                if let Some(media) = &mut self.media
                    && !send
                {
                    media.rest();
                }
            }
            AudioAction::Release => {
                self.posture = Posture::default();
                self.audio = None;
            }
        }
        None
    }

    fn set_audio(&self) {
        if let Some(audio) = &self.audio {
            audio.set(Posture { send: self.posture.send && self.link_up, ..self.posture });
        }
    }

    fn spawn_audio(&self) -> Result<Audio, jmrtc_audio::AudioError> {
        let events = self.audio_sender.clone();
        Audio::spawn(self.audio_config.clone(), move |event| {
            if let Err(e) = events.try_send(event) {
                warn!("the engine is too slow for its audio: {e}");
            }
        })
    }

    fn platform_action(&self, action: PlatformAction) -> Option<Input> {
        match (self.platform, action) {
            (Platform::Bridged, action) => {
                self.outlets.actions.push(action);
                None
            }
            (Platform::Headless, PlatformAction::RequestMicrophone) => {
                Some(Input::Platform(PlatformEvent::Microphone { granted: true }))
            }
            (
                Platform::Headless,
                PlatformAction::ShowIncoming { .. }
                | PlatformAction::DismissIncoming { .. }
                | PlatformAction::CallStarted { .. }
                | PlatformAction::CallEnded { .. }
                | PlatformAction::SetSpeakerphone { .. },
            ) => None,
        }
    }

    fn publish_stats(&mut self) {
        let now = Instant::now();
        let Some(media) = &mut self.media else { return };
        if now < self.next_stats {
            return;
        }
        self.next_stats = now + STATS_INTERVAL;
        let mut stats = Stats {
            connected_ms: self.connected.map(|at| at.elapsed().as_millis() as u64),
            packets_refused: self.refused,
            level_in: SILENCE,
            level_out: SILENCE,
            mos: self.sample.as_ref().filter(|_| self.link_up).map(jmrtc_call::mos),
            sending: self.posture.send && self.link_up,
            ..Stats::default()
        };
        media.stats(&mut stats);
        if let Some(audio) = &self.audio {
            let audio = audio.stats();
            stats.level_in = audio.level_in;
            self.loudest = self.loudest.min(audio.level_in);
            stats.level_out = audio.level_out;
            stats.play_began_ms = audio.play_began.and_then(unix_ms);
            stats.record_began_ms = audio.record_began.and_then(unix_ms);
            for slot in &mut stats.slots {
                if let Some(heard) = audio.slots.get(slot.slot) {
                    slot.buffer_ms = f64::from(heard.buffered_ms);
                    slot.concealed = heard.concealed;
                    slot.late = heard.late;
                    slot.level = heard.level;
                }
            }
        }
        self.outlets.stats.send_replace(stats);
        self.tell_levels();
    }

    /// The machine decides who speaks.
    fn tell_levels(&mut self) {
        let (Some(media), Some(audio)) = (&self.media, &self.audio) else { return };
        if self.connected.is_none() || !self.link_up {
            return;
        }
        let (generation, audio) = (media.generation, audio.stats());
        let own = if self.posture.send { audio.level_in } else { SILENCE };
        let slots = audio.slots.iter().map(|slot| slot.level).collect();
        self.handle(Input::Media { generation, event: MediaEvent::Levels { own, slots } });
    }

    /// Closes what is open.
    async fn finish(mut self) {
        self.audio = None;
        self.close_media();
        // The machine closes its socket on logout; this is for one that did not come to it.
        if timeout(STOP_TIMEOUT, self.signalling.closed()).await.is_err() {
            info!("stopped without the server's goodbye");
        }
        let done = self.stopping.take().map(|s| s.done).unwrap_or_default();
        drop(self);
        for done in done {
            let _ = done.send(());
        }
    }
}

/// However it ends, whoever waits for an answer gets one.
impl Drop for EventLoop {
    fn drop(&mut self) {
        self.control.close();
        let mut callers: Vec<String> = std::mem::take(&mut self.callers).into_values().collect();
        while let Ok(control) = self.control.try_recv() {
            if let Control::Command { id, .. } = control {
                callers.push(id);
            }
        }
        for id in callers {
            let stopped = Failure::new(ErrorCode::InvalidState, "the engine has stopped");
            self.outlets.messages.push(Message::Reply { id, result: Err(stopped) });
        }
    }
}

fn unix_ms(time: SystemTime) -> Option<f64> {
    time.duration_since(UNIX_EPOCH).ok().map(|t| t.as_secs_f64() * 1000.0)
}
