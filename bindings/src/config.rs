use std::path::PathBuf;

use jmrtc_engine::audio::{AudioConfig, Backend, Plug};
use jmrtc_engine::{NetworkConfig, Platform};
use jmrtc_protocol::limits::{MAX_DEVICE_ID_BYTES, MAX_SLOTS};
use jmrtc_protocol::{Device, Platform as DevicePlatform};

/// How an engine is made.
#[derive(Debug, Clone, uniffi::Record)]
pub struct EngineConfig {
    /// Names this installation of the app, 1 to 128 bytes: make it once, at random, and keep it. The same
    /// id signing in again replaces the sign-in before.
    pub device_id: String,
    /// Where sound comes from and goes to.
    pub audio: AudioBackend,
    /// Where `login` goes when it names no server: the server's `https:` or `wss:` address.
    #[uniffi(default = None)]
    pub server_url: Option<String>,
    /// Try UDP first for media. Without it TCP is used at once.
    #[uniffi(default = true)]
    pub udp: bool,
    /// A folder of this installation, out of backups, where the engine keeps what must outlive the process: in which call the
    /// person is muted, and which they have left before the server could be told. Nothing is kept by default.
    #[uniffi(default = None)]
    pub folder: Option<String>,
    /// Where to write every step of the call machine as JSON lines, for a bug report; none by default.
    /// Names of users are in it, tokens are not.
    #[uniffi(default = None)]
    pub transcript_path: Option<String>,
}

/// Where sound comes from and goes to.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum AudioBackend {
    /// The system's microphone and loudspeaker. `initEngine` fails with `ENGINE_FAILED` where this
    /// library was built without a way to them.
    Device,
    /// Records silence, plays to nobody; in real time. For tests.
    Silent,
    /// A virtual sound card over WAV files, in real time. For tests.
    Wav {
        /// What the microphone hears once it is open, then silence. None is silence.
        play: Option<String>,
        /// Where everything played is written, 48 kHz mono 16 bit.
        record: Option<String>,
        /// Start over at the end of `play`.
        repeat: bool,
    },
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum StartError {
    /// A field of the config has no acceptable value.
    #[error("bad config: {why}")]
    Config {
        /// Which, and what it should be.
        why: String,
    },
    /// The system gave no thread, or the transcript can't be written.
    #[error("the engine did not start: {why}")]
    System {
        /// For the developer.
        why: String,
    },
}

impl EngineConfig {
    pub(crate) fn into_native(self) -> Result<jmrtc_engine::EngineConfig, StartError> {
        if self.device_id.is_empty() || self.device_id.len() > MAX_DEVICE_ID_BYTES {
            return Err(StartError::Config { why: "deviceId must have 1 to 128 bytes".to_owned() });
        }
        let platform = if cfg!(target_os = "android") {
            DevicePlatform::Android
        } else if cfg!(target_os = "ios") {
            DevicePlatform::Ios
        } else {
            DevicePlatform::Native
        };
        Ok(jmrtc_engine::EngineConfig {
            server_url: self.server_url,
            device: Device { id: self.device_id, platform },
            seed: None,
            audio: AudioConfig { backend: self.audio.into_native(), slots: MAX_SLOTS },
            network: NetworkConfig { udp: self.udp, ..NetworkConfig::default() },
            platform: Platform::Bridged,
            folder: self.folder.map(PathBuf::from),
            transcript: self.transcript_path.map(PathBuf::from),
        })
    }
}

impl AudioBackend {
    fn into_native(self) -> Backend {
        match self {
            Self::Device => Backend::Device,
            Self::Silent => Backend::Null(Plug::default()),
            Self::Wav { play, record, repeat } => {
                Backend::Wav { play: play.map(PathBuf::from), record: record.map(PathBuf::from), repeat }
            }
        }
    }
}
