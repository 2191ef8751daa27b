//! Signals to test with, and how alike two are.

use crate::SAMPLE_RATE;

/// Something like a voice: a gliding pitch with formants, in syllables with pauses. Never repeats itself, so that its
/// place in a recording is unmistakable.
pub(crate) fn speech(seconds: f32) -> Vec<f32> {
    let rate = SAMPLE_RATE as f32;
    let mut phase = 0.0f32;
    let mut noise = Noise(0x5eed);
    (0..(seconds * rate) as usize)
        .map(|i| {
            let t = i as f32 / rate;
            let pitch = 130.0 + 35.0 * (t * 2.3).sin() + 12.0 * (t * 7.1).sin();
            phase = (phase + pitch / rate).fract();
            let (f1, f2) = (500.0 + 250.0 * (t * 3.7).sin(), 1500.0 + 600.0 * (t * 2.9 + 1.0).sin());
            let voice: f32 = (1..24)
                .map(|h| {
                    let f = pitch * h as f32;
                    let near = |c: f32, w: f32| 1.0 / (1.0 + ((f - c) / w).powi(2));
                    let gain = near(f1, 120.0) + 0.6 * near(f2, 180.0) + 0.15 / h as f32;
                    gain * (std::f32::consts::TAU * phase * h as f32).sin()
                })
                .sum();
            let syllable = (std::f32::consts::PI * t * (3.5 + 0.4 * (t * 0.7).sin())).sin().powi(2);
            let pause = if (t * 0.9).fract() > 0.85 { 0.0 } else { 1.0 };
            0.12 * syllable * pause * voice + 0.0005 * noise.next()
        })
        .collect()
}

/// Deterministic white noise in ±1, and whatever else needs chance.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    /// 0 to 2^32-1.
    pub(crate) fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = ((self.0 >> 18 ^ self.0) >> 27) as u32;
        x.rotate_right((self.0 >> 59) as u32)
    }

    /// -1 to 1.
    pub(crate) fn next(&mut self) -> f32 {
        self.bits() as f32 / u32::MAX as f32 * 2.0 - 1.0
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f32) -> bool {
        (self.bits() as f32 / u32::MAX as f32) < p
    }

    /// 0 to `below`-1.
    pub(crate) fn below(&mut self, below: u32) -> u32 {
        self.bits() % below
    }
}

/// Correlation of `a` with `b` from `lag` on, -1 to 1.
pub(crate) fn likeness(a: &[f32], b: &[f32], lag: usize) -> f32 {
    every(1, a, b, lag)
}

/// [`likeness`], looking at every `step`th sample.
fn every(step: usize, a: &[f32], b: &[f32], lag: usize) -> f32 {
    let (mut xy, mut xx, mut yy) = (0.0f64, 0.0f64, 0.0f64);
    let pairs = a.iter().zip(b.get(lag..).unwrap_or_default());
    for (x, y) in pairs.step_by(step) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
    }
    if xx * yy == 0.0 { 0.0 } else { (xy / (xx * yy).sqrt()) as f32 }
}

/// The lag, 0 to `max`, at which `b` is most like `a`, and how alike they are there.
pub(crate) fn best_match(a: &[f32], b: &[f32], max: usize) -> (usize, f32) {
    let better = |best: (usize, f32), x: (usize, f32)| if x.1 > best.1 { x } else { best };
    let coarse = (0..=max).step_by(4).map(|lag| (lag, every(5, a, b, lag))).fold((0, -1.0), better).0;
    (coarse.saturating_sub(4)..=coarse + 4).map(|lag| (lag, likeness(a, b, lag))).fold((0, -1.0), better)
}
