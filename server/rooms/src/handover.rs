//! Calls that outlive their server: one that is stopped hands them over to the one that takes its place, and with them the
//! sign-ins of the devices that they concern, so that each goes on where it was: with all events in order, and with the answers to
//! what it asked. Media links end with the server.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::{ChannelId, Closing, RequestId, ServerEvent, ServerMessage, Username};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

use crate::call::{Call, Joined, Rung, Seat};
use crate::decide::{Gone, Ring};
use crate::link::Closed;
use crate::members::MAX_PUSHES;
use crate::rooms::Rooms;
use crate::signin::{Answers, Events, Secret, SignIn, SignInId};
use crate::timers::Due;
use crate::{CallKey, MediaCommand, MemberRecord, Output, UserRecord};

/// No sign-in has this number.
const GONE: SignInId = SignInId(0);

/// All sign-ins together, in bytes of JSON: those with the most to be told are left out where it is more, and their devices sign in
/// anew. One of a lively call of two has some KB, one that tells of everybody in a call of 1,000 may have some MB
/// ([`crate::MAX_KEPT_USERS`]).
const MAX_SIGN_INS_BYTES: usize = 64 * 1024 * 1024;

/// The calls of a server that has stopped, and what was left of each time then: the next server has another clock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handover {
    /// Unix milliseconds.
    stopped: i64,
    #[serde(deserialize_with = "readable")]
    calls: Vec<Kept>,
    /// None where the server is of a release that handed none over.
    #[serde(default, deserialize_with = "readable")]
    sign_ins: Vec<KeptSignIn>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    channel: ChannelId,
    inviter: Username,
    start_time: i64,
    log: Vec<MemberRecord>,
    rung: Vec<KeptRing>,
    joined: Vec<KeptSeat>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptRing {
    entry: usize,
    ring: Ring,
    left_ms: u64,
    pushes: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptSeat {
    entry: usize,
    /// None for a robot.
    device: Option<String>,
    /// The device's sign-in has taken it, not one before.
    #[serde(default)]
    taken: bool,
    muted: bool,
    /// How long its device is waited for.
    left_ms: u64,
}

/// What a device needs to go on with its sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptSignIn {
    user: Username,
    device: String,
    /// What is deleted from a file may still be read there, so it is a digest.
    secret: String,
    /// How long the device is waited for.
    left_ms: u64,
    /// The number of the last event.
    last: u64,
    /// Those that are not acknowledged.
    events: Vec<ServerEvent>,
    answers: Vec<ServerMessage>,
    forgotten: RequestId,
}

/// What tells what only another release knows is left out: a call of that kind is none, and the device of such a sign-in signs in
/// anew.
fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Readable<T> {
        Known(T),
        Unknown(IgnoredAny),
    }
    let all = Vec::<Readable<T>>::deserialize(from)?;
    let known = |one| match one {
        Readable::Known(one) => Some(one),
        Readable::Unknown(IgnoredAny) => None,
    };
    Ok(all.into_iter().filter_map(known).collect())
}

impl Handover {
    /// Whether there was no call, and nothing that a device was still to be told.
    pub const fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.sign_ins.is_empty()
    }

    /// How many calls there were.
    pub const fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Whom each call concerns.
    pub fn casts(&self) -> impl Iterator<Item = BTreeSet<&Username>> {
        self.calls.iter().map(|call| call.users().collect())
    }

    /// Whose devices go on with their sign-ins.
    pub fn signed_in(&self) -> BTreeSet<&Username> {
        self.sign_ins.iter().map(|sign_in| &sign_in.user).collect()
    }
}

impl Kept {
    fn users(&self) -> impl Iterator<Item = &Username> {
        self.log.iter().map(|member| &member.username).chain([&self.inviter])
    }

    /// After how many milliseconds the last device was waited for no longer, if that is over `by` then.
    fn over(&self, by: u64) -> Option<u64> {
        let last = self.joined.iter().filter(|seat| seat.device.is_some()).map(|seat| seat.left_ms).max();
        last.filter(|last| *last <= by)
    }
}

impl Rooms {
    /// Stops without ending the calls.
    pub(crate) fn suspend(&mut self, unix_ms: i64) {
        self.stopped = true;
        let ids: Vec<SignInId> = self.sign_ins.keys().copied().collect();
        for id in ids {
            self.close_conn(id, Some(Closing::ServerShutdown));
            // Whoever asks again for the answer about a link that is gone has to make another.
            self.close_link(id, Closed::Replaced);
            self.end_preflight(id, Closed::Replaced);
        }
        let sign_ins = self.kept_sign_ins(MAX_SIGN_INS_BYTES);
        let kept = self.calls.values().map(|call| self.kept(call)).collect();
        self.out.push(Output::Handover(Handover { stopped: unix_ms, calls: kept, sign_ins }));
        for (key, call) in std::mem::take(&mut self.calls) {
            for user in &call.cast {
                self.timers.clear(&Due::Ring(key, user.clone()));
                self.timers.clear(&Due::Seat(key, user.clone()));
                self.directory.release(user);
            }
        }
        self.channels.clear();
        self.places.clear();
        self.started = 0;
        self.sign_all_out();
    }

    /// Whether a device has to know how a call goes on, or may still have to be told how one went on.
    fn is_concerned(&self, sign_in: &SignIn) -> bool {
        self.places.contains_key(&sign_in.user) || !sign_in.events.are_acked()
    }

    fn kept(&self, call: &Call) -> Kept {
        let grace = self.now.plus(self.config.grace_ms);
        let seat = |member: &Joined| {
            let (device, taken) = match &member.seat {
                Seat::Device { device, sign_in } => {
                    (Some(device.clone()), self.device(&member.user, device) == Some(*sign_in))
                }
                Seat::Robot => (None, false),
            };
            let lost = self.timers.at(&Due::Seat(call.key, member.user.clone()));
            let left_ms = lost.unwrap_or(grace).since(self.now);
            KeptSeat { entry: member.entry, device, taken, muted: member.muted, left_ms }
        };
        let ring = |member: &Rung| KeptRing {
            entry: member.entry,
            ring: member.ring,
            left_ms: member.until.since(self.now),
            pushes: member.pushes,
        };
        Kept {
            channel: call.channel.clone(),
            inviter: call.inviter.clone(),
            start_time: call.start_time,
            log: call.log.clone(),
            rung: call.rung.iter().map(ring).collect(),
            joined: call.joined.iter().map(seat).collect(),
        }
    }

    /// Those of all devices that are concerned, as many as are no larger than `most` together: no more is looked at, for the server
    /// has to stop soon.
    fn kept_sign_ins(&self, most: usize) -> Vec<KeptSignIn> {
        let mut concerned: Vec<_> = self.sign_ins.iter().filter(|(_, s)| self.is_concerned(s)).collect();
        concerned.sort_by_key(|(_, sign_in)| sign_in.events.weight() + sign_in.answers.weight());
        let (mut kept, mut all) = (Vec::new(), 0);
        for (id, sign_in) in concerned {
            let sign_in = self.kept_sign_in(*id, sign_in);
            // What can't be written does not fit.
            all += serde_json::to_vec(&sign_in).map_or(most + 1, |text| text.len());
            if all > most {
                break;
            }
            kept.push(sign_in);
        }
        kept
    }

    fn kept_sign_in(&self, id: SignInId, sign_in: &SignIn) -> KeptSignIn {
        let lost = self.timers.at(&Due::SignIn(id));
        let event = |message| {
            if let ServerMessage::Event { event, .. } = message { Some(event) } else { None }
        };
        let (answers, forgotten) = sign_in.answers.given();
        KeptSignIn {
            user: sign_in.user.clone(),
            device: sign_in.device.clone(),
            secret: sign_in.secret.digest(),
            left_ms: lost.map_or(self.config.grace_ms, |at| at.since(self.now)),
            last: sign_in.events.last(),
            events: sign_in.events.again(self.now).into_iter().filter_map(event).collect(),
            answers,
            forgotten,
        }
    }

    /// Takes over the calls of the server before.
    pub(crate) fn take_over(&mut self, unix_ms: i64, handover: Handover, records: Vec<UserRecord>) {
        // One who is signed in and in a call is told of twice, in whole and in part.
        let mut known: BTreeMap<Username, UserRecord> = BTreeMap::new();
        for UserRecord { username, profile, relations } in records {
            let record = known.entry(username.clone()).or_insert_with(|| UserRecord::named(username));
            record.profile = profile;
            record.relations.extend(relations);
        }
        // A clock that was set back has not turned back time.
        let passed = u64::try_from(unix_ms.saturating_sub(handover.stopped)).unwrap_or(0);
        // First, for they are told what becomes of the calls.
        for kept in handover.sign_ins {
            let record = known.get(&kept.user).cloned();
            if let Some(record) = record.filter(|_| kept.left_ms > passed) {
                self.go_on(kept, passed, record);
            }
        }
        for kept in handover.calls {
            let over = kept.over(passed).map(|after| handover.stopped.saturating_add_unsigned(after));
            let key = self.take_up(kept, passed, &known);
            match over {
                // Nobody came back to it in time.
                Some(end) => self.finish_at(end, key, Gone::Lost.to_others(), Gone::Lost.to_rung()),
                None => {
                    self.wake_all(key);
                    self.depart_deleted(key, &known);
                    if self.calls.get(&key).is_some_and(Call::is_over) {
                        self.finish(key, Gone::Lost.to_others(), Gone::Lost.to_rung());
                    }
                }
            }
        }
    }

    /// At the earliest with the next deadline, as all that happens by itself.
    fn until(&self, left_ms: u64, passed: u64) -> crate::Timestamp {
        self.now.plus(left_ms.saturating_sub(passed).max(1))
    }

    /// A device was signed in at the server before, and is lost until it is back here.
    fn go_on(&mut self, kept: KeptSignIn, passed: u64, record: UserRecord) {
        let KeptSignIn { user, device, secret, left_ms, last, mut events, answers, forgotten } = kept;
        if self.device(&user, &device).is_some() {
            return;
        }
        for event in &mut events {
            if let ServerEvent::Invited { ring_ms, .. } = event {
                *ring_ms = ring_ms.saturating_sub(passed);
            }
        }
        let id = SignInId(self.number());
        self.directory.hold_named(record);
        self.timers.set(Due::SignIn(id), self.until(left_ms, passed));
        self.devices.entry(user.clone()).or_default().insert(device.clone(), id);
        let sign_in = SignIn {
            user,
            device,
            secret: Secret::Digest(secret),
            conn: None,
            events: Events::of(last, self.now, events),
            answers: Answers::of(answers, forgotten),
            link: None,
            link_lost: true,
            preflight: None,
        };
        self.sign_ins.insert(id, sign_in);
    }

    fn take_up(&mut self, kept: Kept, passed: u64, known: &BTreeMap<Username, UserRecord>) -> CallKey {
        let key = CallKey(self.number());
        let cast: BTreeSet<Username> = kept.users().cloned().collect();
        for user in &cast {
            let record = known.get(user).cloned().unwrap_or_else(|| UserRecord::named(user.clone()));
            self.directory.hold_named(record);
        }
        let Kept { channel, inviter, start_time, log, rung: rings, joined: seats } = kept;
        let member = |entry: usize| log.get(entry).map(|m| (m.username.clone(), m.invited_by.clone()));
        let (mut rung, mut joined) = (Vec::new(), Vec::new());
        for KeptRing { entry, ring, left_ms, pushes } in rings {
            let Some((user, invited_by)) = member(entry) else { continue };
            let until = self.until(left_ms, passed);
            self.timers.set(Due::Ring(key, user.clone()), until);
            // What was still to be pushed went with the server, and so did the device's connection.
            let pushes = pushes.min(MAX_PUSHES - 1);
            let member = Rung { user, invited_by, ring, until, pushes, entry };
            if member.is_shown() {
                self.places.insert(member.user.clone(), key);
            }
            rung.push(member);
        }
        for KeptSeat { entry, device, taken, muted, left_ms } in seats {
            let Some((user, invited_by)) = member(entry) else { continue };
            let seat = match device {
                Some(device) => {
                    self.places.insert(user.clone(), key);
                    self.timers.set(Due::Seat(key, user.clone()), self.until(left_ms, passed));
                    let sign_in = self.device(&user, &device).filter(|_| taken).unwrap_or(GONE);
                    Seat::Device { device, sign_in }
                }
                None => Seat::Robot,
            };
            joined.push(Joined { user, invited_by, seat, muted, entry });
        }
        if joined.iter().any(Joined::is_robot) {
            self.media(MediaCommand::Echo { call: key, on: true });
        }
        if start_time != 0 {
            self.started += 1;
        }
        self.channels.insert(channel.clone(), key);
        self.calls.insert(key, Call { key, channel, inviter, rung, joined, start_time, log, cast });
        key
    }

    fn wake_all(&mut self, key: CallKey) {
        let rung = self.calls.get(&key).into_iter().flat_map(|call| &call.rung);
        let shown: Vec<_> = rung.filter(|m| m.is_shown()).map(|m| m.user.clone()).collect();
        for user in shown {
            self.wake(key, &user);
        }
    }

    /// Who is no user any more was deleted while the server before stopped.
    fn depart_deleted(&mut self, key: CallKey, known: &BTreeMap<Username, UserRecord>) {
        let Some(call) = self.calls.get(&key) else { return };
        let deleted: Vec<_> = call.users().filter(|user| !known.contains_key(*user)).cloned().collect();
        for user in deleted {
            self.deleted(&user);
        }
    }
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{Device, Platform, Reason, Request, Resume};

    use super::*;
    use crate::{Config, ConnId, Input, Timestamp};

    const GRACE_MS: u64 = 30_000;

    fn rooms() -> Rooms {
        let config = Config {
            app_key: "app".into(),
            epoch_ms: 0,
            ring_ms: 60_000,
            grace_ms: GRACE_MS,
            ping_ms: 10_000,
            max_members: 8,
            invitations_per_minute: 60,
            slots: 4,
            ice_servers: Vec::new(),
            robots: BTreeSet::new(),
        };
        Rooms::new(config, [1; 32])
    }

    fn name(name: &str) -> Username {
        Username::new(name).unwrap()
    }

    fn hello(rooms: &mut Rooms, at: u64, conn: u64, user: &str) -> Vec<Output> {
        let known = vec![UserRecord::named(name(user))];
        let device = Device { id: user.into(), platform: Platform::Native };
        let hello = Input::Hello { conn: ConnId(conn), user: name(user), device, resume: None, known };
        rooms.handle(Timestamp(at), hello)
    }

    /// The calls of a server that stopped at 1,005,000: Alice's, who has called Bob four seconds before, and he is rung.
    fn handed_over() -> Handover {
        let mut rooms = rooms();
        hello(&mut rooms, 0, 1, "alice");
        let request = Request::Start { usernames: vec![name("bob")] };
        let known = vec![UserRecord::named(name("bob"))];
        rooms.handle(Timestamp(1_000), Input::Request { conn: ConnId(1), id: 1, request, known });
        let outputs = rooms.handle(Timestamp(5_000), Input::Suspend { unix_ms: 1_005_000 });
        assert!(rooms.is_idle(), "nothing is left of it");
        let handover = |output| if let Output::Handover(handover) = output { Some(handover) } else { None };
        outputs.into_iter().find_map(handover).unwrap()
    }

    #[test]
    fn what_is_left_of_a_time_is_counted_on_the_clock_of_the_next() {
        let text = serde_json::to_string(&handed_over()).unwrap();
        let handover: Handover = serde_json::from_str(&text).unwrap();
        assert_eq!(handover.casts().collect::<Vec<_>>(), [BTreeSet::from([&name("alice"), &name("bob")])]);
        // Seven seconds after the stop.
        let mut next = rooms();
        let known = ["alice", "bob"].map(|user| UserRecord::named(name(user))).to_vec();
        next.handle(Timestamp(0), Input::TakeOver { unix_ms: 1_012_000, handover, known });
        assert_eq!((next.counts().calls, next.next_deadline()), (1, Some(Timestamp(GRACE_MS - 7_000))));
        let welcomed = hello(&mut next, 1_000, 1, "alice");
        let has_call = |output: &Output| matches!(output, Output::Send { message: ServerMessage::Welcome(w), .. } if w.call.is_some());
        assert!(welcomed.iter().any(has_call));
        let rung = hello(&mut next, 1_000, 2, "bob");
        let left = rung.iter().find_map(|output| {
            let Output::Send { message: ServerMessage::Event { event, .. }, .. } = output else {
                return None;
            };
            if let ServerEvent::Invited { ring_ms, .. } = event { Some(*ring_ms) } else { None }
        });
        assert_eq!(left, Some(60_000 - 4_000 - 8_000));
    }

    #[test]
    fn a_call_for_which_the_next_comes_too_late_is_a_record_that_ends_when_nobody_was_waited_for_any_more() {
        let mut next = rooms();
        let take_over = Input::TakeOver { unix_ms: 9_000_000, handover: handed_over(), known: Vec::new() };
        let outputs = next.handle(Timestamp(0), take_over);
        let [Output::Record(record)] = &outputs[..] else { panic!("{outputs:?}") };
        let end = 1_005_000 + GRACE_MS as i64;
        assert_eq!((record.end_time, record.reason), (end, Reason::NetworkError));
        assert!(record.members.iter().all(|m| (m.leave_time, m.reason) == (end, Reason::NetworkError)));
        assert!(next.is_idle());
    }

    #[test]
    fn who_was_deleted_in_between_is_out_of_the_call_and_a_clock_that_was_set_back_lengthens_nothing() {
        let mut next = rooms();
        let known = vec![UserRecord::named(name("alice"))];
        let take_over = Input::TakeOver { unix_ms: 5, handover: handed_over(), known };
        let outputs = next.handle(Timestamp(0), take_over);
        assert!(outputs.iter().any(|o| matches!(o, Output::Record(_))), "{outputs:?}");
        let counts = next.counts();
        assert_eq!((counts.calls, counts.sign_ins), (0, 1), "she is still to be told");
        next.handle(Timestamp(GRACE_MS), Input::Deadline);
        assert!(next.is_idle());

        let mut next = rooms();
        let known = ["alice", "bob"].map(|user| UserRecord::named(name(user))).to_vec();
        let take_over = Input::TakeOver { unix_ms: 5, handover: handed_over(), known };
        let outputs = next.handle(Timestamp(0), take_over);
        assert!(matches!(&outputs[..], [Output::Push(push)] if push.user == name("bob")), "{outputs:?}");
        assert_eq!(next.next_deadline(), Some(Timestamp(GRACE_MS)));
    }

    /// What is said to `user`, who comes back with that secret and has seen nothing.
    fn back(rooms: &mut Rooms, at: u64, user: &str, secret: &str) -> Vec<ServerMessage> {
        let known = vec![UserRecord::named(name(user))];
        let device = Device { id: user.into(), platform: Platform::Native };
        let resume = Some(Resume { secret: secret.into(), seq: 0 });
        let hello = Input::Hello { conn: ConnId(9), user: name(user), device, resume, known };
        let said = |output| if let Output::Send { message, .. } = output { Some(message) } else { None };
        rooms.handle(Timestamp(at), hello).into_iter().filter_map(said).collect()
    }

    #[test]
    fn a_sign_in_goes_on_for_what_is_left_of_the_grace_time_and_what_rings_for_what_is_left_of_its_own() {
        let mut before = rooms();
        let secret = |outputs: Vec<Output>| {
            let secret = |output| {
                let Output::Send { message: ServerMessage::Welcome(welcome), .. } = output else {
                    return None;
                };
                Some(welcome.secret)
            };
            outputs.into_iter().find_map(secret).unwrap()
        };
        hello(&mut before, 0, 1, "alice");
        let bob = secret(hello(&mut before, 0, 2, "bob"));
        let request = Request::Start { usernames: vec![name("bob")] };
        let known = vec![UserRecord::named(name("bob"))];
        before.handle(Timestamp(1_000), Input::Request { conn: ConnId(1), id: 1, request, known });
        before.handle(Timestamp(2_000), Input::Disconnected { conn: ConnId(1), silent_ms: 0 });
        let outputs = before.handle(Timestamp(12_000), Input::Suspend { unix_ms: 12_000 });
        let handover = |output| if let Output::Handover(handover) = output { Some(handover) } else { None };
        let handover = outputs.into_iter().find_map(handover).unwrap();
        assert_eq!((handover.calls(), handover.sign_ins.len()), (1, 2));
        let known = || ["alice", "bob"].map(|user| UserRecord::named(name(user))).to_vec();
        let take_over = |rooms: &mut Rooms, handover: &Handover, unix_ms| {
            let input = Input::TakeOver { unix_ms, handover: handover.clone(), known: known() };
            rooms.handle(Timestamp(0), input)
        };

        // Alice has been lost for ten seconds, Bob since the stop.
        let mut next = rooms();
        take_over(&mut next, &handover, 12_000 + 5_000);
        assert_eq!(next.counts().sign_ins, 2);
        let said = back(&mut next, 100, "bob", &bob);
        let left = 60_000 - 11_000 - 5_000 - 100;
        assert!(
            matches!(&said[..], [ServerMessage::Welcome(welcome), ServerMessage::Event { seq: 1, event: ServerEvent::Invited { ring_ms, .. } }]
                if welcome.resumed && welcome.secret == bob && *ring_ms == left),
            "{said:?}"
        );

        // Whom Alice's call rang is told that it was over when she was given up, however late the next one comes.
        let mut next = rooms();
        let outputs = take_over(&mut next, &handover, 12_000 + GRACE_MS as i64 - 1);
        let [Output::Record(record)] = &outputs[..] else { panic!("{outputs:?}") };
        assert_eq!(record.end_time, 2_000 + GRACE_MS as i64);
        let said = back(&mut next, 0, "bob", &bob);
        assert!(
            matches!(
                &said[..],
                [
                    ServerMessage::Welcome(_),
                    ServerMessage::Event { event: ServerEvent::Invited { .. }, .. },
                    ServerMessage::Event {
                        seq: 2,
                        event: ServerEvent::Ended { reason: Reason::NetworkError, detail: None, .. }
                    }
                ]
            ),
            "{said:?}"
        );

        // Bob's time is up as well.
        let mut next = rooms();
        take_over(&mut next, &handover, 12_000 + GRACE_MS as i64);
        assert!(next.is_idle());
    }

    #[test]
    fn those_with_most_to_be_told_are_left_out_where_it_is_too_much() {
        let mut rooms = rooms();
        for (conn, user) in [(1, "alice"), (2, "bob")] {
            hello(&mut rooms, 0, conn, user);
        }
        let request = |usernames: &[&str]| {
            let known = usernames.iter().map(|user| UserRecord::named(name(user))).collect();
            let usernames = usernames.iter().map(|user| name(user)).collect();
            Input::Request { conn: ConnId(1), id: 1, request: Request::Start { usernames }, known }
        };
        rooms.handle(Timestamp(0), request(&["bob", "carol"]));
        let size = |sign_in: &KeptSignIn| serde_json::to_string(sign_in).unwrap().len();
        // Beside an answer that tells of as many users as Bob's invitation does, Alice has another.
        rooms.handle(
            Timestamp(0),
            Input::Request {
                conn: ConnId(1),
                id: 2,
                request: Request::Refuse { channel_id: ChannelId("none".into()), stay: 0 },
                known: Vec::new(),
            },
        );
        let all = rooms.kept_sign_ins(MAX_SIGN_INS_BYTES);
        let [bob, alice] = &all[..] else { panic!("{all:?}") };
        assert_eq!((bob.user.as_str(), alice.user.as_str()), ("bob", "alice"));
        assert_eq!(rooms.kept_sign_ins(size(bob) + size(alice)).len(), 2);
        assert_eq!(rooms.kept_sign_ins(size(bob) + size(alice) - 1), std::slice::from_ref(bob));
        assert_eq!(rooms.kept_sign_ins(size(bob) - 1), []);
    }

    /// [`handed_over`] as somebody else may have written it.
    fn rewritten(change: impl FnOnce(&mut serde_json::Value)) -> Handover {
        let mut written = serde_json::to_value(handed_over()).unwrap();
        change(&mut written);
        serde_json::from_value(written).unwrap()
    }

    fn taken_over(handover: Handover) -> Rooms {
        let mut next = rooms();
        let known = ["alice", "bob"].map(|user| UserRecord::named(name(user))).to_vec();
        next.handle(Timestamp(0), Input::TakeOver { unix_ms: 1_006_000, handover, known });
        next
    }

    #[test]
    fn a_call_of_nobody_is_over() {
        let mut next = taken_over(rewritten(|handover| {
            handover["calls"][0]["rung"] = serde_json::json!([]);
            handover["calls"][0]["joined"] = serde_json::json!([]);
        }));
        assert_eq!((next.counts().calls, next.audit()), (0, Ok(())));
        next.handle(Timestamp(GRACE_MS), Input::Deadline);
        assert!(next.is_idle());
    }

    #[test]
    fn more_events_than_anybody_was_told_break_nothing() {
        let mut next = taken_over(rewritten(|handover| handover["signIns"][0]["last"] = u64::MAX.into()));
        assert_eq!(hello(&mut next, 1, 1, "alice").len(), 1);
    }

    #[test]
    fn a_call_that_is_not_understood_takes_no_other_with_it() {
        let handover = rewritten(|handover| {
            let calls = handover["calls"].as_array_mut().unwrap();
            calls.insert(0, serde_json::json!({ "channel": 7 }));
        });
        assert_eq!(handover.calls(), 1);
    }

    /// As at a `hello`: whoever is told something before its device is back sees it as ever.
    #[test]
    fn who_is_signed_in_keeps_its_notes_about_others() {
        assert_eq!(handed_over().signed_in(), BTreeSet::from([&name("alice")]));
    }
}
