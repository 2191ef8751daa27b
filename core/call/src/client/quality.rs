//! How the running call sounds, and whether a call would work: what is measured on links.

use jmrtc_protocol::{ErrorCode, Failure, Request, Session, Username};

use super::Client;
use crate::out::Out;
use crate::outbox::{Entry, Owner};
use crate::preflight::{Next, Preflight, Way, only};
use crate::quality::Expected;
use crate::{CommandId, Event, LinkSample, MediaAction, MediaEvent};

impl Client {
    /// What was measured on the call's link.
    pub(super) fn sampled(&mut self, sample: LinkSample, out: &mut Out) {
        let me = self.me().cloned();
        let (now, sending, line_up) = (self.now, self.posture.send, self.line_is_up());
        let Some(call) = &mut self.call else { return };
        // While it is being repaired the app knows that it is bad, and the numbers say nothing.
        if !(call.connected && call.is_whole(line_up)) {
            return;
        }
        let hearing = self.posture.play && me.is_some_and(|me| somebody_speaks(&call.session, &me));
        if let Some(quality) = call.quality.sample(now, &sample, Expected { sending, hearing }) {
            out.event(Event::CallQuality(quality));
        }
    }

    /// Begins a preflight: the person has asked for it, so the microphone may open.
    pub(super) fn preflight(&mut self, id: CommandId, seconds: u32, out: &mut Out) -> Result<(), Failure> {
        self.check_engine()?;
        if self.call.is_some() || self.outbox.starting() {
            return Err(Failure::new(ErrorCode::AlreadyInCall, "there is a call"));
        }
        if self.preflight.is_some() {
            return Err(Failure::new(ErrorCode::InvalidState, "a preflight is running"));
        }
        if self.muted {
            return Err(Failure::new(ErrorCode::InvalidState, "the microphone is muted"));
        }
        let generation = self.open_preflight_link(out);
        self.preflight = Some(Preflight::new(id, seconds, generation, self.now));
        Ok(())
    }

    fn open_preflight_link(&mut self, out: &mut Out) -> u32 {
        self.medias = self.medias.wrapping_add(1);
        let ice_servers = self.settings.ice_servers.clone();
        out.media(MediaAction::Open { generation: self.medias, slots: 1, ice_servers });
        self.medias
    }

    pub(super) fn preflight_media(&mut self, event: MediaEvent, out: &mut Out) {
        let now = self.now;
        let Some(preflight) = &mut self.preflight else { return };
        let next = match event {
            MediaEvent::Offer { sdp } => {
                let _superseded = self.outbox.take(Entry::is_preflight);
                let request = Request::Preflight { generation: preflight.links, offer: sdp };
                self.outbox.push(request, Owner::Nobody, None);
                preflight.ask(now);
                Next::Wait
            }
            MediaEvent::Connected => preflight.connected(now),
            MediaEvent::Stats { sample } => {
                preflight.measured(now, sample);
                Next::Wait
            }
            // Nobody speaks in a preflight.
            MediaEvent::Levels { .. }
            | MediaEvent::Stalled
            | MediaEvent::Unreported
            | MediaEvent::Flowing
            | MediaEvent::Moved => Next::Wait,
            MediaEvent::Disconnected => preflight.failed("the connection was lost"),
            MediaEvent::Failed { why } => preflight.failed(&why),
        };
        self.go_on(next, out);
    }

    pub(super) fn preflight_answered(&mut self, answer: Result<&str, &Failure>, out: &mut Out) {
        let now = self.now;
        let Some(preflight) = &mut self.preflight else { return };
        preflight.answered(now);
        let next = match answer.map(|answer| only(preflight.way, answer)) {
            Ok(Some(sdp)) => {
                out.media(MediaAction::Answer { generation: preflight.generation, sdp });
                Next::Wait
            }
            Ok(None) => preflight.failed(match preflight.way {
                Way::Udp => "the server offers no UDP",
                Way::Tcp => "the server offers no TCP",
            }),
            Err(failure) => preflight.failed(&failure.description),
        };
        self.go_on(next, out);
    }

    pub(super) fn expire_preflight(&mut self, out: &mut Out) {
        let now = self.now;
        let next = self.preflight.as_mut().map_or(Next::Wait, |preflight| preflight.expire(now));
        self.go_on(next, out);
    }

    fn go_on(&mut self, next: Next, out: &mut Out) {
        match next {
            Next::Wait => {}
            Next::Other(way) => {
                let generation = self.open_preflight_link(out);
                let now = self.now;
                if let Some(preflight) = &mut self.preflight {
                    preflight.make(way, generation, now);
                }
            }
            Next::Done => self.report_preflight(out),
        }
    }

    fn report_preflight(&mut self, out: &mut Out) {
        if let Some(preflight) = self.close_preflight(out) {
            out.ok(preflight.command, serde_json::to_value(preflight.report()).unwrap_or_default());
        }
    }

    /// The microphone broke in the middle: that much is known now.
    pub(super) fn preflight_without_microphone(&mut self, why: &str, out: &mut Out) {
        if let Some(preflight) = &mut self.preflight {
            preflight.microphone_broke(why);
            self.report_preflight(out);
        }
    }

    /// Something more important has come: silence falls, and whoever asked is told.
    pub(super) fn abandon_preflight(&mut self, code: ErrorCode, why: &str, out: &mut Out) {
        if let Some(preflight) = self.close_preflight(out) {
            out.fail(preflight.command, code, why);
        }
    }

    /// Nothing of it is left here or on the server.
    fn close_preflight(&mut self, out: &mut Out) -> Option<Preflight> {
        let preflight = self.preflight.take()?;
        self.settle_posture(out);
        out.media(MediaAction::Close { generation: preflight.generation });
        let _superseded = self.outbox.take(Entry::is_preflight);
        if preflight.asked.is_some() {
            self.outbox.push(Request::EndPreflight, Owner::Nobody, Some(self.answer_deadline()));
        }
        Some(preflight)
    }
}

/// Whether anybody else should be heard: joined, and not muted.
fn somebody_speaks(session: &Session, me: &Username) -> bool {
    let others = session.joined_members.iter().filter(|user| &user.username != me);
    others.into_iter().any(|user| !session.muted_members.contains(&user.username))
}
