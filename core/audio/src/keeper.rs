//! Opens and closes the devices, and opens them again when they are lost. A thread of its own, because an operating system
//! may take a second to open a microphone, and what is heard meanwhile must not stop for that.

use std::{
    sync::Arc,
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crate::{
    AudioError, AudioEvent,
    backend::Device,
    ring::{self, Watch},
    shared::Shared,
};

/// Runs until it is told to stop. `worker` gets the other ends of the rings.
pub(crate) fn run(shared: &Shared, mut device: Box<dyn Device>, worker: &Thread) {
    let (mut capture, mut playback) = (Line::default(), Line::default());
    let (mut microphone, mut loudspeaker): (Option<Watch>, Option<Watch>) = (None, None);
    loop {
        let wanted = {
            let mut control = shared.control();
            let wanted = *control;
            control.prepare = false;
            wanted
        };
        if wanted.stop {
            device.close_capture();
            device.close_playback();
            return;
        }
        if wanted.prepare {
            shared.tell(match device.check() {
                Ok(()) => AudioEvent::Ready,
                Err(why) => AudioEvent::Failed { why: why.to_string() },
            });
        }

        let lost = microphone.as_ref().is_some_and(Watch::is_lost);
        match capture.decide(Instant::now(), wanted.posture.capture, lost) {
            Step::Stay => {}
            Step::Close => {
                device.close_capture();
                microphone = None;
                shared.handover().capture = Some(None);
            }
            Step::Open => {
                let (half, end, watch) = ring::capture(worker.clone(), thread::current());
                let opened = device.open_capture(half);
                if capture.opened(Instant::now(), "microphone", opened, shared) {
                    microphone = Some(watch);
                    shared.handover().capture = Some(Some(end));
                }
            }
        }
        let lost = loudspeaker.as_ref().is_some_and(Watch::is_lost);
        match playback.decide(Instant::now(), wanted.posture.play, lost) {
            Step::Stay => {}
            Step::Close => {
                device.close_playback();
                loudspeaker = None;
                shared.handover().playback = Some(None);
            }
            Step::Open => {
                let (half, end, watch) = ring::playback(worker.clone(), thread::current());
                let opened = device.open_playback(half);
                if playback.opened(Instant::now(), "loudspeaker", opened, shared) {
                    loudspeaker = Some(watch);
                    shared.handover().playback = Some(Some(end));
                }
            }
        }
        worker.unpark();
        match [capture.retry_at, playback.retry_at].into_iter().flatten().min() {
            Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
            None => thread::park(),
        }
    }
}

/// What is to be done with a device.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Stay,
    Open,
    Close,
}

/// One direction.
#[derive(Debug, Default)]
struct Line {
    open_since: Option<Instant>,
    /// Attempts or short lives in a row.
    failures: u32,
    failing_since: Option<Instant>,
    /// Closed against our will: when to try again.
    retry_at: Option<Instant>,
    told: bool,
}

/// First pause before a lost device is opened again; doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A device that works for so long works.
const STABLE: Duration = Duration::from_secs(5);
/// A device that is gone for so long is a failure of the call's.
const TELL_AFTER: Duration = Duration::from_secs(10);

impl Line {
    fn decide(&mut self, now: Instant, wanted: bool, lost: bool) -> Step {
        match (wanted, self.open_since) {
            (false, open) => {
                *self = Self::default();
                if open.is_some() { Step::Close } else { Step::Stay }
            }
            (true, Some(since)) if lost => {
                if now.saturating_duration_since(since) >= STABLE {
                    (self.failures, self.failing_since, self.told) = (0, None, false);
                }
                self.open_since = None;
                self.fail(now);
                Step::Close
            }
            (true, Some(_)) => Step::Stay,
            (true, None) if self.retry_at.is_some_and(|at| now < at) => Step::Stay,
            (true, None) => Step::Open,
        }
    }

    /// Takes note of how opening went; true where it is open.
    fn opened(&mut self, now: Instant, what: &str, result: Result<(), AudioError>, shared: &Shared) -> bool {
        match result {
            Ok(()) => {
                if self.failures > 0 {
                    shared.handover().reopened += 1;
                }
                (self.open_since, self.retry_at) = (Some(now), None);
                true
            }
            Err(why) => {
                log::warn!("{what} not opened: {why}");
                if matches!(why, AudioError::Taken(_)) {
                    self.failing_since = None;
                }
                if self.fail(now) {
                    shared.tell(AudioEvent::Failed { why: format!("{what}: {why}") });
                }
                false
            }
        }
    }

    /// Sets the time of the next attempt; true where the failure is to be told now.
    fn fail(&mut self, now: Instant) -> bool {
        let since = *self.failing_since.get_or_insert(now);
        let pause = (PAUSE * 2u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.failures = (self.failures + 1).min(16);
        self.retry_at = Some(now + pause);
        let tell = !self.told && now.saturating_duration_since(since) >= TELL_AFTER;
        self.told |= tell;
        tell
    }
}

/// Starts the thread.
pub(crate) fn spawn(
    shared: Arc<Shared>,
    device: Box<dyn Device>,
    worker: Thread,
) -> Result<thread::JoinHandle<()>, AudioError> {
    Ok(thread::Builder::new().name("jmrtc-devices".into()).spawn(move || run(&shared, device, &worker))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    fn nothing() -> Shared {
        Shared::new(|_| {})
    }

    #[test]
    fn a_device_is_open_exactly_while_it_is_wanted() {
        let (mut line, t) = (Line::default(), Instant::now());
        assert_eq!(line.decide(t, false, false), Step::Stay);
        assert_eq!(line.decide(t, true, false), Step::Open);
        assert!(line.opened(t, "x", Ok(()), &nothing()));
        assert_eq!(line.decide(t, true, false), Step::Stay);
        assert_eq!(line.decide(t, false, false), Step::Close);
        assert_eq!(line.decide(t, false, false), Step::Stay);
    }

    #[test]
    fn a_lost_device_comes_back_after_ever_longer_pauses() {
        let shared = nothing();
        let (mut line, mut t) = (Line::default(), Instant::now());
        line.opened(t, "x", Ok(()), &shared);
        t += Duration::from_secs(60);
        assert_eq!(line.decide(t, true, true), Step::Close);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let at = line.retry_at.unwrap();
            pauses.push((at - t).as_millis());
            assert_eq!(line.decide(t, true, false), Step::Stay);
            t = at;
            assert_eq!(line.decide(t, true, false), Step::Open);
            line.opened(t, "x", Err(AudioError::Device("gone".into())), &shared);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000]);
        t = line.retry_at.unwrap();
        assert!(line.opened(t, "x", Ok(()), &shared));
        assert_eq!(shared.handover().reopened, 1);
        // Lost at once: no fresh start. Lost much later: one.
        assert_eq!(line.decide(t, true, true), Step::Close);
        assert_eq!(line.retry_at.unwrap() - t, LONGEST_PAUSE);
        t += LONGEST_PAUSE;
        line.opened(t, "x", Ok(()), &shared);
        t += STABLE;
        assert_eq!(line.decide(t, true, true), Step::Close);
        assert_eq!(line.retry_at.unwrap() - t, PAUSE);
    }

    #[test]
    fn a_device_that_stays_away_is_told_once() {
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let shared = Shared::new(move |_| {
            count.fetch_add(1, Relaxed);
        });
        let (mut line, mut t) = (Line::default(), Instant::now());
        for _ in 0..30 {
            line.opened(t, "x", Err(AudioError::Device("gone".into())), &shared);
            if t < line.failing_since.unwrap() + TELL_AFTER {
                assert_eq!(told.load(Relaxed), 0);
            }
            t = line.retry_at.unwrap();
        }
        assert_eq!(told.load(Relaxed), 1);
    }

    #[test]
    fn a_device_that_somebody_else_has_taken_is_awaited_without_complaint() {
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let shared = Shared::new(move |_| {
            count.fetch_add(1, Relaxed);
        });
        let (mut line, mut t) = (Line::default(), Instant::now());
        let taken = || Err(AudioError::Taken("microphone".into()));
        for _ in 0..100 {
            assert!(!line.opened(t, "x", taken(), &shared));
            assert!(line.retry_at.unwrap() - t <= LONGEST_PAUSE, "tried often enough to be back soon");
            t = line.retry_at.unwrap();
        }
        assert_eq!(told.load(Relaxed), 0);
        // Given back, and gone: the time counts from there.
        let free = t;
        while told.load(Relaxed) == 0 {
            line.opened(t, "x", Err(AudioError::Device("gone".into())), &shared);
            t = line.retry_at.unwrap();
        }
        assert!((TELL_AFTER - LONGEST_PAUSE..TELL_AFTER + 2 * LONGEST_PAUSE).contains(&(t - free)));
    }

    /// What a device was told, and the handles to lose it.
    type Log = Arc<Mutex<(Vec<&'static str>, Vec<ring::LineHandle>)>>;

    struct Fake(Log);

    impl Fake {
        fn note(&self, what: &'static str, handle: Option<ring::LineHandle>) {
            let mut log = self.0.lock().unwrap();
            log.0.push(what);
            log.1.extend(handle);
        }
    }

    impl Device for Fake {
        fn check(&mut self) -> Result<(), AudioError> {
            self.note("check", None);
            Ok(())
        }
        fn open_capture(&mut self, half: ring::CaptureHalf) -> Result<(), AudioError> {
            self.note("microphone on", Some(half.handle()));
            Ok(())
        }
        fn close_capture(&mut self) {
            self.note("microphone off", None);
        }
        fn open_playback(&mut self, _half: ring::PlaybackHalf) -> Result<(), AudioError> {
            self.note("loudspeaker on", None);
            Ok(())
        }
        fn close_playback(&mut self) {
            self.note("loudspeaker off", None);
        }
    }

    #[test]
    fn the_keeper_does_as_it_is_told_and_reopens_what_is_lost() {
        let (sender, events) = std::sync::mpsc::channel();
        let shared = Arc::new(Shared::new(move |event| sender.send(event).unwrap()));
        let log = Log::default();
        let keeper = spawn(Arc::clone(&shared), Box::new(Fake(Arc::clone(&log))), thread::current()).unwrap();
        let set = |change: &dyn Fn(&mut crate::shared::Control)| {
            change(&mut shared.control());
            keeper.thread().unpark();
        };
        // The keeper unparks this thread, as the worker's, whenever it has done something.
        let wait_for = |last: &str| {
            let start = Instant::now();
            while log.lock().unwrap().0.last() != Some(&last) {
                assert!(start.elapsed() < Duration::from_secs(20), "{last}: {:?}", log.lock().unwrap().0);
                thread::park_timeout(Duration::from_millis(50));
            }
        };
        set(&|c| c.prepare = true);
        assert_eq!(events.recv_timeout(Duration::from_secs(20)), Ok(AudioEvent::Ready));
        set(&|c| c.posture.play = true);
        wait_for("loudspeaker on");
        set(&|c| c.posture.capture = true);
        wait_for("microphone on");
        let lost = log.lock().unwrap().1.remove(0);
        lost.lost();
        wait_for("microphone off");
        wait_for("microphone on");
        set(&|c| c.posture.capture = false);
        wait_for("microphone off");
        set(&|c| c.stop = true);
        keeper.join().unwrap();
        let log = log.lock().unwrap();
        let expected =
            ["check", "loudspeaker on", "microphone on", "microphone off", "microphone on", "microphone off"];
        assert_eq!(log.0[..6], expected);
        assert_eq!(shared.handover().reopened, 1);
    }
}
