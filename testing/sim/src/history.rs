//! Calls that are over, as the call semantics have them told: section 6 of `docs/call-semantics.md` as a program.

use std::collections::BTreeMap;

use jmrtc_protocol::{ChannelId, PastCall, PastMember, User, Username};
use jmrtc_rooms::{CallRecord, MemberRecord};

use crate::semantics::{Past, Stay, Time, Why};

/// All calls that are over.
#[derive(Debug, Default)]
pub(crate) struct History {
    calls: Vec<(ChannelId, Past)>,
    /// When a user of that name was deleted last: whoever has it now is another.
    deleted: BTreeMap<Username, Time>,
}

impl History {
    pub(crate) fn add(&mut self, channel: ChannelId, past: Past) {
        self.calls.push((channel, past));
    }

    pub(crate) fn deleted(&mut self, user: &Username, now: Time) {
        self.deleted.insert(user.clone(), now);
    }

    /// The calls of `viewer`, newest first; `see` is a user in the viewer's eyes.
    fn of(&self, viewer: &Username, see: impl Fn(&Username) -> User) -> Vec<PastCall> {
        let since = self.deleted.get(viewer).copied().unwrap_or_default();
        let seen = |(channel, past): &(ChannelId, Past)| {
            let mut own = past.stays.iter().filter(|s| &s.user == viewer && s.known);
            let last = own.rfind(|s| s.invited > since)?;
            last.left.map(|left| past.seen_by(viewer, left, channel.clone(), &see))
        };
        let mut calls: Vec<_> = self.calls.iter().filter_map(seen).collect();
        calls.sort_by(|a, b| (b.end_time, &b.channel_id).cmp(&(a.end_time, &a.channel_id)));
        calls
    }

    /// What `viewer` is told of up to `limit` calls, those after `before`; none if that call is not its own.
    pub(crate) fn page(
        &self,
        viewer: &Username,
        before: Option<&ChannelId>,
        limit: usize,
        see: impl Fn(&Username) -> User,
    ) -> Option<(Vec<PastCall>, bool)> {
        let mut calls = self.of(viewer, see);
        if let Some(before) = before {
            let at = calls.iter().position(|call| &call.channel_id == before)?;
            calls.drain(..=at);
        }
        let more = calls.len() > limit;
        calls.truncate(limit);
        Some((calls, more))
    }
}

impl Past {
    /// When the second member joined, if that was so `by` then; 0 if not.
    fn began(&self, by: Time) -> Time {
        let mut joins: Vec<_> = self.stays.iter().filter_map(|s| s.joined).filter(|at| *at <= by).collect();
        joins.sort_unstable();
        joins.get(1).copied().unwrap_or_default()
    }

    /// The call as `viewer` saw it, for whom it was over then and therefore.
    fn seen_by(
        &self,
        viewer: &Username,
        (end, (reason, detail)): (Time, Why),
        channel_id: ChannelId,
        see: impl Fn(&Username) -> User,
    ) -> PastCall {
        let told = |s: &&Stay| s.invited <= end && (s.known || &s.user != viewer);
        let member = |s: &Stay| {
            let left = s.left.filter(|(at, _)| *at <= end);
            PastMember {
                user: see(&s.user),
                invited_time: s.invited,
                join_time: s.joined.filter(|at| *at <= end).unwrap_or_default(),
                leave_time: left.map_or(0, |(at, _)| at),
                reason: left.map(|(_, (reason, _))| reason),
                detail: left.and_then(|(_, (_, detail))| detail),
            }
        };
        PastCall {
            channel_id,
            inviter: see(&self.inviter),
            members: self.stays.iter().filter(told).map(member).collect(),
            start_time: self.began(end),
            end_time: end,
            reason,
            detail,
        }
    }

    /// All of it.
    pub(crate) fn record(&self, channel_id: ChannelId) -> CallRecord {
        let member = |s: &Stay| {
            let (leave_time, (reason, detail)) = s.left?;
            Some(MemberRecord {
                username: s.user.clone(),
                invited_by: s.invited_by.clone(),
                invited_time: s.invited,
                join_time: s.joined.unwrap_or_default(),
                leave_time,
                reason,
                detail,
                shown: s.known,
            })
        };
        let members: Vec<_> = self.stays.iter().filter_map(member).collect();
        let end_time = members.iter().map(|m| m.leave_time).max().unwrap_or_default();
        let (reason, detail) = self.why;
        let start_time = self.began(end_time);
        CallRecord {
            channel_id,
            inviter: self.inviter.clone(),
            members,
            start_time,
            end_time,
            reason,
            detail,
        }
    }
}
