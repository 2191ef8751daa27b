//! Every scenario file in simulated worlds that differ in how long messages take.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use jmrtc_scenarios::{Scenario, Sim, Verdict, files, play};

const WORLDS: u64 = 40;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

#[test]
fn every_scenario_goes_as_it_says_in_every_world() {
    let files = files(&folder()).unwrap();
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    for file in files {
        let shown = file.strip_prefix(folder()).unwrap();
        let scenario = match Scenario::read(&file) {
            Ok(scenario) => scenario,
            Err(why) => {
                failures.push(why);
                continue;
            }
        };
        for seed in 0..WORLDS {
            match play(&scenario, &mut Sim::new(seed, false)) {
                Verdict::Passed => {}
                Verdict::Skipped(why) => {
                    println!("skipped {}: {why}", shown.display());
                    break;
                }
                Verdict::Failed(why) => {
                    failures.push(format!("{} in world {seed}: {why}", shown.display()));
                    break;
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
