//! Tokens: JWTs that the company's own backend mints with the app secret.

use jmrtc_protocol::Username;
use jmrtc_protocol::limits::MAX_TOKEN_BYTES;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::clock::unix_s;

/// Shortest secret: HS256 wants a key as long as its hash (RFC 7518 section 3.2).
pub(crate) const MIN_SECRET_BYTES: usize = 32;
/// Seconds by which the clock of the backend may be ahead.
const LEEWAY_S: u64 = 5;

/// Mints and checks tokens of one app.
pub(crate) struct Auth {
    app_key: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// Who signed in and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: Username,
    /// Unix seconds.
    pub(crate) expires: u64,
}

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bearer {
    User(Identity),
    /// The company's own backend: no `sub`, and [`BACKEND`] for its scope.
    Backend,
}

/// The `scope` of a backend's token.
const BACKEND: &str = "backend";

/// What a token of ours says.
#[derive(Serialize)]
struct Minted<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    nbf: u64,
    exp: u64,
}

/// What we read of a token; the crate checks `iss` and `nbf`.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Option<String>,
    /// Of any shape in tokens of other makers.
    #[serde(default)]
    scope: serde_json::Value,
    /// RFC 7519 allows fractions.
    #[serde(default)]
    exp: Option<f64>,
}

impl Auth {
    /// The error says what is wrong with the secret.
    pub(crate) fn new(app_key: &str, secret: &[u8]) -> Result<Self, String> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "the secret has {} bytes; HS256 needs at least {MIN_SECRET_BYTES} (try: openssl rand -hex 32)",
                secret.len()
            ));
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        // Without leeway: [`Self::bearer`].
        validation.validate_exp = false;
        validation.set_issuer(&[app_key]);
        validation.set_required_spec_claims(&["exp", "iss"]);
        // Some identity providers add an audience of their own; iss and the app's own secret say enough.
        validation.validate_aud = false;
        Ok(Self {
            app_key: app_key.to_owned(),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
        })
    }

    /// A token from now for `lifetime_s` seconds, for the backend where no user is named.
    pub(crate) fn mint(
        &self,
        user: Option<&Username>,
        now_s: u64,
        lifetime_s: u64,
    ) -> anyhow::Result<String> {
        let claims = Minted {
            iss: &self.app_key,
            sub: user.map(Username::as_str),
            scope: user.is_none().then_some(BACKEND),
            nbf: now_s,
            exp: now_s.saturating_add(lifetime_s),
        };
        Ok(encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)?)
    }

    /// Which user a token names; the error says why it is refused.
    pub(crate) fn check(&self, token: &str) -> Result<Identity, String> {
        match self.bearer(token)? {
            Bearer::User(identity) => Ok(identity),
            Bearer::Backend => Err("the token is the backend's and no user's".to_owned()),
        }
    }

    /// Whose a token is; the error says why it is refused.
    pub(crate) fn bearer(&self, token: &str) -> Result<Bearer, String> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(format!("the token has {} bytes, at most {MAX_TOKEN_BYTES} are taken", token.len()));
        }
        let header = decode_header(token)
            .map_err(|_| "the token is no JWT, or signed with an algorithm other than HS256".to_owned())?;
        if header.alg != Algorithm::HS256 {
            return Err(format!("the token is signed with {:?}; only HS256 is accepted", header.alg));
        }
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|e| self.reason(e.kind()))?
            .claims;
        let expires = claims.exp.ok_or("the token has no `exp`")? as u64;
        // To the second: whoever is let in after that would be put out again at once.
        if expires <= unix_s() {
            return Err("the token has expired".to_owned());
        }
        match (claims.sub, claims.scope == BACKEND) {
            (None, true) => Ok(Bearer::Backend),
            (Some(_), true) => Err("a backend's token has no `sub`".to_owned()),
            (None, false) => Err("the token has no `sub`".to_owned()),
            (Some(name), false) => {
                let user =
                    Username::new(name).map_err(|e| format!("the token's `sub` is no username: {e}"))?;
                Ok(Bearer::User(Identity { user, expires }))
            }
        }
    }

    // The crate's list of errors is not ours and mostly about other algorithms.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn reason(&self, kind: &ErrorKind) -> String {
        match kind {
            ErrorKind::ImmatureSignature => "the token is not valid yet (`nbf`)".to_owned(),
            ErrorKind::InvalidSignature => "the token is signed with another secret".to_owned(),
            ErrorKind::InvalidAlgorithm => "the token is not signed with HS256".to_owned(),
            ErrorKind::InvalidIssuer => {
                format!("the token's `iss` is not this server's app key, `{}`", self.app_key)
            }
            ErrorKind::MissingRequiredClaim(claim) => format!("the token has no `{claim}`"),
            other => format!("the token can't be read: {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn auth() -> Auth {
        Auth::new("app", SECRET).unwrap()
    }

    fn signed(algorithm: Algorithm, secret: &[u8], claims: &serde_json::Value) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn refusal(claims: &serde_json::Value) -> String {
        auth().check(&signed(Algorithm::HS256, SECRET, claims)).unwrap_err()
    }

    #[test]
    fn a_token_names_its_user_until_it_expires() {
        let alice = Username::new("alice").unwrap();
        let token = auth().mint(Some(&alice), unix_s(), 60).unwrap();
        assert_eq!(auth().check(&token), Ok(Identity { user: alice, expires: unix_s() + 60 }));
    }

    #[test]
    fn each_refusal_says_why() {
        let (past, future) = (unix_s() - 60, unix_s() + 60);
        let claims = serde_json::json!({"iss": "app", "sub": "alice", "exp": future});
        let other = signed(Algorithm::HS256, b"another secret of thirty-two bytes!", &claims);
        assert_eq!(auth().check(&other).unwrap_err(), "the token is signed with another secret");
        let hs512 = signed(Algorithm::HS512, SECRET, &claims);
        assert_eq!(
            auth().check(&hs512).unwrap_err(),
            "the token is signed with HS512; only HS256 is accepted"
        );
        for garbage in ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", &"x".repeat(9000)] {
            assert!(auth().check(garbage).is_err(), "{garbage}");
        }
        let with = |key: &str, value: serde_json::Value| {
            let mut claims = claims.clone();
            claims[key] = value;
            refusal(&claims)
        };
        for past in [past, unix_s()] {
            assert_eq!(with("exp", past.into()), "the token has expired");
        }
        assert_eq!(with("nbf", future.into()), "the token is not valid yet (`nbf`)");
        assert_eq!(with("iss", "b".into()), "the token's `iss` is not this server's app key, `app`");
        assert!(with("sub", "".into()).contains("no username"));
        assert_eq!(refusal(&serde_json::json!({"iss": "app", "sub": "a"})), "the token has no `exp`");
        assert_eq!(refusal(&serde_json::json!({"iss": "app", "exp": future})), "the token has no `sub`");
        assert_eq!(refusal(&serde_json::json!({"sub": "a", "exp": future})), "the token has no `iss`");
        assert!(with("exp", "soon".into()).contains("can't be read"));
    }

    #[test]
    fn the_backends_token_is_no_users_and_the_other_way_round() {
        let backend = auth().mint(None, unix_s(), 60).unwrap();
        assert_eq!(auth().bearer(&backend), Ok(Bearer::Backend));
        assert_eq!(auth().check(&backend).unwrap_err(), "the token is the backend's and no user's");
        let exp = unix_s() + 60;
        let bearer = |claims: serde_json::Value| auth().bearer(&signed(Algorithm::HS256, SECRET, &claims));
        let both = serde_json::json!({"iss": "app", "sub": "alice", "scope": "backend", "exp": exp});
        assert_eq!(bearer(both).unwrap_err(), "a backend's token has no `sub`");
        for scope in ["openid email".into(), "Backend".into(), serde_json::json!(["backend"]), 7.into()] {
            let claims = serde_json::json!({"iss": "app", "sub": "alice", "scope": scope, "exp": exp});
            assert!(matches!(bearer(claims), Ok(Bearer::User(_))), "{scope}");
            let claims = serde_json::json!({"iss": "app", "scope": scope, "exp": exp});
            assert_eq!(bearer(claims).unwrap_err(), "the token has no `sub`", "{scope}");
        }
        let old = serde_json::json!({"iss": "app", "scope": "backend", "exp": unix_s() - 60});
        assert_eq!(bearer(old).unwrap_err(), "the token has expired");
        let endless = serde_json::json!({"iss": "app", "scope": "backend"});
        assert_eq!(bearer(endless).unwrap_err(), "the token has no `exp`");
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(Auth::new("app", b"short").err().unwrap().contains("at least 32"));
    }
}
