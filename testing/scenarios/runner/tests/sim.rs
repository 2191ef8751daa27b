//! Every scenario file in simulated worlds that differ in how long messages take.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use jmrtc_scenarios::{Scenario, Sim, Verdict, files, play};

const WORLDS: u64 = 20;

/// What goes wrong with it first.
fn failure(file: &Path) -> Option<String> {
    let scenario = match Scenario::read(file) {
        Ok(scenario) => scenario,
        Err(why) => return Some(why),
    };
    for seed in 0..WORLDS {
        match play(&scenario, &mut Sim::new(seed, false)) {
            Verdict::Passed => {}
            Verdict::Skipped(why) => {
                println!("skipped {}: {why}", file.display());
                return None;
            }
            Verdict::Failed(why) => return Some(format!("in world {seed}: {why}")),
        }
    }
    None
}

#[test]
fn every_scenario_goes_as_it_says_in_every_world() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = files(&folder).unwrap();
    assert!(!files.is_empty());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            failures.extend(failure(file));
        }
        failures
    };
    let failures: Vec<_> = thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(2, usize::from);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
