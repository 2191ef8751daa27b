//! Who is muted and who speaks.

use jmrtc_protocol::{ChannelId, Request};

use super::Client;
use crate::out::Out;
use crate::outbox::Owner;
use crate::{ActiveSpeakersPayload, Event};

impl Client {
    /// Tells the others whether we are muted, where the server does not know it. One request at a time: whoever plays
    /// with the switch is asked for the outcome only.
    pub(super) fn settle_muted(&mut self) {
        let muted = self.muted;
        self.outbox.update_mute(muted);
        let Some(call) = self.call.as_ref().filter(|c| c.is_member() && c.told_muted != muted) else {
            return;
        };
        if !self.outbox.mutes() {
            let channel_id = call.session.channel_id.clone();
            self.outbox.push(Request::Mute { channel_id, muted }, Owner::Nobody, None);
        }
    }

    pub(super) fn mute_told(&mut self, channel: &ChannelId, muted: bool) {
        if let Some(call) = self.call.as_mut().filter(|c| c.is(channel)) {
            call.told_muted = muted;
        }
    }

    /// Levels of what is sent and of what is heard in each slot.
    pub(super) fn levels(&mut self, own: u8, slots: &[u8], out: &mut Out) {
        let now = self.now;
        // Whoever is muted is shown no longer, however lately it spoke.
        let me = self.me().filter(|_| self.posture.send).cloned();
        let Some(call) = self.call.as_mut().filter(|c| c.connected && c.is_member()) else { return };
        let session = &call.session;
        let heard = call.slots.iter().zip(slots).filter_map(|(user, level)| Some((user.as_ref()?, *level)));
        // The slots' news come after those of who has left.
        let heard = heard.filter(|(name, _)| session.is_joined(name));
        // The echo is in a slot under its own name, and it is no voice of ours.
        let levels = me.iter().map(|me| (me, own)).chain(heard);
        if call.speakers.hear(now, levels) {
            let user = |name| session.joined_members.iter().find(|u| &u.username == name).cloned();
            let active_speakers = call.speakers.names().iter().filter_map(user).collect();
            out.event(Event::CallActiveSpeakers(ActiveSpeakersPayload { active_speakers }));
        }
    }
}
