//! Generated files are as the Rust types would have them. (`bindings` needs the native library built:
//! `cargo xtask codegen --check` has it.)

#![allow(clippy::unwrap_used)]

use xtask::codegen::Part;

#[test]
fn schema_and_types_are_current() {
    let root = xtask::root();
    for part in [Part::Schema, Part::Ts] {
        let drift = part.generate(&root).unwrap().drift(&root).unwrap();
        let drift: Vec<_> = drift.iter().map(ToString::to_string).collect();
        assert!(drift.is_empty(), "run `cargo xtask codegen`:\n{}", drift.join("\n"));
    }
}
