//! What an app hears on one device, held against the grammar of a call.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_call::{CallQuality, CallState, Event, LinkSample, State, Warning, mos};
use jmrtc_protocol::{ChannelId, Session, Stay, Username};

/// Louder than this (-dBov) is a voice.
const LOUD: u8 = 50;
/// Loud moments no further apart belong together.
const BEGINS_MS: u64 = 700;
/// So many of them in a row are a voice for sure.
const VOICE: u64 = 4;
/// Whoever was not loud for so long does not speak.
const ENDS_MS: u64 = 1_200;
/// Between two changes of quality.
const RATED_MS: u64 = 1_000;

/// Follows the events of one app's life.
#[derive(Debug)]
pub(crate) struct Ear {
    me: Username,
    /// The call that has been told of and not yet its end.
    pub(crate) call: Option<Heard>,
    /// The last stay in each call of which the app was told.
    known: BTreeMap<ChannelId, Stay>,
    /// The last of which the server has told.
    stays: BTreeMap<ChannelId, Stay>,
    /// Who is heard in which slot, as the server has told last.
    slots: BTreeMap<ChannelId, Vec<Option<Username>>>,
}

#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) channel: ChannelId,
    pub(crate) stay: Stay,
    phase: Phase,
    /// Who is in it besides us, by the joins and leaves told.
    joined: BTreeSet<Username>,
    connected: bool,
    reconnecting: bool,
    /// Who was loud, as the levels of the link told.
    loud: BTreeMap<Username, Loud>,
    /// Who speaks, as was told last.
    speakers: Vec<Username>,
    /// What was wrong with any of the link's samples.
    bad: BTreeSet<Warning>,
    /// What was told of it last, and when.
    rated: Option<(u64, CallQuality)>,
}

#[derive(Debug)]
struct Loud {
    last: u64,
    /// Without a pause.
    moments: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Incoming,
    Outgoing,
    Joined,
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn others(session: &Session, me: &Username) -> BTreeSet<Username> {
    session.joined_members.iter().map(|u| u.username.clone()).filter(|name| name != me).collect()
}

impl Ear {
    pub(crate) fn new(me: Username) -> Self {
        Self { me, call: None, known: BTreeMap::new(), stays: BTreeMap::new(), slots: BTreeMap::new() }
    }

    /// `sends`: the person's sound is sent.
    pub(crate) fn hear(&mut self, now: u64, sends: bool, event: &Event) -> Result<(), String> {
        let me = self.me.clone();
        match event {
            Event::CallOutgoing(session) => {
                check(self.call.is_none(), || "outgoing in a call".into())?;
                check(session.inviter.username == me, || "outgoing in somebody else's call".into())?;
                check(others(session, &me).is_empty(), || "outgoing and not alone".into())?;
                self.begin(session, Phase::Outgoing);
            }
            Event::CallReceiveInvite(session) => {
                check(self.call.is_none(), || "invited in a call".into())?;
                check(!session.is_joined(&me), || "invited and joined".into())?;
                check(session.is_inviting(&me), || "invited and not rung".into())?;
                self.begin(session, Phase::Incoming);
            }
            Event::CallConnecting(session) => {
                if self.call.is_none() {
                    self.begin(session, Phase::Incoming);
                }
                let Some(call) = &mut self.call else { return Ok(()) };
                call.same(session)?;
                check(call.phase != Phase::Joined, || "connecting twice".into())?;
                check(session.is_joined(&me), || "connecting without us".into())?;
                // Who has accepted may find that the others have left.
                let alone = others(session, &me).is_empty();
                check(!alone || session.inviter.username != me, || "connecting alone".into())?;
                call.phase = Phase::Joined;
            }
            Event::CallMemberJoin(user) => {
                let call = self.member("a join")?;
                check(user.username != me, || "we joined ourselves".into())?;
                check(call.phase == Phase::Joined, || "a join before connecting".into())?;
                check(call.joined.insert(user.username.clone()), || {
                    format!("{} joins twice", user.username)
                })?;
            }
            Event::CallMemberLeave(payload) => {
                let call = self.member("a leave")?;
                call.joined.remove(&payload.user.username);
            }
            Event::CallConnected(session) => {
                let call = self.member("connected")?;
                call.same(session)?;
                check(!call.connected, || "connected twice".into())?;
                check(!call.joined.is_empty(), || "connected alone".into())?;
                check(session.start_time > 0, || "connected at no time".into())?;
                call.connected = true;
                call.loud.clear();
            }
            Event::CallReconnecting(session) => {
                let call = self.member("reconnecting")?;
                call.same(session)?;
                check(call.connected && !call.reconnecting, || "reconnecting out of turn".into())?;
                call.reconnecting = true;
            }
            Event::CallReconnected(session) => {
                let call = self.member("reconnected")?;
                call.same(session)?;
                check(call.reconnecting, || "reconnected out of turn".into())?;
                call.reconnecting = false;
            }
            Event::CallOtherUserInvited(payload) => {
                self.member("others invited")?;
                check(payload.from_user.username != me, || "told whom we invited ourselves".into())?;
            }
            Event::CallMemberMuted(payload) => {
                let call = self.member("muted")?;
                let known = call.joined.contains(&payload.user.username);
                check(known, || format!("{} is muted and not there", payload.user.username))?;
            }
            Event::CallActiveSpeakers(payload) => {
                let names = payload.active_speakers.iter().map(|user| user.username.clone()).collect();
                self.member("speakers")?.speak(now, names, &me, sends)?;
            }
            Event::CallDisconnect(payload) => {
                let Some(call) = self.call.take() else { return Err("an end of no call".into()) };
                call.same(&payload.session)?;
                self.slots.remove(&call.channel);
            }
            Event::CallQuality(quality) => {
                self.member("quality")?.rate(now, quality)?;
            }
            Event::CallError(_) => {}
        }
        Ok(())
    }

    pub(crate) fn is_member(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.phase != Phase::Incoming)
    }

    /// This stay in a call has been told of, whether it is over or not.
    pub(crate) fn knows(&self, channel: &ChannelId, stay: Stay) -> bool {
        self.known.get(channel).is_some_and(|known| *known >= stay)
    }

    /// The server tells of a stay.
    pub(crate) fn stays(&mut self, channel: &ChannelId, stay: Stay) {
        let last = self.stays.entry(channel.clone()).or_insert(stay);
        *last = stay.max(*last);
    }

    /// Which stay in a call it is: the one that goes on, or the last of which the server has told.
    pub(crate) fn stay(&self, channel: &ChannelId) -> (ChannelId, Stay) {
        let here = self.call.as_ref().filter(|call| call.channel == *channel).map(|call| call.stay);
        (channel.clone(), here.or_else(|| self.stays.get(channel).copied()).unwrap_or(0))
    }

    fn begin(&mut self, session: &Session, phase: Phase) {
        let stay = self.stays.get(&session.channel_id).copied().unwrap_or(0);
        self.known.insert(session.channel_id.clone(), stay);
        self.call = Some(Heard::new(session, stay, phase));
    }

    fn member(&mut self, what: &str) -> Result<&mut Heard, String> {
        let call = self.call.as_mut().ok_or_else(|| format!("{what} in no call"))?;
        check(call.phase != Phase::Incoming, || format!("{what} before an accept"))?;
        Ok(call)
    }

    /// The app reads `getState` after its sign-in and finds that it is in a call.
    pub(crate) fn adopt(&mut self, session: &Session) {
        self.begin(session, Phase::Outgoing);
        let Some(call) = &mut self.call else { return };
        call.joined = others(session, &self.me);
        if session.start_time > 0 {
            call.phase = Phase::Joined;
            call.connected = true;
            call.reconnecting = true;
        }
    }

    /// The server tells who is heard in which slot of the link.
    pub(crate) fn slots(&mut self, channel: &ChannelId, slots: &[Option<Username>]) {
        self.slots.insert(channel.clone(), slots.to_vec());
    }

    /// How loud the person's sound is, where it is sent, and that in each slot.
    pub(crate) fn levels(&mut self, now: u64, own: Option<u8>, slots: &[u8]) {
        let Some(call) = &mut self.call else { return };
        let named = self.slots.get(&call.channel).into_iter().flatten().zip(slots);
        let named = named.filter_map(|(user, level)| Some((user.as_ref()?, *level)));
        let levels: Vec<_> = own.map(|level| (&self.me, level)).into_iter().chain(named).collect();
        call.loud.retain(|name, _| levels.iter().any(|(user, _)| *user == name));
        for (user, _) in levels.into_iter().filter(|(_, level)| *level < LOUD) {
            let loud = call.loud.entry(user.clone()).or_insert(Loud { last: now, moments: 0 });
            let goes_on = now - loud.last <= BEGINS_MS;
            *loud = Loud { last: now, moments: if goes_on { loud.moments + 1 } else { 1 } };
        }
    }

    /// What was measured on the link.
    pub(crate) fn sample(&mut self, sample: &LinkSample) {
        let Some(call) = &mut self.call else { return };
        let unheard = sample.loss_up_permille.is_none_or(|lost| lost >= 950);
        let lost = sample.loss_up_permille.unwrap_or(0).max(sample.loss_down_permille);
        let of = [
            // Of several things that are not so bad the whole may be.
            (Warning::Mos, mos(sample) < 4.0),
            (Warning::Loss, lost > 50),
            (Warning::Jitter, sample.jitter_ms > 30),
            (Warning::Rtt, sample.rtt_ms.is_some_and(|rtt| rtt > 400)),
            (Warning::OneWayAudio, sample.received == 0 || unheard),
            (Warning::SilentMicrophone, sample.level_in == 127),
        ];
        call.bad.extend(of.into_iter().filter_map(|(warning, bad)| bad.then_some(warning)));
    }

    /// Nobody speaks, and the network has been good for long.
    pub(crate) fn is_quiet_and_good(&self, quality: Option<&CallQuality>) -> Result<(), String> {
        let speak: Vec<_> = self.call.iter().flat_map(|call| &call.speakers).collect();
        check(speak.is_empty(), || format!("{speak:?} speak for ever"))?;
        let good = quality.is_some_and(|q| q.score == 5 && q.warnings.is_empty());
        check(good, || format!("a good network, and rated {quality:?}"))
    }

    /// What has been told and what `getState` says must be the same.
    pub(crate) fn compare(&mut self, now: u64, state: &State, link_up: bool) -> Result<(), String> {
        let Some(session) = &state.session else {
            // Between a goodbye and its end there is a call to hear the end of, and none to show.
            return check(state.call == CallState::Idle || state.call == CallState::Outgoing, || {
                format!("{:?} without a session", state.call)
            });
        };
        let Some(call) = &mut self.call else {
            return Err(format!("in {}, of which nothing was told", session.channel_id));
        };
        call.same(session)?;
        if call.phase == Phase::Joined {
            let joined = others(session, &self.me);
            check(call.joined == joined, || format!("told {:?}, but there are {joined:?}", call.joined))?;
        }
        let told = call.rated.as_ref().map(|(_, quality)| quality);
        check(state.quality.as_ref() == told, || format!("told {told:?}, but shows {:?}", state.quality))?;
        if !link_up {
            call.loud.clear();
            return check(call.speakers.is_empty(), || format!("{:?} speak without a link", call.speakers));
        }
        for (user, loud) in call.loud.iter().filter(|(_, loud)| call.connected && loud.last == now) {
            let there = call.joined.contains(user) || *user == self.me;
            check(!there || loud.moments < VOICE || call.speakers.contains(user), || {
                format!("{user} speaks, and nobody is told")
            })?;
        }
        Ok(())
    }
}

impl Heard {
    fn new(session: &Session, stay: Stay, phase: Phase) -> Self {
        Self {
            channel: session.channel_id.clone(),
            stay,
            phase,
            joined: BTreeSet::new(),
            connected: false,
            reconnecting: false,
            loud: BTreeMap::new(),
            speakers: Vec::new(),
            bad: BTreeSet::new(),
            rated: None,
        }
    }

    /// Others speak than before: members that were heard, and whoever's device it is only while its sound is sent.
    fn speak(&mut self, now: u64, names: Vec<Username>, me: &Username, sends: bool) -> Result<(), String> {
        check(self.connected, || "speakers before connected".into())?;
        for name in &names {
            let may = if name == me { sends } else { self.joined.contains(name) };
            check(may, || format!("{name} speaks, and is not there or muted"))?;
            let lately = self.loud.get(name).is_some_and(|loud| now - loud.last < ENDS_MS);
            check(lately, || format!("{name} speaks without a sound"))?;
        }
        let distinct: BTreeSet<_> = names.iter().collect();
        check(distinct.len() == names.len(), || format!("{names:?} speak, somebody twice"))?;
        check(names != self.speakers, || format!("told twice that {names:?} speak"))?;
        self.speakers = names;
        Ok(())
    }

    /// It sounds otherwise than before: while connected, once a second at most, and for a reason.
    fn rate(&mut self, now: u64, quality: &CallQuality) -> Result<(), String> {
        check(self.connected && !self.reconnecting, || "quality of a call that is not connected".into())?;
        let CallQuality { score, mos, warnings } = quality;
        check((1..=5).contains(score) && (1.0..=4.5).contains(mos), || format!("rated {score}, {mos}"))?;
        let unfounded = warnings.iter().find(|warning| !self.bad.contains(warning));
        check(unfounded.is_none(), || format!("warns of {unfounded:?}, of which there was nothing"))?;
        if let Some((at, before)) = &self.rated {
            check(now - at >= RATED_MS, || "rated twice within a second".into())?;
            let news = (score, warnings) != (&before.score, &before.warnings);
            check(news, || format!("rated {quality:?} once more"))?;
        }
        self.rated = Some((now, quality.clone()));
        Ok(())
    }

    fn same(&self, session: &Session) -> Result<(), String> {
        check(self.channel == session.channel_id, || {
            format!("{} while in {}", session.channel_id, self.channel)
        })
    }
}
