//! `cargo xtask replay`: a client's run, played again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use jmrtc_call::transcript;

/// Plays the transcript in `file` again. Returns how many steps it has.
///
/// # Errors
/// The file can't be read, or the machine does something else than is written: the first difference.
pub fn replay(file: &Path) -> Result<usize> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    match transcript::replay(text.lines()) {
        Ok(steps) => Ok(steps),
        Err(difference) => bail!("{}: {difference}", file.display()),
    }
}
