//! What goes in and what comes out.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::{
    ChannelId, Detail, Device, IceServer, Profile, Reason, Relation, Request, RequestId, Resume,
    ServerMessage, Stay, User, Username,
};
use serde::{Deserialize, Serialize};

use crate::Handover;

/// Milliseconds on a clock of the driver's that never goes back. The zero is the driver's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// `ms` later.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this; 0 where `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Names one connection; chosen by the driver, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Names one media link; chosen by the rooms, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl LinkId {
    /// The source that stands for the echo robot; no real link has this id.
    pub const ECHO: Self = Self(0);
}

/// Names one call towards the media relay; chosen by the rooms, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey(pub u64);

/// Names one member of a call towards the media relay, and stays the same when the user has another link, signs in anew or
/// comes back; chosen by the rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey(pub u64);

/// Names one question to the media relay; comes back in [`Input::LinkAnswer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How the rooms are run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The app whose users these are.
    pub app_key: String,
    /// Unix milliseconds at [`Timestamp`] 0.
    pub epoch_ms: i64,
    /// Milliseconds that an invitation rings.
    pub ring_ms: u64,
    /// Milliseconds for which a lost member stays in its call and a lost sign-in can be resumed.
    pub grace_ms: u64,
    /// Milliseconds between a client's pings; only told to clients, the driver watches the connections.
    pub ping_ms: u64,
    /// Members of one call, joined and ringing together. Messages about calls of more than
    /// [`jmrtc_protocol::limits::MAX_MEMBERS`] may be too long for clients.
    pub max_members: usize,
    /// Invitations that a user may make in a minute, with all its devices; after a pause it may fill some calls at once.
    pub invitations_per_minute: u32,
    /// Receive slots that clients are told to offer.
    pub slots: u8,
    /// STUN and TURN servers that clients are told.
    pub ice_servers: Vec<IceServer>,
    /// Users that answer every call at once, are never busy and send every member back what it says.
    pub robots: BTreeSet<Username>,
}

/// What the store knows of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Who.
    pub username: Username,
    /// What everybody sees.
    pub profile: Profile,
    /// What this user keeps about others; where all are asked for, those left out are [`Relation::default`].
    pub relations: BTreeMap<Username, Relation>,
}

impl UserRecord {
    /// A user of whom nothing but the name is known.
    pub fn named(username: Username) -> Self {
        Self { username, profile: Profile::default(), relations: BTreeMap::new() }
    }
}

/// Everything that can happen to the rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A client on a new connection whose token and protocol version the driver has checked.
    Hello {
        /// The connection.
        conn: ConnId,
        /// The token's subject.
        user: Username,
        /// Which of the user's devices.
        device: Device,
        /// Where to go on, if the client comes back.
        resume: Option<Resume>,
        /// The user's own record, with all its relations.
        known: Vec<UserRecord>,
    },
    /// A request of a signed-in client. The driver has checked the token of an `updateToken`.
    Request {
        /// The connection.
        conn: ConnId,
        /// The request's id.
        id: RequestId,
        /// What is asked.
        request: Request,
        /// The records of the users named in `start` and `invite`, of their relations those to each other and to the
        /// asker at least; users that don't exist are absent.
        known: Vec<UserRecord>,
    },
    /// A sign of life of a signed-in client.
    Ping {
        /// The connection.
        conn: ConnId,
        /// The last event seen.
        ack: u64,
    },
    /// The connection is gone, by whichever end.
    Disconnected {
        /// The connection.
        conn: ConnId,
        /// For how many milliseconds nothing had been heard on it: of the grace time what is more than the time between two
        /// pings is over already.
        silent_ms: u64,
    },
    /// The store has another profile of a user, or a user anew. Users unknown to the rooms are ignored.
    ProfileChanged(Username, Profile),
    /// The store has another relation of a user to another.
    RelationChanged {
        /// Who keeps it.
        viewer: Username,
        /// About whom.
        about: Username,
        /// What is kept from now on.
        relation: Relation,
    },
    /// The store has deleted a user: its call ends as by a hang-up, or rings without an answer, and its devices are
    /// signed out.
    UserDeleted(Username),
    /// The media relay's answer to [`MediaCommand::Open`] or [`MediaCommand::Renew`].
    LinkAnswer {
        /// Of the command.
        ticket: Ticket,
        /// SDP, or why there is none.
        result: Result<String, String>,
    },
    /// Who is heard on a link has changed.
    Slots {
        /// The link that hears.
        link: LinkId,
        /// Who is heard, in the order of the offer's receive slots; [`LinkId::ECHO`] is the robot.
        sources: Vec<Option<LinkId>>,
    },
    /// [`crate::Rooms::next_deadline`] has come.
    Deadline,
    /// The server stops: every call ends, every connection is closed.
    Shutdown,
    /// The server stops and another will take its place: every connection is closed, and the calls are told in
    /// [`Output::Handover`].
    Suspend {
        /// The time of the wall clock, Unix milliseconds.
        unix_ms: i64,
    },
    /// The first input of a server: the calls of the one in whose place it is.
    TakeOver {
        /// The time of the wall clock, Unix milliseconds.
        unix_ms: i64,
        /// As that one told them.
        handover: Handover,
        /// The records of the users of each of [`Handover::casts`], of their relations those to each other at least, and the
        /// whole records of [`Handover::signed_in`], as at a `hello`; who is absent was deleted.
        known: Vec<UserRecord>,
    },
}

/// One thing to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum Output {
    /// Send a message on a connection.
    Send {
        /// The connection.
        conn: ConnId,
        /// What to send.
        message: ServerMessage,
    },
    /// Close a connection once everything sent before has gone out. No `Disconnected` is needed, one does no harm.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Wake the devices of an invited user none of whose devices is connected, or is any more while it rings.
    Push(Push),
    /// A call ended; for the store.
    Record(CallRecord),
    /// For the server that will take this one's place.
    Handover(Handover),
    /// To the media relay.
    Media(MediaCommand),
}

/// What the devices of an invited user are woken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Whose devices.
    pub user: Username,
    /// The call.
    pub channel_id: ChannelId,
    /// Which of the user's stays in it rings.
    pub stay: Stay,
    /// Who started the call, as the user sees it.
    pub inviter: User,
    /// Who asked the user in, as the user sees it.
    pub invited_by: User,
    /// The user does not want to be disturbed by the one who asked it in.
    pub silent: bool,
    /// When it stops ringing.
    pub until: Timestamp,
    /// Which of the pushes for this stay it is, from 1.
    pub number: u8,
}

/// What the media relay must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaCommand {
    /// Make a link for an offer; answered by [`Input::LinkAnswer`]. Until admitted nothing flows.
    Open {
        /// The new link.
        link: LinkId,
        /// Comes back in the answer.
        ticket: Ticket,
        /// SDP (RFC 8866).
        offer: String,
    },
    /// Restart ICE on a link; answered by [`Input::LinkAnswer`].
    Renew {
        /// The link.
        link: LinkId,
        /// Comes back in the answer.
        ticket: Ticket,
        /// SDP (RFC 8866).
        offer: String,
    },
    /// The link's user is joined: forward between all admitted links of this call, and no others.
    Admit {
        /// The link.
        link: LinkId,
        /// The call.
        call: CallKey,
        /// Whose link it is: what the relay knows of a voice goes on with the next link.
        member: MemberKey,
    },
    /// Take the link away. Comes exactly once for each link that was opened, but for those whose offer was refused.
    Close {
        /// The link.
        link: LinkId,
    },
    /// Whether a robot is in the call: what a member says comes back to that member.
    Echo {
        /// The call.
        call: CallKey,
        /// Off by default; may be switched on twice, is switched off when the call ends.
        on: bool,
    },
}

/// A call that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Names the call.
    pub channel_id: ChannelId,
    /// Who started it.
    pub inviter: Username,
    /// Everybody who was ever rung or joined, in the order in which they came in. A user who was
    /// invited twice stands here twice.
    pub members: Vec<MemberRecord>,
    /// Unix milliseconds at which the second member joined; 0 if none did.
    pub start_time: i64,
    /// Unix milliseconds at which the call ended.
    pub end_time: i64,
    /// Why it ended.
    pub reason: Reason,
    /// More about why.
    pub detail: Option<Detail>,
}

/// One member of a call that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRecord {
    /// Who.
    pub username: Username,
    /// Who asked the member in; the inviter itself for the one who started the call.
    pub invited_by: Username,
    /// Unix milliseconds at which the member was rung; for the inviter, at which the call was made.
    pub invited_time: i64,
    /// Unix milliseconds at which the member joined; 0 if it never did.
    pub join_time: i64,
    /// Unix milliseconds at which the member was gone.
    pub leave_time: i64,
    /// Why it is gone, as the member itself was told.
    pub reason: Reason,
    /// More about why.
    pub detail: Option<Detail>,
    /// Whether the member may know of the call: not one who blocked the caller or was in another call.
    pub shown: bool,
}
