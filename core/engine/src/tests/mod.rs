//! The engine against real sockets.

mod engine;
mod media;
mod nat;
mod relay;
mod server;
mod signalling;
