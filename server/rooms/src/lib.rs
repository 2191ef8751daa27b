//! The server's brain: users, devices, sign-ins, invitations, calls and media links.
//!
//! [`Rooms::handle`] takes the time and one [`Input`] and returns what to do. It never reads a clock,
//! opens a socket or rolls a die: the server's binary owns sockets, store and media relay.
//! `docs/protocol.md` says what clients may count on.
#![forbid(unsafe_code)]

mod api;
mod audit;
mod budget;
mod call;
mod decide;
mod devices;
mod directory;
mod handover;
mod history;
mod link;
mod members;
mod preflight;
mod requests;
mod rooms;
mod signin;
mod timers;

pub use api::{
    CallKey, CallRecord, Config, ConnId, Input, LinkId, MediaCommand, MemberKey, MemberRecord, Output, Push,
    Ticket, Timestamp, UserRecord,
};
pub use handover::Handover;
pub use rooms::{Counts, Rooms};
pub use signin::MAX_KEPT_USERS;
