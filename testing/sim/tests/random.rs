//! Thousands of random runs. `JMRTC_SIM_SEED=n` runs one and prints what happened; `JMRTC_SIM_RUNS=n` runs
//! more than usual, from `JMRTC_SIM_FROM`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jmrtc_sim::{Outcome, World};

const RUNS: u64 = 2_000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// One run; a panic in it is a finding like any other.
fn run(seed: u64, traced: bool) -> (Result<Outcome, String>, Vec<String>) {
    let mut world = World::new(seed, traced);
    let result = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default())
    });
    (result, world.log().to_vec())
}

#[test]
fn random_runs_end_well() {
    if let Some(seed) = setting("JMRTC_SIM_SEED") {
        let (result, log) = run(seed, true);
        log.iter().for_each(|line| println!("{line}"));
        println!("{result:?}");
        result.unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        return;
    }
    let from = setting("JMRTC_SIM_FROM").unwrap_or(0);
    let to = from + setting("JMRTC_SIM_RUNS").unwrap_or(RUNS);
    let next = AtomicU64::new(from);
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let (mut sum, mut failures) = (Outcome::default(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to || failures.len() > 4 {
                return (sum, failures);
            }
            match run(seed, false).0 {
                Ok(outcome) => {
                    sum.connected += outcome.connected;
                    sum.restored += outcome.restored;
                    sum.reconnected += outcome.reconnected;
                    sum.broken += outcome.broken;
                    sum.at_rest += outcome.at_rest;
                }
                Err(what) => failures.push(format!("JMRTC_SIM_SEED={seed}: {what}")),
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
    ] {
        assert!(count * 20 > to - from, "hardly ever {what}: {count}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..4 {
        let (first, second) = (run(seed, true), run(seed, true));
        assert!(!first.1.is_empty());
        assert_eq!(first, second, "seed {seed}");
    }
}
