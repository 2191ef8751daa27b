//! What a call means, once more: `docs/call-semantics.md` as a program, written for reading. People and their
//! devices do things one after the other; who may, and who hears of it, is all there is. No network, no media, no time
//! but to write down, nothing that makes it fast. The server is held against it, and the devices against the server.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::{Detail, ErrorCode, LeaveReason, Reason, Relation, Username};

/// A user's device.
pub(crate) type Device = (Username, String);
/// Calls are numbered as they come.
pub(crate) type CallNo = u64;
/// And so are the stays in a call, from 0: whoever is invited again is in it with another.
pub(crate) type StayNo = usize;
pub(crate) type Why = (Reason, Option<Detail>);
/// Unix milliseconds.
pub(crate) type Time = i64;

/// What a device is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) what: What,
    /// The call as its user sees it then.
    pub(crate) view: View,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Invited(StayNo),
    Joined(Username),
    Left(Username, Why),
    OthersInvited {
        users: Vec<Username>,
        by: Username,
    },
    Muted(Username, bool),
    /// Whose sound comes in which slot.
    Heard(Vec<Option<Username>>),
    Ended(StayNo, Why),
}

/// A call as somebody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) call: CallNo,
    pub(crate) inviter: Username,
    pub(crate) inviting: Vec<Username>,
    pub(crate) joined: Vec<Username>,
    pub(crate) muted: Vec<Username>,
    /// It has connected at some time.
    pub(crate) begun: bool,
    /// Who asked us in, if not the inviter.
    pub(crate) invited_by: Option<Username>,
    pub(crate) silent: bool,
}

/// A call that is over.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) call: CallNo,
    pub(crate) inviter: Username,
    /// By their numbers.
    pub(crate) stays: Vec<Stay>,
    /// Why it ended, for those who were joined if there was anybody.
    pub(crate) why: Why,
}

/// Somebody's time in a call, from the invitation on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) user: Username,
    pub(crate) invited_by: Username,
    /// Its user may know.
    pub(crate) known: bool,
    pub(crate) invited: Time,
    pub(crate) joined: Option<Time>,
    pub(crate) left: Option<(Time, Why)>,
}

/// All there is.
#[derive(Debug, Default)]
pub(crate) struct Semantics {
    pub(crate) now: Time,
    most_members: usize,
    /// They answer every call at once and are never busy.
    robots: BTreeSet<Username>,
    /// What a user keeps about another.
    relations: BTreeMap<(Username, Username), Relation>,
    /// Devices that are signed in, and whether they can be reached at the moment.
    pub(crate) devices: BTreeMap<Device, bool>,
    pub(crate) calls: BTreeMap<CallNo, Call>,
    calls_so_far: CallNo,
    /// What has been told since the last look, in order.
    pub(crate) told: Vec<(Device, Told)>,
    /// Who has begun to ring since then, or may have to be woken once more.
    pub(crate) rung: Vec<(CallNo, Username)>,
    /// Calls that ended since then.
    pub(crate) over: Vec<Past>,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) inviter: Username,
    pub(crate) ringing: Vec<Ringing>,
    pub(crate) joined: Vec<Joined>,
    begun: bool,
    stays: Vec<Stay>,
}

#[derive(Debug, Clone)]
pub(crate) struct Ringing {
    pub(crate) user: Username,
    invited_by: Username,
    /// Its user may know.
    known: bool,
    /// Is in another call.
    busy: bool,
    silent: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Joined {
    pub(crate) user: Username,
    invited_by: Username,
    /// The device that answered or dialled; a robot has none.
    pub(crate) device: Option<String>,
    /// Its app was started anew since, and has not taken the call up again.
    pub(crate) lapsed: bool,
    muted: bool,
}

/// How somebody leaves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit<'a> {
    Refuses { on: &'a str },
    IsBusy,
    DoesNotAnswer,
    HangsUp,
    IsLost,
}

impl Exit<'_> {
    fn to_others(self) -> Why {
        match self {
            Self::Refuses { .. } => (Reason::Refuse, None),
            Self::IsBusy => (Reason::Busy, None),
            Self::DoesNotAnswer => (Reason::Cancel, Some(Detail::NoAnswer)),
            Self::HangsUp => (Reason::Hangup, None),
            Self::IsLost => (Reason::NetworkError, None),
        }
    }

    fn to_own(self, device: &str) -> Why {
        match self {
            Self::Refuses { on } if on != device => (Reason::Refuse, Some(Detail::RefusedElsewhere)),
            Self::Refuses { .. } | Self::IsBusy | Self::DoesNotAnswer | Self::HangsUp | Self::IsLost => {
                self.to_others()
            }
        }
    }

    /// What those hear who are rung when the call ends by this.
    fn to_rung(self) -> Why {
        match self {
            Self::HangsUp => (Reason::Cancel, Some(Detail::CancelledByInviter)),
            Self::Refuses { .. } | Self::IsBusy | Self::DoesNotAnswer | Self::IsLost => self.to_others(),
        }
    }
}

/// What a device is in a call.
enum Part {
    Rung,
    Joined,
}

impl Semantics {
    pub(crate) fn new(
        most_members: usize,
        robots: BTreeSet<Username>,
        relations: BTreeMap<(Username, Username), Relation>,
    ) -> Self {
        Self { most_members, robots, relations, ..Self::default() }
    }

    // What people do.

    /// Somebody calls, who may invite so many at the moment. Whom of the named nobody knows is returned beside the call.
    pub(crate) fn start(
        &mut self,
        who: &Device,
        names: &[Username],
        exists: impl Fn(&Username) -> bool,
        allowance: u64,
    ) -> Result<(CallNo, Vec<Username>), ErrorCode> {
        let me = &who.0;
        let (named, mut failed) = each_once(names, me);
        if let Some(call) = self.place(me) {
            if self.is_here(call, me) || self.is_back(call, who) {
                return Err(ErrorCode::AlreadyInCall);
            }
            if named.len() == 1 && self.rings_only(call, &named[0], me) {
                // Both call each other: as if one had accepted.
                self.join(call, me, Some(&who.1));
                return Ok((call, failed));
            }
        }
        let (known, unknown) = self.check(&named, 1, exists, allowance)?;
        failed.extend(unknown);
        if let Some(old) = self.place(me) {
            let killed_in_it = self.calls[&old].joined.iter().any(|m| &m.user == me);
            self.leave(old, me, if killed_in_it { Exit::IsLost } else { Exit::IsBusy });
        }
        self.calls_so_far += 1;
        let call = self.calls_so_far;
        let first = Joined {
            user: me.clone(),
            invited_by: me.clone(),
            device: Some(who.1.clone()),
            lapsed: false,
            muted: false,
        };
        let stay = Stay { joined: Some(self.now), ..Stay::begun(me, me, true, self.now) };
        let new = Call {
            inviter: me.clone(),
            ringing: Vec::new(),
            joined: vec![first],
            begun: false,
            stays: vec![stay],
        };
        self.calls.insert(call, new);
        self.invitations(call, me, &known);
        Ok((call, failed))
    }

    /// What comes of a start or an invitation at once.
    pub(crate) fn ring(&mut self, call: CallNo, users: &[Username]) {
        for user in users {
            let busy = |m: &Ringing| &m.user == user && m.busy;
            if self.calls.get(&call).is_some_and(|call| call.ringing.iter().any(busy)) {
                self.leave(call, user, Exit::IsBusy);
            }
        }
        for user in users {
            if self.robots.contains(user) && self.is_rung(call, user) {
                self.join(call, user, None);
            }
        }
        for user in users {
            if self.is_known(call, user) {
                self.rung.push((call, user.clone()));
                for device in self.devices_of(user) {
                    self.tell_invited(call, &device);
                }
            }
        }
    }

    /// Says yes to an invitation.
    pub(crate) fn accept(
        &mut self,
        who: &Device,
        call: Option<CallNo>,
        stay: StayNo,
    ) -> Result<CallNo, ErrorCode> {
        match self.part_by(who, call, Some(stay))? {
            (_, Part::Joined) => Err(ErrorCode::InvalidState),
            (call, Part::Rung) => {
                self.join(call, &who.0, Some(&who.1));
                Ok(call)
            }
        }
    }

    /// Says no to one.
    pub(crate) fn refuse(
        &mut self,
        who: &Device,
        call: Option<CallNo>,
        stay: StayNo,
    ) -> Result<(), ErrorCode> {
        match self.part_by(who, call, Some(stay))? {
            (_, Part::Joined) => Err(ErrorCode::InvalidState),
            (call, Part::Rung) => {
                self.leave(call, &who.0, Exit::Refuses { on: &who.1 });
                Ok(())
            }
        }
    }

    /// Never fails: what should be over is over.
    pub(crate) fn hang_up(
        &mut self,
        who: &Device,
        call: Option<CallNo>,
        stay: Option<StayNo>,
        reason: LeaveReason,
    ) {
        match (self.part_by(who, call, stay), reason) {
            (Ok((call, Part::Joined)), LeaveReason::Hangup) => self.leave(call, &who.0, Exit::HangsUp),
            (Ok((call, Part::Joined)), LeaveReason::NetworkError) => self.leave(call, &who.0, Exit::IsLost),
            (Ok((call, Part::Rung)), LeaveReason::Hangup) => {
                self.leave(call, &who.0, Exit::Refuses { on: &who.1 });
            }
            // This device gives up; the others ring on.
            (Ok((_, Part::Rung)), LeaveReason::NetworkError) | (Err(_), _) => {}
        }
    }

    /// Somebody asks others in. Returns the call, who was invited and who could not be.
    pub(crate) fn invite(
        &mut self,
        who: &Device,
        call: Option<CallNo>,
        names: &[Username],
        exists: impl Fn(&Username) -> bool,
        allowance: u64,
    ) -> Result<(CallNo, Vec<Username>, Vec<Username>), ErrorCode> {
        let (call, Part::Joined) = self.part(who, call)? else { return Err(ErrorCode::InvalidState) };
        let there = self.calls[&call].clone();
        if !there.begun {
            return Err(ErrorCode::InvalidState);
        }
        let (named, mut failed) = each_once(names, &who.0);
        if named.is_empty() {
            return Err(ErrorCode::InvalidParameter);
        }
        let (inside, named): (Vec<_>, Vec<_>) = named.into_iter().partition(|user| there.has(user));
        let members = there.ringing.len() + there.joined.len();
        let (known, unknown) = self.check_within(&named, members, exists, allowance)?;
        failed.extend(inside.into_iter().chain(unknown));
        self.invitations(call, &who.0, &known);
        for member in &there.joined {
            let what = What::OthersInvited { users: known.clone(), by: who.0.clone() };
            self.tell_member(call, member, what);
        }
        Ok((call, known, failed))
    }

    /// A user is no more, and nobody keeps anything about it.
    pub(crate) fn deleted(&mut self, user: &Username) {
        if let Some(call) = self.place(user) {
            let joined = self.calls[&call].joined.iter().any(|m| &m.user == user);
            self.leave(call, user, if joined { Exit::HangsUp } else { Exit::DoesNotAnswer });
        }
        self.devices.retain(|(of, _), _| of != user);
        self.relations.retain(|(of, to), _| of != user && to != user);
    }

    /// What a user keeps about another has changed.
    pub(crate) fn keeps(&mut self, user: &Username, other: &Username, relation: &Relation) {
        self.relations.insert((user.clone(), other.clone()), relation.clone());
    }

    /// A member says whether it is muted; whether that is news, which all are told and of which it has no more than `allowance`.
    pub(crate) fn mute(
        &mut self,
        who: &Device,
        call: Option<CallNo>,
        muted: bool,
        allowance: u64,
    ) -> Result<bool, ErrorCode> {
        let (no, Part::Joined) = self.part(who, call)? else { return Err(ErrorCode::InvalidState) };
        let mut members = self.calls.get_mut(&no).into_iter().flat_map(|call| &mut call.joined);
        let Some(member) = members.find(|m| m.user == who.0 && m.muted != muted) else { return Ok(false) };
        if allowance == 0 {
            return Err(ErrorCode::LimitExceeded);
        }
        member.muted = muted;
        for member in &self.calls[&no].joined.clone() {
            self.tell_member(no, member, What::Muted(who.0.clone(), muted));
        }
        Ok(true)
    }

    // What happens to devices.

    /// A device signs in that is new, or whose app was started anew.
    pub(crate) fn sign_in(&mut self, device: &Device) {
        if let Some(member) = self.seat(device) {
            member.lapsed = true;
        }
        self.devices.insert(device.clone(), true);
        if let Some(call) = self.place(&device.0).filter(|call| self.is_known(*call, &device.0)) {
            self.tell_invited(call, device);
        }
    }

    pub(crate) fn log_out(&mut self, device: &Device) {
        let call = self.place(&device.0);
        match self.part(device, call) {
            Ok((call, Part::Joined)) => self.leave(call, &device.0, Exit::HangsUp),
            Ok((call, Part::Rung)) if self.devices_of(&device.0).len() == 1 => {
                self.leave(call, &device.0, Exit::Refuses { on: &device.1 });
            }
            Ok((_, Part::Rung)) | Err(_) => {}
        }
        self.devices.remove(device);
    }

    /// The device whose app was started anew goes on with its call.
    pub(crate) fn take_up(
        &mut self,
        device: &Device,
        call: Option<CallNo>,
        stay: StayNo,
    ) -> Result<(), ErrorCode> {
        if let (_, Part::Joined) = self.part_by(device, call, Some(stay))?
            && let Some(member) = self.seat(device)
        {
            member.lapsed = false;
        }
        Ok(())
    }

    /// Others than before are heard by a joined device.
    pub(crate) fn hear(&mut self, device: &Device, slots: Vec<Option<Username>>) {
        if let Some(call) = self.place(&device.0).filter(|_| self.is_joined(device)) {
            self.tell(call, device, What::Heard(slots));
        }
    }

    // What time brings.

    pub(crate) fn no_answer(&mut self, call: CallNo, user: &Username) {
        if self.is_rung(call, user) {
            self.leave(call, user, Exit::DoesNotAnswer);
        }
    }

    /// A joined member has been out of reach for too long.
    pub(crate) fn lost(&mut self, call: CallNo, user: &Username) {
        let joined = |call: &Call| call.joined.iter().any(|m| &m.user == user);
        if self.calls.get(&call).is_some_and(joined) {
            self.leave(call, user, Exit::IsLost);
        }
    }

    /// Another server goes on with the calls and with these devices. All others have to sign in with it.
    pub(crate) fn server_hands_over(&mut self, devices: BTreeMap<Device, bool>) {
        self.devices = devices;
    }

    pub(crate) fn server_stops(&mut self) {
        let why = (Reason::NetworkError, Some(Detail::ServerShutdown));
        while let Some(call) = self.calls.keys().next().copied() {
            self.end(call, why, why);
        }
        self.devices.clear();
    }

    // Who is where.

    /// The one call in which a user is; calls of people in its blacklist don't count.
    pub(crate) fn place(&self, user: &Username) -> Option<CallNo> {
        if self.robots.contains(user) {
            return None;
        }
        let calls = self.calls.iter();
        let joined = calls.clone().find(|(_, call)| call.joined.iter().any(|m| &m.user == user));
        let mut rung = calls.filter(|(no, _)| self.is_known(**no, user));
        joined.or_else(|| rung.next()).map(|(no, _)| *no)
    }

    pub(crate) fn is_joined(&self, device: &Device) -> bool {
        let with = |m: &Joined| m.user == device.0 && m.device.as_ref() == Some(&device.1);
        self.calls.values().any(|call| call.joined.iter().any(with))
    }

    /// Whether `user` is joined in the call of a joined device.
    pub(crate) fn is_with(&self, device: &Device, user: &Username) -> bool {
        let call = self.place(&device.0).filter(|_| self.is_joined(device));
        call.is_some_and(|call| self.calls[&call].joined.iter().any(|m| &m.user == user))
    }

    /// The robot in the call of a joined device.
    pub(crate) fn robot_with(&self, device: &Device) -> Option<&Username> {
        self.robots.iter().find(|robot| self.is_with(device, robot))
    }

    pub(crate) fn is_rung(&self, call: CallNo, user: &Username) -> bool {
        self.calls.get(&call).is_some_and(|call| call.ringing.iter().any(|m| &m.user == user))
    }

    pub(crate) fn is_known(&self, call: CallNo, user: &Username) -> bool {
        self.calls.get(&call).is_some_and(|call| call.ringing.iter().any(|m| &m.user == user && m.known))
    }

    /// The place of a device in a call.
    pub(crate) fn seat(&mut self, device: &Device) -> Option<&mut Joined> {
        let mut members = self.calls.values_mut().flat_map(|call| &mut call.joined);
        members.find(|m| m.user == device.0 && m.device.as_ref() == Some(&device.1))
    }

    /// Joined with a device that can be reached and knows of it.
    fn is_here(&self, call: CallNo, user: &Username) -> bool {
        let member = self.calls[&call].joined.iter().find(|m| &m.user == user);
        member.is_some_and(|m| {
            let device = m.device.as_ref().map(|device| (user.clone(), device.clone()));
            !m.lapsed && device.is_none_or(|device| self.devices.get(&device).copied().unwrap_or_default())
        })
    }

    /// Joined with another device than this, which has signed in anew and is about to know of it.
    fn is_back(&self, call: CallNo, (user, this): &Device) -> bool {
        let member = self.calls[&call].joined.iter().find(|m| &m.user == user);
        let other = member.and_then(|m| m.device.as_ref()).filter(|device| *device != this);
        let reachable = |device: &String| self.devices.get(&(user.clone(), device.clone())).copied();
        other.is_some_and(|device| reachable(device).unwrap_or_default())
    }

    /// `caller`'s call rings `user` and nobody else is in it.
    fn rings_only(&self, call: CallNo, caller: &Username, user: &Username) -> bool {
        let call = &self.calls[&call];
        &call.inviter == caller
            && call.joined.len() == 1
            && &call.joined[0].user == caller
            && call.ringing.len() == 1
            && &call.ringing[0].user == user
    }

    /// Which stay of a user there is in a call.
    pub(crate) fn stay(&self, call: CallNo, user: &Username) -> Option<StayNo> {
        self.calls.get(&call)?.stays.iter().position(|stay| &stay.user == user && stay.left.is_none())
    }

    /// The same, if it is that stay that is spoken of.
    fn part_by(
        &self,
        who: &Device,
        call: Option<CallNo>,
        stay: Option<StayNo>,
    ) -> Result<(CallNo, Part), ErrorCode> {
        let meant = |call: &CallNo| stay.is_none() || self.stay(*call, &who.0) == stay;
        self.part(who, call.filter(meant))
    }

    fn part(&self, who: &Device, call: Option<CallNo>) -> Result<(CallNo, Part), ErrorCode> {
        let no = call.filter(|call| self.place(&who.0) == Some(*call)).ok_or(ErrorCode::CallEnded)?;
        match self.calls[&no].joined.iter().find(|m| m.user == who.0) {
            None => Ok((no, Part::Rung)),
            Some(member) if member.device.as_ref() == Some(&who.1) => Ok((no, Part::Joined)),
            Some(_) => Err(ErrorCode::CallEnded),
        }
    }

    fn devices_of(&self, user: &Username) -> Vec<Device> {
        self.devices.keys().filter(|device| &device.0 == user).cloned().collect()
    }

    /// A device of a user can't be reached any more: if the user rings and was not to be woken before, it may be now.
    pub(crate) fn ring_out_of_reach(&mut self, user: &Username) {
        if let Some(call) = self.place(user).filter(|call| self.is_known(*call, user)) {
            self.rung.push((call, user.clone()));
        }
    }

    pub(crate) fn all_are_out_of_reach(&mut self) {
        for (no, call) in &self.calls {
            self.rung.extend(call.ringing.iter().filter(|m| m.known).map(|m| (*no, m.user.clone())));
        }
    }

    pub(crate) fn is_reachable(&self, user: &Username) -> bool {
        self.devices.iter().any(|(device, reachable)| &device.0 == user && *reachable)
    }

    // How members come and go.

    fn check(
        &self,
        named: &[Username],
        members: usize,
        exists: impl Fn(&Username) -> bool,
        allowance: u64,
    ) -> Result<(Vec<Username>, Vec<Username>), ErrorCode> {
        if named.is_empty() {
            Err(ErrorCode::InvalidParameter)
        } else {
            self.check_within(named, members, exists, allowance)
        }
    }

    fn check_within(
        &self,
        named: &[Username],
        members: usize,
        exists: impl Fn(&Username) -> bool,
        allowance: u64,
    ) -> Result<(Vec<Username>, Vec<Username>), ErrorCode> {
        let there = |user: &&Username| self.robots.contains(*user) || exists(user);
        let (known, unknown): (Vec<_>, Vec<_>) = named.iter().partition(there);
        let own = |users: Vec<&Username>| users.into_iter().cloned().collect::<Vec<_>>();
        if named.len() > self.most_members || members + known.len() > self.most_members {
            return Err(ErrorCode::LimitExceeded);
        }
        match known.len() as u64 {
            0 => Err(ErrorCode::UserUnavailable),
            wanted if wanted > allowance => Err(ErrorCode::LimitExceeded),
            _ => Ok((own(known), own(unknown))),
        }
    }

    fn invitations(&mut self, no: CallNo, by: &Username, users: &[Username]) {
        for user in users {
            let relation = self.relations.get(&(user.clone(), by.clone())).cloned().unwrap_or_default();
            let blocked = relation.is_in_black_list;
            let busy = !blocked && self.place(user).is_some();
            let ringing = Ringing {
                user: user.clone(),
                invited_by: by.clone(),
                known: !blocked && !busy,
                busy,
                silent: relation.is_no_disturb && !blocked && !busy,
            };
            if let Some(call) = self.calls.get_mut(&no) {
                call.stays.push(Stay::begun(user, by, ringing.known, self.now));
                call.ringing.push(ringing);
            }
        }
    }

    fn join(&mut self, no: CallNo, user: &Username, device: Option<&str>) {
        let Some(stay) = self.stay(no, user) else { return };
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(at) = call.ringing.iter().position(|m| &m.user == user) else { return };
        let viewer = call.viewer(user);
        let rung = call.ringing.remove(at);
        let before = call.joined.clone();
        let device = device.map(str::to_owned);
        call.joined.push(Joined {
            user: rung.user,
            invited_by: rung.invited_by,
            device: device.clone(),
            lapsed: false,
            muted: false,
        });
        call.begun = true;
        call.write_down(user, |stay| stay.joined = Some(self.now));
        for other in
            self.devices_of(user).into_iter().filter(|d| device.is_some() && device.as_ref() != Some(&d.1))
        {
            let elsewhere = What::Ended(stay, (Reason::Cancel, Some(Detail::AnsweredElsewhere)));
            self.tell_viewer(no, &other, viewer.clone(), elsewhere);
        }
        for member in &before {
            self.tell_member(no, member, What::Joined(user.clone()));
        }
    }

    fn leave(&mut self, no: CallNo, user: &Username, exit: Exit<'_>) {
        let Some(stay) = self.stay(no, user) else { return };
        let Some(call) = self.calls.get_mut(&no).filter(|call| call.has(user)) else { return };
        let before = call.clone();
        call.ringing.retain(|m| &m.user != user);
        call.joined.retain(|m| &m.user != user);
        call.write_down(user, |stay| stay.left = Some((self.now, exit.to_others())));
        let call = call.clone();
        for device in before.devices(user, &self.devices) {
            let view = before.viewer(user);
            self.tell_viewer(no, &device, view, What::Ended(stay, exit.to_own(&device.1)));
        }
        for member in &call.joined {
            self.tell_member(no, member, What::Left(user.clone(), exit.to_others()));
        }
        let people = call.joined.iter().filter(|m| m.device.is_some()).count();
        if people == 0 || call.joined.len() + call.ringing.len() < 2 {
            self.end(no, exit.to_others(), exit.to_rung());
        }
    }

    fn end(&mut self, no: CallNo, to_joined: Why, to_rung: Why) {
        let Some(mut call) = self.calls.get(&no).cloned() else { return };
        let joined = call.joined.iter().map(|m| (m.user.clone(), to_joined));
        let rung = call.ringing.iter().map(|m| (m.user.clone(), to_rung));
        for (user, why) in joined.chain(rung).collect::<Vec<_>>() {
            let Some(stay) = self.stay(no, &user) else { continue };
            for device in call.devices(&user, &self.devices) {
                self.tell(no, &device, What::Ended(stay, why));
            }
            call.write_down(&user, |stay| stay.left = Some((self.now, why)));
        }
        self.calls.remove(&no);
        let given_up = call.joined.iter().all(|m| m.device.is_none()) && !call.ringing.is_empty();
        let why = if given_up { to_rung } else { to_joined };
        self.over.push(Past { call: no, inviter: call.inviter, stays: call.stays, why });
    }

    // Telling.

    fn tell_member(&mut self, call: CallNo, member: &Joined, what: What) {
        let Some(device) = member.device.clone().map(|device| (member.user.clone(), device)) else { return };
        if self.devices.contains_key(&device) {
            self.tell(call, &device, what);
        }
    }

    fn tell_invited(&mut self, call: CallNo, device: &Device) {
        if let Some(stay) = self.stay(call, &device.0) {
            self.tell(call, device, What::Invited(stay));
        }
    }

    fn tell(&mut self, call: CallNo, device: &Device, what: What) {
        let viewer = self.calls[&call].viewer(&device.0);
        self.tell_viewer(call, device, viewer, what);
    }

    fn tell_viewer(
        &mut self,
        no: CallNo,
        device: &Device,
        (invited_by, silent): (Username, bool),
        what: What,
    ) {
        let view = self.calls[&no].view(no, invited_by, silent);
        self.told.push((device.clone(), Told { what, view }));
    }

    /// A call as its member sees it.
    pub(crate) fn view(&self, no: CallNo, user: &Username) -> View {
        let (invited_by, silent) = self.calls[&no].viewer(user);
        self.calls[&no].view(no, invited_by, silent)
    }
}

impl Stay {
    fn begun(user: &Username, invited_by: &Username, known: bool, now: Time) -> Self {
        let (user, invited_by) = (user.clone(), invited_by.clone());
        Self { user, invited_by, known, invited: now, joined: None, left: None }
    }
}

impl Call {
    /// What becomes of a member.
    fn write_down(&mut self, user: &Username, what: impl FnOnce(&mut Stay)) {
        let stay = self.stays.iter_mut().find(|stay| &stay.user == user && stay.left.is_none());
        if let Some(stay) = stay {
            what(stay);
        }
    }

    fn has(&self, user: &Username) -> bool {
        self.ringing.iter().any(|m| &m.user == user) || self.joined.iter().any(|m| &m.user == user)
    }

    /// The devices that know that `user` is in it.
    fn devices(&self, user: &Username, all: &BTreeMap<Device, bool>) -> Vec<Device> {
        let joined = self.joined.iter().find(|m| &m.user == user);
        let rung = self.ringing.iter().any(|m| &m.user == user && m.known);
        let knows = |device: &&Device| match joined {
            Some(member) => member.device.as_ref() == Some(&device.1),
            None => rung,
        };
        all.keys().filter(|device| &device.0 == user).filter(knows).cloned().collect()
    }

    /// By whom a member was asked in, and whether it rings without a sound.
    fn viewer(&self, user: &Username) -> (Username, bool) {
        let rung = self.ringing.iter().find(|m| &m.user == user).map(|m| (m.invited_by.clone(), m.silent));
        let joined = self.joined.iter().find(|m| &m.user == user).map(|m| (m.invited_by.clone(), false));
        rung.or(joined).unwrap_or_else(|| (self.inviter.clone(), false))
    }

    fn view(&self, no: CallNo, invited_by: Username, silent: bool) -> View {
        View {
            call: no,
            inviter: self.inviter.clone(),
            inviting: self.ringing.iter().map(|m| m.user.clone()).collect(),
            joined: self.joined.iter().map(|m| m.user.clone()).collect(),
            muted: self.joined.iter().filter(|m| m.muted).map(|m| m.user.clone()).collect(),
            begun: self.begun,
            invited_by: Some(invited_by).filter(|by| by != &self.inviter),
            silent,
        }
    }
}

/// The named without doubles, and oneself, which can't be called.
fn each_once(names: &[Username], me: &Username) -> (Vec<Username>, Vec<Username>) {
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(*name)).cloned().partition(|name| name != me)
}
