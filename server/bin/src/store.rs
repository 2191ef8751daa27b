//! What outlives the process: users, what they keep about each other, and calls that are over. SQLite in one file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use jmrtc_protocol::{ChannelId, Profile, Relation, Username};
use jmrtc_rooms::{CallRecord, Handover, MemberRecord, UserRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{QueryBuilder, Row, SqlSafeStr, SqliteConnection};

/// Everything a new file gets, in order; never changed once released.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "users and calls", include_str!("../migrations/0001_users_and_calls.sql")),
    (2, "history and deletion", include_str!("../migrations/0002_history_and_deletion.sql")),
    (3, "handover", include_str!("../migrations/0003_handover.sql")),
];

/// Names in one query: SQLite takes 32,766 parameters, and a page of history may name more.
const NAMES_AT_ONCE: usize = 10_000;

/// Which of a user's calls are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// All in which it was a member.
    All,
    /// Those of which it may know itself.
    Known,
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the file, makes it on first start, brings it up to date.
    pub(crate) async fn open(file: &Path) -> anyhow::Result<Self> {
        let unusable = || format!("can't use the database {}", file.display());
        make_private(file).with_context(unusable)?;
        Self::connect(SqliteConnectOptions::new().filename(file), 4).await.with_context(unusable)
    }

    #[cfg(test)]
    pub(crate) async fn in_memory() -> Self {
        Self::connect(SqliteConnectOptions::new().filename(":memory:"), 1)
            .await
            .expect("a database in memory")
    }

    async fn connect(options: SqliteConnectOptions, connections: u32) -> anyhow::Result<Self> {
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        // On this first connection alone: two that turn a new file to WAL at once lock each other out.
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.into()).run(&pool).await?;
        Ok(Self { pool })
    }

    /// The record of a user that is admitted.
    pub(crate) async fn sign_in(
        &self,
        username: &Username,
        now_ms: i64,
    ) -> anyhow::Result<Option<UserRecord>> {
        if self.admit(username, now_ms).await? { self.user(username).await } else { Ok(None) }
    }

    /// Whether a name is a user's; one that comes for the first time becomes a user, but not one that was deleted.
    pub(crate) async fn admit(&self, username: &Username, now_ms: i64) -> anyhow::Result<bool> {
        if self.profile(username).await?.is_some() {
            return Ok(true);
        }
        sqlx::query(
            "INSERT INTO users (username, profile, created_time)
             SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM deleted_users WHERE username = ?1)
             ON CONFLICT DO NOTHING",
        )
        .bind(username.as_str())
        .bind(to_json(&Profile::default())?)
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(self.profile(username).await?.is_some())
    }

    /// Makes a user, also one that was deleted, or gives one that is there another profile; true if it was made.
    pub(crate) async fn put_user(
        &self,
        username: &Username,
        profile: &Profile,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM deleted_users WHERE username = ?")
            .bind(username.as_str())
            .execute(&mut *tx)
            .await?;
        let made = sqlx::query(
            "INSERT INTO users (username, profile, created_time) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(username.as_str())
        .bind(to_json(profile)?)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        let made = made.rows_affected() == 1;
        if !made {
            sqlx::query("UPDATE users SET profile = ? WHERE username = ?")
                .bind(to_json(profile)?)
                .bind(username.as_str())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(made)
    }

    /// Deletes a user and all relations to and of it; false for a name that is no user. Calls stay.
    pub(crate) async fn delete_user(&self, username: &Username, now_ms: i64) -> anyhow::Result<bool> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM relations WHERE viewer = ?1 OR username = ?1")
            .bind(username.as_str())
            .execute(&mut *tx)
            .await?;
        let deleted = sqlx::query("DELETE FROM users WHERE username = ?")
            .bind(username.as_str())
            .execute(&mut *tx)
            .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("INSERT INTO deleted_users (username, deleted_time) VALUES (?, ?)")
            .bind(username.as_str())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A user's record; none for a name that never signed in.
    pub(crate) async fn user(&self, username: &Username) -> anyhow::Result<Option<UserRecord>> {
        let Some(profile) = self.profile(username).await? else { return Ok(None) };
        let rows = sqlx::query("SELECT username, relation FROM relations WHERE viewer = ?")
            .bind(username.as_str())
            .fetch_all(&self.pool)
            .await?;
        let relations = rows.iter().map(named_relation).collect::<anyhow::Result<_>>()?;
        Ok(Some(UserRecord { username: username.clone(), profile, relations }))
    }

    /// A user's profile; none for a name that is no user.
    pub(crate) async fn profile(&self, username: &Username) -> anyhow::Result<Option<Profile>> {
        let row = sqlx::query("SELECT profile FROM users WHERE username = ?")
            .bind(username.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| from_json(row.try_get("profile")?)).transpose()
    }

    /// What `viewer` keeps about `username`.
    pub(crate) async fn relation(
        &self,
        viewer: &Username,
        username: &Username,
    ) -> anyhow::Result<Option<Relation>> {
        let row = sqlx::query("SELECT relation FROM relations WHERE viewer = ? AND username = ?")
            .bind(viewer.as_str())
            .bind(username.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| from_json(row.try_get("relation")?)).transpose()
    }

    /// What `viewer` keeps about those of these names about which it keeps something.
    pub(crate) async fn relations(
        &self,
        viewer: &Username,
        names: &BTreeSet<&Username>,
    ) -> anyhow::Result<BTreeMap<Username, Relation>> {
        let names: Vec<&Username> = names.iter().copied().collect();
        let mut relations = BTreeMap::new();
        for names in names.chunks(NAMES_AT_ONCE) {
            let mut query = QueryBuilder::new("SELECT username, relation FROM relations WHERE viewer = ");
            query.push_bind(viewer.as_str()).push(" AND username IN (");
            push_names(&mut query, names.iter().copied());
            query.push(")");
            for row in query.build().fetch_all(&self.pool).await? {
                relations.extend([named_relation(&row)?]);
            }
        }
        Ok(relations)
    }

    /// Up to `limit` names about which `viewer` keeps something, in order, those after `after`.
    pub(crate) async fn related(
        &self,
        viewer: &Username,
        after: Option<&Username>,
        limit: usize,
    ) -> anyhow::Result<Vec<Username>> {
        let rows = sqlx::query(
            "SELECT username FROM relations WHERE viewer = ? AND username > ? ORDER BY username LIMIT ?",
        )
        .bind(viewer.as_str())
        .bind(after.map_or("", Username::as_str))
        .bind(i64::try_from(limit)?)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(Username::new(row.try_get::<String, _>("username")?)?)).collect()
    }

    /// About how many others `viewer` keeps something.
    pub(crate) async fn count_relations(&self, viewer: &Username) -> anyhow::Result<usize> {
        let row = sqlx::query("SELECT count(*) AS count FROM relations WHERE viewer = ?")
            .bind(viewer.as_str())
            .fetch_one(&self.pool)
            .await?;
        Ok(usize::try_from(row.try_get::<i64, _>("count")?)?)
    }

    /// The records of those names that are users; of what they keep only that about each other and about `asker`.
    pub(crate) async fn users_named(
        &self,
        names: &BTreeSet<&Username>,
        asker: &Username,
    ) -> anyhow::Result<Vec<UserRecord>> {
        let profiles = self.profiles(names).await?;
        let mut records: BTreeMap<Username, UserRecord> = profiles
            .into_iter()
            .map(|(username, profile)| {
                (username.clone(), UserRecord { profile, ..UserRecord::named(username) })
            })
            .collect();
        let mut query =
            QueryBuilder::new("SELECT viewer, username, relation FROM relations WHERE viewer IN (");
        push_names(&mut query, names.iter().copied());
        query.push(") AND username IN (");
        push_names(&mut query, names.iter().copied().chain([asker]));
        query.push(")");
        for row in query.build().fetch_all(&self.pool).await? {
            let viewer = Username::new(row.try_get::<String, _>("viewer")?)?;
            let about = Username::new(row.try_get::<String, _>("username")?)?;
            if let Some(record) = records.get_mut(&viewer) {
                record.relations.insert(about, from_json(row.try_get("relation")?)?);
            }
        }
        Ok(records.into_values().collect())
    }

    /// Names and profiles of up to `limit` users by name, those after `after`.
    pub(crate) async fn list(
        &self,
        after: Option<&Username>,
        limit: usize,
    ) -> anyhow::Result<Vec<(Username, Profile)>> {
        let rows =
            sqlx::query("SELECT username, profile FROM users WHERE username > ? ORDER BY username LIMIT ?")
                .bind(after.map_or("", Username::as_str))
                .bind(i64::try_from(limit)?)
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter().map(named_profile).collect()
    }

    /// The profiles of those names that are users.
    pub(crate) async fn profiles(
        &self,
        names: &BTreeSet<&Username>,
    ) -> anyhow::Result<BTreeMap<Username, Profile>> {
        let names: Vec<&Username> = names.iter().copied().collect();
        let mut profiles = BTreeMap::new();
        for names in names.chunks(NAMES_AT_ONCE) {
            let mut query = QueryBuilder::new("SELECT username, profile FROM users WHERE username IN (");
            push_names(&mut query, names.iter().copied());
            query.push(")");
            for row in query.build().fetch_all(&self.pool).await? {
                let (name, profile) = named_profile(row)?;
                profiles.insert(name, profile);
            }
        }
        Ok(profiles)
    }

    /// Stores a profile; false for a name that is no user.
    pub(crate) async fn set_profile(&self, username: &Username, profile: &Profile) -> anyhow::Result<bool> {
        let done = sqlx::query("UPDATE users SET profile = ? WHERE username = ?")
            .bind(to_json(profile)?)
            .bind(username.as_str())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Stores what `viewer` keeps about `username`, both of them users. A default relation is not kept.
    pub(crate) async fn set_relation(
        &self,
        viewer: &Username,
        username: &Username,
        relation: &Relation,
    ) -> anyhow::Result<()> {
        let query = if *relation == Relation::default() {
            sqlx::query("DELETE FROM relations WHERE viewer = ? AND username = ?")
                .bind(viewer.as_str())
                .bind(username.as_str())
        } else {
            sqlx::query(
                "INSERT INTO relations (viewer, username, relation) VALUES (?, ?, ?)
                 ON CONFLICT (viewer, username) DO UPDATE SET relation = excluded.relation",
            )
            .bind(viewer.as_str())
            .bind(username.as_str())
            .bind(to_json(relation)?)
        };
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// Keeps calls that are over: all of them, or after an error none.
    pub(crate) async fn add_calls(&self, calls: &[CallRecord]) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        for call in calls {
            add_call(&mut tx, call).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Up to `limit` calls of a user, those last over for it first; with `before` only what comes after that call in
    /// this order, and none if that call is not among them.
    pub(crate) async fn calls_of(
        &self,
        username: &Username,
        which: Which,
        before: Option<&ChannelId>,
        limit: u32,
    ) -> anyhow::Result<Option<Vec<CallRecord>>> {
        let (left, channel) = match before {
            None => (i64::MAX, ""),
            Some(channel) => match self.left_time(username, which, channel).await? {
                Some(left) => (left, channel.0.as_str()),
                None => return Ok(None),
            },
        };
        let mut query = calls_of_user(username, which);
        query.push("(max(leave_time), channel_id) < (").push_bind(left).push(", ").push_bind(channel);
        query.push(") ORDER BY left_time DESC, channel_id DESC LIMIT ").push_bind(limit);
        let rows = query.build().fetch_all(&self.pool).await?;
        let channels =
            rows.iter().map(|row| row.try_get("channel_id")).collect::<Result<Vec<String>, _>>()?;
        Ok(Some(self.calls(&channels).await?))
    }

    /// When a call was over for a user, if it is one of its calls.
    pub(crate) async fn left_time(
        &self,
        username: &Username,
        which: Which,
        channel: &ChannelId,
    ) -> anyhow::Result<Option<i64>> {
        let mut query = calls_of_user(username, which);
        query.push("channel_id = ").push_bind(&channel.0);
        let row = query.build().fetch_optional(&self.pool).await?;
        Ok(row.map(|row| row.try_get("left_time")).transpose()?)
    }

    /// One call that is over.
    pub(crate) async fn call(&self, channel: &ChannelId) -> anyhow::Result<Option<CallRecord>> {
        Ok(self.calls(std::slice::from_ref(&channel.0)).await?.pop())
    }

    /// Those of these calls that are over, in this order.
    async fn calls(&self, channels: &[String]) -> anyhow::Result<Vec<CallRecord>> {
        let among = |select: &str, order: &str| {
            let mut query = QueryBuilder::new(select);
            let mut list = query.separated(", ");
            for channel in channels {
                list.push_bind(channel);
            }
            query.push(order);
            query
        };
        let mut members: BTreeMap<String, Vec<MemberRecord>> = BTreeMap::new();
        let mut query =
            among("SELECT * FROM call_members WHERE channel_id IN (", ") ORDER BY channel_id, position");
        for row in query.build().fetch_all(&self.pool).await? {
            members.entry(row.try_get("channel_id")?).or_default().push(member_record(&row)?);
        }
        let mut calls = BTreeMap::new();
        let mut query = among("SELECT * FROM call_records WHERE channel_id IN (", ")");
        for row in query.build().fetch_all(&self.pool).await? {
            let channel: String = row.try_get("channel_id")?;
            let members = members.remove(&channel).unwrap_or_default();
            calls.insert(channel.clone(), call_record(ChannelId(channel), members, &row)?);
        }
        Ok(channels.iter().filter_map(|channel| calls.remove(channel)).collect())
    }

    /// Keeps the calls of a server that stops.
    pub(crate) async fn put_handover(&self, handover: &Handover) -> anyhow::Result<()> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM handover").execute(&mut *tx).await?;
        sqlx::query("INSERT INTO handover (calls) VALUES (?)")
            .bind(to_json(handover)?)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The calls that the server before has left, once, also where the machine fails right after.
    pub(crate) async fn take_handover(&self) -> anyhow::Result<Option<Handover>> {
        let row = sqlx::query("DELETE FROM handover RETURNING calls").fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        sqlx::query("PRAGMA wal_checkpoint(FULL)").execute(&self.pool).await?;
        Ok(match from_json(row.try_get("calls")?) {
            Ok(handover) => Some(handover),
            Err(e) => {
                tracing::error!("the calls of the server before are lost: {e:#}");
                None
            }
        })
    }

    /// Waits for what is under way and closes the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A query that lacks its last condition.
fn calls_of_user(username: &Username, which: Which) -> QueryBuilder<sqlx::Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT channel_id, max(leave_time) AS left_time FROM call_members WHERE username = ",
    );
    query.push_bind(username.as_str());
    match which {
        Which::All => {}
        // Who has the name of a user that was deleted was not in the calls of that one.
        Which::Known => {
            query.push(
                " AND shown AND invited_time >= (SELECT created_time FROM users
                                               WHERE users.username = call_members.username)",
            );
        }
    }
    query.push(" GROUP BY channel_id HAVING ");
    query
}

fn push_names<'a>(query: &mut QueryBuilder<sqlx::Sqlite>, names: impl Iterator<Item = &'a Username>) {
    let mut list = query.separated(", ");
    for name in names {
        list.push_bind(name.as_str());
    }
}

fn named_profile(row: SqliteRow) -> anyhow::Result<(Username, Profile)> {
    let name: String = row.try_get("username")?;
    Ok((Username::new(name)?, from_json(row.try_get("profile")?)?))
}

fn named_relation(row: &SqliteRow) -> anyhow::Result<(Username, Relation)> {
    let name: String = row.try_get("username")?;
    Ok((Username::new(name)?, from_json(row.try_get("relation")?)?))
}

fn call_record(
    channel_id: ChannelId,
    members: Vec<MemberRecord>,
    row: &SqliteRow,
) -> anyhow::Result<CallRecord> {
    Ok(CallRecord {
        channel_id,
        inviter: Username::new(row.try_get::<String, _>("inviter")?)?,
        members,
        start_time: row.try_get("start_time")?,
        end_time: row.try_get("end_time")?,
        reason: of_word(row.try_get("reason")?)?,
        detail: row.try_get::<Option<_>, _>("detail")?.map(of_word).transpose()?,
    })
}

fn member_record(row: &SqliteRow) -> anyhow::Result<MemberRecord> {
    Ok(MemberRecord {
        username: Username::new(row.try_get::<String, _>("username")?)?,
        invited_by: Username::new(row.try_get::<String, _>("invited_by")?)?,
        invited_time: row.try_get("invited_time")?,
        join_time: row.try_get("join_time")?,
        leave_time: row.try_get("leave_time")?,
        reason: of_word(row.try_get("reason")?)?,
        detail: row.try_get::<Option<_>, _>("detail")?.map(of_word).transpose()?,
        shown: row.try_get("shown")?,
    })
}

fn to_json<T: Serialize>(value: &T) -> anyhow::Result<String> {
    Ok(serde_json::to_string(value)?)
}

fn from_json<T: DeserializeOwned>(text: String) -> anyhow::Result<T> {
    serde_json::from_str(&text).context("the database holds JSON that can't be read")
}

/// The protocol's word for a unit variant.
fn word<T: Serialize>(value: &T) -> anyhow::Result<String> {
    let value = serde_json::to_value(value)?;
    Ok(value.as_str().context("not a word")?.to_owned())
}

/// What a protocol's word stands for.
fn of_word<T: DeserializeOwned>(word: String) -> anyhow::Result<T> {
    serde_json::from_value(word.into()).context("the database holds a word that is not known")
}

/// Makes the file if there is none, for its owner alone: who calls whom is nobody else's business.
fn make_private(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

async fn add_call(tx: &mut SqliteConnection, call: &CallRecord) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO call_records (channel_id, inviter, start_time, end_time, reason, detail)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&call.channel_id.0)
    .bind(call.inviter.as_str())
    .bind(call.start_time)
    .bind(call.end_time)
    .bind(word(&call.reason)?)
    .bind(call.detail.as_ref().map(word).transpose()?)
    .execute(&mut *tx)
    .await?;
    for (position, member) in (0_i64..).zip(&call.members) {
        sqlx::query(
            "INSERT INTO call_members (channel_id, position, username, invited_by, invited_time, join_time,
                                       leave_time, reason, detail, shown)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&call.channel_id.0)
        .bind(position)
        .bind(member.username.as_str())
        .bind(member.invited_by.as_str())
        .bind(member.invited_time)
        .bind(member.join_time)
        .bind(member.leave_time)
        .bind(word(&member.reason)?)
        .bind(member.detail.as_ref().map(word).transpose()?)
        .bind(member.shown)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{ChannelId, Detail, Reason};
    use jmrtc_rooms::MemberRecord;

    use super::*;

    fn name(name: &str) -> Username {
        Username::new(name).unwrap()
    }

    #[tokio::test]
    async fn a_name_becomes_a_user_once_and_keeps_what_is_stored() {
        let store = Store::in_memory().await;
        let alice = name("alice");
        assert_eq!(store.user(&alice).await.unwrap(), None);
        assert!(!store.set_profile(&alice, &Profile::default()).await.unwrap());
        assert_eq!(store.sign_in(&alice, 5).await.unwrap(), Some(UserRecord::named(alice.clone())));
        let profile = Profile { nickname: "Älice 🎧".into(), ..Profile::default() };
        assert!(store.set_profile(&alice, &profile).await.unwrap());
        assert_eq!(store.sign_in(&alice, 6).await.unwrap().unwrap().profile, profile);
        assert_eq!(store.list(None, 9).await.unwrap(), [(alice.clone(), profile)]);
        assert_eq!(store.list(Some(&alice), 9).await.unwrap(), []);
    }

    #[tokio::test]
    async fn of_the_named_no_more_is_loaded_than_concerns_them_and_the_asker() {
        let store = Store::in_memory().await;
        let [alice, bob, carol, dave, nobody] = ["alice", "bob", "carol", "dave", "nobody"].map(name);
        for user in [&alice, &bob, &carol, &dave] {
            store.sign_in(user, 0).await.unwrap();
        }
        let profile = Profile { nickname: "Bobby".into(), ..Profile::default() };
        store.set_profile(&bob, &profile).await.unwrap();
        let note = |text: &str| Relation { note_name: text.into(), ..Relation::default() };
        for (viewer, about) in
            [(&alice, &bob), (&bob, &alice), (&bob, &carol), (&bob, &dave), (&carol, &bob), (&dave, &carol)]
        {
            store.set_relation(viewer, about, &note(&format!("{about} of {viewer}"))).await.unwrap();
        }
        let named = store.users_named(&BTreeSet::from([&bob, &carol, &nobody]), &alice).await.unwrap();
        let relations = |list: &[(&Username, &str)]| {
            list.iter().map(|(about, text)| ((*about).clone(), note(text))).collect()
        };
        let expected = [
            UserRecord {
                username: bob.clone(),
                profile,
                relations: relations(&[(&alice, "alice of bob"), (&carol, "carol of bob")]),
            },
            UserRecord { relations: relations(&[(&bob, "bob of carol")]), ..UserRecord::named(carol) },
        ];
        assert_eq!(named, expected);
        assert_eq!(store.users_named(&BTreeSet::new(), &alice).await.unwrap(), []);

        let crowd: Vec<Username> = (0..40_000).map(|n| name(&format!("a{n}"))).chain([alice, bob]).collect();
        assert_eq!(store.profiles(&crowd.iter().collect()).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn relations_are_the_viewers_own() {
        let store = Store::in_memory().await;
        let (alice, bob) = (name("alice"), name("bob"));
        let blocked = Relation { is_in_black_list: true, ..Relation::default() };
        assert!(store.set_relation(&alice, &bob, &blocked).await.is_err(), "nobody there yet");
        for user in [&alice, &bob] {
            store.sign_in(user, 0).await.unwrap();
        }
        let friend = Relation { is_friend: true, ..Relation::default() };
        store.set_relation(&alice, &bob, &friend).await.unwrap();
        store.set_relation(&alice, &bob, &blocked).await.unwrap();
        let record = store.user(&alice).await.unwrap().unwrap();
        assert_eq!(record.relations, BTreeMap::from([(bob.clone(), blocked)]));
        assert_eq!(store.user(&bob).await.unwrap().unwrap().relations, BTreeMap::new());
        let carol = name("carol");
        store.sign_in(&carol, 0).await.unwrap();
        store.set_relation(&alice, &carol, &friend).await.unwrap();
        let about = store.relations(&alice, &BTreeSet::from([&carol, &alice])).await.unwrap();
        assert_eq!(about, BTreeMap::from([(carol.clone(), friend)]));
        let related = async |viewer, after, limit| {
            let names = store.related(viewer, after, limit).await.unwrap();
            names.iter().map(Username::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(related(&alice, None, 9).await, "bob carol");
        assert_eq!(related(&alice, None, 1).await, "bob");
        assert_eq!(related(&alice, Some(&bob), 9).await, "carol");
        assert_eq!(related(&carol, None, 9).await, "");
        store.set_relation(&alice, &carol, &Relation::default()).await.unwrap();
        store.set_relation(&alice, &bob, &Relation::default()).await.unwrap();
        assert_eq!(store.user(&alice).await.unwrap().unwrap().relations, BTreeMap::new());
    }

    #[tokio::test]
    async fn a_deleted_user_is_gone_until_it_is_made_anew() {
        let store = Store::in_memory().await;
        let (alice, bob) = (name("alice"), name("bob"));
        for user in [&alice, &bob] {
            store.sign_in(user, 0).await.unwrap();
        }
        let friend = Relation { is_friend: true, ..Relation::default() };
        store.set_relation(&alice, &bob, &friend).await.unwrap();
        store.set_relation(&bob, &alice, &friend).await.unwrap();
        assert!(store.delete_user(&bob, 5).await.unwrap());
        assert!(!store.delete_user(&bob, 6).await.unwrap());
        assert_eq!(store.user(&alice).await.unwrap().unwrap().relations, BTreeMap::new());
        assert_eq!(store.sign_in(&bob, 7).await.unwrap(), None);
        assert!(store.put_user(&bob, &Profile::default(), 8).await.unwrap());
        assert_eq!(store.sign_in(&bob, 9).await.unwrap(), Some(UserRecord::named(bob.clone())));
        let profile = Profile { nickname: "Bob".into(), ..Profile::default() };
        assert!(!store.put_user(&bob, &profile, 10).await.unwrap());
        let (bobby, nobody) = (name("bob"), name("nobody"));
        let profiles = store.profiles(&BTreeSet::from([&bobby, &nobody])).await.unwrap();
        assert_eq!(profiles, BTreeMap::from([(bob, profile)]));
    }

    fn record(channel: &str, at: i64, members: &[(&str, bool)]) -> CallRecord {
        let member = |(who, shown): &(&str, bool)| MemberRecord {
            username: name(who),
            invited_by: name("alice"),
            invited_time: at,
            join_time: 0,
            leave_time: at,
            reason: Reason::Cancel,
            detail: Some(Detail::NoAnswer),
            shown: *shown,
        };
        CallRecord {
            channel_id: ChannelId(channel.into()),
            inviter: name("alice"),
            members: members.iter().map(member).collect(),
            start_time: 0,
            end_time: at,
            reason: Reason::Cancel,
            detail: None,
        }
    }

    #[tokio::test]
    async fn calls_are_found_newest_first_page_by_page() {
        let store = Store::in_memory().await;
        let (alice, bob) = (name("alice"), name("bob"));
        store.put_user(&alice, &Profile::default(), 0).await.unwrap();
        store.put_user(&bob, &Profile::default(), 0).await.unwrap();
        let calls = [
            record("b", 10, &[("alice", true), ("bob", false)]),
            record("a", 20, &[("alice", true), ("bob", true)]),
            record("d", 20, &[("alice", true), ("bob", true), ("bob", false)]),
            record("c", 30, &[("alice", true), ("carol", true)]),
        ];
        for call in &calls {
            store.add_calls(std::slice::from_ref(call)).await.unwrap();
        }
        let channel = |c: &str| ChannelId(c.into());
        let found = async |who: &Username, which, before: Option<&str>, limit| {
            let before = before.map(channel);
            let calls = store.calls_of(who, which, before.as_ref(), limit).await.unwrap()?;
            Some(calls.into_iter().map(|c| c.channel_id.0).collect::<Vec<_>>().concat())
        };
        assert_eq!(found(&alice, Which::Known, None, 9).await.unwrap(), "cdab");
        assert_eq!(found(&alice, Which::Known, None, 2).await.unwrap(), "cd");
        assert_eq!(found(&alice, Which::Known, Some("d"), 2).await.unwrap(), "ab");
        assert_eq!(found(&alice, Which::Known, Some("b"), 2).await.unwrap(), "");
        assert_eq!(
            found(&bob, Which::Known, None, 9).await.unwrap(),
            "da",
            "not the one that it must not know"
        );
        assert_eq!(found(&bob, Which::All, None, 9).await.unwrap(), "dab");
        assert_eq!(found(&bob, Which::Known, Some("b"), 9).await, None);
        assert_eq!(found(&bob, Which::Known, Some("c"), 9).await, None, "not among its own");
        assert_eq!(store.call(&channel("d")).await.unwrap().as_ref(), Some(&calls[2]));
        assert_eq!(store.call(&channel("x")).await.unwrap(), None);

        // Somebody else gets the name.
        store.delete_user(&bob, 40).await.unwrap();
        assert_eq!(found(&bob, Which::All, None, 9).await.unwrap(), "dab");
        store.put_user(&bob, &Profile::default(), 50).await.unwrap();
        // The last call of the one before may end, and be kept, when the name is somebody else's already.
        let mut late = record("e", 55, &[("alice", true), ("bob", true)]);
        late.members.iter_mut().for_each(|member| member.invited_time = 45);
        store.add_calls(&[late]).await.unwrap();
        assert_eq!(found(&bob, Which::Known, None, 9).await.unwrap(), "");
        assert_eq!(found(&bob, Which::Known, Some("a"), 9).await, None);
    }

    #[tokio::test]
    async fn a_handover_is_taken_once_and_one_that_nobody_can_read_is_none() {
        let store = Store::in_memory().await;
        assert_eq!(store.take_handover().await.unwrap(), None);
        for _ in 0..2 {
            store.put_handover(&Handover::default()).await.unwrap();
        }
        assert_eq!(store.take_handover().await.unwrap(), Some(Handover::default()));
        assert_eq!(store.take_handover().await.unwrap(), None);
        sqlx::query("INSERT INTO handover (calls) VALUES ('of another version')")
            .execute(&store.pool)
            .await
            .unwrap();
        assert_eq!(store.take_handover().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_call_is_kept_whole() {
        let store = Store::in_memory().await;
        let member = |who: &str, detail| MemberRecord {
            username: name(who),
            invited_by: name("alice"),
            invited_time: 1,
            join_time: 0,
            leave_time: 9,
            reason: Reason::Cancel,
            detail,
            shown: true,
        };
        let call = CallRecord {
            channel_id: ChannelId("c".into()),
            inviter: name("alice"),
            members: vec![member("alice", None), member("bob", Some(Detail::NoAnswer)), member("bob", None)],
            start_time: 0,
            end_time: 9,
            reason: Reason::Cancel,
            detail: Some(Detail::NoAnswer),
        };
        store.add_calls(std::slice::from_ref(&call)).await.unwrap();
        assert!(
            store.add_calls(std::slice::from_ref(&call)).await.is_err(),
            "a channel id is never used again"
        );
        let row = sqlx::query("SELECT count(*) AS n, max(detail) AS detail FROM call_members")
            .fetch_one(&store.pool)
            .await
            .unwrap();
        assert_eq!((row.get::<i64, _>("n"), row.get::<String, _>("detail")), (3, "noAnswer".into()));
    }
}
