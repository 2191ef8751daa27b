//! The call machine from outside: inputs in, outputs out.
#![allow(clippy::unwrap_used)]

mod again;
mod anything;
mod changes;
mod consent;
mod corners;
mod links;
mod methods;
mod quality;
mod rig;
mod spares;
mod stalls;
mod stories;
mod voices;
