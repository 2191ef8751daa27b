//! The link axis: makes, repairs and closes the one media link.

use jmrtc_protocol::limits::MAX_OFFER_BYTES;
use jmrtc_protocol::{ErrorCode, Failure, Request};

use super::Client;
use crate::call::{Accept, Call};
use crate::link::{Link, Sign};
use crate::out::Out;
use crate::outbox::{Entry, Owner};
use crate::{Generation, MediaAction, MediaEvent, Timestamp};

/// From `Open` to connected, or a new link is made.
const MAKE_MS: u64 = 15_000;
/// From a restart to connected, or a new link is made.
const REPAIR_MS: u64 = 10_000;
/// While signalling is down no offer gets through: look again so much later.
const NO_LINE_MS: u64 = 5_000;
const BACKOFF_FIRST_MS: u64 = 500;
const BACKOFF_CAP_MS: u64 = 5_000;

impl Client {
    /// A link is wanted while there is a call and an engine; it is prepared while it rings.
    pub(super) fn settle_link(&mut self, out: &mut Out) {
        let ready = self.engine.is_ready();
        let Some(call) = &self.call else { return };
        let wanted = ready
            && match call.accept {
                Accept::Ringing(_) | Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Joined => true,
                Accept::Leaving(_) => false,
            };
        match (wanted, call.link) {
            (true, Link::Off) => self.open_link(out),
            (
                false,
                Link::Waiting { .. } | Link::Making { .. } | Link::Up { .. } | Link::Repairing { .. },
            ) => {
                self.close_link(out);
            }
            (true, Link::Waiting { .. } | Link::Making { .. } | Link::Up { .. } | Link::Repairing { .. })
            | (false, Link::Off) => {}
        }
    }

    fn open_link(&mut self, out: &mut Out) {
        let Some(call) = &mut self.call else { return };
        self.medias = self.medias.wrapping_add(1);
        call.links = call.links.saturating_add(1);
        call.link = Link::Making { generation: self.medias, until: self.now.plus(MAKE_MS) };
        out.media(MediaAction::Open {
            generation: self.medias,
            slots: self.settings.slots,
            ice_servers: self.settings.ice_servers.clone(),
        });
    }

    /// Closes it; [`Self::settle_link`] makes a new one where one is wanted.
    pub(super) fn close_link(&mut self, out: &mut Out) {
        let Some(call) = &mut self.call else { return };
        let link = std::mem::take(&mut call.link);
        call.stall = None;
        if let Some(generation) = link.generation() {
            out.media(MediaAction::Close { generation });
        }
        let _superseded = self.outbox.take(Entry::is_link);
    }

    /// Closes it and makes a new one after a while.
    fn fail_link(&mut self, out: &mut Out) {
        let stall = self.call.as_ref().and_then(|call| call.stall);
        self.close_link(out);
        let Some(call) = &mut self.call else { return };
        // Whether signalling is lost as well is still asked.
        call.stall = stall;
        let wait = self.dice.backoff(call.link_failures, BACKOFF_FIRST_MS, BACKOFF_CAP_MS);
        call.link_failures = call.link_failures.saturating_add(1);
        call.link = Link::Waiting { at: self.now.plus(wait) };
    }

    pub(super) fn media_event(&mut self, generation: Generation, event: MediaEvent, out: &mut Out) {
        if self.preflight.as_ref().is_some_and(|p| p.generation == generation) {
            return self.preflight_media(event, out);
        }
        let current = self.call.as_ref().and_then(|c| c.link.generation());
        if current != Some(generation) {
            self.stale = self.stale.saturating_add(1);
            return;
        }
        match event {
            MediaEvent::Offer { sdp } => self.offer(sdp, out),
            MediaEvent::Connected => self.link_up(generation),
            MediaEvent::Disconnected => self.link_down(generation, out),
            MediaEvent::Stalled => self.stalled(out),
            MediaEvent::Unreported => self.unreported(out),
            MediaEvent::Flowing => self.flowing(),
            MediaEvent::Moved => self.moved(out),
            MediaEvent::Failed { .. } => self.fail_link(out),
            MediaEvent::Levels { own, slots } => self.levels(own, &slots, out),
            MediaEvent::Stats { sample } => self.sampled(sample, out),
        }
    }

    fn offer(&mut self, offer: String, out: &mut Out) {
        if offer.len() > MAX_OFFER_BYTES {
            self.fail_link(out);
            return;
        }
        let Some(call) = &self.call else { return };
        let (channel_id, stay, generation) = (call.session.channel_id.clone(), call.stay, call.links);
        let _superseded = self.outbox.take(Entry::is_link);
        self.outbox.push(Request::Link { channel_id, stay, generation, offer }, Owner::Nobody, None);
    }

    pub(super) fn link_answered(&self, answer: String, out: &mut Out) {
        if let Some(generation) = self.call.as_ref().and_then(|c| c.link.generation()) {
            out.media(MediaAction::Answer { generation, sdp: answer });
        }
    }

    pub(super) fn link_refused(&mut self, error: &Failure, out: &mut Out) {
        let over = error.code == ErrorCode::CallEnded;
        // Where the call is over, `ended` is on its way: a link that is up goes with that, or the app would be told that it is
        // reconnecting, and a new one would be refused as well.
        if over && self.call.as_ref().is_some_and(|call| call.link.is_up()) {
            return;
        }
        self.fail_link(out);
        if let Some(call) = self.call.as_mut().filter(|_| over) {
            call.link = Link::Waiting { at: self.now.plus(BACKOFF_CAP_MS) };
        }
    }

    fn link_up(&mut self, generation: Generation) {
        let since = self.now;
        let Some(call) = &mut self.call else { return };
        // A restart of one that is up says so once more.
        if !call.link.is_up() {
            call.link = Link::Up { generation, since };
            call.stall = None;
        }
        call.link_failures = 0;
    }

    fn link_down(&mut self, generation: Generation, out: &mut Out) {
        let until = self.now.plus(REPAIR_MS);
        let Some(call) = &mut self.call else { return };
        match call.link {
            Link::Up { .. } => {
                self.look_into_stall(Sign::Ours, out);
                let Some(call) = &mut self.call else { return };
                call.link = Link::Repairing { generation, until };
                out.media(MediaAction::Restart { generation });
            }
            Link::Off | Link::Waiting { .. } | Link::Making { .. } | Link::Repairing { .. } => {}
        }
    }

    /// Addresses may have changed: whatever there is has to find its way anew.
    pub(super) fn renew_link(&mut self, out: &mut Out) {
        let now = self.now;
        let Some(call) = &mut self.call else { return };
        match call.link {
            Link::Up { generation, .. } | Link::Repairing { generation, .. } => {
                out.media(MediaAction::Restart { generation });
            }
            Link::Waiting { .. } => call.link = Link::Waiting { at: now },
            Link::Making { .. } => self.close_link(out),
            Link::Off => {}
        }
    }

    pub(super) fn expire_link(&mut self, out: &mut Out) {
        let (now, line_up) = (self.now, self.line_is_up());
        let Some(call) = &mut self.call else { return };
        let due = |at: Timestamp| at <= now;
        match &mut call.link {
            Link::Waiting { at } if due(*at) => call.link = Link::Off,
            Link::Making { until, .. } | Link::Repairing { until, .. } if due(*until) => {
                if line_up {
                    self.fail_link(out);
                } else {
                    *until = now.plus(NO_LINE_MS);
                }
            }
            Link::Off
            | Link::Waiting { .. }
            | Link::Making { .. }
            | Link::Up { .. }
            | Link::Repairing { .. } => {}
        }
    }

    /// When a joined member without a link, or a member without signalling, gives the call up.
    pub(super) fn grace_deadline(&self) -> Option<Timestamp> {
        let grace = self.settings.grace_ms;
        let call = self.call.as_ref().filter(|c| c.is_member())?;
        let line = self.account.as_ref().and_then(|a| a.lost);
        call.link_lost.into_iter().chain(line).map(|lost| lost.plus(grace)).min()
    }
}

/// The link goes with its call.
pub(super) fn close_link_of(call: &Call, out: &mut Out) {
    if let Some(generation) = call.link.generation() {
        out.media(MediaAction::Close { generation });
    }
}
