//! Media over TCP (RFC 6544) with the framing of RFC 4571: one task a stream, which carries packets to and from the
//! relay.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::listen::AFTER_ERROR;
use crate::media::{MAX_PACKET, canonical};

/// Streams at once, of all and from one address; a company's whole network may have one.
const MAX_STREAMS: usize = 10_000;
const MAX_STREAMS_OF_ADDRESS: usize = 1_000;
/// A stream that brings nothing for so long is closed; clients send a STUN check every few seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// Packets that may wait for one stream; what comes late is worthless.
const QUEUE: usize = 128;

/// What the task of a stream tells the relay.
pub(crate) enum FromStream {
    Opened(SocketAddr, mpsc::Sender<Vec<u8>>),
    Packet(SocketAddr, Vec<u8>),
    Closed(SocketAddr),
}

/// Accepts streams until the relay is gone.
pub(crate) async fn accept(listener: TcpListener, relay: mpsc::Sender<FromStream>) {
    let seats = Arc::new(Mutex::new(Seats::default()));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = relay.closed() => return,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, canonical(peer)),
            Err(e) => {
                tracing::warn!("no media stream could be accepted: {e}");
                sleep(AFTER_ERROR).await;
                continue;
            }
        };
        let Some(seat) = Seat::take(&seats, peer.ip()) else { continue };
        let relay = relay.clone();
        tokio::spawn(async move {
            carry(stream, peer, &relay).await;
            // The relay ends before the streams when the server stops.
            let _ = relay.send(FromStream::Closed(peer)).await;
            drop(seat);
        });
    }
}

/// How many streams there are, and from where.
#[derive(Debug, Default)]
struct Seats {
    taken: usize,
    of: HashMap<IpAddr, usize>,
}

/// One stream's place, given back when dropped.
struct Seat {
    seats: Arc<Mutex<Seats>>,
    of: IpAddr,
}

impl Seat {
    /// None where there are too many.
    fn take(seats: &Arc<Mutex<Seats>>, of: IpAddr) -> Option<Self> {
        let mut known = seats.lock().unwrap_or_else(PoisonError::into_inner);
        let there = known.of.get(&of).copied().unwrap_or(0);
        if known.taken >= MAX_STREAMS || there >= MAX_STREAMS_OF_ADDRESS {
            return None;
        }
        known.taken += 1;
        known.of.insert(of, there + 1);
        drop(known);
        Some(Self { seats: seats.clone(), of })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut known = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        known.taken -= 1;
        let left = known.of.get(&self.of).map_or(0, |there| there - 1);
        if left == 0 {
            known.of.remove(&self.of);
        } else {
            known.of.insert(self.of, left);
        }
    }
}

/// Carries packets both ways between the relay and one stream until it ends or brings no more sense.
async fn carry(stream: TcpStream, peer: SocketAddr, relay: &mpsc::Sender<FromStream>) {
    // Sound must not wait to be gathered into larger segments.
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let (queue, mut packets) = mpsc::channel::<Vec<u8>>(QUEUE);
    if relay.send(FromStream::Opened(peer, queue)).await.is_err() {
        return;
    }
    let read = async {
        while let Ok(Ok(length)) = timeout(SILENCE, reader.read_u16()).await {
            let length = usize::from(length);
            if length > MAX_PACKET {
                return;
            }
            let mut packet = vec![0; length];
            let complete = timeout(SILENCE, reader.read_exact(&mut packet)).await;
            if !matches!(complete, Ok(Ok(_))) || relay.send(FromStream::Packet(peer, packet)).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some(packet) = packets.recv().await {
            let Ok(length) = u16::try_from(packet.len()) else { continue };
            let mut frame = Vec::with_capacity(packet.len() + 2);
            frame.extend_from_slice(&length.to_be_bytes());
            frame.extend_from_slice(&packet);
            if writer.write_all(&frame).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_can_not_take_all_places() {
        let seats = Arc::new(Mutex::new(Seats::default()));
        let one = IpAddr::from([192, 0, 2, 1]);
        let taken: Vec<_> = (0..2_000).filter_map(|_| Seat::take(&seats, one)).collect();
        assert_eq!(taken.len(), MAX_STREAMS_OF_ADDRESS);
        let others = (0..=255u8).flat_map(|n| vec![IpAddr::from([198, 51, 100, n]); 100]);
        let more: Vec<_> = others.filter_map(|of| Seat::take(&seats, of)).collect();
        assert_eq!(taken.len() + more.len(), MAX_STREAMS);
        drop(taken);
        assert!(Seat::take(&seats, one).is_some(), "given back");
        drop(more);
        let left = seats.lock().unwrap();
        assert_eq!((left.taken, left.of.len()), (0, 0));
    }
}
