//! Watches how unevenly packets arrive, and says for how long each should wait.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::SAMPLE_RATE;

/// All in microseconds, relative to the fastest packets of late.
#[derive(Debug)]
pub(crate) struct Delay {
    /// The zero of all offsets.
    epoch: Option<Instant>,
    /// (arrival, offset) of packets of the last [`WINDOW`], offsets rising: the first is the fastest of all.
    fastest: VecDeque<(i64, i64)>,
    /// How much of the recent past was how late; adds up to 1.
    histogram: [f32; BUCKETS],
    packets: u32,
    target: i64,
}

/// The fastest packet of so long ago is the measure. Clocks drift by 1 ms in it at most.
const WINDOW: i64 = 2_000_000;
const BUCKET: i64 = 4_000;
const BUCKETS: usize = 125;
/// So many packets in a hundred shall be there in time.
const QUANTILE: f32 = 0.97;
/// Half of what is known is forgotten in 3.5 s.
const KEEP: f32 = 0.996;
/// What a packet waits before anything is known of the network.
const START: i64 = 24_000;
/// What the fastest packet waits: the worker and the devices have their own unevenness.
const LEAST: i64 = 8_000;
/// Nobody can talk with more.
const MOST: i64 = 400_000;
/// An offset that far from the others belongs to another clock.
const OTHER_CLOCK: i64 = 2_000_000;

impl Delay {
    pub(crate) fn new() -> Self {
        Self { epoch: None, fastest: VecDeque::new(), histogram: [0.0; BUCKETS], packets: 0, target: START }
    }

    /// A packet whose first sample is number `position` has come.
    pub(crate) fn packet(&mut self, arrival: Instant, position: i64) {
        let epoch = *self.epoch.get_or_insert(arrival);
        let at = micros(epoch, arrival);
        let offset = at - samples_to_micros(position);
        if self.fastest.front().is_some_and(|f| (offset - f.1).abs() > OTHER_CLOCK) {
            self.fastest.clear();
        }
        while self.fastest.back().is_some_and(|f| f.1 >= offset) {
            self.fastest.pop_back();
        }
        self.fastest.push_back((at, offset));
        while self.fastest.front().is_some_and(|f| f.0 < at - WINDOW) {
            self.fastest.pop_front();
        }
        let lateness = offset - self.fastest.front().map_or(offset, |f| f.1);
        self.learn(lateness.max(0));
    }

    fn learn(&mut self, lateness: i64) {
        self.packets = self.packets.saturating_add(1);
        // The first ones count more, so that a good network is known as such within a second.
        let keep = KEEP.min(1.0 - 1.0 / (self.packets as f32 + 1.0));
        let bucket = (lateness / BUCKET).clamp(0, BUCKETS as i64 - 1) as usize;
        for share in &mut self.histogram {
            *share *= keep;
        }
        self.histogram[bucket] += 1.0 - keep;
        let mut sum = 0.0;
        let late = self.histogram.iter().position(|share| {
            sum += share;
            sum >= QUANTILE
        });
        // So late at most.
        let within = |bucket: usize| ((bucket as i64 + 1) * BUCKET + BUCKET / 2).clamp(LEAST, MOST);
        self.target = match late {
            Some(bucket) => within(bucket),
            // Too little is known to hope for less than START, or for less than the worst that was seen.
            None => self.histogram.iter().rposition(|share| *share > 0.0).map_or(START, within).max(START),
        };
    }

    /// How long a packet as fast as the fastest shall wait.
    pub(crate) const fn target(&self) -> Duration {
        Duration::from_micros(self.target as u64)
    }

    /// How long after a fastest packet with it would have come `position` is played when it is played at `at`;
    /// µs, negative where it is early. 0 before the first packet.
    pub(crate) fn of(&self, at: Instant, position: i64) -> i64 {
        let (Some(epoch), Some(fastest)) = (self.epoch, self.fastest.front()) else { return 0 };
        micros(epoch, at) - samples_to_micros(position) - fastest.1
    }
}

/// From `from` to `to`, negative where that is back.
fn micros(from: Instant, to: Instant) -> i64 {
    to.checked_duration_since(from).map_or_else(
        || -(from.saturating_duration_since(to).as_micros() as i64),
        |forth| forth.as_micros() as i64,
    )
}

pub(crate) const fn samples_to_micros(samples: i64) -> i64 {
    samples * 1_000_000 / SAMPLE_RATE as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FRAME, signal::Noise};

    /// Feeds packets from number `from` on, each late by what `late` says in ms.
    fn feed(delay: &mut Delay, t: Instant, packets: std::ops::Range<u64>, mut late: impl FnMut(u64) -> u64) {
        for n in packets {
            delay.packet(t + Duration::from_millis(1000 + 20 * n + late(n)), n as i64 * FRAME as i64);
        }
    }

    #[test]
    fn a_good_network_is_known_within_a_second() {
        let (mut delay, t) = (Delay::new(), Instant::now());
        assert_eq!(delay.target().as_millis(), 24);
        feed(&mut delay, t, 0..10, |_| 0);
        assert_eq!(delay.target().as_millis(), 24);
        feed(&mut delay, t, 10..45, |_| 0);
        assert_eq!(delay.target().as_millis(), 8);
    }

    #[test]
    fn a_bad_network_is_believed_at_once() {
        let (mut delay, t) = (Delay::new(), Instant::now());
        feed(&mut delay, t, 0..5, |_| 0);
        feed(&mut delay, t, 5..6, |_| 60);
        assert!(delay.target().as_millis() >= 60, "{:?}", delay.target());
    }

    #[test]
    fn the_target_follows_the_jitter_up_at_once_and_down_in_seconds() {
        let (mut delay, t) = (Delay::new(), Instant::now());
        let mut noise = Noise(7);
        feed(&mut delay, t, 0..500, |_| 0);
        feed(&mut delay, t, 500..550, |_| u64::from(noise.below(100)));
        let up = delay.target().as_millis();
        assert!((70..=104).contains(&up), "{up} ms within a second");
        feed(&mut delay, t, 550..1500, |_| 0);
        assert_eq!(delay.target().as_millis(), 8);
        feed(&mut delay, t, 1500..1600, |n| if n == 1550 { 90 } else { 0 });
        assert_eq!(delay.target().as_millis(), 8, "one late packet is no reason");
        feed(&mut delay, t, 1600..2600, |_| u64::from(noise.below(5000)));
        assert_eq!(delay.target().as_millis(), 400, "bounded");
    }

    #[test]
    fn drifting_clocks_and_foreign_ones_do_no_harm() {
        let (mut delay, t) = (Delay::new(), Instant::now());
        // 500 ppm slow for ten minutes.
        feed(&mut delay, t, 0..30_000, |n| n / 100);
        assert!(delay.target().as_millis() <= 10);
        let at = t + Duration::from_millis(1000 + 20 * 30_000 + 300);
        let now = delay.of(at, 30_000 * FRAME as i64);
        assert!((0..2000).contains(&now), "{now} µs");
        delay.packet(at, 0);
        assert_eq!(delay.of(at, 0), 0, "a new clock is taken as it is");
        delay.packet(at + Duration::from_millis(20), i64::from(u32::MAX));
        assert_eq!(delay.of(at + Duration::from_millis(20), i64::from(u32::MAX)), 0);
    }
}
