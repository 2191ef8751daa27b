//! Runs from a seed, from bytes or from a plan, and how to make a plan shorter.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Outcome, Plan, Weather, World};

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// What it has seen, or what does not hold.
    pub result: Result<Outcome, String>,
    /// What was done.
    pub plan: Plan,
    /// What happened, where that was asked for.
    pub log: Vec<String>,
}

/// Plays the run of a seed.
pub fn play_seed(seed: u64) -> Played {
    play(World::of_seed(seed))
}

/// Plays a run that a fuzzer decides.
///
/// # Panics
/// Something does not hold; the plan is in the message.
pub fn fuzz(bytes: &[u8]) -> Played {
    let played = play(World::of_bytes(bytes));
    if let Err(what) = &played.result {
        panic!("{what}\n{}", played.plan);
    }
    played
}

/// Plays what is written, with a log.
pub fn play_plan(plan: &Plan) -> Played {
    play(World::of_plan(plan).traced())
}

/// A panic is a finding like any other.
fn play(mut world: World) -> Played {
    let result = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default())
    });
    Played { result, plan: world.plan().clone(), log: world.log().to_vec() }
}

/// The shortest plan found that still fails. What fails may become something else on the way: any finding counts.
pub fn shrink(plan: &Plan) -> Plan {
    shrink_where(plan, |result| result.is_err())
}

/// The shortest plan found whose run ends in what `holds` of.
pub fn shrink_where(plan: &Plan, holds: impl Fn(&Result<Outcome, String>) -> bool) -> Plan {
    let fails = |plan: &Plan| holds(&play(World::of_plan(plan)).result);
    let mut best = plan.clone();
    if !fails(&best) {
        return best;
    }
    for weather in [Weather::Still, Weather::Fair] {
        let calmer = Plan { weather, ..best.clone() };
        if weather < best.weather && fails(&calmer) {
            best = calmer;
        }
    }
    let mut part = best.steps.len();
    while part > 0 {
        let mut from = 0;
        while from < best.steps.len() {
            let mut shorter = best.clone();
            shorter.steps.drain(from..(from + part).min(best.steps.len()));
            if fails(&shorter) {
                best = shorter;
            } else {
                from += part;
            }
        }
        // Once through with single steps is not enough: what was needed for another may be gone by now.
        part /= 2;
    }
    let rest = best.steps.last().map_or(1_000, |step| step.at + 1_000);
    let earlier = Plan { rest, ..best.clone() };
    if rest < best.rest && fails(&earlier) { earlier } else { best }
}
