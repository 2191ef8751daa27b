use serde::{Deserialize, Serialize};

use crate::{ChannelId, User, Username};

/// The kind of a call. Only voice exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum MediaType {
    /// Audio only.
    #[default]
    Voice,
}

/// A call as one viewer sees it: the seed's session model plus `mutedMembers`, `invitedBy` and `silent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Names the call.
    pub channel_id: ChannelId,
    /// Always `voice`.
    pub media_type: MediaType,
    /// Who started the call.
    pub inviter: User,
    /// Rung and not yet answered.
    pub inviting_members: Vec<User>,
    /// In the call, in the order in which they joined; the inviter is joined from the start.
    pub joined_members: Vec<User>,
    /// Who of the joined has muted the microphone.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<Vec<Username>>"))]
    pub muted_members: Vec<Username>,
    /// Unix milliseconds at which a second member joined; 0 before.
    #[cfg_attr(feature = "codegen", ts(type = "number"))]
    pub start_time: i64,
    /// Who invited the viewer, where it is not `inviter`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub invited_by: Option<User>,
    /// The viewer does not want to be disturbed by the one who invited: show it, don't ring.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub silent: bool,
}

impl Session {
    /// Whether `name` is joined.
    pub fn is_joined(&self, name: &Username) -> bool {
        self.joined_members.iter().any(|u| &u.username == name)
    }

    /// Whether `name` is being rung.
    pub fn is_inviting(&self, name: &Username) -> bool {
        self.inviting_members.iter().any(|u| &u.username == name)
    }

    /// Users are rung from now on, except for who is a member already. False where that is nothing new.
    pub fn invite(&mut self, users: &[User]) -> bool {
        let before = self.inviting_members.len();
        for user in users {
            if !self.is_inviting(&user.username) && !self.is_joined(&user.username) {
                self.inviting_members.push(user.clone());
            }
        }
        self.inviting_members.len() > before
    }

    /// A user is in the call from now on, which began at `start_time`. False where that is nothing new.
    pub fn join(&mut self, user: User, start_time: i64) -> bool {
        if self.is_joined(&user.username) {
            return false;
        }
        self.inviting_members.retain(|u| u.username != user.username);
        self.joined_members.push(user);
        self.start_time = start_time;
        true
    }

    /// A user is a member no more. False where that is nothing new.
    pub fn leave(&mut self, name: &Username) -> bool {
        let before = self.inviting_members.len() + self.joined_members.len();
        self.inviting_members.retain(|u| &u.username != name);
        self.joined_members.retain(|u| &u.username != name);
        self.muted_members.retain(|muted| muted != name);
        self.inviting_members.len() + self.joined_members.len() < before
    }

    /// A member mutes or unmutes the microphone. False where that is nothing new, or the user is not joined.
    pub fn mute(&mut self, name: &Username, muted: bool) -> bool {
        if !self.is_joined(name) || self.muted_members.contains(name) == muted {
            return false;
        }
        // In the order of the joined.
        let is_muted =
            |member: &&Username| if *member == name { muted } else { self.muted_members.contains(member) };
        let joined = self.joined_members.iter().map(|u| &u.username);
        self.muted_members = joined.filter(is_muted).cloned().collect();
        true
    }
}

/// Why a member left or a call ended: one of the seed's five, never anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// An invitee refused.
    Refuse,
    /// A member hung up.
    Hangup,
    /// Nobody answered, the inviter gave up, or another device answered.
    Cancel,
    /// The invitee is in another call.
    Busy,
    /// A connection was lost for longer than the grace time.
    NetworkError,
}

/// Says more than [`Reason`]; the list may grow, so clients show what they don't know as no detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Detail {
    /// Nobody answered within the ring time.
    NoAnswer,
    /// The inviter gave up while it rang.
    CancelledByInviter,
    /// The same user accepted on another device.
    AnsweredElsewhere,
    /// The same user refused on another device.
    RefusedElsewhere,
    /// The server stopped.
    ServerShutdown,
    /// The server no longer knows the call (it was restarted, or the grace time is over).
    CallLost,
    /// A detail this release does not know.
    #[serde(other)]
    Unknown,
}
