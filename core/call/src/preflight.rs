//! Would a call work now, and how would it sound? Found out without calling anybody.
//!
//! A preflight makes a media link that belongs to no call: the server sends the person's own sound back on it. First
//! over UDP, then over TCP; the first that comes up is measured. What is heard is not played. Nobody is rung,
//! nobody can see it, and the server keeps nothing of it.

use serde::{Deserialize, Serialize};

use crate::quality::{JITTER_MS, LOSS, Limit, MOS, RTT_MS, SILENCE};
use crate::{CommandId, Generation, LinkSample, Timestamp, mos};

/// What `preflight` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PreflightReport {
    /// A call now would work and sound well: every check is ok, but one of `mediaUdp` and `mediaTcp` suffices.
    pub ok: bool,
    /// Each check once, in the order of [`CheckName`].
    pub checks: Vec<PreflightCheck>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PreflightCheck {
    /// What.
    pub name: CheckName,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, in English, for a person who helps.
    pub detail: String,
    /// The number that was measured, where there is one: milliseconds, 0 to 1 for loss, 1 to 4.5 for the MOS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub value: Option<f64>,
}

/// What a preflight looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// The server knows us and answers; milliseconds.
    Signalling,
    /// The person allows the microphone.
    MicrophonePermission,
    /// The microphone is open and not at digital silence.
    Microphone,
    /// Sound can go over UDP; milliseconds to connect.
    MediaUdp,
    /// Sound can go over TCP, for networks that block UDP; milliseconds to connect.
    MediaTcp,
    /// To the server and back, milliseconds.
    Rtt,
    /// Packets lost, the worse direction, 0 to 1.
    Loss,
    /// Unevenness of arrivals, milliseconds.
    Jitter,
    /// The mean opinion score that a call would have.
    Mos,
}

/// How long a link may take to come up.
const CONNECT_MS: u64 = 8_000;
/// What the first second of a link says is left out: it has begun in the middle.
const SETTLE_MS: u64 = 1_000;

/// What carries the sound of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    Udp,
    Tcp,
}

/// One under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Preflight {
    pub(crate) command: CommandId,
    seconds: u32,
    pub(crate) way: Way,
    pub(crate) generation: Generation,
    /// Links made so far: the wire's link generation.
    pub(crate) links: u32,
    stage: Stage,
    /// When the server was asked first.
    pub(crate) asked: Option<Timestamp>,
    signalling: Option<u64>,
    udp: Option<Found>,
    tcp: Option<Found>,
    broken: Option<String>,
    samples: Vec<LinkSample>,
}

/// Where the link of [`Preflight::way`] stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Stage {
    Making { since: Timestamp },
    Measuring { since: Timestamp },
}

/// Whether a link came up within so many milliseconds, or why not.
type Found = Result<u64, String>;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait on.
    Wait,
    /// Make the other link.
    Other(Way),
    /// All is known.
    Done,
}

impl Preflight {
    /// Its first link, over UDP, is made from `now` on.
    pub(crate) const fn new(
        command: CommandId,
        seconds: u32,
        generation: Generation,
        now: Timestamp,
    ) -> Self {
        Self {
            command,
            seconds,
            way: Way::Udp,
            generation,
            links: 1,
            stage: Stage::Making { since: now },
            asked: None,
            signalling: None,
            udp: None,
            tcp: None,
            broken: None,
            samples: Vec::new(),
        }
    }

    /// Whether the microphone is wanted: until it has been measured.
    pub(crate) fn listens(&self) -> bool {
        match (self.way, self.stage) {
            (Way::Udp, _) | (Way::Tcp, Stage::Measuring { .. }) => true,
            (Way::Tcp, Stage::Making { .. }) => self.samples.is_empty(),
        }
    }

    pub(crate) fn deadline(&self) -> Timestamp {
        match self.stage {
            Stage::Making { since } => since.plus(CONNECT_MS),
            Stage::Measuring { since } => since.plus(SETTLE_MS + 1_000 * u64::from(self.seconds)),
        }
    }

    /// The link that is made next.
    pub(crate) fn make(&mut self, way: Way, generation: Generation, now: Timestamp) {
        self.way = way;
        self.generation = generation;
        self.links += 1;
        self.stage = Stage::Making { since: now };
    }

    pub(crate) fn ask(&mut self, now: Timestamp) {
        self.asked.get_or_insert(now);
    }

    /// The server has answered, whatever it said.
    pub(crate) fn answered(&mut self, now: Timestamp) {
        if let Some(asked) = self.asked {
            self.signalling.get_or_insert(now.since(asked));
        }
    }

    pub(crate) fn connected(&mut self, now: Timestamp) -> Next {
        let Stage::Making { since } = self.stage else { return Next::Wait };
        self.found(Ok(now.since(since)));
        if self.samples.is_empty() {
            self.stage = Stage::Measuring { since: now };
            Next::Wait
        } else {
            self.next()
        }
    }

    pub(crate) fn failed(&mut self, why: &str) -> Next {
        self.found(Err(why.to_owned()));
        self.next()
    }

    pub(crate) fn measured(&mut self, now: Timestamp, sample: LinkSample) {
        match self.stage {
            Stage::Measuring { since } if now.since(since) >= SETTLE_MS => self.samples.push(sample),
            Stage::Measuring { .. } | Stage::Making { .. } => {}
        }
    }

    /// The microphone broke: nothing more can be found out.
    pub(crate) fn microphone_broke(&mut self, why: &str) {
        self.broken = Some(why.to_owned());
    }

    pub(crate) fn expire(&mut self, now: Timestamp) -> Next {
        if now < self.deadline() {
            return Next::Wait;
        }
        match self.stage {
            Stage::Making { .. } => self.failed("no connection within eight seconds"),
            Stage::Measuring { .. } => self.next(),
        }
    }

    fn found(&mut self, found: Found) {
        match self.way {
            Way::Udp => self.udp = Some(found),
            Way::Tcp => self.tcp = Some(found),
        }
    }

    const fn next(&self) -> Next {
        match self.way {
            Way::Udp => Next::Other(Way::Tcp),
            Way::Tcp => Next::Done,
        }
    }

    pub(crate) fn report(&self) -> PreflightReport {
        let signalling = match self.signalling {
            Some(ms) => check(CheckName::Signalling, true, format!("answered in {ms} ms"), Some(ms as f64)),
            None => check(CheckName::Signalling, false, "the server did not answer".to_owned(), None),
        };
        let allowed = check(CheckName::MicrophonePermission, true, "allowed".to_owned(), None);
        let mut checks = vec![
            signalling,
            allowed,
            self.microphone(),
            link(CheckName::MediaUdp, self.udp.as_ref()),
            link(CheckName::MediaTcp, self.tcp.as_ref()),
        ];
        checks.extend(self.sound());
        let ok = |check: &PreflightCheck| match check.name {
            CheckName::MediaUdp | CheckName::MediaTcp => {
                matches!((&self.udp, &self.tcp), (Some(Ok(_)), _) | (_, Some(Ok(_))))
            }
            CheckName::Signalling
            | CheckName::MicrophonePermission
            | CheckName::Microphone
            | CheckName::Rtt
            | CheckName::Loss
            | CheckName::Jitter
            | CheckName::Mos => check.ok,
        };
        PreflightReport { ok: checks.iter().all(ok), checks }
    }

    fn microphone(&self) -> PreflightCheck {
        let (ok, detail) = match (&self.broken, self.samples.iter().map(|s| s.level_in).min()) {
            (Some(why), _) => (false, format!("can't be opened: {why}")),
            (None, None) => (false, "not tested: no link to send its sound on".to_owned()),
            (None, Some(SILENCE..)) => (false, "open, but all it gives is digital silence".to_owned()),
            (None, Some(level)) => (true, format!("hears something, -{level} dB at the loudest")),
        };
        check(CheckName::Microphone, ok, detail, None)
    }

    /// What was measured on the link; the same limits as those below which a call's warnings are cleared.
    fn sound(&self) -> [PreflightCheck; 4] {
        use CheckName::{Jitter, Loss, Mos, Rtt};
        let names = [Rtt, Loss, Jitter, Mos];
        if self.samples.is_empty() {
            return names.map(|name| check(name, false, "not tested: no link".to_owned(), None));
        }
        let total = |of: fn(&LinkSample) -> u32| self.samples.iter().map(|s| u64::from(of(s))).sum::<u64>();
        if total(|s| s.received) == 0 {
            let detail = if total(|s| s.sent) == 0 {
                "nothing was sent"
            } else {
                "nothing of what was sent came back"
            };
            return names.map(|name| check(name, false, detail.to_owned(), None));
        }
        let count = self.samples.len() as f64;
        let mean = |of: fn(&LinkSample) -> f64| self.samples.iter().map(of).sum::<f64>() / count;
        let rtts: Vec<f64> = self.samples.iter().filter_map(|s| s.rtt_ms).map(f64::from).collect();
        let rtt = if rtts.is_empty() {
            check(Rtt, false, "not known".to_owned(), None)
        } else {
            let rtt = (rtts.iter().sum::<f64>() / rtts.len() as f64).round();
            under(Rtt, rtt, &RTT_MS, format!("{rtt} ms to the server and back"))
        };
        let up = mean(|s| f64::from(s.loss_up_permille.unwrap_or(0)) / 1000.0);
        let down = mean(|s| f64::from(s.loss_down_permille) / 1000.0);
        let loss = (1000.0 * up.max(down)).round() / 1000.0;
        let jitter = mean(|s| f64::from(s.jitter_ms)).round();
        let score = (100.0 * mean(mos)).round() / 100.0;
        [
            rtt,
            under(Loss, loss, &LOSS, format!("{:.1} % of the packets are lost", 100.0 * loss)),
            under(Jitter, jitter, &JITTER_MS, format!("{jitter} ms")),
            check(Mos, score >= MOS.clear, format!("{score:.1} of 4.5"), Some(score)),
        ]
    }
}

fn check(name: CheckName, ok: bool, detail: String, value: Option<f64>) -> PreflightCheck {
    PreflightCheck { name, ok, detail, value }
}

fn under(name: CheckName, value: f64, limit: &Limit, detail: String) -> PreflightCheck {
    check(name, value < limit.clear, detail, Some(value))
}

fn link(name: CheckName, found: Option<&Found>) -> PreflightCheck {
    match found {
        None => check(name, false, "not tested".to_owned(), None),
        Some(Err(why)) => check(name, false, why.clone(), None),
        Some(Ok(ms)) => check(name, true, format!("connected in {ms} ms"), Some(*ms as f64)),
    }
}

/// The server's answer with only those of its addresses that `way` leads to; none where there is none.
/// This is all it takes to test one way: both kinds of driver go where the answer says.
pub(crate) fn only(way: Way, answer: &str) -> Option<String> {
    let other = |line: &str| {
        let transport = line.strip_prefix("a=candidate:").and_then(|c| c.split_ascii_whitespace().nth(2));
        transport.map(|transport| {
            transport.eq_ignore_ascii_case(match way {
                Way::Udp => "udp",
                Way::Tcp => "tcp",
            })
        })
    };
    let lines = answer.split_inclusive('\n');
    let leads = lines.clone().any(|line| other(line) == Some(true));
    leads.then(|| lines.filter(|line| other(line) != Some(false)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\na=candidate:1 1 udp 2130706431 10.0.0.1 40000 typ host\r\n\
                          a=candidate:2 1 TCP 1671430143 10.0.0.1 40001 typ host tcptype passive\r\na=end-of-candidates\r\n";

    #[test]
    fn an_answer_is_cut_down_to_one_way() {
        let udp = only(Way::Udp, ANSWER).unwrap();
        assert!(udp.contains(" udp ") && !udp.contains(" TCP ") && udp.ends_with("a=end-of-candidates\r\n"));
        let tcp = only(Way::Tcp, ANSWER).unwrap();
        assert!(tcp.contains(" TCP ") && !tcp.contains(" udp ") && tcp.starts_with("v=0\r\n"));
        assert_eq!(only(Way::Tcp, &udp), None);
    }

    fn sample() -> LinkSample {
        LinkSample {
            rtt_ms: Some(20),
            jitter_ms: 3,
            buffer_ms: 40,
            loss_up_permille: Some(0),
            loss_down_permille: 0,
            sent: 50,
            received: 50,
            level_in: 30,
        }
    }

    /// Both links up, these samples measured on the first.
    fn measured(samples: &[LinkSample]) -> PreflightReport {
        let mut preflight = Preflight::new(1, 5, 1, Timestamp(0));
        preflight.ask(Timestamp(10));
        preflight.answered(Timestamp(22));
        assert_eq!(preflight.connected(Timestamp(100)), Next::Wait);
        preflight.measured(Timestamp(900), LinkSample { level_in: 127, loss_down_permille: 900, ..sample() });
        for (n, sample) in (0..).zip(samples) {
            preflight.measured(Timestamp(1_100 + 1_000 * n), *sample);
        }
        assert_eq!(preflight.deadline(), Timestamp(6_100));
        assert_eq!(preflight.expire(Timestamp(6_099)), Next::Wait);
        assert_eq!(preflight.expire(Timestamp(6_100)), Next::Other(Way::Tcp));
        preflight.make(Way::Tcp, 2, Timestamp(6_100));
        assert_eq!(preflight.listens(), samples.is_empty());
        if preflight.connected(Timestamp(6_200)) == Next::Wait {
            assert_eq!(preflight.expire(preflight.deadline()), Next::Done);
        }
        preflight.report()
    }

    fn not_ok(report: &PreflightReport) -> Vec<CheckName> {
        report.checks.iter().filter(|c| !c.ok).map(|c| c.name).collect()
    }

    #[test]
    fn all_is_well() {
        let report = measured(&[sample(); 5]);
        assert!(report.ok, "{report:?}");
        let names: Vec<_> = report.checks.iter().map(|c| c.name).collect();
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!((names.len(), names), (9, sorted));
        let details: Vec<_> = report.checks.iter().map(|c| c.detail.as_str()).collect();
        assert_eq!(
            details,
            [
                "answered in 12 ms",
                "allowed",
                "hears something, -30 dB at the loudest",
                "connected in 100 ms",
                "connected in 100 ms",
                "20 ms to the server and back",
                "0.0 % of the packets are lost",
                "3 ms",
                "4.3 of 4.5"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        use CheckName::{Jitter, Loss, Microphone, Mos, Rtt};
        for (sample, wrong) in [
            (LinkSample { level_in: 127, ..sample() }, vec![Microphone]),
            (LinkSample { loss_up_permille: Some(30), ..sample() }, vec![Loss]),
            (LinkSample { jitter_ms: 25, ..sample() }, vec![Jitter]),
            (LinkSample { rtt_ms: Some(600), ..sample() }, vec![Rtt, Mos]),
            (LinkSample { rtt_ms: None, ..sample() }, vec![Rtt]),
            (LinkSample { received: 0, ..sample() }, vec![Rtt, Loss, Jitter, Mos]),
        ] {
            let report = measured(&[sample; 5]);
            assert_eq!(not_ok(&report), wrong, "{report:?}");
            assert!(!report.ok);
        }
        assert!(!measured(&[]).ok);
    }

    #[test]
    fn one_way_suffices_and_is_measured() {
        let mut preflight = Preflight::new(1, 5, 1, Timestamp(0));
        preflight.ask(Timestamp(0));
        preflight.answered(Timestamp(5));
        assert_eq!(preflight.expire(Timestamp(8_000)), Next::Other(Way::Tcp));
        preflight.make(Way::Tcp, 2, Timestamp(8_000));
        assert!(preflight.listens());
        assert_eq!(preflight.connected(Timestamp(8_100)), Next::Wait);
        preflight.measured(Timestamp(9_200), sample());
        assert!(preflight.listens());
        assert_eq!(preflight.expire(Timestamp(14_100)), Next::Done);
        let report = preflight.report();
        assert_eq!(not_ok(&report), [CheckName::MediaUdp]);
        assert!(report.ok);
    }

    #[test]
    fn without_any_link() {
        let mut preflight = Preflight::new(1, 5, 1, Timestamp(0));
        assert_eq!(preflight.failed("the server offers no UDP"), Next::Other(Way::Tcp));
        preflight.make(Way::Tcp, 2, Timestamp(0));
        assert_eq!(preflight.failed("no way"), Next::Done);
        let report = preflight.report();
        assert!(!report.ok);
        assert_eq!(report.checks.iter().filter(|c| c.ok).count(), 1, "only the permission: {report:?}");
    }
}
