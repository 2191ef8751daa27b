//! The one task that owns the rooms. Connections, REST and media send it [`ToHub`]; it carries out what the rooms say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use jmrtc_protocol::limits::MAX_USER_BYTES;
use jmrtc_protocol::{
    Closing, Device, ErrorCode, Failure, Profile, Relation, Request, RequestId, Resume, ServerMessage,
    Username, encode,
};
use jmrtc_rooms::{
    CallRecord, ConnId, Handover, Input, LinkId, MAX_KEPT_USERS, MediaCommand, Output, Push, Rooms, Ticket,
    Timestamp, UserRecord,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep_until;

use crate::clock::{Clock, millis, unix_ms};
use crate::metrics::Metrics;
use crate::webhook::Webhook;

/// Messages that may wait for one client; a resumed one gets up to 256 events and 64 answers at once.
pub(crate) const OUTBOX_MESSAGES: usize = 512;
/// Their bytes: all events and all answers that the rooms keep, of the fullest users.
const OUTBOX_BYTES: usize = 2 * MAX_KEPT_USERS * MAX_USER_BYTES;

/// How long a connection whose token expired in a call may stay after the call.
const LOOK_AGAIN_MS: u64 = 1_000;

/// What the hub is told.
#[derive(Debug)]
pub(crate) enum ToHub {
    /// A client signed in.
    Hello {
        conn: ConnId,
        user: Username,
        device: Device,
        resume: Option<Resume>,
        record: UserRecord,
        /// When the token expires, Unix seconds.
        expires: u64,
        outbox: Outbox,
    },
    Request {
        conn: ConnId,
        id: RequestId,
        request: Request,
        known: Vec<UserRecord>,
        /// When the new token of an `updateToken` expires, Unix seconds.
        expires: Option<u64>,
    },
    Ping {
        conn: ConnId,
        ack: u64,
    },
    Gone {
        conn: ConnId,
        /// For how long nothing had been heard on it.
        silent: Duration,
    },
    ProfileChanged(Username, Profile),
    RelationChanged {
        viewer: Username,
        about: Username,
        relation: Relation,
    },
    UserDeleted(Username),
    /// Who is online?
    Online(oneshot::Sender<BTreeSet<Username>>),
    /// Is this push still of use?
    IsPushWanted(Arc<Push>, oneshot::Sender<bool>),
    /// Tell when the records of all calls that are over are in the store.
    Kept(oneshot::Sender<()>),
    /// The first message: the calls of the server before.
    TakeOver {
        handover: Handover,
        known: Vec<UserRecord>,
    },
    /// The server stops.
    Stop {
        /// The next one goes on with the calls.
        hands_over: bool,
    },
}

/// What the store's writer is told.
#[derive(Debug)]
pub(crate) enum ToWriter {
    /// Keep it.
    Keep(CallRecord),
    /// Keep the calls for the next server.
    HandOver(Handover),
    /// All before this is done.
    Tell(oneshot::Sender<()>),
}

/// What the media task tells the hub.
#[derive(Debug)]
pub(crate) enum FromMedia {
    Answer { ticket: Ticket, result: Result<String, String> },
    Slots { link: LinkId, sources: Vec<Option<LinkId>> },
}

/// The hub's end of a connection. Dropped, the connection sends what waits and closes.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) queue: mpsc::Sender<Utf8Bytes>,
    /// Of the messages that wait; the connection takes off what it takes out.
    pub(crate) bytes: Arc<AtomicUsize>,
    pub(crate) cut: Arc<Cut>,
}

impl Outbox {
    /// False where no more may wait.
    fn put(&self, text: String) -> bool {
        let length = text.len();
        let waiting = self.bytes.fetch_add(length, Ordering::Relaxed) + length;
        // A connection whose task is ending tells so itself.
        waiting <= OUTBOX_BYTES
            && !matches!(self.queue.try_send(text.into()), Err(mpsc::error::TrySendError::Full(_)))
    }
}

/// Closes a connection at once, whatever waits.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    reason: OnceLock<Closing>,
    called: Notify,
}

impl Cut {
    fn call(&self, reason: Closing) {
        // The first reason counts.
        let _ = self.reason.set(reason);
        self.called.notify_one();
    }

    /// The last word for the client, once the hub wants the connection closed at once.
    pub(crate) async fn wait(&self) -> Closing {
        self.called.notified().await;
        self.reason.get().copied().unwrap_or(Closing::Overload)
    }
}

struct Conn {
    user: Username,
    outbox: Outbox,
    /// When its token expires.
    expires: Timestamp,
    /// When to see whether it has expired, and may go.
    look: Timestamp,
}

pub(crate) struct Hub {
    rooms: Rooms,
    clock: Clock,
    metrics: Arc<Metrics>,
    media: mpsc::Sender<MediaCommand>,
    records: mpsc::Sender<ToWriter>,
    webhook: Option<Arc<Webhook>>,
    conns: BTreeMap<ConnId, Conn>,
    /// When to look at the token of each connection.
    looks: BTreeSet<(Timestamp, ConnId)>,
    /// Connections cut while outputs were carried out, of which the rooms don't know yet.
    cut: Vec<ConnId>,
}

impl Hub {
    pub(crate) fn new(
        rooms: Rooms,
        clock: Clock,
        metrics: Arc<Metrics>,
        media: mpsc::Sender<MediaCommand>,
        records: mpsc::Sender<ToWriter>,
        webhook: Option<Arc<Webhook>>,
    ) -> Self {
        Self {
            rooms,
            clock,
            metrics,
            media,
            records,
            webhook,
            conns: BTreeMap::new(),
            looks: BTreeSet::new(),
            cut: Vec::new(),
        }
    }

    /// Runs until [`ToHub::Stop`] has been carried out. Returning for any other reason is a fault.
    pub(crate) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<ToHub>,
        mut from_media: mpsc::UnboundedReceiver<FromMedia>,
    ) -> anyhow::Result<()> {
        loop {
            self.measure();
            let due =
                self.rooms.next_deadline().into_iter().chain(self.looks.first().map(|(at, _)| *at)).min();
            let due = due.map(|at| self.clock.instant(at));
            tokio::select! {
                message = inbox.recv() => match message {
                    None => anyhow::bail!("the hub has no senders left"),
                    Some(ToHub::Stop { hands_over }) => {
                        let suspend = Input::Suspend { unix_ms: unix_ms() };
                        self.feed(if hands_over { suspend } else { Input::Shutdown }).await?;
                        return Ok(());
                    }
                    Some(message) => self.take(message).await?,
                },
                Some(message) = from_media.recv() => match message {
                    FromMedia::Answer { ticket, result } => self.feed(Input::LinkAnswer { ticket, result }).await?,
                    FromMedia::Slots { link, sources } => self.feed(Input::Slots { link, sources }).await?,
                },
                () = async { sleep_until(due.unwrap_or_else(tokio::time::Instant::now)).await }, if due.is_some() => {
                    self.feed(Input::Deadline).await?;
                }
            }
            self.look().await?;
        }
    }

    async fn take(&mut self, message: ToHub) -> anyhow::Result<()> {
        match message {
            ToHub::Hello { conn, user, device, resume, record, expires, outbox } => {
                let expires = self.clock.timestamp_of(expires);
                self.conns.insert(conn, Conn { user: user.clone(), outbox, expires, look: expires });
                self.looks.insert((expires, conn));
                self.feed(Input::Hello { conn, user, device, resume, known: vec![record] }).await
            }
            ToHub::Request { conn, id, request, known, expires } => {
                if let Some(unix_s) = expires
                    && let Some(known) = self.conns.get_mut(&conn)
                {
                    let expires = self.clock.timestamp_of(unix_s);
                    known.expires = expires;
                    self.look_again(conn, expires);
                }
                // Before anybody looks.
                self.expire(conn).await?;
                // A connection that was cut may still have had requests on their way.
                let Some(known_conn) = self.conns.get(&conn) else { return Ok(()) };
                if known_conn.expires <= self.clock.now()
                    && self.rooms.begins_call(&known_conn.user, &request)
                {
                    // Who stays for its call alone begins no other.
                    let error = Failure::new(ErrorCode::LoginRejected, "the token has expired");
                    self.send(conn, &ServerMessage::Failure { id, error });
                    return self.drop_cut().await;
                }
                self.feed(Input::Request { conn, id, request, known }).await
            }
            ToHub::Ping { conn, ack } => self.feed(Input::Ping { conn, ack }).await,
            ToHub::Gone { conn, silent } => {
                self.forget(conn);
                self.feed(Input::Disconnected { conn, silent_ms: millis(silent) }).await
            }
            ToHub::ProfileChanged(user, profile) => self.feed(Input::ProfileChanged(user, profile)).await,
            ToHub::RelationChanged { viewer, about, relation } => {
                self.feed(Input::RelationChanged { viewer, about, relation }).await
            }
            ToHub::UserDeleted(user) => self.feed(Input::UserDeleted(user)).await,
            ToHub::Online(answer) => {
                // Who asked may be gone.
                let _ = answer.send(self.rooms.online());
                Ok(())
            }
            ToHub::IsPushWanted(push, answer) => {
                // Who asked may be gone.
                let _ = answer.send(self.rooms.is_push_wanted(&push));
                Ok(())
            }
            ToHub::Kept(answer) => {
                // Where even this does not fit, nobody waits: it is dropped, which answers, too.
                let _ = self.records.try_send(ToWriter::Tell(answer));
                Ok(())
            }
            ToHub::TakeOver { handover, known } => {
                self.feed(Input::TakeOver { unix_ms: unix_ms(), handover, known }).await
            }
            // Taken care of by `run`.
            ToHub::Stop { .. } => Ok(()),
        }
    }

    /// Gives the rooms an input and carries out what they say, until they have nothing more to say.
    async fn feed(&mut self, input: Input) -> anyhow::Result<()> {
        self.handle(input).await?;
        self.drop_cut().await
    }

    /// Tells the rooms of the connections that were cut.
    async fn drop_cut(&mut self) -> anyhow::Result<()> {
        while let Some(conn) = self.cut.pop() {
            self.handle(Input::Disconnected { conn, silent_ms: 0 }).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, input: Input) -> anyhow::Result<()> {
        for output in self.rooms.handle(self.clock.now(), input) {
            self.carry_out(output).await?;
        }
        Ok(())
    }

    async fn carry_out(&mut self, output: Output) -> anyhow::Result<()> {
        match output {
            Output::Send { conn, message } => self.send(conn, &message),
            Output::Close { conn } => self.forget(conn),
            Output::Push(push) => {
                self.metrics.pushes.add(1);
                if let Some(webhook) = &self.webhook {
                    webhook.send(push);
                }
            }
            Output::Record(record) => {
                self.metrics.calls_total.add(1);
                // Calls must not wait for the disk.
                if let Err(e) = self.records.try_send(ToWriter::Keep(record)) {
                    self.metrics.records_lost.add(1);
                    tracing::error!("a call's record is lost: {e}");
                }
            }
            Output::Handover(handover) => {
                let told = self.records.send(ToWriter::HandOver(handover)).await;
                told.map_err(|_| anyhow::anyhow!("the store's writer is gone"))?;
            }
            Output::Media(command) => {
                self.media.send(command).await.map_err(|_| anyhow::anyhow!("the media task is gone"))?;
            }
        }
        Ok(())
    }

    fn send(&mut self, conn: ConnId, message: &ServerMessage) {
        let Some(known) = self.conns.get(&conn) else { return };
        self.metrics.messages_out.add(1);
        if !known.outbox.put(encode(message)) {
            self.metrics.overloads.add(1);
            self.cut_off(conn, Closing::Overload);
        }
    }

    /// Closes a connection from our side; the rooms learn it in `drop_cut`.
    fn cut_off(&mut self, conn: ConnId, closing: Closing) {
        if let Some(known) = self.conns.remove(&conn) {
            self.looks.remove(&(known.look, conn));
            known.outbox.cut.call(closing);
            self.cut.push(conn);
        }
    }

    fn forget(&mut self, conn: ConnId) {
        if let Some(known) = self.conns.remove(&conn) {
            self.looks.remove(&(known.look, conn));
        }
    }

    /// Looks at the connections at which it is time to look.
    async fn look(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        while let Some((_, conn)) = self.looks.first().filter(|(at, _)| *at <= now).copied() {
            self.look_again(conn, now.plus(LOOK_AGAIN_MS));
            self.expire(conn).await?;
        }
        Ok(())
    }

    fn look_again(&mut self, conn: ConnId, at: Timestamp) {
        if let Some(known) = self.conns.get_mut(&conn) {
            self.looks.remove(&(known.look, conn));
            known.look = at;
            self.looks.insert((at, conn));
        }
    }

    /// Closes a connection whose token has expired, that of a user in a call only once the call is over.
    async fn expire(&mut self, conn: ConnId) -> anyhow::Result<()> {
        let now = self.clock.now();
        let over = |known: &Conn| known.expires <= now && !self.rooms.is_in_call(&known.user);
        if !self.conns.get(&conn).is_some_and(over) {
            return Ok(());
        }
        self.send(conn, &ServerMessage::Closing { reason: Closing::TokenExpired });
        self.forget(conn);
        self.feed(Input::Disconnected { conn, silent_ms: 0 }).await
    }

    fn measure(&self) {
        let counts = self.rooms.counts();
        self.metrics.sign_ins.set(counts.sign_ins as u64);
        self.metrics.calls.set(counts.calls as u64);
        self.metrics.calls_connected.set(counts.connected_calls as u64);
    }
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{ChannelId, LeaveReason, Platform, Reply};
    use tokio::time::timeout;

    use super::*;
    use crate::clock::unix_s;

    fn hub() -> (Hub, mpsc::Receiver<MediaCommand>, mpsc::Receiver<ToWriter>) {
        let clock = Clock::start();
        let config = jmrtc_rooms::Config {
            app_key: "app".into(),
            epoch_ms: clock.epoch_ms(),
            ring_ms: 60_000,
            grace_ms: 30_000,
            ping_ms: 10_000,
            max_members: 8,
            invitations_per_minute: 60,
            slots: 4,
            ice_servers: Vec::new(),
            robots: BTreeSet::new(),
        };
        let (to_media, media) = mpsc::channel(100);
        let (to_writer, records) = mpsc::channel(100);
        (
            Hub::new(Rooms::new(config, [1; 32]), clock, Arc::default(), to_media, to_writer, None),
            media,
            records,
        )
    }

    async fn sign_in(hub: &mut Hub, conn: ConnId, name: &str) -> (mpsc::Receiver<Utf8Bytes>, Arc<Cut>) {
        let (queue, messages) = mpsc::channel(OUTBOX_MESSAGES);
        let cut = Arc::new(Cut::default());
        let user = Username::new(name).unwrap();
        hub.take(ToHub::Hello {
            conn,
            user: user.clone(),
            device: Device { id: name.into(), platform: Platform::Native },
            resume: None,
            record: UserRecord::named(user),
            expires: unix_s() + 60,
            outbox: Outbox { queue, bytes: Arc::default(), cut: cut.clone() },
        })
        .await
        .unwrap();
        (messages, cut)
    }

    async fn ask(hub: &mut Hub, id: RequestId, conn: ConnId, request: Request, known: Vec<UserRecord>) {
        hub.take(ToHub::Request { conn, id, request, known, expires: None }).await.unwrap();
    }

    /// Calls a user; the channel, unless it is refused.
    async fn call(
        hub: &mut Hub,
        id: RequestId,
        conn: ConnId,
        user: &Username,
        heard: &mut mpsc::Receiver<Utf8Bytes>,
    ) -> Option<ChannelId> {
        let start = Request::Start { usernames: vec![user.clone()] };
        ask(hub, id, conn, start, vec![UserRecord::named(user.clone())]).await;
        while let Ok(text) = heard.try_recv() {
            let message = serde_json::from_str(&text).unwrap();
            if let ServerMessage::Reply { reply: Reply::Start { session, .. }, .. } = message {
                return Some(session.channel_id);
            }
        }
        None
    }

    async fn leave(hub: &mut Hub, id: RequestId, conn: ConnId, channel: &ChannelId) {
        let leave = Request::Leave { channel_id: channel.clone(), stay: None, reason: LeaveReason::Hangup };
        ask(hub, id, conn, leave, Vec::new()).await;
    }

    #[tokio::test]
    async fn who_stays_for_its_call_alone_is_looked_at_now_and_then_and_begins_no_other() {
        let (mut hub, _media, _records) = hub();
        let (alice, bob) = (ConnId(1), Username::new("bob").unwrap());
        let (mut heard, _) = sign_in(&mut hub, alice, "alice").await;
        let channel = call(&mut hub, 1, alice, &bob, &mut heard).await.expect("a call");
        hub.conns.get_mut(&alice).unwrap().expires = Timestamp(0);
        hub.look_again(alice, Timestamp(0));
        hub.look().await.unwrap();
        assert!(hub.conns.contains_key(&alice), "it is in a call");
        assert!(hub.looks.first().unwrap().0 >= Timestamp(LOOK_AGAIN_MS));
        leave(&mut hub, 2, alice, &channel).await;
        assert_eq!(call(&mut hub, 3, alice, &bob, &mut heard).await, None);
        assert!(hub.conns.is_empty() && hub.looks.is_empty());
    }

    #[test]
    fn large_messages_fill_an_outbox_sooner() {
        let (queue, mut messages) = mpsc::channel(OUTBOX_MESSAGES);
        let outbox = Outbox { queue, bytes: Arc::default(), cut: Arc::default() };
        let large = || "x".repeat(OUTBOX_BYTES / 32);
        assert!((0..32).all(|_| outbox.put(large())));
        assert!(!outbox.put("x".to_owned()));
        outbox.bytes.fetch_sub(1 + messages.try_recv().unwrap().len(), Ordering::Relaxed);
        assert!(outbox.put(large()));
        assert!(!outbox.put(large()));
    }

    #[tokio::test]
    async fn who_is_rung_with_a_token_that_has_expired_begins_no_call() {
        let (mut hub, _media, _records) = hub();
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| Username::new(name).unwrap());
        let (mut heard_by_alice, _) = sign_in(&mut hub, ConnId(1), alice.as_str()).await;
        let (mut heard, _) = sign_in(&mut hub, ConnId(2), bob.as_str()).await;
        call(&mut hub, 1, ConnId(1), &bob, &mut heard_by_alice).await.expect("a call");
        hub.conns.get_mut(&ConnId(2)).unwrap().expires = Timestamp(0);
        while heard.try_recv().is_ok() {}
        let start = Request::Start { usernames: vec![carol.clone()] };
        ask(&mut hub, 1, ConnId(2), start, vec![UserRecord::named(carol)]).await;
        let answer = serde_json::from_str(&heard.try_recv().unwrap()).unwrap();
        let ServerMessage::Failure { id: 1, error } = answer else { panic!("{answer:?}") };
        assert_eq!(error.code, ErrorCode::LoginRejected);
        assert!(hub.rooms.is_in_call(&bob) && hub.conns.contains_key(&ConnId(2)), "it rings on");
        assert!(call(&mut hub, 2, ConnId(2), &alice, &mut heard).await.is_some(), "that is an accept");
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_cut_off() {
        let (mut hub, _media, _records) = hub();
        let (conn, other) = (ConnId(1), ConnId(2));
        let (mut messages, cut) = sign_in(&mut hub, conn, "alice").await;
        let (_, other_cut) = sign_in(&mut hub, other, "bob").await;
        assert_eq!(hub.rooms.counts().connected, 2);
        for _ in 0..OUTBOX_MESSAGES + 1 {
            hub.take(ToHub::Ping { conn, ack: 0 }).await.unwrap();
        }
        assert_eq!(timeout(Duration::from_secs(1), cut.wait()).await, Ok(Closing::Overload));
        assert_eq!((hub.rooms.counts().connected, hub.conns.len(), hub.looks.len()), (1, 1, 1));
        assert_eq!(hub.metrics.overloads.get(), 1);
        let mut waiting = 0;
        while messages.recv().await.is_some() {
            waiting += 1;
        }
        assert_eq!(waiting, OUTBOX_MESSAGES, "no more than that was ever kept, and the queue has an end");
        assert!(timeout(Duration::from_millis(1), other_cut.wait()).await.is_err());
        hub.take(ToHub::Ping { conn, ack: 0 }).await.unwrap();
        hub.take(ToHub::Gone { conn, silent: Duration::ZERO }).await.unwrap();
    }
}
