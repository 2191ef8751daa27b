//! Whether what was told fits what the file says.

use std::collections::BTreeMap;

use serde_json::Value;

/// Fields that are there only where there is something to say: a file must name them where they are.
const OCCASIONAL: [&str; 5] = ["detail", "silent", "failed", "invitedBy", "mutedMembers"];

/// Names that stand for a value, bound where they are met first.
pub(crate) type Names = BTreeMap<String, Value>;

/// A field as files abbreviate it.
pub(crate) fn long(key: &str) -> &str {
    match key {
        "i" => "invitingMembers",
        "j" => "joinedMembers",
        key => key,
    }
}

/// Fails with the place where it does not fit.
pub(crate) fn fit(expected: &Value, seen: &Value, names: &mut Names) -> Result<(), String> {
    let differs = || Err(format!(" is {}, not {expected}", crate::words::short(seen)));
    match (expected, seen) {
        (Value::String(name), _) if name.starts_with('$') => match names.get(name) {
            Some(value) if value == seen => Ok(()),
            Some(value) => Err(format!(" is {seen}, but {name} was {value}")),
            None => match names.iter().find(|(_, value)| *value == seen) {
                Some((other, _)) => Err(format!(" is {seen}, which is {other} and not another, {name}")),
                None => {
                    names.insert(name.clone(), seen.clone());
                    Ok(())
                }
            },
        },
        (Value::String(name), Value::Object(user)) if user.contains_key("username") => {
            if user["username"] == *name { Ok(()) } else { differs() }
        }
        (Value::Object(fields), Value::Object(there)) => {
            for (key, value) in fields {
                let key = long(key);
                match there.get(key) {
                    Some(seen) => fit(value, seen, names).map_err(|e| format!(".{key}{e}"))?,
                    None if value.is_null() => {}
                    None => return Err(format!(".{key} is missing")),
                }
            }
            let told = |key: &str| fields.keys().any(|k| long(k) == key);
            let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
            for key in OCCASIONAL.into_iter().filter(|key| !told(key)) {
                if let Some(value) = there.get(key).filter(|value| !empty(value)) {
                    return Err(format!(
                        ".{key} is {}, of which nothing is said",
                        crate::words::short(value)
                    ));
                }
            }
            Ok(())
        }
        (Value::Array(items), Value::Array(there)) if items.len() == there.len() => {
            let mut pairs = items.iter().zip(there).enumerate();
            pairs.try_for_each(|(n, (item, seen))| fit(item, seen, names).map_err(|e| format!("[{n}]{e}")))
        }
        (expected, seen) if expected == seen => Ok(()),
        _ => differs(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_and_what_does_not() {
        let bob = json!({ "username": "bob", "nickname": "" });
        let session = json!({ "channelId": "c1", "invitingMembers": [bob], "joinedMembers": [] });
        for (expected, seen, problem) in [
            (json!("bob"), &bob, ""),
            (json!("eve"), &bob, " is bob, not \"eve\""),
            (json!({ "i": ["bob"], "j": [] }), &session, ""),
            (json!({ "i": ["bob"], "j": ["bob"] }), &session, ".joinedMembers is [], not [\"bob\"]"),
            (json!({ "i": ["eve"] }), &session, ".invitingMembers[0] is bob, not \"eve\""),
            (json!({ "k": [] }), &session, ".k is missing"),
            (json!({ "detail": null }), &session, ""),
            (json!({ "reason": "cancel" }), &json!({ "reason": "cancel", "failed": [] }), ""),
            (
                json!({ "reason": "cancel" }),
                &json!({ "reason": "cancel", "detail": "noAnswer" }),
                ".detail is \"noAnswer\", of which nothing is said",
            ),
        ] {
            let told = fit(&expected, seen, &mut Names::new());
            assert_eq!(told.err().unwrap_or_default(), problem, "{expected}");
        }
    }

    #[test]
    fn a_name_is_one_value_and_no_other() {
        let mut names = Names::new();
        let mut try_one = |name: &str, value: &str| fit(&json!(name), &json!(value), &mut names).is_ok();
        assert!(try_one("$call", "c1"));
        assert!(try_one("$call", "c1"));
        assert!(!try_one("$call", "c2"));
        assert!(!try_one("$next", "c1"), "two names for one call");
        assert!(try_one("$next", "c2"));
    }
}
