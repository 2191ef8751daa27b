//! The thread between the rings and the network: a thin shell around [`Pipeline`].
//!
//! It sleeps until a device's callback, the handle or the keeper unparks it.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    AudioError, AudioEvent, AudioStats, EncodedFrame, FRAME, Posture, SAMPLE_RATE, backend,
    pipeline::Pipeline,
    resample::Resampler,
    ring::{CaptureEnd, PlaybackEnd},
    shared::{Control, Inbox, Shared},
};

/// If no callback comes for so long while a device is open.
const IDLE: Duration = Duration::from_millis(20);
/// An open device that does not call for so long never will: Bluetooth headsets take two seconds to begin.
const STALL: Duration = Duration::from_secs(4);
/// How old statistics may be.
const STATS_EVERY: Duration = Duration::from_millis(50);

/// Starts the thread.
pub(crate) fn spawn(shared: Arc<Shared>, pipeline: Pipeline) -> Result<thread::JoinHandle<()>, AudioError> {
    let mut worker = Worker {
        shared,
        pipeline,
        posture: Posture::default(),
        pauses: 0,
        capture: None,
        playback: None,
        heard: Vec::new(),
        stats: AudioStats::default(),
        stats_at: None,
    };
    Ok(thread::Builder::new().name("jmrtc-audio".into()).spawn(move || {
        backend::hurry();
        while worker.turn() {}
    })?)
}

struct Worker {
    shared: Arc<Shared>,
    pipeline: Pipeline,
    /// What the pipeline knows.
    posture: Posture,
    pauses: u64,
    capture: Option<Capture>,
    playback: Option<Playback>,
    heard: Vec<f32>,
    /// Counters of what the pipeline doesn't count.
    stats: AudioStats,
    stats_at: Option<Instant>,
}

impl Worker {
    /// Does all there is to do and sleeps; false when it is over.
    fn turn(&mut self) -> bool {
        let control = {
            let mut control = self.shared.control();
            let now = *control;
            control.loss = None;
            now
        };
        if control.stop {
            return false;
        }
        self.take_devices();
        self.hear();
        self.obey(&control);
        if let Some(capture) = &self.capture {
            capture.end.set_live(self.posture.capture && self.posture.send);
        }
        self.take_packets();
        if let Some(playback) = &mut self.playback {
            playback.refill(&mut self.pipeline, &mut self.stats);
        }
        self.feel_pulses();
        self.publish();
        if self.capture.is_some() || self.playback.is_some() {
            thread::park_timeout(IDLE);
        } else {
            thread::park();
        }
        true
    }

    fn take_devices(&mut self) {
        let (capture, playback) = {
            let mut handover = self.shared.handover();
            self.stats.reopened = handover.reopened;
            (handover.capture.take(), handover.playback.take())
        };
        if let Some(end) = capture {
            self.capture =
                end.map(|end| Capture { end, pulse: Pulse::new(), resampler: None, raw: Vec::new() });
            if self.capture.is_some() {
                self.pipeline.opened(Instant::now());
            }
        }
        if let Some(end) = playback {
            self.playback = end.map(Playback::new);
        }
    }

    /// Takes what the microphone heard, under the posture that held when it was heard.
    fn hear(&mut self) {
        let Some(capture) = &mut self.capture else { return };
        let done = capture.end.take_done();
        self.stats.capture_overruns += capture.end.take_glitches();
        self.heard.clear();
        capture.drain(&mut self.heard);
        let (shared, pauses, sent) = (&self.shared, self.pauses, &mut self.stats.sent);
        let mut emit = |frame: EncodedFrame| {
            // Held while the frame is handed out: when `Audio::set` returns, no frame is on its way.
            let control = shared.control();
            if control.posture.capture && control.posture.send && control.pauses == pauses {
                *sent += 1;
                shared.tell(AudioEvent::Frame(frame));
            }
        };
        self.pipeline.hear(Instant::now(), &self.heard, &mut emit);
        if done {
            self.shared.tell(AudioEvent::PlaybackDone);
        }
    }

    fn obey(&mut self, control: &Control) {
        if let Some(fraction) = control.loss {
            self.pipeline.loss(Instant::now(), fraction);
        }
        if control.pauses != self.pauses {
            // There was a pause, even if it is over.
            self.pipeline.set(Posture { send: false, ..self.posture });
        } else if control.posture == self.posture {
            return;
        }
        self.pipeline.set(control.posture);
        (self.posture, self.pauses) = (control.posture, control.pauses);
    }

    fn take_packets(&mut self) {
        let frames = {
            let mut inbox = self.shared.inbox();
            self.stats.inbox_overruns = inbox.overruns;
            std::mem::take(&mut inbox.frames)
        };
        debug_assert!(frames.len() <= Inbox::MOST);
        for (slot, frame) in &frames {
            self.pipeline.receive(*slot, frame);
        }
    }

    /// Some systems stop a device without a word.
    fn feel_pulses(&mut self) {
        let now = Instant::now();
        if let Some(capture) = &mut self.capture
            && capture.pulse.stopped(now, capture.end.take_called())
        {
            log::warn!("the microphone has stopped calling");
            capture.end.lost();
        }
        if let Some(playback) = &mut self.playback
            && playback.pulse.stopped(now, playback.end.take_called())
        {
            log::warn!("the loudspeaker has stopped calling");
            playback.end.lost();
        }
    }

    fn publish(&mut self) {
        let now = Instant::now();
        let open = self.capture.is_some() || self.playback.is_some();
        // With nothing open it may be long until the next turn.
        if open && self.stats_at.is_some_and(|at| now.duration_since(at) < STATS_EVERY) {
            return;
        }
        self.stats_at = Some(now);
        let (play_began, record_began) = self.shared.began.times();
        *self.shared.stats() = AudioStats {
            capturing: self.capture.is_some(),
            playing: self.playback.is_some(),
            sent: self.stats.sent,
            capture_overruns: self.stats.capture_overruns,
            playback_underruns: self.stats.playback_underruns,
            reopened: self.stats.reopened,
            inbox_overruns: self.stats.inbox_overruns,
            play_began,
            record_began,
            ..self.pipeline.stats()
        };
    }
}

/// When a device has called last.
struct Pulse(Instant);

impl Pulse {
    fn new() -> Self {
        Self(Instant::now())
    }

    /// Whether it has not called for too long; told once each time.
    fn stopped(&mut self, now: Instant, called: bool) -> bool {
        let stopped = !called && now.saturating_duration_since(self.0) >= STALL;
        if called || stopped {
            self.0 = now;
        }
        stopped
    }
}

/// An open microphone.
struct Capture {
    end: CaptureEnd,
    pulse: Pulse,
    resampler: Option<Resampler>,
    raw: Vec<f32>,
}

impl Capture {
    /// Appends what was heard, at 48 kHz.
    fn drain(&mut self, to: &mut Vec<f32>) {
        let rate = self.end.rate();
        if rate == SAMPLE_RATE || rate == 0 {
            self.resampler = None;
            return self.end.drain(to);
        }
        self.raw.clear();
        self.end.drain(&mut self.raw);
        adapt(&mut self.resampler, rate, SAMPLE_RATE).process(&self.raw, to);
    }
}

/// An open loudspeaker.
struct Playback {
    end: PlaybackEnd,
    pulse: Pulse,
    resampler: Option<Resampler>,
    since: Instant,
    /// Longest callbacks of this and the last [`Self::WINDOW`], in the device's samples.
    longest: [usize; 2],
    window_since: Instant,
    /// Kept in the ring beyond one callback, because the worker was late before; in the device's samples.
    margin: usize,
    last_glitch: Instant,
    at_48: Vec<f32>,
    at_rate: Vec<f32>,
}

impl Playback {
    const WINDOW: Duration = Duration::from_secs(2);
    /// A device that has just been opened asks before anybody could answer.
    const BEGINNING: Duration = Duration::from_millis(300);
    /// After so long without a glitch the margin shrinks.
    const CALM: Duration = Duration::from_secs(3);

    fn new(end: PlaybackEnd) -> Self {
        let now = Instant::now();
        Self {
            end,
            pulse: Pulse(now),
            resampler: None,
            since: now,
            longest: [0; 2],
            window_since: now,
            margin: 0,
            last_glitch: now,
            at_48: Vec::new(),
            at_rate: Vec::new(),
        }
    }

    /// Keeps just over one callback's worth in the ring: more would be delay, less would be gaps.
    fn refill(&mut self, pipeline: &mut Pipeline, stats: &mut AudioStats) {
        let rate = self.end.rate();
        if rate == 0 {
            return;
        }
        let level = self.level(rate, stats);
        let now = Instant::now();
        while self.end.waiting() < level {
            let missing = level - self.end.waiting();
            let wanted = (missing as u64 * u64::from(SAMPLE_RATE)).div_ceil(u64::from(rate)) as usize;
            self.at_48.resize(wanted.clamp(1, FRAME), 0.0);
            pipeline.play(now, &mut self.at_48);
            if rate == SAMPLE_RATE {
                self.resampler = None;
                self.end.push(&self.at_48);
            } else {
                self.at_rate.clear();
                adapt(&mut self.resampler, SAMPLE_RATE, rate).process(&self.at_48, &mut self.at_rate);
                self.end.push(&self.at_rate);
            }
        }
    }

    /// How much is to be in the ring, in the device's samples.
    fn level(&mut self, rate: u32, stats: &mut AudioStats) -> usize {
        let now = Instant::now();
        let millisecond = (rate / 1000) as usize;
        let glitches = self.end.take_glitches();
        if now.duration_since(self.since) > Self::BEGINNING && glitches > 0 {
            stats.playback_underruns += glitches;
            self.last_glitch = now;
            self.margin = (self.margin + 2 * millisecond).min(40 * millisecond);
        } else if now.duration_since(self.last_glitch) > Self::CALM {
            self.last_glitch = now;
            self.margin = self.margin.saturating_sub(millisecond);
        }
        if now.duration_since(self.window_since) > Self::WINDOW {
            self.window_since = now;
            self.longest = [0, self.longest[0]];
        }
        self.longest[0] = self.longest[0].max(self.end.take_longest());
        let callback = match self.longest[0].max(self.longest[1]) {
            0 => 10 * millisecond,
            longest => longest.min(200 * millisecond),
        };
        callback + millisecond + self.margin
    }
}

/// The resampler for these rates: the one there is, or a new one.
fn adapt(resampler: &mut Option<Resampler>, from: u32, to: u32) -> &mut Resampler {
    if resampler.as_ref().is_some_and(|r| r.rates() != (from, to)) {
        *resampler = None;
    }
    resampler.get_or_insert_with(|| Resampler::new(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{level, ring};

    #[test]
    fn a_loudspeaker_of_any_rate_and_appetite_is_kept_fed_and_not_overfed() {
        let (mut half, end, _watch) = ring::playback(thread::current(), thread::current());
        let mut pipeline = Pipeline::new(1).unwrap();
        pipeline.set(Posture { play: true, ..Posture::default() });
        let mut playback = Playback::new(end);
        let mut stats = AudioStats::default();
        playback.refill(&mut pipeline, &mut stats);
        assert_eq!(playback.end.waiting(), 0, "no rate, no sound");
        for rate in [48_000, 44_100, 16_000, 96_000, 48_000] {
            half.set_rate(rate);
            playback.refill(&mut pipeline, &mut stats);
            for (round, size) in [96, 441, 1_024, 7, 480, 0, 333].into_iter().cycle().take(70).enumerate() {
                let before = playback.end.waiting();
                half.read(&mut vec![0i16; size], 1);
                // It takes one long callback to know that they may be so long.
                assert!(before >= size || round < 3, "{rate}: {before} for {size}");
                playback.refill(&mut pipeline, &mut stats);
            }
            let most = (1_024 + 10 * rate as usize / 1_000).max(1_024 + 441);
            assert!(playback.end.waiting() <= most, "{rate}: {}", playback.end.waiting());
        }
    }

    #[test]
    fn a_late_worker_keeps_a_little_more_and_gives_it_back() {
        let (mut half, end, _watch) = ring::playback(thread::current(), thread::current());
        half.set_rate(48_000);
        let mut playback = Playback::new(end);
        let mut stats = AudioStats::default();
        let long_ago = |t: Duration| Instant::now().checked_sub(t).unwrap();
        half.read(&mut [0i16; 480], 1);
        assert_eq!(
            playback.level(48_000, &mut stats),
            528,
            "what is missing at the very beginning doesn't count"
        );
        playback.since = long_ago(Duration::from_secs(1));
        half.read(&mut [0i16; 480], 1);
        assert_eq!(playback.level(48_000, &mut stats), 528 + 96);
        assert_eq!(stats.playback_underruns, 480);
        for _ in 0..100 {
            half.read(&mut [0i16; 480], 1);
            playback.level(48_000, &mut stats);
        }
        assert_eq!(playback.level(48_000, &mut stats), 528 + 1_920, "bounded");
        playback.last_glitch = long_ago(Duration::from_secs(4));
        assert_eq!(playback.level(48_000, &mut stats), 528 + 1_872);
    }

    #[test]
    fn a_device_that_stops_calling_is_noticed_once_at_a_time() {
        let mut pulse = Pulse::new();
        let mut t = pulse.0;
        for _ in 0..100 {
            t += STALL - IDLE;
            assert!(!pulse.stopped(t, true));
        }
        assert!(!pulse.stopped(t + STALL - IDLE, false));
        assert!(pulse.stopped(t + STALL, false));
        assert!(!pulse.stopped(t + STALL + IDLE, false), "told");
        assert!(pulse.stopped(t + 2 * STALL, false), "and again");
        assert!(!pulse.stopped(t + 2 * STALL + IDLE, true));
    }

    #[test]
    fn a_microphone_may_change_its_rate_in_a_call() {
        let (mut half, end, _watch) = ring::capture(thread::current(), thread::current());
        let mut capture = Capture { end, pulse: Pulse::new(), resampler: None, raw: Vec::new() };
        let mut heard = Vec::new();
        for rate in [48_000u32, 44_100, 16_000, 48_000] {
            half.set_rate(rate);
            heard.clear();
            let tone: Vec<f32> = (0..rate).map(|i| 0.5 * (i as f32 * 6_283.2 / rate as f32).sin()).collect();
            for piece in tone.chunks(rate as usize / 100) {
                half.write(piece, 1);
                capture.drain(&mut heard);
            }
            assert!(heard.len().abs_diff(48_000) < 100, "{rate}: {}", heard.len());
            assert_eq!(level::level(&heard[480..]), 9, "{rate}");
        }
    }
}
