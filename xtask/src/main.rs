//! `cargo xtask`: what the repository generates, checks and replays.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::codegen::Part;
use xtask::mutants::Fate;
use xtask::{mutants, replay, sim};

mod wasm;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What the repository generates, checks and replays")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes the generated files: JSON Schema, TypeScript types, Kotlin and Swift bindings.
    Codegen {
        /// Write nothing; fail where a file on disk is not what would be written.
        #[arg(long)]
        check: bool,
        /// Only these parts; all without one. `bindings` builds the native library first.
        parts: Vec<Part>,
    },
    /// Plays a client's transcript again and shows the first output that differs.
    Replay {
        /// JSON lines, as `jmrtc-phone --transcript` or an app with `transcript` configured writes them.
        file: PathBuf,
    },
    /// Plays the simulation, seed after seed, and shrinks what it finds to a short plan.
    Sim {
        /// For how long: `90s`, `5m`, `1h`.
        #[arg(long = "for", value_parser = sim::duration, default_value = "1m")]
        time: Duration,
        /// The first seed; without one it comes from the clock.
        #[arg(long)]
        from: Option<u64>,
        /// Play this plan instead, once, and show what happens.
        #[arg(long, conflicts_with_all = ["time", "from"])]
        plan: Option<PathBuf>,
    },
    /// Puts deliberate faults one at a time into a copy of the machines: does the simulation see them?
    Mutants {
        /// Only those whose title contains one of these; all without one.
        titles: Vec<String>,
    },
    /// Compiles the call machine for browsers into www/wasm.
    Wasm,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("{e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Codegen { check, parts } => {
            let parts = if parts.is_empty() { Part::ALL.to_vec() } else { parts };
            let root = xtask::root();
            let mut drift = Vec::new();
            for part in parts {
                let folder = part.generate(&root)?;
                if check {
                    drift.extend(folder.drift(&root)?);
                } else {
                    for path in folder.write(&root)? {
                        println!("wrote {}", path.display());
                    }
                }
            }
            for d in &drift {
                eprintln!("{d}");
            }
            if !drift.is_empty() {
                eprintln!("{} generated file(s) out of date: run `cargo xtask codegen`", drift.len());
                return Ok(ExitCode::FAILURE);
            }
        }
        Task::Replay { file } => println!("{} steps, all as written", replay::replay(&file)?),
        Task::Sim { plan: Some(file), .. } => return play(&file),
        Task::Sim { time, from, plan: None } => return simulate(time, from),
        Task::Mutants { titles } => return try_mutants(&titles),
        Task::Wasm => wasm::run(&xtask::root())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn try_mutants(titles: &[String]) -> Result<ExitCode> {
    let root = xtask::root();
    let (mut caught, mut others) = (0, 0);
    mutants::run(&root, &mutants::list(&root, titles)?, |mutant, fate, seconds| {
        let (word, what) = match fate {
            Fate::Caught(what) => ("caught", what.as_str()),
            Fate::Survived => ("SURVIVED", ""),
            Fate::Unbuildable(what) => ("NOT BUILT", what.as_str()),
        };
        *(if matches!(fate, Fate::Caught(_)) { &mut caught } else { &mut others }) += 1;
        println!("{word:9} {:60} {seconds:>4} s  {what}", mutant.title);
    })?;
    println!("{caught} caught, {others} not");
    Ok(if others == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn simulate(time: Duration, from: Option<u64>) -> Result<ExitCode> {
    let clock =
        || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    let first = from.unwrap_or_else(clock);
    let (runs, findings) = sim::search(first, time);
    println!("{runs} runs from seed {first}, {} finding(s)", findings.len());
    for finding in &findings {
        let file = sim::keep(&xtask::root().join("target/sim"), finding)?;
        println!("\nseed {}: {}", finding.seed, finding.what);
        println!("in short, {:?}:", finding.short.result);
        for step in &finding.short.plan.steps {
            println!("  {step}");
        }
        println!("cargo xtask sim --plan {}", file.display());
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play(file: &Path) -> Result<ExitCode> {
    let played = sim::play(file)?;
    for line in &played.log {
        println!("{line}");
    }
    println!("{:?}", played.result);
    Ok(if played.result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
