//! The one task that owns the relay and its UDP socket; what comes over TCP is brought by [`streams`].

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use jmrtc_protocol::limits::{MAX_OFFER_BYTES, MAX_SLOTS};
use jmrtc_rooms as rooms;
use jmrtc_rooms::MediaCommand;
use jmrtc_sfu::{CallKey, LinkId, LinkState, MemberKey, Output, Shard, ShardConfig, Transport};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::config::MediaConfig;
use crate::hub::FromMedia;
use crate::metrics::Metrics;
use crate::streams::{self, FromStream};

/// Datagrams taken in one go: the more, the cheaper each, but all of them wait for the last.
const BATCH: usize = 64;
/// Bytes that the operating system may hold for us; it takes less if its limit is lower.
const SOCKET_BUFFER: usize = 4 << 20;
/// Largest packet; anything larger is no media of ours.
pub(crate) const MAX_PACKET: usize = 2048;
/// Packets of all streams that may wait for the relay.
const STREAMS_QUEUE: usize = 1024;
const METRICS_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Media {
    shard: Shard,
    udp: UdpSocket,
    udp_is_v6: bool,
    tcp: SocketAddr,
    from_streams: mpsc::Receiver<FromStream>,
    drop_udp: bool,
    streams: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>,
    metrics: Arc<Metrics>,
}

impl Media {
    /// Opens the sockets.
    pub(crate) async fn bind(config: &MediaConfig, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let udp = UdpSocket::bind(config.udp)
            .await
            .with_context(|| format!("can't listen on UDP {} (--media-udp)", config.udp))?;
        let socket = socket2::SockRef::from(&udp);
        // Smaller buffers only mean more loss under load.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        let advertise_udp = advertised(config.advertise_udp, udp.local_addr()?);
        let (tcp, advertise_tcp) = bind_tcp(config, advertise_udp).await?;
        let shard = Shard::new(ShardConfig {
            udp: advertise_udp,
            tcp: Some(advertise_tcp),
            max_offer_bytes: MAX_OFFER_BYTES,
            max_slots: MAX_SLOTS,
        })?;
        let bound = tcp.local_addr()?;
        let (to_us, from_streams) = mpsc::channel(STREAMS_QUEUE);
        tokio::spawn(streams::accept(tcp, to_us));
        Ok(Self {
            shard,
            udp_is_v6: udp.local_addr()?.is_ipv6(),
            udp,
            tcp: bound,
            from_streams,
            drop_udp: config.drop_udp,
            streams: HashMap::new(),
            metrics,
        })
    }

    /// Where UDP and TCP are bound.
    pub(crate) fn addresses(&self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        Ok((self.udp.local_addr()?, self.tcp))
    }

    /// Runs until the hub is gone. `hub` has no bound because it needs none: an answer comes of a command, and
    /// who is heard changes at most some times a second and link.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<MediaCommand>,
        hub: mpsc::UnboundedSender<FromMedia>,
    ) -> anyhow::Result<()> {
        let mut metrics = tokio::time::interval(METRICS_EVERY);
        let mut buffer = vec![0; MAX_PACKET];
        loop {
            let due = self.shard.next_timeout();
            tokio::select! {
                ready = self.udp.readable() => {
                    ready.context("the UDP socket broke")?;
                    self.receive_batch(&mut buffer);
                }
                Some(event) = self.from_streams.recv() => match event {
                    FromStream::Opened(peer, stream) => { self.streams.insert(peer, stream); }
                    FromStream::Closed(peer) => { self.streams.remove(&peer); }
                    FromStream::Packet(peer, bytes) => {
                        self.shard.receive(Instant::now(), Transport::Tcp, peer, &bytes);
                    }
                },
                command = commands.recv() => match command {
                    None => return Ok(()),
                    Some(command) => self.command(command, &hub)?,
                },
                () = async { sleep_until(due.unwrap_or_else(Instant::now).into()).await }, if due.is_some() => {
                    self.shard.handle_timeout(Instant::now());
                }
                _ = metrics.tick() => self.measure(),
            }
            self.shard.flush(Instant::now());
            self.send_all(&hub)?;
        }
    }

    fn receive_batch(&mut self, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            match self.udp.try_recv_from(buffer) {
                Ok((length, from)) if !self.drop_udp => {
                    self.shard.receive(Instant::now(), Transport::Udp, canonical(from), &buffer[..length]);
                }
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                // Linux reports an ICMP error of an earlier send here; the socket is fine.
                Err(_) => {}
            }
        }
    }

    fn command(
        &mut self,
        command: MediaCommand,
        hub: &mpsc::UnboundedSender<FromMedia>,
    ) -> anyhow::Result<()> {
        let now = Instant::now();
        let gone = || anyhow::anyhow!("the hub is gone");
        match command {
            MediaCommand::Open { link, ticket, offer } => {
                let result = self.shard.open(now, LinkId(link.0), &offer).map_err(|e| e.to_string());
                hub.send(FromMedia::Answer { ticket, result }).map_err(|_| gone())?;
            }
            MediaCommand::Renew { link, ticket, offer } => {
                let result = self.shard.renew(now, LinkId(link.0), &offer).map_err(|e| e.to_string());
                hub.send(FromMedia::Answer { ticket, result }).map_err(|_| gone())?;
            }
            MediaCommand::Admit { link, call, member } => {
                self.shard.admit(now, LinkId(link.0), CallKey(call.0), MemberKey(member.0));
            }
            MediaCommand::Close { link } => self.shard.close(now, LinkId(link.0)),
            MediaCommand::Echo { call, on } => self.shard.echo(now, CallKey(call.0), on),
        }
        self.metrics.links.set(self.shard.links() as u64);
        Ok(())
    }

    fn send_all(&mut self, hub: &mpsc::UnboundedSender<FromMedia>) -> anyhow::Result<()> {
        while let Some(output) = self.shard.poll() {
            match output {
                Output::Transmit { transport, to, bytes } => self.transmit(transport, to, bytes),
                Output::Slots { link, sources } => {
                    let sources = sources.into_iter().map(|s| s.map(|link| rooms::LinkId(link.0))).collect();
                    hub.send(FromMedia::Slots { link: rooms::LinkId(link.0), sources })
                        .map_err(|_| anyhow::anyhow!("the hub is gone"))?;
                }
                Output::State { link, state } => match state {
                    LinkState::Opening | LinkState::Connected | LinkState::Lost => {
                        tracing::debug!(link = link.0, ?state, "media link");
                    }
                    LinkState::Dead(why) => tracing::debug!(link = link.0, why, "media link dead"),
                },
            }
        }
        Ok(())
    }

    fn transmit(&self, transport: Transport, to: SocketAddr, bytes: Vec<u8>) {
        let sent = match transport {
            Transport::Udp => self.drop_udp || self.udp.try_send_to(&bytes, self.reachable(to)).is_ok(),
            Transport::Tcp => self.streams.get(&to).is_some_and(|stream| stream.try_send(bytes).is_ok()),
        };
        if !sent {
            self.metrics.media_unsent.add(1);
        }
    }

    /// An IPv4 address as the socket takes it, which may be one of IPv6 that serves both.
    fn reachable(&self, to: SocketAddr) -> SocketAddr {
        match to {
            SocketAddr::V4(v4) if self.udp_is_v6 => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
            SocketAddr::V4(_) | SocketAddr::V6(_) => to,
        }
    }

    fn measure(&self) {
        let stats = self.shard.stats();
        self.metrics.links.set(self.shard.links() as u64);
        self.metrics.media_streams.set(self.streams.len() as u64);
        self.metrics.rtp_in.set(stats.packets_in);
        self.metrics.rtp_forwarded.set(stats.forwarded);
        self.metrics.rtp_withheld.set(stats.withheld);
        self.metrics.rtp_dropped.set(stats.dropped);
        self.metrics.media_out.set(stats.packets_out);
        self.metrics.media_strays.set(self.shard.strays());
    }
}

/// An IPv4 client's address as the client knows it, also where an IPv6 socket serves both.
pub(crate) fn canonical(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip().to_canonical(), from.port())
}

fn advertised(given: Option<SocketAddr>, bound: SocketAddr) -> SocketAddr {
    given.unwrap_or(bound)
}

/// The TCP listener and its advertised address, never with UDP's port number: some clients take two candidates of one
/// address for one.
async fn bind_tcp(config: &MediaConfig, udp: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    // Keeps the ports that the operating system chose badly, so that it chooses another.
    let mut refused = Vec::new();
    loop {
        let tcp = TcpListener::bind(config.tcp)
            .await
            .with_context(|| format!("can't listen on TCP {} (--media-tcp)", config.tcp))?;
        let advertise = advertised(config.advertise_tcp, tcp.local_addr()?);
        if advertise.port() != udp.port() {
            return Ok((tcp, advertise));
        }
        if config.advertise_tcp.is_some() || config.tcp.port() != 0 {
            anyhow::bail!(
                "media over UDP and over TCP must have different port numbers, not both {}",
                udp.port()
            );
        }
        refused.push(tcp);
    }
}
