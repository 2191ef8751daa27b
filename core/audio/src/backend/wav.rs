//! A sound card over WAV files.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::paced::{Heard, Paced, World};
use crate::{AudioError, FRAME, SAMPLE_RATE, resample::Resampler, ring::Sample, stats::Began};

/// 5 ms, like the sound card of a phone.
const PERIOD: usize = 240;
/// The end is told when the last word has gone out, which takes a frame to fill.
const TAIL: usize = 2 * FRAME;
/// Samples after which the file on the disk is made whole: whatever kills the process, a second is lost at most.
const FLUSH_EVERY: usize = SAMPLE_RATE as usize;

/// A card that hears `play` and writes what it plays to `record`.
pub(super) fn device(
    play: Option<PathBuf>,
    record: Option<PathBuf>,
    repeat: bool,
    began: Arc<Began>,
) -> Paced<impl World> {
    Paced::new(
        PERIOD,
        Files {
            play,
            record,
            repeat,
            began,
            sound: None,
            position: None,
            told: false,
            writer: None,
            unflushed: 0,
        },
    )
}

struct Files {
    play: Option<PathBuf>,
    record: Option<PathBuf>,
    repeat: bool,
    began: Arc<Began>,
    /// Of `play`, once read.
    sound: Option<Vec<f32>>,
    /// The next sample to be heard; `None` until something is sent.
    position: Option<usize>,
    told: bool,
    writer: Option<WavWriter<BufWriter<File>>>,
    unflushed: usize,
}

impl Files {
    fn load(&mut self) -> Result<(), AudioError> {
        if let (None, Some(path)) = (&self.sound, &self.play) {
            self.sound = Some(read(path)?);
        }
        Ok(())
    }

    fn create(&mut self) -> Result<(), AudioError> {
        if let (None, Some(path)) = (&self.writer, &self.record) {
            let spec = WavSpec {
                channels: 1,
                sample_rate: SAMPLE_RATE,
                bits_per_sample: 16,
                sample_format: SampleFormat::Int,
            };
            let mut writer = WavWriter::create(path, spec).map_err(|why| failed(path, &why))?;
            writer.flush().map_err(|why| failed(path, &why))?;
            self.writer = Some(writer);
        }
        Ok(())
    }

    fn flush(&mut self) {
        self.unflushed = 0;
        if let Some(writer) = &mut self.writer
            && let Err(why) = writer.flush()
        {
            log::error!("recording stops: {why}");
            self.writer = None;
            // Not to be begun again over what there is.
            self.record = None;
        }
    }
}

impl World for Files {
    fn check(&mut self) -> Result<(), AudioError> {
        self.load()?;
        self.create()
    }

    fn capture_opened(&mut self) -> Result<(), AudioError> {
        (self.position, self.told) = (None, false);
        self.load()
    }

    fn capture_closed(&mut self) {}

    fn playback_opened(&mut self) -> Result<(), AudioError> {
        self.create()
    }

    fn hear(&mut self, live: bool, into: &mut [f32]) -> Heard {
        into.fill(0.0);
        let Some(sound) = self.sound.as_deref().filter(|sound| !sound.is_empty()) else {
            return Heard::Sound;
        };
        if self.position.is_none() && live {
            self.began.play(Duration::from_secs_f64(into.len() as f64 / f64::from(SAMPLE_RATE)));
            self.position = Some(0);
        }
        let Some(position) = &mut self.position else { return Heard::Sound };
        if self.repeat {
            for sample in into {
                *sample = sound[*position];
                *position = (*position + 1) % sound.len();
            }
            return Heard::Sound;
        }
        let rest = sound.get(*position..).unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        *position = position.saturating_add(into.len());
        let over = !self.told && *position >= sound.len() + TAIL;
        self.told |= over;
        if over { Heard::Over } else { Heard::Sound }
    }

    fn play(&mut self, sound: &[f32]) {
        let Some(writer) = &mut self.writer else { return };
        self.began.record();
        for sample in sound {
            if let Err(why) = writer.write_sample(i16::from_f32(*sample)) {
                log::error!("recording stops: {why}");
                (self.writer, self.record) = (None, None);
                return;
            }
        }
        self.unflushed += sound.len();
        if self.unflushed >= FLUSH_EVERY {
            self.flush();
        }
    }

    fn playback_closed(&mut self) {
        self.flush();
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take()
            && let Err(why) = writer.finalize()
        {
            log::error!("recording not finished: {why}");
        }
    }
}

fn failed(path: &Path, why: &hound::Error) -> AudioError {
    AudioError::File { path: path.to_owned(), why: why.to_string() }
}

/// The sound in a WAV file, as 48 kHz mono.
fn read(path: &Path) -> Result<Vec<f32>, AudioError> {
    let failed = |why: hound::Error| failed(path, &why);
    let broken = |why: &str| AudioError::File { path: path.to_owned(), why: why.into() };
    let reader = WavReader::open(path).map_err(failed)?;
    let spec = reader.spec();
    if spec.channels == 0 || !(4_000..=384_000).contains(&spec.sample_rate) {
        return Err(broken(&format!("has {} channels at {} Hz", spec.channels, spec.sample_rate)));
    }
    let samples: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().collect::<Result<_, _>>().map_err(failed)?,
        SampleFormat::Int => {
            let full = 2.0f32.powi(i32::from(spec.bits_per_sample) - 1);
            let samples = reader.into_samples::<i32>().map(|s| s.map(|s| s as f32 / full));
            samples.collect::<Result<_, _>>().map_err(failed)?
        }
    };
    let mono: Vec<f32> = samples
        .chunks_exact(spec.channels.into())
        .map(|frame| frame.iter().map(|s| s.to_f32()).sum::<f32>() / f32::from(spec.channels))
        .collect();
    if mono.is_empty() {
        return Err(broken("has no sound in it"));
    }
    if spec.sample_rate == SAMPLE_RATE {
        return Ok(mono);
    }
    let mut out = Vec::with_capacity(mono.len() * SAMPLE_RATE as usize / spec.sample_rate as usize + 1);
    Resampler::new(spec.sample_rate, SAMPLE_RATE).process(&mono, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Temp(PathBuf);

    impl Temp {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("jmrtc-wav-{}-{name}.wav", std::process::id())))
        }

        fn write<S: hound::Sample + Copy>(
            &self,
            rate: u32,
            channels: u16,
            bits: u16,
            format: SampleFormat,
            samples: &[S],
        ) {
            let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
            let mut writer = WavWriter::create(&self.0, spec).unwrap();
            samples.iter().for_each(|s| writer.write_sample(*s).unwrap());
            writer.finalize().unwrap();
        }
    }

    impl Drop for Temp {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn files(play: Option<&Temp>, record: Option<&Temp>, repeat: bool) -> Files {
        Files {
            play: play.map(|t| t.0.clone()),
            record: record.map(|t| t.0.clone()),
            repeat,
            began: Arc::default(),
            sound: None,
            position: None,
            told: false,
            writer: None,
            unflushed: 0,
        }
    }

    fn ramp() -> Vec<i16> {
        (0..30_000).map(|i| (i * 7919 % 65_536 - 32_768) as i16).collect()
    }

    #[test]
    fn every_sample_of_a_48_khz_file_is_heard_and_recorded_as_it_is() {
        let (play, record) = (Temp::new("exact-in"), Temp::new("exact-out"));
        play.write(SAMPLE_RATE, 1, 16, SampleFormat::Int, &ramp());
        let mut card = files(Some(&play), Some(&record), false);
        card.check().unwrap();
        card.capture_opened().unwrap();
        card.playback_opened().unwrap();
        let mut block = [1.0; 240];
        assert_eq!(card.hear(false, &mut block), Heard::Sound);
        assert_eq!(block, [0.0; 240], "it waits until something is sent");
        let mut done = Vec::new();
        for i in 0..140 {
            // Muted in between: it runs on.
            if card.hear(i % 10 != 5, &mut block) == Heard::Over {
                done.push(i);
            }
            card.play(&block);
        }
        assert_eq!(done, [132], "the end is told once, two frames after");
        drop(card);
        let heard: Vec<i16> =
            WavReader::open(&record.0).unwrap().into_samples().map(Result::unwrap).collect();
        assert_eq!(heard.len(), 140 * 240);
        assert_eq!(heard[..30_000], ramp());
        assert!(heard[30_000..].iter().all(|s| *s == 0), "then silence");
    }

    #[test]
    fn a_newly_opened_microphone_hears_the_file_from_its_start_and_repeats_it_where_asked() {
        let play = Temp::new("repeat");
        play.write(SAMPLE_RATE, 1, 16, SampleFormat::Int, &ramp()[..100]);
        let mut card = files(Some(&play), None, true);
        card.capture_opened().unwrap();
        let mut block = [0.0; 240];
        for _ in 0..3 {
            assert_eq!(card.hear(true, &mut block), Heard::Sound);
        }
        assert_eq!(block[0], f32::from(ramp()[480 % 100]) / 32_768.0);
        card.capture_opened().unwrap();
        assert_eq!(card.hear(true, &mut block), Heard::Sound);
        assert_eq!(block[0], f32::from(ramp()[0]) / 32_768.0);
        assert_eq!(block[100], block[0]);
    }

    #[test]
    fn any_rate_format_and_number_of_channels_is_read() {
        let temp = Temp::new("formats");
        let tone = |rate: u32| (0..rate).map(move |i| 0.5 * (i as f32 * 2_764.6 / rate as f32).sin());
        for rate in [8_000, 16_000, 22_050, 44_100, 48_000, 96_000] {
            let stereo: Vec<i16> = tone(rate).flat_map(|s| [(s * 32_767.0) as i16; 2]).collect();
            temp.write(rate, 2, 16, SampleFormat::Int, &stereo);
            let sound = read(&temp.0).unwrap();
            assert!(sound.len().abs_diff(48_000) < 200, "{rate}: {}", sound.len());
            assert_eq!(crate::level::level(&sound[4_800..43_200]), 9, "{rate}");
        }
        temp.write(16_000, 1, 32, SampleFormat::Float, &tone(16_000).collect::<Vec<f32>>());
        assert_eq!(crate::level::level(&read(&temp.0).unwrap()), 9);
        temp.write(
            16_000,
            1,
            24,
            SampleFormat::Int,
            &tone(16_000).map(|s| (s * 8_388_607.0) as i32).collect::<Vec<_>>(),
        );
        assert_eq!(crate::level::level(&read(&temp.0).unwrap()), 9);
        temp.write(
            16_000,
            1,
            8,
            SampleFormat::Int,
            &tone(16_000).map(|s| (s * 127.0) as i8).collect::<Vec<_>>(),
        );
        assert_eq!(crate::level::level(&read(&temp.0).unwrap()), 9);
    }

    #[test]
    fn a_broken_file_is_refused_with_its_name() {
        let temp = Temp::new("broken");
        let refused = |what: &str| {
            let why = read(&temp.0).expect_err(what).to_string();
            assert!(why.starts_with(&temp.0.display().to_string()), "{why}");
        };
        temp.write::<i16>(48_000, 1, 16, SampleFormat::Int, &[]);
        refused("empty");
        temp.write(100, 1, 16, SampleFormat::Int, &[1i16, 2]);
        refused("odd rate");
        temp.write(48_000, 1, 16, SampleFormat::Int, &ramp());
        let whole = std::fs::read(&temp.0).unwrap();
        std::fs::write(&temp.0, &whole[..whole.len() / 2]).unwrap();
        refused("cut off");
        std::fs::write(&temp.0, &whole[..20]).unwrap();
        refused("header cut off");
        std::fs::write(&temp.0, vec![0x55; 5_000]).unwrap();
        refused("no WAV");
        std::fs::remove_file(&temp.0).unwrap();
        refused("missing");
    }
}
