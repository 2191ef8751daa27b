//! Whatever can be generated is checked by generating it again.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;

mod bindings;
mod files;
mod fixtures;
mod pretty;
mod schema;
mod typescript;

pub use files::{Drift, Files};

/// What can be generated. The first two need nothing but this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// `protocol/schema/*.schema.json`: JSON Schema of the wire messages.
    Schema,
    /// `www/src/generated/*.ts` and `www/test/generated/*.ts`: types of the wire, the public models and the machine.
    Ts,
    /// `bindings/generated/{kotlin,swift}`: the UniFFI bindings of the native library.
    Bindings,
}

impl Part {
    /// Every part, cheapest first.
    pub const ALL: [Self; 3] = [Self::Schema, Self::Ts, Self::Bindings];

    /// Generates in memory; nothing in the repository changes.
    pub fn generate(self, root: &Path) -> Result<Files> {
        match self {
            Self::Schema => schema::generate(),
            Self::Ts => {
                let mut files = typescript::generate();
                files.merge(fixtures::generate(root)?);
                Ok(files)
            }
            Self::Bindings => bindings::generate(),
        }
    }
}
