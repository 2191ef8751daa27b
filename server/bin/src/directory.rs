//! Users, what they keep about each other, and their calls: what a signed-in client or REST asks of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jmrtc_protocol::limits::{MAX_HISTORY, MAX_RELATIONS, MAX_SERVER_MESSAGE_BYTES, MAX_USERS_ASKED};
use jmrtc_protocol::{
    ChannelId, ErrorCode, FailedUser, Failure, PastCall, Profile, Relation, Reply, User, Username, encode,
};
use jmrtc_rooms::CallRecord;
use tokio::sync::oneshot;

use crate::app::App;
use crate::hub::ToHub;
use crate::store::Which;

/// Why a good token is refused whose user was deleted.
pub(crate) const DELETED: &str = "the token's user was deleted";
/// What the calls of one answer may take of a message.
const HISTORY_BYTES: usize = MAX_SERVER_MESSAGE_BYTES - 1024;

type Answer<T> = Result<T, Failure>;

fn fail<T>(code: ErrorCode, why: impl Into<String>) -> Answer<T> {
    Err(Failure::new(code, why))
}

/// A store that failed, for the log; the client learns only that.
pub(crate) fn store_failed(error: &anyhow::Error) -> Failure {
    tracing::error!("the store failed: {error:#}");
    Failure::new(ErrorCode::ServerError, "the server's store failed")
}

/// The profiles of these users as `viewer` sees them, in this order, and who is none.
pub(crate) async fn users(app: &App, viewer: &Username, names: Vec<Username>) -> Answer<Reply> {
    if names.is_empty() {
        return fail(ErrorCode::InvalidParameter, "name at least one user");
    }
    if names.len() > MAX_USERS_ASKED {
        return fail(ErrorCode::LimitExceeded, format!("at most {MAX_USERS_ASKED} users at once"));
    }
    let view = View::load(app, viewer, &names.iter().collect()).await?;
    let mut seen = BTreeSet::new();
    let (mut users, mut failed) = (Vec::new(), Vec::new());
    for name in names.into_iter().filter(|name| seen.insert(name.clone())) {
        match view.user(&name) {
            Some(user) => users.push(user),
            None => {
                failed.push(FailedUser { username: name, name: ErrorCode::UserUnavailable.name().into() })
            }
        }
    }
    Ok(Reply::Users { users, failed })
}

/// The first users of those whose names come after `after` and about whom `viewer` keeps something, and whether there are more.
pub(crate) async fn relations(
    app: &App,
    viewer: &Username,
    after: Option<&Username>,
    limit: usize,
) -> Answer<(Vec<User>, bool)> {
    profile(app, viewer).await?;
    let names = app.store.related(viewer, after, limit + 1).await.map_err(|e| store_failed(&e))?;
    let page: BTreeSet<_> = names.iter().take(limit).collect();
    let view = View::load(app, viewer, &page).await?;
    let users = page.into_iter().filter_map(|name| view.user(name)).collect();
    Ok((users, names.len() > limit))
}

/// A user as `viewer` sees it.
pub(crate) async fn seen_by(app: &App, viewer: &Username, name: &Username) -> Answer<User> {
    profile(app, viewer).await?;
    View::load(app, viewer, &BTreeSet::from([name])).await?.user(name).ok_or_else(|| nobody(name))
}

/// A user's own profile becomes what `change` makes of it.
pub(crate) async fn change_profile(
    app: &Arc<App>,
    name: &Username,
    change: impl FnOnce(Profile) -> Profile + Send + 'static,
) -> Answer<User> {
    let (app, name) = (app.clone(), name.clone());
    to_the_end(async move {
        let _alone = app.order.write().await;
        let profile = change(profile(&app, &name).await?);
        check(profile.check())?;
        app.store.set_profile(&name, &profile).await.map_err(|e| store_failed(&e))?;
        tell_rooms(&app, ToHub::ProfileChanged(name.clone(), profile.clone())).await;
        Ok(User::new(&app.config.app_key, name, profile, Relation::default()))
    })
    .await
}

/// What `viewer` keeps about `other` becomes what `change` makes of it.
pub(crate) async fn change_relation(
    app: &Arc<App>,
    viewer: &Username,
    other: &Username,
    change: impl FnOnce(Relation) -> Relation + Send + 'static,
) -> Answer<User> {
    if viewer == other {
        return fail(ErrorCode::InvalidParameter, "nobody has a relation to itself");
    }
    let (app, viewer, other) = (app.clone(), viewer.clone(), other.clone());
    to_the_end(async move {
        let _alone = app.order.write().await;
        profile(&app, &viewer).await?;
        let profile = profile(&app, &other).await?;
        let before = app.store.relation(&viewer, &other).await.map_err(|e| store_failed(&e))?;
        let is_new = before.is_none();
        let relation = change(before.unwrap_or_default());
        check(relation.check())?;
        if is_new && relation != Relation::default() {
            let count = app.store.count_relations(&viewer).await.map_err(|e| store_failed(&e))?;
            if count >= MAX_RELATIONS {
                let why = format!("a user keeps something about at most {MAX_RELATIONS} others");
                return fail(ErrorCode::LimitExceeded, why);
            }
        }
        app.store.set_relation(&viewer, &other, &relation).await.map_err(|e| store_failed(&e))?;
        let (about, kept) = (other.clone(), relation.clone());
        tell_rooms(&app, ToHub::RelationChanged { viewer, about, relation: kept }).await;
        Ok(User::new(&app.config.app_key, other, profile, relation))
    })
    .await
}

/// Makes a user or gives it another profile; true if it was made.
pub(crate) async fn put_user(app: &Arc<App>, name: &Username, profile: Profile) -> Answer<(User, bool)> {
    check(profile.check())?;
    let (app, name) = (app.clone(), name.clone());
    to_the_end(async move {
        let _alone = app.order.write().await;
        let now = app.clock.unix_now();
        let made = app.store.put_user(&name, &profile, now).await.map_err(|e| store_failed(&e))?;
        tell_rooms(&app, ToHub::ProfileChanged(name.clone(), profile.clone())).await;
        Ok((User::new(&app.config.app_key, name, profile, Relation::default()), made))
    })
    .await
}

/// Deletes a user; its tokens are good no more, its devices are signed out, its call is left.
pub(crate) async fn delete_user(app: &Arc<App>, name: &Username) -> Answer<()> {
    let (app, name) = (app.clone(), name.clone());
    to_the_end(async move {
        let _alone = app.order.write().await;
        if !app.store.delete_user(&name, app.clock.unix_now()).await.map_err(|e| store_failed(&e))? {
            return Err(nobody(&name));
        }
        tell_rooms(&app, ToHub::UserDeleted(name)).await;
        Ok(())
    })
    .await
}

/// The calls of which `viewer` may know, newest first, and whether there are older ones.
pub(crate) async fn history(
    app: &App,
    viewer: &Username,
    before: Option<&ChannelId>,
    limit: u32,
) -> Answer<(Vec<PastCall>, bool)> {
    let (records, more) = records(app, viewer, Which::Known, before, limit).await?;
    let (calls, cut) = fit(past(app, viewer, &records).await?, HISTORY_BYTES);
    Ok((calls, more || cut))
}

/// Records of a user's calls, newest first, and whether there are older ones.
pub(crate) async fn records(
    app: &App,
    name: &Username,
    which: Which,
    before: Option<&ChannelId>,
    limit: u32,
) -> Answer<(Vec<CallRecord>, bool)> {
    if !(1..=MAX_HISTORY).contains(&limit) {
        return fail(ErrorCode::InvalidParameter, format!("`limit` is from 1 to {MAX_HISTORY}"));
    }
    all_kept(app).await;
    let found = app.store.calls_of(name, which, before, limit + 1).await.map_err(|e| store_failed(&e))?;
    let Some(mut records) = found else {
        return fail(ErrorCode::InvalidParameter, "`before` is none of the user's calls");
    };
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    Ok((records, more))
}

/// The record of one call.
pub(crate) async fn record(app: &App, channel: &ChannelId) -> Answer<Option<CallRecord>> {
    all_kept(app).await;
    app.store.call(channel).await.map_err(|e| store_failed(&e))
}

/// One of the calls of which `viewer` may know.
pub(crate) async fn past_call(app: &App, viewer: &Username, channel: &ChannelId) -> Answer<Option<PastCall>> {
    let Some(record) = record(app, channel).await? else { return Ok(None) };
    let left = app.store.left_time(viewer, Which::Known, channel).await.map_err(|e| store_failed(&e))?;
    match left {
        Some(_) => Ok(past(app, viewer, &[record]).await?.pop()),
        None => Ok(None),
    }
}

/// Calls as `viewer` saw them; without those of which it must not know.
async fn past(app: &App, viewer: &Username, records: &[CallRecord]) -> Answer<Vec<PastCall>> {
    let names = records.iter().flat_map(|r| r.members.iter().map(|m| &m.username).chain([&r.inviter]));
    let view = View::load(app, viewer, &names.collect()).await?;
    let nobody = |name: &Username| {
        User::new(&app.config.app_key, name.clone(), Profile::default(), Relation::default())
    };
    let see = |name: &Username| view.user(name).unwrap_or_else(|| nobody(name));
    Ok(records.iter().filter_map(|record| record.seen_by(viewer, see)).collect())
}

/// The first calls, as many as take `most` bytes together, and whether some are left out. Of the first alone so many
/// members.
fn fit(calls: Vec<PastCall>, most: usize) -> (Vec<PastCall>, bool) {
    let (mut fitting, mut used) = (Vec::new(), 0);
    for mut call in calls {
        let mut size = encode(&call).len() + 1;
        if used + size > most {
            if !fitting.is_empty() {
                return (fitting, true);
            }
            while let Some(member) = call.members.pop_if(|_| size > most) {
                size -= encode(&member).len() + 1;
            }
        }
        used += size;
        fitting.push(call);
    }
    (fitting, false)
}

/// Waits until the records of all calls that are over now are in the store: who is told that a call is over finds it.
async fn all_kept(app: &App) {
    let (ask, answer) = oneshot::channel();
    // Fails only while the server stops.
    if app.hub.send(ToHub::Kept(ask)).await.is_ok() {
        let _ = answer.await;
    }
}

/// The profile of a user that must be there.
pub(crate) async fn profile(app: &App, name: &Username) -> Answer<Profile> {
    let profile = app.store.profile(name).await.map_err(|e| store_failed(&e))?;
    profile.ok_or_else(|| nobody(name))
}

fn nobody(name: &Username) -> Failure {
    Failure::new(ErrorCode::UserUnavailable, format!("nobody is named {name}"))
}

fn check(limits: Result<(), String>) -> Answer<()> {
    limits.map_err(|why| Failure::new(ErrorCode::LimitExceeded, why))
}

/// Some users as one of them sees them.
struct View<'a> {
    app_key: &'a str,
    profiles: BTreeMap<Username, Profile>,
    relations: BTreeMap<Username, Relation>,
}

impl<'a> View<'a> {
    /// Of those names that are users.
    async fn load(app: &'a App, viewer: &Username, names: &BTreeSet<&Username>) -> Answer<Self> {
        let profiles = app.store.profiles(names).await.map_err(|e| store_failed(&e))?;
        let relations = app.store.relations(viewer, names).await.map_err(|e| store_failed(&e))?;
        Ok(Self { app_key: &app.config.app_key, profiles, relations })
    }

    fn user(&self, name: &Username) -> Option<User> {
        let relation = self.relations.get(name).cloned().unwrap_or_default();
        let profile = self.profiles.get(name)?.clone();
        Some(User::new(self.app_key, name.clone(), profile, relation))
    }
}

/// Makes a change to its end, also where whoever asked for it waits no more: of what the store has taken the rooms must learn.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    let done = tokio::spawn(change).await;
    // Fails only if it panicked, of which the log tells.
    done.unwrap_or_else(|_| fail(ErrorCode::ServerError, "the server failed"))
}

async fn tell_rooms(app: &App, change: ToHub) {
    // Fails only while the server stops, when the rooms are gone.
    let _ = app.hub.send(change).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jmrtc_protocol::{PastMember, Reason};
    use tokio::time::timeout;

    use super::*;

    fn call(members: usize) -> PastCall {
        let user = |n: usize| {
            let name = Username::new(format!("user{n}")).unwrap();
            User::new("app", name, Profile::default(), Relation::default())
        };
        let member = |n| PastMember {
            user: user(n),
            invited_time: 1,
            join_time: 2,
            leave_time: 3,
            reason: Some(Reason::Hangup),
            detail: None,
        };
        PastCall {
            channel_id: ChannelId("c".into()),
            inviter: user(0),
            members: (0..members).map(member).collect(),
            start_time: 2,
            end_time: 3,
            reason: Reason::Hangup,
            detail: None,
        }
    }

    #[tokio::test]
    async fn a_change_is_made_and_told_also_where_nobody_waits_for_it_any_more() {
        let (app, mut hub) = App::of_test("server --dev").await;
        let bob = Username::new("bob").unwrap();
        app.store.sign_in(&bob, 0).await.unwrap();
        let others = app.order.read().await;
        let asked = timeout(Duration::from_millis(50), delete_user(&app, &bob)).await;
        assert!(asked.is_err(), "it waits for its turn");
        drop(others);
        let told = timeout(Duration::from_secs(10), hub.recv()).await.expect("the rooms are told");
        assert!(matches!(told, Some(ToHub::UserDeleted(user)) if user == bob));
        assert_eq!(app.store.user(&bob).await.unwrap(), None);
    }

    #[test]
    fn an_answer_holds_what_fits() {
        let size = encode(&call(2)).len() + 1;
        let calls = || vec![call(2), call(2), call(2)];
        let fitting = |most| {
            let (calls, cut) = fit(calls(), most);
            assert!(calls.iter().map(|c| encode(c).len() + 1).sum::<usize>() <= most);
            (calls.iter().map(|c| c.members.len()).collect::<Vec<_>>(), cut)
        };
        assert_eq!(fitting(3 * size), (vec![2, 2, 2], false));
        assert_eq!(fitting(3 * size - 1), (vec![2, 2], true));
        assert_eq!(fitting(size), (vec![2], true));
        assert_eq!(fitting(size - 1), (vec![1], true));
        assert_eq!(fit(vec![call(1000)], size).0[0].members.len(), 2);
        assert_eq!(fit(Vec::new(), size), (Vec::new(), false));
    }
}
