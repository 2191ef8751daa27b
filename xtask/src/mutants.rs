//! `cargo xtask mutants`: deliberate faults, put one at a time into a copy of the machines; does the simulation see them?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

/// The list, from the root folder.
pub const LIST: &str = "testing/sim/mutants.txt";

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// What is wrong with it.
    pub title: String,
    /// Where, from the root folder.
    pub file: PathBuf,
    before: Vec<String>,
    after: Vec<String>,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The simulation says what it has seen first.
    Caught(String),
    /// The simulation has seen nothing.
    Survived,
    /// It is no program.
    Unbuildable(String),
}

/// Reads the list.
///
/// # Errors
/// A mutant without a file or without lines to take out.
pub fn parse(text: &str) -> Result<Vec<Mutant>> {
    let (_, list) = text.split_once("\n# ").context("there are no mutants")?;
    list.split("\n# ").map(parse_one).collect()
}

fn parse_one(text: &str) -> Result<Mutant> {
    let mut lines = text.lines().filter(|l| !l.trim().is_empty());
    let (title, file) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut mutant =
        Mutant { title: title.to_owned(), file: file.into(), before: Vec::new(), after: Vec::new() };
    for line in lines {
        match line.split_at_checked(1) {
            Some(("-", line)) => mutant.before.push(line.trim().to_owned()),
            Some(("+", line)) => mutant.after.push(line.trim().to_owned()),
            Some((_, _)) | None => {
                mutant.before.push(line.trim().to_owned());
                mutant.after.push(line.trim().to_owned());
            }
        }
    }
    ensure!(!mutant.before.is_empty() && mutant.before != mutant.after, "`{title}` changes nothing");
    Ok(mutant)
}

impl Mutant {
    /// The file's text with the fault in it.
    ///
    /// # Errors
    /// The lines are not there, or more than once.
    pub fn apply(&self, text: &str) -> Result<String> {
        let lines: Vec<&str> = text.lines().collect();
        let long = self.before.len();
        let same = |part: &[&str]| part.iter().map(|l| l.trim()).eq(&self.before);
        let windows = lines.windows(long).enumerate();
        let places: Vec<usize> = windows.filter(|(_, part)| same(part)).map(|(at, _)| at).collect();
        let [at] = places[..] else {
            bail!("`{}`: its lines are {} times in {}", self.title, places.len(), self.file.display())
        };
        let changed = lines[..at]
            .iter()
            .copied()
            .chain(self.after.iter().map(String::as_str))
            .chain(lines[at + long..].iter().copied());
        Ok(changed.flat_map(|line| [line, "\n"]).collect())
    }
}

/// The mutants of the list whose title contains one of `wanted`; all without one.
///
/// # Errors
/// The list can't be read.
pub fn list(root: &Path, wanted: &[String]) -> Result<Vec<Mutant>> {
    let text = fs::read_to_string(root.join(LIST)).with_context(|| format!("reading {LIST}"))?;
    let mut mutants = parse(&text)?;
    mutants.retain(|m| wanted.is_empty() || wanted.iter().any(|w| m.title.contains(w.as_str())));
    Ok(mutants)
}

/// Runs each mutant and calls `report` with what became of it and after how many seconds.
///
/// # Errors
/// The copy can't be made, a mutant does not apply, or the simulation fails without any.
pub fn run(root: &Path, mutants: &[Mutant], mut report: impl FnMut(&Mutant, &Fate, u64)) -> Result<()> {
    let copy = copy(root)?;
    if let Fate::Caught(what) | Fate::Unbuildable(what) = simulate(&copy)? {
        bail!("the simulation fails without any fault: {what}");
    }
    for mutant in mutants {
        let start = Instant::now();
        let file = copy.join(&mutant.file);
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        fs::write(&file, mutant.apply(&text)?)?;
        let fate = simulate(&copy);
        fs::write(&file, text)?;
        report(mutant, &fate?, start.elapsed().as_secs());
    }
    Ok(())
}

/// What a fault may be in and what plays it, as folders.
const CRATES: [&str; 4] = ["protocol", "core/call", "server/rooms", "testing/sim"];

/// A copy of these crates as a workspace of its own, so that an editor or another build never sees a fault.
fn copy(root: &Path) -> Result<PathBuf> {
    let copy = target(root).join("mutants");
    let listed = Command::new("git")
        .args(["ls-files", "-z", "-co", "--exclude-standard", "--"])
        .args(CRATES)
        .current_dir(root)
        .output()?;
    ensure!(
        listed.status.success(),
        "git does not list the files: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    for path in String::from_utf8(listed.stdout)?.split('\0').filter(|p| !p.is_empty()) {
        if let Ok(text) = fs::read(root.join(path)) {
            put(&copy.join(path), &text)?;
        }
    }
    put(&copy.join("Cargo.lock"), &fs::read(root.join("Cargo.lock"))?)?;
    put(&copy.join("Cargo.toml"), workspace(&fs::read_to_string(root.join("Cargo.toml"))?)?.as_bytes())?;
    Ok(copy)
}

/// The root's Cargo.toml with these crates alone.
fn workspace(text: &str) -> Result<String> {
    let (before, rest) = text.split_once("members = [").context("Cargo.toml names no members")?;
    let (_, after) = rest.split_once("\n]").context("Cargo.toml's members have no end")?;
    Ok(format!("{before}members = {CRATES:?}{after}"))
}

/// What is the same keeps its time, and is not built again.
fn put(file: &Path, text: &[u8]) -> Result<()> {
    if fs::read(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

fn simulate(copy: &Path) -> Result<Fate> {
    let cargo = |args: &[&str]| {
        let mut cargo = crate::cargo();
        // Cargo tells the copy's crates from the checkout's by nothing but their place in a workspace, which is the
        // same: built into one folder, a fault would be taken for the real thing.
        cargo.current_dir(copy).env("CARGO_TARGET_DIR", copy.join("target")).stdin(Stdio::null());
        cargo.args(["test", "--quiet", "--offline", "-p", "jmrtc-sim", "--test", "random"]).args(args);
        cargo.output().context("running cargo")
    };
    let built = cargo(&["--no-run"])?;
    if !built.status.success() {
        return Ok(Fate::Unbuildable(String::from_utf8_lossy(&built.stderr).into_owned()));
    }
    let ran = cargo(&["random_runs_end_well"])?;
    if ran.status.success() {
        return Ok(Fate::Survived);
    }
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    let first = said
        .lines()
        .find(|l| l.starts_with("JMRTC_SIM_SEED="))
        .or_else(|| said.lines().find(|l| l.contains("hardly")));
    first.map_or_else(
        || bail!("the simulation can't be run: {said}"),
        |first| Ok(Fate::Caught(first.to_owned())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "About.\n\n# off by one\na.rs\n-let a = 1;\n+let a = 2;\n\n# gone\nb/c.rs\n if x {\n-y();\n }\n";

    #[test]
    fn a_list_is_read_and_a_fault_put_in_its_place() {
        let mutants = parse(TEXT).unwrap();
        assert_eq!(mutants.iter().map(|m| m.title.as_str()).collect::<Vec<_>>(), ["off by one", "gone"]);
        assert_eq!(mutants[0].apply("fn f() {\n    let a = 1;\n}\n").unwrap(), "fn f() {\nlet a = 2;\n}\n");
        assert_eq!(mutants[1].apply("y();\n  if x {\n    y();\n  }\n").unwrap(), "y();\nif x {\n}\n");
    }

    #[test]
    fn what_is_not_there_exactly_once_is_no_mutant() {
        let mutants = parse(TEXT).unwrap();
        for text in ["", "let b = 1;\n", "let a = 1;\nlet a = 1;\n"] {
            assert!(mutants[0].apply(text).is_err(), "{text}");
        }
        for text in ["", "# a\nb.rs\n", "x\n# a\nb.rs\n y\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
