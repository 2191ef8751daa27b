//! The sockets under a media link. Nothing here waits for a send: sound that can't leave now is of no
//! use later.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use log::debug;
use rtc::shared::tcp_framing::TcpFrameDecoder;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};

use crate::stats::Transport;

/// More than any packet the link takes.
const MAX_PACKET: usize = 2048;
/// Beyond this much unsent data on TCP new packets are dropped: about two seconds of one voice.
const MAX_TCP_BACKLOG: usize = 16 * 1024;
const TCP_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a packet came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
}

/// What the sockets tell.
#[derive(Debug)]
pub(crate) enum Incoming {
    Packet(Path, BytesMut),
    /// The TCP stream is there.
    TcpOpen {
        local: SocketAddr,
    },
    /// The TCP stream could not be made or is gone.
    TcpGone {
        why: String,
    },
}

/// UDP sockets, one per local address, and at most one TCP stream.
#[derive(Default)]
pub(crate) struct Sockets {
    udp: Vec<Udp>,
    tcp: Tcp,
}

struct Udp {
    socket: UdpSocket,
    /// The same socket. tokio's refuses to send before it has been polled once, which would cost each
    /// link its first check.
    sender: std::net::UdpSocket,
    local: SocketAddr,
    /// Where it leads.
    peer: SocketAddr,
}

#[derive(Default)]
enum Tcp {
    #[default]
    None,
    Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
    Open(Box<Stream>),
}

struct Stream {
    stream: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
    decoder: TcpFrameDecoder,
    unsent: BytesMut,
}

/// The local address from which the system would send to `peer`. Sends nothing.
fn route_to(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let probe = std::net::UdpSocket::bind(any)?;
    probe.connect(peer)?;
    Ok(probe.local_addr()?.ip())
}

impl Sockets {
    /// A UDP socket on the local address that leads to `peer`; `None` where there is one already.
    pub(crate) fn bind_towards(&mut self, peer: SocketAddr) -> io::Result<Option<SocketAddr>> {
        let ip = route_to(peer)?;
        if self.udp.iter().any(|u| u.local.ip() == ip) {
            return Ok(None);
        }
        let socket = std::net::UdpSocket::bind((ip, 0))?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let sender = socket.try_clone()?;
        self.udp.push(Udp { socket: UdpSocket::from_std(socket)?, sender, local, peer });
        Ok(Some(local))
    }

    /// Whether the system would take another way now than over these sockets: the network is another.
    pub(crate) fn are_outdated(&self) -> bool {
        let stream = match &self.tcp {
            Tcp::Open(stream) => Some((stream.local, stream.peer)),
            Tcp::None | Tcp::Connecting(_) => None,
        };
        let mut ways = self.udp.iter().map(|u| (u.local, u.peer)).chain(stream);
        // Without any way there is nothing better yet.
        ways.any(|(local, peer)| route_to(peer).is_ok_and(|ip| ip != local.ip()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.udp.is_empty() && matches!(self.tcp, Tcp::None)
    }

    /// Starts a TCP stream; replaces the one before. `Incoming` tells what comes of it.
    pub(crate) fn connect_tcp(&mut self, peer: SocketAddr) {
        self.tcp = Tcp::Connecting(Box::pin(async move {
            let stream = tokio::time::timeout(TCP_CONNECT_TIMEOUT, TcpStream::connect(peer)).await??;
            stream.set_nodelay(true)?;
            Ok(stream)
        }));
    }

    pub(crate) fn send(&mut self, path: Path, packet: &[u8]) {
        match path.transport {
            Transport::Udp => {
                let Some(udp) = self.udp.iter().find(|u| u.local == path.local) else { return };
                if let Err(e) = udp.sender.send_to(packet, path.peer) {
                    debug!("a packet to {} is lost here: {e}", path.peer);
                }
            }
            Transport::Tcp => {
                if let Tcp::Open(stream) = &mut self.tcp {
                    stream.send(packet);
                }
            }
        }
    }

    /// The next packet or change. May be dropped and called again without loss.
    pub(crate) async fn next(&mut self) -> Incoming {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        for udp in &self.udp {
            if let Poll::Ready(incoming) = udp.poll(cx) {
                return Poll::Ready(incoming);
            }
        }
        let incoming = match &mut self.tcp {
            Tcp::None => return Poll::Pending,
            Tcp::Connecting(connecting) => match ready!(connecting.as_mut().poll(cx)).and_then(Stream::new) {
                Ok(stream) => {
                    let local = stream.local;
                    self.tcp = Tcp::Open(Box::new(stream));
                    Incoming::TcpOpen { local }
                }
                Err(e) => Incoming::TcpGone { why: e.to_string() },
            },
            Tcp::Open(stream) => match ready!(stream.poll(cx)) {
                Ok((path, packet)) => Incoming::Packet(path, packet),
                Err(e) => Incoming::TcpGone { why: e.to_string() },
            },
        };
        if matches!(incoming, Incoming::TcpGone { .. }) {
            self.tcp = Tcp::None;
        }
        Poll::Ready(incoming)
    }
}

impl Udp {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let mut space = [0; MAX_PACKET];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(self.socket.poll_recv_from(cx, &mut buffer)) {
                Ok(peer) => {
                    let path = Path { transport: Transport::Udp, local: self.local, peer };
                    return Poll::Ready(Incoming::Packet(path, BytesMut::from(buffer.filled())));
                }
                // An ICMP answer to something sent; each is told once. ICE finds out what it means.
                Err(e) => debug!("{}: {e}", self.local),
            }
        }
    }
}

impl Stream {
    fn new(stream: TcpStream) -> io::Result<Self> {
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        Ok(Self { stream, local, peer, decoder: TcpFrameDecoder::new(), unsent: BytesMut::new() })
    }

    /// Frames a packet (RFC 4571).
    fn send(&mut self, packet: &[u8]) {
        let Ok(length) = u16::try_from(packet.len()) else { return };
        if self.unsent.len() > MAX_TCP_BACKLOG {
            debug!("the TCP stream is full: a packet is dropped");
            return;
        }
        self.unsent.extend_from_slice(&length.to_be_bytes());
        self.unsent.extend_from_slice(packet);
        self.write();
    }

    /// Writes what the system takes; an error shows when reading.
    fn write(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.try_write(&self.unsent) {
                Ok(n) => self.unsent.advance(n),
                Err(_) => return,
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Path, BytesMut)>> {
        while !self.unsent.is_empty() && self.stream.poll_write_ready(cx)?.is_ready() {
            self.write();
        }
        loop {
            if let Some(packet) = self.decoder.next_packet() {
                let path = Path { transport: Transport::Tcp, local: self.local, peer: self.peer };
                return Poll::Ready(Ok((path, BytesMut::from(packet.as_slice()))));
            }
            let mut space = [0; 4 * MAX_PACKET];
            let mut buffer = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.decoder.extend_from_slice(buffer.filled());
        }
    }
}
