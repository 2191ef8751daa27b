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
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Way {
    /// Where str0m sends, and when the client used it last.
    chosen: Option<(Address, Instant)>,
    /// Where the client wants it instead.
    detour: Option<Address>,
}

impl Way {
    /// An authentic check with USE-CANDIDATE, or authentic sound, came from here.
    pub(crate) fn used(&mut self, now: Instant, from: Address) {
        let Some((chosen, at)) = &mut self.chosen else { return };
        if *chosen == from {
            *at = now;
            self.detour = None;
        } else if now.saturating_duration_since(*at) >= AT_ONCE {
            self.detour = Some(from);
        }
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

    /// What happens at which millisecond: `Used` or `Sent` with where str0m sends and where it goes.
    fn play(story: &[(u64, Step)]) {
        let begin = Instant::now();
        let mut way = Way::default();
        for (ms, step) in story {
            let now = begin + Duration::from_millis(*ms);
            match step {
                Step::Used(from) => way.used(now, *from),
                Step::Sent(to, goes) => assert_eq!(way.of(now, *to), *goes, "at {ms} ms"),
            }
        }
    }

    enum Step {
        Used(Address),
        Sent(Address, Address),
    }

    use Step::{Sent, Used};

    #[test]
    fn a_client_behind_a_nat_that_forgot_it_is_followed_with_its_first_check() {
        let (old, new) = (address(Transport::Udp, 1), address(Transport::Udp, 2));
        play(&[
            (0, Used(old)),
            (0, Sent(old, old)),
            (2_500, Used(old)),
            (4_000, Sent(old, old)),
            (5_000, Used(new)),
            (5_000, Sent(old, new)),
            (9_000, Sent(old, new)),
            // str0m has seen it too.
            (20_000, Sent(new, new)),
        ]);
    }

    #[test]
    fn a_client_that_has_given_udp_up_is_followed_to_tcp_and_back() {
        let (udp, tcp) = (address(Transport::Udp, 1), address(Transport::Tcp, 2));
        play(&[
            (0, Sent(udp, udp)),
            (2_500, Used(tcp)),
            (2_500, Sent(udp, tcp)),
            (5_000, Used(udp)),
            (5_000, Sent(udp, udp)),
        ]);
    }

    #[test]
    fn who_uses_all_at_once_leaves_the_choice_to_us() {
        let (one, other) = (address(Transport::Udp, 1), address(Transport::Udp, 2));
        play(&[
            (0, Used(one)),
            (10, Used(other)),
            (20, Sent(one, one)),
            (30, Used(other)),
            (40, Used(one)),
            (50, Used(other)),
            (60, Sent(one, one)),
            // Another choice of str0m's is followed at once.
            (70, Sent(other, other)),
        ]);
    }
}
