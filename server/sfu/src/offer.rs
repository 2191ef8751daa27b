//! Reads of an offer what str0m doesn't tell before the link is up, and refuses what no client of ours sends.

use std::collections::BTreeSet;

use str0m::media::Mid;

/// Candidates in one offer; a host with more interfaces than this is none we know.
const MAX_CANDIDATES: usize = 64;
/// Longest media id. str0m keeps 16 letters, digits and `_` of one and would answer with another name than the
/// offer's for anything else.
const MAX_MID_BYTES: usize = 16;

/// Why an offer is refused. The text goes to the client's developer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum OfferError {
    #[error("the offer has {bytes} bytes, at most {max} are taken")]
    TooLong { bytes: usize, max: usize },
    #[error("the offer has a line of kind `{0}`; only audio is taken")]
    NotAudio(String),
    #[error("the offer has no audio line that sends (`sendonly` or `sendrecv`)")]
    NothingSent,
    #[error("the offer has more than one line that sends; each link has one voice")]
    TwoSenders,
    #[error("the offer has {count} receive lines, at most {max} are taken")]
    TooManySlots { count: usize, max: usize },
    #[error("the offer has a line without an `a=mid` of 1 to 16 letters, digits or `_`")]
    BadMid,
    #[error("the offer has two lines with the mid `{0}`")]
    RepeatedMid(String),
    #[error("the offer has more than {MAX_CANDIDATES} candidates")]
    TooManyCandidates,
    #[error("the offer renews a link but its lines are not the link's")]
    OtherLines,
    #[error("the offer can't be used: {0}")]
    Unusable(String),
}

/// The lines of an offer, by media id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines {
    /// The client's voice.
    pub(crate) voice: Mid,
    /// What the client can hear at once, in the order of the offer.
    pub(crate) slots: Vec<Mid>,
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Sends,
    Receives,
    Rests,
}

impl Lines {
    pub(crate) fn read(offer: &str, max_bytes: usize, max_slots: usize) -> Result<Self, OfferError> {
        if offer.len() > max_bytes {
            return Err(OfferError::TooLong { bytes: offer.len(), max: max_bytes });
        }
        let mut lines: Vec<(Option<&str>, Direction)> = Vec::new();
        let mut candidates = 0;
        for line in offer.lines() {
            if let Some(media) = line.strip_prefix("m=") {
                let kind = media.split(' ').next().unwrap_or_default();
                if kind != "audio" {
                    return Err(OfferError::NotAudio(kind.chars().take(16).collect()));
                }
                // Without a direction attribute a line is `sendrecv` (RFC 8866 section 6.7).
                lines.push((None, Direction::Sends));
            } else if line.starts_with("a=candidate:") {
                candidates += 1;
            } else if let Some((mid, direction)) = lines.last_mut() {
                match line.trim_end() {
                    "a=sendonly" | "a=sendrecv" => *direction = Direction::Sends,
                    "a=recvonly" => *direction = Direction::Receives,
                    "a=inactive" => *direction = Direction::Rests,
                    other => {
                        if let Some(value) = other.strip_prefix("a=mid:") {
                            *mid = Some(value);
                        }
                    }
                }
            }
        }
        if candidates > MAX_CANDIDATES {
            return Err(OfferError::TooManyCandidates);
        }

        let mut seen = BTreeSet::new();
        let mut voice = None;
        let mut slots = Vec::new();
        for (mid, direction) in lines {
            let mid = mid.ok_or(OfferError::BadMid)?;
            let plain = mid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if mid.is_empty() || mid.len() > MAX_MID_BYTES || !plain {
                return Err(OfferError::BadMid);
            }
            if !seen.insert(mid) {
                return Err(OfferError::RepeatedMid(mid.to_owned()));
            }
            match direction {
                Direction::Sends if voice.is_some() => return Err(OfferError::TwoSenders),
                Direction::Sends => voice = Some(Mid::from(mid)),
                Direction::Receives => slots.push(Mid::from(mid)),
                Direction::Rests => {}
            }
        }
        if slots.len() > max_slots {
            return Err(OfferError::TooManySlots { count: slots.len(), max: max_slots });
        }
        Ok(Self { voice: voice.ok_or(OfferError::NothingSent)?, slots })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(lines: &[(&str, &str, &str)]) -> String {
        let mut sdp = String::from("v=0\r\ns=-\r\na=recvonly\r\n");
        for (kind, mid, direction) in lines {
            sdp += &format!("m={kind} 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{mid}\r\na={direction}\r\n");
        }
        sdp
    }

    fn read(lines: &[(&str, &str, &str)]) -> Result<Lines, OfferError> {
        Lines::read(&offer(lines), 48 * 1024, 8)
    }

    #[test]
    fn one_voice_and_the_slots_in_order() {
        let lines =
            read(&[("audio", "0", "sendonly"), ("audio", "b", "recvonly"), ("audio", "a", "recvonly")]);
        assert_eq!(lines, Ok(Lines { voice: "0".into(), slots: vec!["b".into(), "a".into()] }));
    }

    #[test]
    fn a_line_without_direction_sends_and_a_resting_line_is_nothing() {
        let sdp = "v=0\nm=audio 9 x 1\na=mid:x\nm=audio 9 x 1\na=mid:y\na=inactive\n";
        assert_eq!(Lines::read(sdp, 100, 8), Ok(Lines { voice: "x".into(), slots: vec![] }));
    }

    #[test]
    fn what_is_not_ours_is_refused_with_a_reason() {
        assert_eq!(read(&[]), Err(OfferError::NothingSent));
        assert_eq!(read(&[("audio", "0", "recvonly")]), Err(OfferError::NothingSent));
        assert_eq!(
            read(&[("audio", "0", "sendonly"), ("video", "1", "recvonly")]),
            Err(OfferError::NotAudio("video".into()))
        );
        assert_eq!(read(&[("application", "0", "x")]), Err(OfferError::NotAudio("application".into())));
        assert_eq!(
            read(&[("audio", "0", "sendonly"), ("audio", "1", "sendrecv")]),
            Err(OfferError::TwoSenders)
        );
        assert_eq!(
            read(&[("audio", "0", "sendonly"), ("audio", "0", "recvonly")]),
            Err(OfferError::RepeatedMid("0".into()))
        );
        assert_eq!(read(&[("audio", "ééééééééé", "sendonly")]), Err(OfferError::BadMid));
        assert_eq!(read(&[("audio", "a-b", "sendonly")]), Err(OfferError::BadMid));
        assert_eq!(read(&[("audio", "12345678901234567", "sendonly")]), Err(OfferError::BadMid));
        assert_eq!(Lines::read("m=audio 9 x 1\n", 100, 8), Err(OfferError::BadMid));
        assert_eq!(Lines::read("0123456789", 9, 8), Err(OfferError::TooLong { bytes: 10, max: 9 }));
        let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let many: Vec<_> = names
            .iter()
            .map(|n| ("audio", n.as_str(), if n == "0" { "sendonly" } else { "recvonly" }))
            .collect();
        assert_eq!(read(&many), Err(OfferError::TooManySlots { count: 9, max: 8 }));
        let candidates = offer(&[("audio", "0", "sendonly")]) + &"a=candidate:x\r\n".repeat(65);
        assert_eq!(Lines::read(&candidates, 48 * 1024, 8), Err(OfferError::TooManyCandidates));
    }
}
