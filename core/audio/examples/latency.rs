//! How long sound takes from the microphone to the loudspeaker when the network takes no time: one endpoint on a virtual
//! sound card hears its own frames. `cargo run --release -p jmrtc-audio --example latency [seconds]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../src/signal.rs"]
#[allow(dead_code)]
mod signal;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use jmrtc_audio::{Audio, AudioConfig, AudioEvent, Backend, Posture, RtpFrame, SAMPLE_RATE};

fn main() {
    let seconds: f32 = std::env::args().nth(1).map_or(10.0, |s| s.parse().unwrap());
    let folder = std::env::temp_dir();
    let (play, record) = (folder.join("jmrtc-latency-in.wav"), folder.join("jmrtc-latency-out.wav"));
    let sound = signal::speech(seconds);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&play, spec).unwrap();
    sound.iter().for_each(|s| writer.write_sample((s * 32_767.0) as i16).unwrap());
    writer.finalize().unwrap();

    let (sender, events) = mpsc::channel();
    let backend = Backend::Wav { play: Some(play), record: Some(record.clone()), repeat: false };
    let audio = Audio::spawn(AudioConfig { backend, slots: 1 }, move |event| {
        let _ = sender.send((Instant::now(), event));
    })
    .unwrap();
    audio.prepare();
    audio.set(Posture { capture: true, send: true, play: true });
    let mut sequence = 0u16;
    loop {
        match events.recv().unwrap() {
            (arrival, AudioEvent::Frame(frame)) => {
                let (timestamp, marker) = (frame.timestamp, frame.marker);
                let payload = frame.payload.into();
                audio.receive(0, RtpFrame { sequence, timestamp, marker, payload, arrival });
                sequence = sequence.wrapping_add(1);
            }
            (_, AudioEvent::PlaybackDone) => break,
            (_, AudioEvent::Failed { why }) => panic!("{why}"),
            (_, AudioEvent::Ready) => {}
        }
    }
    std::thread::sleep(Duration::from_millis(200));
    let stats = audio.stats();
    drop(audio);

    let reader = hound::WavReader::open(record).unwrap();
    let heard: Vec<f32> = reader.into_samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0).collect();
    let shift = stats.record_began.unwrap().duration_since(stats.play_began.unwrap());
    let shift = shift.map_or_else(|e| -e.duration().as_secs_f64(), |d| d.as_secs_f64()) * 1000.0;
    let mut delays: Vec<f64> = (0..)
        .map(|i| i * 4_800)
        .take_while(|from| from + 24_000 < heard.len().min(sound.len()))
        .filter_map(|from| {
            let (lag, alike) = signal::best_match(&sound[from..from + 7_200], &heard[from..], 16_000);
            (alike > 0.8).then_some(lag as f64 / 48.0 + shift)
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    println!(
        "microphone to loudspeaker, ms: min {:.1}, p50 {:.1}, p95 {:.1}, max {:.1}",
        at(0.0),
        at(0.5),
        at(0.95),
        at(1.0)
    );
    println!("{stats:#?}");
}
