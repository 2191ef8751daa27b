//! The handle that the engine holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, Thread},
    time::Instant,
};

use crate::{
    AudioConfig, AudioError, AudioEvent, AudioStats, Posture, RtpFrame,
    backend::{self, Device},
    keeper,
    pipeline::Pipeline,
    shared::{Inbox, Shared},
    worker,
};

/// Sound of one engine. Dropping it closes the devices, completes a recording and ends the threads, before it returns.
pub struct Audio {
    shared: Arc<Shared>,
    slots: usize,
    /// What comes in before is not even kept.
    playing: AtomicBool,
    /// Worker, keeper; taken when dropped.
    threads: Vec<JoinHandle<()>>,
}

impl Audio {
    /// Starts the threads; opens no device.
    ///
    /// `events` is called on them. It must return soon, and must not call [`Self::set`], [`Self::prepare`] or
    /// [`Self::loss`] nor drop this `Audio`, which would wait for itself; [`Self::receive`] is fine.
    ///
    /// # Errors
    /// A bad configuration, a backend that this build doesn't have, or no thread or memory to be had. Devices and files
    /// are not looked at yet: see [`Self::prepare`].
    pub fn spawn(
        config: AudioConfig,
        events: impl Fn(AudioEvent) + Send + Sync + 'static,
    ) -> Result<Self, AudioError> {
        if !(1..=255).contains(&config.slots) {
            return Err(AudioError::Config(format!("{} slots, not 1 to 255", config.slots)));
        }
        let shared = Arc::new(Shared::new(events));
        let device = backend::device(&config.backend, Arc::clone(&shared.began))?;
        Self::start(config.slots, shared, device)
    }

    pub(crate) fn start(
        slots: usize,
        shared: Arc<Shared>,
        device: Box<dyn Device>,
    ) -> Result<Self, AudioError> {
        let pipeline = Pipeline::new(slots)?;
        let mut audio =
            Self { shared: Arc::clone(&shared), slots, playing: AtomicBool::new(false), threads: Vec::new() };
        let worker = worker::spawn(Arc::clone(&shared), pipeline)?;
        let thread = worker.thread().clone();
        audio.threads.push(worker);
        audio.threads.push(keeper::spawn(shared, device, thread)?);
        Ok(audio)
    }

    /// Sees that there is a way to record and play, opening no microphone. Answered by [`AudioEvent::Ready`] or
    /// [`AudioEvent::Failed`].
    pub fn prepare(&self) {
        self.shared.control().prepare = true;
        self.wake();
    }

    /// What may run from now on. After it has returned no frame is handed out that the posture forbids, nothing of
    /// what was heard before is sent where `send` was false, and the microphone is being closed if it is to be.
    pub fn set(&self, posture: Posture) {
        {
            let mut control = self.shared.control();
            let sent = |p: Posture| p.capture && p.send;
            if sent(control.posture) && !sent(posture) {
                control.pauses += 1;
            }
            control.posture = posture;
        }
        self.playing.store(posture.play, Ordering::Relaxed);
        self.wake();
    }

    /// A packet for a slot. Dropped where there is no such slot or nothing may be played.
    pub fn receive(&self, slot: usize, mut frame: RtpFrame) {
        if slot >= self.slots || !self.playing.load(Ordering::Relaxed) {
            return;
        }
        // A caller that was held up makes a packet as late as the network does.
        frame.arrival = frame.arrival.max(Instant::now());
        let mut inbox = self.shared.inbox();
        if inbox.frames.len() >= Inbox::MOST {
            inbox.frames.pop_front();
            inbox.overruns += 1;
        }
        inbox.frames.push_back((slot, frame));
    }

    /// What share of our packets, 0 to 1, the other end reports lost.
    pub fn loss(&self, fraction: f32) {
        self.shared.control().loss = Some(fraction);
        self.wake();
    }

    /// How it went until at most 70 ms ago.
    pub fn stats(&self) -> AudioStats {
        self.shared.stats().clone()
    }

    fn wake(&self) {
        self.threads.iter().map(JoinHandle::thread).for_each(Thread::unpark);
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        self.shared.control().stop = true;
        self.wake();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("an audio thread panicked");
            }
        }
    }
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audio").field("slots", &self.slots).finish_non_exhaustive()
    }
}
