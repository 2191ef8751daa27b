//! How fast the simulation plays, on one core: `cargo bench -p jmrtc-sim` prints a Markdown table. A step is one thing
//! that happens to a machine, with what must hold looked at after it.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use jmrtc_sim::play_seed;

const TIME: Duration = Duration::from_secs(10);
/// 20,000 runs in two minutes on two cores.
const TARGET: f64 = 20_000.0 / 120.0 / 2.0;

fn main() {
    let (begin, mut runs, mut steps) = (Instant::now(), 0_u64, 0_u64);
    while begin.elapsed() < TIME {
        let outcome = play_seed(runs).result.unwrap_or_else(|what| panic!("seed {runs}: {what}"));
        runs += 1;
        steps += outcome.steps;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let (runs, steps) = (runs as f64, steps as f64);
    println!("| runs per second | to the target of {TARGET:.0} | steps per second | steps of a run |");
    println!("|---|---|---|---|");
    println!(
        "| {:.0} | {:.1}x | {:.0} | {:.0} |",
        runs / seconds,
        runs / seconds / TARGET,
        steps / seconds,
        steps / runs
    );
}
