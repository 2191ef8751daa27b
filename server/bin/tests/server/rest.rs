//! REST, the demo page and what stands around them.

use crate::support::Server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn errors_are_failures_as_json() {
    let server = Server::start();
    let token = server.token("alice");
    for (method, path, token, body, status, name) in [
        ("GET", "/v1/users", None, "", 401, "NOT_LOGGED_IN"),
        ("GET", "/v1/users?after=%20", Some(&token), "", 400, "INVALID_PARAMETER"),
        ("DELETE", "/v1/users", Some(&token), "", 405, "INVALID_PARAMETER"),
        ("GET", "/v1/nothing", Some(&token), "", 404, "INVALID_PARAMETER"),
        ("GET", "/v1/ws", None, "", 426, "INVALID_PARAMETER"),
        ("POST", "/v1/dev/token", None, r#"{"user":""}"#, 400, "INVALID_PARAMETER"),
        ("POST", "/v1/dev/token", None, "", 400, "INVALID_PARAMETER"),
    ] {
        let (got, error) = server.http(method, path, token.map(String::as_str), body).await;
        assert_eq!((got, error["name"].as_str()), (status, Some(name)), "{method} {path}: {error}");
    }
}

#[tokio::test]
async fn users_are_listed_by_pages() {
    let server = Server::start();
    for name in ["b", "a"] {
        server.sign_in(name).await;
    }
    let token = server.token("a");
    let names = async |path: &str| -> Vec<Value> {
        let (_, users) = server.http("GET", path, Some(&token), "").await;
        users.as_array().unwrap().iter().map(|user| user["user"]["username"].clone()).collect()
    };
    assert_eq!(names("/v1/users").await, ["a", "b", "echo"]);
    assert_eq!(names("/v1/users?after=a").await, ["b", "echo"]);
    assert_eq!(names("/v1/users?after=z").await, Vec::<Value>::new());
}

#[tokio::test]
async fn pages_come_fresh_and_typed_and_health_and_numbers_are_there() {
    let server = Server::start_with(&["--origin", "https://app.example"]);
    let (status, head, body) = server.http_with("GET", "/", "", "").await;
    assert_eq!(status, 200);
    for line in ["content-type: text/html", "cache-control: no-store", "x-content-type-options: nosniff"] {
        assert!(head.contains(line), "{head}");
    }
    assert!(body.to_lowercase().starts_with("<!doctype html>"));
    assert_eq!(server.http("GET", "/healthz", None, "").await.0, 200);
    assert!(server.http_with("GET", "/metrics", "", "").await.1.contains("text/plain; version=0.0.4"));
    assert_eq!(server.http("GET", "/../../etc/passwd", None, "").await.0, 404);

    let preflight = "access-control-request-method: PUT\r\norigin: ";
    let (status, head, _) = server
        .http_with("OPTIONS", "/v1/users/alice", &format!("{preflight}https://app.example\r\n"), "")
        .await;
    assert_eq!(status, 204);
    assert!(head.contains("access-control-allow-origin: https://app.example"), "{head}");
    let (_, head, _) = server
        .http_with("OPTIONS", "/v1/users/alice", &format!("{preflight}https://evil.example\r\n"), "")
        .await;
    assert!(!head.contains("access-control"), "{head}");
}

#[tokio::test]
async fn a_page_of_another_name_that_leads_here_gets_no_token() {
    let server = Server::start();
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    let body = r#"{"user": "alice"}"#;
    for (host, status) in [
        ("evil.example".to_owned(), "421"),
        (format!("evil.example:{port}"), "421"),
        (format!("localhost:{port}"), "200"),
        (format!("app.localhost:{port}"), "200"),
        (format!("[::1]:{port}"), "200"),
        (format!("127.0.0.1:{port}"), "200"),
    ] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let head = format!(
            "POST /v1/dev/token HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}

#[tokio::test]
async fn a_name_that_is_no_text_is_refused_as_json() {
    let server = Server::start();
    let token = server.token("alice");
    let (status, error) = server.http("GET", "/v1/users/%ff", Some(&token), "").await;
    assert_eq!((status, &error["name"]), (400, &json!("INVALID_PARAMETER")));
}
