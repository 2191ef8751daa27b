//! `cargo xtask sim`: the simulation for as long as one likes, and what it finds made short.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jmrtc_sim::{Plan, Played, play_plan, play_seed, shrink};

/// More findings than that are the same few.
const ENOUGH: usize = 5;

/// Something that does not hold.
#[derive(Debug)]
pub struct Finding {
    /// Its run.
    pub seed: u64,
    /// What does not hold in that run.
    pub what: String,
    /// The shortest plan that still goes wrong, and how.
    pub short: Played,
}

/// Plays seed after seed from `first` for `time` on all cores; returns how many, and what was found, made short.
pub fn search(first: u64, time: Duration) -> (u64, Vec<Finding>) {
    let (end, next) = (Instant::now() + time, AtomicU64::new(first));
    // What is the same in all but names and numbers is found once.
    let found = Mutex::new(BTreeMap::new());
    let work = || {
        while Instant::now() < end {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let played = play_seed(seed);
            let Err(what) = played.result else { continue };
            let mut found = found.lock().unwrap_or_else(|e| e.into_inner());
            found.entry(kind(&what)).or_insert((seed, what, played.plan));
            if found.len() >= ENOUGH {
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().unwrap_or_else(|e| e.into_inner());
    let shorten = |(seed, what, plan)| Finding { seed, what, short: play_plan(&shrink(&plan)) };
    (next.into_inner() - first, found.into_values().map(shorten).collect())
}

fn kind(what: &str) -> String {
    let what = what.split_once(": ").map_or(what, |(_, what)| what);
    what.chars().filter(|c| !c.is_ascii_digit()).take(40).collect()
}

/// Writes a finding's plan down, to be played again.
///
/// # Errors
/// It can't be written.
pub fn keep(folder: &Path, finding: &Finding) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let file = folder.join(format!("{}.json", finding.seed));
    fs::write(&file, format!("{}\n", finding.short.plan))
        .with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

/// Plays a plan again.
///
/// # Errors
/// It can't be read.
pub fn play(file: &Path) -> Result<Played> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let plan: Plan = serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
    Ok(play_plan(&plan))
}

/// `90`, `90s`, `5m`, `1h`.
///
/// # Errors
/// Anything else.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(format!("`{unit}` is not s, m or h")),
    };
    let number: u64 = number.parse().map_err(|e| format!("`{number}`: {e}"))?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("90", 90), ("2s", 2), ("5m", 300), ("1h", 3_600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "h", "1d", "-1s", "1 h", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn findings_that_differ_in_numbers_only_are_one() {
        assert_eq!(kind("bob/0: request 7 is answered twice"), kind("carol/1: request 12 is answered twice"));
        assert_ne!(kind("bob/0: sound in no call"), kind("bob/0: sound without a yes"));
    }
}
