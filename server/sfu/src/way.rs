//! Where a link's packets go. str0m, like RFC 8445 section 8.1.1, prefers the nominated pair of the highest priority, and
//! an ICE-lite agent, which checks nothing itself, keeps it until nothing has come from there for 15 s. When a NAT has
//! forgotten the client, or it has given UDP up for TCP, that is 15 s of silence. But the client shows which pair it uses:
//! its checks there say USE-CANDIDATE, and its sound comes from there. The pair used last is the way, once the other is not
//! used any more.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Transport;

pub(crate) type Address = (Transport, SocketAddr);

/// Who uses several pairs at once, as in the first moment of aggressive nomination (RFC 5245 section 8.1.1.2), leaves the choice
/// to us.
const AT_ONCE: Duration = Duration::from_millis(200);
/// Checks come every 2 to 3 seconds, and unlike sound they can be copied and sent again by whoever sees them: they move the
/// way only where the client has given up the other.
const GIVEN_UP: Duration = Duration::from_secs(4);

/// What shows that a pair is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// An authentic check with USE-CANDIDATE.
    Check,
    /// Authentic sound.
    Sound,
}

#[derive(Debug, Default)]
pub(crate) struct Way {
    /// Where str0m sends, and when the client used it last.
    chosen: Option<(Address, Instant)>,
    /// Where the client wants it instead.
    detour: Option<Address>,
}

impl Way {
    /// The client uses this pair.
    pub(crate) fn used(&mut self, now: Instant, from: Address, sign: Sign) {
        let Some((chosen, at)) = &mut self.chosen else { return };
        if *chosen == from {
            *at = now;
            self.detour = None;
        } else if now.saturating_duration_since(*at) >= if sign == Sign::Sound { AT_ONCE } else { GIVEN_UP } {
            self.detour = Some(from);
        }
    }

    /// Where str0m sends.
    pub(crate) fn chosen(&self) -> Option<Address> {
        self.chosen.map(|(chosen, _)| chosen)
    }

    /// Where a packet goes that str0m sends to `to`.
    pub(crate) fn of(&mut self, now: Instant, to: Address) -> Address {
        if self.chosen.is_none_or(|(chosen, _)| chosen != to) {
            self.chosen = Some((to, now));
            self.detour = None;
        }
        self.detour.unwrap_or(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(transport: Transport, port: u16) -> Address {
        (transport, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// What happens at which millisecond: `Checked`, `Heard`, or `Sent` with where str0m sends and where it goes.
    fn play(story: &[(u64, Step)]) {
        let begin = Instant::now();
        let mut way = Way::default();
        for (ms, step) in story {
            let now = begin + Duration::from_millis(*ms);
            match step {
                Step::Checked(from) => way.used(now, *from, Sign::Check),
                Step::Heard(from) => way.used(now, *from, Sign::Sound),
                Step::Sent(to, goes) => assert_eq!(way.of(now, *to), *goes, "at {ms} ms"),
            }
        }
    }

    enum Step {
        Checked(Address),
        Heard(Address),
        Sent(Address, Address),
    }

    use Step::{Checked, Heard, Sent};

    #[test]
    fn a_client_behind_a_nat_that_forgot_it_is_followed_by_its_sound() {
        let (old, new) = (address(Transport::Udp, 1), address(Transport::Udp, 2));
        play(&[
            (0, Heard(old)),
            (0, Sent(old, old)),
            (2_500, Heard(old)),
            (2_600, Heard(new)),
            (2_600, Sent(old, old)),
            (2_700, Heard(new)),
            (2_700, Sent(old, new)),
            (9_000, Sent(old, new)),
            // str0m has seen it too.
            (20_000, Sent(new, new)),
        ]);
    }

    #[test]
    fn who_is_muted_is_followed_by_its_checks_when_the_others_have_stopped() {
        let (old, new) = (address(Transport::Udp, 1), address(Transport::Udp, 2));
        play(&[
            (0, Sent(old, old)),
            (2_500, Checked(old)),
            // A copy, sent by somebody else.
            (4_900, Checked(new)),
            (4_900, Sent(old, old)),
            (5_000, Checked(old)),
            (7_500, Checked(new)),
            (7_500, Sent(old, old)),
            (10_000, Checked(new)),
            (10_000, Sent(old, new)),
        ]);
    }

    #[test]
    fn a_client_that_has_given_udp_up_is_followed_to_tcp_and_back() {
        let (udp, tcp) = (address(Transport::Udp, 1), address(Transport::Tcp, 2));
        play(&[
            (0, Sent(udp, udp)),
            (2_500, Heard(tcp)),
            (2_500, Sent(udp, tcp)),
            (5_000, Checked(udp)),
            (5_000, Sent(udp, udp)),
        ]);
    }

    #[test]
    fn who_uses_all_at_once_leaves_the_choice_to_us() {
        let (one, other) = (address(Transport::Udp, 1), address(Transport::Udp, 2));
        play(&[
            (0, Checked(one)),
            (10, Checked(other)),
            (20, Sent(one, one)),
            (30, Heard(other)),
            (40, Heard(one)),
            (50, Heard(other)),
            (60, Sent(one, one)),
            // Another choice of str0m's is followed at once.
            (70, Sent(other, other)),
        ]);
    }
}
