use std::collections::{BTreeMap, VecDeque};

use jmrtc_protocol::{ErrorCode, Failure, Reply, RequestId, ServerEvent, ServerMessage, Session, Username};

use sha2::{Digest, Sha256};

use crate::link::Link;
use crate::preflight::Preflight;
use crate::{ConnId, LinkId, Timestamp};

/// Events kept for a device that has not said that it has them.
pub(crate) const MAX_UNACKED: usize = 256;
/// Answers kept for requests that come again.
pub(crate) const MAX_ANSWERS: usize = 64;
/// Users that the kept events of a device may tell of together, and its kept answers: few tell of many, but those may tell of
/// everybody in a large call.
pub const MAX_KEPT_USERS: usize = 4_096;
/// Requests of one device that wait for the media relay.
pub(crate) const MAX_PENDING: usize = 16;

/// Numbers sign-ins; one that comes after another is another, also of the same device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SignInId(pub(crate) u64);

/// A device that is signed in, connected or not.
#[derive(Debug)]
pub(crate) struct SignIn {
    pub(crate) user: Username,
    pub(crate) device: String,
    pub(crate) secret: Secret,
    pub(crate) conn: Option<ConnId>,
    pub(crate) events: Events,
    pub(crate) answers: Answers,
    pub(crate) link: Option<Link>,
    /// Its link went with the server before, and it has asked for no other yet.
    pub(crate) link_lost: bool,
    /// Never beside a link.
    pub(crate) preflight: Option<Preflight>,
}

/// What a device shows to go on with its sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    Known(String),
    /// That of a sign-in which the server before has handed over, until it is shown.
    Digest(String),
}

impl Secret {
    pub(crate) fn is(&self, shown: &str) -> bool {
        match self {
            Self::Known(secret) => secret == shown,
            Self::Digest(digest) => *digest == sha256(shown),
        }
    }

    /// In hexadecimal digits. It has 128 bits that nobody can guess: the digest gives nothing away.
    pub(crate) fn digest(&self) -> String {
        match self {
            Self::Known(secret) => sha256(secret),
            Self::Digest(digest) => digest.clone(),
        }
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl SignIn {
    /// Fails where the device has asked for too many links at a time.
    pub(crate) fn check_pending(&self) -> Result<(), Failure> {
        if self.answers.pending() >= MAX_PENDING {
            return Err(Failure::new(ErrorCode::LimitExceeded, "too many link requests at a time"));
        }
        Ok(())
    }
}

/// The events of one sign-in: numbered, and kept until they are acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Events {
    last: u64,
    /// Those numbered up to `last`, with the time at which they happened.
    kept: VecDeque<(Timestamp, ServerEvent)>,
    /// Users of whom the kept ones tell.
    users: usize,
}

impl Events {
    pub(crate) fn push(&mut self, now: Timestamp, event: ServerEvent) -> ServerMessage {
        self.last += 1;
        self.users += users_in_event(&event);
        self.kept.push_back((now, event.clone()));
        while self.kept.len() > MAX_UNACKED || (self.users > MAX_KEPT_USERS && self.kept.len() > 1) {
            self.forget_first();
        }
        ServerMessage::Event { seq: self.last, event }
    }

    /// Those of a sign-in at another server: `last` is the number of the last of `kept`.
    pub(crate) fn of(last: u64, now: Timestamp, kept: Vec<ServerEvent>) -> Self {
        // Nobody was told so many; and more than there can have been are not told as older ones.
        let last = last.min(u64::MAX / 2);
        let mut events = Self { last: last.saturating_sub(kept.len() as u64), ..Self::default() };
        for event in kept {
            let _told_when_it_is_back = events.push(now, event);
        }
        events
    }

    /// About how much the kept ones are.
    pub(crate) fn weight(&self) -> usize {
        self.kept.len() + self.users
    }

    /// Whether the device has all of them for sure.
    pub(crate) fn are_acked(&self) -> bool {
        self.kept.is_empty()
    }

    /// The number of the last.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    fn forget_first(&mut self) {
        if let Some((_, event)) = self.kept.pop_front() {
            self.users -= users_in_event(&event);
        }
    }

    /// The device has all up to `seq`.
    pub(crate) fn ack(&mut self, seq: u64) {
        let unacked = self.last.saturating_sub(seq);
        while self.kept.len() as u64 > unacked {
            self.forget_first();
        }
    }

    /// Whether all after `seq` are still there.
    pub(crate) fn reach_back_to(&self, seq: u64) -> bool {
        self.last.checked_sub(seq).is_some_and(|missing| missing <= self.kept.len() as u64)
    }

    /// All that are kept, for a device that missed them. An invitation tells what is left of its ring time.
    pub(crate) fn again(&self, now: Timestamp) -> Vec<ServerMessage> {
        let first = self.last + 1 - self.kept.len() as u64;
        let renumbered = self.kept.iter().zip(first..);
        renumbered
            .map(|((at, event), seq)| {
                let mut event = event.clone();
                if let ServerEvent::Invited { ring_ms, .. } = &mut event {
                    *ring_ms = ring_ms.saturating_sub(now.since(*at));
                }
                ServerMessage::Event { seq, event }
            })
            .collect()
    }
}

fn users_in_event(event: &ServerEvent) -> usize {
    match event {
        ServerEvent::Invited { session, .. } | ServerEvent::Ended { session, .. } => users_in(session),
        ServerEvent::OthersInvited { users, .. } => users.len() + 1,
        ServerEvent::Joined { .. } | ServerEvent::Left { .. } | ServerEvent::Muted { .. } => 1,
        ServerEvent::Slots { .. } => 0,
    }
}

fn users_in_answer(message: &ServerMessage) -> usize {
    match message {
        ServerMessage::Reply {
            reply: Reply::Start { session, .. } | Reply::Accept { session, .. }, ..
        } => users_in(session),
        ServerMessage::Reply { .. }
        | ServerMessage::Welcome(_)
        | ServerMessage::Failure { .. }
        | ServerMessage::Event { .. }
        | ServerMessage::Fault { .. }
        | ServerMessage::Pong
        | ServerMessage::Closing { .. } => 0,
    }
}

fn users_in(session: &Session) -> usize {
    session.inviting_members.len() + session.joined_members.len()
}

/// What was answered to the requests of one sign-in.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    kept: BTreeMap<RequestId, Answer>,
    /// The highest id whose answer was thrown away.
    forgotten: RequestId,
}

#[derive(Debug)]
struct Answer {
    /// The connection that asked last. The answer goes out there and only there: after a reconnect the client
    /// asks again, and must not be answered twice.
    conn: ConnId,
    /// The link it is about.
    link: Option<LinkId>,
    /// None while the media relay is at work.
    message: Option<ServerMessage>,
    /// The last event that went out before it.
    after: u64,
}

/// No connection has this number.
const NOWHERE: ConnId = ConnId(u64::MAX);

/// How a request stands when it arrives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    New,
    /// Answered before, like this.
    Answered(Box<ServerMessage>),
    /// Will be answered.
    Pending,
    /// So old that nobody can tell what was answered.
    Forgotten,
}

impl Answers {
    /// Those that a sign-in got at another server.
    pub(crate) fn of(kept: Vec<ServerMessage>, forgotten: RequestId) -> Self {
        let mut answers = Self { forgotten, ..Self::default() };
        for message in kept {
            if let ServerMessage::Reply { id, .. } | ServerMessage::Failure { id, .. } = message {
                answers.give(id, NOWHERE, message, 0);
            }
        }
        answers
    }

    /// About how much the kept ones are.
    pub(crate) fn weight(&self) -> usize {
        let users = |answer: &Answer| answer.message.as_ref().map_or(0, users_in_answer);
        self.kept.values().map(|answer| 1 + users(answer)).sum()
    }

    /// All that are given, and the highest id whose answer was thrown away.
    pub(crate) fn given(&self) -> (Vec<ServerMessage>, RequestId) {
        (self.kept.values().filter_map(|answer| answer.message.clone()).collect(), self.forgotten)
    }

    /// `last` is here and below the last event that went out.
    pub(crate) fn arrive(&mut self, id: RequestId, conn: ConnId, last: u64) -> Arrival {
        match self.kept.get_mut(&id) {
            Some(answer) => {
                answer.conn = conn;
                answer.after = last;
                answer
                    .message
                    .clone()
                    .map_or(Arrival::Pending, |message| Arrival::Answered(Box::new(message)))
            }
            None if id <= self.forgotten => Arrival::Forgotten,
            None => Arrival::New,
        }
    }

    pub(crate) fn pending(&self) -> usize {
        self.kept.values().filter(|answer| answer.message.is_none()).count()
    }

    pub(crate) fn wait(&mut self, id: RequestId, conn: ConnId, link: LinkId) {
        self.keep(id, Answer { conn, link: Some(link), message: None, after: 0 });
    }

    pub(crate) fn give(&mut self, id: RequestId, conn: ConnId, message: ServerMessage, last: u64) {
        self.keep(id, Answer { conn, link: None, message: Some(message), after: last });
    }

    /// The media relay has answered; tells the connection that waits for it.
    pub(crate) fn settle(&mut self, id: RequestId, message: ServerMessage, last: u64) -> Option<ConnId> {
        let answer = self.kept.get_mut(&id).filter(|answer| answer.message.is_none())?;
        (answer.message, answer.after) = (Some(message), last);
        Some(answer.conn)
    }

    /// `conn` has got event `seq`, and so every answer that went out there before it: those are not asked for again.
    pub(crate) fn seen(&mut self, conn: ConnId, seq: u64) {
        let forgotten = &mut self.forgotten;
        self.kept.retain(|id, answer| {
            let seen = answer.message.is_some() && answer.conn == conn && answer.after < seq;
            if seen {
                *forgotten = (*forgotten).max(*id);
            }
            !seen
        });
    }

    /// A link is gone: whoever waits for it is told `why`, and so is whoever asks for its answer again. That
    /// would be of no use any more, and a device keeps no kilobytes of SDP of calls that are over.
    /// Returns what to send now.
    pub(crate) fn close(&mut self, gone: LinkId, why: &Failure, last: u64) -> Vec<(ConnId, ServerMessage)> {
        let mut waiting = Vec::new();
        for (id, answer) in &mut self.kept {
            if answer.link != Some(gone) {
                continue;
            }
            let message = ServerMessage::Failure { id: *id, error: why.clone() };
            answer.after = last;
            if answer.message.replace(message.clone()).is_none() {
                waiting.push((answer.conn, message));
            }
        }
        waiting
    }

    fn keep(&mut self, id: RequestId, answer: Answer) {
        self.kept.insert(id, answer);
        let users = |answer: &Answer| answer.message.as_ref().map_or(0, users_in_answer);
        let mut total: usize = self.kept.values().map(users).sum();
        while self.kept.len() > MAX_ANSWERS || total > MAX_KEPT_USERS {
            let oldest = self.kept.iter().find(|(kept, a)| **kept != id && a.message.is_some());
            let Some(oldest) = oldest.map(|(id, _)| *id) else { return };
            total -= self.kept.remove(&oldest).as_ref().map_or(0, users);
            self.forgotten = self.forgotten.max(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{ChannelId, MediaType, Profile, Relation, User};

    use super::*;

    fn event() -> ServerEvent {
        ServerEvent::Slots { channel_id: ChannelId("c".into()), slots: vec![] }
    }

    fn seqs(events: &Events) -> Vec<u64> {
        let seq = |message| {
            let ServerMessage::Event { seq, .. } = message else { panic!("{message:?}") };
            seq
        };
        events.again(Timestamp(0)).into_iter().map(seq).collect()
    }

    #[test]
    fn events_are_kept_until_acknowledged() {
        let mut events = Events::default();
        assert!(events.reach_back_to(0));
        assert!(!events.reach_back_to(1), "an event that never was");
        for _ in 0..5 {
            events.push(Timestamp(0), event());
        }
        assert_eq!(seqs(&events), [1, 2, 3, 4, 5]);
        events.ack(3);
        events.ack(2);
        assert_eq!(seqs(&events), [4, 5]);
        assert!(events.reach_back_to(3) && events.reach_back_to(5));
        assert!(!events.reach_back_to(2) && !events.reach_back_to(6));
        events.ack(u64::MAX);
        assert_eq!(seqs(&events), [0; 0]);
        events.push(Timestamp(0), event());
        assert_eq!(seqs(&events), [6]);
    }

    #[test]
    fn a_device_too_far_behind_is_not_served() {
        let mut events = Events::default();
        for _ in 0..=MAX_UNACKED {
            events.push(Timestamp(0), event());
        }
        assert!(!events.reach_back_to(0));
        assert!(events.reach_back_to(1));
        assert_eq!(seqs(&events).len(), MAX_UNACKED);
    }

    fn session(members: usize) -> Session {
        let user = |n: usize| {
            let name = Username::new(format!("user{n}")).unwrap();
            User::new("app", name, Profile::default(), Relation::default())
        };
        Session {
            channel_id: ChannelId("c".into()),
            media_type: MediaType::Voice,
            inviter: user(0),
            inviting_members: (1..members).map(user).collect(),
            joined_members: vec![user(0)],
            muted_members: vec![],
            start_time: 0,
            invited_by: None,
            silent: false,
        }
    }

    #[test]
    fn fewer_events_of_a_large_call_are_kept() {
        let mut events = Events::default();
        let ringing = |members| ServerEvent::Invited { session: session(members), stay: 1, ring_ms: 1 };
        for _ in 0..30 {
            events.push(Timestamp(0), ringing(200));
        }
        assert_eq!(seqs(&events).len(), MAX_KEPT_USERS / 200);
        assert!(events.reach_back_to(10) && !events.reach_back_to(9));
        events.ack(30);
        assert_eq!(events.users, 0);
        events.push(Timestamp(0), ringing(MAX_KEPT_USERS + 1));
        assert_eq!(seqs(&events), [31], "the last one always");
        events.push(Timestamp(0), event());
        assert_eq!(seqs(&events), [32]);
    }

    #[test]
    fn fewer_answers_about_a_large_call_are_kept() {
        let mut answers = Answers::default();
        for id in 1..=30 {
            answers.give(
                id,
                ConnId(1),
                ServerMessage::Reply { id, reply: Reply::Accept { session: session(200), stay: 1 } },
                0,
            );
        }
        assert_eq!(answers.kept.len(), MAX_KEPT_USERS / 200);
        assert_eq!(answers.arrive(10, ConnId(1), 0), Arrival::Forgotten);
        assert!(matches!(answers.arrive(11, ConnId(1), 0), Arrival::Answered(_)));
    }

    #[test]
    fn an_answer_is_given_again_until_it_is_forgotten() {
        let (mut answers, conn) = (Answers::default(), ConnId(1));
        let reply = |id| ServerMessage::Reply { id, reply: Reply::Leave };
        assert_eq!(answers.arrive(0, conn, 0), Arrival::Forgotten, "ids count from 1");
        for id in 1..=MAX_ANSWERS as u64 {
            assert_eq!(answers.arrive(id, conn, 0), Arrival::New);
            answers.give(id, conn, reply(id), 0);
        }
        assert_eq!(answers.arrive(1, conn, 0), Arrival::Answered(Box::new(reply(1))));
        answers.give(100, conn, reply(100), 0);
        assert_eq!(answers.arrive(1, conn, 0), Arrival::Forgotten);
        assert_eq!(answers.arrive(2, conn, 0), Arrival::Answered(Box::new(reply(2))));
        assert_eq!(answers.arrive(99, conn, 0), Arrival::New);
    }

    #[test]
    fn a_pending_answer_goes_to_the_connection_that_asked_last() {
        let mut answers = Answers::default();
        let reply = ServerMessage::Reply { id: 1, reply: Reply::Link { answer: "sdp".into() } };
        answers.wait(1, ConnId(1), LinkId(9));
        assert_eq!(answers.pending(), 1);
        assert_eq!(answers.arrive(1, ConnId(2), 0), Arrival::Pending);
        assert_eq!(answers.settle(1, reply.clone(), 0), Some(ConnId(2)));
        assert_eq!(answers.settle(1, reply.clone(), 0), None);
        assert_eq!(answers.arrive(1, ConnId(2), 0), Arrival::Answered(Box::new(reply)));

        answers.wait(2, ConnId(2), LinkId(9));
        answers.wait(3, ConnId(2), LinkId(10));
        let why = Failure::new(ErrorCode::CallEnded, "over");
        let gone = |id| ServerMessage::Failure { id, error: why.clone() };
        assert_eq!(answers.close(LinkId(9), &why, 0), [(ConnId(2), gone(2))]);
        assert_eq!(answers.arrive(1, ConnId(2), 0), Arrival::Answered(Box::new(gone(1))));
        assert_eq!(answers.arrive(2, ConnId(2), 0), Arrival::Answered(Box::new(gone(2))));
        assert_eq!(answers.arrive(3, ConnId(2), 0), Arrival::Pending);
    }

    #[test]
    fn an_answer_that_has_been_seen_is_not_kept() {
        let mut answers = Answers::default();
        let reply = |id| ServerMessage::Reply { id, reply: Reply::Leave };
        let again =
            |answers: &mut Answers, id| matches!(answers.arrive(id, ConnId(1), 7), Arrival::Answered(_));
        answers.give(1, ConnId(1), reply(1), 4);
        answers.wait(2, ConnId(1), LinkId(9));
        answers.seen(ConnId(1), 4);
        answers.seen(ConnId(2), 5);
        assert_eq!(answers.kept.len(), 2, "it came after that event, or on another connection");
        answers.seen(ConnId(1), 5);
        assert_eq!(answers.arrive(1, ConnId(1), 5), Arrival::Forgotten);
        assert_eq!(answers.arrive(2, ConnId(1), 5), Arrival::Pending, "nobody has seen what is not there");
        answers.settle(2, reply(2), 6);
        answers.seen(ConnId(1), 6);
        assert!(again(&mut answers, 2), "and once more, after the seventh");
        answers.seen(ConnId(1), 7);
        assert!(again(&mut answers, 2));
        answers.seen(ConnId(1), 8);
        assert!(!again(&mut answers, 2));
        assert_eq!(answers.arrive(3, ConnId(1), 8), Arrival::New);
        answers.wait(3, ConnId(1), LinkId(9));
        answers.close(LinkId(9), &Failure::new(ErrorCode::CallEnded, "over"), 9);
        answers.seen(ConnId(1), 9);
        assert!(again(&mut answers, 3), "said after the ninth");
    }
}
