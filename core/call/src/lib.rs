//! The client's call machine: everything that `window.JMRTC` promises, decided in one place.
//!
//! [`Client::handle`] takes the time and one [`Input`] and returns [`Output`]s. It never reads a
//! clock, opens a socket or rolls a die: time comes in with each input, randomness from the seed in
//! [`Config`]. The whole state serialises, and a run can be written down and played again
//! ([`transcript`]). The native engine drives it with tokio, sockets and audio devices; the browser
//! drives the very same code as wasm with `WebSocket` and `RTCPeerConnection`.
//!
//! Two axes are kept apart throughout: did the person accept, and does media flow.
#![forbid(unsafe_code)]

mod account;
mod address;
mod call;
mod client;
mod command;
mod dice;
mod engine;
mod event;
mod input;
mod link;
mod memory;
mod out;
mod outbox;
mod output;
mod posture;
mod preflight;
mod quality;
mod speakers;
pub mod transcript;

pub use client::Client;
pub use command::METHODS;
pub use event::{
    ActiveSpeakersPayload, CallState, DisconnectPayload, EngineState, ErrorPayload, Event, LeavePayload,
    LoginState, MutedPayload, OthersInvitedPayload, State,
};
pub use input::{
    AudioEvent, CommandId, Config, Generation, Input, MediaEvent, PlatformEvent, SocketEvent, Timestamp,
};
pub use memory::{Left, Memory, Remembered};
pub use output::{AudioAction, MediaAction, Output, PlatformAction, SocketAction};
pub use preflight::{CheckName, PreflightCheck, PreflightReport};
pub use quality::{CallQuality, LinkSample, Warning, mos};
