//! The call machine from outside: inputs in, outputs out.
#![allow(clippy::unwrap_used)]

mod methods;
mod rig;
mod stories;
