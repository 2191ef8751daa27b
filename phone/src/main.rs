//! `jmrtc-phone`: a voice endpoint for the command line, on the same core as the apps.
#![forbid(unsafe_code)]

mod args;
mod control;
mod display;
mod microphone;
mod outcome;
mod phone;
mod token;

use std::process::ExitCode;

use clap::Parser;
use jmrtc_engine::audio::{AudioConfig, Backend, Plug};
use jmrtc_engine::{Engine, EngineConfig, NetworkConfig, Platform};
use jmrtc_protocol::{Device, limits};

use crate::args::{Cli, Options, Role, Sound};
use crate::control::Control;
use crate::display::Display;
use crate::microphone::Microphone;
use crate::outcome::Outcome;
use crate::phone::{Manner, Phone};

fn main() -> ExitCode {
    // These warn about what is as it should be: no host name in DTLS, keepalives between connections.
    let filter = "warn,rtc_dtls=error,rtc_ice=error";
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(filter)).init();
    let Cli { options, role } = Cli::parse();
    let display = Display::new(options.json);
    match prepare(&options, &role) {
        Ok((engine, runtime, token, microphone)) => {
            let control = (options.control || role.is_driven()).then(Control::stdin);
            let manner = Manner { token, talk_for: options.talk_for, ring_for: options.ring_for };
            runtime.block_on(Phone::new(&engine, role, manner, display, microphone).run(control)).code.into()
        }
        Err(outcome) => {
            let mut display = display;
            display.exit(&outcome);
            outcome.code.into()
        }
    }
}

fn prepare(
    options: &Options,
    role: &Role,
) -> Result<(Engine, tokio::runtime::Runtime, String, Microphone), Outcome> {
    // Not clap's `env`: it would take a variable for an argument, and refuse --user beside it.
    let token = match (&options.token, &options.user, std::env::var("JMRTC_TOKEN")) {
        (Some(token), _, _) => token.clone(),
        (None, Some(user), _) => token::fetch(&options.server, user)?,
        (None, None, Ok(token)) => token,
        (None, None, Err(_)) if *role == Role::Drive => String::new(),
        (None, None, Err(_)) => {
            let why = "say who this is: --token, or --user at a --dev server";
            return Err(Outcome::new(2, why));
        }
    };
    let system = |e: std::io::Error| Outcome::new(1, e.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    let backend = backend(options, role)?;
    let microphone = Microphone::new(match &backend {
        Backend::Null(plug) => Some(plug.clone()),
        Backend::Wav { .. } | Backend::Echo | Backend::Device => None,
    });
    let config = EngineConfig {
        server_url: Some(options.server.clone()),
        device: Device { id: device_id(options)?, platform: jmrtc_protocol::Platform::Native },
        seed: None,
        audio: AudioConfig { backend, slots: limits::MAX_SLOTS },
        network: NetworkConfig { udp: !options.no_udp, ..NetworkConfig::default() },
        platform: Platform::Bridged,
        folder: options.folder.clone(),
        transcript: options.transcript.clone(),
    };
    let engine = Engine::start(config).map_err(|e| match &options.transcript {
        Some(file) => Outcome::new(22, format!("{}: {e}", file.display())),
        None => system(e),
    })?;
    Ok((engine, runtime, token, microphone))
}

fn device_id(options: &Options) -> Result<String, Outcome> {
    match &options.device_id {
        Some(id) => Ok(id.clone()),
        None => match getrandom::u64() {
            Ok(id) => Ok(format!("phone-{id:016x}")),
            Err(e) => Err(Outcome::new(1, e.to_string())),
        },
    }
}

fn backend(options: &Options, role: &Role) -> Result<Backend, Outcome> {
    let wav = |play| Backend::Wav { play, record: options.record.clone(), repeat: options.repeat };
    match role {
        Role::Announce { file } if options.play.is_none() => return Ok(wav(Some(file.clone()))),
        Role::Announce { .. } => return Err(Outcome::new(2, "announce plays its own file, not --play")),
        Role::Echo if options.play.is_some() || options.record.is_some() => {
            return Err(Outcome::new(2, "echo plays what it hears, no files"));
        }
        Role::Echo => return Ok(Backend::Echo),
        Role::Call { .. } | Role::Answer | Role::Listen | Role::Run | Role::Drive => {}
    }
    if options.play.is_some() || options.record.is_some() {
        return Ok(wav(options.play.clone()));
    }
    match (options.audio, role) {
        (Some(Sound::Desktop), _) => Ok(Backend::Device),
        (None, _) if cfg!(feature = "desktop") && *role != Role::Listen => Ok(Backend::Device),
        (Some(Sound::Null) | None, _) => Ok(Backend::Null(Plug::default())),
    }
}
