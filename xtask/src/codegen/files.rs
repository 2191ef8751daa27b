use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result};

/// Generated text, and the folders that hold generated text only: a file there that is not generated is stale.
#[derive(Debug, Default)]
pub struct Files {
    folders: BTreeSet<PathBuf>,
    texts: BTreeMap<PathBuf, String>,
}

impl Files {
    /// Nothing yet; `folder` (from the root) will hold what is generated and nothing else.
    pub(crate) fn in_folder(folder: &str) -> Self {
        Self { folders: BTreeSet::from([PathBuf::from(folder)]), texts: BTreeMap::new() }
    }

    /// `path` is from the root.
    pub(crate) fn add(&mut self, path: impl Into<PathBuf>, text: String) {
        self.texts.insert(path.into(), text);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.folders.extend(other.folders);
        self.texts.extend(other.texts);
    }

    /// Brings the folders in line; returns the paths (from the root) that changed.
    pub fn write(&self, root: &Path) -> Result<Vec<PathBuf>> {
        let mut changed = Vec::new();
        for drift in self.drift(root)? {
            let path = root.join(&drift.path);
            match self.texts.get(&drift.path) {
                Some(text) => {
                    if let Some(folder) = path.parent() {
                        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
                    }
                    fs::write(&path, text)
                }
                None => fs::remove_file(&path),
            }
            .with_context(|| format!("writing {}", path.display()))?;
            changed.push(drift.path);
        }
        Ok(changed)
    }

    /// What on disk is not as generated.
    pub fn drift(&self, root: &Path) -> Result<Vec<Drift>> {
        let mut drift = Vec::new();
        for (path, want) in &self.texts {
            let have = match fs::read_to_string(root.join(path)) {
                Ok(text) => Some(text),
                Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
            };
            if let Some(what) = difference(have.as_deref(), want) {
                drift.push(Drift { path: path.clone(), what });
            }
        }
        for folder in &self.folders {
            for path in list(&root.join(folder))? {
                let path = path.strip_prefix(root).unwrap_or(&path).to_owned();
                if !self.texts.contains_key(&path) {
                    drift.push(Drift { path, what: "is not generated any more".to_owned() });
                }
            }
        }
        Ok(drift)
    }
}

/// One file that is not as generated.
#[derive(Debug)]
pub struct Drift {
    /// From the root.
    pub path: PathBuf,
    /// The first difference, as in a diff.
    pub what: String,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

fn difference(have: Option<&str>, want: &str) -> Option<String> {
    let Some(have) = have else { return Some("is missing".to_owned()) };
    if have == want {
        return None;
    }
    let (mut old, mut new) = (have.lines(), want.lines());
    for number in 1.. {
        let (old, new) = (old.next(), new.next());
        if old != new {
            let line =
                |sign: char, text: Option<&str>| text.map(|t| format!("\n  {sign} {t}")).unwrap_or_default();
            return Some(format!("line {number}{}{}", line('-', old), line('+', new)));
        }
        if old.is_none() {
            break;
        }
    }
    Some("line ends differ".to_owned())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(e) => return Err(e).with_context(|| format!("reading {}", folder.display())),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(list(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_first_line() {
        assert_eq!(difference(Some("a\nb\n"), "a\nb\n"), None);
        assert_eq!(difference(None, "a"), Some("is missing".to_owned()));
        assert_eq!(difference(Some("a\nb\n"), "a\nc\n"), Some("line 2\n  - b\n  + c".to_owned()));
        assert_eq!(difference(Some("a\n"), "a\nc\n"), Some("line 2\n  + c".to_owned()));
        assert_eq!(difference(Some("a\r\n"), "a\n"), Some("line ends differ".to_owned()));
    }

    #[test]
    fn writing_repairs_drift_and_removes_what_is_stale() {
        let root = std::env::temp_dir().join(format!("jmrtc-codegen-{}", std::process::id()));
        fs::create_dir_all(root.join("out/deep")).unwrap();
        fs::write(root.join("out/deep/stale.ts"), "x").unwrap();
        fs::write(root.join("out/old.ts"), "x").unwrap();
        let mut files = Files::in_folder("out");
        files.add("out/old.ts", "y".to_owned());
        files.add("out/new/file.ts", "z".to_owned());

        let paths: Vec<_> = files.drift(&root).unwrap().into_iter().map(|d| d.path).collect();
        assert_eq!(paths, ["out/new/file.ts", "out/old.ts", "out/deep/stale.ts"].map(PathBuf::from));
        assert_eq!(files.write(&root).unwrap(), paths);
        assert!(files.drift(&root).unwrap().is_empty());
        assert_eq!(fs::read_to_string(root.join("out/new/file.ts")).unwrap(), "z");
        fs::remove_dir_all(root).unwrap();
    }
}
