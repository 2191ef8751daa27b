//! `jmrtc-scenarios`: plays scenario files.
#![forbid(unsafe_code)]

use std::io::{BufReader, Write, stdin, stdout};
use std::path::PathBuf;
use std::process::{ExitCode, exit};

use clap::Parser;
use jmrtc_scenarios::{Kind, Pipe, Scenario, Sim, Verdict, play};
use serde_json::json;

/// Plays scenario files, in simulated worlds or on a stage at standard input and output.
#[derive(Debug, Parser)]
#[command(name = "jmrtc-scenarios")]
struct Cli {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Plays one file on the stage at the other end of standard input and output, whose devices are of these kinds:
    /// phone, browser, android, ios. The last line is the verdict.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    stage: Vec<Kind>,
    /// Simulated worlds to play each file in.
    #[arg(long, default_value_t = 20)]
    worlds: u64,
    /// Plays in this one world only, and prints what happens there.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

fn kind(text: &str) -> Result<Kind, String> {
    serde_json::from_value(json!(text)).map_err(|e| e.to_string())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut failed = false;
    for file in &cli.files {
        let scenario = match Scenario::read(file) {
            Ok(scenario) => scenario,
            Err(why) => {
                failed = true;
                tell(&cli, file, &Verdict::Failed(why));
                continue;
            }
        };
        let verdict = if cli.stage.is_empty() {
            in_worlds(&cli, &scenario)
        } else {
            play(&scenario, &mut Pipe::new(cli.stage.clone(), BufReader::new(stdin()), stdout()))
        };
        failed |= matches!(verdict, Verdict::Failed(_));
        tell(&cli, file, &verdict);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn in_worlds(cli: &Cli, scenario: &Scenario) -> Verdict {
    for seed in cli.seed.map_or(0..cli.worlds, |seed| seed..seed + 1) {
        let mut world = Sim::new(seed, cli.seed.is_some());
        let verdict = play(scenario, &mut world);
        world.log().iter().for_each(|line| say(line));
        match verdict {
            Verdict::Passed => {}
            Verdict::Skipped(why) => return Verdict::Skipped(why),
            Verdict::Failed(why) => return Verdict::Failed(format!("in world {seed}: {why}")),
        }
    }
    Verdict::Passed
}

fn tell(cli: &Cli, file: &std::path::Path, verdict: &Verdict) {
    let (word, why) = match verdict {
        Verdict::Passed => ("passed", ""),
        Verdict::Skipped(why) => ("skipped", why.as_str()),
        Verdict::Failed(why) => ("failed", why.as_str()),
    };
    if cli.stage.is_empty() {
        say(&format!("{word:8} {}{}{why}", file.display(), if why.is_empty() { "" } else { ": " }));
    } else {
        say(&json!({ "verdict": word, "why": why }).to_string());
    }
}

/// Whoever reads only the beginning, as `head` does, wants no more.
fn say(line: &str) {
    if writeln!(stdout(), "{line}").is_err() {
        exit(1);
    }
}
