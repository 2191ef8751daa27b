//! The engine against real sockets.

mod engine;
mod media;
mod relay;
mod server;
mod signalling;
