//! A server process of the test's own, and clients that speak to it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) const SECRET: &str = "a secret for tests, of 32 bytes or more";
/// Longest wait for anything that must come.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) fn unix_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A folder that is gone after the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("jmrtc-server-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The server's command line without anything of this machine's environment.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jmrtc-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("JMRTC_")) {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// Runs a command line to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

pub(crate) struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    folder: Folder,
}

impl Server {
    /// A --dev server with short times, whose secret is [`SECRET`].
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(more: &[&str]) -> Self {
        let mut args = vec!["--dev", "--secret", SECRET, "--app-key", "app"];
        if !more.contains(&"--grace-time") {
            args.extend(["--grace-time", "500ms"]);
        }
        args.extend(more);
        Self::start_in(Folder::new(), &args)
    }

    pub(crate) fn start_in(folder: Folder, args: &[&str]) -> Self {
        let mut child = command(args)
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(&folder.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("a first line").unwrap();
        let address = line.strip_prefix("JMRTC server on http://").unwrap().trim_end_matches('/').to_owned();
        assert!(lines.next().unwrap().unwrap().starts_with("media on udp 127.0.0.1:"));
        Self { child, address, folder }
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end and gives the folder back.
    pub(crate) fn wait(mut self) -> (ExitStatus, Folder) {
        let status = self.child.wait().unwrap();
        (status, std::mem::replace(&mut self.folder, Folder::new()))
    }

    pub(crate) fn token(&self, user: &str) -> String {
        token(&json!({"iss": "app", "sub": user, "exp": unix_s() + 3600}))
    }

    /// The company's own.
    pub(crate) fn backend(&self) -> String {
        token(&json!({"iss": "app", "scope": "backend", "exp": unix_s() + 3600}))
    }

    pub(crate) async fn connect(&self) -> Client {
        let (socket, _) = connect_async(format!("ws://{}/v1/ws", self.address)).await.unwrap();
        Client { socket, last_id: 0 }
    }

    /// The status with which a WebSocket from a page of this origin is answered.
    pub(crate) async fn connect_from(&self, origin: &str) -> u16 {
        let mut request = format!("ws://{}/v1/ws", self.address).into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        match connect_async(request).await {
            Ok((_, response)) => response.status().as_u16(),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status().as_u16(),
            Err(e) => panic!("{e}"),
        }
    }

    /// A signed-in client; the device is named like the user.
    pub(crate) async fn sign_in(&self, user: &str) -> Client {
        let mut client = self.connect().await;
        let welcome = client.hello(&self.token(user), user, None).await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        client
    }

    /// One HTTP request: status and body; a body that is no JSON comes as a JSON string.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> (u16, Value) {
        let headers = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let (status, _, body) = self.http_with(method, path, &headers, body).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// One HTTP request: status, header lines in lower case, body.
    pub(crate) async fn http_with(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        stream.write_all((head + body).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let (_, _, text) = self.http_with("GET", "/metrics", "", "").await;
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until a number is `value`.
    pub(crate) async fn until_metric(&self, name: &str, value: u64) {
        let end = Instant::now() + SOON;
        loop {
            let now = self.metric(name).await;
            if now == value {
                return;
            }
            assert!(Instant::now() < end, "{name} is {now}, not {value}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is left of the clients there were, and sees that a good client is still served.
    pub(crate) async fn is_unharmed(&self) {
        for name in ["jmrtc_connections", "jmrtc_sign_ins", "jmrtc_calls", "jmrtc_links"] {
            self.until_metric(name, 0).await;
        }
        let mut good = self.sign_in("good").await;
        good.ping().await;
        good.request(json!({"method": "logout"})).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A token with these claims, signed as the servers of these tests expect it.
pub(crate) fn token(claims: &Value) -> String {
    token_of(Algorithm::HS256, SECRET, claims)
}

pub(crate) fn token_of(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .unwrap()
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
}

impl Client {
    pub(crate) async fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message; none when the server has closed.
    pub(crate) async fn hear(&mut self) -> Option<Value> {
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(SOON, next).await.expect("a message within the time")
    }

    /// Says hello; the answer.
    pub(crate) async fn hello(&mut self, token: &str, device: &str, resume: Option<Value>) -> Value {
        let mut hello = json!({
            "type": "hello", "protocol": 1, "token": token,
            "device": {"id": device, "platform": "native"},
        });
        if let Some(resume) = resume {
            hello["resume"] = resume;
        }
        self.say(&hello).await;
        self.hear().await.expect("an answer to hello")
    }

    /// Sends a request and returns its answer; events that come before it are lost.
    pub(crate) async fn request(&mut self, request: Value) -> Value {
        self.last_id += 1;
        self.say(&json!({"type": "request", "id": self.last_id, "request": request})).await;
        loop {
            let answer = self.hear().await.expect("an answer");
            if answer["type"] == "reply" || answer["type"] == "failure" {
                assert_eq!(answer["id"], self.last_id);
                return answer;
            }
        }
    }

    /// The name of the error with which a request fails.
    pub(crate) async fn failure(&mut self, request: Value) -> String {
        let answer = self.request(request).await;
        assert_eq!(answer["type"], "failure", "{answer}");
        answer["error"]["name"].as_str().unwrap().to_owned()
    }

    /// The next event, which must be of this type.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        let message = self.hear().await.expect("an event");
        assert_eq!(
            (&message["type"], &message["event"]["type"]),
            (&json!("event"), &json!(kind)),
            "{message}"
        );
        message
    }

    /// Sees that the connection lives and nothing else has been said on it.
    pub(crate) async fn ping(&mut self) {
        self.say(&json!({"type": "ping", "ack": 0})).await;
        let answer = self.hear().await;
        assert_eq!(answer, Some(json!({"type": "pong"})));
    }

    /// The next message, which must be a fault; the name of its error.
    pub(crate) async fn fault(&mut self) -> String {
        let message = self.hear().await.expect("a fault");
        assert_eq!(message["type"], "fault", "{message}");
        message["error"]["name"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn is_closed(&mut self) {
        assert_eq!(self.hear().await, None);
    }
}
