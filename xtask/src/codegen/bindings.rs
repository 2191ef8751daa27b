use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use uniffi::{GenerateOptions, TargetLanguage};

use super::Files;

const KOTLIN: &str = "bindings/generated/kotlin";
const SWIFT: &str = "bindings/generated/swift";

/// Builds the native library and reads its interface out of it.
pub(super) fn generate() -> Result<Files> {
    let library = build()?;
    let mut files = Files::in_folder(KOTLIN);
    files.merge(Files::in_folder(SWIFT));
    for (language, folder) in [(TargetLanguage::Kotlin, KOTLIN), (TargetLanguage::Swift, SWIFT)] {
        let out = env::temp_dir().join(format!("jmrtc-bindings-{}-{language:?}", std::process::id()));
        fs::create_dir_all(&out)?;
        let generated = uniffi::generate(GenerateOptions {
            languages: vec![language],
            source: library.clone().try_into().context("the library's path is not UTF-8")?,
            out_dir: out.clone().try_into().context("the temporary folder's path is not UTF-8")?,
            // Else every dependency for every platform would have to be downloaded.
            metadata_no_deps: true,
            ..GenerateOptions::default()
        })
        .and_then(|()| read(&out, &out, Path::new(folder), &mut files));
        fs::remove_dir_all(&out)?;
        generated?;
    }
    Ok(files)
}

fn build() -> Result<PathBuf> {
    let output = crate::cargo()
        // The whole workspace's: with --package the dependencies' features would differ, and all be built again.
        .args(["build", "--quiet", "--workspace", "--lib", "--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo build")?;
    if !output.status.success() {
        bail!("the native library does not build");
    }
    let file_name = format!("{}jmrtc{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    for message in cargo_metadata::Message::parse_stream(output.stdout.as_slice()) {
        if let cargo_metadata::Message::CompilerArtifact(artifact) = message?
            && let Some(library) = artifact.filenames.iter().find(|f| f.file_name() == Some(&file_name))
        {
            return Ok(library.clone().into());
        }
    }
    bail!("cargo built no {file_name}")
}

fn read(from: &Path, folder: &Path, to: &Path, files: &mut Files) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(from, &path, to, files)?;
        } else {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            files.add(to.join(path.strip_prefix(from)?), tidy(&text));
        }
    }
    Ok(())
}

/// Without white space at line ends: the generators leave some, which editors and `git diff --check` don't like.
fn tidy(text: &str) -> String {
    let mut tidy: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    tidy.truncate(tidy.trim_end().len());
    tidy + "\n"
}
