//! The signalling sockets: WebSockets that never make the event loop wait.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Sink, Stream};
use jmrtc_call::{Generation, SocketEvent};
use jmrtc_protocol::limits::{MAX_MESSAGE_BYTES, MAX_SERVER_MESSAGE_BYTES};
use jmrtc_protocol::{ClientMessage, decode_server, encode};
use log::{debug, warn};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Connecting = Pin<Box<dyn Future<Output = Result<Socket, String>> + Send>>;

/// From the name lookup to the end of the WebSocket handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the last messages and the close frame of a socket that is given up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Messages that wait for a slow socket before it counts as lost.
const MAX_OUTBOX: usize = 256;

/// The signalling sockets: one, and for a moment a second one beside it.
#[derive(Default)]
pub(crate) struct Signalling {
    sockets: Vec<(Generation, State)>,
    closing: JoinSet<()>,
}

enum State {
    Connecting(Connecting),
    Open(Box<Open>),
}

struct Open {
    socket: Socket,
    outbox: VecDeque<Message>,
}

impl Signalling {
    /// Connects.
    pub(crate) fn open(&mut self, generation: Generation, url: String) {
        self.sockets.push((generation, State::Connecting(Box::pin(connect(url)))));
    }

    /// Queues a message; one for an unknown generation or an unopened socket is dropped.
    pub(crate) fn send(&mut self, generation: Generation, message: &ClientMessage) {
        match self.sockets.iter_mut().find(|(g, _)| *g == generation) {
            Some((_, State::Open(open))) => open.outbox.push_back(Message::text(encode(message))),
            Some(_) | None => debug!("a message for socket {generation}, which is not open, is dropped"),
        }
    }

    /// Sends what is queued and closes, in the background.
    pub(crate) fn close(&mut self, generation: Generation) {
        for (_, state) in self.sockets.extract_if(.., |(g, _)| *g == generation) {
            let State::Open(open) = state else { continue };
            self.closing.spawn(async move {
                if timeout(CLOSE_TIMEOUT, open.finish()).await.is_err() {
                    debug!("the server did not take the end of a socket in time");
                }
            });
        }
    }

    /// Waits for the sockets that are being closed.
    pub(crate) async fn closed(&mut self) {
        while self.closing.join_next().await.is_some() {}
    }

    /// The next event; pending forever while there is no socket. May be dropped and called again without loss.
    pub(crate) async fn next(&mut self) -> (Generation, SocketEvent) {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Generation, SocketEvent)> {
        while let Poll::Ready(Some(_)) = self.closing.poll_join_next(cx) {}
        for (place, (generation, state)) in self.sockets.iter_mut().enumerate() {
            let Poll::Ready(event) = state.poll(cx) else { continue };
            let generation = *generation;
            if matches!(event, SocketEvent::Closed { .. }) {
                self.sockets.remove(place);
            }
            return Poll::Ready((generation, event));
        }
        Poll::Pending
    }
}

impl State {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SocketEvent> {
        match self {
            Self::Connecting(connecting) => {
                Poll::Ready(match std::task::ready!(connecting.as_mut().poll(cx)) {
                    Ok(socket) => {
                        *self = Self::Open(Box::new(Open { socket, outbox: VecDeque::new() }));
                        SocketEvent::Opened
                    }
                    Err(why) => SocketEvent::Closed { why },
                })
            }
            Self::Open(open) => open.poll(cx),
        }
    }
}

impl Open {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SocketEvent> {
        if let Err(e) = self.poll_send(cx) {
            return Poll::Ready(SocketEvent::Closed { why: e.to_string() });
        }
        if self.outbox.len() > MAX_OUTBOX {
            return Poll::Ready(SocketEvent::Closed { why: "the server takes no more messages".to_owned() });
        }
        loop {
            let why = match std::task::ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Text(text))) => match decode_server(&text) {
                    Ok(message) => return Poll::Ready(SocketEvent::Message { message }),
                    Err(e) => {
                        warn!("a message of the server is not understood: {e}");
                        continue;
                    }
                },
                Some(Ok(Message::Close(frame))) => match frame {
                    Some(frame) => format!("closed by the server: {} {}", frame.code, frame.reason),
                    None => "closed by the server".to_owned(),
                },
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                    continue;
                }
                Some(Err(e)) => e.to_string(),
                None => "closed".to_owned(),
            };
            return Poll::Ready(SocketEvent::Closed { why });
        }
    }

    /// Hands over as much of the outbox as the socket takes.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.outbox.is_empty() {
            match socket.as_mut().poll_ready(cx)? {
                Poll::Ready(()) => {}
                Poll::Pending => return Ok(()),
            }
            if let Some(message) = self.outbox.pop_front() {
                socket.as_mut().start_send(message)?;
            }
        }
        let _ = socket.poll_flush(cx)?;
        Ok(())
    }

    async fn finish(mut self) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        use futures_util::SinkExt;
        for message in self.outbox.drain(..) {
            self.socket.feed(message).await?;
        }
        self.socket.close(None).await
    }
}

async fn connect(url: String) -> Result<Socket, String> {
    // A message is at most 64 KiB; the defaults (128 KiB buffers, 64 MiB messages) are a server's.
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_MESSAGE_BYTES)
        .max_message_size(Some(MAX_SERVER_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_SERVER_MESSAGE_BYTES));
    let connector = tls()?;
    let connecting = connect_async_tls_with_config(url.as_str(), Some(config), true, Some(connector));
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())),
    }
}

fn tls() -> Result<Connector, String> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Connector::Rustls(Arc::new(config)))
}
