//! Between a device's callback and the worker: one lock-free ring each way.
//!
//! A backend gets a [`CaptureHalf`] or [`PlaybackHalf`] and calls it from the device's callback with whatever number of
//! samples the device likes. These calls allocate nothing, take no lock, write no log and never wait; all they do besides
//! copying is to unpark the worker. That is one atomic exchange when the worker is awake, and one system call that doesn't
//! wait (futex wake, semaphore signal) when it sleeps, a few microseconds at most; in return the worker reacts at once
//! instead of polling, which saves both delay and battery.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread::Thread,
};

use rtrb::{Consumer, Producer, RingBuffer};

/// Samples in a ring, about a third of a second at 48 kHz. Playback keeps far less in it.
const CAPACITY: usize = 16_384;

/// How a device writes one sample.
pub trait Sample: Copy {
    /// To ±1.
    fn to_f32(self) -> f32;
    /// From ±1; what is outside is clipped.
    fn from_f32(sample: f32) -> Self;
}

impl Sample for f32 {
    fn to_f32(self) -> f32 {
        if self.is_finite() { self } else { 0.0 }
    }
    fn from_f32(sample: f32) -> Self {
        sample.clamp(-1.0, 1.0)
    }
}

impl Sample for i16 {
    fn to_f32(self) -> f32 {
        f32::from(self) / 32_768.0
    }
    fn from_f32(sample: f32) -> Self {
        (sample * 32_768.0).round() as Self
    }
}

impl Sample for i32 {
    fn to_f32(self) -> f32 {
        self as f32 / 2_147_483_648.0
    }
    fn from_f32(sample: f32) -> Self {
        (sample * 2_147_483_648.0) as Self
    }
}

impl Sample for u8 {
    fn to_f32(self) -> f32 {
        (f32::from(self) - 128.0) / 128.0
    }
    fn from_f32(sample: f32) -> Self {
        (sample * 128.0 + 128.0).round() as Self
    }
}

/// What the two sides of a ring tell each other besides samples.
#[derive(Debug)]
struct Line {
    /// Samples per second of the device.
    rate: AtomicU32,
    /// The longest callback since the worker last asked, in samples.
    longest: AtomicUsize,
    /// Samples lost or missing.
    glitches: AtomicU64,
    /// The device has called since the worker last asked.
    called: AtomicBool,
    /// The device is gone.
    lost: AtomicBool,
    /// The worker sends what it hears.
    live: AtomicBool,
    /// The source is exhausted.
    done: AtomicBool,
    /// The thread that owns the other side of the ring.
    worker: Thread,
    /// The thread that opens devices again.
    keeper: Thread,
}

impl Line {
    fn lost(&self) {
        self.lost.store(true, Relaxed);
        self.keeper.unpark();
    }

    fn called(&self, samples: usize) {
        self.longest.fetch_max(samples, Relaxed);
        self.called.store(true, Relaxed);
        self.worker.unpark();
    }
}

/// What any part of a backend may say of a half that a callback owns by now. All may be called in a callback.
#[derive(Debug, Clone)]
pub struct LineHandle(Arc<Line>);

impl LineHandle {
    /// Samples per second, for a device that tells only once it is open: before its first callback.
    pub fn set_rate(&self, rate: u32) {
        self.0.rate.store(rate, Relaxed);
        self.0.worker.unpark();
    }

    /// The device is gone, or can't go on as it is: close it and open it again.
    pub fn lost(&self) {
        self.0.lost();
    }
}

/// The device's side of capture.
#[derive(Debug)]
pub struct CaptureHalf {
    ring: Producer<f32>,
    line: Arc<Line>,
}

impl CaptureHalf {
    /// Samples per second from here on. Must be called before the first [`Self::write`], and again when it changes.
    pub fn set_rate(&mut self, rate: u32) {
        self.line.rate.store(rate, Relaxed);
    }

    /// Takes what the device heard: interleaved samples of `channels` channels, which are mixed to one.
    pub fn write<S: Sample>(&mut self, interleaved: &[S], channels: usize) {
        let channels = channels.max(1);
        let frames = interleaved.len() / channels;
        let fits = frames.min(self.ring.slots());
        if let Ok(chunk) = self.ring.write_chunk_uninit(fits) {
            let mono = interleaved
                .chunks_exact(channels)
                .map(|frame| frame.iter().map(|s| s.to_f32()).sum::<f32>() / channels as f32);
            chunk.fill_from_iter(mono);
        }
        if fits < frames {
            self.line.glitches.fetch_add((frames - fits) as u64, Relaxed);
        }
        self.line.called(frames);
    }

    /// Whether what is heard is sent at this moment.
    pub fn is_live(&self) -> bool {
        self.line.live.load(Relaxed)
    }

    /// There was something to be heard, and it is over (a file played as a microphone).
    pub fn done(&mut self) {
        self.line.done.store(true, Relaxed);
        self.line.worker.unpark();
    }

    /// For what is not said by the callback.
    pub fn handle(&self) -> LineHandle {
        LineHandle(Arc::clone(&self.line))
    }
}

/// The device's side of playback.
#[derive(Debug)]
pub struct PlaybackHalf {
    ring: Consumer<f32>,
    line: Arc<Line>,
    last: f32,
}

impl PlaybackHalf {
    /// Samples per second from here on. Must be called before the first [`Self::read`], and again when it changes.
    pub fn set_rate(&mut self, rate: u32) {
        self.line.rate.store(rate, Relaxed);
        self.line.worker.unpark();
    }

    /// Fills what the device wants to play: interleaved samples of `channels` channels, all alike.
    pub fn read<S: Sample>(&mut self, interleaved: &mut [S], channels: usize) {
        let channels = channels.max(1);
        let wanted = interleaved.len() / channels;
        let there = wanted.min(self.ring.slots());
        let mut frames = interleaved.chunks_mut(channels);
        if let Ok(chunk) = self.ring.read_chunk(there) {
            for (sample, frame) in chunk.into_iter().zip(frames.by_ref()) {
                self.last = sample;
                frame.fill(S::from_f32(sample));
            }
        }
        for frame in frames {
            // Too late: let the sound fall off rather than break off.
            self.last *= 0.98;
            frame.fill(S::from_f32(self.last));
        }
        if there < wanted {
            self.line.glitches.fetch_add((wanted - there) as u64, Relaxed);
        }
        self.line.called(wanted);
    }

    /// For what is not said by the callback.
    pub fn handle(&self) -> LineHandle {
        LineHandle(Arc::clone(&self.line))
    }
}

/// The worker's side of capture.
#[derive(Debug)]
pub struct CaptureEnd {
    ring: Consumer<f32>,
    line: Arc<Line>,
}

impl CaptureEnd {
    /// Samples per second; 0 while unknown.
    pub fn rate(&self) -> u32 {
        self.line.rate.load(Relaxed)
    }

    /// Appends all there is.
    pub fn drain(&mut self, to: &mut Vec<f32>) {
        if let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) {
            to.extend(chunk);
        }
    }

    pub(crate) fn set_live(&self, live: bool) {
        self.line.live.store(live, Relaxed);
    }

    /// True once after [`CaptureHalf::done`].
    pub(crate) fn take_done(&self) -> bool {
        self.line.done.swap(false, Relaxed)
    }

    /// Samples lost since the last call.
    pub(crate) fn take_glitches(&self) -> u64 {
        self.line.glitches.swap(0, Relaxed)
    }

    /// Whether the device has called since the last call.
    pub(crate) fn take_called(&self) -> bool {
        self.line.called.swap(false, Relaxed)
    }

    /// As [`LineHandle::lost`].
    pub(crate) fn lost(&self) {
        self.line.lost();
    }
}

/// The worker's side of playback.
#[derive(Debug)]
pub struct PlaybackEnd {
    ring: Producer<f32>,
    line: Arc<Line>,
}

impl PlaybackEnd {
    /// Samples per second; 0 while unknown.
    pub fn rate(&self) -> u32 {
        self.line.rate.load(Relaxed)
    }

    /// Samples that wait to be played.
    pub fn waiting(&self) -> usize {
        CAPACITY - self.ring.slots()
    }

    /// Adds samples; what doesn't fit is dropped.
    pub fn push(&mut self, samples: &[f32]) {
        let _ = self.ring.push_partial_slice(samples);
    }

    /// The longest callback since the last call, in samples; 0 where there was none.
    pub(crate) fn take_longest(&self) -> usize {
        self.line.longest.swap(0, Relaxed)
    }

    /// Samples missing since the last call.
    pub(crate) fn take_glitches(&self) -> u64 {
        self.line.glitches.swap(0, Relaxed)
    }

    /// Whether the device has called since the last call.
    pub(crate) fn take_called(&self) -> bool {
        self.line.called.swap(false, Relaxed)
    }

    /// As [`LineHandle::lost`].
    pub(crate) fn lost(&self) {
        self.line.lost();
    }
}

/// Says whether a device is gone; for the thread that opens it again.
#[derive(Debug)]
pub struct Watch(Arc<Line>);

impl Watch {
    pub(crate) fn is_lost(&self) -> bool {
        self.0.lost.load(Relaxed)
    }
}

fn line(worker: Thread, keeper: Thread) -> Arc<Line> {
    Arc::new(Line {
        rate: AtomicU32::new(0),
        longest: AtomicUsize::new(0),
        glitches: AtomicU64::new(0),
        called: AtomicBool::new(false),
        lost: AtomicBool::new(false),
        live: AtomicBool::new(false),
        done: AtomicBool::new(false),
        worker,
        keeper,
    })
}

/// A ring from a microphone to the `worker`; `keeper` is woken when the device is lost.
pub fn capture(worker: Thread, keeper: Thread) -> (CaptureHalf, CaptureEnd, Watch) {
    let (producer, consumer) = RingBuffer::new(CAPACITY);
    let line = line(worker, keeper);
    (
        CaptureHalf { ring: producer, line: Arc::clone(&line) },
        CaptureEnd { ring: consumer, line: Arc::clone(&line) },
        Watch(line),
    )
}

/// A ring from the `worker` to a loudspeaker; `keeper` is woken when the device is lost.
pub fn playback(worker: Thread, keeper: Thread) -> (PlaybackHalf, PlaybackEnd, Watch) {
    let (producer, consumer) = RingBuffer::new(CAPACITY);
    let line = line(worker, keeper);
    (
        PlaybackHalf { ring: consumer, line: Arc::clone(&line), last: 0.0 },
        PlaybackEnd { ring: producer, line: Arc::clone(&line) },
        Watch(line),
    )
}
