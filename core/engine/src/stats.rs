use serde::Serialize;

/// How a call goes, for display and quality checks. Renewed five times a second during a call.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Milliseconds since `CallConnected`; null outside of a connected call.
    pub connected_ms: Option<u64>,
    /// What carries the sound; null before the link is up.
    pub transport: Option<Transport>,
    /// Milliseconds that the last link took from the answer until it was up.
    pub link_setup_ms: Option<f64>,
    /// Round trip to the server, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Share of our packets that the server did not get lately, 0 to 1.
    pub loss_up: f64,
    /// Share of packets meant for us that did not arrive lately, 0 to 1.
    pub loss_down: f64,
    /// Jitter of arrivals (RFC 3550), the worst slot's, milliseconds.
    pub jitter_ms: f64,
    /// Estimated mean opinion score of the last second, 1 to 4.5; null before the link is up.
    pub mos: Option<f64>,
    /// RTP payload sent, bits per second.
    pub bitrate_up: u64,
    /// RTP payload received, bits per second.
    pub bitrate_down: u64,
    /// RTP packets sent on this link.
    pub packets_sent: u64,
    /// RTP packets received on this link.
    pub packets_received: u64,
    /// RTP packets received without consent to play, and dropped.
    pub packets_refused: u64,
    /// What the microphone hears, in -dBov: 0 is loudest, 127 silence.
    pub level_in: u8,
    /// Whether that is sent: not while muted, alone, or without a link.
    pub sending: bool,
    /// What is played, in -dBov.
    pub level_out: u8,
    /// When the first sample of the file that the WAV backend plays was heard, Unix milliseconds.
    pub play_began_ms: Option<f64>,
    /// When the first sample that it records was played, Unix milliseconds.
    pub record_began_ms: Option<f64>,
    /// The receive slots in use.
    pub slots: Vec<SlotStats>,
}

/// One receive slot.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotStats {
    /// Counts from 0 in the order of the offer.
    pub slot: usize,
    /// RTP packets received.
    pub received: u64,
    /// RTP packets that never came.
    pub lost: u64,
    /// Sound waiting to be played, milliseconds.
    pub buffer_ms: f64,
    /// Frames that had to be made up.
    pub concealed: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// What is played of it, -dBov.
    pub level: u8,
}

/// What carries the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Transport {
    Udp,
    Tcp,
}
