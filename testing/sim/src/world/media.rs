//! What the media relay forwards, and what is measured on links.

use super::*;

/// Between two measurements of a link.
pub(super) const SAMPLE_MS: u64 = 1_000;
/// Between two looks at how loud it is, while somebody speaks.
const LEVELS_MS: u64 = 200;
/// For so long after somebody spoke it is looked as often.
const LINGERS_MS: u64 = 2_000;
/// So long a network is as it is.
const MOOD_MS: u64 = 9_000;
/// -dBov: digital silence.
const SILENCE: u8 = 127;

/// What nobody should tell, and somebody does.
#[derive(Debug, Clone, Copy)]
enum Odd {
    /// A link that is closed tells what it measured.
    Late,
    /// Two samples within a second.
    Soon,
    /// A link of which the rooms know nothing any more, or not yet, is heard.
    Source,
    /// Levels of more slots than there are, or fewer.
    Levels,
    /// Numbers that can't be.
    Sample,
}

const fn place(what: u64, device: usize) -> u64 {
    what << 8 | device as u64
}

impl World {
    /// Tells the machine how loud it is on a link and how it carries, for as long as there is one.
    pub(super) fn measure(&mut self, device: usize, life: u32, generation: Generation) -> Result<(), String> {
        let there = |dev: &Device| dev.life == life && dev.alive && dev.parts.link == Some(generation);
        if !there(&self.devices[device]) {
            return Ok(());
        }
        self.forward(device);
        let often = self.somebody_spoke(device);
        let again = self.now + if often { LEVELS_MS } else { SAMPLE_MS };
        self.agenda.plan(again, Item::Measure { device, life, generation });
        let late = u32::from(self.is_odd(device, Odd::Late));
        let generation = generation - late;
        let (own, slots) = self.levels(device);
        if late == 0 {
            let dev = &mut self.devices[device];
            dev.ear.levels(self.now, Some(own).filter(|_| dev.parts.send), &slots);
        }
        self.input(device, Input::Media { generation, event: MediaEvent::Levels { own, slots } })?;
        let soon = self.is_odd(device, Odd::Soon);
        let dev = &mut self.devices[device];
        if !there(dev) || (self.now - dev.parts.sampled < SAMPLE_MS && !soon) {
            return Ok(());
        }
        dev.parts.sampled = self.now;
        let sample = self.sample(device);
        if late == 0 {
            self.devices[device].ear.sample(&sample);
        }
        self.input(device, Input::Media { generation, event: MediaEvent::Stats { sample } })
    }

    fn is_odd(&self, device: usize, what: Odd) -> bool {
        self.luck.strikes(Roll::Odd, self.now, place(what as u64, device), 20)
    }

    fn measured(&self, what: u64, device: usize, below: u64) -> u64 {
        self.luck.number(Roll::Measure, self.now, place(what, device)) % below
    }

    /// The link of a device that carries a call's sound.
    fn admitted(&self, device: usize) -> Option<(LinkId, CallKey)> {
        let of_call = |link: &Link| link.device == device && !link.wanted.preflight;
        let mut links = self.links.iter().rev().filter(|(_, link)| of_call(link));
        links.find_map(|(id, link)| Some((*id, link.admitted?)))
    }

    fn somebody_spoke(&self, device: usize) -> bool {
        let Some((_, call)) = self.admitted(device) else { return false };
        let mut links = self.links.values().filter(|link| link.admitted == Some(call));
        links.any(|link| self.devices[link.device].talks_until + LINGERS_MS > self.now)
    }

    /// Whether sound comes from a link into the call.
    fn is_loud(&self, link: LinkId, call: CallKey) -> bool {
        let link = self.links.get(&link).filter(|link| link.admitted == Some(call));
        link.is_some_and(|link| {
            let dev = &self.devices[link.device];
            dev.parts.send && dev.talks_until > self.now
        })
    }

    /// Whoever speaks in the call gets one of the device's slots, and keeps it until somebody else needs it.
    fn forward(&mut self, device: usize) {
        let Some((id, call)) = self.admitted(device) else { return };
        let echoes = self.echoes.contains(&call);
        let is_loud = |source: LinkId| match source {
            LinkId::ECHO => echoes && self.is_loud(id, call),
            source => self.is_loud(source, call),
        };
        let is_there = |source: LinkId| match source {
            LinkId::ECHO => echoes,
            source => self.links.get(&source).is_some_and(|link| link.admitted == Some(call)),
        };
        let before = &self.links[&id].slots;
        let mut slots: Vec<_> = before.iter().map(|slot| slot.filter(|source| is_there(*source))).collect();
        let sources =
            [LinkId::ECHO].into_iter().chain(self.links.keys().copied().filter(|source| *source != id));
        for source in sources.filter(|source| is_loud(*source)) {
            if slots.contains(&Some(source)) {
                continue;
            }
            let first = self.luck.roll(Roll::Slot, self.now, device as u64, slots.len() as u64) as usize;
            let mut order = (0..slots.len()).map(|n| (first + n) % slots.len());
            if let Some(free) = order.find(|slot| slots[*slot].is_none_or(|source| !is_loud(source))) {
                slots[free] = Some(source);
            }
        }
        if slots == *before {
            return;
        }
        let at = self.now + self.luck.roll(Roll::RelayTime, self.now, id.0, 30);
        let mut sources = slots.clone();
        if self.is_odd(device, Odd::Source) {
            sources[0] = Some(LinkId(u64::MAX));
        }
        self.agenda.plan(at, Item::Slots { link: id, sources, server: self.server });
        if let Some(link) = self.links.get_mut(&id) {
            link.slots = slots;
        }
    }

    /// How loud the microphone is, sent or not, and what each slot plays.
    fn levels(&self, device: usize) -> (u8, Vec<u8>) {
        let roll = |what, below| self.measured(what, device, below) as u8;
        if self.is_odd(device, Odd::Levels) {
            return (roll(2, 256), (0..roll(3, 8)).map(|n| roll(4 + u64::from(n), 256)).collect());
        }
        let level = |what, loud| if loud { 5 + roll(what, 40) } else { SILENCE - roll(what, 60) };
        let own = level(2, self.devices[device].talks_until > self.now);
        let Some((id, call)) = self.admitted(device) else { return (own, vec![SILENCE; SLOTS.into()]) };
        let plays = |slot: &Option<LinkId>| match slot {
            None => false,
            Some(LinkId::ECHO) => self.is_loud(id, call),
            Some(source) => self.is_loud(*source, call),
        };
        let slots = self.links[&id].slots.iter().zip(3..);
        (own, slots.map(|(slot, what)| level(what, plays(slot))).collect())
    }

    /// What a second of a link was like. At rest all networks are good.
    fn sample(&self, device: usize) -> LinkSample {
        let roll = |what, below| self.measured(what, device, below) as u32;
        let good = LinkSample {
            rtt_ms: Some(5 + roll(20, 35)),
            jitter_ms: roll(21, 10),
            buffer_ms: 20 + roll(22, 20),
            loss_up_permille: Some(roll(23, 4) as u16),
            loss_down_permille: roll(24, 4) as u16,
            sent: 50,
            received: 50,
            level_in: 20 + roll(25, 60) as u8,
        };
        if self.now >= self.plan.rest {
            return good;
        }
        if self.is_odd(device, Odd::Sample) {
            return LinkSample {
                rtt_ms: Some(u32::MAX),
                jitter_ms: u32::MAX,
                buffer_ms: u32::MAX,
                loss_up_permille: Some(u16::MAX),
                loss_down_permille: u16::MAX,
                ..good
            };
        }
        match self.luck.number(Roll::Mood, self.now / MOOD_MS, device as u64) % 12 {
            0 => LinkSample { rtt_ms: Some(300 + roll(20, 400)), ..good },
            1 => LinkSample { jitter_ms: 15 + roll(21, 60), ..good },
            2 => LinkSample { loss_down_permille: roll(24, 300) as u16, ..good },
            3 => LinkSample { loss_up_permille: Some(roll(24, 1_000) as u16), ..good },
            4 => LinkSample { received: 0, ..good },
            5 => LinkSample { loss_up_permille: None, rtt_ms: None, ..good },
            6 => LinkSample { level_in: SILENCE, ..good },
            _ => good,
        }
    }
}
