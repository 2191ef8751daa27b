//! `cargo xtask`: what the repository generates, checks and replays.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::codegen::Part;
use xtask::replay;

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
        Task::Wasm => wasm::run(&xtask::root())?,
    }
    Ok(ExitCode::SUCCESS)
}
