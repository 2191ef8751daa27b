//! What apps were told, for people to read.

use serde_json::Value;

/// JSON with users by their names.
pub(crate) fn short(value: &Value) -> String {
    match value {
        Value::Object(fields) => match fields.get("username").and_then(Value::as_str) {
            Some(name) if fields.contains_key("nickname") => name.to_owned(),
            _ => {
                let fields: Vec<_> =
                    fields.iter().map(|(key, value)| format!("{key}: {}", short(value))).collect();
                format!("{{{}}}", fields.join(", "))
            }
        },
        Value::Array(items) => format!("[{}]", items.iter().map(short).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
