//! What is served over HTTP, and how all of it is guarded. Errors are [`Failure`] as JSON.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt;
use jmrtc_protocol::limits::MAX_PROFILE_BYTES;
use jmrtc_protocol::{ErrorCode, Failure, Username};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::app::App;
use crate::clock::unix_s;
use crate::hub::ToHub;
use crate::{demo, rest, ws};

/// From a request's head to its answer, the body included.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Of a body that is too long, so much is read and thrown away: who still sends when the connection closes may never see the answer.
const MAX_SKIPPED: usize = 8 << 20;
/// How long a token of /v1/dev/token is good.
const DEV_TOKEN_S: u64 = 24 * 3600;

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/ws", get(ws::upgrade))
        .route("/v1/dev/token", post(dev_token))
        .merge(rest::routes())
        .route("/v1/{*rest}", axum::routing::any(unknown))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .fallback(demo::page)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), headers))
        .with_state(app)
}

/// A request that failed.
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) Failure);

impl Refusal {
    pub(crate) fn new(code: ErrorCode, why: impl Into<String>) -> Self {
        Failure::new(code, why).into()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = match failure.code {
            ErrorCode::NotLoggedIn | ErrorCode::LoginRejected => StatusCode::UNAUTHORIZED,
            ErrorCode::PermissionDenied => StatusCode::FORBIDDEN,
            ErrorCode::UserUnavailable => StatusCode::NOT_FOUND,
            ErrorCode::InvalidState | ErrorCode::AlreadyInCall | ErrorCode::CallEnded => StatusCode::CONFLICT,
            ErrorCode::LimitExceeded => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::InvalidParameter | ErrorCode::NotInitialized => StatusCode::BAD_REQUEST,
            ErrorCode::Network | ErrorCode::EngineFailed | ErrorCode::ServerError => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self(status, failure)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        tracing::error!("request failed: {error:#}");
        Self::new(ErrorCode::ServerError, "the server failed")
    }
}

pub(crate) type Answer<T> = Result<T, Refusal>;

#[derive(Deserialize)]
struct DevToken {
    user: Username,
}

/// `POST /v1/dev/token {"user": "alice"}`: a token for anybody, in --dev only.
async fn dev_token(State(app): State<Arc<App>>, body: Body) -> Answer<Json<Value>> {
    if !app.config.dev {
        let why = "this server does not run with --dev; tokens come from the app's own backend";
        return Err(Refusal(StatusCode::NOT_FOUND, Failure::new(ErrorCode::PermissionDenied, why)));
    }
    let DevToken { user } = body.read()?;
    let token = app.config.auth.mint(Some(&user), unix_s(), DEV_TOKEN_S)?;
    Ok(Json(json!({"token": token, "appKey": app.config.app_key})))
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let (ask, answer) = oneshot::channel();
    if app.hub.send(ToHub::Online(ask)).await.is_ok()
        && let Ok(online) = answer.await
    {
        app.metrics.users_online.set(online.len() as u64);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render()).into_response()
}

async fn unknown() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, Failure::new(ErrorCode::InvalidParameter, "no such address"))
}

async fn wrong_method() -> Refusal {
    Refusal(StatusCode::METHOD_NOT_ALLOWED, Failure::new(ErrorCode::InvalidParameter, "no such method here"))
}

/// A JSON body, whatever its content type says.
pub(crate) struct Body(Vec<u8>);

impl Body {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Answer<T> {
        serde_json::from_slice(&self.0).map_err(|e| bad_body(&e))
    }

    /// The whole of something, in which what is left out is set to its default: so a name that it does not have is an error, and
    /// no field that was meant to have another.
    pub(crate) fn read_whole<T: DeserializeOwned + Serialize + Default>(&self) -> Answer<T> {
        let fields: Map<String, Value> = self.read()?;
        let known = serde_json::to_value(T::default()).unwrap_or_default();
        if let Some(name) = fields.keys().find(|name| known.get(name).is_none()) {
            return Err(bad_body(&format_args!("there is no `{name}`")));
        }
        serde_json::from_value(Value::Object(fields)).map_err(|e| bad_body(&e))
    }
}

fn bad_body(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(ErrorCode::InvalidParameter, format!("body: {why}"))
}

impl<S: Send + Sync> axum::extract::FromRequest<S> for Body {
    type Rejection = Refusal;
    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let mut stream = request.into_body().into_data_stream();
        let (mut body, mut length) = (Vec::new(), 0);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| Refusal::new(ErrorCode::InvalidParameter, e.to_string()))?;
            length += chunk.len();
            if length <= MAX_PROFILE_BYTES {
                body.extend_from_slice(&chunk);
            } else if length > MAX_SKIPPED {
                break;
            }
        }
        if length > MAX_PROFILE_BYTES {
            let why = format!("a body has at most {MAX_PROFILE_BYTES} bytes");
            return Err(Refusal::new(ErrorCode::LimitExceeded, why));
        }
        Ok(Self(body))
    }
}

/// Whether a Host header can only come from somebody who knows this machine: the page of another site may have its own
/// name lead here (DNS rebinding), but has no address and no `localhost` for a name.
fn is_own_host(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(host),
    };
    name.parse::<std::net::IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

/// Security headers on everything, CORS for the origins that are allowed, and an end for bodies that never come.
async fn headers(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if app.config.dev && app.config.listen.ip().is_loopback() && !host.is_none_or(is_own_host) {
        let why = "a --dev server on this machine is reached as localhost or by an IP address";
        return Refusal(StatusCode::MISDIRECTED_REQUEST, Failure::new(ErrorCode::PermissionDenied, why))
            .into_response();
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = origin.filter(|o| o.to_str().is_ok_and(|o| app.is_allowed_origin(o)));
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (preflight, &allowed) {
        (true, Some(_)) => StatusCode::NO_CONTENT.into_response(),
        (true, None) | (false, _) => match timeout(ANSWER_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let failure = Failure::new(
                    ErrorCode::Network,
                    "the request did not come in time, or its answer did not",
                );
                Refusal(StatusCode::REQUEST_TIMEOUT, failure).into_response()
            }
        },
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        headers
            .insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE"));
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("authorization, content-type"),
        );
    }
    response
}
