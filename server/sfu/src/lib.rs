//! The media relay: forwards voices between the members of a call, and to nobody else.
//!
//! A [`Shard`] owns any number of links, one per client, and is sans-IO: packets and the time go in, packets and
//! events come out of [`Shard::poll`]. Every client offers one line that sends and up to 8 *slots* that receive;
//! members come and go without renegotiation, because the shard decides who is heard in which slot and makes one
//! continuous stream of each slot ([`Output::Slots`] tells who it is).
//!
//! The driver's duty: after a batch of [`Shard::receive`] one [`Shard::flush`], then [`Shard::poll`] until it is
//! empty; [`Shard::handle_timeout`] at [`Shard::next_timeout`]. str0m costs more per receiver woken than per
//! packet, so the larger the batch, the cheaper the packet.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod demux;
mod link;
mod offer;
mod red;
mod rewrite;
mod shard;
mod talk;
mod way;

use std::net::SocketAddr;

pub use offer::OfferError;
pub use shard::{Shard, ShardError};

/// Names one link; chosen by the driver, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl LinkId {
    /// As the source of a slot: the echo, that is, the link's own voice.
    pub const ECHO: Self = Self(0);
}

/// Names one call; chosen by the driver, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey(pub u64);

/// Names one member of a call, whatever links it has one after another; chosen by the driver, means nothing in another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey(pub u64);

/// What a packet travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A frame of RFC 4571; the driver adds and takes off the length.
    Tcp,
}

/// How a shard is run.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// Where clients reach the UDP socket.
    pub udp: SocketAddr,
    /// Where clients reach the TCP listener, if there is one. The port must not be UDP's: some clients take two
    /// candidates of one address for one.
    pub tcp: Option<SocketAddr>,
    /// Longest offer taken, in bytes.
    pub max_offer_bytes: usize,
    /// Receive slots that a client may offer.
    pub max_slots: usize,
}

/// How a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Not up yet.
    Opening,
    /// ICE and DTLS are up.
    Connected,
    /// Nothing was heard of the client for 15 s. It may come back, also with [`Shard::renew`].
    Lost,
    /// Beyond repair, and why; the client needs a new link. The driver still has to close this one.
    Dead(String),
}

/// What a shard wants done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a packet.
    Transmit {
        /// On what.
        transport: Transport,
        /// To whom; for TCP the peer of the stream.
        to: SocketAddr,
        /// At most 1,500 bytes or so.
        bytes: Vec<u8>,
    },
    /// Who is heard on a link has changed.
    Slots {
        /// The link that hears.
        link: LinkId,
        /// In the order of the offer's receive slots.
        sources: Vec<Option<LinkId>>,
    },
    /// A link is up, lost or dead.
    State {
        /// The link.
        link: LinkId,
        /// Never `Opening`.
        state: LinkState,
    },
}

/// What a link, or all links so far, did. Packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkStats {
    /// RTP packets that came from the client and were authentic.
    pub packets_in: u64,
    /// Packets of any kind sent to the client.
    pub packets_out: u64,
    /// RTP packets of others forwarded to the client.
    pub forwarded: u64,
    /// RTP packets of the client withheld because its user was not joined.
    pub withheld: u64,
    /// RTP packets dropped for another reason: too many, of an unknown kind, or for a link that is not up.
    pub dropped: u64,
}

impl std::ops::AddAssign for LinkStats {
    fn add_assign(&mut self, more: Self) {
        self.packets_in += more.packets_in;
        self.packets_out += more.packets_out;
        self.forwarded += more.forwarded;
        self.withheld += more.withheld;
        self.dropped += more.dropped;
    }
}
