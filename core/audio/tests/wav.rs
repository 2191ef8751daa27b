//! The whole crate in real time, on virtual sound cards.
#![allow(clippy::unwrap_used)]

#[path = "../src/signal.rs"]
#[allow(dead_code)]
mod signal;

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use jmrtc_audio::{
    Audio, AudioConfig, AudioError, AudioEvent, AudioStats, Backend, EncodedFrame, FRAME, Plug, Posture,
    RtpFrame, SAMPLE_RATE,
};

const ALL: Posture = Posture { capture: true, send: true, play: true };
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that is removed in the end.
struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("jmrtc-audio-{}-{name}.wav", std::process::id())))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn write(path: &Path, rate: u32, channels: u16, sound: &[f32]) {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in sound {
        for _ in 0..channels {
            writer.write_sample((sample * 32_768.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
}

fn read(path: &Path) -> Vec<f32> {
    let reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (48_000, 1));
    reader.into_samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0).collect()
}

fn wav(play: Option<&Temp>, record: Option<&Temp>) -> AudioConfig {
    let path = |t: Option<&Temp>| t.map(|t| t.0.clone());
    AudioConfig { backend: Backend::Wav { play: path(play), record: path(record), repeat: false }, slots: 2 }
}

fn rtp(sequence: u16, frame: EncodedFrame) -> RtpFrame {
    RtpFrame {
        sequence,
        timestamp: frame.timestamp,
        marker: frame.marker,
        payload: frame.payload.into(),
        arrival: Instant::now(),
    }
}

fn spawn(config: AudioConfig) -> (Audio, Receiver<AudioEvent>) {
    let (sender, events) = mpsc::channel();
    let audio = Audio::spawn(config, move |event| {
        // The test may have heard enough.
        let _ = sender.send(event);
    });
    (audio.unwrap(), events)
}

/// Sends the frames of `audio` back into `slot` until `enough`; all frames.
fn loop_back(
    audio: &Audio,
    events: &Receiver<AudioEvent>,
    slot: usize,
    mut enough: impl FnMut(&AudioEvent) -> bool,
) -> Vec<EncodedFrame> {
    let start = Instant::now();
    let mut frames = Vec::new();
    loop {
        let event = events.recv_timeout(PATIENCE).unwrap();
        assert!(start.elapsed() < PATIENCE, "{} frames and no end", frames.len());
        let enough = enough(&event);
        if let AudioEvent::Frame(frame) = event {
            let sequence = 65_500u16.wrapping_add(frames.len() as u16);
            audio.receive(slot, rtp(sequence, frame.clone()));
            frames.push(frame);
        }
        if enough {
            return frames;
        }
    }
}

fn wait_for(audio: &Audio, what: &str, condition: impl Fn(&AudioStats) -> bool) -> AudioStats {
    let start = Instant::now();
    loop {
        let stats = audio.stats();
        if condition(&stats) {
            return stats;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {stats:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn speech_goes_round_in_real_time() {
    let (play, record) = (Temp::new("round-in"), Temp::new("round-out"));
    let sound = signal::speech(2.2);
    write(&play.0, SAMPLE_RATE, 1, &sound);
    let (audio, events) = spawn(wav(Some(&play), Some(&record)));
    audio.prepare();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(AudioEvent::Ready));
    audio.set(ALL);
    let mut after = 0;
    let frames = loop_back(&audio, &events, 1, |event| {
        after += u32::from(after > 0 || *event == AudioEvent::PlaybackDone);
        after > 10
    });
    let stats = wait_for(&audio, "statistics", |s| s.sent >= frames.len() as u64);
    drop(audio);

    assert!(frames[0].marker);
    for pair in frames.windows(2) {
        let step = (pair[1].timestamp - pair[0].timestamp) as usize;
        // On a machine that stood still for a while there is a gap, and it is marked.
        assert!(
            if pair[1].marker { step > FRAME && step.is_multiple_of(FRAME) } else { step == FRAME },
            "{step}"
        );
    }
    let loud = frames.iter().filter(|f| f.voice && f.level < 40).count();
    assert!((60..120).contains(&loud), "voice in {loud} of {} frames", frames.len());

    let heard = read(&record.0);
    let shift = {
        let (play, record) = (stats.play_began.unwrap(), stats.record_began.unwrap());
        let forth = record.duration_since(play).map_or(0.0, |d| d.as_secs_f64());
        forth - play.duration_since(record).map_or(0.0, |d| d.as_secs_f64())
    };
    let mut delays: Vec<(f64, f32)> = (10..20)
        .map(|tenth| {
            let from = tenth * 4_800;
            let (lag, alike) = signal::best_match(&sound[from..from + 7_200], &heard, heard.len() - 7_200);
            ((lag as f64 - from as f64) / 48.0 + shift * 1000.0, alike)
        })
        .filter(|(_, alike)| *alike > 0.8)
        .collect();
    delays.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(delays.len() >= 7, "{delays:?}");
    let median = delays[delays.len() / 2];
    println!("microphone to loudspeaker {:.1} ms (likeness {:.3})", median.0, median.1);
    println!("{stats:?}");
    assert!((30.0..150.0).contains(&median.0), "{delays:?}");
    assert_eq!(stats.slots[0].received, 0);
    assert!(stats.slots[1].received >= 100 && stats.capturing && stats.playing, "{stats:?}");
}

#[test]
fn nothing_is_sent_that_the_posture_forbids() {
    let (audio, events) = spawn(wav(None, None));
    let start = Instant::now();
    let mut last = None;
    for round in 0..6 {
        audio.set(Posture { capture: true, send: true, play: false });
        // Long enough for a few frames, the first of which is marked.
        for n in 0..3 {
            let Ok(AudioEvent::Frame(frame)) = events.recv_timeout(PATIENCE) else { panic!("no frame") };
            assert_eq!(frame.marker, n == 0, "round {round}");
            if let Some((last, at)) = last.replace((frame.timestamp, Instant::now())) {
                let passed = (frame.timestamp - last) as f64 / 48.0;
                let really = Instant::duration_since(&Instant::now(), at).as_secs_f64() * 1000.0;
                assert!((passed - really).abs() < 150.0, "{passed} ms by timestamp, {really} by the clock");
            }
        }
        if round % 2 == 0 {
            audio.set(Posture { capture: true, send: false, play: false });
        } else {
            audio.set(Posture::default());
        }
        // What had been handed out when `set` returned is in the channel by now.
        while events.try_recv().is_ok() {}
        let quiet = events.recv_timeout(Duration::from_millis(70));
        assert_eq!(quiet, Err(mpsc::RecvTimeoutError::Timeout), "round {round}");
        if round % 2 == 1 {
            wait_for(&audio, "the microphone is closed", |s| !s.capturing);
        }
    }
    // Toggled faster than anybody can look: whatever comes afterwards starts anew.
    audio.set(Posture { capture: true, send: true, play: false });
    assert!(matches!(events.recv_timeout(PATIENCE), Ok(AudioEvent::Frame(f)) if f.marker));
    for _ in 0..1000 {
        audio.set(Posture { capture: true, send: false, play: false });
        audio.set(Posture { capture: true, send: true, play: false });
    }
    while events.try_recv().is_ok() {}
    assert!(matches!(events.recv_timeout(PATIENCE), Ok(AudioEvent::Frame(_))));
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn what_arrives_before_consent_is_not_kept() {
    let record = Temp::new("consent");
    let (audio, _events) = spawn(wav(None, Some(&record)));
    let frame =
        EncodedFrame { timestamp: 0, marker: false, level: 0, voice: true, payload: vec![0x78, 1, 2, 3] };
    for sequence in 0..50 {
        audio.receive(0, rtp(sequence, frame.clone()));
    }
    audio.set(Posture { play: true, ..Posture::default() });
    wait_for(&audio, "the loudspeaker is open", |s| s.playing);
    audio.receive(0, rtp(50, frame));
    let stats = wait_for(&audio, "the packet", |s| s.slots[0].received > 0);
    assert_eq!(stats.slots[0].received, 1);
    assert!(!stats.capturing);
    audio.set(Posture::default());
    wait_for(&audio, "the loudspeaker is closed", |s| !s.playing);
}

#[test]
fn a_far_end_hears_its_echo() {
    let (audio, events) = spawn(AudioConfig { backend: Backend::Echo, slots: 1 });
    audio.set(ALL);
    let mut encoder = opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, opus::Application::Voip).unwrap();
    let sound = signal::speech(1.0);
    let mut loudest = 127;
    for (i, frame) in sound.chunks_exact(FRAME).enumerate() {
        // The microphone's frames are the clock.
        let Ok(AudioEvent::Frame(echo)) = events.recv_timeout(PATIENCE) else { panic!("no frame") };
        loudest = loudest.min(echo.level);
        let payload = encoder.encode_vec_float(frame, 1275).unwrap();
        let timestamp = (i * FRAME) as u32;
        let frame = EncodedFrame { timestamp, marker: i == 0, level: 0, voice: true, payload };
        audio.receive(0, rtp(i as u16, frame));
    }
    assert!(loudest < 30, "{loudest}");
}

#[test]
fn what_can_not_work_says_so() {
    let failure = |config: AudioConfig| {
        let (audio, events) = spawn(config);
        audio.prepare();
        let Ok(AudioEvent::Failed { why }) = events.recv_timeout(PATIENCE) else { panic!("no failure") };
        why
    };
    let missing = Temp::new("missing");
    assert!(failure(wav(Some(&missing), None)).contains("missing.wav"));
    let broken = Temp::new("broken");
    std::fs::write(&broken.0, b"RIFF this is no sound").unwrap();
    let why = failure(wav(Some(&broken), None));
    assert!(why.contains("broken.wav: "), "{why}");
    let nowhere = Temp(PathBuf::from("/nonexistent/folder/out.wav"));
    assert!(failure(wav(None, Some(&nowhere))).contains("/nonexistent/folder/out.wav: "));

    let spawned = Audio::spawn(AudioConfig { backend: Backend::Null(Plug::default()), slots: 0 }, |_| {});
    assert!(matches!(spawned, Err(AudioError::Config(_))), "{spawned:?}");
    if !cfg!(any(feature = "desktop", target_os = "android", target_os = "ios")) {
        let spawned = Audio::spawn(AudioConfig { backend: Backend::Device, slots: 1 }, |_| {});
        assert!(matches!(spawned, Err(AudioError::NoBackend)), "{spawned:?}");
    }
}

#[test]
fn a_microphone_that_is_unplugged_for_long_is_told_and_for_a_moment_is_not() {
    let plug = Plug::default();
    let (audio, events) = spawn(AudioConfig { backend: Backend::Null(plug.clone()), slots: 1 });
    let failed = |why: &str| Ok(AudioEvent::Failed { why: why.into() });
    plug.set(false);
    audio.prepare();
    assert_eq!(events.recv_timeout(PATIENCE), failed("audio device: there is no microphone"));
    plug.set(true);
    audio.prepare();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(AudioEvent::Ready));

    audio.set(Posture { capture: true, play: true, ..Posture::default() });
    wait_for(&audio, "open", |s| s.capturing && s.playing);
    plug.set(false);
    wait_for(&audio, "the microphone is gone", |s| !s.capturing);
    plug.set(true);
    let stats = wait_for(&audio, "it is back", |s| s.capturing);
    assert!(stats.playing, "{stats:?}");
    assert_eq!(stats.reopened, 1, "{stats:?}");
    assert!(events.try_recv().is_err(), "nobody hears of it");

    plug.set(false);
    assert_eq!(events.recv_timeout(PATIENCE), failed("microphone: audio device: there is no microphone"));
}

#[test]
fn a_microphone_that_can_not_be_opened_is_none_of_the_one_that_is_open() {
    let plug = Plug::default();
    let (audio, events) = spawn(AudioConfig { backend: Backend::Null(plug.clone()), slots: 1 });
    let failed = |why: &str| Ok(AudioEvent::Failed { why: why.into() });
    assert!(!plug.is_used());
    audio.set(Posture { capture: true, ..Posture::default() });
    wait_for(&audio, "open", |s| s.capturing);
    assert!(plug.is_used());

    plug.set_broken(true);
    assert!(plug.is_in() && !plug.works());
    audio.prepare();
    assert_eq!(events.recv_timeout(PATIENCE), failed("audio device: there is no microphone"));
    let stats = audio.stats();
    assert!(stats.capturing && stats.reopened == 0 && plug.is_used(), "{stats:?}");

    audio.set(Posture::default());
    wait_for(&audio, "closed", |s| !s.capturing);
    assert!(!plug.is_used());
    audio.set(Posture { capture: true, ..Posture::default() });
    assert_eq!(events.recv_timeout(PATIENCE), failed("microphone: audio device: there is no microphone"));
    assert!(!plug.is_used());
    plug.set_broken(false);
    wait_for(&audio, "opened after all", |s| s.capturing);
    assert!(plug.is_used());
}

#[test]
fn a_recording_is_whole_at_any_moment() {
    let record = Temp::new("whole");
    let (audio, events) = spawn(wav(None, Some(&record)));
    audio.prepare();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(AudioEvent::Ready));
    assert!(read(&record.0).is_empty(), "created and valid before the first sample");
    audio.set(Posture { play: true, ..Posture::default() });
    let start = Instant::now();
    while read(&record.0).len() < 48_000 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::park_timeout(Duration::from_millis(20));
    }
    audio.set(Posture::default());
    wait_for(&audio, "closed", |s| !s.playing);
    let closed = read(&record.0).len();
    audio.set(Posture { play: true, ..Posture::default() });
    wait_for(&audio, "opened again", |s| s.playing);
    drop(audio);
    assert!(read(&record.0).len() >= closed, "one file for all");
}
