//! What the handle, the worker and the keeper share. No device callback comes here.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    AudioEvent, AudioStats, Posture, RtpFrame,
    ring::{CaptureEnd, PlaybackEnd},
    stats::Began,
};

pub(crate) struct Shared {
    control: Mutex<Control>,
    handover: Mutex<Handover>,
    inbox: Mutex<Inbox>,
    stats: Mutex<AudioStats>,
    pub(crate) began: Arc<Began>,
    events: Box<dyn Fn(AudioEvent) + Send + Sync>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Control {
    pub(crate) posture: Posture,
    /// Times that sending was switched off, so that no pause is missed however short.
    pub(crate) pauses: u64,
    /// Loss reported since the worker last looked.
    pub(crate) loss: Option<f32>,
    pub(crate) prepare: bool,
    pub(crate) stop: bool,
}

/// Rings on their way from the keeper to the worker. The outer `Some` is news, the inner one is an open device.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    pub(crate) capture: Option<Option<CaptureEnd>>,
    pub(crate) playback: Option<Option<PlaybackEnd>>,
    pub(crate) reopened: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) frames: VecDeque<(usize, RtpFrame)>,
    pub(crate) overruns: u64,
}

impl Inbox {
    /// A second of five slots: more is a flood.
    pub(crate) const MOST: usize = 256;
}

impl Shared {
    pub(crate) fn new(events: impl Fn(AudioEvent) + Send + Sync + 'static) -> Self {
        Self {
            control: Mutex::default(),
            handover: Mutex::default(),
            inbox: Mutex::default(),
            stats: Mutex::default(),
            began: Arc::default(),
            events: Box::new(events),
        }
    }

    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        lock(&self.control)
    }

    pub(crate) fn handover(&self) -> MutexGuard<'_, Handover> {
        lock(&self.handover)
    }

    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, AudioStats> {
        lock(&self.stats)
    }

    pub(crate) fn tell(&self, event: AudioEvent) {
        (self.events)(event);
    }
}

/// A thread that panicked leaves nothing half-done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
