//! `cargo xtask sim`: a plan written down is played again as it was.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use jmrtc_sim::{play_plan, play_seed, shrink};
use xtask::sim::{self, Finding};

#[test]
fn a_plan_that_is_kept_is_played_again() {
    let seed = 3;
    let short = play_plan(&play_seed(seed).plan);
    assert!(short.plan.steps.len() > 5 && short.result.is_ok(), "{short:?}");
    assert_eq!(shrink(&short.plan), short.plan, "what is right is not made shorter");
    let folder = std::env::temp_dir().join(format!("jmrtc-sim-{}", std::process::id()));
    let file = sim::keep(&folder, &Finding { seed, what: String::new(), short: short.clone() }).unwrap();
    let again = sim::play(&file).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(again, short);
}

#[test]
fn a_search_counts_its_runs() {
    let (runs, findings) = sim::search(1, Duration::from_millis(300));
    assert!(runs > 0 && findings.is_empty(), "{runs} runs, {findings:?}");
}
