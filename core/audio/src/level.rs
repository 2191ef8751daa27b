//! How loud sound is, and whether it is a voice.

use crate::FRAME;

/// Silence in RFC 6464.
pub(crate) const SILENCE: u8 = 127;

/// Level of `samples` in -dBov, 0 (loudest) to 127 (silence), as RFC 6464 wants it.
pub(crate) fn level(samples: &[f32]) -> u8 {
    level_of(energy(samples), samples.len())
}

/// Sum of squares.
pub(crate) fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum()
}

fn level_of(energy: f32, samples: usize) -> u8 {
    let mean = energy / samples.max(1) as f32;
    if mean <= 0.0 {
        return SILENCE;
    }
    (-10.0 * mean.log10()).round().clamp(0.0, f32::from(SILENCE)) as u8
}

/// Says the level of the last 20 ms of a stream that comes in pieces of any size.
#[derive(Debug)]
pub(crate) struct Meter {
    energy: f32,
    samples: usize,
    level: u8,
}

impl Meter {
    pub(crate) const fn new() -> Self {
        Self { energy: 0.0, samples: 0, level: SILENCE }
    }

    pub(crate) fn feed(&mut self, samples: &[f32]) {
        self.energy += energy(samples);
        self.samples += samples.len();
        if self.samples >= FRAME {
            self.level = level_of(self.energy, self.samples);
            (self.energy, self.samples) = (0.0, 0);
        }
    }

    pub(crate) const fn level(&self) -> u8 {
        self.level
    }
}

/// Tells a voice from the noise around it: louder than the noise floor, which it learns.
#[derive(Debug)]
pub(crate) struct Voice {
    /// -dBov.
    floor: f32,
    /// Frames that still count as voice after the last loud one.
    hangover: u8,
}

impl Voice {
    /// A voice stands out by so many dB.
    const ABOVE_FLOOR: f32 = 9.0;
    /// Whatever the floor, this is no voice, -dBov.
    const TOO_QUIET: f32 = 60.0;
    /// 200 ms: the pauses inside a word are part of it.
    const HANGOVER: u8 = 10;

    pub(crate) const fn new() -> Self {
        Self { floor: 60.0, hangover: 0 }
    }

    /// Judges one frame of `level` -dBov.
    pub(crate) fn judge(&mut self, level: u8) -> bool {
        let level = f32::from(level);
        // Falls at once where it gets quieter and creeps up by 5 dB a second: a word is over before.
        self.floor = if level > self.floor { level.min(90.0) } else { (self.floor - 0.1).max(level) };
        if level < Self::TOO_QUIET && level < self.floor - Self::ABOVE_FLOOR {
            self.hangover = Self::HANGOVER;
            return true;
        }
        self.hangover = self.hangover.saturating_sub(1);
        self.hangover > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(amplitude: f32) -> Vec<f32> {
        (0..FRAME).map(|i| amplitude * (i as f32 * 0.1309).sin()).collect()
    }

    #[test]
    fn levels_are_those_of_rfc_6464() {
        assert_eq!(level(&[0.0; FRAME]), 127);
        assert_eq!(level(&[1.0; FRAME]), 0);
        assert_eq!(level(&[2.0; FRAME]), 0);
        assert_eq!(level(&sine(1.0)), 3);
        assert_eq!(level(&sine(0.1)), 23);
        assert_eq!(level(&[]), 127);
    }

    #[test]
    fn a_meter_forgets_what_is_over() {
        let mut meter = Meter::new();
        sine(1.0).chunks(97).for_each(|c| meter.feed(c));
        assert_eq!(meter.level(), 3);
        [0.0; FRAME].chunks(500).for_each(|c| meter.feed(c));
        assert_eq!(meter.level(), 127);
    }

    #[test]
    fn voice_stands_out_of_noise_and_noise_does_not() {
        let mut voice = Voice::new();
        assert!((0..100).all(|_| !voice.judge(127)), "silence");
        assert!(voice.judge(25), "speech at once");
        assert!((0..9).all(|_| voice.judge(70)), "the pause in a word");
        assert!(!voice.judge(70));
        let steady = (0..1500).filter(|_| voice.judge(45)).count();
        assert!(steady < 500, "a fan that was switched on is learnt as noise, {steady}");
        assert!(!voice.judge(45));
        assert!(voice.judge(30));
    }
}
