//! Holds the workspace to its laws. That the checkers can fail is tested beside them, in `src/law`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, str};

use cargo_metadata::{DependencyKind, MetadataCommand};
use xtask::law::{self, Crate, Purity};

/// Folder, and whether it handles instants and addresses as values.
const PURE: [(&str, bool); 4] =
    [("protocol", false), ("core/call", false), ("server/rooms", false), ("server/sfu", true)];

/// The only folders with `unsafe`, and the test that traps allocations.
const UNSAFE: [&str; 3] = ["core/audio/src/backend/", "bindings/src/platform/", "core/audio/tests/"];

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    none(law::edges(&workspace()));
}

#[test]
fn pure_crates_use_nothing_impure() {
    none(law::purity_of_dependencies(&workspace()));
}

#[test]
fn pure_crates_do_nothing_impure() {
    let mut broken = Vec::new();
    for (folder, instants_and_addresses) in PURE {
        let src = xtask::root().join(folder).join("src");
        let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
        if !lib.contains("#![forbid(unsafe_code)]") {
            broken.push(format!("{folder}/src/lib.rs does not forbid unsafe code"));
        }
        for file in rust_files(&src) {
            let found = law::purity(&fs::read_to_string(&file).unwrap(), Purity { instants_and_addresses });
            let found = found.unwrap_or_else(|e| vec![e]);
            broken.extend(found.into_iter().map(|what| format!("{}: {what}", file.display())));
        }
    }
    none(broken);
}

#[test]
fn unsafe_code_has_its_two_folders() {
    let mut broken = Vec::new();
    for path in tracked().into_iter().filter(|p| p.ends_with(".rs")) {
        if UNSAFE.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let Ok(text) = fs::read_to_string(xtask::root().join(&path)) else { continue };
        let found = law::unsafety(&text).unwrap_or_else(|e| vec![e]);
        broken.extend(found.into_iter().map(|what| format!("{path}: {what}")));
    }
    none(broken);
}

#[test]
fn nothing_tracked_is_true_on_one_machine_only() {
    let mut broken = Vec::new();
    for path in tracked() {
        let Ok(bytes) = fs::read(xtask::root().join(&path)) else { continue };
        if let Ok(text) = str::from_utf8(&bytes) {
            broken.extend(law::hygiene(&path, text));
        }
    }
    none(broken);
}

fn none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn workspace() -> Vec<Crate> {
    let metadata = MetadataCommand::new().current_dir(xtask::root()).no_deps().exec().unwrap();
    let packages = metadata.workspace_packages();
    assert!(packages.len() > 10, "the workspace was not read");
    packages
        .into_iter()
        .map(|package| Crate {
            name: package.name.to_string(),
            dependencies: package
                .dependencies
                .iter()
                .filter(|d| d.kind != DependencyKind::Development)
                .map(|d| d.name.clone())
                .collect(),
        })
        .collect()
}

/// Without the modules that only tests compile.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// What git has: there is no judging a source archive without it.
fn tracked() -> Vec<String> {
    let output = Command::new("git").current_dir(xtask::root()).args(["ls-files", "-z"]).output().unwrap();
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).split('\0').filter(|p| !p.is_empty()).map(str::to_owned).collect()
}
