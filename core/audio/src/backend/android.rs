//! Android's sound, through Oboe: AAudio, on older systems OpenSL ES.
#![allow(unsafe_code)]

use oboe::{
    AudioApi, AudioInputCallback, AudioInputStreamSafe, AudioOutputCallback, AudioOutputStreamSafe,
    AudioStream, AudioStreamAsync, AudioStreamBase, AudioStreamBuilder, AudioStreamSafe, ContentType,
    DataCallbackResult, DefaultStreamValues, Error, Input, InputPreset, Mono, Output, PerformanceMode,
    SharingMode, Usage,
};

use super::Device;
use crate::{
    AudioError,
    ring::{CaptureHalf, LineHandle, PlaybackHalf},
};

/// From this system on AAudio can be told that it is for a call, without which it would cancel no echo.
const AAUDIO_KNOWS_CALLS: i32 = 28;
/// `Process.THREAD_PRIORITY_AUDIO`.
const AUDIO_PRIORITY: i32 = -16;

/// The devices to which the system routes calls.
pub(super) struct Phone {
    capture: Option<AudioStreamAsync<Input, Microphone>>,
    playback: Option<AudioStreamAsync<Output, Loudspeaker>>,
}

impl Phone {
    pub(super) const fn new() -> Self {
        Self { capture: None, playback: None }
    }
}

/// Of a call. The rate is the device's own: another one would cost the fast path.
fn builder() -> AudioStreamBuilder<Output, Mono, i16> {
    // SAFETY: it reads a property of the system.
    let system = unsafe { oboe_sys::oboe_getSdkVersion() };
    let api = if system < AAUDIO_KNOWS_CALLS { AudioApi::OpenSLES } else { AudioApi::Unspecified };
    AudioStreamBuilder::default()
        .set_audio_api(api)
        .set_performance_mode(PerformanceMode::LowLatency)
        .set_sharing_mode(SharingMode::Shared)
        .set_usage(Usage::VoiceCommunication)
        .set_content_type(ContentType::Speech)
        .set_i16()
        .set_mono()
}

impl Device for Phone {
    fn check(&mut self) -> Result<(), AudioError> {
        let loudspeaker = builder().set_callback(Nobody).open_stream();
        loudspeaker.map(drop).map_err(failed)
    }

    fn open_capture(&mut self, half: CaptureHalf) -> Result<(), AudioError> {
        let line = half.handle();
        let mut stream = builder()
            .set_input()
            .set_input_preset(InputPreset::VoiceCommunication)
            .set_callback(Microphone(half))
            .open_stream()
            .map_err(failed)?;
        begin("microphone", &mut stream, &line)?;
        self.capture = Some(stream);
        Ok(())
    }

    fn close_capture(&mut self) {
        self.capture = None;
    }

    fn open_playback(&mut self, half: PlaybackHalf) -> Result<(), AudioError> {
        let line = half.handle();
        let mut stream = builder().set_callback(Loudspeaker(half)).open_stream().map_err(failed)?;
        // Two bursts are the least that plays without gaps; 10 ms forgive a callback that comes late. It can't grow with
        // need later on: to ask for underruns takes a lock.
        let buffer = (2 * stream.get_frames_per_burst()).max(stream.get_sample_rate() / 100);
        if let Err(why) = stream.set_buffer_size_in_frames(buffer) {
            log::debug!("the loudspeaker keeps its own buffer: {why}");
        }
        begin("loudspeaker", &mut stream, &line)?;
        self.playback = Some(stream);
        Ok(())
    }

    fn close_playback(&mut self) {
        self.playback = None;
    }
}

struct Microphone(CaptureHalf);

impl AudioInputCallback for Microphone {
    type FrameType = (i16, Mono);

    fn on_audio_ready(&mut self, _: &mut dyn AudioInputStreamSafe, heard: &[i16]) -> DataCallbackResult {
        self.0.write(heard, 1);
        DataCallbackResult::Continue
    }

    /// Another route, or the system's sound was started anew. On a thread of its own.
    fn on_error_after_close(&mut self, _: &mut dyn AudioInputStreamSafe, why: Error) {
        log::warn!("microphone lost: {why}");
        self.0.handle().lost();
    }
}

struct Loudspeaker(PlaybackHalf);

impl AudioOutputCallback for Loudspeaker {
    type FrameType = (i16, Mono);

    fn on_audio_ready(
        &mut self,
        _: &mut dyn AudioOutputStreamSafe,
        wanted: &mut [i16],
    ) -> DataCallbackResult {
        self.0.read(wanted, 1);
        DataCallbackResult::Continue
    }

    fn on_error_after_close(&mut self, _: &mut dyn AudioOutputStreamSafe, why: Error) {
        log::warn!("loudspeaker lost: {why}");
        self.0.handle().lost();
    }
}

/// Of a stream that is never started.
struct Nobody;

impl AudioOutputCallback for Nobody {
    type FrameType = (i16, Mono);

    fn on_audio_ready(
        &mut self,
        _: &mut dyn AudioOutputStreamSafe,
        wanted: &mut [i16],
    ) -> DataCallbackResult {
        wanted.fill(0);
        DataCallbackResult::Stop
    }
}

/// Starts a stream once its line knows the rate.
fn begin(what: &str, stream: &mut impl AudioStream, line: &LineHandle) -> Result<(), AudioError> {
    let rate = stream.get_sample_rate();
    let known = u32::try_from(rate).ok().filter(|rate| *rate > 0);
    line.set_rate(known.ok_or_else(|| AudioError::Device(format!("{rate} Hz")))?);
    log::info!("{what}: {rate} Hz, {:?}", stream.get_audio_api());
    stream.start().map_err(failed)
}

fn failed(why: Error) -> AudioError {
    AudioError::Device(why.to_string())
}

/// Says that [`ndk_context`](https://docs.rs/ndk-context) has the application's context: systems before Android 8 tell the
/// loudspeaker's own rate and buffer only by way of Java, and without them nothing is fast.
///
/// # Errors
/// Java's side fails; sound works all the same, later.
pub fn context_given() -> Result<(), String> {
    DefaultStreamValues::init()
}

pub(super) fn hurry() {
    if let Err(why) = rustix::process::setpriority_process(None, AUDIO_PRIORITY) {
        log::debug!("the audio thread has no priority: {why}");
    }
}
