//! The JMRTC server: sign-in, ringing and media for an app's own users. `jmrtc-server --help` is the manual.
//!
//! Three tasks own all state, each by `&mut`: the hub (rooms), the media task (relay and its sockets) and the store's
//! writer. Each WebSocket is one more task that knows nothing but its socket.
#![forbid(unsafe_code)]

mod app;
mod auth;
mod cli;
mod clock;
mod config;
mod demo;
mod directory;
mod http;
mod hub;
mod limiter;
mod listen;
mod media;
mod metrics;
mod rest;
mod secret;
mod serve;
mod store;
mod streams;
mod webhook;
mod ws;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// Something went wrong while running.
const FAILED: u8 = 1;
/// What was asked for can't be done; clap's code for a wrong flag.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (result, code) = match cli.command {
        Some(Command::Token { user, backend: _, lifetime }) => {
            (print_token(&cli.identity, user.as_ref(), lifetime), REFUSED)
        }
        None => serve::run(&cli.identity, cli.server),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(code)
        }
    }
}

#[allow(clippy::print_stdout)]
fn print_token(
    identity: &cli::IdentityArgs,
    user: Option<&jmrtc_protocol::Username>,
    lifetime: std::time::Duration,
) -> anyhow::Result<()> {
    let secret = secret::for_token(identity)?;
    let auth = auth::Auth::new(&identity.app_key, &secret).map_err(anyhow::Error::msg)?;
    println!("{}", auth.mint(user, clock::unix_s(), lifetime.as_secs().max(1))?);
    Ok(())
}

#[allow(clippy::print_stderr)]
fn complain(error: &anyhow::Error) {
    eprintln!("jmrtc-server: {error:#}");
}
