//! The rooms as clients see them: several fake clients on one server, message by message.
#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests, but clippy knows no helpers of tests

mod corners;
mod devices;
mod handover;
mod large;
mod links;
mod preflight;

mod random;
mod reasons;
mod requests;
mod robots;
mod stories;
mod world;
