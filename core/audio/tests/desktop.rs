//! The desktop backend against ALSA's own virtual devices; sound cards are not needed.
#![cfg(all(feature = "desktop", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

use std::{
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use jmrtc_audio::{Audio, AudioConfig, AudioEvent, AudioStats, Backend, Posture};

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the ignored test `name` of this file in a process of its own, in which ALSA is configured by `config` alone.
fn with_alsa(config: &str, name: &str) {
    let path = std::env::temp_dir().join(format!("jmrtc-alsa-{}-{name}.conf", std::process::id()));
    std::fs::write(&path, config).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", name])
        .env("ALSA_CONFIG_PATH", &path)
        .output()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn spawn() -> (Audio, mpsc::Receiver<AudioEvent>) {
    let (sender, events) = mpsc::channel();
    let audio = Audio::spawn(AudioConfig { backend: Backend::Device, slots: 1 }, move |event| {
        let _ = sender.send(event);
    });
    (audio.unwrap(), events)
}

fn wait_for(audio: &Audio, what: &str, condition: impl Fn(&AudioStats) -> bool) {
    let start = Instant::now();
    while !condition(&audio.stats()) {
        assert!(start.elapsed() < PATIENCE, "{what}: {:?}", audio.stats());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_device_is_opened_and_closed() {
    with_alsa("pcm.!default { type null }\nctl.!default { type null }\n", "open_and_close");
}

#[test]
#[ignore = "run by a_device_is_opened_and_closed"]
fn open_and_close() {
    let (audio, events) = spawn();
    audio.prepare();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(AudioEvent::Ready));
    for _ in 0..2 {
        audio.set(Posture { play: true, ..Posture::default() });
        wait_for(&audio, "only the loudspeaker", |s| s.playing && !s.capturing);
        audio.set(Posture { capture: true, send: true, play: true });
        wait_for(&audio, "both", |s| s.playing && s.capturing);
        let frame = events.recv_timeout(PATIENCE);
        assert!(matches!(frame, Ok(AudioEvent::Frame(f)) if f.level == 127), "the null device hears nothing");
        audio.set(Posture::default());
        wait_for(&audio, "none", |s| !s.playing && !s.capturing);
        while events.try_recv().is_ok() {}
    }
}

#[test]
fn a_missing_device_is_told() {
    with_alsa("# nothing\n", "missing");
}

#[test]
#[ignore = "run by a_missing_device_is_told"]
fn missing() {
    let (audio, events) = spawn();
    audio.prepare();
    let event = events.recv_timeout(PATIENCE);
    assert!(matches!(&event, Ok(AudioEvent::Failed { why }) if !why.is_empty()), "{event:?}");
}
