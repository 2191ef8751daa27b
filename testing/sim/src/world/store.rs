//! What the store answers: users, what they keep about each other, calls that are over.

use jmrtc_protocol::{FailedUser, Reply, RequestId, User};

use super::*;

impl World {
    pub(super) fn ask_store(
        &mut self,
        conn: ConnId,
        user: &Username,
        id: RequestId,
        request: Request,
    ) -> Result<(), String> {
        let reply = match request {
            Request::Users { usernames } => {
                let (users, unknown): (Vec<_>, Vec<_>) =
                    usernames.into_iter().partition(|name| self.users.contains(name));
                let failed = unknown
                    .into_iter()
                    .map(|username| FailedUser { username, name: ErrorCode::UserUnavailable.name().into() });
                let users = users.iter().map(|name| self.seen_by(user, name)).collect();
                Ok(Reply::Users { users, failed: failed.collect() })
            }
            Request::UpdateProfile { .. } | Request::UpdateRelation { .. } if self.read_only => {
                Err(Failure::new(ErrorCode::ServerError, "the server's store failed"))
            }
            Request::UpdateProfile { profile } => {
                let profile = profile.apply(self.record(user).profile);
                self.profiles.insert(user.clone(), profile);
                self.server(jmrtc_rooms::Input::UserChanged(self.record(user)))?;
                Ok(Reply::UpdateProfile { user: self.seen_by(user, user) })
            }
            Request::UpdateRelation { username, relation } if self.users.contains(&username) => {
                let kept = self.relations.entry((user.clone(), username.clone())).or_default();
                *kept = relation.apply(std::mem::take(kept));
                self.server(jmrtc_rooms::Input::UserChanged(self.record(user)))?;
                Ok(Reply::UpdateRelation { user: self.seen_by(user, &username) })
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
                let see = |name: &Username| self.seen_by(user, name);
                let own = &self.records[self.namesakes.get(user).copied().unwrap_or_default()..];
                let mut calls = own.iter().rev().filter_map(|record| record.seen_by(user, see));
                if let Some(before) = before {
                    calls.by_ref().find(|call| call.channel_id == before);
                }
                let page = calls.by_ref().take(limit as usize).collect();
                Ok(Reply::History { calls: page, more: calls.next().is_some() })
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

    fn seen_by(&self, viewer: &Username, user: &Username) -> User {
        let relation = self.relations.get(&(viewer.clone(), user.clone())).cloned().unwrap_or_default();
        User::new("app", user.clone(), self.record(user).profile, relation)
    }
}
