//! Tells the company's own backend whose devices to wake: a webhook, signed as <https://www.standardwebhooks.com> says.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::Uri;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jmrtc_protocol::{ChannelId, Stay, User, Username, encode};
use jmrtc_rooms::Push;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use crate::clock::{Clock, unix_ms, unix_s};
use crate::hub::ToHub;
use crate::metrics::Metrics;
use crate::store::Store;

/// Pushes that are not over, those that wait to be tried again among them. One too many is dropped.
const MAX_PENDING: usize = 4096;
/// Requests under way.
const MAX_AT_ONCE: usize = 8;
/// How long an answer may take.
const TRY_TIME: Duration = Duration::from_secs(5);
/// Before the second try; twice as long before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Only the status of an answer counts, but a connection can be used again whose answer was read.
const MAX_ANSWER_BYTES: u64 = 16 * 1024;
const USER_AGENT: &str = concat!("jmrtc-server/", env!("CARGO_PKG_VERSION"));

const SECRET_PREFIX: &str = "whsec_";
const MIN_SECRET_BYTES: usize = 24;
const MAX_SECRET_BYTES: usize = 64;

/// Where webhooks go, and what they are signed with.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: Uri,
    pub(crate) key: SigningKey,
}

impl Endpoint {
    /// Whether others may read on the way who calls whom.
    pub(crate) fn can_be_read(&self) -> bool {
        self.url.scheme_str() == Some("http") && !self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        let host = self.url.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }
}

#[derive(Clone)]
pub(crate) struct SigningKey(hmac::Key);

impl SigningKey {
    /// Of a secret as the company writes it down. The error says what is wrong with it.
    pub(crate) fn new(secret: &[u8]) -> Result<Self, String> {
        let text = secret.strip_prefix(SECRET_PREFIX.as_bytes());
        let key = text.and_then(|text| BASE64_STANDARD.decode(text).ok());
        let Some(key) = key else {
            return Err(format!("the webhook secret is not `{SECRET_PREFIX}` and base64"));
        };
        if !(MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&key.len()) {
            return Err(format!(
                "the webhook secret has {} bytes, not {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES}",
                key.len()
            ));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of `webhook-signature`.
    fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag))
    }
}

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    data: Ringing<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ringing<'a> {
    username: &'a Username,
    channel_id: &'a ChannelId,
    stay: Stay,
    inviter: Caller<'a>,
    invited_by: Caller<'a>,
    silent: bool,
    /// Unix milliseconds.
    expire_time: i64,
}

/// What an app shows of who calls.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Caller<'a> {
    username: &'a Username,
    nickname: &'a str,
    note_name: &'a str,
    avatar_thumb_path: &'a str,
}

impl<'a> From<&'a User> for Caller<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            username: &user.username,
            nickname: &user.profile.nickname,
            note_name: &user.relation.note_name,
            avatar_thumb_path: &user.profile.avatar_thumb_path,
        }
    }
}

/// The body of the webhook for a push that is wanted at `unix_ms` and of use for `left_ms` more.
fn body(push: &Push, unix_ms: i64, left_ms: u64) -> String {
    encode(&Event {
        kind: "call.push",
        timestamp: OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(unix_ms),
        data: Ringing {
            username: &push.user,
            channel_id: &push.channel_id,
            stay: push.stay,
            inviter: (&push.inviter).into(),
            invited_by: (&push.invited_by).into(),
            silent: push.silent,
            expire_time: unix_ms.saturating_add_unsigned(left_ms),
        },
    })
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Outcome {
    #[error("the answer was {status}")]
    Answered { status: u16, retry_after: Option<Duration> },
    #[error("{0}")]
    Unanswered(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Done,
    TryAgain { after: Duration },
    GiveUp,
}

/// What to do after so many tries while it still rings for `left`. `jitter`, 0 to 1, keeps those apart that failed together.
fn next(outcome: &Outcome, tries: u32, left: Duration, jitter: f64) -> Next {
    let asked_for = match outcome {
        Outcome::Answered { status: 200..=299, .. } => return Next::Done,
        Outcome::Answered { status: 408 | 429 | 500.., retry_after } => retry_after.unwrap_or_default(),
        Outcome::Answered { .. } => return Next::GiveUp,
        Outcome::Unanswered(_) => Duration::ZERO,
    };
    let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(LONGEST_WAIT);
    let after = wait.mul_f64(0.5 + jitter / 2.0).max(asked_for);
    if after < left { Next::TryAgain { after } } else { Next::GiveUp }
}

struct Message {
    id: String,
    body: String,
    push: Arc<Push>,
}

/// What became of a push in the end.
enum Fate {
    Delivered,
    /// Before it could be sent nobody was to be woken any more.
    Spared,
    Failed(String),
}

pub(crate) struct Webhook {
    endpoint: Endpoint,
    agent: ureq::Agent,
    clock: Clock,
    store: Store,
    hub: mpsc::Sender<ToHub>,
    metrics: Arc<Metrics>,
    pending: Arc<Semaphore>,
    at_once: Semaphore,
    /// Makes the ids of this process differ from those of others.
    nonce: u64,
    last_id: AtomicU64,
}

impl Webhook {
    pub(crate) fn new(
        endpoint: Endpoint,
        nonce: u64,
        clock: Clock,
        store: Store,
        hub: mpsc::Sender<ToHub>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TRY_TIME))
            .user_agent(USER_AGENT)
            .max_idle_connections_per_host(MAX_AT_ONCE);
        if endpoint.is_loopback() {
            config = config.proxy(None);
        }
        Arc::new(Self {
            agent: config.build().into(),
            endpoint,
            clock,
            store,
            hub,
            metrics,
            pending: Arc::new(Semaphore::new(MAX_PENDING)),
            at_once: Semaphore::new(MAX_AT_ONCE),
            nonce,
            last_id: AtomicU64::new(0),
        })
    }

    /// Has a push delivered, and returns at once.
    pub(crate) fn send(self: &Arc<Self>, mut push: Push) {
        let Ok(place) = self.pending.clone().try_acquire_owned() else {
            self.metrics.pushes_dropped.add(1);
            return;
        };
        let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("msg_{:016x}_{number}", self.nonce);
        let (wanted_at, left_ms) = (unix_ms(), push.until.since(self.clock.now()));
        let (webhook, until) = (self.clone(), self.clock.instant(push.until));
        tokio::spawn(async move {
            let _place = place;
            webhook.name_inviter(&mut push).await;
            let body = body(&push, wanted_at, left_ms);
            let message = Arc::new(Message { id, body, push: Arc::new(push) });
            match webhook.deliver(&message, until).await {
                Fate::Delivered => webhook.metrics.pushes_delivered.add(1),
                Fate::Spared => webhook.metrics.pushes_spared.add(1),
                Fate::Failed(why) => {
                    webhook.metrics.pushes_failed.add(1);
                    tracing::warn!("the webhook {} was not delivered: {why}", message.id);
                }
            }
        });
    }

    /// Of a user who has no device there the rooms know what it keeps about the one who asked it in, not about others.
    async fn name_inviter(&self, Push { user, inviter, invited_by, .. }: &mut Push) {
        if inviter.username == invited_by.username {
            return;
        }
        match self.store.relation(user, &inviter.username).await {
            Ok(relation) => inviter.relation = relation.unwrap_or_default(),
            Err(error) => tracing::error!("the store failed: {error:#}"),
        }
    }

    async fn deliver(self: &Arc<Self>, message: &Arc<Message>, until: Instant) -> Fate {
        let mut tries = 0;
        let mut last = Outcome::Unanswered("all the time others were under way".to_owned());
        loop {
            let Ok(turn) = timeout_at(until, self.at_once.acquire()).await else {
                return Fate::Failed(last.to_string());
            };
            if !self.is_wanted(&message.push).await {
                return match tries {
                    0 => Fate::Spared,
                    _ => Fate::Failed(format!("nobody is to be woken any more; until then {last}")),
                };
            }
            last = self.attempt(message).await;
            drop(turn);
            tries += 1;
            match next(&last, tries, until - Instant::now(), jitter()) {
                Next::Done => return Fate::Delivered,
                Next::GiveUp => return Fate::Failed(last.to_string()),
                Next::TryAgain { after } => {
                    tracing::debug!("the webhook {} goes again in {after:?}: {last}", message.id);
                    sleep(after).await;
                }
            }
        }
    }

    /// Whether it still rings where no device does. A hub that is gone has no calls.
    async fn is_wanted(&self, push: &Arc<Push>) -> bool {
        let (answer, answered) = oneshot::channel();
        let asked = self.hub.send(ToHub::IsPushWanted(push.clone(), answer)).await;
        asked.is_ok() && answered.await.unwrap_or(false)
    }

    async fn attempt(self: &Arc<Self>, message: &Arc<Message>) -> Outcome {
        let (webhook, message) = (self.clone(), message.clone());
        let post = spawn_blocking(move || webhook.post(&message));
        post.await.unwrap_or_else(|e| Outcome::Unanswered(e.to_string()))
    }

    fn post(&self, Message { id, body, .. }: &Message) -> Outcome {
        let timestamp = unix_s();
        let answer = self
            .agent
            .post(&self.endpoint.url)
            .content_type("application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", self.endpoint.key.sign(id, timestamp, body))
            .send(body);
        match answer {
            Err(e) => Outcome::Unanswered(e.to_string()),
            Ok(mut answer) => {
                // However that ends: the status has come.
                let _ = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
                let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                Outcome::Answered {
                    status: answer.status().as_u16(),
                    retry_after: retry_after.and_then(|s| s.parse().ok()).map(Duration::from_secs),
                }
            }
        }
    }
}

fn jitter() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{Profile, Relation};
    use jmrtc_rooms::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    fn user(name: &str) -> User {
        User::new("app", Username::new(name).unwrap(), Profile::default(), Relation::default())
    }

    #[test]
    fn whom_to_wake_and_who_calls() {
        let mut bob = user("bob");
        bob.profile = Profile {
            nickname: "Bobby".into(),
            avatar_thumb_path: "https://app.example/bob.png".into(),
            address: "nobody's business".into(),
            ..Profile::default()
        };
        bob.relation.note_name = "Bro".into();
        let push = Push {
            user: Username::new("carol").unwrap(),
            channel_id: ChannelId("channel".into()),
            stay: 2,
            inviter: user("alice"),
            invited_by: bob,
            silent: true,
            until: Timestamp(0),
            number: 1,
        };
        let body: Value = serde_json::from_str(&body(&push, 1_667_507_170_344, 60_000)).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "call.push",
                "timestamp": "2022-11-03T20:26:10.344Z",
                "data": {
                    "username": "carol",
                    "channelId": "channel",
                    "stay": 2,
                    "inviter": {"username": "alice", "nickname": "", "noteName": "", "avatarThumbPath": ""},
                    "invitedBy": {
                        "username": "bob",
                        "nickname": "Bobby",
                        "noteName": "Bro",
                        "avatarThumbPath": "https://app.example/bob.png",
                    },
                    "silent": true,
                    "expireTime": 1_667_507_230_344_i64,
                },
            })
        );
    }

    #[test]
    fn a_signature_is_that_of_the_reference() {
        let key = SigningKey::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn secrets() {
        let written = |bytes: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; bytes]));
        for good in [24, 32, 64] {
            assert!(SigningKey::new(written(good).as_bytes()).is_ok(), "{good}");
        }
        let why = |secret: &str| SigningKey::new(secret.as_bytes()).err().unwrap();
        assert!(why(&written(23)).contains("has 23 bytes, not 24 to 64"));
        assert!(why(&written(65)).contains("has 65 bytes"));
        let bare = written(32).replace("whsec_", "");
        for bad in [
            "",
            &bare,
            &format!("{} ", written(32)),
            "whsec_no base64!",
            "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(why(bad).contains("`whsec_` and base64"), "{bad}");
        }
    }

    #[test]
    fn where_others_can_read_it() {
        let key = SigningKey::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let readable = |url: &str| Endpoint { url: url.parse().unwrap(), key: key.clone() }.can_be_read();
        for safe in
            ["https://a.example/push", "http://localhost:1/", "http://127.8.0.1/", "http://[::1]:80/push"]
        {
            assert!(!readable(safe), "{safe}");
        }
        for open in
            ["http://a.example/push", "http://10.0.0.1/", "http://[fd00::1]/", "http://localhost.example/"]
        {
            assert!(readable(open), "{open}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for status in [200, 204, 299] {
            assert_eq!(next(&answered(status), 1, MINUTE, 0.5), Next::Done, "{status}");
        }
        for status in [301, 307, 400, 401, 404, 410, 499] {
            assert_eq!(next(&answered(status), 1, MINUTE, 0.5), Next::GiveUp, "{status}");
        }
        for outcome in
            [408, 429, 500, 503, 599].map(answered).into_iter().chain([Outcome::Unanswered("late".into())])
        {
            let again = next(&outcome, 1, MINUTE, 0.5);
            assert_eq!(again, Next::TryAgain { after: FIRST_WAIT.mul_f64(0.75) }, "{outcome:?}");
        }
    }

    #[test]
    fn tries_come_further_and_further_apart() {
        let wait = |tries, jitter| match next(&answered(500), tries, Duration::MAX, jitter) {
            Next::TryAgain { after } => after.as_millis(),
            Next::Done | Next::GiveUp => panic!("no further try"),
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 100].map(|n| wait(n, 1.0)), [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!([1, 5, u32::MAX].map(|n| wait(n, 0.0)), [250, 4000, 4000]);
    }

    #[test]
    fn once_it_rings_no_more_there_is_no_use() {
        let (long, short) = (Duration::from_millis(501), Duration::from_millis(500));
        assert_eq!(next(&answered(500), 1, long, 1.0), Next::TryAgain { after: short });
        assert_eq!(next(&answered(500), 1, short, 1.0), Next::GiveUp);
        assert_eq!(next(&answered(200), 1, Duration::ZERO, 1.0), Next::Done);
    }

    #[test]
    fn whoever_asks_for_time_gets_it_while_it_rings() {
        let asks = |s| Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(s)) };
        assert_eq!(next(&asks(20), 1, MINUTE, 0.0), Next::TryAgain { after: Duration::from_secs(20) });
        assert_eq!(next(&asks(0), 1, MINUTE, 1.0), Next::TryAgain { after: FIRST_WAIT });
        assert_eq!(next(&asks(60), 1, MINUTE, 0.0), Next::GiveUp);
    }

    #[tokio::test]
    async fn what_is_too_much_is_dropped_and_what_is_too_late_is_not_sent() {
        let metrics = Arc::new(Metrics::default());
        let key = SigningKey::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let endpoint = Endpoint { url: "http://127.0.0.1:9/".parse().unwrap(), key };
        let (hub, _inbox) = mpsc::channel(1);
        let store = Store::in_memory().await;
        let webhook = Webhook::new(endpoint, 0, Clock::start(), store, hub, metrics.clone());
        let push = || Push {
            user: Username::new("bob").unwrap(),
            channel_id: ChannelId("channel".into()),
            stay: 2,
            inviter: user("alice"),
            invited_by: user("alice"),
            silent: false,
            until: Timestamp(0),
            number: 1,
        };
        let pending = webhook.pending.clone();
        let all = pending.clone().try_acquire_many_owned(u32::try_from(MAX_PENDING).unwrap()).unwrap();
        webhook.send(push());
        assert_eq!(metrics.pushes_dropped.get(), 1);
        drop(all);
        let turns = webhook.at_once.acquire_many(u32::try_from(MAX_AT_ONCE).unwrap()).await.unwrap();
        webhook.send(push());
        let whole = pending.acquire_many(u32::try_from(MAX_PENDING).unwrap());
        let _all = tokio::time::timeout(Duration::from_secs(5), whole).await.unwrap().unwrap();
        drop(turns);
        assert_eq!((metrics.pushes_dropped.get(), metrics.pushes_failed.get()), (1, 1));
    }
}
