use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Files;
use super::typescript::HEADER;

/// The golden messages as TypeScript constants: compiling them proves that the generated types describe them.
pub(super) fn generate(root: &Path) -> Result<Files> {
    let folder = root.join("protocol/fixtures");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".json") {
            names.push(name.to_owned());
        }
    }
    names.sort();

    let mut text = format!(
        "{HEADER}// The golden messages of protocol/fixtures, as the types of src/generated have them.\n\n\
         import type {{ ClientMessage, ServerMessage }} from '../../src/generated/wire.js'\n"
    );
    for name in &names {
        let json = fs::read_to_string(folder.join(format!("{name}.json")))?;
        let kind = match name.split('.').next() {
            Some("client") => "ClientMessage",
            Some("server") => "ServerMessage",
            other => bail!("{name}.json begins with {other:?}, not with client or server"),
        };
        let constant = name.replace(['.', '-'], "_");
        let _ = write!(text, "\nexport const {constant} = {} satisfies {kind}\n", json.trim_end());
    }
    let mut files = Files::in_folder("www/test/generated");
    files.add("www/test/generated/fixtures.ts", text);
    Ok(files)
}
