//! The server as a process, spoken to over its sockets.
// Clippy knows tests by their attribute, not what they call.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod directory;
mod large_calls;
mod rest;
mod sign_in;
mod start_and_stop;
mod support;
