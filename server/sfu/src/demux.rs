//! Which link a packet belongs to. An address belongs to a link only once a STUN request with the
//! link's password has come from it, so nobody can take a link over, or move it, by sending from a forged address.
//! Sound from another address may be that of a client to which a NAT has given a new one: the link whose stream it
//! would be tells whether it is authentic.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::{LinkId, Transport};

/// A link that was heard at an address within this time keeps it: a member of another call must not be able to
/// draw a link's packets to itself by sending its own STUN requests from the link's (forged) address.
/// Clients check every 2 to 3 seconds; a NAT that gives an address to somebody else waits longer.
const HELD: Duration = Duration::from_secs(8);
/// Addresses of one link; the one longest not heard makes room.
const MAX_ADDRESSES: usize = 16;

type Address = (Transport, SocketAddr);

#[derive(Debug)]
struct Holder {
    link: LinkId,
    heard: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Demux {
    addresses: BTreeMap<Address, Holder>,
    /// By the ICE username fragment that the server gave the link.
    fragments: BTreeMap<String, LinkId>,
    /// By the SSRC of its client's voice.
    voices: BTreeMap<u32, LinkId>,
}

impl Demux {
    /// The fragment of a link, which replaces the one before.
    pub(crate) fn name(&mut self, link: LinkId, fragment: String) {
        self.fragments.retain(|_, l| *l != link);
        self.fragments.insert(fragment, link);
    }

    pub(crate) fn by_fragment(&self, fragment: &str) -> Option<LinkId> {
        self.fragments.get(fragment).copied()
    }

    pub(crate) fn by_address(&self, transport: Transport, from: SocketAddr) -> Option<LinkId> {
        self.addresses.get(&(transport, from)).map(|holder| holder.link)
    }

    pub(crate) fn by_voice(&self, ssrc: u32) -> Option<LinkId> {
        self.voices.get(&ssrc).copied()
    }

    /// Authentic sound of `link` has this SSRC, and had the one `before`. An SSRC that another has already stays that one's.
    pub(crate) fn speaks(&mut self, link: LinkId, before: Option<u32>, ssrc: u32) {
        if let Some(before) = before.filter(|before| self.by_voice(*before) == Some(link)) {
            self.voices.remove(&before);
        }
        self.voices.entry(ssrc).or_insert(link);
    }

    /// An authenticated request of `link` came from this address.
    pub(crate) fn heard(&mut self, now: Instant, link: LinkId, transport: Transport, from: SocketAddr) {
        let address = (transport, from);
        match self.addresses.get_mut(&address) {
            Some(holder) if holder.link == link => holder.heard = now,
            Some(holder) if now.saturating_duration_since(holder.heard) < HELD => {}
            Some(_) | None => {
                self.make_room(link);
                self.addresses.insert(address, Holder { link, heard: now });
            }
        }
    }

    pub(crate) fn forget(&mut self, link: LinkId) {
        self.addresses.retain(|_, holder| holder.link != link);
        self.fragments.retain(|_, l| *l != link);
        self.voices.retain(|_, l| *l != link);
    }

    fn make_room(&mut self, link: LinkId) {
        let of_link = || self.addresses.iter().filter(|(_, holder)| holder.link == link);
        if of_link().count() >= MAX_ADDRESSES
            && let Some(oldest) =
                of_link().min_by_key(|(_, holder)| holder.heard).map(|(address, _)| *address)
        {
            self.addresses.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    #[test]
    fn an_address_stays_with_the_link_that_is_heard_there() {
        let now = Instant::now();
        let mut demux = Demux::default();
        let (a, b) = (LinkId(1), LinkId(2));
        demux.heard(now, a, Transport::Udp, addr(1));
        demux.heard(now + HELD / 2, b, Transport::Udp, addr(1));
        assert_eq!(demux.by_address(Transport::Udp, addr(1)), Some(a));
        assert_eq!(demux.by_address(Transport::Tcp, addr(1)), None);
        demux.heard(now + HELD, b, Transport::Udp, addr(1));
        assert_eq!(demux.by_address(Transport::Udp, addr(1)), Some(b));
        demux.forget(b);
        assert_eq!(demux.by_address(Transport::Udp, addr(1)), None);
    }

    #[test]
    fn a_renewed_link_has_one_fragment_and_a_bounded_number_of_addresses() {
        let now = Instant::now();
        let mut demux = Demux::default();
        demux.name(LinkId(1), "old".into());
        demux.name(LinkId(1), "new".into());
        assert_eq!((demux.by_fragment("old"), demux.by_fragment("new")), (None, Some(LinkId(1))));
        for port in 0..100 {
            demux.heard(now + Duration::from_millis(port.into()), LinkId(1), Transport::Udp, addr(port));
        }
        assert_eq!(demux.addresses.len(), MAX_ADDRESSES);
        assert!(demux.by_address(Transport::Udp, addr(99)).is_some());
        demux.forget(LinkId(1));
        assert!(demux.addresses.is_empty() && demux.fragments.is_empty());
    }
}
