use std::collections::BTreeMap;

use jmrtc_protocol::{ErrorCode, Failure, RequestId, Username};

use crate::signin::SignInId;
use crate::{CallKey, LinkId, Ticket};

/// A device's one media link; a user is in one call, so a device needs no more.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) call: CallKey,
    pub(crate) generation: u32,
    pub(crate) admitted: bool,
    /// What was said about its slots while the device was away. Only the last word counts: telling all
    /// of them would push more important events out of the device's buffer.
    pub(crate) untold_slots: Option<Vec<Option<Username>>>,
}

/// Whose request a ticket answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) sign_in: SignInId,
    pub(crate) link: LinkId,
    pub(crate) request: RequestId,
    /// No link comes of it if this is refused.
    pub(crate) opens: bool,
}

/// All links by id, and the questions about them that the media relay has not answered.
#[derive(Debug, Default)]
pub(crate) struct Links {
    last: u64,
    pub(crate) owners: BTreeMap<LinkId, SignInId>,
    pub(crate) asked: BTreeMap<Ticket, Asked>,
}

impl Links {
    /// A new link of `sign_in`.
    pub(crate) fn open(&mut self, sign_in: SignInId) -> LinkId {
        self.last += 1;
        let link = LinkId(self.last);
        self.owners.insert(link, sign_in);
        link
    }

    /// Forgets a link and the questions about it.
    pub(crate) fn close(&mut self, link: LinkId) {
        self.owners.remove(&link);
        self.asked.retain(|_, asked| asked.link != link);
    }

    pub(crate) fn ask(&mut self, asked: Asked) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.asked.insert(ticket, asked);
        ticket
    }
}

/// What to do with a `link` request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Make the device's first link.
    Open,
    /// Close the link there is and make another.
    Replace,
    /// Restart ICE on the link there is.
    Renew,
    /// A newer link is there already.
    Stale,
}

/// `there` is the generation of the device's link in the same call.
pub(crate) fn plan(there: Option<u32>, generation: u32) -> Plan {
    match there {
        None => Plan::Open,
        Some(old) if generation > old => Plan::Replace,
        Some(old) if generation == old => Plan::Renew,
        Some(_) => Plan::Stale,
    }
}

/// Why a link was taken away; what its unanswered requests are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    CallEnded,
    Replaced,
}

impl Closed {
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::CallEnded => Failure::new(ErrorCode::CallEnded, "the call is over for this device"),
            Self::Replaced => {
                Failure::new(ErrorCode::InvalidState, "a newer link has taken this one's place")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations() {
        for (there, generation, expected) in [
            (None, 1, Plan::Open),
            (None, 7, Plan::Open),
            (Some(1), 1, Plan::Renew),
            (Some(1), 2, Plan::Replace),
            (Some(2), 1, Plan::Stale),
            (Some(u32::MAX), u32::MAX, Plan::Renew),
        ] {
            assert_eq!(plan(there, generation), expected, "{there:?} then {generation}");
        }
    }
}
