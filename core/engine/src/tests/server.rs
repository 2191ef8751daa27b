//! A signalling server that says what a test tells it to.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jmrtc_protocol::{
    ChannelId, ClientMessage, ClientSettings, MediaType, PROTOCOL_VERSION, Profile, Relation, Reply, Request,
    RequestId, ServerEvent, ServerMessage, Session, User, Username, Welcome, encode,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// Far more than anything here takes; a test that waits this long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Server {
    listener: TcpListener,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}/v1/ws", self.listener.local_addr().unwrap())
    }

    pub(super) async fn tcp(&self) -> TcpStream {
        timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap().0
    }

    pub(super) async fn accept(&self) -> Conversation {
        Conversation { socket: accept_async(self.tcp().await).await.unwrap(), events: 0 }
    }
}

pub(super) struct Conversation {
    pub(super) socket: WebSocketStream<TcpStream>,
    events: u64,
}

impl Conversation {
    pub(super) async fn send(&mut self, message: ServerMessage) {
        self.socket.send(Message::text(encode(&message))).await.unwrap();
    }

    pub(super) async fn event(&mut self, event: ServerEvent) {
        self.events += 1;
        self.send(ServerMessage::Event { seq: self.events, event }).await;
    }

    pub(super) async fn reply(&mut self, id: RequestId, reply: Reply) {
        self.send(ServerMessage::Reply { id, reply }).await;
    }

    /// What the client says next; `None` when it has closed.
    pub(super) async fn next(&mut self) -> Option<ClientMessage> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("the client says nothing") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(super) async fn request(&mut self) -> (RequestId, Request) {
        loop {
            match self.next().await.expect("the client has closed") {
                ClientMessage::Request { id, request } => return (id, request),
                ClientMessage::Ping { .. } => self.send(ServerMessage::Pong).await,
                ClientMessage::Hello(hello) => panic!("a second {hello:?}"),
            }
        }
    }

    /// Lets the client in as `name`.
    pub(super) async fn welcome(&mut self, name: &str) {
        self.welcome_back(name, None).await;
    }

    /// Lets the client in as `name`, whose device is in a call.
    pub(super) async fn welcome_back(&mut self, name: &str, call: Option<Session>) {
        let Some(ClientMessage::Hello(_)) = self.next().await else { panic!("no hello") };
        let settings = ClientSettings {
            ring_ms: 60_000,
            grace_ms: 30_000,
            ping_ms: 10_000,
            max_members: 32,
            slots: 4,
            ice_servers: vec![],
        };
        let welcome = Welcome {
            protocol: PROTOCOL_VERSION,
            user: user(name),
            secret: "secret".to_owned(),
            resumed: false,
            link_lost: false,
            call,
            stay: 1,
            settings,
        };
        self.send(ServerMessage::Welcome(Box::new(welcome))).await;
    }
}

pub(super) fn user(name: &str) -> User {
    User::new("app", Username::new(name).unwrap(), Profile::default(), Relation::default())
}

pub(super) fn channel() -> ChannelId {
    ChannelId("call-1".to_owned())
}

/// A call of alice's.
pub(super) fn session(inviting: &[&str], joined: &[&str]) -> Session {
    Session {
        channel_id: channel(),
        media_type: MediaType::Voice,
        inviter: user("alice"),
        inviting_members: inviting.iter().map(|n| user(n)).collect(),
        joined_members: joined.iter().map(|n| user(n)).collect(),
        muted_members: Vec::new(),
        start_time: if joined.len() > 1 { 1_700_000_000_000 } else { 0 },
        invited_by: None,
        silent: false,
    }
}
