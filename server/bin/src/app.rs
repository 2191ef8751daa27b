//! What connections and REST share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jmrtc_protocol::Username;
use jmrtc_rooms::ConnId;
use tokio::sync::{RwLock, mpsc};

use crate::clock::Clock;
use crate::config::Config;
use crate::hub::ToHub;
use crate::limiter::{CHANGES, PerUser, REQUESTS};
use crate::metrics::Metrics;
use crate::store::Store;

pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) hub: mpsc::Sender<ToHub>,
    pub(crate) metrics: Arc<Metrics>,
    /// Keeps the rooms' view of users in the store's order: who changes a user holds it alone until the rooms are told; who tells
    /// the rooms what it has read of a user holds it with others. So does a resume, which tells them anew, and may be a deleted
    /// user's.
    pub(crate) order: RwLock<()>,
    requests: Mutex<PerUser>,
    changes: Mutex<PerUser>,
    last_conn: AtomicU64,
}

impl App {
    pub(crate) fn new(
        config: Config,
        clock: Clock,
        store: Store,
        hub: mpsc::Sender<ToHub>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            config,
            clock,
            store,
            hub,
            metrics,
            order: RwLock::new(()),
            requests: Mutex::new(PerUser::new(Instant::now(), REQUESTS)),
            changes: Mutex::new(PerUser::new(Instant::now(), CHANGES)),
            last_conn: AtomicU64::new(0),
        }
    }

    /// Counts one more change by a user of its profile or relations, and tells whether it may be made.
    pub(crate) fn may_change(&self, user: &Username) -> bool {
        may(&self.changes, user)
    }

    /// Counts one more request of a user over REST, and tells whether it may be made.
    pub(crate) fn may_ask(&self, user: &Username) -> bool {
        may(&self.requests, user)
    }

    pub(crate) fn new_conn(&self) -> ConnId {
        ConnId(self.last_conn.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Whether a page of this origin may use the server.
    pub(crate) fn is_allowed_origin(&self, origin: &str) -> bool {
        self.config.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    }
}

fn may(budget: &Mutex<PerUser>, user: &Username) -> bool {
    budget.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now(), user)
}

#[cfg(test)]
impl App {
    /// One with a store in memory, of a server that is started like this; and what the hub is told.
    pub(crate) async fn of_test(line: &str) -> (Arc<Self>, mpsc::Receiver<ToHub>) {
        use clap::Parser;
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let data = std::env::temp_dir().join(format!("jmrtc-app-{}-{number}", std::process::id()));
        let mut cli = crate::cli::Cli::try_parse_from(line.split(' ')).unwrap();
        cli.identity.data = data.clone();
        let config = Config::new(&cli.identity, cli.server).unwrap();
        // What is open stays.
        std::fs::remove_dir_all(data).unwrap();
        let (hub, inbox) = mpsc::channel(100);
        let app = Self::new(config, Clock::start(), Store::in_memory().await, hub, Arc::default());
        (Arc::new(app), inbox)
    }
}
