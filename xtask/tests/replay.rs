//! `cargo xtask replay` on a good and on a changed transcript.
#![allow(clippy::unwrap_used)]

use std::fs;

use jmrtc_call::transcript::Recorder;
use jmrtc_call::{Config, Input, Memory, Timestamp};
use jmrtc_protocol::{Device, Platform};
use serde_json::Value;

#[test]
fn a_changed_output_is_found_where_it_is() {
    let device = Device { id: "d".to_owned(), platform: Platform::Native };
    let mut recorder = Recorder::new(Config { seed: 1, device, server_url: None, memory: Memory::default() });
    for id in 1..=3 {
        let command = Input::Command { id, method: "isMuted".to_owned(), args: Value::Null };
        assert!(!recorder.handle(Timestamp(id * 10), command).is_empty());
    }
    let text = recorder.take_lines().join("\n");
    let file = std::env::temp_dir().join(format!("jmrtc-replay-{}.jsonl", std::process::id()));

    fs::write(&file, &text).unwrap();
    assert_eq!(xtask::replay::replay(&file).unwrap(), 3);

    assert_eq!(text.matches("NOT_INITIALIZED").count(), 3);
    let line = text.lines().nth(2).unwrap();
    fs::write(&file, text.replace(line, &line.replace("NOT_INITIALIZED", "NETWORK"))).unwrap();
    let why = xtask::replay::replay(&file).unwrap_err().to_string();
    assert!(why.contains("line 3: output 0\n  written: ") && why.contains("NETWORK"), "{why}");

    fs::remove_file(&file).unwrap();
    let why = format!("{:#}", xtask::replay::replay(&file).unwrap_err());
    assert!(why.contains("reading"), "{why}");
}
