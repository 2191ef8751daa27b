//! The default devices of a desktop, through cpal (ALSA, CoreAudio, WASAPI).
#![allow(clippy::wildcard_enum_match_arm)] // cpal's enums may grow.

use cpal::{
    BufferSize, Device as Card, ErrorKind, SampleFormat, SizedSample, Stream, StreamConfig,
    SupportedBufferSize, SupportedStreamConfig, SupportedStreamConfigRange,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use super::Device;
use crate::{
    AudioError, SAMPLE_RATE,
    ring::{CaptureHalf, LineHandle, PlaybackHalf, Sample},
};

/// The default devices.
pub(super) struct Desktop {
    capture: Option<Stream>,
    playback: Option<Stream>,
    /// A driver that refused our buffer size is asked for its own from then on.
    own_buffer: bool,
}

impl Desktop {
    pub(super) const fn new() -> Self {
        Self { capture: None, playback: None, own_buffer: false }
    }

    fn config(&self, chosen: &SupportedStreamConfig) -> StreamConfig {
        let wanted = chosen.sample_rate() / 100;
        let buffer_size = match chosen.buffer_size() {
            SupportedBufferSize::Range { min, max }
                if !self.own_buffer && (*min..=*max).contains(&wanted) =>
            {
                BufferSize::Fixed(wanted)
            }
            SupportedBufferSize::Range { .. } | SupportedBufferSize::Unknown => BufferSize::Default,
        };
        StreamConfig { buffer_size, ..chosen.config() }
    }

    fn started(&mut self, stream: Result<Stream, cpal::Error>) -> Result<Stream, AudioError> {
        let stream = stream.and_then(|stream| stream.play().map(|()| stream));
        stream.map_err(|why| {
            self.own_buffer = true;
            failed(&why)
        })
    }
}

impl Device for Desktop {
    fn check(&mut self) -> Result<(), AudioError> {
        loudspeaker()?;
        microphone()?;
        Ok(())
    }

    fn open_capture(&mut self, mut half: CaptureHalf) -> Result<(), AudioError> {
        let (card, chosen) = microphone()?;
        let config = self.config(&chosen);
        half.set_rate(config.sample_rate);
        log::info!("microphone {card}: {config:?} {}", chosen.sample_format());
        let stream = match chosen.sample_format() {
            SampleFormat::F32 => hear::<f32>(&card, config, half),
            SampleFormat::I16 => hear::<i16>(&card, config, half),
            SampleFormat::I32 => hear::<i32>(&card, config, half),
            SampleFormat::U8 => hear::<u8>(&card, config, half),
            format => return Err(AudioError::Device(format!("samples of {format}"))),
        };
        self.capture = Some(self.started(stream)?);
        Ok(())
    }

    fn close_capture(&mut self) {
        self.capture = None;
    }

    fn open_playback(&mut self, mut half: PlaybackHalf) -> Result<(), AudioError> {
        let (card, chosen) = loudspeaker()?;
        let config = self.config(&chosen);
        half.set_rate(config.sample_rate);
        log::info!("loudspeaker {card}: {config:?} {}", chosen.sample_format());
        let stream = match chosen.sample_format() {
            SampleFormat::F32 => play::<f32>(&card, config, half),
            SampleFormat::I16 => play::<i16>(&card, config, half),
            SampleFormat::I32 => play::<i32>(&card, config, half),
            SampleFormat::U8 => play::<u8>(&card, config, half),
            format => return Err(AudioError::Device(format!("samples of {format}"))),
        };
        self.playback = Some(self.started(stream)?);
        Ok(())
    }

    fn close_playback(&mut self) {
        self.playback = None;
    }
}

fn hear<S: Sample + SizedSample>(
    card: &Card,
    config: StreamConfig,
    mut half: CaptureHalf,
) -> Result<Stream, cpal::Error> {
    let channels = config.channels.into();
    let lost = half.handle();
    card.build_input_stream(
        config,
        move |data: &[S], _| half.write(data, channels),
        move |why| report(&why, &lost),
        None,
    )
}

fn play<S: Sample + SizedSample>(
    card: &Card,
    config: StreamConfig,
    mut half: PlaybackHalf,
) -> Result<Stream, cpal::Error> {
    let channels = config.channels.into();
    let lost = half.handle();
    card.build_output_stream(
        config,
        move |data: &mut [S], _| half.read(data, channels),
        move |why| report(&why, &lost),
        None,
    )
}

/// What a running stream complains of.
fn report(why: &cpal::Error, lost: &LineHandle) {
    // Whatever is not known to be harmless is answered by opening the device again.
    match why.kind() {
        ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied | ErrorKind::Xrun => log::debug!("{why}"),
        _ => {
            log::warn!("device lost: {why}");
            lost.lost();
        }
    }
}

fn microphone() -> Result<(Card, SupportedStreamConfig), AudioError> {
    let card = cpal::default_host()
        .default_input_device()
        .ok_or_else(|| AudioError::Device("there is no microphone".into()))?;
    let default = card.default_input_config().map_err(|why| failed(&why))?;
    let ranges = card.supported_input_configs().map_err(|why| failed(&why))?;
    let chosen = choose(default, ranges);
    Ok((card, chosen))
}

fn loudspeaker() -> Result<(Card, SupportedStreamConfig), AudioError> {
    let card = cpal::default_host()
        .default_output_device()
        .ok_or_else(|| AudioError::Device("there is no loudspeaker".into()))?;
    let default = card.default_output_config().map_err(|why| failed(&why))?;
    let ranges = card.supported_output_configs().map_err(|why| failed(&why))?;
    let chosen = choose(default, ranges);
    Ok((card, chosen))
}

/// 48 kHz in a format that we know and the usual number of channels, where the device has it; else its default.
fn choose(
    default: SupportedStreamConfig,
    ranges: impl Iterator<Item = SupportedStreamConfigRange>,
) -> SupportedStreamConfig {
    let formats = [SampleFormat::F32, SampleFormat::I16, SampleFormat::I32, SampleFormat::U8];
    let rank = |range: &SupportedStreamConfigRange| {
        formats.iter().position(|format| *format == range.sample_format())
    };
    ranges
        .filter(|range| range.contains_rate(SAMPLE_RATE))
        .filter_map(|range| rank(&range).map(|rank| (range, rank)))
        .min_by_key(|(range, rank)| (range.channels() != default.channels(), range.channels(), *rank))
        .map_or(default, |(range, _)| range.with_sample_rate(SAMPLE_RATE))
}

fn failed(why: &cpal::Error) -> AudioError {
    AudioError::Device(why.to_string())
}
