//! The repository's own tools, as a library so that tests run them in process.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

pub mod codegen;
pub mod law;
pub mod mutants;
pub mod replay;
pub mod sim;

/// The repository's root folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// `cargo` in the root folder, without what the cargo that runs us has put into the environment about this
/// package: build scripts (ring's) look at it, and all above them would be built again in each direction.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let ours = |prefix| name.to_string_lossy().starts_with(prefix);
        if ours("CARGO_PKG_") || ours("CARGO_MANIFEST_") || ours("CARGO_BIN_") || ours("CARGO_CRATE_") {
            command.env_remove(name);
        }
    }
    command
}
