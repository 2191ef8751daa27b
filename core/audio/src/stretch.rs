//! Makes speech a little shorter or longer without changing its pitch: one period is taken out or put in where the
//! sound is most like itself a period later (WSOLA), with a cross-fade in between.

use crate::level::{energy, level};

/// 2.5 ms: no voice has a shorter period.
pub(crate) const SHORTEST: usize = 120;
/// 15 ms: the longest period of a low voice.
pub(crate) const LONGEST: usize = 720;
/// Length of the cross-fade, 5 ms.
const FADE: usize = 240;
/// The first search looks at every fourth sample.
const COARSE: usize = 4;
/// Which sound may be stretched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Care {
    /// Likeness to itself a period later, -1 to 1, that is needed.
    pub(crate) likeness: f32,
    /// From this level on, -dBov, nobody hears it and anything goes.
    pub(crate) quiet: u8,
}

/// Takes one period of at most `most` samples out of `sound`; how many that were. 0 where the sound does not lend itself
/// to it.
pub(crate) fn shorten(sound: &mut Vec<f32>, most: usize, care: Care) -> usize {
    let Some(period) = period(sound, most, care) else { return 0 };
    let start = sound.len() - period - FADE;
    for i in 0..FADE {
        sound[start + i] = blend(sound[start + i], sound[start + period + i], i);
    }
    sound.drain(start + FADE..start + FADE + period);
    period
}

/// Puts one period of at most `most` samples into `sound`; how many that were. 0 as in [`shorten`].
pub(crate) fn lengthen(sound: &mut Vec<f32>, most: usize, care: Care) -> usize {
    let Some(period) = period(sound, most, care) else { return 0 };
    let start = sound.len() - period - FADE;
    let faded: Vec<f32> = (0..FADE).map(|i| blend(sound[start + period + i], sound[start + i], i)).collect();
    let again = faded.into_iter().chain(sound[start + FADE..].iter().copied()).collect::<Vec<_>>();
    sound.truncate(start + period);
    sound.extend(again);
    period
}

/// `i` of [`FADE`] on the way from `from` to `to`.
fn blend(from: f32, to: f32, i: usize) -> f32 {
    let weight = (i as f32 + 0.5) / FADE as f32;
    from + (to - from) * weight
}

/// After how many samples the end of `sound` is most like itself.
fn period(sound: &[f32], most: usize, care: Care) -> Option<usize> {
    let most = most.min(LONGEST).min(sound.len().checked_sub(FADE)?);
    if most < SHORTEST {
        return None;
    }
    if level(sound) >= care.quiet {
        return Some(most);
    }
    let likeness = |period: usize, step: usize| {
        let early = &sound[sound.len() - period - FADE..];
        let late = &sound[sound.len() - FADE..];
        let dot: f32 = late.iter().step_by(step).zip(early.iter().step_by(step)).map(|(a, b)| a * b).sum();
        let power: f32 = early[..FADE].iter().step_by(step).map(|a| a * a).sum();
        (dot, power)
    };
    let late = energy(&sound[sound.len() - FADE..]);
    let score = |period, step: usize| {
        let (dot, power) = likeness(period, step);
        dot / (power * late / step as f32).sqrt().max(1e-9)
    };
    let best = |candidates: &mut dyn Iterator<Item = usize>, step| {
        candidates.map(|p| (p, score(p, step))).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let (coarse, _) = best(&mut (SHORTEST..=most).step_by(COARSE), COARSE)?;
    let around = coarse.saturating_sub(COARSE).max(SHORTEST)..=(coarse + COARSE).min(most);
    let (period, likeness) = best(&mut around.into_iter(), 1)?;
    (likeness >= care.likeness).then_some(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FRAME;

    const CAREFUL: Care = Care { likeness: 0.9, quiet: 60 };

    fn tone(hertz: f32) -> Vec<f32> {
        (0..FRAME).map(|i| 0.5 * (std::f32::consts::TAU * hertz * i as f32 / 48_000.0).sin()).collect()
    }

    /// The largest step between neighbours.
    fn steepest(sound: &[f32]) -> f32 {
        sound.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_stays_a_tone() {
        for hertz in [80.0, 150.0, 233.0, 390.0] {
            let original = tone(hertz);
            let mut short = original.clone();
            let cut = shorten(&mut short, LONGEST, CAREFUL);
            assert!(cut > 0, "{hertz} Hz");
            assert_eq!(short.len(), FRAME - cut);
            assert!(steepest(&short) < steepest(&original) * 1.1, "no click at {hertz} Hz");
            let periods = cut as f32 * hertz / 48_000.0;
            assert!((periods - periods.round()).abs() < 0.03, "whole periods at {hertz} Hz: {periods}");

            let mut long = original.clone();
            let put = lengthen(&mut long, LONGEST, CAREFUL);
            assert_eq!(long.len(), FRAME + put);
            assert!(put > 0 && steepest(&long) < steepest(&original) * 1.1);
            assert_eq!(long.last(), original.last(), "what follows fits on");
            assert_eq!((short.first(), long.first()), (original.first(), original.first()));
        }
    }

    #[test]
    fn noise_is_left_alone_and_silence_is_cut_as_asked() {
        let mut noise = crate::signal::Noise(1);
        let mut sound: Vec<f32> = (0..FRAME).map(|_| noise.next() * 0.3).collect();
        let before = sound.clone();
        assert_eq!(shorten(&mut sound, LONGEST, CAREFUL), 0);
        assert_eq!(lengthen(&mut sound, LONGEST, CAREFUL), 0);
        assert_eq!(sound, before);
        assert!(
            shorten(&mut sound.clone(), LONGEST, Care { quiet: 5, ..CAREFUL }) > 0,
            "unless nobody hears it"
        );
        assert!(shorten(&mut sound, LONGEST, Care { likeness: -1.0, ..CAREFUL }) > 0, "or it must be");
        assert_eq!(shorten(&mut vec![0.0; FRAME], 333, CAREFUL), 333);
        assert_eq!(shorten(&mut vec![0.0; FRAME], SHORTEST - 1, CAREFUL), 0);
        assert_eq!(shorten(&mut vec![0.0; 200], LONGEST, CAREFUL), 0);
    }
}
