//! The command line. `--help` is the manual.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use clap::{Args, Parser, Subcommand};
use jmrtc_protocol::limits::{DEFAULT_MAX_MEMBERS, DEFAULT_SLOTS, MAX_APP_KEY_BYTES, MAX_MEMBERS, MAX_SLOTS};
use jmrtc_protocol::{Username, encode};

const MANUAL: &str = "\
Examples:
  jmrtc-server --dev
      Try it out: everything on this machine, no configuration. Open the address that it prints.
      Tokens for any name come from POST /v1/dev/token, and the user `echo` answers every call.

  JMRTC_SECRET=$(openssl rand -hex 32) jmrtc-server --app-key acme \\
      --listen 0.0.0.0:8080 --advertise-udp 203.0.113.7:7882 --advertise-tcp 203.0.113.7:7881
      A public server. Put a TLS proxy before port 8080; open UDP 7882 and TCP 7881 to the world.

  jmrtc-server token --user alice --for 1h
      Prints a token, made with the same secret and app key as the server's.

  curl -H \"Authorization: Bearer $(jmrtc-server token --backend)\" http://localhost:8080/v1/users
      What the company's own backend may do over REST is in docs/server.md.

Sign-in:
  Clients sign in with a JWT (HS256) that your own backend makes with the secret:
  iss = the app key, sub = the username, exp = when it ends; nbf is honoured.
  The backend's own token for REST has scope = backend and no sub.

Media:
  Sound goes over one UDP port, and over one TCP port where UDP is blocked. Clients are told the
  addresses of --advertise-udp and --advertise-tcp, or those bound where these are not given.

Signals:
  Ctrl-C or SIGTERM ends all calls cleanly (`networkError`, detail `serverShutdown`), then stops;
  with --keep-calls it leaves them to the next server.

Exit codes:
  0  stopped by a signal, or done
  1  failed while running
  2  can't start as asked: a wrong flag or secret, a port taken, a data folder that can't be used

Logs go to stderr; JMRTC_LOG chooses what, e.g. JMRTC_LOG=jmrtc_server=debug (default: info).";

/// Voice calls for your own apps: sign-in, ringing and media in one server.
#[derive(Debug, Parser)]
#[command(name = "jmrtc-server", version, after_long_help = MANUAL, subcommand_negates_reqs = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a token for a user, or for your own backend.
    Token {
        /// Whose.
        #[arg(long, value_parser = username, required_unless_present = "backend", conflicts_with = "backend")]
        user: Option<Username>,
        /// One with which your backend may do everything that REST can; no user can sign in with it.
        #[arg(long)]
        backend: bool,
        /// How long it is good for, e.g. 30m, 1h, 7d.
        #[arg(long = "for", default_value = "1h", value_parser = duration, value_name = "TIME")]
        lifetime: Duration,
    },
}

/// What the server and `token` must agree on.
#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// Where the database is kept, and in --dev the secret. Made on first start.
    #[arg(long, global = true, env = "JMRTC_DATA", default_value = "jmrtc-data", value_name = "DIR")]
    pub(crate) data: PathBuf,

    /// The app whose users these are: the tokens' `iss`.
    #[arg(long, global = true, env = "JMRTC_APP_KEY", default_value = "jmrtc", value_name = "NAME", value_parser = app_key)]
    pub(crate) app_key: String,

    /// The app secret that signs tokens, at least 32 bytes. Better in the environment than on a command line.
    #[arg(long, global = true, env = "JMRTC_SECRET", hide_env_values = true, value_name = "TEXT")]
    pub(crate) secret: Option<String>,

    /// A file that holds the app secret; white space at its end doesn't count.
    #[arg(long, global = true, env = "JMRTC_SECRET_FILE", conflicts_with = "secret", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Run with nothing configured, for trying out: own secret, tokens for any name, the user `echo`.
    #[arg(long, env = "JMRTC_DEV")]
    pub(crate) dev: bool,

    /// Let --dev listen on an address that others can reach. Anybody there can then sign in as anybody.
    #[arg(long, env = "JMRTC_DEV_PUBLIC", requires = "dev")]
    pub(crate) dev_public: bool,

    /// Where HTTP and WebSocket are served; port 0 takes a free one.
    #[arg(long, env = "JMRTC_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,

    /// Where media comes in over UDP [default: port 7882, in --dev a free one, at the address of --listen].
    #[arg(long, env = "JMRTC_MEDIA_UDP", value_name = "ADDR")]
    pub(crate) media_udp: Option<SocketAddr>,

    /// Where media comes in over TCP [default: port 7881, in --dev a free one, at the address of --listen].
    #[arg(long, env = "JMRTC_MEDIA_TCP", value_name = "ADDR")]
    pub(crate) media_tcp: Option<SocketAddr>,

    /// Where clients reach the UDP media port, if not where it is bound (NAT).
    #[arg(long, env = "JMRTC_ADVERTISE_UDP", value_name = "ADDR")]
    pub(crate) advertise_udp: Option<SocketAddr>,

    /// Where clients reach the TCP media port, if not where it is bound. Must have another port than UDP's.
    #[arg(long, env = "JMRTC_ADVERTISE_TCP", value_name = "ADDR")]
    pub(crate) advertise_tcp: Option<SocketAddr>,

    /// Web origins (https://app.example) whose pages may use this server; may be given more than once; * means any.
    /// Without it any page may open a WebSocket (it needs a token), but none of another origin may use REST.
    #[arg(long = "origin", env = "JMRTC_ORIGINS", value_delimiter = ',', value_parser = origin, value_name = "ORIGIN")]
    pub(crate) origins: Vec<String>,

    #[command(flatten)]
    pub(crate) webhook: WebhookArgs,

    /// How long an invitation rings.
    #[arg(long, env = "JMRTC_RING_TIME", default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub(crate) ring_time: Duration,

    /// How long a member whose connection is lost stays in its call.
    #[arg(long, env = "JMRTC_GRACE_TIME", default_value = "30s", value_parser = duration, value_name = "TIME")]
    pub(crate) grace_time: Duration,

    /// How often clients give a sign of life; after three times this, or this and the grace time, a silent
    /// connection is given up.
    #[arg(long, env = "JMRTC_PING_TIME", default_value = "10s", value_parser = duration, value_name = "TIME")]
    pub(crate) ping_time: Duration,

    /// Members of one call, joined and ringing together, up to 1000. Whatever happens in a call is told to each of them, and
    /// who is called or comes in is told of all, so that the work for a whole call grows with the square of the members.
    #[arg(long, env = "JMRTC_MAX_MEMBERS", default_value_t = DEFAULT_MAX_MEMBERS as u32,
          value_parser = clap::value_parser!(u32).range(2..=MAX_MEMBERS as i64), value_name = "N")]
    pub(crate) max_members: u32,

    /// Invitations that a user may make in a minute, from all its devices together. After a pause it may make as many at
    /// once, or fill four calls.
    #[arg(long, env = "JMRTC_INVITATIONS", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub(crate) invitations: u32,

    /// Voices that a client can hear at once; in larger calls the loudest are heard.
    #[arg(long, env = "JMRTC_SLOTS", default_value_t = DEFAULT_SLOTS as u8,
          value_parser = clap::value_parser!(u8).range(1..=MAX_SLOTS as i64), value_name = "N")]
    pub(crate) slots: u8,

    /// Don't end the calls when the server stops: one that is started with the same --data within the --grace-time goes on
    /// with them, and their members, for whom it is an outage of that long, with each other.
    #[arg(long, env = "JMRTC_KEEP_CALLS")]
    pub(crate) keep_calls: bool,

    /// Testing: eat all UDP media, as a firewall would.
    #[arg(long, hide = true)]
    pub(crate) drop_udp: bool,
}

/// How the company's own backend is told.
#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    /// Where your own backend is told whose devices to wake, when a user is called who has none connected: a signed
    /// POST, see docs/server.md. https://, or http:// within a network that you trust.
    #[arg(long, env = "JMRTC_WEBHOOK", hide_env_values = true, value_parser = webhook, value_name = "URL")]
    pub(crate) webhook: Option<Uri>,

    /// What signs the webhooks: whsec_ and 24 to 64 bytes in base64. Better in the environment than on a command line.
    #[arg(
        long,
        env = "JMRTC_WEBHOOK_SECRET",
        hide_env_values = true,
        requires = "webhook",
        value_name = "TEXT"
    )]
    pub(crate) webhook_secret: Option<String>,

    /// A file that holds the webhook secret; white space at its end doesn't count.
    #[arg(
        long,
        env = "JMRTC_WEBHOOK_SECRET_FILE",
        requires = "webhook",
        conflicts_with = "webhook_secret",
        value_name = "FILE"
    )]
    pub(crate) webhook_secret_file: Option<PathBuf>,
}

fn username(text: &str) -> Result<Username, String> {
    Username::new(text).map_err(|e| e.to_string())
}

/// As browsers say it: `https://app.example`, `capacitor://localhost`; or `*`.
fn origin(text: &str) -> Result<String, String> {
    let host = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, host)| host);
    let bare = |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', ' ', '@']);
    if text == "*" || host.is_some_and(bare) {
        Ok(text.to_owned())
    } else {
        Err("an origin is scheme://host or scheme://host:port, without a path; * is any".to_owned())
    }
}

/// Its own signature says whose a webhook is; what else may be secret stays in the path or query.
fn webhook(text: &str) -> Result<Uri, String> {
    let other = || "a webhook is https://host/path or http://host/path, without #".to_owned();
    let url: Uri = text.parse().map_err(|_| other())?;
    let authority = url.authority().map_or("", |authority| authority.as_str());
    match url.scheme_str() {
        Some("https" | "http") if authority.contains('@') => {
            Err("no name or password stands in it".to_owned())
        }
        Some("https" | "http") if !text.contains('#') => Ok(url),
        Some(_) | None => Err(other()),
    }
}

/// It stands in every user that clients are told of.
fn app_key(text: &str) -> Result<String, String> {
    if text.is_empty() || encode(&text).len() > MAX_APP_KEY_BYTES + 2 {
        Err(format!("an app key has 1 to {MAX_APP_KEY_BYTES} bytes as JSON"))
    } else {
        Ok(text.to_owned())
    }
}

/// `500ms`, `60s`, `5m`, `1h`, `7d`; at least a millisecond.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("a time is a number and ms, s, m, h or d, e.g. 30s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a time begins with a whole number, e.g. 30s".to_owned())?;
    match number.checked_mul(unit_ms) {
        Some(ms @ 1..=31_536_000_000) => Ok(Duration::from_millis(ms)),
        Some(_) | None => Err("a time is between 1ms and 365d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn origins() {
        for good in ["*", "https://app.example", "http://127.0.0.1:8080", "capacitor://localhost"] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in
            ["", "app.example", "not an origin", "https://", "://a", "https://a.example/path", "https://u@a"]
        {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn webhooks() {
        for good in [
            "https://a.example",
            "https://a.example:8443/push?key=1",
            "http://[::1]:80/push",
            "HTTP://localhost/",
        ] {
            assert!(webhook(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a.example",
            "/push",
            "ftp://a.example/",
            "https://",
            "https:///push",
            "https://u:p@a.example/",
            "http://a b/",
            "https://a.example/#push",
        ] {
            assert!(webhook(bad).is_err(), "{bad}");
        }
        for (line, good) in [
            ("--webhook https://a.example --webhook-secret S", true),
            ("--webhook https://a.example --webhook-secret-file F", true),
            ("--webhook https://a.example --webhook-secret S --webhook-secret-file F", false),
            ("--webhook-secret S", false),
            ("--webhook-secret-file F", false),
        ] {
            let parsed = Cli::try_parse_from(format!("jmrtc-server {line}").split(' '));
            assert_eq!(parsed.is_ok(), good, "{line}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "s", "5", "-5s", "5 s", "1.5h", "0s", "9999999999999999999s", "9999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_of_token_may_stand_on_either_side() {
        for line in [
            "jmrtc-server --secret S token --user alice",
            "jmrtc-server token --user alice --secret S --for 2h",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.identity.secret.as_deref(), Some("S"));
            assert!(matches!(cli.command, Some(Command::Token { .. })));
        }
        assert!(Cli::try_parse_from(["jmrtc-server", "token", "--backend"]).is_ok());
        // Where the server's settings are in the environment, the webhook's secret is.
        let lonely = ["jmrtc-server", "--webhook-secret", "S"];
        assert!(Cli::try_parse_from(lonely.into_iter().chain(["token", "--backend"])).is_ok());
        assert!(Cli::try_parse_from(lonely).is_err());
        assert!(Cli::try_parse_from(["jmrtc-server", "token", "--backend", "--user", "alice"]).is_err());
        assert!(Cli::try_parse_from(["jmrtc-server", "token"]).is_err());
        assert!(Cli::try_parse_from(["jmrtc-server", "--dev-public"]).is_err());
        for (flag, good, bad) in [
            ("--slots", "8", "9"),
            ("--max-members", "1000", "1001"),
            ("--invitations", "1", "0"),
            ("--app-key", &"\"".repeat(128), &"\"".repeat(129)),
            ("--app-key", "a", ""),
        ] {
            assert!(Cli::try_parse_from(["jmrtc-server", flag, good]).is_ok(), "{flag} {good}");
            assert!(Cli::try_parse_from(["jmrtc-server", flag, bad]).is_err(), "{flag} {bad}");
        }
    }
}
