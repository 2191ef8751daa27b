//! Every method in every state: exactly one answer, and the right one.

use jmrtc_call::{METHODS, PlatformEvent, SocketEvent};
use jmrtc_protocol::{ChannelId, ErrorCode, FailedUser, PastCall, Reason, Reply, Username};
use serde_json::{Value, json};

use crate::rig::*;

fn args(method: &str) -> Value {
    match method {
        "login" | "updateToken" => json!({ "token": token("bob") }),
        "startCallUsers" | "inviteUsers" | "getUserInfo" => json!({ "usernames": ["carol"] }),
        "updateMyInfo" => json!({ "nickname": "Bob" }),
        "updateRelation" => json!({ "username": "carol", "isFriend": true }),
        "setIsMuted" => json!({ "muted": true }),
        "setIsSpeakerphoneEnabled" => json!({ "speakerphoneEnabled": true }),
        _ => json!(null),
    }
}

/// The states that differ in what is possible.
fn states() -> Vec<(&'static str, Rig)> {
    let logging_in = {
        let mut rig = Rig::new();
        rig.me = "bob".into();
        rig.command("login", json!({ "token": token("bob") }));
        rig
    };
    let reconnecting = {
        let mut rig = Rig::ready("bob");
        rig.closed();
        rig
    };
    let starting = {
        let mut rig = Rig::ready("bob");
        rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
        rig
    };
    let outgoing = {
        let mut rig = Rig::ready("bob");
        rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
        rig.started(inviter("bob", session("carol", "bob")));
        rig
    };
    let incoming_unready = {
        let mut rig = Rig::signed_in("bob");
        rig.event(invited(session("bob", "alice")));
        rig
    };
    let incoming = {
        let mut rig = Rig::ready("bob");
        rig.event(invited(session("bob", "alice")));
        rig
    };
    let accepting = {
        let mut rig = Rig::ready("bob");
        rig.event(invited(session("bob", "alice")));
        rig.command("accept", json!(null));
        rig
    };
    let connecting = {
        let mut rig = Rig::ready("bob");
        rig.event(invited(session("bob", "alice")));
        rig.command("accept", json!(null));
        rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
        rig
    };
    let mut states = vec![
        ("new", Rig::new()),
        ("logging in", logging_in),
        ("signed in", Rig::signed_in("bob")),
        ("ready", Rig::ready("bob")),
        ("reconnecting", reconnecting),
        ("starting", starting),
        ("outgoing", outgoing),
        ("incoming, no engine", incoming_unready),
        ("incoming", incoming),
        ("accepting", accepting),
        ("connecting", connecting),
        ("connected", Rig::connected()),
    ];
    states.iter_mut().for_each(|(_, rig)| drop(rig.take()));
    states
}

/// What is answered at once; `…` for nothing yet.
fn at_once(rig: &mut Rig, method: &str) -> String {
    rig.command(method, args(method));
    let lines = rig.take();
    let answer = lines.iter().find_map(|l| l.strip_prefix(&format!("{method} -> ")));
    answer.unwrap_or("…").to_owned()
}

#[test]
fn what_each_method_answers_in_each_state() {
    const LOGGED_OUT: &str = "NOT_LOGGED_IN";
    const UNREADY: &str = "NOT_INITIALIZED";
    const STATE: &str = "INVALID_STATE";
    const BUSY: &str = "ALREADY_IN_CALL";
    #[rustfmt::skip]
    let table = [
        // state                  start       accept       refuse      invite      muted?   initEngine  updateToken
        ("new",                 [LOGGED_OUT, LOGGED_OUT,  LOGGED_OUT, LOGGED_OUT, UNREADY, LOGGED_OUT, LOGGED_OUT]),
        ("logging in",          [LOGGED_OUT, LOGGED_OUT,  LOGGED_OUT, LOGGED_OUT, UNREADY, LOGGED_OUT, LOGGED_OUT]),
        ("signed in",           [UNREADY,    STATE,       STATE,      STATE,      UNREADY, "…",        "…"]),
        ("ready",               ["…",        STATE,       STATE,      STATE,      "false", "null",     "…"]),
        ("reconnecting",        ["…",        STATE,       STATE,      STATE,      "false", "null",     "…"]),
        ("starting",            [BUSY,       STATE,       STATE,      STATE,      "false", "null",     "…"]),
        ("outgoing",            [BUSY,       STATE,       STATE,      STATE,      "false", "null",     "…"]),
        ("incoming, no engine", [UNREADY,    UNREADY,     "…",        STATE,      UNREADY, "…",        "…"]),
        ("incoming",            [BUSY,       "…",         "…",        STATE,      "false", "null",     "…"]),
        ("accepting",           [BUSY,       "…",         STATE,      STATE,      "false", "null",     "…"]),
        ("connecting",          [BUSY,       STATE,       STATE,      STATE,      "false", "null",     "…"]),
        ("connected",           [BUSY,       STATE,       STATE,      "…",        "false", "null",     "…"]),
    ];
    let methods =
        ["startCallUsers", "accept", "refuse", "inviteUsers", "isMuted", "initEngine", "updateToken"];
    let states = states();
    for (at, method) in methods.into_iter().enumerate() {
        for ((state, rig), (row, expected)) in states.iter().zip(table) {
            assert_eq!(*state, row);
            assert_eq!(at_once(&mut rig.clone(), method), expected[at], "{method}, {state}");
        }
    }
    for (state, mut rig) in states {
        assert_eq!(at_once(&mut rig, "init"), "{}", "{state}");
        let getting = at_once(&mut rig, "getState");
        assert_eq!(getting, serde_json::to_string(&rig.client.state()).unwrap(), "{state}");
    }
}

#[test]
fn hangup_and_release_and_logout_succeed_in_every_state() {
    for method in ["hangup", "releaseEngine", "logout"] {
        for (state, mut rig) in states() {
            rig.command(method, json!(null));
            rig.wait_in_silence(5_000);
            let lines = rig.take();
            let line = format!("{method} -> {{}}");
            assert!(lines.contains(&line), "{method}, {state}: {lines:?}");
            let answered = lines.iter().position(|l| l == &line);
            let ended = lines.iter().position(|l| l.starts_with("CallDisconnect"));
            assert!(ended.is_none() || answered < ended, "{method}, {state}: {lines:?}");
            if state != "logging in" || method == "logout" {
                assert_eq!(rig.unanswered(), [""; 0], "{method}, {state}");
            }
        }
    }
}

/// Whatever waits is answered, once, when the sign-in ends; also when the server never speaks again.
#[test]
fn everything_is_answered_in_the_end() {
    for (state, start) in states() {
        for ending in ["silence", "logout", "closed", "replaced"] {
            for method in METHODS {
                let mut rig = start.clone();
                rig.command(method, args(method));
                rig.command(method, args(method));
                match ending {
                    "logout" => drop(rig.command("logout", json!(null))),
                    "closed" => rig.closed(),
                    "replaced" => rig.closing(jmrtc_protocol::Closing::Replaced),
                    _ => {}
                }
                rig.wait_in_silence(100_000);
                // A person may think about the microphone for ever.
                rig.platform(PlatformEvent::Microphone { granted: false });
                assert_eq!(rig.unanswered(), [""; 0], "{state}, {method}, {ending}");
            }
        }
    }
}

#[test]
fn the_state_redraws_a_reloaded_page() {
    let mut rig = Rig::new();
    let state = serde_json::to_value(rig.client.state()).unwrap();
    assert_eq!(
        state,
        json!({"login": "loggedOut", "engine": "off", "session": null, "call": "idle",
               "muted": false, "speakerphoneEnabled": false})
    );
    let word = |rig: &Rig| {
        let state = serde_json::to_value(rig.client.state()).unwrap();
        format!("{} {} {}", state["login"], state["engine"], state["call"]).replace('"', "")
    };
    rig.me = "bob".into();
    rig.command("login", json!({ "token": token("bob") }));
    assert_eq!(word(&rig), "loggingIn off idle");
    rig.opened();
    rig.welcome(false, None);
    rig.command("initEngine", json!(null));
    assert_eq!(word(&rig), "loggedIn starting idle");
    rig.platform(PlatformEvent::Microphone { granted: true });
    rig.input(jmrtc_call::Input::Audio(jmrtc_call::AudioEvent::Ready));
    assert_eq!(word(&rig), "loggedIn ready idle");
    rig.event(invited(session("bob", "alice")));
    assert_eq!(word(&rig), "loggedIn ready incoming");
    assert_eq!(rig.client.state().session, Some(session("bob", "alice")));
    rig.command("accept", json!(null));
    assert_eq!(word(&rig), "loggedIn ready connecting");
    rig.reply(Reply::Accept { session: session("", "alice bob"), stay: 1 });
    assert_eq!(word(&rig), "loggedIn ready connecting");
    rig.link();
    assert_eq!(word(&rig), "loggedIn ready connected");
    rig.closed();
    assert_eq!(word(&rig), "reconnecting ready reconnecting");
}

#[test]
fn mute_and_speaker() {
    let mut rig = Rig::connected();
    rig.command("setIsMuted", json!({ "muted": true }));
    assert_eq!(rig.take(), ["setIsMuted -> {}", "> mute c1 true", "audio capture+play"]);
    rig.command("isMuted", json!(null));
    assert_eq!(rig.take(), ["isMuted -> true"]);
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    assert!(rig.client.state().muted, "survives a reconnect");
    rig.take();
    rig.command("setIsMuted", json!({ "muted": false }));
    assert_eq!(rig.take(), ["setIsMuted -> {}", "audio capture+send+play"]);
    rig.command("setIsSpeakerphoneEnabled", json!({ "speakerphoneEnabled": true }));
    assert_eq!(rig.take(), ["platform speaker true", "setIsSpeakerphoneEnabled -> {}"]);
    rig.command("isSpeakerphoneEnabled", json!(null));
    assert_eq!(rig.take(), ["isSpeakerphoneEnabled -> true"]);
}

/// Who mutes and unmutes too often is told to the others a little later, and then as things are.
#[test]
fn a_mute_that_the_server_refuses_for_now_is_told_later_as_it_is_then() {
    let mut rig = Rig::connected();
    rig.command("setIsMuted", json!({ "muted": true }));
    rig.failure(ErrorCode::LimitExceeded);
    rig.command("setIsMuted", json!({ "muted": false }));
    rig.take();
    rig.wait(999);
    assert_eq!(rig.take(), [""; 0], "in peace for a second");
    rig.wait(1);
    assert_eq!(rig.take(), ["> mute c1 false"]);
    rig.command("setIsMuted", json!({ "muted": true }));
    rig.reply(Reply::Mute);
    assert_eq!(rig.take().last().unwrap(), "> mute c1 true", "what is on its way stays as it is");
}

#[test]
fn bad_arguments_change_nothing() {
    for (state, mut rig) in states() {
        rig.command("init", json!(null));
        rig.take();
        let before = serde_json::to_string(&rig.client).unwrap();
        for (method, args) in [
            ("startCallUsers", json!(null)),
            ("startCallUsers", json!({ "usernames": [] })),
            ("startCallUsers", json!({ "usernames": ["a", 1] })),
            (
                "startCallUsers",
                json!({ "usernames": (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>() }),
            ),
            ("inviteUsers", json!({ "usernames": "bob" })),
            ("setIsMuted", json!({})),
            ("login", json!({})),
            ("updateToken", json!({ "token": 1 })),
            ("getUserInfo", json!({ "usernames": [] })),
            ("updateMyInfo", json!({ "gender": 7 })),
            ("updateRelation", json!({ "isFriend": true })),
            ("getCallHistory", json!({ "limit": 0 })),
            ("noSuchMethod", json!({})),
        ] {
            rig.command(method, args);
            assert_eq!(rig.take(), [format!("{method} -> INVALID_PARAMETER")], "{state}");
        }
        assert_eq!(serde_json::to_string(&rig.client).unwrap(), before, "{state}");
    }
    let mut rig = Rig::ready("bob");
    rig.command("startCallUsers", json!({ "usernames": ["bob", "bob"] }));
    assert_eq!(rig.take(), ["startCallUsers -> INVALID_PARAMETER"], "only oneself");
    let many: Vec<_> = (0..8).map(|n| format!("user{n}")).collect();
    rig.command("startCallUsers", json!({ "usernames": many }));
    assert_eq!(
        rig.take(),
        ["startCallUsers -> INVALID_PARAMETER"],
        "eight others are too many for a call of eight"
    );
    rig.command("startCallUsers", json!({ "usernames": many[1..] }));
    assert_eq!(rig.take().len(), 1);
    let mut rig = Rig::connected();
    rig.command("inviteUsers", json!({ "usernames": ["bob"] }));
    assert_eq!(rig.take(), ["inviteUsers -> INVALID_PARAMETER"]);
}

#[test]
fn names_that_no_message_holds_fail_at_once_and_change_nothing() {
    let mut rig = Rig::new();
    rig.max_members = 200;
    rig.login("bob");
    rig.engine();
    rig.take();
    let before = serde_json::to_string(&rig.client).unwrap();
    let names = |length: usize| (0..199).map(|n| format!("{n:𝟎>length$}")).collect::<Vec<_>>();
    rig.command("startCallUsers", json!({ "usernames": names(128) }));
    assert_eq!(rig.take(), ["startCallUsers -> LIMIT_EXCEEDED"]);
    assert_eq!(serde_json::to_string(&rig.client).unwrap(), before);
    rig.command("startCallUsers", json!({ "usernames": names(60) }));
    let sent = rig.take();
    assert!(sent.len() == 1 && sent[0].starts_with("> start "), "{sent:?}");
}

#[test]
fn the_engine() {
    let mut rig = Rig::signed_in("bob");
    rig.command("initEngine", json!(null));
    rig.command("initEngine", json!(null));
    assert_eq!(rig.take(), ["platform microphone?"]);
    rig.platform(PlatformEvent::Microphone { granted: false });
    assert_eq!(rig.take(), ["initEngine -> PERMISSION_DENIED", "initEngine -> PERMISSION_DENIED"]);
    rig.command("initEngine", json!(null));
    assert_eq!(rig.take(), ["platform microphone?"], "asked again");
    rig.platform(PlatformEvent::Microphone { granted: true });
    assert_eq!(rig.take(), ["audio prepare"]);
    rig.command("initEngine", json!(null));
    rig.audio_failed();
    assert_eq!(rig.take(), ["initEngine -> ENGINE_FAILED", "initEngine -> ENGINE_FAILED", "audio release"]);
    rig.command("initEngine", json!(null));
    rig.platform(PlatformEvent::Microphone { granted: true });
    rig.take();
    rig.wait(20_000);
    assert_eq!(rig.take(), ["initEngine -> ENGINE_FAILED", "audio release"], "devices that never answer");
    rig.engine();
    assert_eq!(rig.take(), ["platform microphone?", "audio prepare", "initEngine -> null"]);
    rig.command("initEngine", json!(null));
    assert_eq!(rig.take(), ["initEngine -> null"]);
    rig.command("setIsMuted", json!({ "muted": true }));
    rig.command("releaseEngine", json!(null));
    assert_eq!(rig.take(), ["setIsMuted -> {}", "audio release", "releaseEngine -> {}"]);
    rig.command("isMuted", json!(null));
    assert_eq!(rig.take(), ["isMuted -> NOT_INITIALIZED"]);
    rig.engine();
    rig.command("isMuted", json!(null));
    assert_eq!(rig.take().last().unwrap(), "isMuted -> false");
}

#[test]
fn release_engine_hangs_up() {
    let mut rig = Rig::connected();
    rig.command("releaseEngine", json!(null));
    assert_eq!(rig.take(), ["audio off", "audio release", "> leave c1", "media close"]);
    rig.reply(Reply::Leave);
    rig.event(ended(session("", "alice"), jmrtc_protocol::Reason::Hangup, None));
    assert_eq!(
        rig.take(),
        ["releaseEngine -> {}", "CallDisconnect hangup S(i: -; j: alice)", "platform ended"]
    );
}

#[test]
fn an_audio_device_that_breaks_ends_the_call() {
    let mut rig = Rig::connected();
    rig.audio_failed();
    assert_eq!(
        rig.take(),
        [
            "audio off",
            "audio release",
            "CallError ENGINE_FAILED",
            "CallDisconnect networkError S(i: -; j: alice)",
            "media close",
            "platform ended",
            "> leave c1 networkError",
        ]
    );
    let mut rig = Rig::ready("bob");
    rig.audio_failed();
    assert_eq!(rig.take(), ["audio release", "CallError ENGINE_FAILED"]);
}

#[test]
fn an_accept_that_finds_no_microphone_is_answered_before_the_events_that_it_causes() {
    let mut rig = Rig::ringing();
    rig.command("accept", json!(null));
    rig.command("accept", json!(null));
    rig.audio_failed();
    assert_eq!(
        rig.heard(),
        [
            "accept -> ENGINE_FAILED",
            "accept -> ENGINE_FAILED",
            "CallError ENGINE_FAILED",
            "CallDisconnect networkError S(i: -; j: alice)",
        ]
    );
}

#[test]
fn logging_in() {
    let mut rig = Rig::new();
    rig.me = "bob".into();
    let login = json!({ "token": token("bob"), "serverUrl": "https://other" });
    rig.command("login", login.clone());
    assert_eq!(rig.take(), ["socket open wss://other/v1/ws"]);
    rig.closed();
    assert_eq!(rig.take(), ["login -> NETWORK"]);
    rig.command("login", login.clone());
    rig.take();
    rig.wait(10_000);
    assert_eq!(rig.take(), ["socket close", "login -> NETWORK"], "a server that does not answer");
    rig.command("login", login.clone());
    rig.opened();
    assert_eq!(rig.take(), ["socket open wss://other/v1/ws", "> hello"]);
    let error = jmrtc_protocol::Failure::new(jmrtc_protocol::ErrorCode::LoginRejected, "expired");
    rig.message(jmrtc_protocol::ServerMessage::Fault { error });
    assert_eq!(rig.take(), ["socket close", "login -> LOGIN_REJECTED"]);
    rig.command("login", login);
    rig.opened();
    rig.take();
    rig.welcome(false, None);
    assert_eq!(rig.take(), [r#"login -> {"username":"bob","appKey":"app"}"#]);
    for bad in ["nonsense", "ftp://x", ""] {
        rig.command("login", json!({ "token": token("bob"), "serverUrl": bad }));
        assert_eq!(rig.take(), ["login -> INVALID_PARAMETER"], "{bad}");
    }
    let mut rig = Rig::with(jmrtc_call::Config { server_url: None, ..config() });
    rig.command("login", json!({ "token": token("bob") }));
    assert_eq!(rig.take(), ["login -> INVALID_PARAMETER"], "no server anywhere");
}

#[test]
fn logging_in_once_more() {
    let mut rig = Rig::signed_in("bob");
    rig.command("login", json!({ "token": token("bob") }));
    assert_eq!(rig.take(), ["> updateToken"]);
    rig.reply(Reply::UpdateToken);
    assert_eq!(rig.take(), [r#"login -> {"username":"bob","appKey":"app"}"#]);
    rig.command("login", json!({ "token": token("eve") }));
    assert_eq!(rig.take(), ["> logout"]);
    rig.reply(Reply::Logout);
    assert_eq!(rig.take(), ["socket close", "socket open ws://server/v1/ws"]);
    rig.me = "eve".into();
    rig.opened();
    rig.welcome(false, None);
    assert_eq!(rig.take(), ["> hello", r#"login -> {"username":"eve","appKey":"app"}"#]);
    // In a call, as somebody else: that call ends first.
    let mut rig = Rig::connected();
    rig.command("login", json!({ "token": token("eve") }));
    rig.reply(Reply::Logout);
    assert_eq!(
        rig.take(),
        [
            "audio off",
            "> logout",
            "media close",
            "socket close",
            "CallDisconnect hangup S(i: -; j: alice)",
            "platform ended",
            "socket open ws://server/v1/ws",
        ]
    );
    // Two at once for the same user are both answered.
    let mut rig = Rig::new();
    rig.me = "bob".into();
    rig.command("login", json!({ "token": token("bob") }));
    rig.command("login", json!({ "token": token("bob") }));
    rig.opened();
    rig.welcome(false, None);
    assert_eq!(rig.unanswered(), [""; 0]);
}

#[test]
fn logging_out_while_a_refusal_is_under_way_is_still_a_refusal() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.command("refuse", json!(null));
    rig.command("logout", json!(null));
    rig.take();
    rig.reply(Reply::Refuse);
    rig.reply(Reply::Logout);
    assert_eq!(rig.take(), ["socket close", "logout -> {}", "CallDisconnect refuse S(i: -; j: alice)"]);
}

#[test]
fn logging_out() {
    let mut rig = Rig::connected();
    rig.command("logout", json!(null));
    assert_eq!(rig.take(), ["audio off", "> logout", "media close"]);
    rig.command("startCallUsers", json!({ "usernames": ["carol"] }));
    rig.command("logout", json!(null));
    assert_eq!(rig.take(), ["startCallUsers -> NOT_LOGGED_IN"]);
    rig.reply(Reply::Logout);
    assert_eq!(
        rig.take(),
        [
            "socket close",
            "logout -> {}",
            "logout -> {}",
            "CallDisconnect hangup S(i: -; j: alice)",
            "platform ended",
        ]
    );
    rig.socket(SocketEvent::Closed { why: "late".into() });
    assert_eq!(rig.client.stale_count(), 1);
    rig.login("bob");
    assert_eq!(rig.take().len(), 3);
}

/// Whoever logs out while it rings hears no ringing any more, though the server may take its time to confirm.
#[test]
fn logging_out_while_it_rings() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob", "alice")));
    rig.take();
    rig.command("logout", json!(null));
    assert_eq!(rig.take(), ["platform dismiss", "> logout", "media close"]);
}

#[test]
fn a_new_token() {
    let mut rig = Rig::connected();
    rig.command("updateToken", json!({ "token": token("bob") }));
    assert_eq!(rig.take(), ["> updateToken"]);
    rig.reply(Reply::UpdateToken);
    assert_eq!(rig.take(), ["updateToken -> {}"]);
    rig.command("updateToken", json!({ "token": token("bob") }));
    rig.failure(jmrtc_protocol::ErrorCode::LoginRejected);
    assert_eq!(rig.take(), ["> updateToken", "updateToken -> LOGIN_REJECTED"]);
    // Expired: nothing is tried until a new one comes; the call goes on meanwhile.
    rig.closing(jmrtc_protocol::Closing::TokenExpired);
    assert_eq!(rig.take(), ["socket close", "CallError LOGIN_REJECTED", "CallReconnecting"]);
    rig.wait(10_000);
    assert_eq!(rig.take(), [""; 0]);
    rig.command("updateToken", json!({ "token": token("bob") }));
    rig.opened();
    rig.welcome(true, None);
    assert_eq!(
        rig.take(),
        ["socket open ws://server/v1/ws", "> hello again after 1", "updateToken -> {}", "CallReconnected"]
    );
}

#[test]
fn a_token_that_is_on_its_way_when_the_old_one_expires_is_tried_before_the_app_is_asked() {
    let mut rig = Rig::ready("bob");
    rig.take();
    let newer = |n: u8| format!("{}{n}", token("bob"));
    rig.command("updateToken", json!({ "token": newer(1) }));
    rig.command("login", json!({ "token": newer(2) }));
    rig.take();
    rig.closing(jmrtc_protocol::Closing::TokenExpired);
    assert_eq!(rig.take(), ["socket close", "socket open ws://server/v1/ws"]);
    rig.opened();
    rig.welcome(true, None);
    assert_eq!(rig.heard(), ["updateToken -> {}", r#"login -> {"username":"bob","appKey":"app"}"#]);
    // It is no better than the old one: that is the answer.
    rig.command("updateToken", json!({ "token": newer(3) }));
    rig.closing(jmrtc_protocol::Closing::TokenExpired);
    rig.opened();
    let error = jmrtc_protocol::Failure::new(jmrtc_protocol::ErrorCode::LoginRejected, "no good");
    rig.message(jmrtc_protocol::ServerMessage::Fault { error });
    assert_eq!(rig.heard(), ["updateToken -> LOGIN_REJECTED"]);
    assert_eq!(rig.client.state().login, jmrtc_call::LoginState::TokenRejected);
    // The same once more is not tried once more.
    rig.command("updateToken", json!({ "token": newer(4) }));
    rig.opened();
    rig.welcome(true, None);
    rig.command("updateToken", json!({ "token": newer(4) }));
    rig.take();
    rig.closing(jmrtc_protocol::Closing::TokenExpired);
    assert_eq!(rig.take(), ["socket close", "updateToken -> LOGIN_REJECTED"]);
}

#[test]
fn a_token_that_was_not_confirmed_does_not_take_a_newer_ones_place() {
    let mut rig = Rig::connected();
    rig.command("updateToken", json!({ "token": token("bob") }));
    rig.closed();
    rig.command("updateToken", json!({ "token": token("bob") }));
    rig.take();
    rig.opened();
    rig.welcome(true, None);
    assert_eq!(
        rig.take(),
        ["> hello again after 1", "updateToken -> {}", "updateToken -> {}", "CallReconnected"]
    );
}

#[test]
fn a_new_token_that_is_no_good_leaves_the_one_before() {
    let mut rig = Rig::connected();
    let rejected = |rig: &mut Rig| {
        let error = jmrtc_protocol::Failure::new(jmrtc_protocol::ErrorCode::LoginRejected, "no good");
        rig.message(jmrtc_protocol::ServerMessage::Fault { error });
    };
    let bad = |rig: &mut Rig| {
        rig.closed();
        rig.command("updateToken", json!({ "token": format!("{}1", token("bob")) }));
        rig.opened();
        rig.take();
        rejected(rig);
        assert_eq!(
            rig.take(),
            ["socket close", "updateToken -> LOGIN_REJECTED", "socket open ws://server/v1/ws"]
        );
        assert_eq!(serde_json::to_value(&rig.client).unwrap()["account"]["token"], token("bob"));
        rig.opened();
        rig.take();
    };
    bad(&mut rig);
    rig.welcome(true, None);
    assert_eq!(rig.heard(), ["CallReconnected"]);
    // Nobody waits for the answer any more.
    rig.closed();
    rig.command("updateToken", json!({ "token": format!("{}2", token("bob")) }));
    rig.closed();
    rig.reconnect();
    rig.take();
    rejected(&mut rig);
    rig.opened();
    rig.welcome(true, None);
    assert_eq!(rig.heard(), ["CallReconnected"]);
    // Nor is the one before.
    bad(&mut rig);
    rejected(&mut rig);
    assert_eq!(rig.take(), ["socket close", "CallError LOGIN_REJECTED"]);
    assert_eq!(rig.client.state().login, jmrtc_call::LoginState::TokenRejected);
}

#[test]
fn a_new_token_of_another_user_is_refused() {
    let away = |mut rig: Rig| {
        rig.closed();
        rig
    };
    let barred = |mut rig: Rig| {
        rig.closing(jmrtc_protocol::Closing::TokenExpired);
        rig
    };
    for mut rig in [Rig::connected(), away(Rig::connected()), barred(Rig::connected())] {
        rig.take();
        rig.command("updateToken", json!({ "token": token("carol") }));
        assert_eq!(rig.take(), ["updateToken -> LOGIN_REJECTED"]);
    }
    // One that does not tell its user to anybody but the server.
    let mut rig = Rig::connected();
    rig.closed();
    rig.command("updateRelation", args("updateRelation"));
    rig.command("updateToken", json!({ "token": "a riddle" }));
    rig.opened();
    rig.take();
    rig.me = "carol".into();
    rig.welcome(false, Some(session("", "alice carol")));
    assert_eq!(
        rig.take(),
        [
            "socket close",
            "updateRelation -> NOT_LOGGED_IN",
            "updateToken -> NOT_LOGGED_IN",
            "CallError LOGIN_REJECTED",
            "CallDisconnect networkError S(i: -; j: alice)",
            "audio off",
            "media close",
            "platform ended",
        ]
    );
    assert_eq!(rig.client.state().login, jmrtc_call::LoginState::LoggedOut);
}

#[test]
fn the_directory_answers_what_the_server_says() {
    for (state, rig) in states() {
        let signed_in = !["new", "logging in"].contains(&state);
        for method in ["getUserInfo", "updateMyInfo", "updateRelation", "getRelations", "getCallHistory"] {
            let expected = if signed_in { "…" } else { "NOT_LOGGED_IN" };
            assert_eq!(at_once(&mut rig.clone(), method), expected, "{method}, {state}");
        }
    }
    let mut rig = Rig::signed_in("bob");
    rig.take();
    let (carol, bob) = (user("carol"), user("bob"));
    let failed = vec![FailedUser { username: Username::new("x").unwrap(), name: "USER_UNAVAILABLE".into() }];
    let call = PastCall {
        channel_id: ChannelId("c0".into()),
        inviter: carol.clone(),
        members: vec![],
        start_time: 0,
        end_time: 9,
        reason: Reason::Refuse,
        detail: None,
    };
    for (method, args, asked, reply, answer) in [
        (
            "getUserInfo",
            json!({ "usernames": ["carol", "x", "carol"] }),
            "> users carol x",
            Reply::Users { users: vec![carol.clone()], failed: failed.clone() },
            json!({ "users": [carol], "failed": failed }),
        ),
        (
            "updateMyInfo",
            json!({ "nickname": "Bob" }),
            r#"> updateProfile {"nickname":"Bob"}"#,
            Reply::UpdateProfile { user: bob.clone() },
            json!(bob),
        ),
        (
            "updateRelation",
            json!({ "username": "carol", "isInBlackList": true }),
            r#"> updateRelation carol {"isInBlackList":true}"#,
            Reply::UpdateRelation { user: carol.clone() },
            json!(carol),
        ),
        (
            "getRelations",
            json!({ "after": "bob", "limit": 5 }),
            "> relations bob 5",
            Reply::Relations { users: vec![carol.clone()], more: false },
            json!({ "users": [carol], "more": false }),
        ),
        (
            "getCallHistory",
            json!({ "before": "c1", "limit": 5 }),
            "> history c1 5",
            Reply::History { calls: vec![call.clone()], more: true },
            json!({ "calls": [call], "more": true }),
        ),
    ] {
        rig.command(method, args.clone());
        assert_eq!(rig.take(), [asked]);
        rig.reply(reply.clone());
        let lines = rig.take();
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let given: Value =
            serde_json::from_str(line.strip_prefix(&format!("{method} -> ")).unwrap()).unwrap();
        assert_eq!(given, answer);

        rig.command(method, args.clone());
        rig.failure(ErrorCode::LimitExceeded);
        assert_eq!(rig.take(), [asked.to_owned(), format!("{method} -> LIMIT_EXCEEDED")]);

        // Asked again when the connection is back; the answer is the method's all the same.
        rig.command(method, args);
        rig.closed();
        rig.reconnect();
        rig.welcome(true, None);
        rig.reply(reply);
        let lines = rig.take();
        assert_eq!(lines.iter().filter(|l| l.as_str() == asked).count(), 2, "{lines:?}");
        assert!(lines.last().unwrap().starts_with(&format!("{method} -> {{")), "{lines:?}");
        assert_eq!(rig.unanswered(), [""; 0]);
    }
    rig.command("updateRelation", json!({ "username": "bob", "isFriend": true }));
    assert_eq!(rig.take(), ["updateRelation -> INVALID_PARAMETER"], "nobody has a relation to itself");
}
