//! A link without a call, on which a device hears itself: to find out whether a call would work.

use jmrtc_protocol::{ErrorCode, Failure};

use crate::link::{Closed, Plan, plan};
use crate::requests::{Asker, check_offer};
use crate::rooms::Rooms;
use crate::signin::SignInId;
use crate::timers::Due;
use crate::{CallKey, LinkId, MediaCommand, MemberKey};

/// A device that forgets to end it must not hear itself for ever.
const MOST_MS: u64 = 60_000;

/// A device's preflight. Its call is one towards the media relay only: it has no members, no channel and no record.
#[derive(Debug)]
pub(crate) struct Preflight {
    pub(crate) link: LinkId,
    pub(crate) call: CallKey,
    pub(crate) generation: u32,
}

impl Rooms {
    /// The media relay answers.
    pub(crate) fn preflight(&mut self, asker: &Asker, generation: u32, offer: String) -> Result<(), Failure> {
        check_offer(generation, &offer)?;
        let Some(sign_in) = self.sign_ins.get(&asker.id) else { return Ok(()) };
        sign_in.check_pending()?;
        if sign_in.link.is_some() {
            return Err(Failure::new(ErrorCode::AlreadyInCall, "the device has a call's link"));
        }
        let there = sign_in.preflight.as_ref();
        match (plan(there.map(|p| p.generation), generation), there.map(|p| p.link)) {
            (Plan::Stale, _) => {
                return Err(Failure::new(ErrorCode::InvalidState, "a newer link is there already"));
            }
            (Plan::Renew, Some(link)) => {
                let ticket = self.ask(asker, link, false);
                self.media(MediaCommand::Renew { link, ticket, offer });
            }
            (Plan::Open | Plan::Replace | Plan::Renew, _) => {
                self.end_preflight(asker.id, Closed::Replaced);
                let link = self.links.open(asker.id);
                let call = CallKey(self.number());
                if let Some(sign_in) = self.sign_ins.get_mut(&asker.id) {
                    sign_in.preflight = Some(Preflight { link, call, generation });
                }
                self.timers.set(Due::Preflight(asker.id), self.now.plus(MOST_MS));
                let ticket = self.ask(asker, link, true);
                self.media(MediaCommand::Open { link, ticket, offer });
                self.media(MediaCommand::Echo { call, on: true });
                self.media(MediaCommand::Admit { link, call, member: MemberKey(0) });
            }
        }
        Ok(())
    }

    /// Closes the device's preflight, if there is one.
    pub(crate) fn end_preflight(&mut self, id: SignInId, why: Closed) {
        let Some(preflight) = self.forget_preflight(id) else { return };
        self.close_named(id, preflight.link, why);
    }

    /// The media relay has refused its offer.
    pub(crate) fn preflight_refused(&mut self, id: SignInId, link: LinkId) {
        if self.sign_ins.get(&id).and_then(|s| s.preflight.as_ref()).is_some_and(|p| p.link == link) {
            self.forget_preflight(id);
        }
    }

    fn forget_preflight(&mut self, id: SignInId) -> Option<Preflight> {
        let preflight = self.sign_ins.get_mut(&id)?.preflight.take()?;
        self.timers.clear(&Due::Preflight(id));
        self.media(MediaCommand::Echo { call: preflight.call, on: false });
        Some(preflight)
    }
}
