//! `cargo xtask wasm`: the call machine for browsers, into `www/wasm`.

use std::path::Path;

use anyhow::{Context, Result, ensure};

const TARGET: &str = "wasm32-unknown-unknown";

/// Compiles `bindings/wasm` with the `wasm` profile and writes its module and JavaScript glue.
pub(crate) fn run(root: &Path) -> Result<()> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let status = xtask::cargo()
        .args(["build", "--quiet", "--package", "jmrtc-wasm", "--target", TARGET, "--profile", "wasm"])
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "jmrtc-wasm did not build; is the target there? rustup target add {TARGET}");
    let module = metadata.target_directory.join(TARGET).join("wasm").join("jmrtc_wasm.wasm");
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen
        .input_path(module.as_std_path())
        .web(true)?
        .omit_default_module_path(true)
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true);
    bindgen.generate(root.join("www/wasm"))
}
