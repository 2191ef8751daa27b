use anyhow::Result;
use jmrtc_protocol::{ClientMessage, ServerMessage};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::Files;

/// A client's messages as a server accepts them, a server's as it sends them.
pub(super) fn generate() -> Result<Files> {
    let mut files = Files::in_folder("protocol/schema");
    let settings = SchemaSettings::draft2020_12;
    files.add(
        "protocol/schema/client-message.schema.json",
        text::<ClientMessage>(settings().for_deserialize())?,
    );
    files.add(
        "protocol/schema/server-message.schema.json",
        text::<ServerMessage>(settings().for_serialize())?,
    );
    Ok(files)
}

fn text<T: JsonSchema>(settings: SchemaSettings) -> Result<String> {
    let schema = settings.into_generator().into_root_schema_for::<T>();
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
