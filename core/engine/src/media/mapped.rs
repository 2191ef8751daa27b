//! Under which address the server sees us. It says so in every answer to a connectivity check. Another one than before
//! means that a NAT on the way has forgotten us: what the server sends to the old address comes to nobody, and its answers,
//! which go where the checks came from, hide that.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// Checks whose answers may still be on their way.
const MAX_ASKED: usize = 64;

/// RFC 8489 section 5.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const REQUEST: [u8; 2] = [0x00, 0x01];
const SUCCESS: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];

type Transaction = [u8; 12];

#[derive(Debug, Default)]
pub(crate) struct Mapped {
    /// What we asked: nobody who can't see it can answer it.
    asked: VecDeque<Transaction>,
    /// By our own address.
    seen: BTreeMap<SocketAddr, SocketAddr>,
}

impl Mapped {
    /// Something leaves.
    pub(crate) fn sent(&mut self, message: &[u8]) {
        if let Some((REQUEST, transaction)) = header(message) {
            self.asked.push_back(transaction);
            if self.asked.len() > MAX_ASKED {
                self.asked.pop_front();
            }
        }
    }

    /// Something comes in at our own address `local`; whether it tells of another address than the last one did.
    pub(crate) fn is_news(&mut self, local: SocketAddr, message: &[u8]) -> bool {
        let Some((SUCCESS, transaction)) = header(message) else { return false };
        let Some(place) = self.asked.iter().position(|t| *t == transaction) else { return false };
        self.asked.remove(place);
        let Some(now) = mapped_address(message) else { return false };
        self.seen.insert(local, now).is_some_and(|before| before != now)
    }
}

fn header(message: &[u8]) -> Option<([u8; 2], Transaction)> {
    let cookie = message.get(4..8)?;
    let transaction = message.get(8..HEADER)?.try_into().ok()?;
    (cookie == COOKIE).then(|| ([message[0], message[1]], transaction))
}

/// RFC 8489 section 14.2.
fn mapped_address(message: &[u8]) -> Option<SocketAddr> {
    let mut rest = message.get(HEADER..)?;
    loop {
        let length = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
        let value = rest.get(4..4 + length)?;
        if rest[..2] == XOR_MAPPED_ADDRESS {
            let port = u16::from_be_bytes([value.get(2)? ^ COOKIE[0], value.get(3)? ^ COOKIE[1]]);
            let key = &message[4..HEADER];
            let clear: Vec<u8> = value.get(4..)?.iter().zip(key).map(|(a, b)| a ^ b).collect();
            let ip = match value.get(1)? {
                1 => IpAddr::from(<[u8; 4]>::try_from(clear).ok()?),
                2 => IpAddr::from(<[u8; 16]>::try_from(clear).ok()?),
                _ => return None,
            };
            return Some(SocketAddr::new(ip, port));
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 sections 2.2 and 2.3: the same transaction, answered over IPv4 and IPv6.
    const TRANSACTION: Transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn message(kind: [u8; 2], attributes: &[u8]) -> Vec<u8> {
        [&kind[..], &(attributes.len() as u16).to_be_bytes(), &COOKIE, &TRANSACTION, attributes].concat()
    }

    /// With SOFTWARE before it, whose eleven bytes are padded to twelve.
    fn answer(address: &[u8]) -> Vec<u8> {
        let software = [&[0x80, 0x22, 0, 11][..], b"test vector "].concat();
        message(SUCCESS, &[&software[..], &[0, 0x20, 0, address.len() as u8], address].concat())
    }

    const V4: [u8; 8] = [0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
    const V6: [u8; 20] = [
        0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2,
        0xb9, 0xd9,
    ];

    #[test]
    fn addresses_of_rfc_5769() {
        assert_eq!(mapped_address(&answer(&V4)), Some("192.0.2.1:32853".parse().unwrap()));
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
        assert_eq!(mapped_address(&answer(&V6)), Some(v6.parse().unwrap()));
        for short in 0..answer(&V4).len() {
            assert_eq!(mapped_address(&answer(&V4)[..short]), None, "{short} bytes");
        }
    }

    #[test]
    fn another_address_is_news_where_we_asked() {
        let local = "192.168.1.2:5000".parse().unwrap();
        let mut mapped = Mapped::default();
        let request = message(REQUEST, &[]);
        let mut moved = V4;
        moved[3] ^= 1;
        for (address, news) in [(V4, false), (V4, false), (moved, true), (moved, false)] {
            mapped.sent(&request);
            assert_eq!(mapped.is_news(local, &answer(&address)), news);
            // Nobody asked.
            assert!(!mapped.is_news(local, &answer(&V4)));
        }
    }
}
