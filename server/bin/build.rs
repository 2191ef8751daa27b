//! Builds the demo page into the server: everything under demo/dist, if it has been built.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let demo = here.join("../../demo");
    let dist = demo.join("dist");
    let mut files = Vec::new();
    if dist.is_dir() {
        collect(&dist.canonicalize()?, "", &mut files)?;
    }
    // A path that is not there would make cargo run this again each time; its parent shows when it appears.
    let watched = [&dist, &demo].into_iter().find(|path| path.is_dir());
    println!("cargo::rerun-if-changed={}", watched.unwrap_or(&here.join("build.rs")).display());

    files.sort();
    let mut code = String::from("static FILES: &[File] = &[\n");
    for (path, file) in files {
        code += &format!("    File {{ path: {path:?}, content: include_bytes!({file:?}) }},\n");
    }
    code += "];\n";
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("demo_files.rs"), code)?;
    Ok(())
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name =
            entry.file_name().into_string().map_err(|name| format!("odd file name {}", name.display()))?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else {
            files.push((format!("{prefix}{name}"), entry.path()));
        }
    }
    Ok(())
}
