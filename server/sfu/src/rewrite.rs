//! Makes one continuous RTP stream out of whatever is heard in a slot, one source after another.

use std::time::Instant;

/// RTP clock of Opus.
const CLOCK_HZ: f64 = 48_000.0;
/// Timestamp units of one 20 ms frame.
const FRAME: u32 = 960;
/// Where a slot's timestamps begin. Any number does; not 0, so that a bug that sends 0 shows.
const FIRST_TIMESTAMP: u32 = 0x1000;
/// A step in a source's sequence numbers beyond this (a minute of frames) is a new beginning: SRTP
/// receivers lose count of the roll-overs when a stream leaps, or gets on by half of 65536 while they miss it.
const MAX_STEP: u64 = 3000;
/// How fast a source's numbers may go on; with [`MAX_STEP`] to begin with, a receiver may miss more than a minute.
const STEPS_PER_SECOND: u64 = 400;
/// A source whose timestamps are further (2 s) than this from the slot's clock is begun anew.
const MAX_DRIFT: u32 = 96_000;

/// Where a source's packet goes in the slot's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Extended sequence number; starts below 65536 and steps by less than [`MAX_STEP`].
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    /// First packet of a source: the receiver may adapt its delay here.
    pub(crate) first: bool,
}

/// The state of one slot's stream.
#[derive(Debug, Default)]
pub(crate) struct Rewriter {
    /// The slot's own clock: timestamp `.1` belongs to the instant `.0`.
    anchor: Option<(Instant, u32)>,
    /// Highest sequence number sent, and the timestamp that went with it.
    last: Option<(u64, u32)>,
    current: Option<Source>,
    steps: Steps,
}

/// By how much the numbers may go on now.
#[derive(Debug)]
struct Steps {
    left: u64,
    at: Option<Instant>,
}

impl Default for Steps {
    fn default() -> Self {
        Self { left: MAX_STEP, at: None }
    }
}

impl Steps {
    fn take(&mut self, now: Instant, step: u64) -> bool {
        let at = *self.at.get_or_insert(now);
        let more = now.saturating_duration_since(at).as_millis() as u64 * STEPS_PER_SECOND / 1_000;
        if more > 0 {
            self.left = MAX_STEP.min(self.left + more);
            self.at = Some(now);
        }
        let enough = step <= self.left;
        self.left -= if enough { step } else { 0 };
        enough
    }
}

/// How the present source's numbers map to the slot's.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    first: u64,
    /// Highest sequence number seen.
    top: u64,
    sequence_shift: i64,
    timestamp_shift: u32,
}

impl Rewriter {
    /// The next packet is another source's.
    pub(crate) fn switch(&mut self) {
        self.current = None;
    }

    /// Where a packet goes; none for one from before the switch to its source.
    pub(crate) fn place(&mut self, now: Instant, ssrc: u32, sequence: u64, timestamp: u32) -> Option<Place> {
        let clock = self.clock(now);
        let first = match &self.current {
            Some(source) if source.continues(ssrc, sequence, timestamp, clock) => {
                !self.steps.take(now, sequence.saturating_sub(source.top))
            }
            Some(_) | None => true,
        };
        if first {
            self.begin(clock, ssrc, sequence, timestamp);
        }
        let source = self.current.as_mut()?;
        if sequence < source.first {
            return None;
        }
        source.top = source.top.max(sequence);
        let place = Place {
            sequence: sequence.wrapping_add_signed(source.sequence_shift),
            timestamp: timestamp.wrapping_add(source.timestamp_shift),
            first,
        };
        if self.last.is_none_or(|(last, _)| place.sequence > last) {
            self.last = Some((place.sequence, place.timestamp));
        }
        Some(place)
    }

    /// What the slot's clock shows. Anchoring to it, not to the last packet, keeps many switches from adding
    /// up to a drift that receivers would answer with ever more delay.
    fn clock(&mut self, now: Instant) -> u32 {
        let (at, timestamp) = *self.anchor.get_or_insert((now, FIRST_TIMESTAMP));
        let ticks = now.saturating_duration_since(at).as_secs_f64() * CLOCK_HZ;
        // Wraps like every RTP timestamp.
        timestamp.wrapping_add(ticks as u64 as u32)
    }

    fn begin(&mut self, clock: u32, ssrc: u32, sequence: u64, timestamp: u32) {
        let (to_sequence, to_timestamp) = match self.last {
            None => (1, clock),
            Some((last, last_timestamp)) => {
                let behind = f64::from(clock.wrapping_sub(last_timestamp).cast_signed());
                let frames = (behind / f64::from(FRAME)).round().max(1.0) as u32;
                (last + 1, last_timestamp.wrapping_add(frames * FRAME))
            }
        };
        self.current = Some(Source {
            ssrc,
            first: sequence,
            top: sequence,
            sequence_shift: to_sequence.wrapping_sub(sequence).cast_signed(),
            timestamp_shift: to_timestamp.wrapping_sub(timestamp),
        });
    }
}

impl Source {
    fn continues(&self, ssrc: u32, sequence: u64, timestamp: u32, clock: u32) -> bool {
        let drift = timestamp.wrapping_add(self.timestamp_shift).wrapping_sub(clock).cast_signed();
        ssrc == self.ssrc
            && sequence <= self.top + MAX_STEP
            && sequence + MAX_STEP >= self.first
            && drift.unsigned_abs() <= MAX_DRIFT
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn one_source_keeps_its_own_gaps_and_order() {
        let start = Instant::now();
        let mut slot = Rewriter::default();
        let place = slot.place(start, 7, 70_000, 5).unwrap();
        assert_eq!(place, Place { sequence: 1, timestamp: FIRST_TIMESTAMP, first: true });
        // Lost: one packet. Then two swapped.
        let later =
            |slot: &mut Rewriter, n: u64| slot.place(start + ms(20 * n), 7, 70_000 + n, 5 + 960 * n as u32);
        assert_eq!(later(&mut slot, 2).unwrap().sequence, 3);
        assert_eq!(later(&mut slot, 4).unwrap().sequence, 5);
        let late = later(&mut slot, 3).unwrap();
        assert_eq!(late, Place { sequence: 4, timestamp: FIRST_TIMESTAMP + 3 * 960, first: false });
        // From before the slot heard this source.
        assert_eq!(slot.place(start + ms(90), 7, 69_999, 0), None);
    }

    #[test]
    fn switches_are_seamless_and_never_drift() {
        let start = Instant::now();
        let mut slot = Rewriter::default();
        let mut last: Option<Place> = None;
        let mut at = 0;
        for turn in 0..200_u32 {
            slot.switch();
            for n in 0..5_u32 {
                // Every source has numbers of its own, near the wrap, and packets come 3 ms off the beat.
                let sequence = u64::from(turn) * 31_337 + u64::from(n);
                let timestamp = u32::MAX.wrapping_sub(1000).wrapping_mul(turn).wrapping_add(n * 960);
                let now = start + ms(at + u64::from(turn % 4));
                let place = slot.place(now, turn, sequence, timestamp).unwrap();
                assert_eq!(place.first, n == 0);
                if let Some(last) = last {
                    assert_eq!(place.sequence, last.sequence + 1);
                    let step = place.timestamp.wrapping_sub(last.timestamp);
                    assert!(step > 0 && step.is_multiple_of(960), "turn {turn}: step {step}");
                }
                let clock = FIRST_TIMESTAMP.wrapping_add((at * 48) as u32);
                let drift = place.timestamp.wrapping_sub(clock).cast_signed();
                assert!(drift.abs() <= 2 * 960, "turn {turn}: drift {drift}");
                last = Some(place);
                at += 20;
            }
            at += 7; // a pause that is no whole number of frames
        }
    }

    #[test]
    fn many_leaps_do_not_add_up_while_a_receiver_misses_a_second() {
        let start = Instant::now();
        let mut slot = Rewriter::default();
        let mut last = slot.place(start, 1, 0, 0).unwrap();
        for n in 1..400_u64 {
            let at = start + ms(n * 1_000 / 400);
            let place = slot.place(at, 1, n * (MAX_STEP - 1), (n * 120) as u32).unwrap();
            assert!(place.sequence > last.sequence);
            last = place;
        }
        let most = MAX_STEP + 2 * STEPS_PER_SECOND;
        assert!(last.sequence <= most, "{} in a second", last.sequence);
    }

    #[test]
    fn a_leap_is_a_new_beginning() {
        let start = Instant::now();
        let mut slot = Rewriter::default();
        slot.place(start, 1, 10, 0).unwrap();
        let leap = slot.place(start + ms(20), 1, 40_000, 960).unwrap();
        assert_eq!(leap, Place { sequence: 2, timestamp: FIRST_TIMESTAMP + 960, first: true });
        let back = slot.place(start + ms(40), 1, 11, 1920).unwrap();
        assert_eq!(back, Place { sequence: 3, timestamp: FIRST_TIMESTAMP + 1920, first: true });
        // The stream's clock stood still while the person was muted.
        let woken = slot.place(start + ms(60_000), 1, 12, 2880).unwrap();
        assert_eq!((woken.sequence, woken.first), (4, true));
        assert_eq!(woken.timestamp, FIRST_TIMESTAMP + 60_000 * 48);
        let other = slot.place(start + ms(60_020), 2, 12, 2880).unwrap();
        assert_eq!((other.sequence, other.first), (5, true));
    }
}
