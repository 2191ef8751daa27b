//! Events that depend on what is heard and on the machine that plays: no file can say when they come, but wherever
//! they come they must be right.

use std::collections::BTreeSet;

use jmrtc_call::Event;
use jmrtc_protocol::{Session, Username};

/// Whether a file speaks of it.
pub(crate) fn is_scripted(event: &str) -> bool {
    !["CallActiveSpeakers", "CallQuality"].contains(&event)
}

/// The call of an app, as far as it was told of it.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    stage: Stage,
    joined: BTreeSet<Username>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    NotConnected,
    Connected,
    Reconnecting,
}

impl Ear {
    /// Takes the next event; why it is wrong.
    pub(crate) fn hear(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::CallOutgoing(session)
            | Event::CallReceiveInvite(session)
            | Event::CallConnecting(session) => self.shows(session, Stage::NotConnected),
            Event::CallConnected(session) | Event::CallReconnected(session) => {
                self.shows(session, Stage::Connected);
            }
            Event::CallReconnecting(session) => self.shows(session, Stage::Reconnecting),
            Event::CallDisconnect(end) => self.shows(&end.session, Stage::NotConnected),
            Event::CallMemberJoin(user) => drop(self.joined.insert(user.username.clone())),
            Event::CallMemberLeave(left) => drop(self.joined.remove(&left.user.username)),
            Event::CallActiveSpeakers(told) => {
                // Where only the signalling is lost people are heard all the same.
                self.must_be(&[Stage::Connected, Stage::Reconnecting])?;
                let speakers: BTreeSet<_> =
                    told.active_speakers.iter().map(|user| user.username.clone()).collect();
                if let Some(stranger) = speakers.difference(&self.joined).next() {
                    return Err(format!("{stranger} speaks, who is not in the call"));
                }
                if speakers.len() < told.active_speakers.len() {
                    return Err("somebody speaks twice".into());
                }
            }
            Event::CallQuality(quality) => {
                self.must_be(&[Stage::Connected])?;
                if !(1..=5).contains(&quality.score) || !(1.0..=4.5).contains(&quality.mos) {
                    return Err(format!("no quality is {} of 5, {} of 4.5", quality.score, quality.mos));
                }
            }
            Event::CallOtherUserInvited(_) | Event::CallMemberMuted(_) | Event::CallError(_) => {}
        }
        Ok(())
    }

    fn shows(&mut self, session: &Session, stage: Stage) {
        self.stage = stage;
        self.joined = session.joined_members.iter().map(|user| user.username.clone()).collect();
    }

    fn must_be(&self, stages: &[Stage]) -> Result<(), String> {
        if stages.contains(&self.stage) { Ok(()) } else { Err(format!("while it is {:?}", self.stage)) }
    }
}
