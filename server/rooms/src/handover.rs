//! Calls that outlive their server: one that is stopped hands them over to the one that takes its place. Media links and
//! sign-ins end with it; the devices sign in anew, as apps do that were killed, and find their calls.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::{ChannelId, Reason, Username};
use serde::{Deserialize, Serialize};

use crate::call::{Call, Joined, Rung, Seat};
use crate::decide::Ring;
use crate::members::MAX_PUSHES;
use crate::rooms::Rooms;
use crate::signin::SignInId;
use crate::timers::Due;
use crate::{CallKey, CallRecord, MediaCommand, MemberRecord, Output, UserRecord};

/// No sign-in has this number.
const GONE: SignInId = SignInId(0);

/// The calls of a server that has stopped, and what was left of each time then: the next server has another clock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handover {
    /// Unix milliseconds.
    stopped: i64,
    calls: Vec<Kept>,
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
    muted: bool,
    /// How long its device is waited for.
    left_ms: u64,
}

impl Handover {
    /// Whether there was no call.
    pub const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whom each call concerns.
    pub fn casts(&self) -> impl Iterator<Item = BTreeSet<&Username>> {
        self.calls.iter().map(|call| call.users().collect())
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

    /// The record of a call to which nobody came back before `end`.
    fn record(mut self, end: i64) -> CallRecord {
        let rung = self.rung.iter().map(|ring| ring.entry);
        for entry in rung.chain(self.joined.iter().map(|seat| seat.entry)) {
            if let Some(member) = self.log.get_mut(entry) {
                member.leave_time = end;
                member.reason = Reason::NetworkError;
                member.detail = None;
            }
        }
        CallRecord {
            channel_id: self.channel,
            inviter: self.inviter,
            members: self.log,
            start_time: self.start_time,
            end_time: end,
            reason: Reason::NetworkError,
            detail: None,
        }
    }
}

impl Rooms {
    /// Stops without ending the calls.
    pub(crate) fn suspend(&mut self, unix_ms: i64) {
        self.stopped = true;
        let calls = std::mem::take(&mut self.calls);
        let kept = calls.values().map(|call| self.kept(call)).collect();
        self.out.push(Output::Handover(Handover { stopped: unix_ms, calls: kept }));
        for (key, call) in calls {
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

    fn kept(&self, call: &Call) -> Kept {
        let grace = self.now.plus(self.config.grace_ms);
        let seat = |member: &Joined| KeptSeat {
            entry: member.entry,
            device: match &member.seat {
                Seat::Device { device, .. } => Some(device.clone()),
                Seat::Robot => None,
            },
            muted: member.muted,
            left_ms: {
                let lost = self.timers.at(&Due::Seat(call.key, member.user.clone()));
                lost.unwrap_or(grace).since(self.now)
            },
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

    /// Takes over the calls of the server before.
    pub(crate) fn take_over(&mut self, unix_ms: i64, handover: Handover, records: Vec<UserRecord>) {
        let mut known: BTreeMap<Username, UserRecord> = BTreeMap::new();
        for UserRecord { username, profile, relations } in records {
            let record = known.entry(username.clone()).or_insert_with(|| UserRecord::named(username));
            record.profile = profile;
            record.relations.extend(relations);
        }
        // A clock that was set back has not turned back time.
        let passed = u64::try_from(unix_ms.saturating_sub(handover.stopped)).unwrap_or(0);
        for kept in handover.calls {
            match kept.over(passed) {
                Some(after) => {
                    let end = handover.stopped.saturating_add_unsigned(after);
                    self.out.push(Output::Record(kept.record(end)));
                }
                None => self.take_up(kept, passed, &known),
            }
        }
    }

    fn take_up(&mut self, kept: Kept, passed: u64, known: &BTreeMap<Username, UserRecord>) {
        // At the earliest with the next deadline, as all that happens by itself.
        let until = |rooms: &Self, left_ms: u64| rooms.now.plus(left_ms.saturating_sub(passed).max(1));
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
            let until = until(self, left_ms);
            self.timers.set(Due::Ring(key, user.clone()), until);
            // What was still to be pushed went with the server, and so did the device's connection.
            let pushes = pushes.min(MAX_PUSHES - 1);
            let member = Rung { user, invited_by, ring, until, pushes, entry };
            if member.is_shown() {
                self.places.insert(member.user.clone(), key);
            }
            rung.push(member);
        }
        for KeptSeat { entry, device, muted, left_ms } in seats {
            let Some((user, invited_by)) = member(entry) else { continue };
            let seat = match device {
                Some(device) => {
                    self.places.insert(user.clone(), key);
                    self.timers.set(Due::Seat(key, user.clone()), until(self, left_ms));
                    Seat::Device { device, sign_in: GONE }
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
        let shown = rung.iter().filter(|member| member.is_shown()).map(|member| member.user.clone());
        let shown: Vec<Username> = shown.collect();
        self.calls.insert(key, Call { key, channel, inviter, rung, joined, start_time, log, cast });
        for user in shown {
            self.wake(key, &user);
        }
        self.depart_deleted(key, known);
    }

    /// Who is no user any more was deleted while the server before stopped.
    fn depart_deleted(&mut self, key: CallKey, known: &BTreeMap<Username, UserRecord>) {
        let places = self.places.iter().filter(|(user, place)| **place == key && !known.contains_key(*user));
        for user in places.map(|(user, _)| user.clone()).collect::<Vec<_>>() {
            self.deleted(&user);
        }
    }
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{Device, Platform, Request, ServerEvent, ServerMessage};

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
        assert!(next.is_idle());

        let known = ["alice", "bob"].map(|user| UserRecord::named(name(user))).to_vec();
        let take_over = Input::TakeOver { unix_ms: 5, handover: handed_over(), known };
        let outputs = next.handle(Timestamp(0), take_over);
        assert!(matches!(&outputs[..], [Output::Push(push)] if push.user == name("bob")), "{outputs:?}");
        assert_eq!(next.next_deadline(), Some(Timestamp(GRACE_MS)));
    }
}
