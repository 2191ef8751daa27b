//! All links and calls of one relay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::Input;
use str0m::config::DtlsCert;

use crate::demux::Demux;
use crate::link::{Check, Link, Voice, is_stun, received, ssrc};
use crate::talk::{Holder, Listener, Loudness, Ranking, assign};
use crate::way::{Address, Sign};
use crate::{CallKey, LinkId, LinkStats, MemberKey, OfferError, Output, ShardConfig, Transport};

/// How often a call with more voices than slots looks who is the loudest.
const RANKING: Duration = Duration::from_millis(100);

/// The relay. See the crate's documentation for the driver's duty.
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    /// One for all links: making one takes longer than the rest of a link.
    cert: DtlsCert,
    links: BTreeMap<LinkId, Link>,
    calls: BTreeMap<CallKey, Call>,
    demux: Demux,
    wakes: BTreeSet<(Instant, LinkId)>,
    /// Links with packets written that str0m has not been asked to send yet.
    unsent: BTreeSet<LinkId>,
    outputs: VecDeque<Output>,
    /// Of links that are closed.
    past: LinkStats,
    /// Packets that belonged to no link.
    strays: u64,
}

#[derive(Debug, Default)]
struct Call {
    members: BTreeSet<LinkId>,
    /// Of everybody who ever spoke here: who comes back on a new link is no stranger.
    voices: BTreeMap<MemberKey, Loudness>,
    echo: bool,
    /// Whoever is in a slot, and the members whose slot it is. Of many who talk at once most are in none, and their
    /// packets must cost nothing here.
    heard: BTreeMap<LinkId, Vec<LinkId>>,
    /// Somebody has fewer slots than there are voices.
    crowded: bool,
    ranked: Option<Instant>,
}

impl Call {
    /// Who hears a packet of `from`, and as whose voice.
    fn listeners(&self, from: LinkId) -> impl Iterator<Item = (LinkId, LinkId)> {
        let holders = self.heard.get(&from).into_iter().flatten();
        holders.map(move |id| (*id, if *id == from { LinkId::ECHO } else { from }))
    }
}

/// The shard could not make its DTLS certificate.
#[derive(Debug, thiserror::Error)]
#[error("no DTLS certificate: {0}")]
pub struct ShardError(String);

impl Shard {
    /// Makes a relay without links.
    pub fn new(config: ShardConfig) -> Result<Self, ShardError> {
        let provider = str0m::crypto::from_feature_flags();
        let cert = provider.dtls_provider.generate_certificate();
        let cert = cert.ok_or_else(|| ShardError("the crypto library made none".to_owned()))?;
        Ok(Self {
            config,
            cert,
            links: BTreeMap::new(),
            calls: BTreeMap::new(),
            demux: Demux::default(),
            wakes: BTreeSet::new(),
            unsent: BTreeSet::new(),
            outputs: VecDeque::new(),
            past: LinkStats::default(),
            strays: 0,
        })
    }

    /// Makes a link for an SDP offer and returns the SDP answer. Nothing flows before [`Shard::admit`].
    pub fn open(&mut self, now: Instant, id: LinkId, offer: &str) -> Result<String, OfferError> {
        if id == LinkId::ECHO || self.links.contains_key(&id) {
            return Err(OfferError::Unusable("the link id is taken".to_owned()));
        }
        let open = || Link::open(now, id, offer, &self.config, &self.cert);
        let (mut link, answer) =
            contain(open).unwrap_or_else(|| Err(OfferError::Unusable(PANIC.to_owned())))?;
        self.demux.name(id, link.fragment());
        self.wakes.insert((link.wake, id));
        self.links.insert(id, link);
        self.wake(now, id);
        Ok(answer)
    }

    /// Restarts ICE on a link for an SDP offer with the same lines and returns the SDP answer. Keys, slots and
    /// admission stay.
    pub fn renew(&mut self, now: Instant, id: LinkId, offer: &str) -> Result<String, OfferError> {
        let link = self.links.get_mut(&id).filter(|link| !link.is_dead());
        let link = link.ok_or_else(|| OfferError::Unusable("the link is gone; make a new one".to_owned()))?;
        let answer = contain(|| link.renew(offer, &self.config));
        if answer.is_none() {
            link.die(PANIC, &mut self.outputs);
        }
        // Also after an error: str0m may have begun the restart.
        self.demux.name(id, link.fragment());
        self.wake(now, id);
        answer.unwrap_or_else(|| Err(OfferError::Unusable(PANIC.to_owned())))
    }

    /// The link's user is joined, as this member: its voice goes to, and comes from, all admitted links of this call.
    /// A link is in one call; a link that is unknown is ignored.
    pub fn admit(&mut self, now: Instant, id: LinkId, call: CallKey, member: MemberKey) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let before = link.call.replace((call, member));
        if before == Some((call, member)) {
            return;
        }
        if let Some((before, _)) = before {
            self.leave(now, id, before);
        }
        self.calls.entry(call).or_default().members.insert(id);
        self.seat(now, call);
    }

    /// Takes a link away.
    pub fn close(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.remove(&id) else { return };
        self.past += link.stats;
        self.demux.forget(id);
        self.wakes.remove(&(link.wake, id));
        self.unsent.remove(&id);
        if let Some((call, _)) = link.call {
            self.leave(now, id, call);
        }
    }

    /// Whether every member of a call hears its own voice too. Ends with the call's last link unless a call
    /// begins with it.
    pub fn echo(&mut self, now: Instant, call: CallKey, on: bool) {
        if on {
            self.calls.entry(call).or_default().echo = true;
        } else if let Some(known) = self.calls.get_mut(&call) {
            known.echo = false;
        }
        self.seat(now, call);
    }

    /// A packet came. [`Shard::flush`] must follow, once for many.
    pub fn receive(&mut self, now: Instant, transport: Transport, from: SocketAddr, bytes: &[u8]) {
        let check = is_stun(bytes).then(|| Check::read(bytes));
        let at = (transport, from);
        let (id, known) = match &check {
            Some(check) => (check.as_ref().and_then(|check| self.demux.by_fragment(&check.fragment)), at),
            None => match self.demux.by_address(transport, from) {
                Some(id) => (Some(id), at),
                None => self.moved(bytes).map_or((None, at), |(id, known)| (Some(id), known)),
            },
        };
        let input = received(&self.config, known, bytes).map(|r| Input::Receive(now, r));
        let (Some(id), Some(input)) = (id, input) else {
            self.strays += 1;
            return;
        };
        let Some(link) = self.links.get_mut(&id).filter(|link| link.accepts(&input)) else {
            self.strays += 1;
            return;
        };
        if let Some(Some(check)) = check {
            self.demux.heard(now, id, transport, from);
            if check.nominates {
                link.way.used(now, at, Sign::Check);
            }
        }
        self.handle(now, id, input, Some(at));
    }

    /// The link whose sound from an unknown address this would be, and the address from which str0m takes it.
    fn moved(&self, bytes: &[u8]) -> Option<(LinkId, Address)> {
        let id = self.demux.by_voice(ssrc(bytes)?)?;
        Some((id, self.links.get(&id)?.way.chosen()?))
    }

    /// Sends what [`Shard::receive`] has gathered.
    pub fn flush(&mut self, now: Instant) {
        while let Some(id) = self.unsent.pop_first() {
            self.wake(now, id);
        }
    }

    /// When [`Shard::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Does what is due. May be called at any time.
    pub fn handle_timeout(&mut self, now: Instant) {
        // Each link once, even if it wants to be woken at once again.
        let due: Vec<LinkId> =
            self.wakes.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        for id in due {
            self.wake(now, id);
        }
        self.flush(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What a link did so far; none for one that is unknown.
    pub fn link_stats(&self, id: LinkId) -> Option<LinkStats> {
        self.links.get(&id).map(|link| link.stats)
    }

    /// What all links did, closed ones included.
    pub fn stats(&self) -> LinkStats {
        let mut sum = self.past;
        for link in self.links.values() {
            sum += link.stats;
        }
        sum
    }

    /// Packets that belonged to no link.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// How many links there are.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// How many calls have admitted links or an echo.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Gives a link the time and takes what it has to send.
    fn wake(&mut self, now: Instant, id: LinkId) {
        self.unsent.remove(&id);
        self.handle(now, id, Input::Timeout(now), None);
    }

    /// `from`: where a packet really came from.
    fn handle(&mut self, now: Instant, id: LinkId, input: Input<'_>, from: Option<Address>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut voices = Vec::new();
        let wake = link.wake;
        if contain(|| link.handle(now, input, from, &mut voices, &mut self.outputs)).is_none() {
            link.die(PANIC, &mut self.outputs);
        }
        if let Some(voice) = voices.last().filter(|voice| link.ssrc != Some(voice.ssrc)) {
            let before = link.ssrc.replace(voice.ssrc);
            self.demux.speaks(id, before, voice.ssrc);
        }
        self.reschedule(id, wake);
        for voice in voices {
            self.forward(now, id, voice);
        }
    }

    fn reschedule(&mut self, id: LinkId, before: Instant) {
        self.wakes.remove(&(before, id));
        if let Some(link) = self.links.get(&id).filter(|link| !link.is_dead()) {
            self.wakes.insert((link.wake, id));
        }
    }

    /// The only place where sound goes from one link to another.
    fn forward(&mut self, now: Instant, from: LinkId, mut voice: Voice) {
        let Some(speaker) = self.links.get_mut(&from) else { return };
        let Some((key, member)) = speaker.call else {
            speaker.stats.withheld += 1;
            return;
        };
        let Some(call) = self.calls.get_mut(&key) else { return };
        let loudness = call.voices.entry(member).or_default();
        voice.level = loudness.hear(now, voice.ssrc, voice.timestamp, voice.level);
        let due = call.ranked.is_none_or(|at| now.saturating_duration_since(at) >= RANKING);
        if call.crowded && due {
            self.seat(now, key);
        }
        let Some(call) = self.calls.get(&key) else { return };
        for (id, source) in call.listeners(from) {
            let Some(listener) = self.links.get_mut(&id) else { continue };
            match contain(|| listener.hear(now, source, &voice)) {
                Some(true) => {
                    self.unsent.insert(id);
                }
                Some(false) => {}
                None => listener.die(PANIC, &mut self.outputs),
            }
        }
    }

    fn leave(&mut self, now: Instant, id: LinkId, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.members.remove(&id);
        self.seat(now, key);
    }

    /// Gives every member of a call its slots anew and tells where anything changed.
    fn seat(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if call.members.is_empty() && !call.echo {
            self.calls.remove(&key);
            return;
        }
        let loudness: BTreeMap<LinkId, f32> = call
            .members
            .iter()
            .filter_map(|id| {
                let (_, member) = self.links.get(id)?.call?;
                Some((*id, call.voices.get(&member).map_or(0.0, |voice| voice.now(now))))
            })
            .collect();
        let ranking = Ranking::new(loudness);
        call.ranked = Some(now);
        call.crowded = false;
        call.heard.clear();
        for id in &call.members {
            let Some(link) = self.links.get_mut(id) else { continue };
            let listener = Listener { id: *id, echo: call.echo };
            call.crowded |= ranking.voices_for(listener) > link.slots();
            let before = sources(&link.holders);
            let changed = assign(now, &mut link.holders, listener, &ranking);
            for Holder { source, .. } in link.holders.iter().flatten() {
                let speaker = if *source == LinkId::ECHO { *id } else { *source };
                call.heard.entry(speaker).or_default().push(*id);
            }
            if !changed {
                continue;
            }
            let after = sources(&link.holders);
            for slot in (0..after.len()).filter(|slot| before[*slot] != after[*slot]) {
                link.switch(slot);
            }
            self.outputs.push_back(Output::Slots { link: *id, sources: after });
        }
    }
}

const PANIC: &str = "it made the media library panic";

/// Runs what a client has a hand in; none when it panicked. The one link is then dead and its peer never asked
/// again, so no broken state is used, and the calls of all others go on.
fn contain<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

fn sources(holders: &[Option<Holder>]) -> Vec<Option<LinkId>> {
    holders.iter().map(|holder| holder.map(|h| h.source)).collect()
}

#[cfg(test)]
mod tests {
    use str0m::Rtc;
    use str0m::media::{Direction, MediaKind};

    use super::*;

    const CALL: CallKey = CallKey(1);

    /// A shard whose links, of `slots` each, are joined as soon as they are open.
    struct Room {
        shard: Shard,
        now: Instant,
        slots: usize,
    }

    impl Room {
        fn of(members: u64, slots: usize) -> Self {
            let config = ShardConfig {
                udp: ([10, 0, 0, 1], 1).into(),
                tcp: None,
                max_offer_bytes: 48 * 1024,
                max_slots: 8,
            };
            let mut room = Self { shard: Shard::new(config).unwrap(), now: Instant::now(), slots };
            for id in 1..=members {
                room.join(id, CALL);
            }
            room
        }

        fn join(&mut self, id: u64, call: CallKey) {
            self.join_as(id, call, MemberKey(id));
        }

        fn join_as(&mut self, id: u64, call: CallKey, member: MemberKey) {
            let mut rtc =
                Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, true).build(self.now);
            let mut api = rtc.sdp_api();
            api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
            for _ in 0..self.slots {
                api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
            }
            let (offer, _) = api.apply().unwrap();
            self.shard.open(self.now, LinkId(id), &offer.to_sdp_string()).unwrap();
            self.shard.admit(self.now, LinkId(id), call, member);
            self.check();
        }

        fn leave(&mut self, id: u64) {
            self.shard.close(self.now, LinkId(id));
            self.check();
        }

        /// `id` is as loud as this for so long that slots change, and the slots are given anew.
        fn speaks(&mut self, id: u64, level: i8) {
            self.speaks_for(Duration::from_millis(1_200), id, |_| level);
        }

        /// Each link has a stream of its own.
        fn speaks_for(&mut self, length: Duration, id: u64, level: impl Fn(u128) -> i8) {
            for n in 0..length.as_millis() / 20 {
                self.now += Duration::from_millis(20);
                let packet = Voice::of(id as u32, 960 * n as u32, level(n));
                self.shard.forward(self.now, LinkId(id), packet);
            }
            self.shard.seat(self.now, self.shard.links[&LinkId(id)].call.unwrap().0);
            self.check();
        }

        fn loudness(&self, member: u64) -> f32 {
            self.shard.calls[&CALL].voices[&MemberKey(member)].now(self.now)
        }

        fn listeners(&self, from: u64) -> Vec<(u64, u64)> {
            let (call, _) = self.shard.links[&LinkId(from)].call.unwrap();
            self.shard.calls[&call].listeners(LinkId(from)).map(|(id, source)| (id.0, source.0)).collect()
        }

        /// Of every voice exactly those are visited who have it in a slot, and are in the call.
        fn check(&self) {
            for (from, speaker) in &self.shard.links {
                let call = |link: &Link| link.call.map(|(call, _)| call);
                let holders = self.shard.links.iter().filter(|(_, link)| call(link) == call(speaker));
                let expected: Vec<_> = holders
                    .filter_map(|(id, link)| {
                        let source = if id == from { LinkId::ECHO } else { *from };
                        sources(&link.holders).contains(&Some(source)).then_some((id.0, source.0))
                    })
                    .collect();
                assert_eq!(self.listeners(from.0), expected, "of {from:?}");
            }
        }
    }

    #[test]
    fn a_voice_that_nobody_hears_visits_nobody() {
        let room = Room::of(6, 2);
        assert_eq!(room.listeners(1).len(), 5);
        assert_eq!(room.listeners(6), []);
    }

    #[test]
    fn who_hears_whom_stays_right_as_people_speak_come_and_go() {
        let mut room = Room::of(6, 2);
        room.speaks(6, -30);
        assert_eq!(room.listeners(6).len(), 5, "the loudest takes a slot of everybody");
        room.leave(6);
        room.leave(1);
        room.join(7, CALL);
        room.join(8, CallKey(2));
        room.shard.admit(room.now, LinkId(5), CallKey(2), MemberKey(5));
        room.check();
        assert_eq!(room.listeners(5), [(8, 5)], "who goes to another call is heard there only");
        for id in [2, 3, 4, 7] {
            room.leave(id);
        }
        assert_eq!(room.shard.calls(), 1);
    }

    #[test]
    fn a_new_link_of_a_member_is_heard_as_the_old_one_was() {
        let mut room = Room::of(3, 4);
        room.leave(2);
        room.join(4, CALL);
        assert_eq!(room.listeners(4), [(1, 4), (3, 4)]);
        assert_eq!(room.listeners(1), [(3, 1), (4, 1)]);
    }

    #[test]
    fn new_links_make_no_new_voice_of_a_liar() {
        let mut room = Room::of(3, 1);
        for link in 10..22 {
            room.join_as(link, CALL, MemberKey(9));
            room.speaks_for(Duration::from_secs(5), link, |_| 0);
            if link == 11 {
                assert!(room.loudness(9) < 80.0, "what makes no pauses is known for it");
            }
            room.leave(link);
            room.now += Duration::from_millis(300);
        }
        room.join_as(22, CALL, MemberKey(9));
        room.speaks_for(Duration::from_secs(2), 1, |n| if n % 50 < 40 { -35 } else { -65 });
        room.speaks_for(Duration::from_secs(2), 22, |n| if n % 50 < 43 { 0 } else { -127 });
        assert!(
            room.loudness(9) < 90.0,
            "who talked for a minute is known for that too: {}",
            room.loudness(9)
        );
    }

    #[test]
    fn who_comes_back_on_a_new_link_is_as_loud_as_before() {
        let speech = |n| if n % 100 < 80 { -35 } else { -65 };
        let mut room = Room::of(3, 4);
        room.speaks_for(Duration::from_secs(21), 2, speech);
        let before = room.loudness(2);
        room.leave(2);
        room.now += Duration::from_secs(3);
        room.join_as(4, CALL, MemberKey(2));
        assert_eq!(room.loudness(2), 0.0, "without a link there was no voice");
        room.speaks_for(Duration::from_secs(1), 4, speech);
        assert!((room.loudness(2) - before).abs() < 1.0, "{before} and {}", room.loudness(2));
        for link in [1, 3, 4] {
            room.leave(link);
        }
        assert_eq!(room.shard.calls(), 0, "what is known of voices ends with the call");
    }

    #[test]
    fn the_echo_is_heard_by_whoever_speaks() {
        let mut room = Room::of(1, 1);
        assert_eq!(room.listeners(1), []);
        room.shard.echo(room.now, CALL, true);
        room.check();
        assert_eq!(room.listeners(1), [(1, 0)]);
        room.join(2, CALL);
        room.shard.echo(room.now, CALL, false);
        room.check();
        assert_eq!(room.listeners(1), [(2, 1)]);
    }
}
