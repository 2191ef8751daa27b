//! What the store answers: users, what they keep about each other, calls that are over.

use jmrtc_protocol::{FailedUser, PastCall, Reply, RequestId, User};

use super::*;

/// Calls that are over, and whether there are older ones.
type Page = (Vec<PastCall>, bool);

impl World {
    pub(super) fn ask_store(
        &mut self,
        conn: ConnId,
        user: &Username,
        id: RequestId,
        request: Request,
    ) -> Result<(), String> {
        let changes = matches!(request, Request::UpdateProfile { .. } | Request::UpdateRelation { .. });
        let too_many = changes && self.changes.allowance(self.now, user) == 0;
        if changes && !too_many {
            self.changes.spend(self.now, user, 1);
        }
        let reply = match request {
            _ if too_many => Err(Failure::new(ErrorCode::LimitExceeded, "too many messages; slow down")),
            Request::Users { usernames } => {
                let (users, unknown): (Vec<_>, Vec<_>) =
                    usernames.into_iter().partition(|name| self.people.contains_key(name));
                let failed = unknown
                    .into_iter()
                    .map(|username| FailedUser { username, name: ErrorCode::UserUnavailable.name().into() });
                let users = users.iter().map(|name| self.seen_by(user, name)).collect();
                Ok(Reply::Users { users, failed: failed.collect() })
            }
            _ if changes && self.read_only => {
                Err(Failure::new(ErrorCode::ServerError, "the server's store failed"))
            }
            Request::UpdateProfile { profile } => {
                let profile = profile.apply(self.profile(user));
                match profile.check() {
                    Ok(()) => {
                        self.make_user(user, profile)?;
                        Ok(Reply::UpdateProfile { user: self.seen_by(user, user) })
                    }
                    Err(why) => Err(Failure::new(ErrorCode::LimitExceeded, why)),
                }
            }
            Request::UpdateRelation { username, relation } if self.people.contains_key(&username) => {
                let related = (user.clone(), username.clone());
                let kept = relation.apply(self.relations.get(&related).cloned().unwrap_or_default());
                match kept.check() {
                    Ok(()) => {
                        self.relate(user, &username, kept)?;
                        Ok(Reply::UpdateRelation { user: self.seen_by(user, &username) })
                    }
                    Err(why) => Err(Failure::new(ErrorCode::LimitExceeded, why)),
                }
            }
            Request::Relations { after, limit } => {
                let kept = self
                    .relations
                    .iter()
                    .filter(|((of, _), kept)| of == user && **kept != Relation::default());
                let names = kept.map(|((_, about), _)| about);
                let mut names = names.filter(|name| after.as_ref().is_none_or(|after| *name > after));
                let users =
                    names.by_ref().take(limit as usize).map(|name| self.seen_by(user, name)).collect();
                Ok(Reply::Relations { users, more: names.next().is_some() })
            }
            Request::History { before, limit } => {
                match self.history(user, before.as_ref(), limit as usize)? {
                    Some((calls, more)) => Ok(Reply::History { calls, more }),
                    None => Err(Failure::new(ErrorCode::InvalidParameter, "`before` is none of the calls")),
                }
            }
            Request::UpdateRelation { .. }
            | Request::UpdateToken { .. }
            | Request::Logout
            | Request::Start { .. }
            | Request::Accept { .. }
            | Request::Refuse { .. }
            | Request::Leave { .. }
            | Request::Mute { .. }
            | Request::Invite { .. }
            | Request::Link { .. }
            | Request::Preflight { .. }
            | Request::EndPreflight => Err(Failure::new(ErrorCode::UserUnavailable, "nobody has that name")),
        };
        let message = match reply {
            Ok(reply) => ServerMessage::Reply { id, reply },
            Err(error) => ServerMessage::Failure { id, error },
        };
        self.send(conn, message)
    }

    /// What a user is told of calls that are over, held against the semantics.
    pub(super) fn history(
        &self,
        user: &Username,
        before: Option<&ChannelId>,
        limit: usize,
    ) -> Result<Option<Page>, String> {
        let told = self.past_calls(user, before, limit);
        let right = self.mirror.history.page(user, before, limit, |name| self.seen_by(user, name));
        check(told == right, || {
            let (told, right) = (shorten(&told), shorten(&right));
            format!(
                "{user} asks for {limit} calls before {before:?} and is told {told}, by the model {right}"
            )
        })?;
        Ok(told)
    }

    /// Up to `limit` calls of a user as the server finds them, and whether there are older ones; none if `before` is not
    /// among them.
    fn past_calls(&self, user: &Username, before: Option<&ChannelId>, limit: usize) -> Option<Page> {
        let made = self.people.get(user)?.made;
        let own = |record: &CallRecord| {
            // Who has the name of a user that was deleted was not in the calls of that one.
            let last = record.end_for(user).filter(|last| last.invited_time >= made)?;
            Some((last.leave_time, record.channel_id.clone()))
        };
        let mut calls: Vec<_> = self.records.iter().filter_map(|r| Some((own(r)?, r))).collect();
        calls.sort_by(|(a, _), (b, _)| b.cmp(a));
        if let Some(before) = before {
            let at = calls.iter().position(|(_, record)| &record.channel_id == before)?;
            calls.drain(..=at);
        }
        let see = |name: &Username| self.seen_by(user, name);
        let page = calls.iter().take(limit).filter_map(|(_, record)| record.seen_by(user, see)).collect();
        Some((page, calls.len() > limit))
    }

    fn seen_by(&self, viewer: &Username, user: &Username) -> User {
        let relation = self.relations.get(&(viewer.clone(), user.clone())).cloned().unwrap_or_default();
        User::new("app", user.clone(), self.profile(user), relation)
    }

    pub(super) fn profile(&self, user: &Username) -> Profile {
        self.people.get(user).map(|person| person.profile.clone()).unwrap_or_default()
    }

    /// The records of those names that are users; of what they keep only that about each other and about `asker`.
    pub(super) fn records_named(&self, names: &[Username], asker: &Username) -> Vec<UserRecord> {
        let names: BTreeSet<_> = names.iter().collect();
        let there = names.iter().filter(|name| self.people.contains_key(**name));
        let named = |about: &Username| about == asker || names.contains(about);
        there
            .map(|name| {
                let mut record = self.record(name);
                record.relations.retain(|about, _| named(about));
                record
            })
            .collect()
    }

    /// The company's backend deletes the user of a device, and what is kept by and about it. Calls stay.
    pub(super) fn delete(&mut self, user: &Username) -> Result<(), String> {
        self.people.remove(user);
        self.relations.retain(|(of, about), _| of != user && about != user);
        self.outcome.deleted += 1;
        self.server(jmrtc_rooms::Input::UserDeleted(user.clone()))
    }

    /// The company's backend makes a user of that name, or gives the one that is there another profile.
    pub fn make_user(&mut self, user: &Username, profile: Profile) -> Result<(), String> {
        let now = EPOCH_MS.saturating_add_unsigned(self.now);
        let person =
            self.people.entry(user.clone()).or_insert_with(|| Person { made: now, ..Person::default() });
        person.profile = profile.clone();
        self.server(jmrtc_rooms::Input::ProfileChanged(user.clone(), profile))
    }
}
