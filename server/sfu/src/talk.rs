//! Who is heard where: everybody while there are slots for all, else the loudest.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::LinkId;

/// How much louder (dB) somebody must be to take the place of another.
const MARGIN: f32 = 6.0;
/// For how long somebody keeps a slot at least, so that a word is not cut off.
const HOLD: Duration = Duration::from_secs(1);
/// Somebody of whom no packet came for so long is silent.
const SILENT_AFTER: Duration = Duration::from_millis(400);
/// How fast a packet's level takes effect: at once for a voice that begins, over half a second for one that ends.
const ATTACK: f32 = 0.5;
const RELEASE: f32 = 0.04;
/// No voice counts for more than this (dBov), and what is as loud as that does not outdo it by [`MARGIN`]: levels are the
/// sender's own word.
const LOUDEST: i8 = -25;
/// Speech has pauses, in which it is quieter by this (dB) than its smoothed level. Whoever pauses for less ...
const PAUSE: f32 = 12.0;
/// What is as quiet as this (dBov) is a pause whatever came before: somebody who listens in a quiet room.
const QUIET: i8 = -60;
/// ... than this share of the time is a fan, a tone or a lie, and counts for less by [`STEADY`] dB. Speech without a stop
/// has 10 to 25 %, also in some noise. That there are none shows after 6 s, and one packet now and then is none.
const PAUSES: f32 = 0.05;
/// Over which the share is taken, the more recent the heavier.
const WINDOW: Duration = Duration::from_secs(2);
const STEADY: i8 = 25;
/// Pauses can be forged too. Whoever talked for more than this share of the last minute ...
const FAIR: f32 = 0.5;
/// ... counts for less by up to this (dB), all of it from [`FULL`] on: an ordinary voice (-35 dBov) takes the slot of one that
/// says it is [`LOUDEST`]. Where there are slots enough for all who talk it changes nothing, so a lecture is heard to its end.
const LONG_TALK: f32 = 18.0;
const FULL: f32 = 0.8;
/// Who is not louder than this (dBov) talks not: noise in a room. It could hold no slot against an ordinary voice.
const TALK: i8 = -45;
/// Over which this share is taken, the more recent the heavier.
const MINUTE: Duration = Duration::from_secs(60);
/// Taken for a packet without a level: an ordinary voice.
const UNKNOWN_LEVEL: i8 = -40;
/// RTP clock of Opus.
const TICKS_PER_MS: u64 = 48;
/// The most that an Opus packet holds (RFC 6716): what one brings whose timestamp does not go on from the one before.
const LONGEST_PACKET: Duration = Duration::from_millis(120);
/// The most sound that a listener has waiting: as much as the clients' jitter buffer holds before it gives some up.
const MOST_WAITING: Duration = Duration::from_millis(800);

/// How loud somebody is.
#[derive(Debug, Default)]
pub(crate) struct Loudness {
    /// dB above digital silence (-127 dBov), smoothed.
    smoothed: f32,
    heard: Option<Instant>,
    /// The stream it speaks in, and the newest timestamp of that.
    newest: Option<(u32, u32)>,
    /// How much sound has come that a listener has yet to play; what is as quiet as a pause is none.
    waiting: Duration,
    /// The share of the time that was a pause.
    pauses: f32,
    /// The share of a longer time in which it talked, the pauses between words included.
    talk: f32,
}

/// The share of `window` after a time of which it has been so for `so` first and for `not` then.
fn shared(share: f32, window: Duration, so: Duration, not: Duration) -> f32 {
    let weight = |time: Duration| (time.as_secs_f32() / window.as_secs_f32()).min(1.0);
    (share + weight(so) * (1.0 - share)) * (1.0 - weight(not))
}

impl Loudness {
    /// A packet with this level (RFC 6464, dBov: 0 is the loudest, -127 silence). Returns the level that others may be told:
    /// they show by it who speaks, as slots are given by it here.
    ///
    /// Sound lasts as long as its timestamps say, and only what it leaves of the time gone by is a pause: neither packets
    /// that come many at once nor timestamps that leap make any. What comes late after a stall, which was one itself, takes
    /// of the pauses after it, by [`MOST_WAITING`] at most.
    pub(crate) fn hear(&mut self, now: Instant, ssrc: u32, timestamp: u32, level: Option<i8>) -> Option<i8> {
        let believed = level.unwrap_or(UNKNOWN_LEVEL).clamp(-127, LOUDEST);
        let loudness = 127.0 + f32::from(believed);
        let gap = self.heard.map_or(WINDOW, |heard| now.saturating_duration_since(heard));
        let sounded = gap.min(self.waiting);
        self.waiting -= sounded;
        self.pauses = 1.0 - shared(1.0 - self.pauses, WINDOW, sounded, gap - sounded);
        // Whoever counts as loud when slots are given talks, whatever the packets say of pauses.
        let talks = self.smoothed > 127.0 + f32::from(TALK);
        let talked = if talks { gap.min(sounded + SILENT_AFTER) } else { Duration::ZERO };
        self.talk = shared(self.talk, MINUTE, talked, gap - talked);
        let sound = self.brings(ssrc, timestamp);
        if believed >= QUIET && loudness >= self.smoothed - PAUSE {
            self.waiting = MOST_WAITING.min(self.waiting + sound);
        }
        let weight = if loudness > self.smoothed { ATTACK } else { RELEASE };
        self.smoothed += weight * (loudness - self.smoothed);
        self.heard = Some(now);
        level.map(|_| if self.is_steady() { believed.saturating_sub(STEADY).max(-127) } else { believed })
    }

    /// How much sound a packet brings: with what was lost before it, which is concealed or repeated in it.
    fn brings(&mut self, ssrc: u32, timestamp: u32) -> Duration {
        let before = self.newest.filter(|(stream, _)| *stream == ssrc);
        let step = before.map(|(_, newest)| timestamp.wrapping_sub(newest).cast_signed());
        let far = |step: i32| Duration::from_micros(u64::from(step.unsigned_abs()) * 1_000 / TICKS_PER_MS);
        let step = step.filter(|step| far(*step) < SILENT_AFTER);
        if step.is_some_and(|step| step <= 0) {
            // Overtaken; the one that did so has brought its sound.
            return Duration::ZERO;
        }
        self.newest = Some((ssrc, timestamp));
        step.map_or(LONGEST_PACKET, far)
    }

    /// Whether it is no speech.
    fn is_steady(&self) -> bool {
        self.pauses < PAUSES
    }

    /// dB above digital silence, 0 to 127.
    pub(crate) fn now(&self, now: Instant) -> f32 {
        match self.heard {
            Some(heard) if now.saturating_duration_since(heard) < SILENT_AFTER => {
                let steady = if self.is_steady() { f32::from(STEADY) } else { 0.0 };
                let long = LONG_TALK * ((self.talk - FAIR) / (FULL - FAIR)).clamp(0.0, 1.0);
                (self.smoothed - steady - long).max(0.0)
            }
            Some(_) | None => 0.0,
        }
    }
}

/// Who has a slot and since when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Holder {
    pub(crate) source: LinkId,
    pub(crate) since: Instant,
}

/// Everybody in a call, loudest first.
#[derive(Debug)]
pub(crate) struct Ranking {
    loudest_first: Vec<(LinkId, f32)>,
    loudness: BTreeMap<LinkId, f32>,
}

impl Ranking {
    pub(crate) fn new(loudness: BTreeMap<LinkId, f32>) -> Self {
        let mut loudest_first: Vec<_> = loudness.iter().map(|(id, loudness)| (*id, *loudness)).collect();
        // Stable: equally loud ones stay in the order of their ids, that is, of their coming.
        loudest_first.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self { loudest_first, loudness }
    }

    /// How many voices `listener` could hear.
    pub(crate) fn voices_for(&self, listener: Listener) -> usize {
        self.loudest_first.len() - usize::from(!listener.echo)
    }

    /// How loud a source is for the listener; none for one that it must not hear.
    fn loudness(&self, listener: Listener, source: LinkId) -> Option<f32> {
        if source == LinkId::ECHO && listener.echo {
            return self.loudness.get(&listener.id).copied();
        }
        self.loudness.get(&source).copied().filter(|_| source != listener.id)
    }
}

/// For whom slots are given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listener {
    /// A member of the call.
    pub(crate) id: LinkId,
    /// It hears its own voice too.
    pub(crate) echo: bool,
}

/// Gives the slots of one listener to whom it may hear; whoever has a slot keeps it as long as possible.
/// True when anything changed.
pub(crate) fn assign(
    now: Instant,
    slots: &mut [Option<Holder>],
    listener: Listener,
    ranking: &Ranking,
) -> bool {
    let before: Vec<Option<LinkId>> = slots.iter().map(|slot| slot.map(|h| h.source)).collect();
    for slot in slots.iter_mut() {
        if slot.is_some_and(|holder| ranking.loudness(listener, holder.source).is_none()) {
            *slot = None;
        }
    }

    for (id, loudness) in &ranking.loudest_first {
        let source = match (*id == listener.id, listener.echo) {
            (false, _) => *id,
            (true, true) => LinkId::ECHO,
            (true, false) => continue,
        };
        if slots.iter().flatten().any(|holder| holder.source == source) {
            continue;
        }
        let place = match slots.iter_mut().find(|slot| slot.is_none()) {
            Some(free) => Some(free),
            None => slots
                .iter_mut()
                .filter(|slot| slot.is_some_and(|h| now.saturating_duration_since(h.since) >= HOLD))
                .map(|slot| {
                    let level = slot.and_then(|h| ranking.loudness(listener, h.source)).unwrap_or_default();
                    (slot, level)
                })
                .min_by(|a, b| a.1.total_cmp(&b.1))
                .filter(|(_, level)| *loudness > level + MARGIN)
                .map(|(slot, _)| slot),
        };
        match place {
            Some(slot) => *slot = Some(Holder { source, since: now }),
            // Nobody after this one is louder.
            None => break,
        }
    }
    slots.iter().map(|slot| slot.map(|h| h.source)).ne(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(slots: &[Option<Holder>]) -> Vec<u64> {
        slots.iter().map(|slot| slot.map_or(0, |h| h.source.0)).collect()
    }

    const ME: Listener = Listener { id: LinkId(100), echo: false };

    fn ranking(list: &[(u64, f32)]) -> Ranking {
        let me = (ME.id, 50.0);
        Ranking::new(list.iter().map(|(id, loudness)| (LinkId(*id), *loudness)).chain([me]).collect())
    }

    #[test]
    fn with_room_for_all_everybody_keeps_a_place() {
        let now = Instant::now();
        let mut slots = [None; 3];
        assert!(assign(now, &mut slots, ME, &ranking(&[(5, 0.0), (7, 0.0)])));
        assert_eq!(who(&slots), [5, 7, 0]);
        assert!(assign(now, &mut slots, ME, &ranking(&[(7, 0.0), (9, 99.0)])));
        assert_eq!(who(&slots), [9, 7, 0]);
        assert!(!assign(now, &mut slots, ME, &ranking(&[(7, 80.0), (9, 0.0)])));
    }

    #[test]
    fn the_loudest_are_heard_when_there_are_more() {
        let now = Instant::now();
        let mut slots = [None; 2];
        assign(now, &mut slots, ME, &ranking(&[(1, 10.0), (2, 70.0), (3, 80.0)]));
        assert_eq!(who(&slots), [3, 2]);
        let shout = ranking(&[(1, 90.0), (2, 70.0), (3, 80.0)]);
        assert!(!assign(now + HOLD / 2, &mut slots, ME, &shout), "a place is held for a while");
        assert!(assign(now + HOLD, &mut slots, ME, &shout));
        assert_eq!(who(&slots), [3, 1]);
        let close = ranking(&[(1, 80.0), (2, 84.0), (3, 80.0)]);
        assert!(!assign(now + HOLD * 3, &mut slots, ME, &close), "a little louder is not enough");
    }

    #[test]
    fn the_echo_is_one_more_voice() {
        let now = Instant::now();
        let mut slots = [None; 2];
        let both = ranking(&[(5, 0.0)]);
        let echo = Listener { echo: true, ..ME };
        assert_eq!((both.voices_for(ME), both.voices_for(echo)), (1, 2));
        assign(now, &mut slots, echo, &both);
        assert_eq!(slots.map(|slot| slot.map(|h| h.source)), [Some(LinkId::ECHO), Some(LinkId(5))]);
        assert!(assign(now, &mut slots, ME, &both), "and goes like one");
        assert_eq!(slots.map(|slot| slot.map(|h| h.source)), [None, Some(LinkId(5))]);
    }

    #[test]
    fn a_voice_rises_at_once_and_fades_slowly() {
        let start = Instant::now();
        let mut voice = Loudness::default();
        let mut at = start;
        for n in 0..5 {
            voice.hear(at, 1, n * FRAME, Some(-20));
            at += Duration::from_millis(20);
        }
        assert!(voice.now(at) > 95.0);
        for n in 5..10 {
            voice.hear(at, 1, n * FRAME, Some(-127));
            at += Duration::from_millis(20);
        }
        assert!(voice.now(at) > 80.0, "a breath is no end");
        assert_eq!(voice.now(at + SILENT_AFTER), 0.0);
        at += SILENT_AFTER;
        voice.hear(at, 1, 0, Some(i8::MIN));
        voice.hear(at, 1, 0, Some(i8::MAX));
        assert!((0.0..=127.0).contains(&voice.now(at)));
    }

    const FRAME: u32 = 960;

    /// A packet as it comes: when, in ms, its timestamp and its level.
    type Packet = (u64, u32, i8);

    /// How loud it is after each, and what others are told with it.
    fn hear(packets: impl IntoIterator<Item = Packet>) -> Vec<(f32, i8)> {
        let start = Instant::now();
        let mut voice = Loudness::default();
        let hear = |(at, timestamp, level)| {
            let now = start + Duration::from_millis(at);
            let told = voice.hear(now, 1, timestamp, Some(level)).unwrap();
            (voice.now(now), told)
        };
        packets.into_iter().map(hear).collect()
    }

    /// Packets of 20 ms each, `seconds` long. Timestamps wrap around in the first second.
    fn spoken(seconds: u64, level: impl Fn(u64) -> i8) -> impl Iterator<Item = Packet> {
        let timestamp = |n: u64| (FRAME * n as u32).wrapping_sub(20 * FRAME);
        (0..seconds * 50).map(move |n| (20 * n, timestamp(n), level(n)))
    }

    fn heard_and_told(seconds: u64, level: impl Fn(u64) -> i8) -> Vec<(f32, i8)> {
        hear(spoken(seconds, level))
    }

    /// Words with pauses between them, a fifth of the time.
    fn words(n: u64) -> i8 {
        if n % 100 < 80 { -35 } else { -65 }
    }

    /// How loud it is at the end.
    fn after(seconds: u64, level: impl Fn(u64) -> i8) -> f32 {
        heard_and_told(seconds, level).last().unwrap().0
    }

    #[test]
    fn nobody_shouts_down_the_others_by_saying_so() {
        let liar = after(3, |_| 0);
        assert_eq!(liar, after(3, |_| LOUDEST));
        assert!(liar < after(3, |_| -30) + MARGIN, "a loud voice keeps its slot");
    }

    #[test]
    fn others_are_told_no_more_than_is_believed() {
        let told = |seconds, level: fn(u64) -> i8| heard_and_told(seconds, level).last().unwrap().1;
        assert_eq!(told(1, |_| 0), LOUDEST);
        assert_eq!(told(7, |_| 0), LOUDEST - STEADY);
        assert_eq!(told(1, |_| -60), -60);
        assert_eq!(told(1, |_| i8::MIN), -127);
        assert_eq!(told(7, |_| -120), -120, "whoever listens in a quiet room ...");
        assert_eq!(told(60, |n| if n < 2_999 { -80 } else { -30 }), -30, "... is heard with the first word");
        assert_eq!(told(60, |n| if n % 100 < 80 { -40 } else { -65 }), -65);
        assert_eq!(
            Loudness::default().hear(Instant::now(), 1, 0, None),
            None,
            "what was not said is not made up"
        );
    }

    #[test]
    fn what_never_pauses_is_no_speech() {
        let fan = |_| -35;
        let speech = |n: u64| if n % 100 < 80 { -40 } else { -65 };
        assert!(after(5, fan) > after(5, speech), "it may be a long word");
        assert!(after(7, fan) + MARGIN < after(7, speech), "it is none");
        let begins_to_speak = |n: u64| if n < 400 { -35 } else { speech(n) };
        assert!(after(13, begins_to_speak) > 80.0, "a pause makes it a voice again");
    }

    #[test]
    fn who_forges_pauses_too_has_a_slot_for_a_minute_and_not_longer() {
        // 12 % of pauses, as in speech.
        let liar = |n: u64| if n % 50 < 6 { -127 } else { 0 };
        let loudness = heard_and_told(180, liar);
        let speaks = after(19, words);
        assert!(speaks < loudness[40 * 50].0 + MARGIN, "at first it may be a lecture");
        let late = loudness[100 * 50..].iter().map(|(loudness, _)| *loudness).fold(0.0, f32::max);
        assert!(late + MARGIN < speaks, "{late} against {speaks}");
        assert_eq!(loudness[179 * 50 + 20].1, LOUDEST, "who only talks much is shown as speaking");
    }

    #[test]
    fn who_listens_in_a_noisy_room_has_not_talked() {
        for noise in [-59, -55, -46] {
            let loudness = after(139, |n| if n < 6_000 { noise } else { words(n) });
            assert!((loudness - after(19, words)).abs() < 1.0, "after {noise} dBov: {loudness}");
        }
    }

    #[test]
    fn who_talks_for_less_than_half_of_the_time_is_as_loud_as_at_first() {
        let turns = |n: u64| if n % 1_000 < 450 { words(n) } else { -80 };
        let loudness = heard_and_told(300, turns);
        let (first, last) = (loudness[400].0, loudness[280 * 50 + 400].0);
        assert!((first - last).abs() < 1.0, "{first} and {last}");
        // Without packets there is no voice.
        let loudness = hear(spoken(300, turns).filter(|(at, ..)| at % 20_000 < 9_000));
        let last = loudness[14 * 450 + 400].0;
        assert!((first - last).abs() < 1.0, "{first} and {last}");
    }

    #[test]
    fn a_packet_of_silence_now_and_then_is_no_pause() {
        let speech = |n: u64| if n % 100 < 80 { -40 } else { -65 };
        for (every, packets) in [(250, 1), (50, 1), (250, 4)] {
            let liar = |n: u64| if n % every < packets { -127 } else { 0 };
            let best =
                heard_and_told(30, liar)[500..].iter().map(|(loudness, _)| *loudness).fold(0.0, f32::max);
            assert!(best + MARGIN < after(19, speech), "{packets} of {every}: {best}");
        }
    }

    /// One that says it is [`LOUDEST`], all of whose packets of `every` ms come at once, so much earlier or later by turns.
    fn bursts(seconds: u64, every: u64, jitter: u64) -> impl Iterator<Item = Packet> {
        let packets = every / 20;
        (0..seconds * 1_000 / every * packets).map(move |n| {
            let burst = n / packets;
            (burst * every + burst % 2 * 2 * jitter, FRAME * n as u32, 0)
        })
    }

    /// The most that others were told, and how loud it was, from this second on.
    fn most(seconds: u64, packets: impl IntoIterator<Item = Packet>) -> (f32, i8) {
        let packets: Vec<Packet> = packets.into_iter().collect();
        let from = packets.iter().take_while(|(at, ..)| *at < seconds * 1_000).count();
        let heard = hear(packets);
        let loudness = heard[from..].iter().map(|(loudness, _)| *loudness).fold(0.0, f32::max);
        (loudness, heard[from..].iter().map(|(_, told)| *told).max().unwrap())
    }

    #[test]
    fn who_sends_many_packets_at_once_makes_no_pauses_by_it() {
        let speaks = after(19, words);
        for (every, jitter) in [(401, 0), (401, 10), (440, 10), (500, 0), (810, 0), (800, 30)] {
            let (early, told) = most(10, bursts(20, every, jitter));
            assert!(early + MARGIN < speaks, "{every} ms +- {jitter}: {early} against {speaks}");
            assert_eq!(told, LOUDEST - STEADY);
            let (late, _) = most(100, bursts(180, every, jitter));
            assert!(late < early - LONG_TALK + 1.0, "{every} ms +- {jitter}: {late}");
        }
    }

    #[test]
    fn forged_timestamps_buy_no_pauses() {
        let speaks = after(19, words);
        // All but the last stand as if they had come after a gap, before it, or anywhere.
        type Forge = fn(u64) -> u32;
        let forged: [(&str, Forge); 4] = [
            ("gaps between bursts", |n| (FRAME * n as u32) + n as u32 / 20 * 401 * 48),
            ("leaps", |n| FRAME * 100 * n as u32),
            ("leaps to and fro", |n| FRAME * n as u32 + n as u32 % 2 * 0x4000_0000),
            ("one leap to and fro", |n| FRAME * n as u32 + if n == 9 { 0x4000_0000 } else { 0 }),
        ];
        for (how, timestamp) in forged {
            let forge = |packets: Vec<Packet>| {
                let (loudness, _) = most(
                    10,
                    packets.into_iter().zip(0..).map(|((at, _, level), n)| (at, timestamp(n), level)),
                );
                assert!(loudness + MARGIN < speaks, "{how}: {loudness} against {speaks}");
            };
            forge(spoken(20, |_| 0).collect());
            forge(bursts(20, 401, 0).collect());
        }
        // Those that stand still are played by nobody; they last no longer than forged levels all the same.
        let still =
            |packets: Vec<Packet>| most(100, packets.into_iter().map(|(at, _, level)| (at, 7, level)));
        assert!(still(spoken(180, |_| 0).collect()).0 + MARGIN < speaks);
        assert!(still(bursts(180, 401, 0).collect()).0 + MARGIN < speaks);
    }

    #[test]
    fn who_says_that_most_of_a_burst_is_a_pause_has_a_slot_for_a_minute_and_not_longer() {
        let speaks = after(19, words);
        let quiet =
            |(at, timestamp, _): Packet| (at, timestamp, if timestamp / FRAME % 25 < 22 { -127 } else { 0 });
        let (late, _) = most(100, bursts(180, 500, 0).map(quiet));
        assert!(late + MARGIN < speaks, "{late} against {speaks}");
    }

    #[test]
    fn a_bad_network_makes_no_liar() {
        let told = |packets: Vec<Packet>| {
            let heard = hear(packets);
            let from = heard.len() / 4;
            heard[from..].iter().map(|(_, told)| *told).fold(0, i8::min)
        };
        let expected = told(spoken(40, words).collect());
        assert_eq!(expected, -65, "nothing is taken off");
        let late = |by: fn(u64) -> u64| {
            let mut packets: Vec<Packet> = spoken(40, words).map(|(at, t, l)| (by(at), t, l)).collect();
            packets.sort_by_key(|(at, ..)| *at);
            packets
        };
        assert_eq!(told(late(|at| at.next_multiple_of(100))), expected, "all in heaps of 100 ms");
        assert_eq!(told(late(|at| at + at * 7_919 % 60)), expected, "each by its own");
        assert_eq!(
            told(late(|at| at.max(at / 10_000 * 10_000 + 1_000))),
            expected,
            "with a second of nothing"
        );
        let mut mixed = late(|at| at);
        mixed.chunks_exact_mut(5).for_each(|some| some.swap(1, 3));
        mixed.iter_mut().zip(0..).for_each(|(packet, n)| packet.0 = 20 * n);
        assert_eq!(told(mixed), expected, "out of order");
        let lossy = spoken(40, words).zip(0..).filter(|(_, n)| n * 7_919 % 10 > 2).map(|(packet, _)| packet);
        assert_eq!(told(lossy.collect()), expected, "with losses");
        let unsent = spoken(40, words).filter(|(.., level)| *level > -65).collect();
        assert_eq!(told(unsent), -35, "without the packets of pauses");
        let streams = spoken(40, words).map(|(at, t, level)| (at, t ^ (at as u32 / 5_000) << 24, level));
        assert_eq!(told(streams.collect()), expected, "begun anew now and then");
    }

    #[test]
    fn what_is_lost_was_no_pause() {
        let speaks = after(19, words);
        for (of, kept) in [(10, 9), (10, 7), (2, 1), (17, 1)] {
            let (fan, _) = most(10, spoken(20, |_| -30).filter(|(at, ..)| at / 20 % of < kept));
            assert!(fan + MARGIN < speaks, "{kept} of {of}: {fan}");
        }
    }
}
