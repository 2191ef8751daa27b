use jmrtc_protocol::ChannelId;
use serde::{Deserialize, Serialize};

/// What a life of an app leaves to the next, should the system end it now: the server may bring a call back of which it does
/// not know yet what the person has said to it last. A driver keeps it as JSON, unread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// The call in which the person is muted.
    pub muted_in: Option<ChannelId>,
    /// The person is muted and has called somebody, and nobody knows yet which call came of it.
    pub muted_start: bool,
    /// Calls that the person is out of.
    pub left: Vec<ChannelId>,
    /// The person has called somebody and given it up, and nobody knows yet which call came of it.
    pub left_start: bool,
}
