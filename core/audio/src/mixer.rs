//! Adds voices up without ever exceeding full scale.

/// Turns the sum down when it is too loud, and bends what is still too loud.
#[derive(Debug)]
pub(crate) struct Limiter {
    gain: f32,
}

/// From here on sound is bent; a single voice rarely gets there.
const KNEE: f32 = 0.9;
/// Samples in which the gain may fall from 1 to 0: 5 ms ...
const FALL: f32 = 240.0;
/// ... and rise again: 400 ms.
const RISE: f32 = 19_200.0;

impl Limiter {
    pub(crate) const fn new() -> Self {
        Self { gain: 1.0 }
    }

    /// Brings `sound` into ±1. What stays below [`KNEE`] is left as it is. What is no number becomes silence.
    pub(crate) fn apply(&mut self, sound: &mut [f32]) {
        let peak = sound.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
        let wanted = if peak.is_finite() { (KNEE / peak.max(KNEE)).min(1.0) } else { 1.0 };
        if self.gain == 1.0 && wanted == 1.0 && peak.is_finite() && peak <= KNEE {
            return;
        }
        for sample in sound {
            let step = (wanted - self.gain).clamp(-1.0 / FALL, 1.0 / RISE);
            self.gain += step;
            *sample = bend(*sample * self.gain);
        }
    }
}

/// The identity up to [`KNEE`], then ever flatter towards 1.
fn bend(sample: f32) -> f32 {
    let over = sample.abs() - KNEE;
    if sample.is_nan() {
        0.0
    } else if over <= 0.0 {
        sample
    } else {
        let room = 1.0 - KNEE;
        (KNEE + room * (over / room).tanh()).copysign(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_voice_passes_untouched() {
        let mut limiter = Limiter::new();
        let voice: Vec<f32> = (0..960).map(|i| 0.85 * (i as f32 * 0.05).sin()).collect();
        let mut out = voice.clone();
        limiter.apply(&mut out);
        assert_eq!(out, voice);
    }

    #[test]
    fn eight_loud_voices_saturate_without_wrapping() {
        let mut limiter = Limiter::new();
        let mut last = 0.0f32;
        for block in 0..50 {
            let mut sum: Vec<f32> = (0..240).map(|i| 8.0 * ((block * 240 + i) as f32 * 0.02).sin()).collect();
            let before = sum.clone();
            limiter.apply(&mut sum);
            for (s, b) in sum.iter().zip(&before) {
                assert!(s.abs() <= 1.0);
                assert!(s * b >= 0.0, "never the other sign");
                assert!((s - last).abs() < 0.3, "no step");
                last = *s;
            }
        }
        let mut quiet = vec![0.1; 48_000];
        limiter.apply(&mut quiet);
        assert!((quiet[47_999] - 0.1).abs() < 1e-3, "it lets go");
    }

    #[test]
    fn nonsense_becomes_silence() {
        let mut out = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5];
        Limiter::new().apply(&mut out);
        assert_eq!(out, [0.0, 1.0, -1.0, 0.5]);
    }
}
