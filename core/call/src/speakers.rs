//! Who speaks, as far as it can be heard here: levels in, names out when they change.

use jmrtc_protocol::Username;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What is louder than this (-dBov, RFC 6464: 0 is the loudest, 127 silence) may be a voice.
const LOUD: u8 = 50;
/// Two loud moments that are no further apart make a voice; one alone is a click.
const BEGINS_MS: u64 = 700;
/// Whoever was not loud for so long has stopped speaking: longer than the pause between two sentences.
const ENDS_MS: u64 = 1_200;
/// dB by which somebody must be louder to become the first.
const MARGIN: u8 = 6;

/// The voices in a call, those who speak and those who may be about to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Speakers {
    /// The first is the one to be shown; the others stand in the order in which they began.
    voices: Vec<Voice>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Voice {
    user: Username,
    speaks: bool,
    /// -dBov, smoothed.
    level: u8,
    loud_at: Timestamp,
}

impl Speakers {
    /// Takes in how loud everybody is at the moment who can be heard here; true when who speaks, or who is the first, has changed.
    pub(crate) fn hear<'a>(
        &mut self,
        now: Timestamp,
        levels: impl IntoIterator<Item = (&'a Username, u8)>,
    ) -> bool {
        let before = self.names();
        let levels: Vec<_> = levels.into_iter().collect();
        // Whose slot was given to somebody else is heard no more.
        self.voices.retain(|voice| levels.iter().any(|(user, _)| **user == voice.user));
        for (user, level) in levels {
            let known = self.voices.iter_mut().find(|voice| &voice.user == user);
            match known {
                Some(voice) => voice.hear(now, level),
                None if level < LOUD => {
                    self.voices.push(Voice { user: user.clone(), speaks: false, level, loud_at: now });
                }
                None => {}
            }
        }
        self.voices.retain(|voice| now.since(voice.loud_at) < ENDS_MS);
        self.lead();
        self.names() != before
    }

    /// Nobody can be heard any more; true when somebody was.
    pub(crate) fn silence(&mut self) -> bool {
        let spoke = !self.names().is_empty();
        self.voices.clear();
        spoke
    }

    /// Who speaks, the one to be shown first.
    pub(crate) fn names(&self) -> Vec<Username> {
        self.voices.iter().filter(|voice| voice.speaks).map(|voice| voice.user.clone()).collect()
    }

    /// Makes the loudest the first, unless the first is about as loud.
    fn lead(&mut self) {
        let speaking = || self.voices.iter().enumerate().filter(|(_, voice)| voice.speaks);
        let (Some((first, leader)), Some((loudest, voice))) =
            (speaking().next(), speaking().min_by_key(|(_, voice)| voice.level))
        else {
            return;
        };
        if voice.level.saturating_add(MARGIN) <= leader.level {
            let voice = self.voices.remove(loudest);
            self.voices.insert(first, voice);
        }
    }
}

impl Voice {
    fn hear(&mut self, now: Timestamp, level: u8) {
        let smoothed = (3 * u16::from(self.level) + u16::from(level)) / 4;
        self.level = u8::try_from(smoothed).unwrap_or(u8::MAX);
        if level < LOUD {
            self.speaks |= now.since(self.loud_at) <= BEGINS_MS;
            self.loud_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels five times a second, as the drivers tell them; `-` is silence. Returns who speaks after each.
    fn play(lines: &[(&str, &str)]) -> Vec<String> {
        let names: Vec<Username> = lines.iter().map(|(name, _)| Username::new(*name).unwrap()).collect();
        let level = |c: u8| if c == b'-' { 127 } else { 10 * (c - b'0') };
        let mut speakers = Speakers::default();
        (0..lines[0].1.len())
            .map(|at| {
                let levels = names.iter().zip(lines).map(|(n, (_, l))| (n, level(l.as_bytes()[at])));
                let before = speakers.names();
                let changed = speakers.hear(Timestamp(200 * at as u64), levels);
                assert_eq!(changed, speakers.names() != before);
                speakers.names().iter().map(Username::as_str).collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    #[test]
    fn a_voice_begins_with_its_second_loud_moment_and_ends_after_a_pause() {
        let heard = play(&[("ann", "--3-3---3------3")]);
        let speaks: String = heard.iter().map(|who| if who.is_empty() { '-' } else { 's' }).collect();
        assert_eq!(speaks, "----ssssssssss--", "two loud moments, a short pause, a long one; a click");
    }

    #[test]
    fn who_can_not_be_heard_any_more_is_not_shown() {
        let [ann, ben] = ["ann", "ben"].map(|name| Username::new(name).unwrap());
        let mut speakers = Speakers::default();
        for at in [0, 200] {
            speakers.hear(Timestamp(at), [(&ann, 30), (&ben, 30)]);
        }
        assert_eq!(speakers.names(), [ann.clone(), ben.clone()]);
        assert!(speakers.hear(Timestamp(400), [(&ben, 30)]));
        assert_eq!(speakers.names(), [ben]);
    }

    #[test]
    fn noise_is_no_voice() {
        assert_eq!(play(&[("ann", "5656565656")]), [""; 10]);
    }

    #[test]
    fn the_first_is_first_until_somebody_is_clearly_louder() {
        let heard = play(&[("ann", "333333333333"), ("bob", "--3333311111")]);
        assert_eq!(heard[1], "ann");
        assert_eq!(heard[3..7], ["ann bob"; 4], "as loud is not louder");
        assert_eq!(heard[11], "bob ann");
    }

    #[test]
    fn silence_ends_all_at_once() {
        let ann = Username::new("ann").unwrap();
        let mut speakers = Speakers::default();
        assert!(!speakers.silence());
        for at in [0, 200] {
            speakers.hear(Timestamp(at), [(&ann, 30)]);
        }
        assert!(speakers.silence());
        assert_eq!(speakers, Speakers::default());
    }
}
