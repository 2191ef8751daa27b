//! What the command line comes to, checked before anything is started.

use std::fs::TryLockError;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::auth::Auth;
use crate::cli::{IdentityArgs, ServerArgs, WebhookArgs};
use crate::clock::millis;
use crate::secret;
use crate::webhook::Endpoint;

const DEFAULT_UDP_PORT: u16 = 7882;
const DEFAULT_TCP_PORT: u16 = 7881;

pub(crate) struct Config {
    pub(crate) app_key: String,
    pub(crate) auth: Auth,
    pub(crate) database: PathBuf,
    pub(crate) dev: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) media: MediaConfig,
    pub(crate) origins: Vec<String>,
    pub(crate) webhook: Option<Endpoint>,
    /// Of the data folder; no other server may use it.
    _lock: std::fs::File,
    pub(crate) ring_ms: u64,
    pub(crate) grace_ms: u64,
    pub(crate) ping_ms: u64,
    pub(crate) max_members: usize,
    pub(crate) invitations_per_minute: u32,
    pub(crate) keep_calls: bool,
    pub(crate) slots: u8,
}

/// Where media comes in.
#[derive(Debug, Clone)]
pub(crate) struct MediaConfig {
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) advertise_udp: Option<SocketAddr>,
    pub(crate) advertise_tcp: Option<SocketAddr>,
    pub(crate) drop_udp: bool,
}

impl Config {
    /// Checks everything and makes the data folder.
    pub(crate) fn new(identity: &IdentityArgs, server: ServerArgs) -> anyhow::Result<Self> {
        if server.dev && !server.dev_public && !server.listen.ip().is_loopback() {
            bail!(
                "--dev lets anybody sign in as anybody, so it listens on 127.0.0.1 or [::1] only, not on {}; \
                 --dev-public allows it",
                server.listen.ip()
            );
        }
        std::fs::create_dir_all(&identity.data)
            .with_context(|| format!("can't make the data folder {}", identity.data.display()))?;
        let lock = lock(&identity.data)?;
        let secret = if server.dev { secret::of_dev(identity)? } else { secret::required(identity)? };
        let auth = Auth::new(&identity.app_key, &secret).map_err(anyhow::Error::msg)?;
        Ok(Self {
            auth,
            app_key: identity.app_key.clone(),
            database: identity.data.join("jmrtc.sqlite"),
            _lock: lock,
            dev: server.dev,
            listen: server.listen,
            media: MediaConfig::new(&server)?,
            webhook: endpoint(server.webhook)?,
            origins: server.origins,
            ring_ms: millis(server.ring_time),
            grace_ms: millis(server.grace_time),
            ping_ms: millis(server.ping_time),
            max_members: server.max_members as usize,
            invitations_per_minute: server.invitations,
            keep_calls: server.keep_calls,
            slots: server.slots,
        })
    }

    /// For how long a client may say nothing.
    pub(crate) fn silence(&self) -> Duration {
        silence(self.ping_ms, self.grace_ms)
    }

    /// Whether that is shorter than usual, because of a short grace time.
    pub(crate) fn has_short_grace(&self) -> bool {
        self.grace_ms < 2 * self.ping_ms
    }
}

/// Two of three pings may be lost; but no member is waited for longer than the grace time from the first that did not come.
fn silence(ping_ms: u64, grace_ms: u64) -> Duration {
    Duration::from_millis((3 * ping_ms).min(ping_ms + grace_ms))
}

fn endpoint(args: WebhookArgs) -> anyhow::Result<Option<Endpoint>> {
    let key = args.webhook.is_some().then(|| secret::of_webhook(&args)).transpose()?;
    Ok(args.webhook.zip(key).map(|(url, key)| Endpoint { url, key }))
}

/// Two servers on one folder would not know of each other's calls.
fn lock(data: &Path) -> anyhow::Result<std::fs::File> {
    let path = data.join("lock");
    let file = std::fs::File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another server uses the data folder {}", data.display()),
        // Some file systems of the network have no locks.
        Err(TryLockError::Error(e)) => {
            tracing::warn!("can't lock {}: {e}", path.display());
            Ok(file)
        }
    }
}

impl MediaConfig {
    fn new(server: &ServerArgs) -> anyhow::Result<Self> {
        let port = |usual| if server.dev { 0 } else { usual };
        let at = |port| SocketAddr::new(server.listen.ip(), port);
        let config = Self {
            udp: server.media_udp.unwrap_or_else(|| at(port(DEFAULT_UDP_PORT))),
            tcp: server.media_tcp.unwrap_or_else(|| at(port(DEFAULT_TCP_PORT))),
            advertise_udp: server.advertise_udp,
            advertise_tcp: server.advertise_tcp,
            drop_udp: server.drop_udp,
        };
        for (bound, advertised, flag) in [
            (config.udp, config.advertise_udp, "--advertise-udp"),
            (config.tcp, config.advertise_tcp, "--advertise-tcp"),
        ] {
            let told = advertised.unwrap_or(bound);
            if told.ip().is_unspecified() {
                bail!(
                    "clients can't be told to send media to {}: say with {flag} where they reach it",
                    told.ip()
                );
            }
            if advertised.is_some_and(|address| address.port() == 0) {
                bail!("{flag} needs a port");
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn media(line: &str) -> Result<MediaConfig, String> {
        let cli = Cli::try_parse_from(line.split(' ')).map_err(|e| e.to_string())?;
        MediaConfig::new(&cli.server).map_err(|e| e.to_string())
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_grace_time_from_the_first_ping_that_did_not_come() {
        for (ping, grace, expected) in [(10, 30, 30), (10, 20, 30), (10, 5, 15), (10, 0, 10)] {
            assert_eq!(silence(ping, grace), Duration::from_millis(expected), "{ping} {grace}");
        }
    }

    #[test]
    fn media_goes_where_http_is_unless_told_otherwise() {
        let dev = media("s --dev").unwrap();
        assert_eq!((dev.udp.to_string(), dev.tcp.to_string()), ("127.0.0.1:0".into(), "127.0.0.1:0".into()));
        let real = media("s --listen 10.1.2.3:80").unwrap();
        assert_eq!((real.udp.to_string(), real.tcp.port()), ("10.1.2.3:7882".into(), 7881));
    }

    #[test]
    fn an_address_that_nobody_can_reach_is_not_told() {
        assert!(media("s --listen 0.0.0.0:80").unwrap_err().contains("--advertise-udp"));
        assert!(
            media("s --listen 0.0.0.0:80 --advertise-udp 1.2.3.4:5").unwrap_err().contains("--advertise-tcp")
        );
        assert!(media("s --listen 0.0.0.0:80 --advertise-udp 1.2.3.4:5 --advertise-tcp 1.2.3.4:6").is_ok());
        assert!(media("s --advertise-udp 1.2.3.4:0").unwrap_err().contains("port"));
    }
}
