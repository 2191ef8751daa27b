use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// Seeded randomness whose whole state is two numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Dice {
    seed: u64,
    rolls: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, rolls: 0 }
    }

    /// A number from 0 to `most`.
    pub(crate) fn roll(&mut self, most: u64) -> u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.rolls);
        self.rolls = self.rolls.wrapping_add(1);
        match most.checked_add(1) {
            Some(sides) => rng.next_u64() % sides,
            None => rng.next_u64(),
        }
    }

    /// How long to wait before try number `attempt` (from 0): from 1 to `first` milliseconds, doubled
    /// `attempt` times, at most `cap`. Full jitter, so that clients cut off together don't come back together.
    pub(crate) fn backoff(&mut self, attempt: u32, first: u64, cap: u64) -> u64 {
        let most = first.saturating_mul(1_u64.checked_shl(attempt).unwrap_or(u64::MAX)).min(cap);
        1 + self.roll(most.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same_and_another_another() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            (0..8).map(|_| dice.roll(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
    }

    #[test]
    fn backoff_grows_to_its_cap_and_never_overflows() {
        let mut dice = Dice::new(7);
        for attempt in [0, 1, 5, 63, 64, u32::MAX] {
            let most = (500_u128 << attempt.min(20)).min(15_000) as u64;
            for _ in 0..50 {
                assert!((1..=most).contains(&dice.backoff(attempt, 500, 15_000)));
            }
        }
        assert!((0..50).map(|_| dice.backoff(9, 500, 15_000)).max().unwrap_or(0) > 10_000);
    }
}
