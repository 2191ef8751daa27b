//! The laws of `docs/ARCHITECTURE.md` that a compiler does not hold: which crate may use which, what the
//! pure crates must not touch, where `unsafe` may stand. Checkers only; `tests/law.rs` runs them.

mod edges;
mod hygiene;
mod purity;

pub use edges::{Crate, edges, purity_of_dependencies};
pub use hygiene::hygiene;
pub use purity::{Purity, purity, unsafety};
