//! A microphone and a loudspeaker that are one unit, as the voice processing of iOS: it hears what it plays, to take it out
//! of what the microphone hears. It always has a loudspeaker, and a microphone where that is open; who has got one may
//! not be changed while it runs.

use rtrb::{Consumer, Producer, RingBuffer};

use super::Device;
use crate::{
    AudioError, SAMPLE_RATE,
    ring::{CaptureHalf, LineHandle, PlaybackHalf, Sample},
};

/// The system's unit while it runs, at [`SAMPLE_RATE`]; dropping it stops it, and then its callbacks are over.
pub(super) trait Unit: Sized + Send {
    /// Sees that there is one.
    fn check() -> Result<(), AudioError>;
    /// Starts one. Without `capture` the microphone is not touched. `line` is told when the unit can't go on.
    fn start(capture: Option<CaptureHalf>, mouth: Mouth, line: LineHandle) -> Result<Self, AudioError>;
}

/// What the unit's loudspeaker asks for sound. A half can be put in while it runs.
pub(super) struct Mouth {
    half: Option<PlaybackHalf>,
    coming: Consumer<PlaybackHalf>,
}

impl Mouth {
    /// As [`PlaybackHalf::read`]; silence where nobody plays.
    pub(super) fn read<S: Sample>(&mut self, interleaved: &mut [S], channels: usize) {
        if self.half.is_none() {
            self.half = self.coming.pop().ok();
        }
        match &mut self.half {
            Some(half) => half.read(interleaved, channels),
            None => interleaved.fill(S::from_f32(0.0)),
        }
    }
}

/// Both directions over one unit.
pub(super) struct Duplex<U> {
    running: Option<Running<U>>,
}

struct Running<U> {
    _unit: U,
    to_mouth: Producer<PlaybackHalf>,
    capture: Option<LineHandle>,
    playback: Option<LineHandle>,
}

impl<U: Unit> Duplex<U> {
    pub(super) const fn new() -> Self {
        Self { running: None }
    }

    fn start_listening(&mut self, mut half: CaptureHalf) -> Result<(), AudioError> {
        half.set_rate(SAMPLE_RATE);
        let line = half.handle();
        let (to_mouth, coming) = RingBuffer::new(1);
        let unit = U::start(Some(half), Mouth { half: None, coming }, line.clone())?;
        self.running = Some(Running { _unit: unit, to_mouth, capture: Some(line), playback: None });
        Ok(())
    }

    fn start_speaking(&mut self, half: PlaybackHalf) -> Result<(), AudioError> {
        let line = half.handle();
        let (to_mouth, coming) = RingBuffer::new(1);
        let unit = U::start(None, Mouth { half: Some(half), coming }, line.clone())?;
        self.running = Some(Running { _unit: unit, to_mouth, capture: None, playback: Some(line) });
        Ok(())
    }

    /// Stops the unit. Whoever still wants it gets it again, as one whose device was lost.
    fn stop(&mut self) {
        let Some(Running { _unit: unit, capture, playback, .. }) = self.running.take() else { return };
        drop(unit);
        [capture, playback].iter().flatten().for_each(LineHandle::lost);
    }
}

impl<U: Unit> Device for Duplex<U> {
    fn check(&mut self) -> Result<(), AudioError> {
        U::check()
    }

    fn open_capture(&mut self, half: CaptureHalf) -> Result<(), AudioError> {
        self.stop();
        self.start_listening(half)
    }

    fn close_capture(&mut self) {
        if self.running.as_ref().is_some_and(|running| running.capture.is_some()) {
            self.stop();
        }
    }

    fn open_playback(&mut self, mut half: PlaybackHalf) -> Result<(), AudioError> {
        half.set_rate(SAMPLE_RATE);
        let Some(running) = &mut self.running else { return self.start_speaking(half) };
        running.playback = Some(half.handle());
        running.to_mouth.push(half).map_err(|_| AudioError::Device("the loudspeaker does not run".into()))
    }

    fn close_playback(&mut self) {
        if self.running.as_ref().is_some_and(|running| running.playback.is_some()) {
            self.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        thread::{self, Thread},
    };

    use super::*;
    use crate::ring::{self, PlaybackEnd, Watch};

    type Callbacks = (Option<CaptureHalf>, Mouth);

    thread_local! {
        /// The callbacks of the unit that runs, and how many have been started.
        static UNIT: RefCell<(Option<Callbacks>, u32)> = const { RefCell::new((None, 0)) };
    }

    struct Fake;

    impl Unit for Fake {
        fn check() -> Result<(), AudioError> {
            Ok(())
        }
        fn start(capture: Option<CaptureHalf>, mouth: Mouth, _: LineHandle) -> Result<Self, AudioError> {
            UNIT.with_borrow_mut(|(unit, count)| {
                assert!(unit.is_none(), "two at a time");
                *unit = Some((capture, mouth));
                *count += 1;
            });
            Ok(Self)
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            UNIT.with_borrow_mut(|(unit, _)| *unit = None);
        }
    }

    fn here() -> (Thread, Thread) {
        (thread::current(), thread::current())
    }

    fn microphone(duplex: &mut Duplex<Fake>) -> Watch {
        let (half, _, watch) = ring::capture(here().0, here().1);
        duplex.open_capture(half).unwrap();
        watch
    }

    fn loudspeaker(duplex: &mut Duplex<Fake>) -> (PlaybackEnd, Watch) {
        let (half, end, watch) = ring::playback(here().0, here().1);
        duplex.open_playback(half).unwrap();
        (end, watch)
    }

    /// What the loudspeaker plays next; nothing where there is no unit.
    fn played() -> Option<[i16; 4]> {
        UNIT.with_borrow_mut(|(unit, _)| {
            let mut out = [7; 4];
            unit.as_mut()?.1.read(&mut out, 1);
            Some(out)
        })
    }

    fn listens() -> bool {
        UNIT.with_borrow(|(unit, _)| unit.as_ref().is_some_and(|(capture, _)| capture.is_some()))
    }

    fn started() -> u32 {
        UNIT.with_borrow(|(_, count)| *count)
    }

    #[test]
    fn a_call_begins_with_the_microphone_and_the_loudspeaker_joins_without_a_break() {
        let mut duplex = Duplex::new();
        let watch = microphone(&mut duplex);
        assert!(listens());
        assert_eq!(played(), Some([0; 4]), "nobody speaks yet");
        let (mut end, _) = loudspeaker(&mut duplex);
        end.push(&[0.5; 4]);
        assert_eq!(played(), Some([16_384; 4]));
        assert_eq!((end.rate(), started(), watch.is_lost()), (SAMPLE_RATE, 1, false));
    }

    #[test]
    fn the_microphone_is_open_only_while_it_is_wanted_whatever_the_loudspeaker_does() {
        let mut duplex = Duplex::new();
        let (_, early) = loudspeaker(&mut duplex);
        assert!(!listens());
        microphone(&mut duplex);
        assert!(listens() && early.is_lost(), "the loudspeaker comes back when the keeper opens it again");
        duplex.close_playback();
        assert!(listens(), "what was lost is not closed in somebody else's stead");
        let (_, again) = loudspeaker(&mut duplex);
        duplex.close_capture();
        assert!(!listens() && again.is_lost());
        assert_eq!(played(), None);
    }

    #[test]
    fn closing_the_loudspeaker_takes_its_half_away_and_the_microphone_comes_back() {
        let mut duplex = Duplex::new();
        let microphone_watch = microphone(&mut duplex);
        let (end, _) = loudspeaker(&mut duplex);
        played();
        duplex.close_playback();
        assert!(microphone_watch.is_lost() && !listens());
        drop(end);
        microphone(&mut duplex);
        assert_eq!(played(), Some([0; 4]));
    }

    #[test]
    fn a_loudspeaker_that_never_asks_is_an_error_and_not_a_heap_of_them() {
        let mut duplex = Duplex::new();
        microphone(&mut duplex);
        loudspeaker(&mut duplex);
        let (half, _, _) = ring::playback(here().0, here().1);
        assert!(duplex.open_playback(half).is_err());
    }
}
