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
