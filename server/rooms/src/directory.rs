use std::collections::BTreeMap;

use jmrtc_protocol::{Profile, Relation, User, Username};

use crate::UserRecord;

/// The users who are signed in or in a call. Each sign-in and each call holds its users here, and
/// a user whom nobody holds is forgotten.
#[derive(Debug)]
pub(crate) struct Directory {
    app_key: String,
    users: BTreeMap<Username, Held>,
}

#[derive(Debug)]
struct Held {
    record: UserRecord,
    holders: usize,
}

impl Held {
    fn learn(&mut self, record: UserRecord) {
        self.record.profile = record.profile;
        self.record.relations.extend(record.relations);
    }
}

impl Directory {
    pub(crate) fn new(app_key: String) -> Self {
        Self { app_key, users: BTreeMap::new() }
    }

    pub(crate) fn hold(&mut self, record: UserRecord) {
        match self.users.get_mut(&record.username) {
            Some(held) => {
                held.holders += 1;
                held.record = record;
            }
            None => {
                self.users.insert(record.username.clone(), Held { record, holders: 1 });
            }
        }
    }

    /// As [`Self::hold`], but of a record that may lack relations which are known already.
    pub(crate) fn hold_named(&mut self, record: UserRecord) {
        match self.users.get_mut(&record.username) {
            Some(held) => {
                held.holders += 1;
                held.learn(record);
            }
            None => self.hold(record),
        }
    }

    /// Adds a record that may lack relations to what is known of a user.
    pub(crate) fn learn(&mut self, record: UserRecord) {
        if let Some(held) = self.users.get_mut(&record.username) {
            held.learn(record);
        }
    }

    pub(crate) fn release(&mut self, user: &Username) {
        if let Some(held) = self.users.get_mut(user) {
            held.holders -= 1;
            if held.holders == 0 {
                self.users.remove(user);
            }
        }
    }

    /// The whole record of a user who may be held.
    pub(crate) fn renew(&mut self, record: UserRecord) {
        if let Some(held) = self.users.get_mut(&record.username) {
            held.record = record;
        }
    }

    pub(crate) fn profile_changed(&mut self, user: &Username, profile: Profile) {
        if let Some(held) = self.users.get_mut(user) {
            held.record.profile = profile;
        }
    }

    pub(crate) fn relation_changed(&mut self, viewer: &Username, about: Username, relation: Relation) {
        if let Some(held) = self.users.get_mut(viewer) {
            // What the store does not keep must not add up here.
            if relation == Relation::default() {
                held.record.relations.remove(&about);
            } else {
                held.record.relations.insert(about, relation);
            }
        }
    }

    /// A user is no more, keeps nothing, and nobody keeps anything about it: whoever gets its name later is another.
    pub(crate) fn deleted(&mut self, user: &Username) {
        for held in self.users.values_mut() {
            held.record.relations.remove(user);
        }
        if let Some(held) = self.users.get_mut(user) {
            held.record.relations.clear();
        }
    }

    /// What is known of a user; its name at least.
    pub(crate) fn record(&self, user: &Username) -> UserRecord {
        self.users.get(user).map_or_else(|| UserRecord::named(user.clone()), |held| held.record.clone())
    }

    /// What `viewer` keeps about `user`.
    pub(crate) fn relation(&self, viewer: &Username, user: &Username) -> Relation {
        self.users.get(viewer).and_then(|held| held.record.relations.get(user)).cloned().unwrap_or_default()
    }

    /// `user` as `viewer` sees it.
    pub(crate) fn view(&self, viewer: &Username, user: &Username) -> User {
        let profile = self.users.get(user).map(|held| held.record.profile.clone()).unwrap_or_default();
        User::new(&self.app_key, user.clone(), profile, self.relation(viewer, user))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_lacks_relations_takes_none_away() {
        let name = |n: &str| Username::new(n).unwrap();
        let (alice, bob, carol) = (name("alice"), name("bob"), name("carol"));
        let record = |about: &[&Username], nickname: &str| {
            let note = |user: &&Username| {
                ((*user).clone(), Relation { note_name: user.to_string(), ..Relation::default() })
            };
            let mut record = UserRecord::named(alice.clone());
            record.profile.nickname = nickname.into();
            record.relations = about.iter().map(note).collect();
            record
        };
        let mut directory = Directory::new("app".into());
        directory.learn(record(&[&bob], "nobody holds her"));
        directory.hold_named(record(&[&bob], "Al"));
        directory.hold_named(record(&[&carol], "Ally"));
        assert_eq!(directory.record(&alice), record(&[&bob, &carol], "Ally"));
        directory.learn(record(&[], "Alice"));
        assert_eq!(directory.record(&alice), record(&[&bob, &carol], "Alice"));
        directory.renew(record(&[&carol], "Alice"));
        assert_eq!(
            directory.relation(&alice, &bob),
            Relation::default(),
            "the whole record has the last word"
        );
        directory.release(&alice);
        directory.release(&alice);
        assert!(directory.is_empty());
    }

    #[test]
    fn two_viewers_see_different_relations_and_the_last_holder_forgets() {
        let name = |n: &str| Username::new(n).unwrap();
        let (alice, bob, carol) = (name("alice"), name("bob"), name("carol"));
        let mut directory = Directory::new("app".into());
        let mut record = UserRecord::named(alice.clone());
        record.relations.insert(bob.clone(), Relation { note_name: "Bobby".into(), ..Relation::default() });
        directory.hold(record.clone());
        directory.hold(record.clone());
        let mut known = UserRecord::named(bob.clone());
        known.profile.nickname = "Bob".into();
        directory.profile_changed(&bob, known.profile.clone());
        assert_eq!(directory.view(&alice, &bob).profile.nickname, "", "nobody holds bob yet");
        directory.hold(known);
        let seen = directory.view(&alice, &bob);
        assert_eq!((seen.profile.nickname.as_str(), seen.relation.note_name.as_str()), ("Bob", "Bobby"));
        assert_eq!(directory.view(&carol, &bob).relation, Relation::default());
        directory.relation_changed(
            &alice,
            carol.clone(),
            Relation { is_friend: true, ..Relation::default() },
        );
        assert!(directory.relation(&alice, &carol).is_friend);
        directory.relation_changed(&alice, carol, Relation::default());
        directory.release(&alice);
        assert_eq!(directory.record(&alice), record, "nothing adds up");
        directory.release(&alice);
        directory.release(&bob);
        assert!(directory.is_empty());
    }
}
