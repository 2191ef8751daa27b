//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use jmrtc_protocol::Username;

use crate::outcome;

/// A voice endpoint for the command line: calls, answers, echoes, announces.
///
/// It signs in at a JMRTC server, opens a microphone and a loudspeaker (files with --play and --record)
/// and says on standard output what happens.
#[derive(Debug, Parser)]
#[command(name = "jmrtc-phone", version, after_long_help = outcome::MANUAL, after_help = outcome::MANUAL)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) role: Role,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server, as http, https, ws or wss URL.
    #[arg(
        long,
        global = true,
        env = "JMRTC_SERVER",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL",
        value_parser = server
    )]
    pub(crate) server: String,

    /// Sign in with this token, made by `jmrtc-server token` or the company's own backend. Without it and --user,
    /// with the one in the environment variable JMRTC_TOKEN.
    #[arg(long, global = true, conflicts_with = "user")]
    pub(crate) token: Option<String>,

    /// Sign in by this name at a server that runs with --dev.
    #[arg(long, global = true, value_name = "NAME", value_parser = username)]
    pub(crate) user: Option<String>,

    /// Names this device: the same id again replaces the sign-in before. Made up when absent.
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) device_id: Option<String>,

    /// Keeps there how one has left a call, or is muted in it, should this end now: for the next with the same --device-id.
    #[arg(long, global = true, value_name = "DIR", requires = "device_id")]
    pub(crate) folder: Option<PathBuf>,

    /// What the microphone hears: a WAV file.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) play: Option<PathBuf>,

    /// Start over at the end of --play.
    #[arg(long, global = true, requires = "play")]
    pub(crate) repeat: bool,

    /// Where everything that is heard goes: a WAV file, 48 kHz mono.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// Sound without --play and --record: the desktop's devices, or none. The desktop where this build has it.
    #[arg(long, global = true, value_enum)]
    pub(crate) audio: Option<Sound>,

    /// Hang up when connected for this long, e.g. 10s, 500ms, 2m.
    #[arg(long = "for", global = true, value_name = "TIME", value_parser = duration)]
    pub(crate) talk_for: Option<Duration>,

    /// Calling: give up after ringing this long. Answering: let it ring this long.
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub(crate) ring_for: Option<Duration>,

    /// Send and receive sound over TCP only.
    #[arg(long, global = true)]
    pub(crate) no_udp: bool,

    /// One JSON object a line instead of text: {"event": "CallConnected", "payload": …}, {"event": "reply",
    /// "method": …, "result" or "error": …}, {"event": "stats", …}, {"event": "exit", "code": …, "why": …},
    /// each with "at", Unix milliseconds with a fraction.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Read methods of window.JMRTC from standard input once the sound is prepared, one JSON object a line (getStats is
    /// none of them: "stats" events tell it): {"method": "setIsMuted",
    /// "args": {"muted": true}}. An "id" comes back in the reply. {"event": "networkChanged"} tells what an
    /// operating system would; {"event": "answered", "channelId": "…", "stay": 1} and "declined" name what a "platform" line of
    /// --json has shown last. {"microphone": "refused"}: the person does not give it when asked; "asked": does not answer yet;
    /// "broken", "unplugged" (with --audio null): whoever opens one has none, or the one in use is gone too; "granted": as at first.
    /// {"microphoneIs": "closed"} (with --audio null) is not understood where it is "open"; so are "open" and "untouched",
    /// for one that was never opened, where it is otherwise.
    #[arg(long, global = true)]
    pub(crate) control: bool,

    /// Write all that the call machine is told and says to this file, for `cargo xtask replay`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Role {
    /// Call users and talk until somebody hangs up.
    Call {
        /// Whom to call.
        #[arg(required = true, value_name = "USER")]
        usernames: Vec<String>,
    },
    /// Wait for a call, answer it and talk until somebody hangs up.
    Answer,
    /// Answer every call and send back what is heard.
    Echo,
    /// Answer every call, play a file and hang up.
    Announce {
        /// A WAV file.
        file: PathBuf,
    },
    /// Answer every call; the microphone hears nothing but --play.
    Listen,
    /// Sign in, prepare the sound and do what standard input says (as with --control) until its end.
    Run,
    /// Do what standard input says until its end and nothing else: not even sign in.
    Drive,
}

impl Role {
    /// Whether it ends with standard input.
    pub(crate) const fn is_driven(&self) -> bool {
        matches!(self, Self::Run | Self::Drive)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sound {
    /// The system's default microphone and loudspeaker.
    Desktop,
    /// Silence, to nobody.
    Null,
}

fn server(text: &str) -> Result<String, String> {
    let known = ["http://", "https://", "ws://", "wss://"].iter().any(|scheme| text.starts_with(scheme));
    if known {
        Ok(text.to_owned())
    } else {
        Err("a server's URL begins with http://, https://, ws:// or wss://".to_owned())
    }
}

fn username(text: &str) -> Result<String, String> {
    Username::new(text).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

/// `10s`, `500ms`, `2m`, `1h`; a number alone is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{unit}` is no unit of time: use ms, s, m or h")),
    };
    let number = f64::from_str(number).map_err(|_| "no number".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "s", "10 s", "10x", "-1s", "1e9h", "..s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn options_stand_anywhere() {
        let cli = Cli::try_parse_from([
            "jmrtc-phone",
            "--user",
            "a",
            "call",
            "bob",
            "carol",
            "--for",
            "3s",
            "--json",
        ]);
        let cli = cli.unwrap();
        assert_eq!(cli.role, Role::Call { usernames: vec!["bob".to_owned(), "carol".to_owned()] });
        assert_eq!(cli.options.talk_for, Some(Duration::from_secs(3)));
        assert!(cli.options.json);
        assert!(Cli::try_parse_from(["jmrtc-phone", "--user", "a", "call"]).is_err());
        assert!(Cli::try_parse_from(["jmrtc-phone", "--user", "", "answer"]).is_err());
        for server in ["ftp://a.example", "127.0.0.1:8080", ""] {
            assert!(
                Cli::try_parse_from(["jmrtc-phone", "--server", server, "--user", "a", "answer"]).is_err()
            );
        }
        assert!(Cli::try_parse_from(["jmrtc-phone", "--user", "a", "--token", "t", "answer"]).is_err());
    }
}
