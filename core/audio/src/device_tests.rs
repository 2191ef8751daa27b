//! A call over a device that misbehaves, in real time: what all backends share must bear whatever one of them does.

use std::{
    f32::consts::TAU,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    Audio, AudioError, AudioEvent, AudioStats, Posture, RtpFrame, SAMPLE_RATE,
    backend::Device,
    level,
    ring::{CaptureHalf, PlaybackHalf},
    shared::Shared,
};

const ALL: Posture = Posture { capture: true, send: true, play: true };
const PATIENCE: Duration = Duration::from_secs(30);
/// Samples that a callback is given, one after the other: some more than the device's usual period, some none at all.
const SIZES: [usize; 9] = [441, 7, 960, 0, 333, 480, 1, 1_024, 129];
/// Of a sine of half the full scale, in -dBov.
const TONE_LEVEL: u8 = 9;

/// A sound card whose microphone hears a tone, and that does as the test likes.
#[derive(Clone)]
struct Card(Arc<Mutex<Wires>>);

struct Wires {
    capture: Option<CaptureHalf>,
    playback: Option<PlaybackHalf>,
    rate: u32,
    /// It calls nobody any more, until it is opened again.
    stalled: bool,
    /// How often it refuses to be opened.
    refusals: u32,
    taken: bool,
    /// The last that was played.
    played: Vec<f32>,
    over: bool,
}

impl Card {
    fn new() -> (Self, JoinHandle<()>) {
        let wires = Wires {
            capture: None,
            playback: None,
            rate: SAMPLE_RATE,
            stalled: false,
            refusals: 0,
            taken: false,
            played: Vec::new(),
            over: false,
        };
        let card = Self(Arc::new(Mutex::new(wires)));
        let ticking = thread::spawn({
            let card = card.clone();
            move || card.tick()
        });
        (card, ticking)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Wires) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn tick(&self) {
        let (mut sizes, mut phase, mut owed, mut then) =
            (SIZES.into_iter().cycle(), 0.0f32, 0.0, Instant::now());
        loop {
            thread::park_timeout(Duration::from_millis(3));
            let mut wires = self.0.lock().unwrap();
            if wires.over {
                return;
            }
            let rate = wires.rate;
            // A test that could not run is no underrun.
            owed += then.elapsed().min(Duration::from_millis(100)).as_secs_f32() * rate as f32;
            then = Instant::now();
            while owed > 0.0 {
                let size = sizes.next().unwrap();
                owed -= size as f32;
                if wires.stalled {
                    continue;
                }
                let tone: Vec<f32> = (0..size)
                    .map(|_| {
                        phase = (phase + 1_000.0 / rate as f32).fract();
                        0.5 * (TAU * phase).sin()
                    })
                    .collect();
                if let Some(half) = &mut wires.capture {
                    half.set_rate(rate);
                    half.write(&tone, 1);
                }
                if let Some(half) = &mut wires.playback {
                    let mut out = vec![0.0f32; size];
                    half.set_rate(rate);
                    half.read(&mut out, 1);
                    wires.played.extend(out);
                    let old = wires.played.len().saturating_sub(rate as usize / 5);
                    wires.played.drain(..old);
                }
            }
        }
    }
}

impl Wires {
    fn opened(&mut self) -> Result<(), AudioError> {
        if self.taken {
            return Err(AudioError::Taken("by the test".into()));
        }
        if let Some(fewer) = self.refusals.checked_sub(1) {
            self.refusals = fewer;
            return Err(AudioError::Device("not now".into()));
        }
        self.stalled = false;
        Ok(())
    }
}

impl Device for Card {
    fn check(&mut self) -> Result<(), AudioError> {
        Ok(())
    }
    fn open_capture(&mut self, mut half: CaptureHalf) -> Result<(), AudioError> {
        self.with(|wires| {
            half.set_rate(wires.rate);
            wires.opened().map(|()| wires.capture = Some(half))
        })
    }
    fn close_capture(&mut self) {
        self.with(|wires| wires.capture = None);
    }
    fn open_playback(&mut self, mut half: PlaybackHalf) -> Result<(), AudioError> {
        self.with(|wires| {
            half.set_rate(wires.rate);
            wires.opened().map(|()| wires.playback = Some(half))
        })
    }
    fn close_playback(&mut self) {
        self.with(|wires| wires.playback = None);
    }
}

/// A call with oneself: what is sent comes in again.
struct Call {
    audio: Audio,
    card: Card,
    events: Receiver<AudioEvent>,
    sequence: u16,
    /// Levels of the last frames sent.
    levels: Vec<u8>,
    failures: u32,
}

impl Call {
    /// Lets the call go on until `condition` holds.
    fn until(&mut self, what: &str, condition: impl Fn(&Self, &AudioStats) -> bool) {
        let start = Instant::now();
        loop {
            self.pass_on();
            let stats = self.audio.stats();
            if condition(self, &stats) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{what}: {:?} {stats:?}", self.levels);
        }
    }

    fn pass_on(&mut self) {
        match self.events.recv_timeout(Duration::from_millis(20)) {
            Ok(AudioEvent::Frame(frame)) => {
                self.levels.push(frame.level);
                self.sequence = self.sequence.wrapping_add(1);
                self.audio.receive(
                    0,
                    RtpFrame {
                        sequence: self.sequence,
                        timestamp: frame.timestamp,
                        marker: frame.marker,
                        payload: frame.payload.into(),
                        arrival: Instant::now(),
                    },
                );
            }
            Ok(AudioEvent::Failed { .. }) => self.failures += 1,
            Ok(AudioEvent::Ready | AudioEvent::PlaybackDone) | Err(_) => {}
        }
    }

    /// Both directions sound as they should, for more than half a second on end.
    fn sounds(&mut self, what: &str) {
        self.levels.clear();
        self.until(what, |call, _| {
            let tone = |level: u8| level.abs_diff(TONE_LEVEL) <= 2;
            let sent = call.levels.iter().rev().take(30);
            let played = call.card.with(|wires| level::level(&wires.played));
            sent.len() == 30 && sent.copied().all(tone) && tone(played)
        });
    }
}

#[test]
fn a_call_goes_on_over_a_device_that_misbehaves() {
    let (card, ticking) = Card::new();
    let (sender, events) = mpsc::channel();
    let shared = Arc::new(Shared::new(move |event| {
        let _ = sender.send(event);
    }));
    let audio = Audio::start(1, shared, Box::new(card.clone())).unwrap();
    audio.set(ALL);
    let mut call = Call { audio, card: card.clone(), events, sequence: 0, levels: Vec::new(), failures: 0 };
    call.sounds("odd sizes");

    for rate in [44_100, 16_000, 8_000, 96_000, SAMPLE_RATE] {
        card.with(|wires| wires.rate = rate);
        call.sounds(&format!("at {rate} Hz"));
    }
    assert_eq!(call.audio.stats().reopened, 0, "another rate is no loss");

    // Gone, not to be had three times, and back at another rate.
    card.with(|wires| {
        (wires.refusals, wires.rate) = (3, 16_000);
        let handles = (wires.capture.as_ref().unwrap().handle(), wires.playback.as_ref().unwrap().handle());
        handles.0.lost();
        handles.1.lost();
    });
    call.until("back", |_, stats| stats.reopened == 2);
    call.sounds("after a loss");

    card.with(|wires| wires.stalled = true);
    call.until("a stall is noticed", |_, stats| stats.reopened >= 4);
    call.sounds("after a stall");

    card.with(|wires| {
        wires.taken = true;
        wires.capture.as_ref().unwrap().handle().lost();
    });
    call.until("taken away", |_, stats| !stats.capturing);
    card.with(|wires| wires.taken = false);
    call.sounds("given back");
    assert_eq!(call.failures, 0);

    drop(call);
    card.with(|wires| {
        assert!(wires.capture.is_none() && wires.playback.is_none(), "closed in the end");
        wires.over = true;
    });
    ticking.join().unwrap();
}
