//! The little of SDP that the engine reads itself.

use std::net::{IpAddr, SocketAddr};

use crate::stats::Transport;

/// An address at which the server takes media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) transport: Transport,
    pub(crate) addr: SocketAddr,
}

/// The host candidates of an answer, each once, in order. What is not understood is left out: other
/// candidate types, host names, TCP that would have to be accepted.
pub(crate) fn candidates(sdp: &str) -> Vec<Candidate> {
    let mut list = Vec::new();
    for candidate in sdp.lines().filter_map(candidate) {
        if !list.contains(&candidate) {
            list.push(candidate);
        }
    }
    list
}

/// RFC 8839 section 5.1: `a=candidate:foundation component transport priority address port typ type …`
fn candidate(line: &str) -> Option<Candidate> {
    let mut words = line.trim_end().strip_prefix("a=candidate:")?.split_ascii_whitespace();
    let _foundation = words.next()?;
    if words.next()? != "1" {
        return None;
    }
    let transport = words.next()?;
    let _priority = words.next()?;
    let ip: IpAddr = words.next()?.parse().ok()?;
    let port: u16 = words.next()?.parse().ok()?;
    let rest: Vec<&str> = words.collect();
    let value = |key| rest.chunks_exact(2).find(|pair| pair[0] == key).map(|pair| pair[1]);
    if value("typ") != Some("host") {
        return None;
    }
    let transport = if transport.eq_ignore_ascii_case("udp") {
        Transport::Udp
    } else if transport.eq_ignore_ascii_case("tcp") && value("tcptype") == Some("passive") {
        Transport::Tcp
    } else {
        return None;
    };
    Some(Candidate { transport, addr: SocketAddr::new(ip, port) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_candidates_are_found_once_and_others_left_out() {
        let sdp = "v=0\r\n\
            a=candidate:1 1 udp 2130706175 192.0.2.7 40000 typ host ufrag abcd\r\n\
            a=candidate:2 1 TCP 1671430143 192.0.2.7 40001 typ host tcptype passive ufrag abcd\r\n\
            a=candidate:3 1 udp 2130706175 2001:db8::1 40000 typ host\r\n\
            a=candidate:4 1 tcp 1671430143 192.0.2.7 9 typ host tcptype active\r\n\
            a=candidate:5 1 udp 1 192.0.2.8 40000 typ srflx raddr 0.0.0.0 rport 0\r\n\
            a=candidate:6 2 udp 1 192.0.2.9 40000 typ host\r\n\
            a=candidate:7 1 udp 1 host.example 40000 typ host\r\n\
            a=candidate:8 1 udp\r\n\
            a=candidate:1 1 udp 2130706175 192.0.2.7 40000 typ host ufrag abcd\r\n";
        let udp = |addr: &str| Candidate { transport: Transport::Udp, addr: addr.parse().unwrap() };
        let tcp = |addr: &str| Candidate { transport: Transport::Tcp, addr: addr.parse().unwrap() };
        assert_eq!(
            candidates(sdp),
            [udp("192.0.2.7:40000"), tcp("192.0.2.7:40001"), udp("[2001:db8::1]:40000")]
        );
    }

    #[test]
    fn nonsense_gives_nothing() {
        for sdp in [
            "",
            "a=candidate:",
            "a=candidate:1 1 udp x y z",
            "\u{0}\u{ffff}",
            "candidate:1 1 udp 1 ::1 1 typ host",
        ] {
            assert_eq!(candidates(sdp), []);
        }
    }
}
