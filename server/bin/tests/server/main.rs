//! The server as a process, spoken to over its sockets.

mod bad_input;
mod rest;
mod sign_in;
mod start_and_stop;
mod support;
