//! A NAT between a link and the relay, which can forget it.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

pub(super) struct Nat {
    pub(super) address: SocketAddr,
    forget: mpsc::UnboundedSender<()>,
}

impl Nat {
    /// Runs until dropped.
    pub(super) async fn start(relay: SocketAddr) -> Self {
        Self::eating(relay, &[]).await
    }

    /// Loses those of the client's DTLS handshake datagrams, counted from 1.
    pub(super) async fn eating(relay: SocketAddr, handshakes: &'static [u32]) -> Self {
        let inside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = inside.local_addr().unwrap();
        let (forget, orders) = mpsc::unbounded_channel();
        tokio::spawn(run(inside, relay, orders, handshakes));
        Self { address, forget }
    }

    /// From now on the relay sees another address, and what it sends to the old one is lost.
    pub(super) fn forget(&self) {
        self.forget.send(()).unwrap();
    }
}

async fn run(
    inside: UdpSocket,
    relay: SocketAddr,
    mut orders: mpsc::UnboundedReceiver<()>,
    eaten: &'static [u32],
) {
    let mut handshakes = 0;
    let mut outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut client = None;
    let (mut up, mut down) = ([0; 2048], [0; 2048]);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(()) => outside = UdpSocket::bind("127.0.0.1:0").await.unwrap(),
                None => return,
            },
            Ok((n, from)) = inside.recv_from(&mut up) => {
                client = Some(from);
                handshakes += u32::from(up[0] == 22);
                if up[0] == 22 && eaten.contains(&handshakes) {
                    continue;
                }
                outside.send_to(&up[..n], relay).await.unwrap();
            }
            Ok((n, _)) = outside.recv_from(&mut down) => {
                if let Some(client) = client {
                    inside.send_to(&down[..n], client).await.unwrap();
                }
            }
        }
    }
}
