//! A small world: call machines on several devices, the rooms of a server, and a network that delays, breaks
//! and swallows; people who call, accept, refuse and hang up at random; apps that are killed, a server that is
//! restarted. After each step the world checks what must hold in any order of things. One number, the seed,
//! fixes a whole run.
#![forbid(unsafe_code)]

mod app;
mod device;
mod judge;
mod network;
mod world;

pub use device::Told;
pub use world::{Network, Outcome, Settings, World};
