//! Redundant audio (RFC 2198): a payload of blocks, each named by a payload type of the sender's numbering.

/// Marks a block header that another one follows.
const MORE: u8 = 0x80;
/// Bytes of a block header that another one follows: type, timestamp offset and length.
const LONG_HEADER: usize = 4;

/// The same payload with every block named `payload_type`; none for one that is malformed.
pub(crate) fn rename(payload: &[u8], payload_type: u8) -> Option<Vec<u8>> {
    let mut renamed = payload.to_vec();
    for at in headers(payload)? {
        let byte = renamed.get_mut(at)?;
        *byte = (*byte & MORE) | payload_type;
    }
    Some(renamed)
}

/// The newest frame alone, for receivers without RED; none for a payload that is malformed.
pub(crate) fn newest(payload: &[u8]) -> Option<&[u8]> {
    let headers = headers(payload)?;
    let (last, redundant) = headers.split_last()?;
    let mut skip = last + 1;
    for &at in redundant {
        let high = usize::from(payload.get(at + 2)? & 0x03);
        skip += (high << 8) | usize::from(*payload.get(at + 3)?);
    }
    payload.get(skip..)
}

/// Where each block header starts.
fn headers(payload: &[u8]) -> Option<Vec<usize>> {
    let mut at = 0;
    let mut starts = Vec::new();
    loop {
        starts.push(at);
        if payload.get(at)? & MORE == 0 {
            return Some(starts);
        }
        at += LONG_HEADER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Blocks of type 111: two redundant ones of 2 and 1 bytes, then the newest.
    const PAYLOAD: [u8; 14] =
        [0xef, 0x1e, 0x00, 0x02, 0xef, 0x0f, 0x00, 0x01, 0x6f, b'a', b'a', b'b', b'c', b'c'];

    #[test]
    fn blocks_are_renamed_and_the_rest_is_kept() {
        let renamed = rename(&PAYLOAD, 96).unwrap();
        assert_eq!((renamed[0], renamed[4], renamed[8]), (0xe0, 0xe0, 0x60));
        assert_eq!(renamed[9..], PAYLOAD[9..]);
        assert_eq!(renamed[1..4], PAYLOAD[1..4]);
    }

    #[test]
    fn the_newest_frame_is_the_last_block() {
        assert_eq!(newest(&PAYLOAD), Some(&b"cc"[..]));
        assert_eq!(newest(&[0x6f, 1, 2]), Some(&[1, 2][..]));
        assert_eq!(newest(&[0x6f]), Some(&[][..]));
    }

    #[test]
    fn malformed_payloads_are_nothing() {
        for cut in 0..9 {
            assert_eq!(rename(&PAYLOAD[..cut], 96), None);
            assert_eq!(newest(&PAYLOAD[..cut]), None);
        }
        assert_eq!(newest(&PAYLOAD[..11]), None);
        assert_eq!(newest(&[0xff; 64]), None);
    }
}
