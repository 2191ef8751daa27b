//! One WebSocket, one task: reads and checks what the client says, writes what the hub says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jmrtc_protocol::limits::{
    MAX_DEVICE_ID_BYTES, MAX_MESSAGE_BYTES, MAX_SERVER_MESSAGE_BYTES, MAX_USERS_ASKED,
};
use jmrtc_protocol::{
    ClientMessage, Closing, ErrorCode, Failure, Hello, PROTOCOL_VERSION, Reply, Request, RequestId,
    ServerMessage, Username, decode_client, encode,
};
use jmrtc_rooms::ConnId;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use crate::app::App;
use crate::directory::{self, store_failed};
use crate::http::Refusal;
use crate::hub::{Cut, OUTBOX_MESSAGES, Outbox, ToHub};
use crate::limiter::{Limiter, Verdict};

/// How long a client may take to say who it is.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// What a connection that is closed may still take to send and to hear.
const FAREWELL: Duration = Duration::from_secs(1);
/// A message beyond the protocol's limit is answered and the connection lives on, but up to here only: what is
/// larger would have to be received whole to be skipped.
const HARD_MESSAGE_BYTES: usize = 4 * MAX_MESSAGE_BYTES;
/// WebSockets at once.
const MAX_SOCKETS: u64 = 100_000;
/// tungstenite's own are 128 KiB each and would be most of an idle connection's memory.
const SOCKET_BUFFER: usize = 4 * 1024;

/// `GET /v1/ws`.
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let why = "this address speaks WebSocket only";
        return Refusal(StatusCode::UPGRADE_REQUIRED, Failure::new(ErrorCode::InvalidParameter, why))
            .into_response();
    };
    if app.metrics.connections.get() >= MAX_SOCKETS {
        let why = "the server has as many connections as it can bear";
        return Refusal(StatusCode::SERVICE_UNAVAILABLE, Failure::new(ErrorCode::ServerError, why))
            .into_response();
    }
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if let Some(origin) = origin
        && !app.config.origins.is_empty()
        && !app.is_allowed_origin(origin)
        && !is_own(origin, &headers)
    {
        let why = "pages of this origin may not use this server (--origin)";
        return Refusal(StatusCode::FORBIDDEN, Failure::new(ErrorCode::LoginRejected, why)).into_response();
    }
    upgrade
        .read_buffer_size(SOCKET_BUFFER)
        .write_buffer_size(SOCKET_BUFFER)
        .max_write_buffer_size(SOCKET_BUFFER + 2 * MAX_SERVER_MESSAGE_BYTES)
        .max_message_size(HARD_MESSAGE_BYTES)
        .max_frame_size(HARD_MESSAGE_BYTES)
        .on_upgrade(move |socket| serve(socket, app))
}

/// A page that this server has served itself.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == of_origin
}

async fn serve(mut socket: WebSocket, app: Arc<App>) {
    let _counted = Counted::new(&app);
    let conn = app.new_conn();
    let (queue, outgoing) = mpsc::channel(OUTBOX_MESSAGES);
    let (cut, waiting) = (Arc::new(Cut::default()), Arc::<AtomicUsize>::default());
    let outbox = Outbox { queue, bytes: waiting.clone(), cut: cut.clone() };
    let user = match timeout(HELLO_WITHIN, first_message(&mut socket)).await {
        // Boxed, as is `ask`: the store's futures are large, and an idle connection keeps what it once needed.
        Ok(Some(text)) => Box::pin(sign_in(&app, &text, conn, outbox)).await,
        Ok(None) => return,
        Err(_) => Err(Failure::new(ErrorCode::NotLoggedIn, "no `hello` within five seconds")),
    };
    let user = match user {
        Ok(user) => user,
        Err(error) => {
            app.metrics.logins_refused.add(1);
            if send(&mut socket, &ServerMessage::Fault { error }).await {
                close(socket).await;
            }
            return;
        }
    };

    let mut present = Present { conn, silent: Duration::ZERO, hub: app.hub.clone() };
    let silence = app.config.silence();
    let heard = tokio::time::Instant::now();
    let limiter = Limiter::new(Instant::now());
    let mut connection = Connection { socket, app, conn, user, limiter, cut, waiting, silence, heard };
    present.silent = connection.run(outgoing).await;
    drop(present);
    close(connection.socket).await;
}

/// The first frame with a message; none when the client is gone.
async fn first_message(socket: &mut WebSocket) -> Option<Text> {
    loop {
        match socket.recv().await? {
            Ok(Message::Text(text)) => return Some(Text::Message(text)),
            Ok(Message::Binary(_)) => return Some(Text::Binary),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(Message::Close(_)) => return None,
            Err(e) if is_too_long(&e) => return Some(Text::TooLong),
            Err(_) => return None,
        }
    }
}

enum Text {
    Message(Utf8Bytes),
    Binary,
    TooLong,
}

/// Checks a `hello` and hands it to the rooms; whose it is.
async fn sign_in(app: &App, first: &Text, conn: ConnId, outbox: Outbox) -> Result<Username, Failure> {
    let text = match first {
        Text::Message(text) => text,
        Text::Binary => return Err(binary()),
        Text::TooLong => return Err(too_long()),
    };
    let hello = match decode_client(text) {
        Ok(ClientMessage::Hello(hello)) => hello,
        Ok(ClientMessage::Request { .. } | ClientMessage::Ping { .. }) => {
            return Err(Failure::new(ErrorCode::NotLoggedIn, "the first message must be `hello`"));
        }
        Err(e) => return Err(e.failure),
    };
    if hello.protocol != PROTOCOL_VERSION {
        let why = format!("this server speaks protocol {PROTOCOL_VERSION}, not {}", hello.protocol);
        return Err(Failure::new(ErrorCode::InvalidParameter, why));
    }
    if hello.device.id.is_empty() || hello.device.id.len() > MAX_DEVICE_ID_BYTES {
        let why = format!("a device id has 1 to {MAX_DEVICE_ID_BYTES} bytes");
        return Err(Failure::new(ErrorCode::InvalidParameter, why));
    }
    let identity =
        app.config.auth.check(&hello.token).map_err(|why| Failure::new(ErrorCode::LoginRejected, why))?;
    let Hello { device, resume, .. } = hello;
    let (user, expires) = (identity.user, identity.expires);
    let _in_order = app.order.read().await;
    let record = app.store.sign_in(&user, app.clock.unix_now()).await.map_err(|e| store_failed(&e))?;
    let record = record.ok_or_else(|| Failure::new(ErrorCode::LoginRejected, directory::DELETED))?;
    let hello = ToHub::Hello { conn, user: user.clone(), device, resume, record, expires, outbox };
    // Fails only while the server stops; then nothing comes and the connection ends.
    let _ = app.hub.send(hello).await;
    Ok(user)
}

/// A signed-in connection.
struct Connection {
    socket: WebSocket,
    app: Arc<App>,
    conn: ConnId,
    user: Username,
    limiter: Limiter,
    cut: Arc<Cut>,
    /// Bytes of what the hub has for the client.
    waiting: Arc<AtomicUsize>,
    /// How long a client may say nothing.
    silence: Duration,
    /// When it said something last.
    heard: tokio::time::Instant,
}

impl Connection {
    /// Runs until either end wants to close. For how long the client had been silent then; of one that takes too long to read, or
    /// is cut off, nobody knows: nothing is read of it while something is sent.
    async fn run(&mut self, mut outgoing: mpsc::Receiver<Utf8Bytes>) -> Duration {
        loop {
            tokio::select! {
                // Being cut off comes before anything else.
                biased;
                reason = self.cut.wait() => {
                    self.farewell(reason).await;
                    return Duration::ZERO;
                }
                text = outgoing.recv() => {
                    // The hub let go: everything it had to say is sent.
                    let Some(text) = text else { return Duration::ZERO };
                    self.waiting.fetch_sub(text.len(), Ordering::Relaxed);
                    if !self.deliver(text).await {
                        return Duration::ZERO;
                    }
                }
                message = self.socket.recv() => {
                    let Some(message) = message else { return self.heard.elapsed() };
                    let broken = message.is_err();
                    if !broken {
                        self.heard = tokio::time::Instant::now();
                    }
                    if !self.receive(message).await {
                        return if broken { self.heard.elapsed() } else { Duration::ZERO };
                    }
                }
                () = sleep_until(self.heard + self.silence) => return self.heard.elapsed(),
            }
        }
    }

    /// Sends; false when the connection is over. A client that reads nothing is not waited for longer than one that
    /// says nothing.
    async fn deliver(&mut self, text: Utf8Bytes) -> bool {
        let reason = tokio::select! {
            biased;
            sent = self.socket.send(Message::Text(text)) => return sent.is_ok(),
            reason = self.cut.wait() => reason,
            () = sleep_until(self.heard + self.silence) => return false,
        };
        self.farewell(reason).await;
        false
    }

    async fn farewell(&mut self, reason: Closing) {
        // The client may not read it any more.
        let _ = timeout(FAREWELL, send(&mut self.socket, &ServerMessage::Closing { reason })).await;
    }

    /// Takes one frame; false when the connection is over.
    async fn receive(&mut self, message: Result<Message, axum::Error>) -> bool {
        match message {
            Ok(Message::Text(text)) => self.take(&text).await,
            Ok(Message::Binary(_)) => {
                match self.count() {
                    Verdict::Admit => {}
                    Verdict::Refuse => return self.limited(None).await,
                    Verdict::Cut => return self.flooded().await,
                }
                self.app.metrics.messages_bad.add(1);
                self.answer(ServerMessage::Fault { error: binary() }).await
            }
            // Answered by axum.
            Ok(Message::Ping(_) | Message::Pong(_)) => true,
            Ok(Message::Close(_)) => false,
            Err(e) => {
                if is_too_long(&e) {
                    self.answer(ServerMessage::Fault { error: too_long() }).await;
                }
                false
            }
        }
    }

    async fn take(&mut self, text: &str) -> bool {
        let verdict = self.count();
        if verdict == Verdict::Cut {
            return self.flooded().await;
        }
        let within_limit = verdict == Verdict::Admit;
        let message = match decode_client(text) {
            Ok(message) => message,
            Err(e) if !within_limit => return self.limited(e.id).await,
            Err(e) => {
                self.app.metrics.messages_bad.add(1);
                return self.answer(refused(e.id, e.failure)).await;
            }
        };
        if !within_limit {
            return match &message {
                ClientMessage::Request { id, .. } => self.limited(Some(*id)).await,
                ClientMessage::Hello(_) | ClientMessage::Ping { .. } => self.limited(None).await,
            };
        }
        let conn = self.conn;
        match message {
            ClientMessage::Hello(_) => {
                let error = Failure::new(ErrorCode::InvalidState, "signed in already");
                self.answer(ServerMessage::Fault { error }).await
            }
            ClientMessage::Ping { ack } => self.app.hub.send(ToHub::Ping { conn, ack }).await.is_ok(),
            ClientMessage::Request {
                id,
                request: Request::UpdateProfile { .. } | Request::UpdateRelation { .. },
            } if !self.app.may_change(&self.user) => self.limited(Some(id)).await,
            ClientMessage::Request { id, request } => {
                match Box::pin(ask(&self.app, conn, &self.user, id, request)).await {
                    Ok(None) => true,
                    Ok(Some(reply)) => self.answer(ServerMessage::Reply { id, reply }).await,
                    Err(error) => self.answer(ServerMessage::Failure { id, error }).await,
                }
            }
        }
    }

    fn count(&mut self) -> Verdict {
        self.app.metrics.messages_in.add(1);
        self.limiter.judge(Instant::now())
    }

    /// The client goes on and on sending far more than it may: the connection is over.
    async fn flooded(&mut self) -> bool {
        self.app.metrics.overloads.add(1);
        self.farewell(Closing::Overload).await;
        false
    }

    /// Answers a message that is over the rate limit.
    async fn limited(&mut self, id: Option<RequestId>) -> bool {
        self.app.metrics.messages_limited.add(1);
        let error = Failure::new(ErrorCode::LimitExceeded, "too many messages; slow down");
        self.answer(refused(id, error)).await
    }

    async fn answer(&mut self, message: ServerMessage) -> bool {
        self.app.metrics.messages_out.add(1);
        self.deliver(encode(&message).into()).await
    }
}

/// Answers a request from the store, or hands it to the rooms with what they can't find out themselves: who the named
/// users are, and until when a new token is good. None: the rooms answer.
async fn ask(
    app: &Arc<App>,
    conn: ConnId,
    user: &Username,
    id: RequestId,
    request: Request,
) -> Result<Option<Reply>, Failure> {
    let (known, expires, _in_order) = match &request {
        Request::Start { usernames } | Request::Invite { usernames, .. } => {
            let in_order = app.order.read().await;
            let mut named: BTreeSet<_> = usernames.iter().collect();
            // The rooms refuse it whoever they are.
            if named.len() > app.config.max_members {
                named.clear();
            }
            let known = app.store.users_named(&named, user).await.map_err(|e| store_failed(&e))?;
            (known, None, Some(in_order))
        }
        Request::UpdateToken { token } => {
            let rejected = |why: String| Failure::new(ErrorCode::LoginRejected, why);
            let identity = app.config.auth.check(token).map_err(rejected)?;
            if identity.user != *user {
                return Err(rejected("the token is another user's".to_owned()));
            }
            (Vec::new(), Some(identity.expires), None)
        }
        Request::Logout
        | Request::Accept { .. }
        | Request::Refuse { .. }
        | Request::Leave { .. }
        | Request::Mute { .. }
        | Request::Link { .. }
        | Request::Preflight { .. }
        | Request::EndPreflight => (Vec::new(), None, None),
        Request::Users { usernames } => {
            let reply = directory::users(app, user, usernames.clone()).await?;
            return Ok(Some(reply));
        }
        Request::UpdateProfile { profile } => {
            let profile = profile.clone();
            let change = |before| profile.apply(before);
            let user = directory::change_profile(app, user, change).await?;
            return Ok(Some(Reply::UpdateProfile { user }));
        }
        Request::UpdateRelation { username, relation } => {
            let relation = relation.clone();
            let change = |before| relation.apply(before);
            let user = directory::change_relation(app, user, username, change).await?;
            return Ok(Some(Reply::UpdateRelation { user }));
        }
        Request::Relations { after, limit } => {
            let limit = *limit as usize;
            if !(1..=MAX_USERS_ASKED).contains(&limit) {
                let why = format!("`limit` is from 1 to {MAX_USERS_ASKED}");
                return Err(Failure::new(ErrorCode::InvalidParameter, why));
            }
            let (users, more) = directory::relations(app, user, after.as_ref(), limit).await?;
            return Ok(Some(Reply::Relations { users, more }));
        }
        Request::History { before, limit } => {
            let (calls, more) = directory::history(app, user, before.as_ref(), *limit).await?;
            return Ok(Some(Reply::History { calls, more }));
        }
    };
    let request = ToHub::Request { conn, id, request, known, expires };
    // Fails only while the server stops; the hub has let go of the connection then.
    let _ = app.hub.send(request).await;
    Ok(None)
}

/// False when the client is gone.
async fn send(socket: &mut WebSocket, message: &ServerMessage) -> bool {
    socket.send(Message::Text(encode(message).into())).await.is_ok()
}

/// Says goodbye and waits a moment for the client's, because a connection that is dropped with something unread takes
/// what was sent last with it.
async fn close(mut socket: WebSocket) {
    let goodbye = Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: Utf8Bytes::default() }));
    let _ = timeout(FAREWELL, async {
        if socket.send(goodbye).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    })
    .await;
}

fn refused(id: Option<RequestId>, error: Failure) -> ServerMessage {
    match id {
        Some(id) => ServerMessage::Failure { id, error },
        None => ServerMessage::Fault { error },
    }
}

fn binary() -> Failure {
    Failure::new(ErrorCode::InvalidParameter, "a message is a text frame, not a binary one")
}

fn too_long() -> Failure {
    Failure::new(ErrorCode::LimitExceeded, format!("a message has at most {MAX_MESSAGE_BYTES} bytes"))
}

/// Whether the socket broke because the client sent more than a message may have.
fn is_too_long(error: &axum::Error) -> bool {
    // axum hides tungstenite's error type; its text is the only way to tell.
    error.to_string().contains("too long") || error.to_string().contains("too large")
}

/// Tells the hub of the end of a connection, however it ends.
struct Present {
    conn: ConnId,
    silent: Duration,
    hub: mpsc::Sender<ToHub>,
}

impl Drop for Present {
    fn drop(&mut self) {
        let gone = ToHub::Gone { conn: self.conn, silent: self.silent };
        if let Err(mpsc::error::TrySendError::Full(gone)) = self.hub.try_send(gone) {
            let hub = self.hub.clone();
            tokio::spawn(async move { hub.send(gone).await });
        }
    }
}

/// Counts a connection for as long as it lives, however it ends.
struct Counted(Arc<App>);

impl Counted {
    fn new(app: &Arc<App>) -> Self {
        app.metrics.connections.add(1);
        app.metrics.connections_total.add(1);
        Self(app.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connections.sub(1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt;
    use serde_json::json;
    use tokio_tungstenite::tungstenite;

    use super::*;
    use crate::clock::unix_s;

    const PING: Duration = Duration::from_millis(100);

    /// Signs a client in; the client, what the hub is told next, and its end of the connection.
    async fn signed_in()
    -> (impl SinkExt<tungstenite::Message, Error = tungstenite::Error> + Unpin, mpsc::Receiver<ToHub>, Outbox)
    {
        let (app, mut hub) = App::of_test("server --dev --ping-time 100ms").await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let token = app.config.auth.mint(Some(&Username::new("alice").unwrap()), unix_s(), 60).unwrap();
        tokio::spawn(crate::listen::serve(listener, crate::http::router(app)));
        let (mut client, _) =
            tokio_tungstenite::connect_async(format!("ws://{address}/v1/ws")).await.unwrap();
        let hello = json!({"type": "hello", "protocol": PROTOCOL_VERSION, "token": token,
                           "device": {"id": "d", "platform": "native"}});
        client.send(tungstenite::Message::text(hello.to_string())).await.unwrap();
        let Some(ToHub::Hello { outbox, .. }) = hub.recv().await else { panic!("no hello") };
        (client, hub, outbox)
    }

    async fn silent(hub: &mut mpsc::Receiver<ToHub>) -> Duration {
        loop {
            let told = timeout(Duration::from_secs(10), hub.recv()).await.expect("an end");
            if let Some(ToHub::Gone { silent, .. }) = told {
                return silent;
            }
        }
    }

    #[tokio::test]
    async fn who_says_nothing_was_silent() {
        let (_client, mut hub, _outbox) = signed_in().await;
        assert!(silent(&mut hub).await >= 3 * PING);
    }

    #[tokio::test]
    async fn who_reads_slowly_may_have_spoken_unheard() {
        let (mut client, mut hub, outbox) = signed_in().await;
        // More than the sockets between take.
        for _ in 0..OUTBOX_MESSAGES {
            outbox.queue.send("x".repeat(64 << 10).into()).await.unwrap();
        }
        let pings = async {
            while client.send(tungstenite::Message::text(r#"{"type":"ping","ack":0}"#)).await.is_ok() {
                tokio::time::sleep(PING / 2).await;
            }
        };
        let (silent, ()) = tokio::join!(silent(&mut hub), pings);
        assert_eq!(silent, Duration::ZERO);
    }
}
