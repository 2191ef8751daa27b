//! Everything between the devices and the network, with time as an argument: no thread, no clock, no device.

use std::time::Instant;

use crate::{
    AudioStats, EncodedFrame, Posture, RtpFrame, SlotStats, jitter::JitterBuffer, level, mixer::Limiter,
    sender::Sender,
};

/// One sender, a jitter buffer for each slot, a mixer.
#[derive(Debug)]
pub(crate) struct Pipeline {
    posture: Posture,
    sender: Sender,
    slots: Vec<JitterBuffer>,
    limiter: Limiter,
    meter: level::Meter,
    one: Vec<f32>,
}

impl Pipeline {
    pub(crate) fn new(slots: usize) -> Result<Self, opus::Error> {
        Ok(Self {
            posture: Posture::default(),
            sender: Sender::new()?,
            slots: (0..slots).map(|_| JitterBuffer::new()).collect::<Result<_, _>>()?,
            limiter: Limiter::new(),
            meter: level::Meter::new(),
            one: Vec::new(),
        })
    }

    /// What may run from here on.
    pub(crate) fn set(&mut self, posture: Posture) {
        self.sender.set_sending(posture.capture && posture.send);
        if !posture.capture {
            self.sender.closed();
        }
        if !posture.play {
            self.slots.iter_mut().for_each(JitterBuffer::clear);
            self.meter = level::Meter::new();
        }
        self.posture = posture;
    }

    /// The microphone was opened; what it hears is 48 kHz mono.
    pub(crate) fn opened(&mut self, now: Instant) {
        self.sender.opened(now);
    }

    /// What the microphone heard up to `now`.
    pub(crate) fn hear(&mut self, now: Instant, samples: &[f32], emit: &mut dyn FnMut(EncodedFrame)) {
        if self.posture.capture {
            self.sender.hear(now, samples, emit);
        }
    }

    /// A packet of a slot.
    pub(crate) fn receive(&mut self, slot: usize, frame: &RtpFrame) {
        if self.posture.play
            && let Some(slot) = self.slots.get_mut(slot)
        {
            slot.receive(frame);
        }
    }

    /// The other end reports that it lost this share, 0 to 1.
    pub(crate) fn loss(&mut self, now: Instant, fraction: f32) {
        self.sender.loss(now, fraction);
    }

    /// What is to be played from `now` on.
    pub(crate) fn play(&mut self, now: Instant, out: &mut [f32]) {
        out.fill(0.0);
        if !self.posture.play {
            return;
        }
        self.one.resize(out.len(), 0.0);
        for slot in self.slots.iter_mut().filter(|slot| !slot.is_idle()) {
            slot.pull(now, &mut self.one);
            for (sum, sample) in out.iter_mut().zip(&self.one) {
                *sum += sample;
            }
        }
        self.limiter.apply(out);
        self.meter.feed(out);
    }

    /// How it goes; what only devices know is left at its default.
    pub(crate) fn stats(&self) -> AudioStats {
        AudioStats {
            level_in: self.sender.level(),
            voice_in: self.sender.is_voice(),
            level_out: self.meter.level(),
            fec_on: self.sender.fec_on(),
            slots: self.slots.iter().map(JitterBuffer::stats).collect::<Vec<SlotStats>>(),
            ..AudioStats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{FRAME, SAMPLE_RATE, codec::Encoder, signal};

    const ALL: Posture = Posture { capture: true, send: true, play: true };

    /// A second of `voices` of the same person in as many slots, all at once.
    fn together(voices: usize) -> (Pipeline, Vec<f32>) {
        let mut pipeline = Pipeline::new(voices).unwrap();
        pipeline.set(ALL);
        let mut encoder = Encoder::new().unwrap();
        let start = Instant::now();
        let (mut heard, mut block) = (Vec::new(), [0.0; 480]);
        for (i, frame) in signal::speech(1.0).chunks_exact(FRAME).enumerate() {
            let now = start + Duration::from_millis(20 * i as u64);
            let packet = RtpFrame {
                sequence: i as u16,
                timestamp: (i * FRAME) as u32,
                marker: i == 0,
                payload: encoder.encode(frame).unwrap().into(),
                arrival: now,
            };
            for slot in 0..=voices {
                pipeline.receive(slot, &packet);
            }
            for half in 0..2 {
                pipeline.play(now + Duration::from_millis(10 * half), &mut block);
                heard.extend_from_slice(&block);
            }
        }
        (pipeline, heard)
    }

    #[test]
    fn slots_are_heard_together_and_never_too_loud() {
        let (_, one) = together(1);
        let (pipeline, two) = together(2);
        for (a, b) in one.iter().zip(&two).filter(|(a, _)| (0.01..0.4).contains(&a.abs())) {
            // Up to twice as loud: the limiter lets go slowly.
            assert!((1.2..2.001).contains(&(b / a)), "{a} {b}");
        }
        let quiet = one.iter().zip(&two).take(12_000).filter(|(a, _)| a.abs() > 0.01);
        assert!(
            quiet.clone().count() > 1_000
                && quiet.filter(|(a, b)| (*b / *a - 2.0).abs() < 0.01).count() > 1_000
        );
        let stats = pipeline.stats();
        assert_eq!(stats.slots.len(), 2);
        assert!(stats.slots.iter().all(|s| s.received == 50), "{stats:?}");
        assert_eq!(stats.level_out + 6, stats.slots[0].level, "twice as loud");
        let (_, eight) = together(8);
        assert!(eight.iter().all(|s| s.abs() <= 1.0));
        assert!(eight.iter().fold(0.0f32, |peak, s| peak.max(s.abs())) > 0.8);
    }

    #[test]
    fn nothing_sounds_that_the_posture_forbids() {
        let (mut pipeline, _) = together(2);
        let mut block = [1.0; 480];
        pipeline.set(Posture { play: false, ..ALL });
        pipeline.play(Instant::now(), &mut block);
        assert_eq!(block, [0.0; 480]);
        pipeline.set(ALL);
        pipeline.play(Instant::now(), &mut block);
        assert_eq!(block, [0.0; 480], "what came before is forgotten");

        let mut frames = 0;
        let second = vec![0.3; SAMPLE_RATE as usize];
        for (posture, expected) in [
            (ALL, 50),
            (Posture { send: false, ..ALL }, 50),
            (Posture { capture: false, ..ALL }, 50),
            (Posture { play: false, ..ALL }, 100),
            (Posture::default(), 100),
        ] {
            pipeline.set(posture);
            pipeline.hear(Instant::now(), &second, &mut |_| frames += 1);
            assert_eq!(frames, expected, "{posture:?}");
            assert_eq!(pipeline.stats().level_in == level::SILENCE, !posture.capture, "{posture:?}");
        }
    }
}
