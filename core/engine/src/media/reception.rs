//! What arrives in one receive slot: counted as in RFC 3550 appendix A.

use std::time::{Duration, Instant};

/// A jump by more than this is a new stream, not a gap (RFC 3550 appendix A.1).
const MAX_DROPOUT: u16 = 3000;

/// Counts packets, losses and jitter.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    received: u64,
    bytes: u64,
    /// Of streams before the present one.
    expected_before: u64,
    stream: Option<Stream>,
    /// Expected and received at the last [`Self::take_loss`].
    reported: (u64, u64),
}

#[derive(Debug)]
struct Stream {
    /// Packets from the first to the highest sequence number.
    expected: u64,
    highest: u16,
    last: (Instant, u32),
    /// In samples.
    jitter: f64,
}

impl Reception {
    pub(crate) fn packet(&mut self, arrival: Instant, sequence: u16, timestamp: u32, bytes: usize) {
        self.received += 1;
        self.bytes += bytes as u64;
        if let Some(stream) = &mut self.stream
            && stream.accepts(sequence)
        {
            stream.packet(arrival, sequence, timestamp);
            return;
        }
        self.expected_before = self.expected();
        self.stream =
            Some(Stream { expected: 1, highest: sequence, last: (arrival, timestamp), jitter: 0.0 });
    }

    fn expected(&self) -> u64 {
        self.expected_before + self.stream.as_ref().map_or(0, |s| s.expected)
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Payload bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets that have not come so far.
    pub(crate) fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    pub(crate) fn jitter(&self) -> Duration {
        let samples = self.stream.as_ref().map_or(0.0, |s| s.jitter);
        Duration::from_secs_f64(samples / 48_000.0)
    }

    /// Packets expected and lost since the last call.
    pub(crate) fn take_loss(&mut self) -> (u64, u64) {
        let now = (self.expected(), self.received);
        let expected = now.0 - self.reported.0;
        let received = now.1 - self.reported.1;
        self.reported = now;
        (expected, expected.saturating_sub(received))
    }
}

impl Stream {
    fn accepts(&self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest);
        !(MAX_DROPOUT..=u16::MAX - MAX_DROPOUT).contains(&ahead)
    }

    fn packet(&mut self, arrival: Instant, sequence: u16, timestamp: u32) {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead < MAX_DROPOUT {
            self.highest = sequence;
            self.expected += u64::from(ahead);
        }
        let (last_arrival, last_timestamp) = self.last;
        self.last = (arrival, timestamp);
        let elapsed = arrival.saturating_duration_since(last_arrival).as_secs_f64() * 48_000.0;
        // As signed: packets arrive out of order, and timestamps wrap.
        let spacing = f64::from(timestamp.wrapping_sub(last_timestamp).cast_signed());
        self.jitter += ((elapsed - spacing).abs() - self.jitter) / 16.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sequence numbers that arrive exactly when they should.
    fn on_time(
        reception: &mut Reception,
        begin: Instant,
        first: u16,
        sequences: impl IntoIterator<Item = u16>,
    ) {
        for s in sequences {
            let n = u32::from(s.wrapping_sub(first));
            reception.packet(begin + Duration::from_millis(20) * n, s, n * 960, 100);
        }
    }

    #[test]
    fn losses_are_counted_across_a_wrap() {
        let mut r = Reception::default();
        let arrive =
            (0..20u16).map(|n| 65_530u16.wrapping_add(n)).filter(|s| ![65_533, 65_535, 0, 3].contains(s));
        on_time(&mut r, Instant::now(), 65_530, arrive);
        assert_eq!((r.received(), r.lost(), r.bytes()), (16, 4, 1600));
        assert_eq!(r.take_loss(), (20, 4));
        assert_eq!(r.take_loss(), (0, 0));
    }

    #[test]
    fn reordered_and_doubled_packets_are_no_losses() {
        let mut r = Reception::default();
        on_time(&mut r, Instant::now(), 10, [10, 12, 11, 13, 13]);
        assert_eq!((r.received(), r.lost()), (5, 0));
        assert_eq!(r.take_loss(), (4, 0));
    }

    #[test]
    fn a_new_stream_is_no_gap() {
        let mut r = Reception::default();
        let begin = Instant::now();
        on_time(&mut r, begin, 10, [10, 11, 13]);
        on_time(&mut r, begin + Duration::from_secs(1), 30_000, [30_000, 30_001]);
        assert_eq!((r.received(), r.lost()), (5, 1));
    }

    #[test]
    fn jitter_is_zero_on_time_and_follows_delays() {
        let mut r = Reception::default();
        let begin = Instant::now();
        on_time(&mut r, begin, 0, 0..50);
        assert!(r.jitter() < Duration::from_micros(1), "{:?}", r.jitter());
        for n in 50..250u32 {
            let late = if n % 2 == 0 { 10 } else { 0 };
            r.packet(begin + Duration::from_millis(u64::from(20 * n + late)), n as u16, n * 960, 100);
        }
        let jitter = r.jitter().as_secs_f64() * 1000.0;
        assert!(
            (9.0..11.0).contains(&jitter),
            "{jitter} ms for packets that are 10 ms late every other time"
        );
    }
}
