//! What goes in and out of [`crate::Audio`].

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Instant, SystemTime},
};

use bytes::Bytes;

/// How an [`crate::Audio`] is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioConfig {
    /// Where sound comes from and goes to.
    pub backend: Backend,
    /// Receive slots, 1 to 255.
    pub slots: usize,
}

/// Where sound comes from and goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// Records silence where the microphone's plug says that it works, plays to nobody; in real time.
    Null(Plug),
    /// A virtual sound card over WAV files, in real time.
    Wav {
        /// What the microphone hears: it begins with the first frame that is sent after the microphone was opened, runs
        /// on while muted, and ends in silence. Any sample rate and number of channels. `None` is silence.
        play: Option<PathBuf>,
        /// Where everything played is written, 48 kHz mono 16 bit; one file for the life of the `Audio`.
        record: Option<PathBuf>,
        /// Start over at the end of `play`.
        repeat: bool,
    },
    /// The microphone hears what is played: the far end talks to itself.
    Echo,
    /// The system's microphone and loudspeaker, on Android and iOS those of a call. Elsewhere it needs the feature
    /// `desktop`.
    Device,
}

/// The plug of a microphone, in at first. Clones are of the same microphone.
#[derive(Debug, Clone, Default)]
pub struct Plug(Arc<State>);

#[derive(Debug, Default)]
struct State {
    out: AtomicBool,
    broken: AtomicBool,
    used: AtomicBool,
    touched: AtomicBool,
}

impl Plug {
    /// Pulls it out, or puts it in. Whoever uses the microphone has it no longer, and nobody else can have it.
    pub fn set(&self, plugged: bool) {
        self.0.out.store(!plugged, Relaxed);
    }

    /// Whether it is in.
    pub fn is_in(&self) -> bool {
        !self.0.out.load(Relaxed)
    }

    /// Whether whoever opens the microphone next gets none; the one that is in use works on.
    pub fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, Relaxed);
    }

    /// Whether the microphone can be opened.
    pub fn works(&self) -> bool {
        self.is_in() && !self.0.broken.load(Relaxed)
    }

    /// Whether the microphone is open.
    pub fn is_used(&self) -> bool {
        self.0.used.load(Relaxed)
    }

    /// Whether the microphone was ever open.
    pub fn was_used(&self) -> bool {
        self.0.touched.load(Relaxed)
    }

    pub(crate) fn set_used(&self, used: bool) {
        self.0.touched.fetch_or(used, Relaxed);
        self.0.used.store(used, Relaxed);
    }
}

impl PartialEq for Plug {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Plug {}

/// What may run. All false until the person accepted or dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Posture {
    /// The microphone is open.
    pub capture: bool,
    /// What it hears is sent.
    pub send: bool,
    /// What arrives is played.
    pub play: bool,
}

/// One RTP packet (RFC 3550) as it came off the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpFrame {
    /// Sequence number; wraps.
    pub sequence: u16,
    /// In samples at 48 kHz; wraps.
    pub timestamp: u32,
    /// First packet after a pause.
    pub marker: bool,
    /// One Opus packet (RFC 6716).
    pub payload: Bytes,
    /// When it came in.
    pub arrival: Instant,
}

/// 20 ms of the microphone, to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// In samples at 48 kHz; runs on through pauses; wraps.
    pub timestamp: u32,
    /// First frame after a pause.
    pub marker: bool,
    /// Level in -dBov, 0 (loudest) to 127 (silence), as in RFC 6464.
    pub level: u8,
    /// There is probably a voice in it.
    pub voice: bool,
    /// One Opus packet (RFC 6716).
    pub payload: Vec<u8>,
}

/// What an [`crate::Audio`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioEvent {
    /// [`crate::Audio::prepare`] succeeded.
    Ready,
    /// [`crate::Audio::prepare`] failed, or a device could not be opened again for ten seconds.
    Failed {
        /// For the developer.
        why: String,
    },
    /// A frame to send.
    Frame(EncodedFrame),
    /// All of [`Backend::Wav`]'s `play` has been heard; never with `repeat`.
    PlaybackDone,
}

/// How it goes, since the start unless said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AudioStats {
    /// Microphone level now, -dBov, 127 is silence or closed. Goes on while muted.
    pub level_in: u8,
    /// There is probably a voice in the microphone now.
    pub voice_in: bool,
    /// Level of what is played now, -dBov, 127 is silence or closed.
    pub level_out: u8,
    /// The microphone is open now.
    pub capturing: bool,
    /// The loudspeaker is open now.
    pub playing: bool,
    /// Frames handed out to be sent.
    pub sent: u64,
    /// The encoder adds in-band FEC now.
    pub fec_on: bool,
    /// Samples lost between microphone and worker because the worker was late.
    pub capture_overruns: u64,
    /// Samples of silence the loudspeaker got because the worker was late.
    pub playback_underruns: u64,
    /// Times a lost device was opened again.
    pub reopened: u64,
    /// Packets dropped because they came in faster than the worker took them.
    pub inbox_overruns: u64,
    /// When the first sample of [`Backend::Wav`]'s `play` was heard, by the system's clock.
    pub play_began: Option<SystemTime>,
    /// When the first sample of [`Backend::Wav`]'s `record` was played, by the system's clock.
    pub record_began: Option<SystemTime>,
    /// One for each slot.
    pub slots: Vec<SlotStats>,
}

/// How reception in one slot goes, since the start unless said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SlotStats {
    /// Packets taken in.
    pub received: u64,
    /// Packets that had not come when their time to be played had; late ones are among them.
    pub lost: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets given up to bound the delay.
    pub discarded: u64,
    /// Packets that are no Opus.
    pub broken: u64,
    /// Samples restored from in-band FEC.
    pub restored: u64,
    /// Samples invented by concealment; silence after it has faded is not counted.
    pub concealed: u64,
    /// Samples taken out to shorten the delay.
    pub accelerated: u64,
    /// Samples put in to lengthen the delay.
    pub expanded: u64,
    /// Sound that waits in the buffer now, ms.
    pub buffered_ms: u32,
    /// What the buffer adds to the fastest packets' way now, ms.
    pub delay_ms: u32,
    /// What it aims at now, ms.
    pub target_ms: u32,
    /// Level of what is played now, -dBov, 127 is silence.
    pub level: u8,
}

/// Why something could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The configuration makes no sense.
    #[error("audio configuration: {0}")]
    Config(String),
    /// A WAV file can't be read or written.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A device is missing or refuses.
    #[error("audio device: {0}")]
    Device(String),
    /// Something more important, as a telephone call, has the sound for as long as it likes.
    #[error("audio device: {0}, taken by another")]
    Taken(String),
    /// This build knows no way to a microphone and a loudspeaker.
    #[error("this build has no audio device backend (feature `desktop`)")]
    NoBackend,
    /// libopus refuses.
    #[error("Opus: {0}")]
    Codec(#[from] opus::Error),
    /// The system gives no thread.
    #[error("audio thread: {0}")]
    Thread(#[from] std::io::Error),
}
