//! People and misfortunes as libFuzzer chooses them; `tests/corpus.rs` plays what it has found.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = jmrtc_sim::fuzz(bytes);
});
