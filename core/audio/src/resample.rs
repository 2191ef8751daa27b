//! Changes the sample rate for devices and files that are not at 48 kHz.
//!
//! A windowed-sinc interpolator: streaming, any pair of rates, any number of samples at a time, a delay of 16 samples of
//! the lower rate.
//! (Resampler crates work in blocks of a fixed size; beside a jitter buffer that pulls what the device asks for, that
//! would cost more in buffering and code than the filter itself.)

use std::f64::consts::PI;

/// Samples of the lower rate to either side of an output sample.
const HALF: usize = 16;
/// Positions between two input samples for which the filter is tabulated; between them it is interpolated.
const PHASES: usize = 256;
/// Share of the narrower band that is kept.
const CUTOFF: f64 = 0.92;
/// Of the Kaiser window: side lobes below -80 dB.
const BETA: f64 = 8.0;

/// One direction of one device.
#[derive(Debug)]
pub(crate) struct Resampler {
    from: u32,
    to: u32,
    taps: usize,
    /// [`PHASES`] + 1 filters of `taps`.
    table: Vec<f32>,
    /// The last `taps` input samples and those to come.
    input: Vec<f32>,
    /// Where the next output sample lies in `input`, counted from its first window, in units of 1/`to` input samples.
    position: u64,
}

impl Resampler {
    /// From one rate to another; both in samples per second and not 0.
    pub(crate) fn new(from: u32, to: u32) -> Self {
        let (from, to) = (from.max(1), to.max(1));
        let band = CUTOFF * f64::from(to.min(from)) / f64::from(from);
        let half = HALF * (from.div_ceil(to) as usize);
        let taps = 2 * half;
        let mut table = Vec::with_capacity((PHASES + 1) * taps);
        for phase in 0..=PHASES {
            let offset = phase as f64 / PHASES as f64;
            let filter = (0..taps).map(|tap| {
                let x = tap as f64 - (half as f64 - 1.0) - offset;
                sinc(band * x) * kaiser(x / half as f64)
            });
            let sum: f64 = filter.clone().sum();
            table.extend(filter.map(|value| (value / sum) as f32));
        }
        Self { from, to, taps, table, input: vec![0.0; taps - 1], position: 0 }
    }

    pub(crate) const fn rates(&self) -> (u32, u32) {
        (self.from, self.to)
    }

    /// Appends to `out` what follows from `samples`.
    pub(crate) fn process(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.input.extend_from_slice(samples);
        let to = u64::from(self.to);
        loop {
            let start = (self.position / to) as usize;
            let Some(window) = self.input.get(start..start + self.taps) else { break };
            let phase = (self.position % to) as f32 / self.to as f32 * PHASES as f32;
            let (index, weight) = (phase as usize, phase.fract());
            let (a, b) = self.table[index * self.taps..][..2 * self.taps].split_at(self.taps);
            let sum: f32 =
                window.iter().zip(a.iter().zip(b)).map(|(s, (a, b))| s * (a + (b - a) * weight)).sum();
            out.push(sum);
            self.position += u64::from(self.from);
        }
        let used = ((self.position / to) as usize).min(self.input.len());
        self.input.drain(..used);
        self.position -= used as u64 * to;
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The Kaiser window at `x` in ±1.
fn kaiser(x: f64) -> f64 {
    bessel(BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel(BETA)
}

/// The modified Bessel function of order 0.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..32 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hertz: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| (0.5 * (2.0 * PI * hertz * i as f64 / f64::from(rate)).sin()) as f32).collect()
    }

    /// dB of what is not the tone (of any phase and amplitude) in `sound`.
    fn noise(sound: &[f32], rate: u32, hertz: f64) -> (f64, f64) {
        let w = 2.0 * PI * hertz / f64::from(rate);
        let n = sound.len() as f64;
        let (mut s, mut c) = (0.0, 0.0);
        for (i, x) in sound.iter().enumerate() {
            s += f64::from(*x) * (w * i as f64).sin() * 2.0 / n;
            c += f64::from(*x) * (w * i as f64).cos() * 2.0 / n;
        }
        let rest: f64 = sound
            .iter()
            .enumerate()
            .map(|(i, x)| (f64::from(*x) - s * (w * i as f64).sin() - c * (w * i as f64).cos()).powi(2))
            .sum();
        (s.hypot(c), 10.0 * (2.0 * rest / n / (s * s + c * c)).log10())
    }

    #[test]
    fn tones_come_out_clean_at_any_rate_in_odd_pieces() {
        for (from, to) in [
            (44_100, 48_000),
            (48_000, 44_100),
            (16_000, 48_000),
            (48_000, 16_000),
            (8_000, 48_000),
            (96_000, 48_000),
            (22_050, 48_000),
        ] {
            let hertz = 1_000.0;
            let mut resampler = Resampler::new(from, to);
            let mut out = Vec::new();
            for piece in tone(from, hertz, from as usize).chunks(97) {
                resampler.process(piece, &mut out);
            }
            let expected = to as usize;
            assert!(
                out.len().abs_diff(expected) <= 2 * HALF * to.div_ceil(from) as usize + 1,
                "{from} {to} {}",
                out.len()
            );
            // A whole number of periods.
            let (amplitude, noise) = noise(&out[out.len() - to as usize / 2..], to, hertz);
            assert!((amplitude - 0.5).abs() < 0.01 && noise < -60.0, "{from} {to} {amplitude} {noise} dB");
        }
    }

    #[test]
    fn what_the_lower_rate_can_not_hold_is_gone() {
        let mut out = Vec::new();
        Resampler::new(48_000, 16_000).process(&tone(48_000, 11_000.0, 48_000), &mut out);
        assert!(crate::level::level(&out[100..]) > 50);
    }
}
