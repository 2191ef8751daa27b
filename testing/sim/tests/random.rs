//! Thousands of random runs. `JMRTC_SIM_SEED=n` runs one and prints what happened; `JMRTC_SIM_RUNS=n` runs
//! more or fewer than usual, from `JMRTC_SIM_FROM`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use jmrtc_sim::{Outcome, Plan, Weather, play_plan, play_seed, shrink_where};

const RUNS: u64 = 20_000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

#[test]
fn random_runs_end_well() {
    if let Some(seed) = setting("JMRTC_SIM_SEED") {
        // What is played again as it is written is the same, and has a log.
        let played = play_plan(&play_seed(seed).plan);
        played.log.iter().for_each(|line| println!("{line}"));
        println!("{:?}", played.result);
        played.result.unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        return;
    }
    let from = setting("JMRTC_SIM_FROM").unwrap_or(0);
    let to = from + setting("JMRTC_SIM_RUNS").unwrap_or(RUNS);
    let (next, found) = (AtomicU64::new(from), AtomicBool::new(false));
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let (mut sum, mut failures) = (Outcome::default(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to || found.load(Ordering::Relaxed) {
                return (sum, failures);
            }
            match play_seed(seed).result {
                Ok(outcome) => {
                    sum.connected += outcome.connected;
                    sum.restored += outcome.restored;
                    sum.reconnected += outcome.reconnected;
                    sum.broken += outcome.broken;
                    sum.at_rest += outcome.at_rest;
                    sum.slept += outcome.slept;
                    sum.rejected += outcome.rejected;
                    sum.late += outcome.late;
                    sum.switched += outcome.switched;
                    sum.deleted += outcome.deleted;
                    sum.limited += outcome.limited;
                    sum.fidgeted += outcome.fidgeted;
                    sum.spoken += outcome.spoken;
                    sum.rated += outcome.rated;
                    sum.remembered += outcome.remembered;
                    sum.handed_over += outcome.handed_over;
                    sum.steps += outcome.steps;
                }
                Err(what) => {
                    found.store(true, Ordering::Relaxed);
                    failures.push(format!("JMRTC_SIM_SEED={seed}: {what}"));
                }
            }
        }
    };
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|w| w.join().expect("a worker")).collect()
    });
    let failures: Vec<_> = results.iter().flat_map(|(_, failures)| failures.clone()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for (sum, _) in &results {
        println!("{sum:?}");
    }
    // A world in which nothing happens proves nothing.
    let all = |what: fn(&Outcome) -> u64| results.iter().map(|(sum, _)| what(sum)).sum::<u64>();
    assert!(all(|o| o.connected) > to - from, "hardly a call was connected");
    for (what, count) in [
        ("restored", all(|o| o.restored)),
        ("reconnected", all(|o| o.reconnected)),
        ("broken", all(|o| o.broken)),
        ("at rest", all(|o| o.at_rest)),
        ("slept", all(|o| o.slept)),
        ("rejected", all(|o| o.rejected)),
        ("late", all(|o| o.late)),
        ("switched", all(|o| o.switched)),
        ("deleted", all(|o| o.deleted)),
        ("limited", all(|o| o.limited)),
        ("fidgeted", all(|o| o.fidgeted)),
        ("spoken", all(|o| o.spoken)),
        ("rated", all(|o| o.rated)),
        ("remembered", all(|o| o.remembered)),
        ("handed over", all(|o| o.handed_over)),
    ] {
        assert!(count * 40 > to - from, "hardly ever {what}: {count}");
    }
}

#[test]
fn the_same_seed_is_the_same_run_and_so_is_its_plan() {
    for seed in 0..20 {
        let (first, second) = (play_seed(seed), play_seed(seed));
        assert_eq!(first, second, "seed {seed}");
        let written = play_plan(&first.plan);
        assert_eq!((&written.result, &written.plan), (&first.result, &first.plan), "seed {seed}");
        assert!(!written.log.is_empty());
    }
}

#[test]
fn a_plan_that_names_no_devices_is_one_of_six() {
    let text =
        r#"{"seed":7,"weather":"fair","rest":5000,"steps":[{"at":1100,"device":"dave/0","act":"kill"}]}"#;
    let plan: Plan = serde_json::from_str(text).expect("a plan");
    let played = play_plan(&plan);
    assert!(played.result.is_ok(), "{:?}", played.result);
    assert_eq!((played.plan.devices.len(), played.plan.steps), (6, plan.steps));
}

/// A long and rough run in which a call connects, made as short as a run can be in which a call connects.
#[test]
fn a_plan_is_made_short() {
    let connects = |result: &Result<Outcome, String>| result.as_ref().is_ok_and(|o| o.connected > 0);
    let long_and_rough = |plan: &Plan| plan.steps.len() > 60 && plan.weather == Weather::Rough;
    let calm = |plan: &Plan| play_plan(&Plan { weather: Weather::Still, ..plan.clone() }).result;
    let long = (0..)
        .map(play_seed)
        .find(|p| connects(&p.result) && long_and_rough(&p.plan) && connects(&calm(&p.plan)))
        .expect("a long and rough run");
    let short: Plan = shrink_where(&long.plan, connects);
    assert!(connects(&play_plan(&short).result));
    assert_eq!(short.weather, Weather::Still);
    // Two sign in, make their engines ready, one calls and one answers; or one calls the robot. A token may not last so long.
    assert!((3..=8).contains(&short.steps.len()), "{} steps: {short}", short.steps.len());
}
