use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_EXTRAS, MAX_PROFILE_BYTES, MAX_TEXT_CHARS};
use crate::{Username, encode};

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

/// What to change of a [`Profile`]; what is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase", default)]
pub struct ProfileChange {
    /// Name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// `male`, `female` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// URL of a small picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_thumb_path: Option<String>,
    /// Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthday: Option<i64>,
    /// Region, free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Personal signature, free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Postal address, free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// All of them anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extras: Option<BTreeMap<String, String>>,
}

impl ProfileChange {
    /// `profile` with what is changed.
    pub fn apply(self, profile: Profile) -> Profile {
        Profile {
            nickname: self.nickname.unwrap_or(profile.nickname),
            gender: self.gender.unwrap_or(profile.gender),
            avatar_thumb_path: self.avatar_thumb_path.unwrap_or(profile.avatar_thumb_path),
            birthday: self.birthday.unwrap_or(profile.birthday),
            region: self.region.unwrap_or(profile.region),
            signature: self.signature.unwrap_or(profile.signature),
            address: self.address.unwrap_or(profile.address),
            extras: self.extras.unwrap_or(profile.extras),
        }
    }
}

impl Profile {
    /// Says which limit is broken, if one is.
    pub fn check(&self) -> Result<(), String> {
        let texts = [&self.nickname, &self.avatar_thumb_path, &self.region, &self.signature, &self.address];
        let extras = self.extras.iter().flat_map(|(key, value)| [key, value]);
        if self.extras.len() > MAX_EXTRAS {
            return Err(format!("a profile has at most {MAX_EXTRAS} extras"));
        }
        check_size("profile", self, texts.into_iter().chain(extras))
    }
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

/// What to change of a [`Relation`]; what is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase", default)]
pub struct RelationChange {
    /// The viewer's own name for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note_name: Option<String>,
    /// The viewer's note about the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note_text: Option<String>,
    /// Calls from the user don't ring at the viewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_no_disturb: Option<bool>,
    /// Calls from the user never reach the viewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_in_black_list: Option<bool>,
    /// The viewer counts the user as a friend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_friend: Option<bool>,
}

impl RelationChange {
    /// `relation` with what is changed.
    pub fn apply(self, relation: Relation) -> Relation {
        Relation {
            note_name: self.note_name.unwrap_or(relation.note_name),
            note_text: self.note_text.unwrap_or(relation.note_text),
            is_no_disturb: self.is_no_disturb.unwrap_or(relation.is_no_disturb),
            is_in_black_list: self.is_in_black_list.unwrap_or(relation.is_in_black_list),
            is_friend: self.is_friend.unwrap_or(relation.is_friend),
        }
    }
}

impl Relation {
    /// Says which limit is broken, if one is.
    pub fn check(&self) -> Result<(), String> {
        check_size("relation", self, [&self.note_name, &self.note_text])
    }
}

fn check_size<'a, T: Serialize>(
    what: &str,
    whole: &T,
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<(), String> {
    if texts.into_iter().any(|text| text.chars().count() > MAX_TEXT_CHARS) {
        return Err(format!("a text has at most {MAX_TEXT_CHARS} characters"));
    }
    if encode(whole).len() > MAX_PROFILE_BYTES {
        return Err(format!("a {what} has at most {MAX_PROFILE_BYTES} bytes of JSON"));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_changes_what_it_names_and_no_more() {
        let profile = Profile {
            nickname: "Al".into(),
            birthday: 7,
            extras: BTreeMap::from([("team".into(), "red".into())]),
            ..Profile::default()
        };
        assert_eq!(ProfileChange::default().apply(profile.clone()), profile);
        let change: ProfileChange =
            serde_json::from_str(r#"{"nickname":"","gender":"female","extras":{},"region":null}"#).unwrap();
        let changed = Profile { gender: Gender::Female, birthday: 7, ..Profile::default() };
        assert_eq!(change.apply(profile), changed);

        let relation = Relation { note_name: "Al".into(), is_friend: true, ..Relation::default() };
        assert_eq!(RelationChange::default().apply(relation.clone()), relation);
        let change: RelationChange =
            serde_json::from_str(r#"{"isFriend":false,"isInBlackList":true}"#).unwrap();
        let changed = Relation { note_name: "Al".into(), is_in_black_list: true, ..Relation::default() };
        assert_eq!(change.apply(relation), changed);
    }

    #[test]
    fn limits() {
        let nick = |n: usize| Profile { nickname: "é".repeat(n), ..Profile::default() };
        assert_eq!(nick(900).check(), Ok(()));
        assert!(nick(1000).check().unwrap_err().contains("2048 bytes"));
        assert!(nick(1025).check().unwrap_err().contains("1024 characters"));
        let extras = |n: usize| Profile {
            extras: (0..n).map(|n| (n.to_string(), String::new())).collect(),
            ..Profile::default()
        };
        assert_eq!(extras(MAX_EXTRAS).check(), Ok(()));
        assert!(extras(MAX_EXTRAS + 1).check().unwrap_err().contains("32 extras"));
        let note = |n: usize| Relation { note_text: "n".repeat(n), ..Relation::default() };
        assert_eq!(note(1024).check(), Ok(()));
        assert!(note(1025).check().is_err());
    }
}
