//! iOS's sound: the Voice-Processing I/O unit, which cancels echo and levels the voice.
#![allow(unsafe_code)]

use std::{
    ffi::c_void,
    ptr::{NonNull, from_mut},
    slice,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use coreaudio::{
    Error,
    audio_unit::{
        AudioUnit, Element, IOType, SampleFormat, Scope, StreamFormat, audio_format::LinearPcmFlags,
    },
};
use objc2_audio_toolbox::{
    AURenderCallbackStruct, AudioUnit as RawUnit, AudioUnitAddPropertyListener, AudioUnitElement,
    AudioUnitPropertyID, AudioUnitRemovePropertyListenerWithUserData, AudioUnitRender,
    AudioUnitRenderActionFlags, AudioUnitScope, kAudioOutputUnitProperty_EnableIO,
    kAudioOutputUnitProperty_IsRunning, kAudioOutputUnitProperty_SetInputCallback,
    kAudioUnitErr_TooManyFramesToProcess, kAudioUnitProperty_SetRenderCallback,
    kAudioUnitProperty_StreamFormat,
};
use objc2_core_audio_types::{AudioBuffer, AudioBufferList, AudioTimeStamp};

use super::duplex::{Mouth, Unit};
use crate::{
    AudioError, SAMPLE_RATE,
    ring::{CaptureHalf, LineHandle},
};

/// More than the system ever hands over at once: 4,096 while the screen is locked.
const MOST_FRAMES: usize = 8_192;

/// Our side of the unit: it converts from and to whatever the hardware runs at.
const FORMAT: StreamFormat = StreamFormat {
    sample_rate: SAMPLE_RATE as f64,
    sample_format: SampleFormat::I16,
    flags: LinearPcmFlags::IS_SIGNED_INTEGER.union(LinearPcmFlags::IS_PACKED),
    channels: 1,
};

/// What `AVAudioSession` says while a telephone call or an alarm has the sound, and before the bridge has taken it:
/// it can't interrupt others, start recording, start playing, or has a lower priority.
const TAKEN: [&[u8; 4]; 4] = [b"!int", b"!rec", b"!pla", b"!pri"];

/// The unit while it runs.
pub(super) struct VoiceUnit {
    /// First, so that it has stopped before what it calls goes.
    unit: AudioUnit,
    ear: Option<Box<Ear>>,
    mouth: Box<Mouth>,
    watch: Box<Watch>,
}

// SAFETY: the unit may be used from any thread, and what it calls is touched by it alone.
unsafe impl Send for VoiceUnit {}

/// What the microphone's callback owns.
struct Ear {
    unit: RawUnit,
    half: CaptureHalf,
    buffer: Box<[i16]>,
}

/// What is told of the unit's properties.
struct Watch {
    line: LineHandle,
    /// The hardware's rate, as bits of an `f64`.
    rate: AtomicU64,
}

impl Unit for VoiceUnit {
    fn check() -> Result<(), AudioError> {
        AudioUnit::new_uninitialized(IOType::VoiceProcessingIO).map(drop).map_err(failed)
    }

    fn start(capture: Option<CaptureHalf>, mouth: Mouth, line: LineHandle) -> Result<Self, AudioError> {
        let unit = AudioUnit::new_uninitialized(IOType::VoiceProcessingIO).map_err(failed)?;
        let ear = capture.map(|half| {
            Box::new(Ear { unit: *unit.as_ref(), half, buffer: vec![0; MOST_FRAMES].into_boxed_slice() })
        });
        let watch = Box::new(Watch { line, rate: AtomicU64::new(0) });
        // Whatever fails from here on, all goes in the order of the fields.
        let mut voice = Self { unit, ear, mouth: Box::new(mouth), watch };
        voice.run().map_err(failed)?;
        Ok(voice)
    }
}

impl VoiceUnit {
    fn run(&mut self) -> Result<(), Error> {
        self.configure()?;
        self.unit.initialize()?;
        self.unit.start()?;
        let rate = hardware_rate(&self.unit);
        self.watch.rate.store(rate.to_bits(), Relaxed);
        log::info!("voice unit: {rate} Hz, microphone {}", self.ear.is_some());
        self.listen()
    }

    fn configure(&mut self) -> Result<(), Error> {
        let Self { unit, ear, mouth, .. } = self;
        let listens = u32::from(ear.is_some());
        unit.set_property(kAudioOutputUnitProperty_EnableIO, Scope::Input, Element::Input, Some(&listens))?;
        unit.set_stream_format(FORMAT, Scope::Input, Element::Output)?;
        let speak = AURenderCallbackStruct {
            inputProc: Some(speak),
            inputProcRefCon: from_mut::<Mouth>(mouth).cast(),
        };
        unit.set_property(kAudioUnitProperty_SetRenderCallback, Scope::Input, Element::Output, Some(&speak))?;
        let Some(ear) = ear else { return Ok(()) };
        unit.set_stream_format(FORMAT, Scope::Output, Element::Input)?;
        // Not the crate's own way to do this: that one allocates in the callback when the number of frames changes.
        let hear =
            AURenderCallbackStruct { inputProc: Some(hear), inputProcRefCon: from_mut::<Ear>(ear).cast() };
        let property = kAudioOutputUnitProperty_SetInputCallback;
        unit.set_property(property, Scope::Global, Element::Input, Some(&hear))
    }
}

/// Where the unit meets the hardware; 0 where it does not say.
fn hardware_rate(unit: &AudioUnit) -> f64 {
    unit.stream_format(Scope::Output, Element::Output).map_or(0.0, |format| format.sample_rate)
}

impl VoiceUnit {
    fn listen(&self) -> Result<(), Error> {
        for property in [kAudioOutputUnitProperty_IsRunning, kAudioUnitProperty_StreamFormat] {
            // SAFETY: the unit is alive; `self.watch` stays where it is until the listener is removed and the unit gone.
            let status = unsafe {
                AudioUnitAddPropertyListener(*self.unit.as_ref(), property, Some(changed), self.watched())
            };
            Error::from_os_status(status)?;
        }
        Ok(())
    }

    fn watched(&self) -> *mut c_void {
        std::ptr::from_ref::<Watch>(&self.watch).cast_mut().cast()
    }
}

impl Drop for VoiceUnit {
    fn drop(&mut self) {
        // Or stopping it would be told as a loss.
        for property in [kAudioOutputUnitProperty_IsRunning, kAudioUnitProperty_StreamFormat] {
            // SAFETY: as in `VoiceUnit::listen`; nothing happens to one that was not added.
            unsafe {
                AudioUnitRemovePropertyListenerWithUserData(
                    *self.unit.as_ref(),
                    property,
                    Some(changed),
                    self.watched(),
                );
            }
        }
    }
}

/// The unit wants sound to play.
unsafe extern "C-unwind" fn speak(
    mouth: NonNull<c_void>,
    _flags: NonNull<AudioUnitRenderActionFlags>,
    _time: NonNull<AudioTimeStamp>,
    _bus: u32,
    _frames: u32,
    wanted: *mut AudioBufferList,
) -> i32 {
    // SAFETY: set together in `VoiceUnit::configure`; the `Mouth` outlives the unit, and nobody else touches it meanwhile.
    let mouth = unsafe { mouth.cast::<Mouth>().as_mut() };
    // SAFETY: the unit hands over a list of one buffer or none, in FORMAT.
    let Some(list) = (unsafe { wanted.as_mut() }) else { return 0 };
    let [buffer] = &mut list.mBuffers;
    if let Some(start) = NonNull::new(buffer.mData.cast::<i16>()) {
        let samples = buffer.mDataByteSize as usize / size_of::<i16>();
        // SAFETY: so long it is, by its own account.
        mouth.read(unsafe { slice::from_raw_parts_mut(start.as_ptr(), samples) }, 1);
    }
    0
}

/// The unit has heard something: fetches it.
unsafe extern "C-unwind" fn hear(
    ear: NonNull<c_void>,
    flags: NonNull<AudioUnitRenderActionFlags>,
    time: NonNull<AudioTimeStamp>,
    bus: u32,
    frames: u32,
    _: *mut AudioBufferList,
) -> i32 {
    // SAFETY: as in `speak`.
    let ear = unsafe { ear.cast::<Ear>().as_mut() };
    let Some(buffer) = ear.buffer.get_mut(..frames as usize) else {
        return kAudioUnitErr_TooManyFramesToProcess;
    };
    let mut list = AudioBufferList {
        mNumberBuffers: 1,
        mBuffers: [AudioBuffer {
            mNumberChannels: 1,
            mDataByteSize: frames * size_of::<i16>() as u32,
            mData: buffer.as_mut_ptr().cast(),
        }],
    };
    // SAFETY: the unit calls us, so it lives; the list says how long the buffer is.
    let status =
        unsafe { AudioUnitRender(ear.unit, flags.as_ptr(), time, bus, frames, NonNull::from(&mut list)) };
    if status == 0 {
        ear.half.write(buffer, 1);
    }
    status
}

/// The unit was stopped by the system, or the hardware runs at another rate since the route has changed.
unsafe extern "C-unwind" fn changed(
    watch: NonNull<c_void>,
    unit: RawUnit,
    property: AudioUnitPropertyID,
    _scope: AudioUnitScope,
    _element: AudioUnitElement,
) {
    // SAFETY: as in `VoiceUnit::listen`.
    let watch = unsafe { watch.cast::<Watch>().as_ref() };
    let lost = if property == kAudioOutputUnitProperty_IsRunning {
        // SAFETY: the unit calls us, so it lives, and this property is a u32.
        unsafe { coreaudio::audio_unit::get_property::<u32>(unit, property, Scope::Global, Element::Output) }
            .is_ok_and(|running| running == 0)
    } else {
        // SAFETY: as above; this property is a description of a stream.
        unsafe {
            coreaudio::audio_unit::get_property::<objc2_core_audio_types::AudioStreamBasicDescription>(
                unit,
                property,
                Scope::Output,
                Element::Output,
            )
        }
        .is_ok_and(|format| {
            watch.rate.swap(format.mSampleRate.to_bits(), Relaxed) != format.mSampleRate.to_bits()
        })
    };
    if lost {
        watch.line.lost();
    }
}

fn failed(why: Error) -> AudioError {
    let status = if let Error::Unknown(status) = why { status } else { 0 };
    if TAKEN.iter().any(|code| i32::from_be_bytes(**code) == status) {
        AudioError::Taken(String::from_utf8_lossy(&status.to_be_bytes()).into_owned())
    } else {
        AudioError::Device(why.to_string())
    }
}

pub(super) fn hurry() {
    // SAFETY: it concerns the calling thread only.
    let status =
        unsafe { libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_USER_INTERACTIVE, 0) };
    if status != 0 {
        log::debug!("the audio thread has no priority: {status}");
    }
}
