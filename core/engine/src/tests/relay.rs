//! The real media relay on real loopback sockets, for tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jmrtc_sfu::{CallKey, LinkId, LinkState, LinkStats, MemberKey, Output, Shard, ShardConfig, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};

type Answer = oneshot::Sender<Result<String, String>>;

enum Order {
    Open(LinkId, String, Answer),
    Renew(LinkId, String, Answer),
    Admit(LinkId, CallKey),
    Close(LinkId),
    /// A firewall that eats UDP, or not.
    DropUdp(bool),
    /// Of the sound coming in and going out over UDP one packet in so many is lost; 0 for none.
    Lose(u64),
    Stats(LinkId, oneshot::Sender<LinkStats>),
    /// Addresses that packets went to.
    Sources(oneshot::Sender<Vec<SocketAddr>>),
}

/// Runs until dropped.
#[derive(Clone)]
pub(super) struct Relay {
    orders: mpsc::UnboundedSender<Order>,
}

enum Tcp {
    Open(SocketAddr, mpsc::UnboundedSender<Vec<u8>>),
    Packet(SocketAddr, Vec<u8>),
}

impl Relay {
    pub(super) async fn start() -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = ShardConfig {
            udp: udp.local_addr().unwrap(),
            tcp: Some(tcp.local_addr().unwrap()),
            max_offer_bytes: 64 * 1024,
            max_slots: 8,
        };
        let (orders, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(Shard::new(config).unwrap(), udp, tcp, receiver));
        Self { orders }
    }

    fn order(&self, order: Order) {
        assert!(self.orders.send(order).is_ok(), "the relay is gone");
    }

    pub(super) async fn open(&self, id: u64, offer: String) -> String {
        let (sender, answer) = oneshot::channel();
        self.order(Order::Open(LinkId(id), offer, sender));
        answer.await.unwrap().unwrap()
    }

    pub(super) async fn renew(&self, id: u64, offer: String) -> String {
        let (sender, answer) = oneshot::channel();
        self.order(Order::Renew(LinkId(id), offer, sender));
        answer.await.unwrap().unwrap()
    }

    pub(super) fn admit(&self, id: u64) {
        self.order(Order::Admit(LinkId(id), CallKey(1)));
    }

    pub(super) fn close(&self, id: u64) {
        self.order(Order::Close(LinkId(id)));
    }

    pub(super) fn drop_udp(&self, on: bool) {
        self.order(Order::DropUdp(on));
    }

    pub(super) fn lose(&self, one_in: u64) {
        self.order(Order::Lose(one_in));
    }

    pub(super) async fn stats(&self, id: u64) -> LinkStats {
        let (sender, stats) = oneshot::channel();
        self.order(Order::Stats(LinkId(id), sender));
        stats.await.unwrap()
    }

    /// Addresses that packets went to over UDP, oldest first.
    pub(super) async fn sources(&self) -> Vec<SocketAddr> {
        let (sender, answer) = oneshot::channel();
        self.order(Order::Sources(sender));
        answer.await.unwrap()
    }
}

async fn run(mut shard: Shard, udp: UdpSocket, tcp: TcpListener, mut orders: mpsc::UnboundedReceiver<Order>) {
    let (tcp_sender, mut tcp_receiver) = mpsc::unbounded_channel();
    let mut streams = BTreeMap::<SocketAddr, mpsc::UnboundedSender<Vec<u8>>>::new();
    let mut dropping = false;
    let (mut losing, mut dice) = (0, 1u64);
    let mut lost = |one_in: u64, packet: &[u8]| {
        // RFC 7983: RTP and RTCP, which is rare.
        if one_in == 0 || packet[0] < 128 {
            return false;
        }
        // Knuth's generator: the same losses in each run, and none in step with the packets.
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33).is_multiple_of(one_in)
    };
    let mut peers = Vec::<SocketAddr>::new();
    let mut buffer = [0; 2048];
    loop {
        while let Some(output) = shard.poll() {
            match output {
                Output::Transmit { transport: Transport::Udp, to, bytes } => {
                    if !peers.contains(&to) {
                        peers.push(to);
                    }
                    if !dropping && !lost(losing, &bytes) {
                        let _ = udp.try_send_to(&bytes, to);
                    }
                }
                Output::Transmit { transport: Transport::Tcp, to, bytes } => {
                    if let Some(stream) = streams.get(&to) {
                        let _ = stream.send(bytes);
                    }
                }
                Output::State { link, state: LinkState::Dead(why) } => panic!("{link:?} is dead: {why}"),
                Output::State { .. } | Output::Slots { .. } => {}
            }
        }
        let due = shard.next_timeout().unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Open(id, offer, answer)) => {
                    let _ = answer.send(shard.open(Instant::now(), id, &offer).map_err(|e| e.to_string()));
                }
                Some(Order::Renew(id, offer, answer)) => {
                    let _ = answer.send(shard.renew(Instant::now(), id, &offer).map_err(|e| e.to_string()));
                }
                Some(Order::Admit(id, call)) => shard.admit(Instant::now(), id, call, MemberKey(id.0)),
                Some(Order::Close(id)) => shard.close(Instant::now(), id),
                Some(Order::DropUdp(on)) => dropping = on,
                Some(Order::Lose(one_in)) => losing = one_in,
                Some(Order::Stats(id, answer)) => {
                    let _ = answer.send(shard.link_stats(id).unwrap());
                }
                Some(Order::Sources(answer)) => {
                    let _ = answer.send(peers.clone());
                }
                None => return,
            },
            received = udp.recv_from(&mut buffer) => {
                if let Ok((n, from)) = received
                    && !dropping
                    && !lost(losing, &buffer[..n])
                {
                    shard.receive(Instant::now(), Transport::Udp, from, &buffer[..n]);
                    shard.flush(Instant::now());
                }
            }
            accepted = tcp.accept() => {
                let (stream, from) = accepted.unwrap();
                serve(stream, from, tcp_sender.clone());
            }
            Some(event) = tcp_receiver.recv() => match event {
                Tcp::Open(from, stream) => {
                    streams.insert(from, stream);
                }
                Tcp::Packet(from, bytes) => {
                    shard.receive(Instant::now(), Transport::Tcp, from, &bytes);
                    shard.flush(Instant::now());
                }
            },
            () = tokio::time::sleep_until(due.into()) => shard.handle_timeout(Instant::now()),
        }
    }
}

fn serve(stream: tokio::net::TcpStream, from: SocketAddr, events: mpsc::UnboundedSender<Tcp>) {
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let (sender, mut packets) = mpsc::unbounded_channel::<Vec<u8>>();
    let _ = events.send(Tcp::Open(from, sender));
    tokio::spawn(async move {
        while let Some(packet) = packets.recv().await {
            let mut frame = (packet.len() as u16).to_be_bytes().to_vec();
            frame.extend(packet);
            if writer.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok(length) = reader.read_u16().await {
            let mut packet = vec![0; length.into()];
            if reader.read_exact(&mut packet).await.is_err()
                || events.send(Tcp::Packet(from, packet)).is_err()
            {
                return;
            }
        }
    });
}
