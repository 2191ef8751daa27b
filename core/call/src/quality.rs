//! How well a call sounds: a score by the E-model, and warnings that neither flicker nor come late.
//!
//! Once a second the driver tells what it has measured ([`LinkSample`]). Nothing here reads a clock or asks
//! anybody: the same samples give the same warnings, on a phone, in a browser and in a replayed transcript.
//!
//! | warning | raised after | of samples with | cleared after | of samples with |
//! |---|---|---|---|---|
//! | `mos` | 4 | MOS below 3.1 | 4 | MOS of 3.6 or more |
//! | `loss` | 4 | more than 5 % lost, up or down | 4 | less than 2 %, up and down |
//! | `jitter` | 4 | more than 30 ms | 4 | less than 20 ms |
//! | `rtt` | 4 | more than 400 ms | 4 | less than 300 ms |
//! | `oneWayAudio` | 6 | nothing received from members who are not muted, or nothing of ours that arrived | 2 | sound both ways |
//! | `silentMicrophone` | 15 | an open microphone at digital silence | 1 | any sound |
//! | | 60 | the same of one that was heard before in this call | | |
//!
//! A member whose network is gone is not heard either, and no event tells of that before the grace time is over: this warning does.
//! Noise gates give digital silence between words, and people listen; but a headset has a switch.
//!
//! The samples must follow one another without one that says otherwise; between the two limits nothing moves.
//! 30 ms of jitter and 400 ms of round trip are where the field's clients warn (ITU-T G.114: one way above
//! 150 ms is heard, 400 ms is the limit); 3.1 and 3.6 are the edges of G.109's categories. Loss is averaged
//! over about three seconds first, for of the 50 packets of a second single ones say little.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a driver has measured on the media link since it measured last, about a second ago.
/// Whole numbers, so that a transcript replays to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LinkSample {
    /// Milliseconds to the server and back; none while unknown.
    pub rtt_ms: Option<u32>,
    /// Jitter of arrivals (RFC 3550), the worst slot's, milliseconds.
    pub jitter_ms: u32,
    /// Milliseconds that received sound waits to be played, on average.
    pub buffer_ms: u32,
    /// Of 1,000 packets of ours so many did not reach the server lately; none before it has reported.
    pub loss_up_permille: Option<u16>,
    /// Of 1,000 packets meant for us so many did not arrive.
    pub loss_down_permille: u16,
    /// Packets sent.
    pub sent: u32,
    /// Packets received.
    pub received: u32,
    /// The loudest that the microphone heard, -dBov (RFC 6464): 0 is the loudest, 127 digital silence.
    pub level_in: u8,
}

/// What makes a call sound bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Warning {
    /// The whole of it: most people would be dissatisfied.
    Mos,
    /// Packets are lost.
    Loss,
    /// Packets come unevenly.
    Jitter,
    /// The way to the server and back is long: people talk into each other's words.
    Rtt,
    /// Sound passes in one direction only.
    OneWayAudio,
    /// The microphone is open and hears nothing at all: it is switched off, covered or the wrong one.
    SilentMicrophone,
}

/// How the call sounds now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct CallQuality {
    /// 1 (bad) to 5 (best), to be shown as bars: MOS from 3.1, 3.6, 4.0 and 4.2 gives 2, 3, 4 and 5.
    pub score: u8,
    /// Estimated mean opinion score, 1 to 4.5 (ITU-T G.107).
    pub mos: f64,
    /// What is wrong, if anything; in a stable order.
    pub warnings: Vec<Warning>,
}

/// What is heard besides the packets' journey: a frame of 20 ms, Opus's look-ahead, and a device at each end.
const FIXED_DELAY_MS: f64 = 20.0 + 6.5 + 2.0 * 20.0;
/// R without any impairment, all other parameters at their defaults (ITU-T G.107, table 3).
const BEST_R: f64 = 93.2;
/// Robustness of Opus with in-band FEC and concealment against random loss. G.113 has no value for Opus. This
/// one fits PESQ-WB of libopus 1.6 at 32 kb/s with FEC (3.7, 3.3 and 2.9 at 5, 10 and 20 % loss) on the careful side.
const OPUS_BPL: f64 = 20.0;

/// The transmission rating R of the E-model, 0 to 93.2, in its usual short form
/// `R = 93.2 - Id - Ie,eff` (ITU-T G.107 section 7; Cole and Rosenbluth, "Voice over IP performance
/// monitoring", 2001, for `Id`). `delay_ms` is from mouth to ear, `loss` 0 to 1.
fn rating(delay_ms: f64, loss: f64) -> f64 {
    let talk_over = (delay_ms - 177.3).max(0.0);
    let delay_impairment = 0.024 * delay_ms + 0.11 * talk_over;
    let loss = 100.0 * loss;
    // G.107 equation 7-29 with Ie = 0 (Opus as we use it is as good as G.711) and BurstR = 1.
    let loss_impairment = 95.0 * loss / (loss + OPUS_BPL);
    (BEST_R - delay_impairment - loss_impairment).clamp(0.0, BEST_R)
}

/// The mean opinion score of R (ITU-T G.107, annex B).
fn opinion(r: f64) -> f64 {
    if r <= 0.0 {
        return 1.0;
    }
    // The polynomial dips below 1 near 0.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

/// The mean opinion score that `sample` alone lets expect, 1 to 4.5.
#[must_use]
pub fn mos(sample: &LinkSample) -> f64 {
    let loss = sample.loss_up_permille.unwrap_or(0).max(sample.loss_down_permille);
    estimate(sample, f64::from(loss) / 1000.0)
}

/// The worse direction counts: it takes two to talk. Of the others' way to the server nothing is known; it is taken to be like ours.
fn estimate(sample: &LinkSample, loss: f64) -> f64 {
    let buffer = sample.buffer_ms.max(sample.jitter_ms.saturating_mul(2));
    let delay = FIXED_DELAY_MS + f64::from(sample.rtt_ms.unwrap_or(0)) + f64::from(buffer);
    opinion(rating(delay, loss))
}

/// Bars of a MOS. Three and two begin with G.109's categories medium and low; above, where G.109 sets its steps for
/// wires, five are what an ordinary good network gives.
fn bars(mos: f64) -> u8 {
    match mos {
        m if m >= 4.20 => 5,
        m if m >= 4.00 => 4,
        m if m >= 3.60 => 3,
        m if m >= 3.10 => 2,
        _ => 1,
    }
}

/// What one sample says about one warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Bad,
    Good,
    /// Between the limits: a reason for no change.
    Between,
}

impl Verdict {
    fn of(bad: bool, good: bool) -> Self {
        match (bad, good) {
            (true, _) => Self::Bad,
            (false, true) => Self::Good,
            (false, false) => Self::Between,
        }
    }
}

/// One warning with its hysteresis.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Gauge {
    raised: bool,
    /// Samples in a row that speak for a change.
    run: u8,
}

impl Gauge {
    fn feed(&mut self, verdict: Verdict, raise_after: u8, clear_after: u8) {
        let (change, needed) = match self.raised {
            false => (verdict == Verdict::Bad, raise_after),
            true => (verdict == Verdict::Good, clear_after),
        };
        self.run = if change { self.run.saturating_add(1) } else { 0 };
        if self.run >= needed {
            *self = Self { raised: !self.raised, run: 0 };
        }
    }
}

/// The warnings in the order in which they are told, with what raises and clears them.
const WARNINGS: [(Warning, u8, u8); 6] = [
    (Warning::Mos, 4, 4),
    (Warning::Loss, 4, 4),
    (Warning::Jitter, 4, 4),
    (Warning::Rtt, 4, 4),
    (Warning::OneWayAudio, 6, 2),
    (Warning::SilentMicrophone, 15, 1),
];

/// Samples of digital silence that raise the warning of a microphone that has been heard.
const LISTENS: u8 = 60;
/// Samples in a row that move the bars; the first sample sets them.
const BARS_AFTER: u8 = 3;
/// How much a new sample counts in what is averaged.
const WEIGHT: f64 = 0.3;
/// Between two `CallQuality`.
const TELL_MS: u64 = 1_000;

/// Where a warning is raised and where it is cleared.
pub(crate) struct Limit {
    raise: f64,
    pub(crate) clear: f64,
}

pub(crate) const MOS: Limit = Limit { raise: 3.1, clear: 3.6 };
/// 0 to 1.
pub(crate) const LOSS: Limit = Limit { raise: 0.05, clear: 0.02 };
pub(crate) const JITTER_MS: Limit = Limit { raise: 30.0, clear: 20.0 };
pub(crate) const RTT_MS: Limit = Limit { raise: 400.0, clear: 300.0 };

impl Limit {
    /// Where less is better.
    fn above(&self, value: f64) -> Verdict {
        Verdict::of(value > self.raise, value < self.clear)
    }

    /// Where more is better.
    fn below(&self, value: f64) -> Verdict {
        Verdict::of(value < self.raise, value >= self.clear)
    }
}

/// What the call itself says about what should be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The person's sound is to be sent.
    pub(crate) sending: bool,
    /// Somebody else is joined and not muted.
    pub(crate) hearing: bool,
}

/// How the running call sounds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Quality {
    /// Averages of loss, 0 to 1, and of the MOS; none before the first sample.
    average: Option<Average>,
    score: u8,
    /// Samples in a row whose bars are others than `score`.
    moves: u8,
    /// The microphone has given something else than digital silence.
    hears: bool,
    gauges: [Gauge; WARNINGS.len()],
    told: Option<(Timestamp, CallQuality)>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Average {
    up: f64,
    down: f64,
    mos: f64,
}

impl Quality {
    /// Takes a sample; gives what the app is to be told, if anything has changed.
    pub(crate) fn sample(
        &mut self,
        now: Timestamp,
        sample: &LinkSample,
        expected: Expected,
    ) -> Option<CallQuality> {
        let average = self.average(sample);
        self.move_bars(bars(average.mos));
        self.hears |= sample.level_in < SILENCE;
        let verdicts = WARNINGS
            .map(|(warning, raise, _)| (self.judge(warning, sample, expected), self.raise(warning, raise)));
        for ((gauge, (_, _, clear)), (verdict, raise)) in self.gauges.iter_mut().zip(WARNINGS).zip(verdicts) {
            gauge.feed(verdict, raise, clear);
        }
        self.tell(now)
    }

    /// After how many samples a warning is raised, if usually after so many.
    fn raise(&self, warning: Warning, usually: u8) -> u8 {
        match warning {
            Warning::SilentMicrophone if self.hears => LISTENS,
            Warning::SilentMicrophone
            | Warning::Mos
            | Warning::Loss
            | Warning::Jitter
            | Warning::Rtt
            | Warning::OneWayAudio => usually,
        }
    }

    fn judge(&self, warning: Warning, sample: &LinkSample, expected: Expected) -> Verdict {
        let Some(average) = self.average else { return Verdict::Between };
        match warning {
            Warning::Mos => MOS.below(average.mos),
            Warning::Loss => LOSS.above(average.up.max(average.down)),
            Warning::Jitter => JITTER_MS.above(f64::from(sample.jitter_ms)),
            Warning::Rtt => sample.rtt_ms.map_or(Verdict::Between, |rtt| RTT_MS.above(f64::from(rtt))),
            Warning::OneWayAudio => {
                let deaf = expected.hearing && sample.received == 0;
                // RTCP's loss is a byte's fraction and may stop short of the whole.
                let lost = sample.loss_up_permille.is_none_or(|lost| lost >= 950);
                let mute = expected.sending && sample.sent > 0 && lost;
                Verdict::of(deaf || mute, true)
            }
            Warning::SilentMicrophone => Verdict::of(expected.sending && sample.level_in >= SILENCE, true),
        }
    }

    /// What was told last.
    pub(crate) fn told(&self) -> Option<&CallQuality> {
        self.told.as_ref().map(|(_, quality)| quality)
    }

    fn average(&mut self, sample: &LinkSample) -> Average {
        let share = |permille: u16| f64::from(permille.min(1000)) / 1000.0;
        let up = share(sample.loss_up_permille.unwrap_or(0));
        let down = share(sample.loss_down_permille);
        let before = self.average.unwrap_or(Average { up, down, mos: estimate(sample, up.max(down)) });
        let mix = |before: f64, new: f64| before + WEIGHT * (new - before);
        let (up, down) = (mix(before.up, up), mix(before.down, down));
        let average = Average { up, down, mos: mix(before.mos, estimate(sample, up.max(down))) };
        self.average = Some(average);
        average
    }

    fn move_bars(&mut self, bars: u8) {
        self.moves = if bars == self.score { 0 } else { self.moves.saturating_add(1) };
        if self.score == 0 || self.moves >= BARS_AFTER {
            (self.score, self.moves) = (bars, 0);
        }
    }

    fn tell(&mut self, now: Timestamp) -> Option<CallQuality> {
        let mos = (self.average?.mos * 100.0).round() / 100.0;
        let raised = self.gauges.iter().zip(WARNINGS).filter(|(gauge, _)| gauge.raised);
        let warnings: Vec<Warning> = raised.map(|(_, (warning, _, _))| warning).collect();
        let quality = CallQuality { score: self.score, mos, warnings };
        if let Some((at, told)) = &self.told
            && (now.since(*at) < TELL_MS
                || (told.score == quality.score && told.warnings == quality.warnings))
        {
            return None;
        }
        self.told = Some((now, quality.clone()));
        Some(quality)
    }
}

/// Digital silence, -dBov.
pub(crate) const SILENCE: u8 = 127;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: Expected = Expected { sending: true, hearing: true };

    fn good() -> LinkSample {
        LinkSample {
            rtt_ms: Some(20),
            jitter_ms: 2,
            buffer_ms: 30,
            loss_up_permille: Some(0),
            loss_down_permille: 0,
            sent: 50,
            received: 50,
            level_in: 40,
        }
    }

    /// Feeds a sample a second; gives the second of each event from 1, with its warnings.
    struct Line {
        quality: Quality,
        second: u64,
    }

    impl Line {
        fn new() -> Self {
            Self { quality: Quality::default(), second: 0 }
        }

        fn feed(
            &mut self,
            sample: LinkSample,
            times: u32,
            expected: Expected,
        ) -> Vec<(u64, u8, Vec<Warning>)> {
            let mut told = Vec::new();
            for _ in 0..times {
                self.second += 1;
                let now = Timestamp(1_000 * self.second);
                if let Some(q) = self.quality.sample(now, &sample, expected) {
                    told.push((self.second, q.score, q.warnings));
                }
            }
            told
        }

        fn warnings(&self) -> Vec<Warning> {
            self.quality.told().map(|q| q.warnings.clone()).unwrap_or_default()
        }
    }

    #[test]
    fn opinions_are_those_of_g_107_and_g_109() {
        // G.107 annex B's curve as G.109 tabulates it, and the default R.
        for (r, mos) in
            [(93.2, 4.41), (90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58), (0.0, 1.0)]
        {
            assert!((opinion(r) - mos).abs() < 0.01, "R {r}: {} is not {mos}", opinion(r));
        }
        assert!((opinion(2.0) - 1.0).abs() < 1e-9, "the polynomial's dip");
    }

    #[test]
    fn delay_is_impaired_as_cole_and_rosenbluth_have_it() {
        for (delay, r) in
            [(0.0, 93.2), (100.0, 90.8), (177.3, 88.9448), (200.0, 85.903), (300.0, 72.503), (400.0, 59.103)]
        {
            assert!((rating(delay, 0.0) - r).abs() < 1e-9, "{delay} ms: {}", rating(delay, 0.0));
        }
    }

    #[test]
    fn loss_is_impaired_as_g_107_has_it() {
        // Ie,eff = 95 * Ppl / (Ppl + Bpl): half of it where Ppl = Bpl.
        for (loss, r) in [(0.05, 74.2), (0.10, 61.533), (0.20, 45.7)] {
            assert!((rating(0.0, loss) - r).abs() < 0.01, "{loss}: {}", rating(0.0, loss));
        }
    }

    #[test]
    fn a_good_call_has_five_bars_and_they_fall_with_what_is_wrong() {
        let bars_of = |sample: LinkSample| bars(mos(&sample));
        assert_eq!(bars_of(good()), 5);
        assert_eq!(bars_of(LinkSample { rtt_ms: Some(150), ..good() }), 4);
        assert_eq!(bars_of(LinkSample { loss_down_permille: 50, ..good() }), 3);
        assert_eq!(bars_of(LinkSample { loss_up_permille: Some(90), ..good() }), 2);
        assert_eq!(bars_of(LinkSample { rtt_ms: Some(400), ..good() }), 1);
        assert_eq!(bars_of(LinkSample { loss_down_permille: 300, ..good() }), 1);
    }

    #[test]
    fn nothing_is_told_again_that_has_not_changed() {
        let mut line = Line::new();
        assert_eq!(line.feed(good(), 100, BOTH), [(1, 5, vec![])]);
    }

    #[test]
    fn a_warning_comes_after_four_bad_samples_and_goes_after_four_good_ones() {
        let mut line = Line::new();
        let _first = line.feed(good(), 10, BOTH);
        let far = LinkSample { rtt_ms: Some(410), ..good() };
        assert!(!line.feed(far, 3, BOTH).iter().any(|(_, _, w)| w.contains(&Warning::Rtt)));
        line.feed(far, 1, BOTH);
        assert!(line.warnings().contains(&Warning::Rtt));
        line.feed(LinkSample { rtt_ms: Some(350), ..good() }, 100, BOTH);
        assert!(line.warnings().contains(&Warning::Rtt), "between the limits nothing moves");
        line.feed(good(), 3, BOTH);
        assert!(line.warnings().contains(&Warning::Rtt));
        line.feed(good(), 1, BOTH);
        assert!(!line.warnings().contains(&Warning::Rtt));
    }

    #[test]
    fn jitter_warns() {
        let mut line = Line::new();
        line.feed(LinkSample { jitter_ms: 31, ..good() }, 4, BOTH);
        assert_eq!(line.warnings(), [Warning::Jitter]);
    }

    #[test]
    fn loss_of_either_direction_warns_and_clears() {
        for lossy in [
            LinkSample { loss_up_permille: Some(80), ..good() },
            LinkSample { loss_down_permille: 80, ..good() },
        ] {
            let mut line = Line::new();
            line.feed(good(), 5, BOTH);
            line.feed(lossy, 9, BOTH);
            assert!(line.warnings().contains(&Warning::Loss));
            line.feed(good(), 12, BOTH);
            assert_eq!(line.warnings(), []);
        }
    }

    #[test]
    fn a_single_lost_packet_is_no_loss() {
        let mut line = Line::new();
        for _ in 0..50 {
            line.feed(LinkSample { loss_down_permille: 40, ..good() }, 1, BOTH);
            line.feed(good(), 1, BOTH);
        }
        assert_eq!(line.warnings(), []);
    }

    #[test]
    fn hearing_nothing_is_one_way_unless_the_others_are_muted() {
        let deaf = LinkSample { received: 0, ..good() };
        let mut line = Line::new();
        line.feed(deaf, 60, Expected { hearing: false, ..BOTH });
        assert_eq!(line.warnings(), []);
        line.feed(deaf, 5, BOTH);
        assert_eq!(line.warnings(), []);
        line.feed(deaf, 1, BOTH);
        assert_eq!(line.warnings(), [Warning::OneWayAudio]);
        line.feed(good(), 2, BOTH);
        assert_eq!(line.warnings(), []);
    }

    #[test]
    fn what_the_server_never_reports_is_one_way() {
        let unheard = LinkSample { loss_up_permille: None, ..good() };
        let mut line = Line::new();
        line.feed(LinkSample { sent: 0, ..unheard }, 60, Expected { sending: false, ..BOTH });
        assert_eq!(line.warnings(), []);
        line.feed(unheard, 6, BOTH);
        assert_eq!(line.warnings(), [Warning::OneWayAudio]);
    }

    #[test]
    fn a_silent_microphone_warns_after_fifteen_seconds_and_never_while_muted() {
        let silent = LinkSample { level_in: 127, ..good() };
        let mut line = Line::new();
        line.feed(silent, 60, Expected { sending: false, ..BOTH });
        line.feed(silent, 14, BOTH);
        assert_eq!(line.warnings(), []);
        line.feed(silent, 1, BOTH);
        assert_eq!(line.warnings(), [Warning::SilentMicrophone]);
        line.feed(LinkSample { level_in: 90, ..good() }, 1, BOTH);
        assert_eq!(line.warnings(), []);
    }

    #[test]
    fn whoever_only_listens_behind_a_noise_gate_has_a_microphone() {
        let silent = LinkSample { level_in: 127, ..good() };
        let mut line = Line::new();
        line.feed(good(), 1, BOTH);
        line.feed(silent, 59, BOTH);
        line.feed(good(), 1, BOTH);
        line.feed(silent, 59, BOTH);
        assert_eq!(line.warnings(), []);
        line.feed(silent, 1, BOTH);
        assert_eq!(line.warnings(), [Warning::SilentMicrophone], "the headset's switch");
    }

    #[test]
    fn it_is_told_once_a_second_at_most_and_not_forgotten() {
        let mut quality = Quality::default();
        assert!(quality.sample(Timestamp(0), &good(), BOTH).is_some());
        let lossy = LinkSample { loss_down_permille: 500, ..good() };
        for n in 1..10 {
            assert_eq!(quality.sample(Timestamp(100 * n), &lossy, BOTH), None);
        }
        let told = quality.sample(Timestamp(1_000), &lossy, BOTH).expect("a change");
        assert_eq!((told.score, told.warnings), (1, vec![Warning::Mos, Warning::Loss]));
    }

    fn sample() -> impl Strategy<Value = LinkSample> {
        let edge = |values: &'static [u32]| proptest::sample::select(values);
        (
            proptest::option::of(edge(&[0, 20, 299, 300, 400, 401, u32::MAX])),
            edge(&[0, 19, 20, 30, 31, u32::MAX]),
            proptest::option::of(edge(&[0, 19, 20, 50, 949, 950, 1000, 65_535])),
            edge(&[0, 19, 20, 50, 1000, 65_535]),
            edge(&[0, 1, 50]),
            edge(&[0, 1, 50]),
            edge(&[0, 126, 127, 255]),
        )
            .prop_map(|(rtt_ms, jitter_ms, up, down, sent, received, level)| LinkSample {
                rtt_ms,
                jitter_ms,
                buffer_ms: jitter_ms,
                loss_up_permille: up.map(|up| up as u16),
                loss_down_permille: down as u16,
                sent,
                received,
                level_in: level as u8,
            })
    }

    fn expected() -> impl Strategy<Value = Expected> {
        (any::<bool>(), any::<bool>()).prop_map(|(sending, hearing)| Expected { sending, hearing })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        /// However the samples come: the score is sane, nothing is told twice or too often, and a warning
        /// comes and goes only after as many samples in a row as the table says.
        #[test]
        fn whatever_the_samples(steps in proptest::collection::vec((sample(), expected(), 300..2_000_u64), 1..120)) {
            let mut quality = Quality::default();
            let (mut now, mut told_at, mut last) = (0, None, None);
            let mut runs = [(0_u8, 0_u8); WARNINGS.len()];
            let mut before = [false; WARNINGS.len()];
            for (sample, expected, wait) in steps {
                now += wait;
                let told = quality.sample(Timestamp(now), &sample, expected);
                let average = quality.average.unwrap();
                prop_assert!((1.0..=4.5).contains(&average.mos) && (1..=5).contains(&quality.score));
                for (i, (warning, raise, clear)) in WARNINGS.into_iter().enumerate() {
                    let raise = quality.raise(warning, raise);
                    let (bad, good) = &mut runs[i];
                    match quality.judge(warning, &sample, expected) {
                        Verdict::Bad => (*bad, *good) = (bad.saturating_add(1), 0),
                        Verdict::Good => (*bad, *good) = (0, good.saturating_add(1)),
                        Verdict::Between => (*bad, *good) = (0, 0),
                    }
                    let raised = quality.gauges[i].raised;
                    match (before[i], raised) {
                        (false, true) => prop_assert!(*bad >= raise),
                        (true, false) => prop_assert!(*good >= clear),
                        (false, false) => prop_assert!(*bad < raise),
                        (true, true) => prop_assert!(*good < clear),
                    }
                    before[i] = raised;
                }
                if let Some(told) = told {
                    prop_assert!(told_at.is_none_or(|at| now - at >= TELL_MS));
                    prop_assert_ne!(Some((told.score, told.warnings.clone())), last);
                    (told_at, last) = (Some(now), Some((told.score, told.warnings)));
                }
            }
        }

        /// More delay or more loss never sounds better.
        #[test]
        fn worse_is_never_better(delay in 0.0..2_000.0, more in 0.0..500.0, loss in 0.0..1.0_f64, worse in 0.0..1.0_f64) {
            let best = opinion(rating(delay, loss));
            prop_assert!(opinion(rating(delay + more, loss)) <= best + 1e-9);
            prop_assert!(opinion(rating(delay, loss.max(worse))) <= best + 1e-9);
        }
    }
}
