//! What must hold when all is quiet.

use super::*;

/// Of a history, so that some have several.
const PAGE: usize = 8;

impl World {
    /// Whoever is rung and can be reached has been told, unless it waits for the answer to a call of its own.
    pub(super) fn the_rung_know(&self) -> Result<(), String> {
        for (channel, stay, user, since) in self.mirror.rung() {
            if self.now - since < TOLD_MS {
                continue;
            }
            for device in (0..self.devices.len()).filter(|device| self.devices[*device].user == *user) {
                let dev = &self.devices[device];
                let reached = dev.alive && !self.is_cut_off(device) && dev.start.is_none();
                let signed_in = reached && dev.client.state().login == LoginState::LoggedIn;
                check(!signed_in || dev.ear.knows(channel, stay), || {
                    format!("{} is rung since {since} and knows nothing of it", dev.id)
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn all_agree(&mut self) -> Result<(), String> {
        let mut seats: BTreeMap<ChannelId, BTreeSet<Username>> = BTreeMap::new();
        let mut sessions = Vec::new();
        for dev in self.devices.iter().filter(|d| d.alive) {
            let unanswered = dev.unanswered();
            check(unanswered.is_empty(), || format!("{}: unanswered {unanswered:?}", dev.id))?;
            let state = dev.client.state();
            check(state.session.is_some() == dev.ear.call.is_some(), || {
                format!("{}: an end untold", dev.id)
            })?;
            let parts = &dev.parts;
            let sound = (parts.capture, parts.send, parts.play);
            let Some(session) = state.session else {
                check(sound == (false, false, false), || format!("{}: sound {sound:?} in no call", dev.id))?;
                continue;
            };
            let at_rest = state.call == CallState::Connected;
            check(at_rest, || format!("{}: {:?} for ever", dev.id, state.call))?;
            let seated = seats.entry(session.channel_id.clone()).or_default().insert(dev.user.clone());
            check(seated, || format!("{} is in {} twice", dev.user, session.channel_id))?;
            self.mirror.agrees(&session, &dev.user).map_err(|what| format!("{} {what}", dev.id))?;
            let muted = session.muted_members.contains(&dev.user);
            check(muted == state.muted, || {
                format!("{}: muted is {}, the others see {muted}", dev.id, state.muted)
            })?;
            check(sound == (true, !state.muted, true), || {
                format!("{}: in a call with sound {sound:?}", dev.id)
            })?;
            // Nobody speaks any more, and the network has been good for a while.
            dev.ear
                .is_quiet_and_good(state.quality.as_ref())
                .map_err(|what| format!("{}: {what}", dev.id))?;
            sessions.push((dev.id.clone(), session));
        }
        for (id, session) in &sessions {
            check(session.inviting_members.is_empty(), || format!("{id}: rings for ever"))?;
            let people = session.joined_members.iter().map(|u| u.username.clone());
            let people: BTreeSet<_> = people.filter(|u| u.as_str() != "echo").collect();
            let there = &seats[&session.channel_id];
            check(&people == there, || format!("{id}: sees {people:?}, there are {there:?}"))?;
        }
        self.mirror.all_answered()?;
        let counts = self.rooms.counts();
        check(self.mirror.model.calls.len() == seats.len(), || {
            format!("the model has {} calls, the devices {}", self.mirror.model.calls.len(), seats.len())
        })?;
        check(counts.calls == seats.len(), || {
            format!("the server has {} calls, the devices {}", counts.calls, seats.len())
        })?;
        let admitted = self.links.values().filter(|link| link.admitted.is_some()).count();
        check(admitted == sessions.len() && counts.links == sessions.len(), || {
            format!("{} devices in calls, {} links, {admitted} admitted", sessions.len(), counts.links)
        })?;
        self.outcome.at_rest = seats.len() as u64;
        Ok(())
    }

    pub(super) fn all_gone(&self) -> Result<(), String> {
        for dev in self.devices.iter().filter(|d| d.alive) {
            let unanswered = dev.unanswered();
            check(unanswered.is_empty(), || format!("{}: unanswered {unanswered:?}", dev.id))?;
            check(dev.ear.call.is_none(), || format!("{}: a call without an end", dev.id))?;
            let parts = &dev.parts;
            check(parts.link.is_none() && parts.shown.is_none() && parts.started.is_none(), || {
                format!("{}: left over: {parts:?}", dev.id)
            })?;
            let connected = self.has(dev.conn) || self.has(dev.spare);
            check(!connected, || format!("{}: a connection is left", dev.id))?;
            check(dev.client.next_deadline().is_none(), || format!("{}: still waits", dev.id))?;
        }
        check(self.rooms.is_idle(), || format!("the server remembers: {:?}", self.rooms.counts()))?;
        check(self.links.is_empty(), || "links are left".into())
    }

    /// Page by page, each user finds the calls that it may know of.
    pub(super) fn all_remember(&self) -> Result<(), String> {
        for user in self.people.keys() {
            let mut before = None;
            while let Some((calls, true)) = self.history(user, before.as_ref(), PAGE)? {
                before = calls.last().map(|call| call.channel_id.clone());
            }
        }
        Ok(())
    }
}
