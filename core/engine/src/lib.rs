//! Drives the call machine on native systems: one task owns the machine, the signalling socket, the
//! media link and the audio, all by `&mut`; the outside talks to it through [`Engine`].
//!
//! ```text
//! Engine::command ──┐
//! WebSocket ────────┤                                     ┌── Engine::next_message
//! UDP and TCP ──────┼─► Input ─► call::Client ─► Output ──┼── WebSocket
//! audio worker ─────┤        (event_loop.rs)              ├── media link, audio
//! deadline ─────────┘                                     └── Engine::next_platform_action
//! ```
//!
//! The engine decides nothing about calls. What it does decide is how: which local addresses, when
//! TCP steps in for UDP, how a slow socket is kept from holding up the sound.
#![forbid(unsafe_code)]

mod clock;
mod config;
mod engine;
mod event_loop;
mod events;
mod media;
mod memory;
mod signalling;
mod stats;
#[cfg(test)]
mod tests;
mod transcript;

pub use config::{EngineConfig, NetworkConfig, Platform};
pub use engine::Engine;
pub use events::Message;
pub use jmrtc_audio as audio;
pub use jmrtc_call as call;
pub use stats::{SlotStats, Stats, Transport};
