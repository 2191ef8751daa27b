//! Turns the packets of one slot into an unbroken stream of sound. Time is an argument.
//!
//! Everything hangs on two positions, counted in samples on the sender's clock: what is played now, and what has
//! arrived. [`Delay`] says how far apart they should be; concealment, time-stretching and pauses move them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    FRAME, RtpFrame, SAMPLE_RATE, SlotStats,
    codec::{self, Decoder},
    delay::{Delay, samples_to_micros},
    level,
    stretch::{self, Care},
};

/// The jitter buffer of one slot.
#[derive(Debug)]
pub(crate) struct JitterBuffer {
    decoder: Decoder,
    /// By unwrapped sequence number.
    packets: BTreeMap<i64, Packet>,
    /// The newest unwrapped sequence number and timestamp.
    newest: Option<(i64, i64)>,
    /// What is to be decoded next: sequence number and position. Packets before it are late.
    next: Option<(i64, i64)>,
    /// Decoded and not yet played.
    sound: VecDeque<f32>,
    delay: Delay,
    /// Smoothed, µs; what [`Delay::of`] says of the position played.
    waited: Option<f32>,
    last_look: Option<Instant>,
    /// Nothing sounds: the next packet starts at its due time.
    silent: bool,
    /// Samples concealed in a row.
    concealed: usize,
    /// Those of them that stand for no lost packet yet: nothing had come when they were needed.
    hole: i64,
    /// Samples in the last packet.
    frame: i64,
    /// Packets since one with FEC in it.
    without_fec: u32,
    /// Packets in a row that were late.
    late_in_row: u32,
    /// Frames since the last stretch.
    unstretched: u32,
    /// How loud the voice is when it speaks, -dBov.
    voice: f32,
    meter: level::Meter,
    scratch: Vec<f32>,
    stats: SlotStats,
}

#[derive(Debug)]
struct Packet {
    position: i64,
    samples: i64,
    payload: Bytes,
}

/// Packets kept at most: 2 s of the usual ones.
const MOST_PACKETS: usize = 100;
/// Sound beyond the target that is given up rather than played fast, in samples: 400 ms.
const MOST_BEHIND: i64 = 19_200;
/// Concealment of the unknown goes in steps of 10 ms, so that what comes late is played soon.
const STEP: usize = 480;
/// Concealment is whole up to here (80 ms) ...
const FADE_FROM: usize = 3_840;
/// ... and silent from here on (120 ms).
const FADE_TO: usize = 5_760;
/// Silence gives way to sound over 5 ms.
const FADE_IN: usize = 240;
/// In silence time goes on in steps of 2.5 ms.
const SILENT_STEP: usize = 120;
/// A sender that starts over with lower numbers is believed after so many packets.
const LATE_IN_ROW: u32 = 25;
/// The packet after a lost one must be there in time to restore it.
const FEC_WAIT: Duration = Duration::from_millis(24);
/// So far from the target nothing is done, µs.
const NEAR: f32 = 3_000.0;
/// So far from the target any sound is stretched, however unlike itself.
const FAR: f32 = 60_000.0;
/// Frames between two stretches, unless the target is far.
const STRETCH_EVERY: u32 = 3;
/// So many dB below the voice are a pause between words, in which time may be cut anywhere.
const PAUSE: f32 = 25.0;
/// And this is silence whatever the voice, -dBov.
const QUIETEST: f32 = 60.0;
/// Positions that jump by more than a second are another stream's.
const JUMP: i64 = 48_000;

impl JitterBuffer {
    pub(crate) fn new() -> Result<Self, opus::Error> {
        Ok(Self {
            decoder: Decoder::new()?,
            packets: BTreeMap::new(),
            newest: None,
            next: None,
            sound: VecDeque::new(),
            delay: Delay::new(),
            waited: None,
            last_look: None,
            silent: true,
            concealed: 0,
            hole: 0,
            frame: FRAME as i64,
            without_fec: u32::MAX,
            late_in_row: 0,
            unstretched: 0,
            voice: QUIETEST,
            meter: level::Meter::new(),
            scratch: Vec::new(),
            stats: SlotStats { level: level::SILENCE, ..SlotStats::default() },
        })
    }

    /// Forgets all but the statistics.
    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.sound.clear();
        (self.newest, self.next, self.waited) = (None, None, None);
        self.delay = Delay::new();
        (self.silent, self.hole) = (true, 0);
        self.without_fec = u32::MAX;
        self.late_in_row = 0;
        self.meter = level::Meter::new();
    }

    /// Takes a packet in.
    pub(crate) fn receive(&mut self, rtp: &RtpFrame) {
        let Some(samples) = codec::duration(&rtp.payload) else {
            self.stats.broken += 1;
            return;
        };
        self.stats.received += 1;
        let (sequence, position) = self.unwrap(rtp.sequence, rtp.timestamp);
        if self.next.is_some_and(|next| sequence < next.0) {
            self.stats.late += 1;
            self.late_in_row += 1;
            self.delay.packet(rtp.arrival, position);
            if self.late_in_row > LATE_IN_ROW {
                self.clear();
            }
            return;
        }
        self.late_in_row = 0;
        if self.packets.contains_key(&sequence) {
            self.stats.duplicate += 1;
            return;
        }
        if self.newest.is_none_or(|newest| sequence > newest.0) {
            self.newest = Some((sequence, position));
        }
        self.delay.packet(rtp.arrival, position);
        let fec = codec::has_fec(&rtp.payload);
        self.without_fec = if fec { 0 } else { self.without_fec.saturating_add(1) };
        self.packets
            .insert(sequence, Packet { position, samples: samples as i64, payload: rtp.payload.clone() });
        if self.packets.len() > MOST_PACKETS {
            self.packets.pop_first();
            self.stats.discarded += 1;
        }
    }

    fn unwrap(&self, sequence: u16, timestamp: u32) -> (i64, i64) {
        let Some((newest, position)) = self.newest else { return (sequence.into(), timestamp.into()) };
        (
            newest + i64::from(sequence.wrapping_sub(newest as u16) as i16),
            position + i64::from(timestamp.wrapping_sub(position as u32) as i32),
        )
    }

    /// Nothing to hear and nothing to come: [`Self::pull`] would give silence.
    pub(crate) fn is_idle(&self) -> bool {
        self.silent && self.packets.is_empty() && self.sound.iter().all(|s| *s == 0.0)
    }

    /// The next samples, to be played from `now` on.
    pub(crate) fn pull(&mut self, now: Instant, out: &mut [f32]) {
        self.look(now);
        while self.sound.len() < out.len() {
            let at = now + Duration::from_micros(samples_to_micros(self.sound.len() as i64) as u64);
            self.produce(at);
        }
        let sound = self.sound.drain(..out.len());
        out.iter_mut().zip(sound).for_each(|(to, from)| *to = from);
        self.meter.feed(out);
    }

    /// How it goes.
    pub(crate) fn stats(&self) -> SlotStats {
        SlotStats {
            buffered_ms: (samples_to_micros(self.buffered()) / 1000) as u32,
            delay_ms: if self.silent { 0 } else { (self.waited.unwrap_or(0.0) / 1000.0).max(0.0) as u32 },
            target_ms: self.target().as_millis() as u32,
            level: self.meter.level(),
            ..self.stats.clone()
        }
    }

    /// Samples that wait, decoded or not.
    pub(crate) fn buffered(&self) -> i64 {
        self.sound.len() as i64 + self.packets.values().map(|p| p.samples).sum::<i64>()
    }

    fn target(&self) -> Duration {
        let fec = self.without_fec < 50;
        if fec { self.delay.target().max(FEC_WAIT) } else { self.delay.target() }
    }

    /// Observes how long what is played now has waited.
    fn look(&mut self, now: Instant) {
        let (false, 0, Some((_, next))) = (self.silent, self.hole, self.next) else { return };
        let waited = self.delay.of(now, next - self.sound.len() as i64) as f32;
        let since = self.last_look.map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f32());
        let weight = (since / 0.2).min(1.0);
        self.waited = Some(self.waited.map_or(waited, |old| old + (waited - old) * weight));
        self.last_look = Some(now);
    }

    /// Adds sound, the first sample of which is played at `at`.
    fn produce(&mut self, at: Instant) {
        self.skip_what_is_too_much();
        self.drop_what_is_over();
        let Some((&sequence, packet)) = self.packets.first_key_value() else { return self.conceal_unknown() };
        let waited = self.delay.of(at, packet.position);
        // One that is far too early is of another clock, and will never be due.
        let due = waited >= self.target().as_micros() as i64 || waited < -samples_to_micros(JUMP);
        if self.silent {
            return if due { self.start() } else { self.be_silent() };
        }
        let Some((next, position)) = self.next else { return self.start() };
        let gap = packet.position - position;
        let paused = gap > (sequence - next) * self.frame || !(-JUMP..=JUMP).contains(&gap);
        if gap == 0 || (gap < 0 && !paused) {
            self.play();
        } else if paused {
            // The sender was silent of its own accord: its next word starts when it is due.
            if due { self.start() } else { self.conceal_unknown() }
        } else if self.hole >= gap {
            // What was concealed while nothing was there stands for what was lost.
            self.hole -= gap;
            self.play();
        } else {
            self.next = Some((next, position + self.hole));
            let missing = gap - self.hole;
            self.hole = 0;
            self.replace_lost(missing);
        }
    }

    /// Starts with the first packet after silence or a pause.
    fn start(&mut self) {
        if self.silent {
            self.decoder.restart();
        }
        (self.waited, self.hole) = (None, 0);
        self.play();
    }

    /// Plays the first packet.
    fn play(&mut self) {
        let Some((sequence, packet)) = self.packets.pop_first() else { return self.conceal_unknown() };
        if let Some((next, _)) = self.next {
            self.stats.lost += (sequence - next).max(0) as u64;
        }
        self.next = Some((sequence + 1, packet.position + packet.samples));
        self.frame = packet.samples;
        self.later_by(self.hole);
        self.hole = 0;
        let Ok(sound) = self.decoder.decode(&packet.payload) else {
            self.stats.broken += 1;
            return self.conceal(packet.samples as usize);
        };
        self.scratch.clear();
        self.scratch.extend_from_slice(sound);
        if self.silent || self.concealed >= FADE_TO {
            for (i, sample) in self.scratch.iter_mut().take(FADE_IN).enumerate() {
                *sample *= i as f32 / FADE_IN as f32;
            }
        }
        (self.silent, self.concealed) = (false, 0);
        self.stretch();
        self.sound.extend(&self.scratch);
    }

    /// Makes the sound in `scratch` shorter or longer where the delay is not what it should be.
    fn stretch(&mut self) {
        let level = f32::from(level::level(&self.scratch));
        self.voice = level.min(self.voice + 0.05).min(QUIETEST);
        let Some(waited) = self.waited else { return };
        let error = waited - self.target().as_micros() as f32;
        let urgency = ((error.abs() - NEAR) / (FAR - NEAR)).clamp(0.0, 1.0);
        self.unstretched += 1;
        if error.abs() <= NEAR || (urgency < 1.0 && self.unstretched < STRETCH_EVERY) {
            return;
        }
        let care = Care { likeness: 0.9 - 1.9 * urgency, quiet: (self.voice + PAUSE).min(QUIETEST) as u8 };
        let samples = (error.abs() * SAMPLE_RATE as f32 / 1e6) as usize;
        let changed = if error < 0.0 {
            // Up to as much too late as it is too early: most voices have no shorter period.
            stretch::lengthen(&mut self.scratch, 2 * samples, care) as i64
        } else if urgency < 1.0 || !self.packets.is_empty() {
            -(stretch::shorten(&mut self.scratch, samples, care) as i64)
        } else {
            // The packets themselves have become later, and that is not yet known for sure.
            0
        };
        if changed != 0 {
            self.unstretched = 0;
            self.later_by(changed);
            self.stats.expanded += changed.max(0) as u64;
            self.stats.accelerated += (-changed).max(0) as u64;
        }
    }

    fn later_by(&mut self, samples: i64) {
        self.waited = self.waited.map(|waited| waited + samples_to_micros(samples) as f32);
    }

    /// Jumps ahead when much more has arrived than should wait: after a stall, playing all of it would keep the
    /// conversation late for long.
    fn skip_what_is_too_much(&mut self) {
        let wanted = self.target().as_micros() as i64 * i64::from(SAMPLE_RATE) / 1_000_000;
        let Some(newest) = self.packets.last_key_value().map(|(_, p)| p.position) else { return };
        let too_much = |packets: &BTreeMap<i64, Packet>, most: i64| {
            packets.first_key_value().is_some_and(|(_, first)| newest - first.position > most)
        };
        if !too_much(&self.packets, wanted + MOST_BEHIND) {
            return;
        }
        while too_much(&self.packets, wanted) {
            let Some((sequence, packet)) = self.packets.pop_first() else { break };
            self.next = Some((sequence + 1, packet.position + packet.samples));
            self.stats.discarded += 1;
        }
        (self.waited, self.hole, self.concealed) = (None, 0, FADE_TO);
    }

    /// Drops packets in whose place something was concealed.
    fn drop_what_is_over(&mut self) {
        while let (Some(first), Some((_, position))) = (self.packets.first_entry(), self.next) {
            let over = position - (first.get().position + first.get().samples);
            if !(0..JUMP).contains(&over) {
                return;
            }
            first.remove();
            self.stats.late += 1;
        }
    }

    /// The `missing` samples before the first packet never came.
    fn replace_lost(&mut self, missing: i64) {
        let Some((next, position)) = self.next else { return };
        if let Some((_, packet)) = self.packets.first_key_value()
            && missing <= packet.samples
            && codec::has_fec(&packet.payload)
            && let Ok(sound) = self.decoder.restore(&packet.payload, packet.samples as usize)
        {
            self.sound.extend(&*sound);
            self.concealed = 0;
            self.stats.restored += packet.samples as u64;
            self.next = Some((next, packet.position));
            // Of what was lost, the head may have been concealed already: it is heard again, and well.
            let again = packet.samples - missing;
            return self.later_by(again);
        }
        let now = missing.min(self.frame);
        self.next = Some((next, position + now));
        self.conceal(now as usize);
    }

    /// Nothing is there, and whether more comes nobody knows.
    fn conceal_unknown(&mut self) {
        if self.silent || self.concealed >= FADE_TO {
            return self.be_silent();
        }
        self.hole += STEP as i64;
        self.conceal(STEP);
    }

    fn be_silent(&mut self) {
        (self.silent, self.hole, self.waited) = (true, 0, None);
        self.sound.extend([0.0; SILENT_STEP]);
    }

    /// Adds what may have been there; less and less of it.
    fn conceal(&mut self, samples: usize) {
        // libopus conceals in steps of 2.5 ms.
        let samples = (samples.div_ceil(120) * 120).min(Decoder::LONGEST);
        let before = self.concealed;
        self.concealed += samples;
        if before >= FADE_TO {
            return self.sound.extend(std::iter::repeat_n(0.0, samples));
        }
        self.stats.concealed += samples as u64;
        match self.decoder.conceal(samples) {
            Ok(sound) => self.sound.extend(sound.iter().zip(before..).map(|(s, i)| s * fade(i))),
            Err(why) => {
                log::debug!("Opus conceals nothing: {why}");
                self.sound.extend(std::iter::repeat_n(0.0, samples));
            }
        }
    }
}

/// How loud the `i`th concealed sample in a row is.
fn fade(i: usize) -> f32 {
    let left = FADE_TO.saturating_sub(i) as f32 / (FADE_TO - FADE_FROM) as f32;
    left.min(1.0)
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
