use jmrtc_protocol::limits::{DEFAULT_MAX_MEMBERS, DEFAULT_SLOTS, MAX_SLOTS};
use jmrtc_protocol::{ClientSettings, Resume, User, Username};
use serde::{Deserialize, Serialize};

use crate::outbox::Owner;
use crate::{CommandId, Generation, LoginState, Timestamp, address};

/// Who is signed in, or wants to be, and how the connection stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) url: String,
    pub(crate) token: String,
    /// The last that the server has taken, as long as it has not rejected it.
    pub(crate) confirmed: Option<String>,
    /// None until the first `welcome`.
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) line: Line,
    /// Connections that failed in a row.
    pub(crate) failures: u32,
    /// Since when there has been no connection.
    pub(crate) lost: Option<Timestamp>,
    /// How long the server took to answer, last time.
    pub(crate) rtt_ms: u64,
    /// Method calls that the next `welcome` answers.
    pub(crate) waiting: Vec<Owner>,
}

/// What the server said when it let us in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignIn {
    pub(crate) user: User,
    pub(crate) secret: String,
    /// The last event seen, and the last that the server knows to be.
    pub(crate) seq: u64,
    pub(crate) acked: u64,
}

/// The signalling connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Line {
    /// Lost; made again then.
    Down { at: Timestamp },
    /// The token is no longer good: nothing is tried until a new one comes.
    Barred,
    /// The socket is being opened.
    Opening { generation: Generation, until: Timestamp },
    /// `hello` is sent.
    Greeting { generation: Generation, until: Timestamp, greeted: Timestamp },
    /// Signed in, since when; when the server was last heard, when it is pinged next, and since when a ping is unanswered.
    Up {
        generation: Generation,
        since: Timestamp,
        heard: Timestamp,
        ping: Timestamp,
        pinged: Option<Timestamp>,
        spare: Spare,
    },
    /// `logout` is sent.
    Leaving { generation: Generation, until: Timestamp, commands: Vec<CommandId>, next: Option<NextLogin> },
}

/// A second connection beside one over which the server does not answer.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Spare {
    /// None; after one that was not needed there is none before then.
    Off { rests: Timestamp },
    /// The socket is being opened, since when.
    Opening { generation: Generation, since: Timestamp },
    /// It is open; the other has until then to say something.
    Open { generation: Generation, until: Timestamp },
}

impl Default for Spare {
    fn default() -> Self {
        Self::Off { rests: Timestamp::default() }
    }
}

impl Spare {
    pub(crate) const fn generation(&self) -> Option<Generation> {
        match self {
            Self::Off { .. } => None,
            Self::Opening { generation, .. } | Self::Open { generation, .. } => Some(*generation),
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Off { .. } | Self::Opening { .. } => None,
            Self::Open { until, .. } => Some(*until),
        }
    }
}

/// A `login` as somebody else, which waits for the logout.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NextLogin {
    pub(crate) command: CommandId,
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Line {
    /// The socket that is there, open or being opened.
    pub(crate) const fn generation(&self) -> Option<Generation> {
        match self {
            Self::Down { .. } | Self::Barred => None,
            Self::Opening { generation, .. }
            | Self::Greeting { generation, .. }
            | Self::Up { generation, .. }
            | Self::Leaving { generation, .. } => Some(*generation),
        }
    }

    /// The socket beside it.
    pub(crate) const fn spare(&self) -> Option<Generation> {
        match self {
            Self::Up { spare, .. } => spare.generation(),
            Self::Down { .. }
            | Self::Barred
            | Self::Opening { .. }
            | Self::Greeting { .. }
            | Self::Leaving { .. } => None,
        }
    }

    /// The socket that requests may go to.
    pub(crate) const fn writable(&self) -> Option<Generation> {
        match self {
            Self::Up { generation, .. } | Self::Leaving { generation, .. } => Some(*generation),
            Self::Down { .. } | Self::Barred | Self::Opening { .. } | Self::Greeting { .. } => None,
        }
    }

    pub(crate) const fn is_up(&self) -> bool {
        match self {
            Self::Up { .. } => true,
            Self::Down { .. }
            | Self::Barred
            | Self::Opening { .. }
            | Self::Greeting { .. }
            | Self::Leaving { .. } => false,
        }
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        match self {
            Self::Leaving { .. } => true,
            Self::Down { .. }
            | Self::Barred
            | Self::Opening { .. }
            | Self::Greeting { .. }
            | Self::Up { .. } => false,
        }
    }
}

impl Account {
    pub(crate) const fn new(url: String, token: String) -> Self {
        Self {
            url,
            token,
            confirmed: None,
            sign_in: None,
            line: Line::Barred,
            failures: 0,
            lost: None,
            rtt_ms: 0,
            waiting: Vec::new(),
        }
    }

    pub(crate) fn me(&self) -> Option<&Username> {
        self.sign_in.as_ref().map(|s| &s.user.username)
    }

    pub(crate) fn resume(&self) -> Option<Resume> {
        self.sign_in.as_ref().map(|s| Resume { secret: s.secret.clone(), seq: s.seq })
    }

    /// Whether `token` seems to be for the same user; the server has the last word.
    pub(crate) fn is_same_user(&self, token: &str) -> bool {
        let Some(subject) = address::subject(token) else { return true };
        match self.me() {
            Some(me) => me.as_str() == subject,
            None => address::subject(&self.token).is_none_or(|s| s == subject),
        }
    }

    pub(crate) fn deadline(&self, ping_ms: u64) -> Option<Timestamp> {
        match &self.line {
            Line::Barred => None,
            Line::Down { at } => Some(*at),
            Line::Opening { until, .. } | Line::Greeting { until, .. } | Line::Leaving { until, .. } => {
                Some(*until)
            }
            Line::Up { heard, ping, spare, .. } => {
                let alone = (*ping).min(heard.plus(silence(ping_ms)));
                Some(spare.deadline().map_or(alone, |at| at.min(alone)))
            }
        }
    }

    pub(crate) const fn state(&self) -> LoginState {
        match (&self.sign_in, &self.line) {
            (_, Line::Leaving { .. }) => LoginState::LoggedOut,
            (Some(_), Line::Up { .. }) => LoginState::LoggedIn,
            (Some(_), Line::Barred) => LoginState::TokenRejected,
            (Some(_), Line::Down { .. } | Line::Opening { .. } | Line::Greeting { .. }) => {
                LoginState::Reconnecting
            }
            (
                None,
                Line::Down { .. }
                | Line::Barred
                | Line::Opening { .. }
                | Line::Greeting { .. }
                | Line::Up { .. },
            ) => LoginState::LoggingIn,
        }
    }
}

/// Hearing nothing for so many milliseconds means that the connection is dead.
pub(crate) const fn silence(ping_ms: u64) -> u64 {
    ping_ms.saturating_mul(2)
}

/// A server's wishes within what the machine can do.
pub(crate) fn sane(mut settings: ClientSettings) -> ClientSettings {
    settings.ping_ms = settings.ping_ms.max(50);
    settings.max_members = settings.max_members.max(2);
    settings.slots = settings.slots.clamp(1, MAX_SLOTS as u8);
    settings
}

/// What holds while nothing is known.
pub(crate) fn default_settings() -> ClientSettings {
    ClientSettings {
        ring_ms: 60_000,
        grace_ms: 30_000,
        ping_ms: 10_000,
        max_members: DEFAULT_MAX_MEMBERS as u32,
        slots: DEFAULT_SLOTS as u8,
        ice_servers: Vec::new(),
    }
}
