//! What JMRTC clients and servers say to each other over one WebSocket (`/v1/ws`).
//!
//! A client speaks [`ClientMessage`], a server [`ServerMessage`]; both travel as one JSON object per
//! text frame. Requests carry ids and are idempotent: a request sent again after a reconnect gets the
//! answer it got the first time. Events carry sequence numbers: a client that comes back within the
//! grace time names the last one it saw and gets the rest, once. `docs/protocol.md` is the prose.
//!
//! The crate is pure: serde only, no I/O, no clock, no randomness.
#![forbid(unsafe_code)]

mod client;
mod codec;
mod error;
mod history;
mod ids;
pub mod limits;
mod server;
mod session;
mod user;

pub use client::{ClientMessage, Device, Hello, LeaveReason, Platform, Request, Resume};
pub use codec::{DecodeError, decode_client, decode_server, encode};
pub use error::{ErrorCode, Failure};
pub use history::{PastCall, PastMember};
pub use ids::{ChannelId, IdError, RequestId, Stay, Username};
pub use server::{
    ClientSettings, Closing, FailedUser, IceServer, Reply, ServerEvent, ServerMessage, Welcome,
};
pub use session::{Detail, MediaType, Reason, Session};
pub use user::{Gender, Profile, ProfileChange, Relation, RelationChange, User};

/// The version of this protocol. A server answers another version with
/// [`ErrorCode::InvalidParameter`] and closes.
pub const PROTOCOL_VERSION: u32 = 1;
