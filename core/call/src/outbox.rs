//! Requests on their way: kept until answered, sent again after a resumed reconnect.

use jmrtc_protocol::{ChannelId, ClientMessage, LeaveReason, Request, RequestId, Stay};
use serde::{Deserialize, Serialize};

use crate::out::Out;
use crate::{CommandId, Generation, Left, SocketAction, Timestamp};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outbox {
    /// The last id given within this sign-in.
    last: RequestId,
    entries: Vec<Entry>,
}

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) request: Request,
    pub(crate) owner: Owner,
    /// When the app is told that it got no answer.
    pub(crate) expires: Option<Timestamp>,
    /// Not sent before: the server had too much of us.
    after: Option<Timestamp>,
    /// Given when it is first sent.
    pub(crate) id: Option<RequestId>,
    /// On this connection.
    sent: bool,
}

/// Whom the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Owner {
    /// The machine itself.
    Nobody,
    /// A method call.
    Command(CommandId),
    /// A `login`.
    Login(CommandId),
    /// A `startCallUsers` or `inviteUsers`; `oneself` was among the names and has been dropped.
    Naming { command: CommandId, oneself: bool },
}

impl Owner {
    pub(crate) const fn command(self) -> Option<CommandId> {
        match self {
            Self::Nobody => None,
            Self::Command(id) | Self::Login(id) | Self::Naming { command: id, .. } => Some(id),
        }
    }
}

impl Entry {
    const fn new(request: Request, owner: Owner, expires: Option<Timestamp>) -> Self {
        Self { request, owner, expires, after: None, id: None, sent: false }
    }

    /// The server had too much of us a moment ago.
    fn waits(&self, now: Timestamp) -> bool {
        self.after.is_some_and(|at| at > now)
    }

    /// The call that it is about.
    pub(crate) const fn channel(&self) -> Option<&ChannelId> {
        match &self.request {
            Request::Accept { channel_id, .. }
            | Request::Refuse { channel_id, .. }
            | Request::Leave { channel_id, .. }
            | Request::Invite { channel_id, .. }
            | Request::Mute { channel_id, .. }
            | Request::Link { channel_id, .. } => Some(channel_id),
            Request::UpdateToken { .. }
            | Request::Logout
            | Request::Start { .. }
            | Request::Users { .. }
            | Request::UpdateProfile { .. }
            | Request::UpdateRelation { .. }
            | Request::Relations { .. }
            | Request::History { .. }
            | Request::Preflight { .. }
            | Request::EndPreflight => None,
        }
    }

    pub(crate) const fn is_start(&self) -> bool {
        matches!(self.request, Request::Start { .. })
    }

    pub(crate) fn is_wanted_start(&self) -> bool {
        self.is_start() && self.owner != Owner::Nobody
    }

    pub(crate) fn is_abandoned_start(&self) -> bool {
        self.is_start() && self.owner == Owner::Nobody
    }

    /// A no or a goodbye: it must reach the server even when the call is over here.
    pub(crate) const fn is_goodbye(&self) -> bool {
        matches!(self.request, Request::Refuse { .. } | Request::Leave { .. })
    }

    /// The call to which it says goodbye, as another sign-in would: a refusal does not hold where we are a member.
    pub(crate) fn left(&self) -> Option<Left> {
        if let Request::Leave { channel_id, stay, reason } = &self.request {
            Some(Left { channel_id: channel_id.clone(), stay: *stay, reason: *reason })
        } else if let Request::Refuse { channel_id, stay } = &self.request {
            Some(Left { channel_id: channel_id.clone(), stay: Some(*stay), reason: LeaveReason::Hangup })
        } else {
            None
        }
    }

    pub(crate) const fn is_mute(&self) -> bool {
        matches!(self.request, Request::Mute { .. })
    }

    pub(crate) const fn is_link(&self) -> bool {
        matches!(self.request, Request::Link { .. })
    }

    pub(crate) const fn is_preflight(&self) -> bool {
        matches!(self.request, Request::Preflight { .. })
    }
}

impl Outbox {
    pub(crate) fn push(&mut self, request: Request, owner: Owner, expires: Option<Timestamp>) {
        self.entries.push(Entry::new(request, owner, expires));
    }

    /// Before everything that waits: the goodbye to a call that must not stand in a later start's way.
    pub(crate) fn push_first(&mut self, request: Request) {
        self.entries.insert(0, Entry::new(request, Owner::Nobody, None));
    }

    /// Sends what has not been sent on this connection. A start waits until an earlier one is answered, for whatever
    /// came of that has to be left first, and for a goodbye that the server would not hear.
    pub(crate) fn flush(&mut self, now: Timestamp, generation: Generation, out: &mut Out) {
        let mut engaged = self.entries.iter().any(|e| e.is_goodbye() && e.waits(now));
        for entry in &mut self.entries {
            if entry.is_start() && std::mem::replace(&mut engaged, true) {
                continue;
            }
            if entry.sent || entry.waits(now) {
                continue;
            }
            let id = *entry.id.get_or_insert_with(|| {
                self.last += 1;
                self.last
            });
            entry.sent = true;
            entry.after = None;
            let message = ClientMessage::Request { id, request: entry.request.clone() };
            out.socket(SocketAction::Send { generation, message });
        }
    }

    /// The connection is lost: whatever is unanswered goes out again on the next.
    pub(crate) fn lost(&mut self) {
        for entry in &mut self.entries {
            entry.sent = false;
            entry.after = None;
        }
        // In the order in which they were sent first: a refusal must not come after the call that followed it.
        self.entries.sort_by_key(|e| e.id.unwrap_or(RequestId::MAX));
    }

    /// The sign-in is new: ids start again.
    pub(crate) fn renumber(&mut self) {
        self.last = 0;
        for entry in &mut self.entries {
            entry.id = None;
            entry.sent = false;
        }
    }

    /// The request that an answer is for.
    pub(crate) fn answered(&mut self, id: RequestId) -> Option<Entry> {
        let at = self.entries.iter().position(|e| e.sent && e.id == Some(id))?;
        Some(self.entries.remove(at))
    }

    /// Takes out what `which` says, in order.
    pub(crate) fn take(&mut self, which: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let (taken, kept) = std::mem::take(&mut self.entries).into_iter().partition(which);
        self.entries = kept;
        taken
    }

    /// Takes out the new tokens on their way, and who waits for each.
    pub(crate) fn take_tokens(&mut self) -> Vec<(String, Owner)> {
        let taken = self.take(|e| matches!(e.request, Request::UpdateToken { .. }));
        let offered = |entry: Entry| {
            let Request::UpdateToken { token } = entry.request else { return None };
            Some((token, entry.owner))
        };
        taken.into_iter().filter_map(offered).collect()
    }

    /// Takes out what is due at `now`.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Entry> {
        self.take(|e| e.expires.is_some_and(|at| at <= now))
    }

    /// Asks again at `after` what the server would not hear.
    pub(crate) fn retry(&mut self, request: Request, after: Timestamp) {
        self.entries.insert(0, Entry { after: Some(after), ..Entry::new(request, Owner::Nobody, None) });
    }

    /// Puts back a request whose owner has been answered, so that its answer still finds it.
    pub(crate) fn disown(&mut self, mut entry: Entry, expires: Option<Timestamp>) {
        entry.owner = Owner::Nobody;
        entry.expires = expires;
        self.entries.insert(0, entry);
    }

    /// Whether the server is still to be told, or to confirm, that we are muted or not.
    pub(crate) fn mutes(&self) -> bool {
        self.entries.iter().any(Entry::is_mute)
    }

    /// What waits to be told is told as it is then.
    pub(crate) fn update_mute(&mut self, now: bool) {
        for entry in self.entries.iter_mut().filter(|e| e.id.is_none()) {
            if let Request::Mute { muted, .. } = &mut entry.request {
                *muted = now;
            }
        }
    }

    /// The `startCallUsers` under way.
    pub(crate) fn starting(&self) -> bool {
        self.entries.iter().any(Entry::is_wanted_start)
    }

    /// Whether a start is unanswered that nobody waits for any more.
    pub(crate) fn abandoned(&self) -> bool {
        self.entries.iter().any(Entry::is_abandoned_start)
    }

    /// Whether a start is unanswered, wanted or not: invitations are held back until then.
    pub(crate) fn holds(&self) -> bool {
        self.entries.iter().any(Entry::is_start)
    }

    /// Whether the server is still to be told that we don't want this stay in `channel`: a goodbye to one before says
    /// nothing of it.
    pub(crate) fn declines(&self, channel: &ChannelId, stay: Stay) -> bool {
        self.left().any(|left| left.channel_id == *channel && left.stay.is_none_or(|of| of == stay))
    }

    /// The calls of which the server is still to be told, or to confirm, that we don't want them.
    pub(crate) fn left(&self) -> impl Iterator<Item = Left> {
        self.entries.iter().filter_map(Entry::left)
    }

    /// Whether it is to be told so in a way that holds where it has us as a member; a refusal does not. `stay`: of any where
    /// nobody knows which.
    pub(crate) fn leaves(&self, channel: &ChannelId, stay: Option<Stay>) -> bool {
        let leaves = |e: &Entry| {
            let Request::Leave { channel_id, stay: of, .. } = &e.request else { return false };
            channel_id == channel && (of.is_none() || stay.is_none() || *of == stay)
        };
        self.entries.iter().any(leaves)
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.entries.iter().flat_map(|e| e.expires.into_iter().chain(e.after)).min()
    }

    /// Nothing is asked any more. Ids go on, for the sign-in may.
    pub(crate) fn clear(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }
}
