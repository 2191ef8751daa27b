//! Plays scenario files: the same file against the machines in a simulated world, and against real apps before a
//! real server. `docs/scenarios.md` shows how to write one.
#![forbid(unsafe_code)]

mod ear;
mod fit;
mod model;
mod pipe;
mod play;
mod scenario;
mod sim;
mod stage;
mod words;

pub use pipe::Pipe;
pub use play::{Verdict, play};
pub use scenario::{Scenario, files};
pub use sim::Sim;
pub use stage::{AppState, Kind, Microphone, Network, Order, Report, ServerState, Settings, Stage, Use};
