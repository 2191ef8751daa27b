//! Opus (RFC 6716) as calls need it: 48 kHz, mono, 20 ms, in-band FEC when the network loses packets.

use std::time::{Duration, Instant};

use opus::{Application, Bitrate, Channels, Signal};

use crate::{FRAME, SAMPLE_RATE};

/// Bits per second of the encoder, on average.
const BITRATE: i32 = 32_000;
/// 1275 is the most that one Opus frame can be (RFC 6716 section 3.2.1).
const MAX_PACKET: usize = 1275;
/// libopus's effort, 0 to 10. 9 costs a phone of ten years ago a few per cent of a core; 32-bit ones get less to do.
const COMPLEXITY: i32 = if cfg!(target_pointer_width = "64") { 9 } else { 5 };

/// Encodes frames and turns FEC on and off.
#[derive(Debug)]
pub(crate) struct Encoder {
    opus: opus::Encoder,
    fec: Fec,
    packet: [u8; MAX_PACKET],
}

impl Encoder {
    pub(crate) fn new() -> Result<Self, opus::Error> {
        let mut opus = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
        opus.set_bitrate(Bitrate::Bits(BITRATE))?;
        opus.set_vbr(true)?;
        opus.set_complexity(COMPLEXITY)?;
        opus.set_signal(Signal::Voice)?;
        opus.set_dtx(false)?;
        Ok(Self { opus, fec: Fec::default(), packet: [0; MAX_PACKET] })
    }

    /// Encodes one frame of [`FRAME`] samples.
    pub(crate) fn encode(&mut self, frame: &[f32]) -> Result<Vec<u8>, opus::Error> {
        debug_assert_eq!(frame.len(), FRAME);
        let length = self.opus.encode_float(frame, &mut self.packet)?;
        Ok(self.packet[..length].to_vec())
    }

    /// Forgets what was encoded: nothing from before a pause may sound in what comes after.
    pub(crate) fn restart(&mut self) -> Result<(), opus::Error> {
        self.opus.reset_state()
    }

    /// The other end says that it lost this share, 0 to 1.
    pub(crate) fn loss(&mut self, now: Instant, fraction: f32) -> Result<(), opus::Error> {
        if let Some(told) = self.fec.report(now, fraction) {
            self.opus.set_inband_fec(told > 0)?;
            self.opus.set_packet_loss_perc(told)?;
        }
        Ok(())
    }

    pub(crate) const fn fec_on(&self) -> bool {
        self.fec.told > 0
    }
}

/// Decides what loss the encoder is told of, in per cent; 0 is no FEC.
#[derive(Debug, Default)]
struct Fec {
    told: i32,
    clean_since: Option<Instant>,
}

impl Fec {
    /// From here on FEC is worth its bits.
    const ON: f32 = 0.02;
    /// Below this the network is clean.
    const CLEAN: f32 = 0.005;
    /// So long it must be clean for FEC to go.
    const CLEAN_FOR: Duration = Duration::from_secs(10);
    /// libopus spends next to nothing on FEC when it is told less.
    const TOLD_MIN: i32 = 10;
    /// More would starve the first copy.
    const TOLD_MAX: i32 = 30;

    /// What to tell the encoder, where that changes.
    fn report(&mut self, now: Instant, fraction: f32) -> Option<i32> {
        // NaN counts as clean.
        let fraction = fraction.clamp(0.0, 1.0);
        let told = if fraction >= Self::ON {
            self.clean_since = None;
            ((fraction * 100.0).round() as i32).clamp(Self::TOLD_MIN, Self::TOLD_MAX)
        } else if self.told > 0 && fraction >= Self::CLEAN {
            self.clean_since = None;
            Self::TOLD_MIN
        } else if self.told > 0 {
            let since = *self.clean_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= Self::CLEAN_FOR { 0 } else { Self::TOLD_MIN }
        } else {
            0
        };
        let changed = told != self.told;
        self.told = told;
        changed.then_some(told)
    }
}

/// Decodes packets and conceals missing ones.
#[derive(Debug)]
pub(crate) struct Decoder {
    opus: opus::Decoder,
    out: Vec<f32>,
}

impl Decoder {
    /// 120 ms, the longest packet (RFC 6716 section 3.2.5).
    pub(crate) const LONGEST: usize = 5760;

    pub(crate) fn new() -> Result<Self, opus::Error> {
        let opus = opus::Decoder::new(SAMPLE_RATE, Channels::Mono)?;
        Ok(Self { opus, out: vec![0.0; Self::LONGEST] })
    }

    /// The sound of a packet.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> Result<&mut [f32], opus::Error> {
        let length = self.opus.decode_float(packet, &mut self.out, false)?;
        Ok(&mut self.out[..length])
    }

    /// What is likely to have been in the `samples` (a multiple of 120, at most [`Self::LONGEST`]) that are missing.
    pub(crate) fn conceal(&mut self, samples: usize) -> Result<&mut [f32], opus::Error> {
        let length = self.opus.decode_float(&[], &mut self.out[..samples], false)?;
        Ok(&mut self.out[..length])
    }

    /// The `samples` right before `packet`, from the FEC in it; concealed where it has none.
    pub(crate) fn restore(&mut self, packet: &[u8], samples: usize) -> Result<&mut [f32], opus::Error> {
        let length = self.opus.decode_float(packet, &mut self.out[..samples], true)?;
        Ok(&mut self.out[..length])
    }

    /// Forgets the sound before.
    pub(crate) fn restart(&mut self) {
        if let Err(why) = self.opus.reset_state() {
            log::warn!("Opus decoder does not restart: {why}");
        }
    }
}

/// Samples at 48 kHz in a packet; `None` where it is no Opus.
pub(crate) fn duration(packet: &[u8]) -> Option<usize> {
    let samples = opus::packet::get_nb_samples(packet, SAMPLE_RATE).ok()?;
    (1..=Decoder::LONGEST).contains(&samples).then_some(samples)
}

/// Whether a packet carries the one before it once more (LBRR, RFC 6716 section 4.2.4): the flag follows the voice
/// activity bits at the head of the first SILK frame.
pub(crate) fn has_fec(packet: &[u8]) -> bool {
    let &[toc, first, ..] = packet else { return false };
    let config = toc >> 3;
    let one_frame = toc & 3 == 0;
    let silk_frames = match config {
        0..=11 => [1, 1, 2, 3][usize::from(config & 3)],
        12..=15 => 1,
        _ => return false,
    };
    one_frame && first >> (7 - silk_frames) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal;

    #[test]
    fn fec_comes_at_once_and_goes_late() {
        let t = Instant::now();
        let s = |s| t + Duration::from_secs(s);
        let mut fec = Fec::default();
        assert_eq!(fec.report(s(0), 0.0), None);
        assert_eq!(fec.report(s(1), 0.01), None);
        assert_eq!(fec.report(s(2), 0.03), Some(10), "never told less than 10 %");
        assert_eq!(fec.report(s(3), 0.2), Some(20));
        assert_eq!(fec.report(s(4), 0.9), Some(30));
        assert_eq!(fec.report(s(5), 0.0), Some(10));
        assert_eq!(fec.report(s(14), 0.0), None);
        assert_eq!(fec.report(s(14), 0.01), None, "not clean: the wait starts over");
        assert_eq!(fec.report(s(16), 0.0), None);
        assert_eq!(fec.report(s(25), f32::NAN), None);
        assert_eq!(fec.report(s(26), 0.0), Some(0));
    }

    #[test]
    fn speech_survives_the_round_trip() {
        let speech = signal::speech(3.0);
        let mut encoder = Encoder::new().unwrap();
        let mut decoder = Decoder::new().unwrap();
        let (mut bytes, mut heard) = (0, Vec::new());
        for frame in speech.chunks_exact(FRAME) {
            let packet = encoder.encode(frame).unwrap();
            bytes += packet.len();
            assert_eq!(duration(&packet), Some(FRAME));
            assert!(!has_fec(&packet));
            heard.extend_from_slice(decoder.decode(&packet).unwrap());
        }
        let kbps = bytes as f32 * 8.0 / 3.0 / 1000.0;
        assert!((15.0..45.0).contains(&kbps), "{kbps} kb/s");
        let (lag, likeness) = signal::best_match(&speech, &heard, 2000);
        assert!(likeness > 0.9, "{likeness}");
        assert!((250..400).contains(&lag), "6.5 ms of look-ahead, {lag} samples");
    }

    #[test]
    fn fec_is_seen_in_packets_where_it_is_on() {
        let speech = signal::speech(2.0);
        let mut encoder = Encoder::new().unwrap();
        encoder.loss(Instant::now(), 0.1).unwrap();
        let with = speech.chunks_exact(FRAME).filter(|f| has_fec(&encoder.encode(f).unwrap())).count();
        assert!(with > 40, "{with} of 100");
        assert!(!has_fec(&[]) && !has_fec(&[0x48]));
        assert_eq!(duration(&[]), None);
    }
}
