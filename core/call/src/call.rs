use jmrtc_protocol::{ChannelId, Reason, Session, Stay, User, Username};
use serde::{Deserialize, Serialize};

use crate::link::{Link, Restart, Stall};
use crate::quality::Quality;
use crate::speakers::Speakers;
use crate::{CallState, CommandId, Timestamp};

/// The one live call of this device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Call {
    /// As the server told it when we came in, with every change since.
    pub(crate) session: Session,
    /// Which of the user's stays in the call this is: one invited again is another.
    pub(crate) stay: Stay,
    /// Did the person say yes?
    pub(crate) accept: Accept,
    /// Does media flow?
    pub(crate) link: Link,
    /// Links made so far: the wire's link generation.
    pub(crate) links: u32,
    /// What is found out about a link that brings no sound.
    pub(crate) stall: Option<Stall>,
    /// The last restart for that.
    pub(crate) restart: Option<Restart>,
    /// When it was seen last that the link's network is gone.
    pub(crate) moved: Option<Timestamp>,
    /// Failures since the link was last up.
    pub(crate) link_failures: u32,
    /// Since when a joined member has had no link.
    pub(crate) link_lost: Option<Timestamp>,
    /// `CallConnected` was told.
    pub(crate) connected: bool,
    /// `CallReconnecting` was told and not yet `CallReconnected`.
    pub(crate) reconnecting: bool,
    /// The server knows that we are muted.
    pub(crate) told_muted: bool,
    /// Who is heard in which receive slot.
    pub(crate) slots: Vec<Option<Username>>,
    pub(crate) speakers: Speakers,
    /// Taken over from this app's life before; `startCallUsers` abandons it.
    pub(crate) restored: bool,
    /// The platform shows it as incoming.
    pub(crate) shown: bool,
    /// The platform was told that the person is in a call.
    pub(crate) started: bool,
    /// How it sounds.
    pub(crate) quality: Quality,
}

/// The accept axis: did the person say yes? It knows nothing of whether media flows.
///
/// ```text
///  invited ─► Ringing ──accept──► Accepting ──reply──► Joined ◄──first to join── Dialled ◄─ start's reply
///               │  ▲                │  │                 │                          │
///               │  └─failed for now─┘  │                 │                          │
///            refuse                 hangup            hangup                     hangup
///               └──────────────► Leaving ◄───────────────┴──────────────────────────┘
/// ```
/// `ended` of the server ends each of them, as do their deadlines.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Accept {
    /// We are rung and the person has not decided.
    Ringing(Ring),
    /// The person said yes; the server has not confirmed it.
    Accepting(Accepting),
    /// We dialled; nobody else has joined so far.
    Dialled { until: Timestamp },
    /// We are a member and somebody else has been one.
    Joined,
    /// The person said no or goodbye; the server has not confirmed it.
    Leaving(Leaving),
}

/// How long it rings.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Ring {
    /// When it stops by itself.
    pub(crate) until: Timestamp,
    /// Whether the server may have forgotten the call: it is asked anew by its `invited`.
    pub(crate) in_doubt: bool,
    /// The person answered on the system's call screen before the engine was ready.
    pub(crate) answered: bool,
}

/// An `accept` under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Accepting {
    pub(crate) commands: Vec<CommandId>,
    /// Rings on where the server can't accept for a reason that may pass.
    pub(crate) ring: Ring,
}

/// A goodbye under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Leaving {
    /// What `CallDisconnect` says when it is ours to say.
    pub(crate) reason: Reason,
    /// `refuse` calls to answer: they fail where the call was over before.
    pub(crate) refuses: Vec<CommandId>,
    /// `hangup` and `releaseEngine` calls to answer: they always succeed.
    pub(crate) hangups: Vec<CommandId>,
    /// When to end it without the server.
    pub(crate) until: Timestamp,
}

impl Call {
    pub(crate) fn new(session: Session, stay: Stay, accept: Accept) -> Self {
        Self {
            session,
            stay,
            accept,
            link: Link::Off,
            links: 0,
            stall: None,
            restart: None,
            moved: None,
            link_failures: 0,
            link_lost: None,
            connected: false,
            reconnecting: false,
            told_muted: false,
            slots: Vec::new(),
            speakers: Speakers::default(),
            restored: false,
            shown: false,
            started: false,
            quality: Quality::default(),
        }
    }

    pub(crate) fn is(&self, channel: &ChannelId) -> bool {
        &self.session.channel_id == channel
    }

    pub(crate) fn is_stay(&self, channel: &ChannelId, stay: Stay) -> bool {
        self.is(channel) && self.stay == stay
    }

    /// Whether link and signalling, which is up or not, do what they should, as far as is known.
    pub(crate) fn is_whole(&self, line_up: bool) -> bool {
        self.link.is_up() && line_up && !self.stall.is_some_and(|stall| stall.lost)
    }

    /// Whether the person is in it, by their own doing and not on the way out.
    pub(crate) const fn is_consented(&self) -> bool {
        match self.accept {
            Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Joined => true,
            Accept::Ringing(_) | Accept::Leaving(_) => false,
        }
    }

    /// Whether the server has us as a member and we mean to stay.
    pub(crate) const fn is_member(&self) -> bool {
        match self.accept {
            Accept::Dialled { .. } | Accept::Joined => true,
            Accept::Ringing(_) | Accept::Accepting(_) | Accept::Leaving(_) => false,
        }
    }

    pub(crate) const fn is_ringing(&self) -> bool {
        match self.accept {
            Accept::Ringing(_) => true,
            Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Joined | Accept::Leaving(_) => false,
        }
    }

    /// The call rings `me`, and nobody but the inviter and `me` is in it.
    pub(crate) fn rings_only(&self, me: &Username) -> bool {
        let one = |users: &[User], name: &Username| users.len() == 1 && &users[0].username == name;
        self.is_ringing()
            && one(&self.session.inviting_members, me)
            && one(&self.session.joined_members, &self.session.inviter.username)
    }

    /// Takes a newer session; tells who has joined since, other than `me`.
    pub(crate) fn update(&mut self, session: Session, me: &Username) -> Vec<User> {
        let joined = |u: &&User| &u.username != me && !self.session.is_joined(&u.username);
        let newcomers = session.joined_members.iter().filter(joined).cloned().collect();
        self.session = session;
        newcomers
    }

    /// The session as it is when `me` has gone.
    pub(crate) fn session_without(&self, me: &Username) -> Session {
        let mut session = self.session.clone();
        session.joined_members.retain(|u| &u.username != me);
        session.inviting_members.retain(|u| &u.username != me);
        session.muted_members.retain(|name| name != me);
        session
    }

    /// When something has to happen by itself, the link's grace time aside.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let accept = match &self.accept {
            Accept::Ringing(ring) => Some(ring.until),
            Accept::Dialled { until } => Some(*until),
            Accept::Leaving(leaving) => Some(leaving.until),
            Accept::Accepting(_) | Accept::Joined => None,
        };
        accept
            .into_iter()
            .chain(self.link.deadline())
            .chain(self.stall.and_then(|stall| stall.deadline()))
            .min()
    }

    pub(crate) const fn state(&self) -> CallState {
        match self.accept {
            Accept::Ringing(_) => CallState::Incoming,
            Accept::Accepting(_) => CallState::Connecting,
            Accept::Dialled { .. } => CallState::Outgoing,
            Accept::Joined => match (self.connected, self.reconnecting) {
                (false, _) => CallState::Connecting,
                (true, true) => CallState::Reconnecting,
                (true, false) => CallState::Connected,
            },
            Accept::Leaving(_) => CallState::Idle,
        }
    }
}
