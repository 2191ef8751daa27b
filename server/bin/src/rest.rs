//! REST for the company's backend, and for users what is their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jmrtc_protocol::limits::DEFAULT_HISTORY;
use jmrtc_protocol::{ChannelId, ErrorCode, Failure, Profile, Relation, User, Username};
use jmrtc_rooms::CallRecord;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::app::App;
use crate::auth::Bearer;
use crate::directory;
use crate::http::{Answer, Body, Refusal};
use crate::hub::ToHub;
use crate::serve::ECHO;
use crate::store::Which;

/// Users listed at once.
const MAX_LISTED: usize = 1000;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/users", get(users))
        .route("/v1/users/{name}", get(user).put(put_user).delete(delete_user))
        .route("/v1/users/{name}/relations", get(relations))
        .route("/v1/users/{name}/relations/{other}", get(relation).put(put_relation))
        .route("/v1/users/{name}/calls", get(calls))
        .route("/v1/calls/{channel}", get(call))
}

/// Who asks: `Authorization: Bearer TOKEN`.
enum Caller {
    User(Username),
    Backend,
}

impl Caller {
    /// The backend may do everything, a user what is its own.
    fn may_see(&self, name: &Username) -> Answer<()> {
        match self {
            Self::Backend => Ok(()),
            Self::User(own) if own == name => Ok(()),
            Self::User(_) => Err(Refusal::new(ErrorCode::PermissionDenied, "that is another user's")),
        }
    }

    /// Counts one more change. The backend may make as many as it likes.
    fn may_change(&self, app: &App, name: &Username) -> Answer<()> {
        self.may_see(name)?;
        match self {
            Self::User(own) if !app.may_change(own) => Err(too_often("too many changes; slow down")),
            Self::User(_) | Self::Backend => Ok(()),
        }
    }

    fn is_backend(&self) -> Answer<()> {
        match self {
            Self::Backend => Ok(()),
            Self::User(_) => {
                let why = "that is the backend's to do, with a token of its own (docs/server.md)";
                Err(Refusal::new(ErrorCode::PermissionDenied, why))
            }
        }
    }
}

fn too_often(why: &str) -> Refusal {
    Refusal(StatusCode::TOO_MANY_REQUESTS, Failure::new(ErrorCode::LimitExceeded, why))
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let token = token
            .ok_or_else(|| Refusal::new(ErrorCode::NotLoggedIn, "needs `Authorization: Bearer TOKEN`"))?;
        let rejected = |why: String| Refusal::new(ErrorCode::LoginRejected, why);
        match app.config.auth.bearer(token).map_err(rejected)? {
            Bearer::Backend => Ok(Self::Backend),
            Bearer::User(identity) if !app.may_ask(&identity.user) => {
                Err(too_often("too many requests; slow down"))
            }
            Bearer::User(identity) => match app.store.admit(&identity.user, app.clock.unix_now()).await? {
                true => Ok(Self::User(identity.user)),
                false => Err(rejected(directory::DELETED.to_owned())),
            },
        }
    }
}

/// What stands in a path: names, or a channel id.
struct At<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let Path(path) = Path::from_request_parts(parts, state)
            .await
            .map_err(|e| Refusal::new(ErrorCode::InvalidParameter, e.body_text()))?;
        Ok(Self(path))
    }
}

/// What stands behind the question mark.
struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let Query(asked) = Query::from_request_parts(parts, state)
            .await
            .map_err(|e| Refusal::new(ErrorCode::InvalidParameter, e.body_text()))?;
        Ok(Self(asked))
    }
}

#[derive(Deserialize)]
struct After {
    after: Option<Username>,
}

#[derive(Serialize)]
struct Listed {
    user: User,
    online: bool,
}

/// `GET /v1/users?after=NAME`: users by name and whether they are online. In --dev it is everybody's, for the demo page.
async fn users(
    State(app): State<Arc<App>>,
    caller: Caller,
    Asked(page): Asked<After>,
) -> Answer<Json<Vec<Listed>>> {
    let viewer = match &caller {
        Caller::User(name) if app.config.dev => Some(name),
        Caller::User(_) | Caller::Backend => {
            caller.is_backend()?;
            None
        }
    };
    let (ask, answer) = oneshot::channel();
    let stopping = || Refusal::new(ErrorCode::ServerError, "the server stops");
    app.hub.send(ToHub::Online(ask)).await.map_err(|_| stopping())?;
    let online = answer.await.map_err(|_| stopping())?;
    let users = app.store.list(page.after.as_ref(), MAX_LISTED).await?;
    let mut relations = BTreeMap::new();
    if let Some(viewer) = viewer {
        let names = users.iter().map(|(name, _)| name).collect();
        relations = app.store.relations(viewer, &names).await?;
    }
    let listed = users.into_iter().map(|(name, profile)| Listed {
        online: online.contains(&name),
        user: {
            let relation = relations.remove(&name).unwrap_or_default();
            User::new(&app.config.app_key, name, profile, relation)
        },
    });
    Ok(Json(listed.collect()))
}

/// `GET /v1/users/{name}`: a profile. The backend, which is no user, has no relation to anybody.
async fn user(State(app): State<Arc<App>>, caller: Caller, At(name): At<Username>) -> Answer<Json<User>> {
    caller.may_see(&name)?;
    let profile = directory::profile(&app, &name).await?;
    Ok(Json(User::new(&app.config.app_key, name, profile, Relation::default())))
}

/// `PUT /v1/users/{name}`: makes a user or gives it another profile; a user its own.
async fn put_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    At(name): At<Username>,
    body: Body,
) -> Answer<Response> {
    caller.may_change(&app, &name)?;
    let profile: Profile = body.read_whole()?;
    Ok(match caller {
        Caller::User(_) => Json(directory::change_profile(&app, &name, |_| profile).await?).into_response(),
        Caller::Backend => {
            let (user, made) = directory::put_user(&app, &name, profile).await?;
            (if made { StatusCode::CREATED } else { StatusCode::OK }, Json(user)).into_response()
        }
    })
}

/// `DELETE /v1/users/{name}`.
async fn delete_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    At(name): At<Username>,
) -> Answer<StatusCode> {
    caller.is_backend()?;
    if app.config.dev && name.as_str() == ECHO {
        return Err(Refusal::new(ErrorCode::PermissionDenied, "that user is a robot of the server"));
    }
    directory::delete_user(&app, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/users/{name}/relations?after=NAME`: the others about whom a user keeps something, as it sees them.
async fn relations(
    State(app): State<Arc<App>>,
    caller: Caller,
    At(name): At<Username>,
    Asked(page): Asked<After>,
) -> Answer<Json<Vec<User>>> {
    caller.may_see(&name)?;
    let (users, _) = directory::relations(&app, &name, page.after.as_ref(), MAX_LISTED).await?;
    Ok(Json(users))
}

/// `GET /v1/users/{name}/relations/{other}`: another user as this one sees it.
async fn relation(
    State(app): State<Arc<App>>,
    caller: Caller,
    At((name, other)): At<(Username, Username)>,
) -> Answer<Json<User>> {
    caller.may_see(&name)?;
    Ok(Json(directory::seen_by(&app, &name, &other).await?))
}

/// `PUT /v1/users/{name}/relations/{other}`: what a user keeps about another.
async fn put_relation(
    State(app): State<Arc<App>>,
    caller: Caller,
    At((name, other)): At<(Username, Username)>,
    body: Body,
) -> Answer<Json<User>> {
    caller.may_change(&app, &name)?;
    let relation: Relation = body.read_whole()?;
    Ok(Json(directory::change_relation(&app, &name, &other, |_| relation).await?))
}

#[derive(Deserialize)]
struct Older {
    before: Option<ChannelId>,
    #[serde(default = "default_history")]
    limit: u32,
}

fn default_history() -> u32 {
    DEFAULT_HISTORY
}

/// `GET /v1/users/{name}/calls?before=CHANNEL&limit=N`: the backend gets records, a user its calls as it saw them.
async fn calls(
    State(app): State<Arc<App>>,
    caller: Caller,
    At(name): At<Username>,
    Asked(Older { before, limit }): Asked<Older>,
) -> Answer<Json<Value>> {
    caller.may_see(&name)?;
    let before = before.as_ref();
    Ok(Json(match caller {
        Caller::Backend => {
            let (calls, more) = directory::records(&app, &name, Which::All, before, limit).await?;
            json!({ "calls": calls.into_iter().map(record).collect::<Vec<_>>(), "more": more })
        }
        Caller::User(_) => {
            let (calls, more) = directory::history(&app, &name, before, limit).await?;
            json!({ "calls": calls, "more": more })
        }
    }))
}

/// `GET /v1/calls/{channelId}`: one call that is over; for a user as it saw it, if it was in it.
async fn call(
    State(app): State<Arc<App>>,
    caller: Caller,
    At(channel): At<ChannelId>,
) -> Answer<Json<Value>> {
    // Whether there is such a call at all is not told to others.
    let unknown =
        || Refusal::new(ErrorCode::UserUnavailable, "there is no such call among those that are over");
    Ok(Json(match caller {
        Caller::Backend => record(directory::record(&app, &channel).await?.ok_or_else(unknown)?),
        Caller::User(name) => {
            json!(directory::past_call(&app, &name, &channel).await?.ok_or_else(unknown)?)
        }
    }))
}

/// A record as JSON.
fn record(call: CallRecord) -> Value {
    let members = call.members.into_iter().map(|member| {
        json!({
            "username": member.username,
            "invitedBy": member.invited_by,
            "invitedTime": member.invited_time,
            "joinTime": member.join_time,
            "leaveTime": member.leave_time,
            "reason": member.reason,
            "detail": member.detail,
            "shown": member.shown,
        })
    });
    json!({
        "channelId": call.channel_id,
        "inviter": call.inviter,
        "members": members.collect::<Vec<_>>(),
        "startTime": call.start_time,
        "endTime": call.end_time,
        "reason": call.reason,
        "detail": call.detail,
    })
}
