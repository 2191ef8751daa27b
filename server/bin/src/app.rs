//! What connections and REST share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jmrtc_rooms::ConnId;
use tokio::sync::{RwLock, mpsc};

use crate::config::Config;
use crate::hub::ToHub;
use crate::metrics::Metrics;
use crate::store::Store;

pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) hub: mpsc::Sender<ToHub>,
    pub(crate) metrics: Arc<Metrics>,
    /// Keeps the rooms' view of users in the store's order: who changes a user holds it alone until the rooms are told,
    /// who tells the rooms what it has read of a user holds it with others.
    pub(crate) order: RwLock<()>,
    last_conn: AtomicU64,
}

impl App {
    pub(crate) fn new(config: Config, store: Store, hub: mpsc::Sender<ToHub>, metrics: Arc<Metrics>) -> Self {
        Self { config, store, hub, metrics, order: RwLock::new(()), last_conn: AtomicU64::new(0) }
    }

    pub(crate) fn new_conn(&self) -> ConnId {
        ConnId(self.last_conn.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Whether a page of this origin may use the server.
    pub(crate) fn is_allowed_origin(&self, origin: &str) -> bool {
        self.config.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    }
}
