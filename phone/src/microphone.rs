//! Whether the person gives the microphone, and whether there is one.

use jmrtc_engine::audio::Plug;
use serde::Deserialize;

/// How it is with the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    Granted,
    Refused,
    /// Who asks the person gets no answer yet.
    Asked,
    /// Whoever opens one has none; one that is in use works on.
    Broken,
    /// The one in use is gone, and there is no other.
    Unplugged,
}

impl State {
    /// Whether there is one to be opened.
    const fn works(self) -> bool {
        match self {
            Self::Granted | Self::Refused | Self::Asked => true,
            Self::Broken | Self::Unplugged => false,
        }
    }

    /// What the person says: whether the microphone is granted.
    const fn answer(self) -> Option<bool> {
        match self {
            Self::Granted | Self::Broken | Self::Unplugged => Some(true),
            Self::Refused => Some(false),
            Self::Asked => None,
        }
    }
}

/// Whether the app uses the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Use {
    Open,
    Closed,
    /// It was never open.
    Untouched,
}

/// The microphone of one phone.
pub(crate) struct Microphone {
    state: State,
    /// The person was asked for it and has not answered.
    asked: bool,
    /// None where this sound has none.
    plug: Option<Plug>,
}

impl Microphone {
    pub(crate) const fn new(plug: Option<Plug>) -> Self {
        Self { state: State::Granted, asked: false, plug }
    }

    /// The app asks the person for it; the answer, unless that comes later.
    pub(crate) const fn request(&mut self) -> Option<bool> {
        self.asked = true;
        self.answer()
    }

    /// What is so from now on; the answer, where the person was waited for.
    ///
    /// # Errors
    /// It can't be so.
    pub(crate) fn set(&mut self, state: State) -> Result<Option<bool>, &'static str> {
        match &self.plug {
            Some(plug) if state == State::Unplugged && !plug.is_used() => {
                return Err("no microphone is in use");
            }
            Some(plug) => {
                plug.set(state != State::Unplugged);
                plug.set_broken(!state.works());
            }
            None if state.works() => {}
            None => return Err("only a microphone of --audio null can be broken or unplugged"),
        }
        self.state = state;
        Ok(self.answer())
    }

    /// # Errors
    /// It is not used so, and how it is.
    pub(crate) fn expect(&self, expected: Use) -> Result<(), &'static str> {
        let plug = self.plug.as_ref().ok_or("only a microphone of --audio null tells whether it is open")?;
        match expected {
            Use::Open if !plug.is_used() => Err("the microphone is closed"),
            Use::Closed | Use::Untouched if plug.is_used() => Err("the microphone is open"),
            Use::Untouched if plug.was_used() => Err("the microphone was open"),
            Use::Open | Use::Closed | Use::Untouched => Ok(()),
        }
    }

    const fn answer(&mut self) -> Option<bool> {
        let answer = if self.asked { self.state.answer() } else { None };
        self.asked &= answer.is_none();
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use jmrtc_engine::audio::{Audio, AudioConfig, Backend, Posture};

    use super::*;

    #[test]
    fn the_person_answers_at_once_or_later_and_only_once() {
        let mut microphone = Microphone::new(None);
        assert_eq!(microphone.request(), Some(true));
        assert_eq!(microphone.set(State::Refused), Ok(None), "nobody asked");
        assert_eq!(microphone.request(), Some(false));
        assert_eq!(microphone.set(State::Asked), Ok(None));
        assert_eq!(microphone.request(), None);
        assert_eq!(microphone.request(), None);
        assert_eq!(microphone.set(State::Refused), Ok(Some(false)));
        assert_eq!(microphone.set(State::Granted), Ok(None), "answered already");
    }

    #[test]
    fn what_is_broken_is_granted_and_stays_in_its_plug() {
        let plug = Plug::default();
        let mut microphone = Microphone::new(Some(plug.clone()));
        assert_eq!(microphone.set(State::Asked), Ok(None));
        assert_eq!(microphone.request(), None);
        assert_eq!(microphone.set(State::Broken), Ok(Some(true)));
        assert!(plug.is_in() && !plug.works());
        assert_eq!(microphone.set(State::Refused), Ok(None));
        assert!(plug.works());
    }

    #[test]
    fn only_what_is_in_use_is_unplugged() {
        let plug = Plug::default();
        let mut microphone = Microphone::new(Some(plug.clone()));
        assert_eq!(microphone.set(State::Asked), Ok(None));
        assert_eq!(microphone.set(State::Unplugged), Err("no microphone is in use"));
        assert!(plug.works());
        assert_eq!(microphone.request(), None, "as it was");
        assert_eq!(microphone.expect(Use::Untouched), Ok(()));
        assert_eq!(microphone.expect(Use::Open), Err("the microphone is closed"));

        let (heard, ready) = std::sync::mpsc::channel();
        let config = AudioConfig { backend: Backend::Null(plug.clone()), slots: 1 };
        let audio = Audio::spawn(config, move |event| drop(heard.send(event))).unwrap();
        audio.set(Posture { capture: true, ..Posture::default() });
        let start = Instant::now();
        let wait_until = |plug_is: Use, microphone: &Microphone| {
            while microphone.expect(plug_is) != Ok(()) {
                assert!(start.elapsed() < Duration::from_secs(20), "never {plug_is:?}");
                std::thread::park_timeout(Duration::from_millis(5));
            }
        };
        wait_until(Use::Open, &microphone);
        for other in [Use::Closed, Use::Untouched] {
            assert_eq!(microphone.expect(other), Err("the microphone is open"));
        }
        assert_eq!(microphone.set(State::Unplugged), Ok(Some(true)));
        assert!(!plug.is_in() && ready.try_recv().is_err());
        wait_until(Use::Closed, &microphone);
        assert_eq!(microphone.expect(Use::Untouched), Err("the microphone was open"));
    }

    #[test]
    fn a_file_can_not_be_broken_or_unplugged() {
        let mut microphone = Microphone::new(None);
        microphone.set(State::Refused).unwrap();
        for state in [State::Broken, State::Unplugged] {
            assert!(microphone.set(state).is_err());
        }
        assert!(microphone.expect(Use::Closed).is_err(), "nobody knows");
        assert_eq!(microphone.request(), Some(false), "as it was");
    }
}
