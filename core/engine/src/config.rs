use std::path::PathBuf;
use std::time::Duration;

use jmrtc_audio::AudioConfig;
use jmrtc_protocol::Device;

/// How an engine is made.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where `login` goes when it names no server: the WebSocket URL, or the server's `http(s)` address.
    pub server_url: Option<String>,
    /// Which device this is.
    pub device: Device,
    /// Seeds the machine's random choices; taken from the system when absent.
    pub seed: Option<u64>,
    /// Microphone and loudspeaker.
    pub audio: AudioConfig,
    /// Ways to the server's media address.
    pub network: NetworkConfig,
    /// Who carries out what only an operating system's bridge can do.
    pub platform: Platform,
    /// A folder of this installation, out of backups, for what must outlive the process: in which call the person is muted,
    /// and which they have left. Without it a call can come back as the server knows it, muted or left since or not.
    pub folder: Option<PathBuf>,
    /// Every input and output of the machine is written here as JSON lines, to be replayed. It names
    /// people; secrets are left out.
    pub transcript: Option<PathBuf>,
}

/// Ways to the server's media address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Try UDP. Without it TCP is tried at once.
    pub udp: bool,
    /// How long UDP may take before TCP is tried besides. A link that came up over TCP stays there
    /// until its next ICE restart, so this must be longer than a slow network's first round trips.
    pub tcp_after: Duration,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self { udp: true, tcp_after: Duration::from_millis(400) }
    }
}

/// Who carries out [`jmrtc_call::PlatformAction`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Platform {
    /// Nobody: a process of its own. The microphone counts as granted, the other actions are dropped.
    #[default]
    Headless,
    /// A bridge that pulls [`crate::Engine::next_platform_action`] and answers with
    /// [`crate::Engine::platform_event`], the question for the microphone included.
    Bridged,
}
