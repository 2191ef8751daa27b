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
    /// There is none.
    Broken,
    Unplugged,
}

impl State {
    const fn is_plugged(self) -> bool {
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
            Some(plug) => plug.set(state.is_plugged()),
            None if state.is_plugged() => {}
            None => return Err("only a microphone of --audio null can be unplugged"),
        }
        self.state = state;
        Ok(self.answer())
    }

    const fn answer(&mut self) -> Option<bool> {
        let answer = if self.asked { self.state.answer() } else { None };
        self.asked &= answer.is_none();
        answer
    }
}

#[cfg(test)]
mod tests {
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
    fn what_is_not_there_is_granted_and_unplugged() {
        let plug = Plug::default();
        let mut microphone = Microphone::new(Some(plug.clone()));
        for state in [State::Broken, State::Unplugged] {
            assert_eq!(microphone.set(State::Asked), Ok(None));
            assert!(plug.is_in());
            assert_eq!(microphone.request(), None);
            assert_eq!(microphone.set(state), Ok(Some(true)));
            assert!(!plug.is_in());
        }
    }

    #[test]
    fn a_file_can_not_be_unplugged() {
        let mut microphone = Microphone::new(None);
        microphone.set(State::Refused).unwrap();
        for state in [State::Broken, State::Unplugged] {
            assert!(microphone.set(state).is_err());
        }
        assert_eq!(microphone.request(), Some(false), "as it was");
    }
}
