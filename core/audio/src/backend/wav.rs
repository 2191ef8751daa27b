//! A sound card over WAV files.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::paced::{Paced, World};
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
    Paced::new(PERIOD, Files { play, record, repeat, began, sound: None, position: None, told: false, writer: None, unflushed: 0 })
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

    fn playback_opened(&mut self) -> Result<(), AudioError> {
        self.create()
    }

    fn hear(&mut self, live: bool, into: &mut [f32]) -> bool {
        into.fill(0.0);
        let Some(sound) = self.sound.as_deref().filter(|sound| !sound.is_empty()) else { return false };
        if self.position.is_none() && live {
            self.began.play(Duration::from_secs_f64(into.len() as f64 / f64::from(SAMPLE_RATE)));
            self.position = Some(0);
        }
        let Some(position) = &mut self.position else { return false };
        if self.repeat {
            for sample in into {
                *sample = sound[*position];
                *position = (*position + 1) % sound.len();
            }
            return false;
        }
        let rest = sound.get(*position..).unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        *position = position.saturating_add(into.len());
        let over = !self.told && *position >= sound.len() + TAIL;
        self.told |= over;
        over
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
