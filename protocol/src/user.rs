use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Username;

/// A user's gender as the seed's user model spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Gender {
    Male,
    Female,
    #[default]
    Unknown,
}

/// What everybody sees of a user. Unknown text is `""`, an unknown number 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Profile {
    /// Name to show.
    pub nickname: String,
    /// `male`, `female` or `unknown`.
    pub gender: Gender,
    /// URL of a small picture.
    pub avatar_thumb_path: String,
    /// Unix milliseconds.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub birthday: i64,
    /// Region, free text.
    pub region: String,
    /// Personal signature, free text.
    pub signature: String,
    /// Postal address, free text.
    pub address: String,
    /// Whatever the app wants to add.
    pub extras: BTreeMap<String, String>,
}

/// What one user (the viewer) keeps about another; two viewers see different values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Relation {
    /// The viewer's own name for the user.
    pub note_name: String,
    /// The viewer's note about the user.
    pub note_text: String,
    /// Calls from the user don't ring at the viewer.
    pub is_no_disturb: bool,
    /// Calls from the user never reach the viewer.
    pub is_in_black_list: bool,
    /// The viewer counts the user as a friend.
    pub is_friend: bool,
}

/// The seed's user model: a profile with the viewer's own relation to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Always `user`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "codegen", ts(type = "'user'"))]
    pub kind: String,
    /// The user's name within the app.
    pub username: Username,
    /// The app that the user belongs to; `(appKey, username)` is unique.
    pub app_key: String,
    /// What everybody sees.
    #[serde(flatten)]
    pub profile: Profile,
    /// What only the viewer sees.
    #[serde(flatten)]
    pub relation: Relation,
}

impl User {
    /// A user as `relation`'s owner sees it.
    pub fn new(app_key: &str, username: Username, profile: Profile, relation: Relation) -> Self {
        Self { kind: "user".to_owned(), username, app_key: app_key.to_owned(), profile, relation }
    }
}
