use std::collections::BTreeMap;

use jmrtc_protocol::{ChannelId, LeaveReason, Stay, Username};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What a life of an app leaves to the next, should the system end it now: the server may bring a call back of which it does
/// not know yet what the person has said to it last. For each user, as several may share a device. A driver keeps it as
/// JSON, unread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct Memory(pub BTreeMap<Username, Remembered>);

impl Memory {
    pub(crate) fn keep(&mut self, user: &Username, remembered: Remembered) {
        if remembered != Remembered::default() {
            self.0.insert(user.clone(), remembered);
        }
    }

    pub(crate) fn take(&mut self, user: &Username) -> Remembered {
        self.0.remove(user).unwrap_or_default()
    }
}

/// How one user stands to calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Remembered {
    /// The call in which the person is muted.
    pub muted_in: Option<ChannelId>,
    /// The person is muted and has called somebody, and nobody knows yet which call came of it.
    pub muted_start: bool,
    /// Calls that the person is out of.
    pub left: Vec<Left>,
    /// The person has called somebody and given it up, and nobody knows yet which call came of it.
    pub left_start: bool,
}

/// A call that the person is out of, until invited again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Which.
    pub channel_id: ChannelId,
    /// Which stay in it; whichever there is where it is missing, as releases before wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub stay: Option<Stay>,
    /// What the server is to be told.
    pub reason: LeaveReason,
}

/// One that this release can't read is none.
pub(crate) fn readable<'de, D: Deserializer<'de>>(kept: D) -> Result<Memory, D::Error> {
    let kept = Value::deserialize(kept)?;
    Ok(serde_json::from_value(kept).unwrap_or_default())
}
