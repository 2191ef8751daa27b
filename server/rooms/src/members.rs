//! Members are rung, join and leave; calls end.

use jmrtc_protocol::{Reason, ServerEvent, Username};

use crate::call::{Joined, Rung, Seat, Viewer, stay};
use crate::decide::{Gone, Ring, Why, ring};
use crate::link::Closed;
use crate::rooms::Rooms;
use crate::signin::SignInId;
use crate::timers::Due;
use crate::{CallKey, CallRecord, MediaCommand, MemberRecord, Output, Push, UserRecord};

/// A member on the way out.
struct Leaver {
    viewer: Viewer,
    entry: usize,
    told: Told,
}

/// Which devices know that their user is a member.
enum Told {
    Nobody,
    AllDevices,
    Device(String),
}

impl From<&Rung> for Leaver {
    fn from(member: &Rung) -> Self {
        let told = if member.is_shown() { Told::AllDevices } else { Told::Nobody };
        Self { viewer: member.viewer(), entry: member.entry, told }
    }
}

impl From<&Joined> for Leaver {
    fn from(member: &Joined) -> Self {
        let told = match &member.seat {
            Seat::Device { device, .. } => Told::Device(device.clone()),
            Seat::Robot => Told::Nobody,
        };
        Self { viewer: member.viewer(), entry: member.entry, told }
    }
}

/// For one invitation: at once, and once more when the last device is lost.
pub(crate) const MAX_PUSHES: u8 = 2;

impl Rooms {
    /// Makes users members who are rung. Nobody is told yet.
    pub(crate) fn add(&mut self, key: CallKey, by: &Username, records: Vec<UserRecord>) {
        let unix_ms = self.unix_ms();
        let until = self.now.plus(self.config.ring_ms);
        let Some(call) = self.calls.get_mut(&key) else { return };
        self.budget.spend(self.now, by, records.len());
        for record in records {
            let user = record.username.clone();
            if call.cast.insert(user.clone()) {
                self.directory.hold_named(record);
            } else {
                self.directory.learn(record);
            }
            let robot = self.config.robots.contains(&user);
            let relation = self.directory.relation(&user, by);
            let ring = ring(robot, &relation, self.places.contains_key(&user));
            match ring {
                Ring::Shown { .. } => {
                    self.places.insert(user.clone(), key);
                    self.timers.set(Due::Ring(key, user.clone()), until);
                }
                Ring::Hidden => self.timers.set(Due::Ring(key, user.clone()), until),
                Ring::Busy | Ring::Robot => {}
            }
            let entry = call.log.len();
            let shown = match ring {
                Ring::Shown { .. } | Ring::Robot => true,
                Ring::Hidden | Ring::Busy => false,
            };
            call.log.push(MemberRecord {
                username: user.clone(),
                invited_by: by.clone(),
                invited_time: unix_ms,
                join_time: 0,
                leave_time: 0,
                reason: Reason::Hangup,
                detail: None,
                shown,
            });
            call.rung.push(Rung { user, invited_by: by.clone(), ring, until, pushes: 0, entry });
        }
    }

    /// What the invitations of `users` bring at once: the busy are gone, robots join, devices ring.
    pub(crate) fn ring(&mut self, key: CallKey, users: &[Username]) {
        let of = |rooms: &Self, user: &Username| {
            rooms.calls.get(&key).and_then(|call| call.rung(user)).map(|m| m.ring)
        };
        for user in users {
            if of(self, user) == Some(Ring::Busy) {
                self.depart(key, user, Gone::Busy);
            }
        }
        for user in users {
            if of(self, user) == Some(Ring::Robot) {
                self.join(key, user, Seat::Robot);
            }
        }
        for user in users {
            for id in self.devices_of(user) {
                self.show(key, user, id);
            }
            self.wake(key, user);
        }
    }

    /// Shows a device of a user that it is rung, if it is and may know.
    pub(crate) fn show(&mut self, key: CallKey, user: &Username, device: SignInId) {
        let Some(call) = self.calls.get(&key) else { return };
        let Some(member) = call.rung(user).filter(|m| m.is_shown()) else { return };
        let session = call.session(&self.directory, &member.viewer());
        let ring_ms = member.until.since(self.now);
        let stay = stay(member.entry);
        self.tell(device, ServerEvent::Invited { session, stay, ring_ms });
    }

    pub(crate) fn is_in_reach(&self, user: &Username) -> bool {
        let connected = |id: &SignInId| self.sign_ins.get(id).is_some_and(|s| s.conn.is_some());
        self.devices_of(user).iter().any(connected)
    }

    /// A device of a user is lost: if that was the last, and the user is rung, it can be woken.
    pub(crate) fn out_of_reach(&mut self, user: &Username) {
        if let Some(key) = self.places.get(user).copied() {
            self.wake(key, user);
        }
    }

    /// Asks for a push, if a user is rung, may know, and has no device connected. A device that comes and goes is not woken
    /// each time.
    pub(crate) fn wake(&mut self, key: CallKey, user: &Username) {
        if self.is_in_reach(user) {
            return;
        }
        let Some(call) = self.calls.get_mut(&key) else { return };
        let rung = call.rung.iter_mut().find(|m| &m.user == user && m.is_shown() && m.pushes < MAX_PUSHES);
        let Some(member) = rung else { return };
        member.pushes += 1;
        let (channel_id, until) = (call.channel.clone(), member.until);
        let (stay, number) = (stay(member.entry), member.pushes);
        let Viewer { user, invited_by, silent } = member.viewer();
        let [inviter, invited_by] =
            [&call.inviter, &invited_by].map(|other| self.directory.view(&user, other));
        let push = Push { user, channel_id, stay, inviter, invited_by, silent, until, number };
        self.out.push(Output::Push(push));
    }

    /// A rung member joins.
    pub(crate) fn join(&mut self, key: CallKey, user: &Username, seat: Seat) {
        let unix_ms = self.unix_ms();
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Some(at) = call.rung.iter().position(|m| &m.user == user) else { return };
        let rung = call.rung.remove(at);
        self.timers.clear(&Due::Ring(key, user.clone()));
        let others = call.audience();
        let robot = seat == Seat::Robot;
        if let Some(record) = call.log.get_mut(rung.entry) {
            record.join_time = unix_ms;
        }
        if call.start_time == 0 {
            call.start_time = unix_ms;
            self.started += 1;
        }
        let (channel_id, start_time) = (call.channel.clone(), call.start_time);
        let viewer = rung.viewer();
        let taken_by = match &seat {
            Seat::Device { sign_in, .. } => Some(*sign_in),
            Seat::Robot => None,
        };
        call.joined.push(Joined {
            user: rung.user,
            invited_by: rung.invited_by,
            seat,
            muted: false,
            entry: rung.entry,
        });

        if robot {
            self.media(MediaCommand::Echo { call: key, on: true });
        }
        for device in self.devices_of(user) {
            if taken_by == Some(device) {
                self.admit(key, device);
            } else if taken_by.is_some() {
                self.close_link(device, Closed::CallEnded);
                self.tell_ended(key, device, &viewer, rung.entry, Why::ANSWERED_ELSEWHERE);
            }
        }
        self.tell_each(others, |rooms, viewer| ServerEvent::Joined {
            channel_id: channel_id.clone(),
            user: rooms.directory.view(viewer, user),
            start_time,
        });
    }

    /// Lets media flow from and to a device's link, if it has prepared one for this call.
    pub(crate) fn admit(&mut self, key: CallKey, device: SignInId) {
        let Some(sign_in) = self.sign_ins.get_mut(&device) else { return };
        let link = sign_in.link.as_mut().filter(|link| link.call == key && !link.admitted);
        let member = || self.calls.get(&key)?.member_key(&sign_in.user);
        if let Some((link, member)) = link.and_then(|link| Some((link, member()?))) {
            link.admitted = true;
            let link = link.id;
            self.media(MediaCommand::Admit { link, call: key, member });
        }
    }

    /// A member leaves, and the call ends if too few are left.
    pub(crate) fn depart(&mut self, key: CallKey, user: &Username, gone: Gone) {
        let unix_ms = self.unix_ms();
        let Some(call) = self.calls.get_mut(&key) else { return };
        let leaver = if let Some(at) = call.rung.iter().position(|m| &m.user == user) {
            Leaver::from(&call.rung.remove(at))
        } else if let Some(at) = call.joined.iter().position(|m| &m.user == user) {
            Leaver::from(&call.joined.remove(at))
        } else {
            return;
        };
        call.log_gone(leaver.entry, unix_ms, gone.to_others());
        for device in self.vacate(key, &leaver) {
            self.tell_ended(key, device, &leaver.viewer, leaver.entry, gone.to_own(device));
        }
        let Some(call) = self.calls.get(&key) else { return };
        let (channel_id, others, over) = (call.channel.clone(), call.audience(), call.is_over());
        let Why { reason, detail } = gone.to_others();
        self.tell_each(others, |rooms, viewer| ServerEvent::Left {
            channel_id: channel_id.clone(),
            user: rooms.directory.view(viewer, user),
            reason,
            detail,
        });
        if over {
            self.finish(key, gone.to_others(), gone.to_rung());
        }
    }

    /// Ends a call for all who are left in it.
    pub(crate) fn finish(&mut self, key: CallKey, to_joined: Why, to_rung: Why) {
        self.finish_at(self.unix_ms(), key, to_joined, to_rung);
    }

    /// As [`Self::finish`], where it was over then.
    pub(crate) fn finish_at(&mut self, unix_ms: i64, key: CallKey, to_joined: Why, to_rung: Why) {
        let Some(call) = self.calls.get(&key) else { return };
        let joined = call.joined.iter().map(|m| (Leaver::from(m), to_joined));
        let rung = call.rung.iter().map(|m| (Leaver::from(m), to_rung));
        let leavers: Vec<(Leaver, Why)> = joined.chain(rung).collect();
        let gave_up = call.joined.iter().all(Joined::is_robot) && !call.rung.is_empty();
        if call.robot().is_some() {
            self.media(MediaCommand::Echo { call: key, on: false });
        }
        for (leaver, why) in leavers {
            for device in self.vacate(key, &leaver) {
                self.tell_ended(key, device, &leaver.viewer, leaver.entry, why);
            }
            if let Some(call) = self.calls.get_mut(&key) {
                call.log_gone(leaver.entry, unix_ms, why);
            }
        }
        let Some(call) = self.calls.remove(&key) else { return };
        self.channels.remove(&call.channel);
        if call.start_time != 0 {
            self.started -= 1;
        }
        for user in &call.cast {
            self.directory.release(user);
        }
        let Why { reason, detail } = if gave_up { to_rung } else { to_joined };
        self.out.push(Output::Record(CallRecord {
            channel_id: call.channel,
            inviter: call.inviter,
            members: call.log,
            start_time: call.start_time,
            end_time: unix_ms,
            reason,
            detail,
        }));
    }

    /// Takes a leaver's place, deadlines and links away; returns the devices that have to be told.
    fn vacate(&mut self, key: CallKey, leaver: &Leaver) -> Vec<SignInId> {
        let user = &leaver.viewer.user;
        self.timers.clear(&Due::Ring(key, user.clone()));
        self.timers.clear(&Due::Seat(key, user.clone()));
        let devices = match &leaver.told {
            Told::Nobody => return Vec::new(),
            Told::AllDevices => self.devices_of(user),
            Told::Device(device) => self.device(user, device).into_iter().collect(),
        };
        self.places.remove(user);
        for device in &devices {
            self.close_link(*device, Closed::CallEnded);
        }
        devices
    }

    fn tell_ended(&mut self, key: CallKey, device: SignInId, viewer: &Viewer, entry: usize, why: Why) {
        let Some(call) = self.calls.get(&key) else { return };
        let session = call.session(&self.directory, viewer);
        let (stay, Why { reason, detail }) = (stay(entry), why);
        self.tell(device, ServerEvent::Ended { session, stay, reason, detail });
    }

    /// Tells each device of a call's audience what `event` makes of the change for its user.
    pub(crate) fn tell_each(
        &mut self,
        audience: Vec<(Username, String)>,
        event: impl Fn(&Self, &Username) -> ServerEvent,
    ) {
        for (user, device) in audience {
            let Some(device) = self.device(&user, &device) else { continue };
            let event = event(self, &user);
            self.tell(device, event);
        }
    }
}
