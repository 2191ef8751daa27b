//! People and misfortunes as libFuzzer chooses them; `tests/corpus.rs` replays the corpus.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let played = jmrtc_sim::play_bytes(bytes);
    if let Err(what) = played.result {
        panic!("{what}\n{}", played.plan);
    }
});
