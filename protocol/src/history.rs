use serde::{Deserialize, Serialize};

use crate::{ChannelId, Detail, Reason, User};

/// A call that is over, as one of its members saw it: what happened after that member was gone is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PastCall {
    /// Names the call.
    pub channel_id: ChannelId,
    /// Who started it.
    pub inviter: User,
    /// Everybody who was rung or joined, the viewer too, in the order in which they came in. Who was invited
    /// twice stands here twice. In a very large call the list ends where a message is full.
    pub members: Vec<PastMember>,
    /// Unix milliseconds at which the second member joined; 0 if none did.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub start_time: i64,
    /// Unix milliseconds at which the call was over for the viewer.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub end_time: i64,
    /// Why it was over for the viewer.
    pub reason: Reason,
    /// More about why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub detail: Option<Detail>,
}

/// A member of a call that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PastMember {
    /// Who, as the viewer sees it now.
    pub user: User,
    /// Unix milliseconds at which the member was rung; for the inviter, at which the call was made.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub invited_time: i64,
    /// Unix milliseconds at which the member joined; 0 if it did not.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub join_time: i64,
    /// Unix milliseconds at which the member was gone; 0 if it was still there when the call was over for the viewer.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub leave_time: i64,
    /// Why it was gone; absent if it was still there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub reason: Option<Reason>,
    /// More about why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub detail: Option<Detail>,
}
