use std::collections::BTreeSet;

use jmrtc_protocol::{ChannelId, MediaType, Session, Stay, User, Username};

use crate::decide::{Ring, Why, is_over};
use crate::directory::Directory;
use crate::signin::SignInId;
use crate::{CallKey, MemberKey, MemberRecord, Timestamp};

/// One call. Who is in neither list is no member.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) key: CallKey,
    pub(crate) channel: ChannelId,
    pub(crate) inviter: Username,
    /// In the order of the invitations.
    pub(crate) rung: Vec<Rung>,
    /// In the order in which they joined.
    pub(crate) joined: Vec<Joined>,
    /// Unix milliseconds at which the second member joined; 0 before.
    pub(crate) start_time: i64,
    /// Everybody who was ever a member, once for each stay, by its number.
    pub(crate) log: Vec<MemberRecord>,
    /// Whom the call holds in the directory.
    pub(crate) cast: BTreeSet<Username>,
}

/// A member who has not answered.
#[derive(Debug, Clone)]
pub(crate) struct Rung {
    pub(crate) user: Username,
    pub(crate) invited_by: Username,
    pub(crate) ring: Ring,
    pub(crate) until: Timestamp,
    /// Pushes asked for.
    pub(crate) pushes: u8,
    /// Index into the call's log.
    pub(crate) entry: usize,
}

/// A member who is in the call.
#[derive(Debug, Clone)]
pub(crate) struct Joined {
    pub(crate) user: Username,
    pub(crate) invited_by: Username,
    pub(crate) seat: Seat,
    pub(crate) muted: bool,
    /// Index into the call's log.
    pub(crate) entry: usize,
}

/// What a joined member is in the call with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seat {
    /// `sign_in` took the seat. When the device has signed in anew since, that sign-in is gone, and the
    /// seat is kept for a while for the device to take it up again.
    Device {
        device: String,
        sign_in: SignInId,
    },
    Robot,
}

/// For whom a session is made.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(crate) user: Username,
    pub(crate) invited_by: Username,
    pub(crate) silent: bool,
}

impl Rung {
    /// Whether its user may know of it.
    pub(crate) fn is_shown(&self) -> bool {
        match self.ring {
            Ring::Shown { .. } => true,
            Ring::Hidden | Ring::Busy | Ring::Robot => false,
        }
    }

    pub(crate) fn viewer(&self) -> Viewer {
        let silent = self.ring == Ring::Shown { silent: true };
        Viewer { user: self.user.clone(), invited_by: self.invited_by.clone(), silent }
    }
}

impl Joined {
    pub(crate) fn is_robot(&self) -> bool {
        self.seat == Seat::Robot
    }

    /// Whether the member is in the call with this device.
    pub(crate) fn is_with(&self, id: &str) -> bool {
        match &self.seat {
            Seat::Device { device, .. } => device == id,
            Seat::Robot => false,
        }
    }

    pub(crate) fn viewer(&self) -> Viewer {
        Viewer { user: self.user.clone(), invited_by: self.invited_by.clone(), silent: false }
    }
}

impl Call {
    pub(crate) fn rung(&self, user: &Username) -> Option<&Rung> {
        self.rung.iter().find(|m| &m.user == user)
    }

    pub(crate) fn joined(&self, user: &Username) -> Option<&Joined> {
        self.joined.iter().find(|m| &m.user == user)
    }

    pub(crate) fn has(&self, user: &Username) -> bool {
        self.rung(user).is_some() || self.joined(user).is_some()
    }

    /// The number of the user's first stay.
    pub(crate) fn member_key(&self, user: &Username) -> Option<MemberKey> {
        self.log.iter().position(|record| &record.username == user).map(|first| MemberKey(first as u64))
    }

    /// Which stay of `user` there is.
    pub(crate) fn stay(&self, user: &Username) -> Option<Stay> {
        let entry = self.rung(user).map(|m| m.entry).or_else(|| self.joined(user).map(|m| m.entry));
        entry.map(stay)
    }

    /// Who is joined or rung.
    pub(crate) fn users(&self) -> impl Iterator<Item = &Username> {
        self.joined.iter().map(|m| &m.user).chain(self.rung.iter().map(|m| &m.user))
    }

    pub(crate) fn members(&self) -> usize {
        self.rung.len() + self.joined.len()
    }

    /// Those who are told of changes: who is joined, with which device.
    pub(crate) fn audience(&self) -> Vec<(Username, String)> {
        let with = |member: &Joined| match &member.seat {
            Seat::Device { device, .. } => Some((member.user.clone(), device.clone())),
            Seat::Robot => None,
        };
        self.joined.iter().filter_map(with).collect()
    }

    pub(crate) fn robot(&self) -> Option<&Joined> {
        self.joined.iter().find(|m| m.is_robot())
    }

    pub(crate) fn is_over(&self) -> bool {
        let robots = self.joined.iter().filter(|m| m.is_robot()).count();
        is_over(self.joined.len() - robots, robots, self.rung.len())
    }

    /// Writes down that a member is gone.
    pub(crate) fn log_gone(&mut self, entry: usize, unix_ms: i64, why: Why) {
        if let Some(record) = self.log.get_mut(entry) {
            record.leave_time = unix_ms;
            record.reason = why.reason;
            record.detail = why.detail;
        }
    }

    /// The call as one viewer sees it.
    pub(crate) fn session(&self, directory: &Directory, viewer: &Viewer) -> Session {
        let see = |user: &Username| directory.view(&viewer.user, user);
        let invited_by = (viewer.invited_by != self.inviter).then(|| see(&viewer.invited_by));
        Session {
            channel_id: self.channel.clone(),
            media_type: MediaType::Voice,
            inviter: see(&self.inviter),
            inviting_members: self.rung.iter().map(|m| see(&m.user)).collect::<Vec<User>>(),
            joined_members: self.joined.iter().map(|m| see(&m.user)).collect(),
            muted_members: self.joined.iter().filter(|m| m.muted).map(|m| m.user.clone()).collect(),
            start_time: self.start_time,
            invited_by,
            silent: viewer.silent,
        }
    }
}

/// The number of the stay that an entry of a call's log tells of.
pub(crate) fn stay(entry: usize) -> Stay {
    // A call takes few thousand invitations.
    Stay::try_from(entry).unwrap_or(Stay::MAX)
}
