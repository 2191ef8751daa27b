//! The signalling socket against servers that behave, and others.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use jmrtc_call::{Generation, SocketEvent};
use jmrtc_protocol::limits::MAX_SERVER_MESSAGE_BYTES;
use jmrtc_protocol::{ClientMessage, Failure, ServerMessage};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::server::{Conversation, PATIENCE, Server};
use crate::signalling::Signalling;

async fn next(signalling: &mut Signalling) -> (Generation, SocketEvent) {
    timeout(PATIENCE, signalling.next()).await.expect("nothing happens on the socket")
}

async fn closed(signalling: &mut Signalling) -> String {
    match next(signalling).await {
        (1, SocketEvent::Closed { why }) => why,
        other => panic!("not closed but {other:?}"),
    }
}

async fn open(server: &Server) -> (Signalling, Conversation) {
    let mut signalling = Signalling::default();
    signalling.open(1, server.url());
    let (event, conversation) = tokio::join!(next(&mut signalling), server.accept());
    assert_eq!(event, (1, SocketEvent::Opened));
    (signalling, conversation)
}

fn pong() -> SocketEvent {
    SocketEvent::Message { message: ServerMessage::Pong }
}

#[tokio::test]
async fn messages_pass_both_ways_and_closing_sends_what_is_queued() {
    let server = Server::start().await;
    let (mut signalling, mut conversation) = open(&server).await;
    conversation.send(ServerMessage::Pong).await;
    assert_eq!(next(&mut signalling).await, (1, pong()));
    for ack in 1..=3 {
        signalling.send(1, &ClientMessage::Ping { ack });
    }
    signalling.send(2, &ClientMessage::Ping { ack: 9 });
    signalling.close(2);
    signalling.close(1);
    let reader = async {
        for ack in 1..=3 {
            assert_eq!(conversation.next().await, Some(ClientMessage::Ping { ack }));
        }
        assert_eq!(conversation.next().await, None);
    };
    tokio::join!(reader, signalling.closed());
}

#[tokio::test]
async fn what_is_not_understood_is_passed_over() {
    let server = Server::start().await;
    let (mut signalling, mut conversation) = open(&server).await;
    for text in ["", "nonsense", "{}", r#"{"type":"tomorrow"}"#, r#"{"type":"pong","type":"pong"}"#, "[1"] {
        conversation.socket.send(Message::text(text)).await.unwrap();
    }
    conversation.socket.send(Message::binary(vec![0xff; 100])).await.unwrap();
    conversation.socket.send(Message::Ping(vec![1].into())).await.unwrap();
    let error = Failure::new(jmrtc_protocol::ErrorCode::ServerError, "x");
    conversation.send(ServerMessage::Fault { error: error.clone() }).await;
    let fault = SocketEvent::Message { message: ServerMessage::Fault { error } };
    assert_eq!(next(&mut signalling).await, (1, fault));
}

#[tokio::test]
async fn an_oversize_message_closes_the_socket() {
    let server = Server::start().await;
    let (mut signalling, mut conversation) = open(&server).await;
    let text = " ".repeat(MAX_SERVER_MESSAGE_BYTES + 1);
    let (why, _) = tokio::join!(closed(&mut signalling), conversation.socket.send(Message::text(text)));
    assert!(why.contains("too long") || why.contains("too big"), "{why}");
}

#[tokio::test]
async fn broken_frames_and_broken_connections_close_the_socket() {
    let server = Server::start().await;
    let (mut signalling, mut conversation) = open(&server).await;
    conversation.socket.get_mut().write_all(&[0xff; 16]).await.unwrap();
    closed(&mut signalling).await;

    let (mut signalling, conversation) = open(&server).await;
    drop(conversation);
    closed(&mut signalling).await;

    let (mut signalling, mut conversation) = open(&server).await;
    conversation.socket.close(None).await.unwrap();
    assert!(closed(&mut signalling).await.contains("closed by the server"));
}

#[tokio::test]
async fn a_server_that_is_none_is_told() {
    let server = Server::start().await;
    let mut signalling = Signalling::default();
    signalling.open(1, server.url());
    let answer = async {
        let mut stream = server.tcp().await;
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        stream
    };
    let (why, _stream) = tokio::join!(closed(&mut signalling), answer);
    assert!(why.contains("404"), "{why}");

    let url = server.url();
    drop(server);
    signalling.open(1, url);
    assert!(closed(&mut signalling).await.contains("refused"));
    for url in ["nonsense", "ftp://127.0.0.1/", "ws://"] {
        signalling.open(1, url.to_owned());
        closed(&mut signalling).await;
    }
}

#[tokio::test]
async fn a_server_that_reads_nothing_does_not_hold_us_up() {
    let server = Server::start().await;
    let (mut signalling, _conversation) = open(&server).await;
    let token = "t".repeat(60_000);
    let begin = Instant::now();
    let why = loop {
        let request = jmrtc_protocol::Request::UpdateToken { token: token.clone() };
        signalling.send(1, &ClientMessage::Request { id: 1, request });
        match timeout(Duration::from_millis(1), signalling.next()).await {
            Ok((1, SocketEvent::Closed { why })) => break why,
            Ok(other) => panic!("{other:?}"),
            Err(_) => assert!(begin.elapsed() < PATIENCE, "never given up"),
        }
    };
    assert!(why.contains("no more messages"), "{why}");
}

#[tokio::test]
async fn a_second_socket_is_opened_beside_the_first() {
    let server = Server::start().await;
    let (mut signalling, mut old) = open(&server).await;
    signalling.open(2, server.url());
    let (event, mut new) = tokio::join!(next(&mut signalling), server.accept());
    assert_eq!(event, (2, SocketEvent::Opened));
    old.send(ServerMessage::Pong).await;
    assert_eq!(next(&mut signalling).await, (1, pong()));
    signalling.send(2, &ClientMessage::Ping { ack: 2 });
    signalling.send(1, &ClientMessage::Ping { ack: 1 });
    signalling.close(1);
    new.send(ServerMessage::Pong).await;
    assert_eq!(next(&mut signalling).await, (2, pong()));
    assert_eq!(old.next().await, Some(ClientMessage::Ping { ack: 1 }));
    assert_eq!(old.next().await, None);
    assert_eq!(new.next().await, Some(ClientMessage::Ping { ack: 2 }));
    drop(new);
    assert!(matches!(next(&mut signalling).await, (2, SocketEvent::Closed { .. })));
}
