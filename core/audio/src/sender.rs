//! Turns what the microphone hears into frames to send.

use std::time::{Duration, Instant};

use crate::{
    EncodedFrame, FRAME, SAMPLE_RATE,
    codec::Encoder,
    level::{self, Voice},
};

/// Cuts the sound of the microphone into frames, numbers and encodes them.
#[derive(Debug)]
pub(crate) struct Sender {
    encoder: Encoder,
    frame: Vec<f32>,
    /// Of the frame being filled.
    timestamp: u32,
    clock: Option<Clock>,
    sending: bool,
    marker: bool,
    voice: Voice,
    level: u8,
    is_voice: bool,
}

/// Where the timestamp should be by the wall clock.
#[derive(Debug)]
struct Clock {
    since: Instant,
    /// Samples counted since then; drifts with the device.
    counted: f64,
}

/// A device that is so far behind has stood still, rather than drifted.
const STALL: f64 = 4_800.0;

impl Sender {
    pub(crate) fn new() -> Result<Self, opus::Error> {
        Ok(Self {
            encoder: Encoder::new()?,
            frame: Vec::with_capacity(FRAME),
            timestamp: 0,
            clock: None,
            sending: false,
            marker: true,
            voice: Voice::new(),
            level: level::SILENCE,
            is_voice: false,
        })
    }

    /// Whether frames are to be sent from here on. Nothing heard while they were not is ever sent.
    pub(crate) fn set_sending(&mut self, sending: bool) {
        if sending && !self.sending {
            self.frame.fill(0.0);
            self.marker = true;
            if let Err(why) = self.encoder.restart() {
                log::warn!("Opus encoder does not restart: {why}");
            }
        }
        self.sending = sending;
    }

    pub(crate) fn loss(&mut self, now: Instant, fraction: f32) {
        if let Err(why) = self.encoder.loss(now, fraction) {
            log::warn!("Opus takes no loss rate: {why}");
        }
    }

    /// The microphone was opened: what it heard before is gone, the timestamp goes on by the clock.
    pub(crate) fn opened(&mut self, now: Instant) {
        self.frame.clear();
        self.catch_up(now, FRAME as f64);
    }

    /// The microphone was closed.
    pub(crate) fn closed(&mut self) {
        self.frame.clear();
        (self.level, self.is_voice) = (level::SILENCE, false);
    }

    /// Takes in what was heard up to `now`; hands out each frame that is full and to be sent.
    pub(crate) fn hear(&mut self, now: Instant, mut samples: &[f32], emit: &mut dyn FnMut(EncodedFrame)) {
        self.catch_up(now.checked_sub(duration(samples.len())).unwrap_or(now), STALL);
        while !samples.is_empty() {
            let (head, rest) = samples.split_at(samples.len().min(FRAME - self.frame.len()));
            self.frame.extend_from_slice(head);
            samples = rest;
            if self.frame.len() == FRAME {
                self.finish(emit);
            }
        }
    }

    fn finish(&mut self, emit: &mut dyn FnMut(EncodedFrame)) {
        self.level = level::level(&self.frame);
        self.is_voice = self.voice.judge(self.level);
        if self.sending {
            match self.encoder.encode(&self.frame) {
                Ok(payload) => {
                    let (timestamp, marker) = (self.timestamp, std::mem::take(&mut self.marker));
                    emit(EncodedFrame {
                        timestamp,
                        marker,
                        level: self.level,
                        voice: self.is_voice,
                        payload,
                    });
                }
                Err(why) => log::warn!("frame not encoded: {why}"),
            }
        }
        self.frame.clear();
        self.advance(FRAME as u32);
    }

    fn advance(&mut self, samples: u32) {
        self.timestamp = self.timestamp.wrapping_add(samples);
        if let Some(clock) = &mut self.clock {
            clock.counted += f64::from(samples);
        }
    }

    /// Where the count is more than `tolerance` samples behind the clock at `at`, when the next sample to come was
    /// heard, jumps ahead by whole frames.
    fn catch_up(&mut self, at: Instant, tolerance: f64) {
        let clock = self.clock.get_or_insert(Clock { since: at, counted: 0.0 });
        let expected = at.saturating_duration_since(clock.since).as_secs_f64() * f64::from(SAMPLE_RATE);
        let behind = expected - clock.counted - self.frame.len() as f64;
        if behind >= tolerance {
            self.frame.clear();
            self.advance((behind / FRAME as f64) as u32 * FRAME as u32);
            self.marker = true;
        } else {
            // The device's clock and the system's differ by a little: that is no gap.
            clock.counted += behind * 0.001;
        }
    }

    pub(crate) const fn level(&self) -> u8 {
        self.level
    }

    pub(crate) const fn is_voice(&self) -> bool {
        self.is_voice
    }

    pub(crate) const fn fec_on(&self) -> bool {
        self.encoder.fec_on()
    }
}

fn duration(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(SAMPLE_RATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears `ms` of a tone in pieces of 10 ms, in real time from `at` on, on a device running at `speed`.
    fn hear(sender: &mut Sender, at: Instant, ms: u64, speed: f64) -> Vec<EncodedFrame> {
        let mut frames = Vec::new();
        let mut given = 0;
        for tick in 1..=ms / 10 {
            let wanted = (tick as f64 * 480.0 * speed) as usize;
            sender.hear(at + Duration::from_millis(tick * 10), &vec![0.2; wanted - given], &mut |f| {
                frames.push(f)
            });
            given = wanted;
        }
        frames
    }

    #[test]
    fn frames_are_numbered_through_mute_and_marked_after_it() {
        let (mut sender, t) = (Sender::new().unwrap(), Instant::now());
        let s = |ms| t + Duration::from_millis(ms);
        sender.opened(t);
        assert!(hear(&mut sender, t, 100, 1.0).is_empty(), "not to be sent");
        assert_eq!(sender.level(), 14, "but heard");
        sender.set_sending(true);
        let frames = hear(&mut sender, s(100), 100, 1.0);
        assert_eq!(frames.iter().map(|f| f.timestamp).collect::<Vec<_>>(), [4800, 5760, 6720, 7680, 8640]);
        assert_eq!(frames.iter().map(|f| f.marker).collect::<Vec<_>>(), [true, false, false, false, false]);
        sender.set_sending(false);
        assert!(hear(&mut sender, s(200), 60, 1.0).is_empty());
        sender.set_sending(true);
        let frames = hear(&mut sender, s(260), 40, 1.0);
        assert_eq!((frames[0].timestamp, frames[0].marker), (12_480, true));
        sender.closed();
        assert_eq!(sender.level(), 127);
        sender.opened(s(1000));
        let frames = hear(&mut sender, s(1000), 40, 1.0);
        assert_eq!((frames[0].timestamp, frames[0].marker, frames[1].marker), (48_000, true, false));
    }

    #[test]
    fn nothing_heard_while_muted_is_sent() {
        let (mut sender, t) = (Sender::new().unwrap(), Instant::now());
        sender.opened(t);
        let mut frames = Vec::new();
        sender.hear(t, &[0.9; 900], &mut |f| frames.push(f));
        sender.set_sending(true);
        sender.hear(t, &[0.0; 960], &mut |f| frames.push(f));
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].level, 127);
    }

    #[test]
    fn a_stalled_device_leaves_a_gap_and_a_drifting_one_does_not() {
        let t = Instant::now();
        for speed in [0.9995, 1.0005] {
            let mut sender = Sender::new().unwrap();
            sender.opened(t);
            sender.marker = false;
            hear(&mut sender, t, 600_000, speed);
            assert!(!sender.marker, "{speed}");
            assert_eq!(sender.timestamp, (600.0 * 48_000.0 * speed) as u32 / 960 * 960);
        }
        let mut sender = Sender::new().unwrap();
        sender.opened(t);
        sender.set_sending(true);
        let before = hear(&mut sender, t, 100, 1.0);
        let after = hear(&mut sender, t + Duration::from_millis(600), 100, 1.0);
        assert_eq!(before.last().unwrap().timestamp, 3840);
        assert_eq!((after[0].timestamp, after[0].marker), (28_800, true));
    }

    #[test]
    fn timestamps_wrap() {
        let (mut sender, t) = (Sender::new().unwrap(), Instant::now());
        sender.timestamp = u32::MAX - 959;
        sender.opened(t);
        sender.set_sending(true);
        let frames = hear(&mut sender, t, 40, 1.0);
        assert_eq!(frames.iter().map(|f| f.timestamp).collect::<Vec<_>>(), [u32::MAX - 959, 0]);
    }
}
