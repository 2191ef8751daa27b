//! The repository's own tools, as a library so that tests run them in process.

use std::path::{Path, PathBuf};

pub mod codegen;
pub mod law;
pub mod replay;

/// The repository's root folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
