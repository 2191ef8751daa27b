//! A virtual sound card: a thread that ticks by the clock and calls both halves like an operating system would.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::Device;
use crate::{
    AudioError, SAMPLE_RATE,
    ring::{CaptureHalf, PlaybackHalf},
};

/// What a microphone hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Sound,
    /// All there was is over; told once.
    Over,
    /// There is no microphone any more.
    Gone,
}

/// What a virtual sound card is connected to. Samples are 48 kHz mono.
pub(crate) trait World: Send + 'static {
    /// Sees that it is all there.
    fn check(&mut self) -> Result<(), AudioError>;
    /// The microphone was opened.
    fn capture_opened(&mut self) -> Result<(), AudioError>;
    /// The microphone was closed.
    fn capture_closed(&mut self);
    /// The loudspeaker was opened.
    fn playback_opened(&mut self) -> Result<(), AudioError>;
    /// What the microphone hears next. `live`: it is sent at this moment.
    fn hear(&mut self, live: bool, into: &mut [f32]) -> Heard;
    /// What the loudspeaker plays.
    fn play(&mut self, sound: &[f32]);
    /// The loudspeaker was closed.
    fn playback_closed(&mut self);
}

/// The sound card.
pub(crate) struct Paced<W> {
    period: usize,
    lines: Arc<Mutex<Lines<W>>>,
    /// Ends the thread when dropped.
    ticking: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

struct Lines<W> {
    world: W,
    capture: Option<CaptureHalf>,
    playback: Option<PlaybackHalf>,
}

/// A thread that could not run for so long goes on from now, like a sound card whose buffer ran over.
const HOPELESS: Duration = Duration::from_millis(60);

impl<W: World> Paced<W> {
    /// Ticks every `period` samples.
    pub(crate) fn new(period: usize, world: W) -> Self {
        let lines = Lines { world, capture: None, playback: None };
        Self { period, lines: Arc::new(Mutex::new(lines)), ticking: None }
    }

    fn lines(&self) -> MutexGuard<'_, Lines<W>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&mut self) -> Result<(), AudioError> {
        if self.ticking.is_none() {
            let (stop, stopped) = mpsc::channel();
            let (lines, period) = (Arc::clone(&self.lines), self.period);
            let thread = thread::Builder::new()
                .name("jmrtc-card".into())
                .spawn(move || tick(&lines, period, &stopped))?;
            self.ticking = Some((stop, thread));
        }
        Ok(())
    }

    fn stop_if_closed(&mut self) {
        let lines = self.lines();
        let closed = lines.capture.is_none() && lines.playback.is_none();
        drop(lines);
        if closed && let Some((stop, thread)) = self.ticking.take() {
            drop(stop);
            if thread.join().is_err() {
                log::error!("the virtual sound card panicked");
            }
        }
    }
}

fn tick<W: World>(lines: &Mutex<Lines<W>>, period: usize, stopped: &mpsc::Receiver<()>) {
    let length = Duration::from_nanos(period as u64 * 1_000_000_000 / u64::from(SAMPLE_RATE));
    let mut block = vec![0.0; period];
    let mut due = Instant::now() + length;
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if let Err(mpsc::RecvTimeoutError::Disconnected) = stopped.recv_timeout(left) {
            return;
        }
        if due.elapsed() > HOPELESS {
            due = Instant::now();
        }
        due += length;
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Lines { world, capture, playback } = &mut *lines;
        if let Some(half) = playback {
            half.read(&mut block, 1);
            world.play(&block);
        }
        if let Some(half) = capture {
            let heard = world.hear(half.is_live(), &mut block);
            half.write(&block, 1);
            match heard {
                Heard::Sound => {}
                Heard::Over => half.done(),
                Heard::Gone => half.handle().lost(),
            }
        }
    }
}

impl<W: World> Device for Paced<W> {
    fn check(&mut self) -> Result<(), AudioError> {
        self.lines().world.check()
    }

    fn open_capture(&mut self, mut half: CaptureHalf) -> Result<(), AudioError> {
        half.set_rate(SAMPLE_RATE);
        let mut lines = self.lines();
        lines.world.capture_opened()?;
        lines.capture = Some(half);
        drop(lines);
        self.start()
    }

    fn close_capture(&mut self) {
        let mut lines = self.lines();
        if lines.capture.take().is_some() {
            lines.world.capture_closed();
        }
        drop(lines);
        self.stop_if_closed();
    }

    fn open_playback(&mut self, mut half: PlaybackHalf) -> Result<(), AudioError> {
        half.set_rate(SAMPLE_RATE);
        let mut lines = self.lines();
        lines.world.playback_opened()?;
        lines.playback = Some(half);
        drop(lines);
        self.start()
    }

    fn close_playback(&mut self) {
        let mut lines = self.lines();
        if lines.playback.take().is_some() {
            lines.world.playback_closed();
        }
        drop(lines);
        self.stop_if_closed();
    }
}

impl<W> Drop for Paced<W> {
    fn drop(&mut self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        (lines.capture, lines.playback) = (None, None);
        drop(lines);
        if let Some((stop, thread)) = self.ticking.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
