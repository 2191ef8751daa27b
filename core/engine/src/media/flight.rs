//! What of a DTLS handshake was sent last, to be sent again where it seems lost (RFC 6347 section 4.2.4). The library does
//! that, too, but after a whole second, and never where the server's flight came again before: its timer stands still then.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::sockets::Path;

/// Longer than most round trips take.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// The waits double: the last is of 6.4 s.
const MOST: u32 = 5;
/// The first byte of a datagram that begins with a handshake record (RFC 5246 section 6.2.1).
const HANDSHAKE: u8 = 22;

#[derive(Default)]
pub(crate) struct Flight {
    datagrams: Vec<(Path, BytesMut)>,
    sent: Option<Instant>,
    again: Option<Instant>,
    times: u32,
    done: bool,
}

impl Flight {
    /// What goes out at once belongs together.
    pub(crate) fn sent(&mut self, now: Instant, path: Path, datagram: &BytesMut) {
        if self.done || datagram.first() != Some(&HANDSHAKE) {
            return;
        }
        if self.sent != Some(now) {
            (self.sent, self.times) = (Some(now), 0);
            self.datagrams.clear();
        }
        self.datagrams.push((path, datagram.clone()));
        self.again = Some(now + FIRST_WAIT);
    }

    /// The handshake is over.
    pub(crate) fn done(&mut self) {
        *self = Self { done: true, ..Self::default() };
    }

    pub(crate) const fn next_timeout(&self) -> Option<Instant> {
        self.again
    }

    /// What is to go out once more.
    pub(crate) fn timeout(&mut self, now: Instant) -> &[(Path, BytesMut)] {
        if self.again.is_none_or(|again| now < again) {
            return &[];
        }
        self.times += 1;
        self.again = (self.times < MOST).then(|| now + FIRST_WAIT * 2_u32.pow(self.times));
        &self.datagrams
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Transport;

    #[test]
    fn the_last_flight_goes_again_until_the_handshake_is_over() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let address = "127.0.0.1:1".parse().unwrap();
        let path = Path { transport: Transport::Udp, local: address, peer: address };
        let datagram = |bytes: &[u8]| BytesMut::from(bytes);
        let mut flight = Flight::default();
        let again =
            |flight: &mut Flight, ms| flight.timeout(at(ms)).iter().map(|(_, d)| d[1]).collect::<Vec<_>>();
        flight.sent(at(0), path, &datagram(&[HANDSHAKE, 1]));
        flight.sent(at(50), path, &datagram(&[HANDSHAKE, 2]));
        flight.sent(at(50), path, &datagram(&[HANDSHAKE, 3]));
        flight.sent(at(60), path, &datagram(&[128, 4]));
        assert_eq!(flight.next_timeout(), Some(at(450)));
        assert_eq!(again(&mut flight, 449), [0; 0]);
        assert_eq!(again(&mut flight, 450), [2, 3]);
        assert_eq!(again(&mut flight, 1_249), [0; 0]);
        assert_eq!(again(&mut flight, 1_250), [2, 3]);
        flight.sent(at(1_300), path, &datagram(&[HANDSHAKE, 5]));
        for ms in [1_700, 2_500, 4_100, 7_300, 13_700] {
            assert_eq!(flight.next_timeout(), Some(at(ms)));
            assert_eq!(again(&mut flight, ms), [5]);
        }
        assert_eq!(flight.next_timeout(), None, "not for ever");
        flight.sent(at(14_000), path, &datagram(&[HANDSHAKE, 6]));
        flight.done();
        flight.sent(at(14_001), path, &datagram(&[HANDSHAKE, 7]));
        assert_eq!((flight.next_timeout(), again(&mut flight, 99_999)), (None, vec![]));
    }
}
