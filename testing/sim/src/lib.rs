//! A small world: call machines on several devices, the rooms of a server, and a network that delays, stalls,
//! breaks and swallows; people who call, accept, refuse and hang up at random; apps that are killed, phones that
//! sleep, tokens that expire, a server that is restarted. After each step the world checks what must hold in any
//! order of things, and that a model of the call semantics agrees. One number, the seed, fixes a whole run.
#![forbid(unsafe_code)]

mod app;
mod budget;
mod chance;
mod device;
mod history;
mod judge;
mod mirror;
mod network;
mod plan;
mod play;
mod semantics;
mod world;

pub use chance::Weather;
pub use device::Told;
pub use plan::{Act, Plan, Step};
pub use play::{Played, fuzz, play_plan, play_seed, shrink, shrink_where};
pub use world::{End, Microphone, Network, Outcome, Settings, System, Use, World};
