//! The process: what it refuses to start with, how it stops, what it keeps.

use std::time::{Duration, Instant};

use crate::support::{Folder, SECRET, Server, run};
use serde_json::json;

fn refused(args: &[&str], why: &str) {
    refused_in(&Folder::new(), args, why);
}

fn refused_in(folder: &Folder, args: &[&str], why: &str) {
    let data = folder.0.to_str().unwrap();
    let output = run(&[args, &["--data", data]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert!(said.contains(why), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?}");
}

#[test]
fn what_is_unsafe_or_senseless_is_refused_with_a_reason() {
    refused(&["--dev", "--listen", "0.0.0.0:0"], "--dev-public");
    refused(&["--dev", "--listen", "192.168.1.1:0"], "--dev-public");
    refused(&["--listen", "127.0.0.1:0"], "no secret");
    refused(&["--listen", "127.0.0.1:0", "--secret", "short"], "at least 32");
    refused(&["--secret-file", "/nonexistent"], "can't read the secret file");
    refused(&["--dev", "--dev-public", "--listen", "0.0.0.0:0"], "--advertise-udp");
    refused(&["--dev", "--media-udp", "127.0.0.1:47001", "--media-tcp", "127.0.0.1:47001"], "different port");
    refused(&["--dev", "--ring-time", "soon"], "--ring-time");
    refused(&["token", "--user", "alice"], "no secret");
    refused(&["token", "--user", "", "--secret", SECRET], "must not be empty");
}

#[test]
fn a_port_that_is_taken_and_a_folder_that_is_none_are_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    refused(&["--dev", "--listen", &taken.local_addr().unwrap().to_string()], "can't listen on 127.0.0.1");
    let folder = Folder::new();
    let file = folder.0.join("file");
    std::fs::write(&file, "").unwrap();
    let output = run(&["--dev", "--listen", "127.0.0.1:0", "--data", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("data folder"));
}

#[test]
fn help_is_a_manual() {
    let output = run(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for part in ["Examples:", "Exit codes:", "--dev", "--advertise-udp", "JMRTC_SECRET"] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("--drop-udp"));
}

#[tokio::test]
async fn a_signal_ends_calls_cleanly_and_exits_with_0() {
    for signal in ["INT", "TERM"] {
        let server = Server::start();
        let (mut alice, mut bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
        let start = alice.request(json!({"method": "start", "usernames": ["bob"]})).await;
        let channel = &start["reply"]["session"]["channelId"];
        bob.event("invited").await;
        bob.request(json!({"method": "accept", "channelId": channel, "stay": 1})).await;
        alice.event("joined").await;

        let asked = Instant::now();
        server.signal(signal);
        for client in [&mut alice, &mut bob] {
            let ended = client.event("ended").await;
            assert_eq!(ended["event"]["reason"], "networkError");
            assert_eq!(ended["event"]["detail"], "serverShutdown");
            assert_eq!(client.hear().await, Some(json!({"type": "closing", "reason": "serverShutdown"})));
            client.is_closed().await;
        }
        let (status, _) = server.wait();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn a_dev_server_keeps_its_secret_and_its_users() {
    let server = Server::start_in(Folder::new(), &["--dev"]);
    let (status, minted) = server.http("POST", "/v1/dev/token", None, r#"{"user": "alice"}"#).await;
    assert_eq!((status, &minted["appKey"]), (200, &json!("jmrtc")));
    let token = minted["token"].as_str().unwrap().to_owned();
    let (status, users) = server.http("GET", "/v1/users", Some(&token), "").await;
    assert_eq!(status, 200);
    let names = |users: &serde_json::Value| -> Vec<String> {
        users.as_array().unwrap().iter().map(|u| u["user"]["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&users), ["alice", "echo"]);

    server.signal("KILL");
    let (_, folder) = server.wait();
    let secret = folder.0.join("dev-secret");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read(&secret).unwrap().len(), 64);
    let printed = run(&["token", "--user", "carol", "--data", folder.0.to_str().unwrap()]);
    assert!(printed.status.success());

    let server = Server::start_in(folder, &["--dev"]);
    let (status, users) = server.http("GET", "/v1/users", Some(&token), "").await;
    assert_eq!((status, names(&users)), (200, vec!["alice".to_owned(), "echo".to_owned()]));
    let carol = String::from_utf8(printed.stdout).unwrap();
    let welcome = server.connect().await.hello(carol.trim(), "d", None).await;
    assert_eq!(welcome["user"]["username"], "carol");
}

#[tokio::test]
async fn without_dev_there_is_no_dev() {
    let server = Server::start_in(
        Folder::new(),
        &["--secret", SECRET, "--media-udp", "127.0.0.1:0", "--media-tcp", "127.0.0.1:0"],
    );
    let (status, error) = server.http("POST", "/v1/dev/token", None, r#"{"user": "alice"}"#).await;
    assert_eq!((status, &error["name"]), (404, &json!("PERMISSION_DENIED")));
    let token =
        crate::support::token(&json!({"iss": "jmrtc", "sub": "alice", "exp": crate::support::unix_s() + 60}));
    let (status, error) = server.http("GET", "/v1/users", Some(&token), "").await;
    assert_eq!((status, &error["name"]), (403, &json!("PERMISSION_DENIED")), "who is there is the company's");
    let printed = run(&["token", "--backend", "--secret", SECRET]);
    let backend = String::from_utf8(printed.stdout).unwrap();
    let (_, users) = server.http("GET", "/v1/users", Some(backend.trim()), "").await;
    assert_eq!(users.as_array().unwrap().len(), 1, "no robot");
}

#[tokio::test]
async fn a_data_folder_has_one_server_and_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let first = Server::start_in(Folder::new(), &["--dev"]);
    refused_in(first.folder(), &["--dev", "--listen", "127.0.0.1:0"], "another server uses the data folder");
    let mode = std::fs::metadata(first.folder().0.join("jmrtc.sqlite")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    first.signal("TERM");
    let (_, folder) = first.wait();
    std::fs::write(folder.0.join("dev-secret"), "").unwrap();
    refused_in(&folder, &["--dev", "--listen", "127.0.0.1:0"], "dev-secret is broken");
}
