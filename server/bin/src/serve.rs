//! Starts everything, watches it, and stops it cleanly.

use std::convert::Infallible;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use jmrtc_protocol::{Profile, Username};
use jmrtc_rooms::{CallRecord, Handover, Rooms, UserRecord};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::cli::{IdentityArgs, ServerArgs};
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::{Hub, ToHub, ToWriter};
use crate::media::Media;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::webhook::{Endpoint, Webhook};
use crate::{FAILED, REFUSED, http, listen};

/// The --dev user that answers every call and sends back what it hears.
pub(crate) const ECHO: &str = "echo";
/// Messages that may wait for the hub, commands for the relay.
const QUEUE: usize = 4096;
/// Calls that may wait for the store: a slow disk may hold back as many.
const RECORDS: usize = 65_536;
/// Calls whose records are kept with one transaction.
const RECORDS_AT_ONCE: usize = 256;
/// How long clients may take to read their last messages when the server stops.
const DRAIN: Duration = Duration::from_millis(1500);
/// How long the store may take to keep the calls for the next server: more than it waits for another program that has locked it.
const HANDING_OVER: Duration = Duration::from_secs(8);

/// Runs the server to its end. The code is the exit code that goes with an error.
pub(crate) fn run(identity: &IdentityArgs, args: ServerArgs) -> (anyhow::Result<()>, u8) {
    start_logging();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return (Err(e.into()), FAILED),
    };
    let result = runtime.block_on(async {
        let server = match start(identity, args).await {
            Ok(server) => server,
            Err(e) => return (Err(e), REFUSED),
        };
        (server.run().await, FAILED)
    });
    // Nothing that is still under way may keep the process.
    runtime.shutdown_background();
    result
}

struct Server {
    app: Arc<App>,
    store: Store,
    hub: JoinHandle<anyhow::Result<()>>,
    media: JoinHandle<anyhow::Result<()>>,
    writer: JoinHandle<()>,
    http: JoinHandle<Infallible>,
    interrupt: Signal,
    terminate: Signal,
}

async fn start(identity: &IdentityArgs, args: ServerArgs) -> anyhow::Result<Server> {
    let config = Config::new(identity, args)?;
    let store = Store::open(&config.database).await?;
    let metrics = Arc::new(Metrics::default());
    let media = Media::bind(&config.media, metrics.clone()).await?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("can't listen on {} (--listen)", config.listen))?;

    let clock = Clock::start();
    let mut robots = std::collections::BTreeSet::new();
    if config.dev {
        let echo = Username::new(ECHO)?;
        let profile = Profile {
            nickname: "Echo".to_owned(),
            signature: "Says back what you say".to_owned(),
            ..Profile::default()
        };
        store.put_user(&echo, &profile, clock.unix_now()).await?;
        robots.insert(echo);
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the operating system has no randomness")?;
    let rooms = Rooms::new(
        jmrtc_rooms::Config {
            app_key: config.app_key.clone(),
            epoch_ms: clock.epoch_ms(),
            ring_ms: config.ring_ms,
            grace_ms: config.grace_ms,
            ping_ms: config.ping_ms,
            max_members: config.max_members,
            invitations_per_minute: config.invitations_per_minute,
            slots: config.slots,
            ice_servers: Vec::new(),
            robots,
        },
        seed,
    );

    let (to_hub, hub_inbox) = mpsc::channel(QUEUE);
    let webhook = config.webhook.clone().map(|endpoint| -> anyhow::Result<_> {
        let nonce = getrandom::u64().context("the operating system has no randomness")?;
        Ok(Webhook::new(endpoint, nonce, clock, store.clone(), to_hub.clone(), metrics.clone()))
    });
    let webhook = webhook.transpose()?;
    // Before anybody is told that the server is ready, who may stop it at once.
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    // Last of all that can fail.
    if let Some((handover, known)) = left_calls(&store).await? {
        to_hub.send(ToHub::TakeOver { handover, known }).await?;
    }

    let (to_media, media_inbox) = mpsc::channel(QUEUE);
    let (media_to_hub, from_media) = mpsc::unbounded_channel();
    let (to_writer, records) = mpsc::channel(RECORDS);

    let at = listener.local_addr()?;
    let (udp, tcp) = media.addresses()?;
    let warn_public = config.dev && !at.ip().is_loopback();
    let warn_plain = config.webhook.as_ref().is_some_and(Endpoint::can_be_read);
    let warn_grace = config.has_short_grace().then(|| config.silence());
    let app = Arc::new(App::new(config, clock, store.clone(), to_hub, metrics.clone()));
    let hub = Hub::new(rooms, clock, metrics.clone(), to_media, to_writer, webhook);
    let server = Server {
        hub: tokio::spawn(hub.run(hub_inbox, from_media)),
        media: tokio::spawn(media.run(media_inbox, media_to_hub)),
        writer: tokio::spawn(write_records(store.clone(), metrics, records)),
        http: tokio::spawn(listen::serve(listener, http::router(app.clone()))),
        app,
        store,
        interrupt,
        terminate,
    };
    announce(at, udp, tcp);
    if warn_public {
        tracing::warn!("--dev-public: anybody who can reach this server can sign in as anybody");
    }
    if warn_plain {
        tracing::warn!("--webhook without https: who calls whom can be read on the way");
    }
    if let Some(silence) = warn_grace {
        tracing::warn!(
            "--grace-time is less than twice --ping-time: a client that is silent for {silence:?}, not for three pings, is given up and \
             out of its call at once"
        );
    }
    Ok(server)
}

impl Server {
    /// Runs until a signal, or until something ends that must not.
    async fn run(mut self) -> anyhow::Result<()> {
        let ended = tokio::select! {
            _ = self.interrupt.recv() => None,
            _ = self.terminate.recv() => None,
            end = &mut self.hub => Some(failure("the hub", end.map(|result| result.map_err(|e| format!("{e:#}"))))),
            end = &mut self.media => Some(failure("the media task", end.map(|r| r.map_err(|e| format!("{e:#}"))))),
            end = &mut self.writer => Some(failure("the store's writer", end.map(Ok::<(), String>))),
            end = &mut self.http => Some(failure("HTTP", end.map(|never| match never {}))),
        };
        match ended {
            Some(error) => Err(error),
            None => self.stop().await,
        }
    }

    /// Ends all calls, or keeps them for the next server, sends the last messages, keeps the last records.
    async fn stop(self) -> anyhow::Result<()> {
        tracing::info!("stopping");
        let deadline = Instant::now() + DRAIN;
        let hands_over = self.app.config.keep_calls;
        self.app.hub.send(ToHub::Stop { hands_over }).await.map_err(|_| anyhow!("the hub is gone"))?;
        // The hub's end drops every connection's queue, so that each sends what waits and closes, and
        // drops the senders of the two other tasks, which end once they have done what waits.
        tokio::time::timeout_at(deadline, self.hub).await.context("the hub did not stop")???;
        while self.app.metrics.connections.get() > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
        tracing::debug!("connections closed");
        self.http.abort();
        let _ = tokio::time::timeout_at(deadline, self.media).await;
        tracing::debug!("media closed");
        let patience = if hands_over { HANDING_OVER } else { DRAIN / 4 };
        tokio::time::timeout_at(deadline + patience, self.writer)
            .await
            .context("the store did not stop")??;
        tracing::debug!("records kept");
        self.store.close().await;
        tracing::debug!("store closed");
        Ok(())
    }
}

/// The calls that the server before has left, and whom they concern.
async fn left_calls(store: &Store) -> anyhow::Result<Option<(Handover, Vec<UserRecord>)>> {
    let handover = store.take_handover().await.context("can't take over the calls of the server before")?;
    let Some(handover) = handover.filter(|handover| !handover.is_empty()) else { return Ok(None) };
    tracing::info!("goes on with the calls of the server before: {}", handover.calls());
    let mut known = Vec::new();
    for cast in handover.casts() {
        let Some(first) = cast.first().copied() else { continue };
        known.extend(store.users_named(&cast, first).await.unwrap_or_else(|e| {
            tracing::error!("the store failed: {e:#}");
            cast.iter().map(|name| UserRecord::named((*name).clone())).collect()
        }));
    }
    for user in handover.signed_in() {
        match store.user(user).await {
            Ok(record) => known.extend(record),
            Err(e) => {
                tracing::error!("the store failed: {e:#}");
                known.push(UserRecord::named(user.clone()));
            }
        }
    }
    Ok(Some((handover, known)))
}

/// Why a task that must never end did.
fn failure(who: &str, end: Result<Result<(), String>, JoinError>) -> anyhow::Error {
    match end {
        Ok(Ok(())) => anyhow!("{who} ended by itself"),
        Ok(Err(why)) => anyhow!("{who} failed: {why}"),
        Err(join) if join.is_panic() => anyhow!("{who} panicked (see above)"),
        Err(join) => anyhow!("{who} was stopped: {join}"),
    }
}

/// Apart from the hub, so that calls don't wait for the disk; a store that fails loses a record, not a call.
async fn write_records(store: Store, metrics: Arc<Metrics>, mut inbox: mpsc::Receiver<ToWriter>) {
    let mut messages = Vec::new();
    while inbox.recv_many(&mut messages, RECORDS_AT_ONCE).await > 0 {
        let mut records = Vec::new();
        for message in messages.drain(..) {
            match message {
                ToWriter::Keep(record) => records.push(record),
                ToWriter::HandOver(handover) => {
                    if let Err(e) = store.put_handover(&handover).await {
                        metrics.records_lost.add(handover.calls() as u64);
                        tracing::error!("the calls are lost to the next server: {e:#}");
                    }
                }
                ToWriter::Tell(waiting) => {
                    keep(&store, &metrics, &records).await;
                    records.clear();
                    // Who asked may be gone.
                    let _ = waiting.send(());
                }
            }
        }
        keep(&store, &metrics, &records).await;
    }
}

/// One by one where it fails with all: one that can't be kept takes no other with it.
async fn keep(store: &Store, metrics: &Metrics, records: &[CallRecord]) {
    if records.len() > 1 && store.add_calls(records).await.is_ok() {
        return;
    }
    for record in records {
        if let Err(e) = store.add_calls(std::slice::from_ref(record)).await {
            metrics.records_lost.add(1);
            tracing::error!("a call's record is lost: {e:#}");
        }
    }
}

/// Tells scripts that the server is ready and where.
fn announce(http: SocketAddr, udp: SocketAddr, tcp: SocketAddr) {
    let mut out = std::io::stdout();
    let told = writeln!(out, "JMRTC server on http://{http}/\nmedia on udp {udp}, tcp {tcp}")
        .and_then(|()| out.flush());
    if let Err(e) = told {
        tracing::warn!("serving http://{http}/, which standard output does not take: {e}");
    }
}

fn start_logging() {
    // What str0m warns of is what a client has sent.
    let usual = || tracing_subscriber::EnvFilter::new("info,str0m=error,is=warn");
    let (filter, broken) = match std::env::var("JMRTC_LOG").map(tracing_subscriber::EnvFilter::try_new) {
        Ok(Ok(filter)) => (filter, None),
        Ok(Err(e)) => (usual(), Some(e)),
        Err(_) => (usual(), None),
    };
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(std::io::stderr).init();
    if let Some(e) = broken {
        tracing::warn!("JMRTC_LOG is not understood: {e}");
    }
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{ChannelId, Reason};

    use super::*;

    #[tokio::test]
    async fn a_record_that_the_store_refuses_is_counted_and_takes_no_other_with_it() {
        let record = |channel: &str| CallRecord {
            channel_id: ChannelId(channel.into()),
            inviter: Username::new("alice").unwrap(),
            members: Vec::new(),
            start_time: 0,
            end_time: 1,
            reason: Reason::Hangup,
            detail: None,
        };
        let (store, metrics) = (Store::in_memory().await, Arc::new(Metrics::default()));
        let (writer, inbox) = mpsc::channel(4);
        // No channel id comes twice.
        for channel in ["a", "b", "a", "c"] {
            writer.send(ToWriter::Keep(record(channel))).await.unwrap();
        }
        drop(writer);
        write_records(store.clone(), metrics.clone(), inbox).await;
        assert_eq!(metrics.records_lost.get(), 1);
        for channel in ["a", "b", "c"] {
            assert_eq!(store.call(&ChannelId(channel.into())).await.unwrap(), Some(record(channel)));
        }
    }
}
