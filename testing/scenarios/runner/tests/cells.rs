//! Every method is called at every moment of an app's life in some scenario.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jmrtc_call::{CallState, EngineState, LoginState, METHODS, State};
use jmrtc_scenarios::{Kind, Order, Report, Scenario, Sim, Stage, Verdict, files, play};

/// Between what an app can tell apart by `getState`, and what waits for an answer. Two last too short to be told apart: of a call
/// that is reconnecting, whether the signalling or only the sound is lost; of one that is connecting with an engine, whether the accept is answered.
const MOMENTS: [&str; 36] = [
    "before login",
    "signed out, with an engine",
    "logging in",
    "logging in, with an engine",
    "with a rejected token",
    "with a rejected token, without an engine",
    "signed in",
    "engine starting",
    "ready",
    "idle while reconnecting",
    "idle while reconnecting, without an engine",
    "preflight running",
    "starting",
    "starting, cut off",
    "starting, with a rejected token",
    "outgoing",
    "outgoing, cut off",
    "outgoing, with a rejected token",
    "outgoing, without an engine",
    "rung without an engine",
    "rung without an engine, cut off",
    "rung without an engine, with a rejected token",
    "rung while the engine starts",
    "incoming",
    "incoming, cut off",
    "incoming, with a rejected token",
    "connecting",
    "connecting, cut off",
    "connecting, with a rejected token",
    "connecting, without an engine",
    "connected",
    "reconnecting",
    "in a call, with a rejected token",
    "back in a call, without an engine",
    "back in a call while the engine starts",
    "leaving",
];

/// `waits`: whether a method is not answered yet.
fn moment(state: &State, waits: impl Fn(&str) -> bool) -> &'static str {
    use CallState::{Connected, Connecting, Idle, Incoming, Outgoing, Reconnecting};
    use EngineState::{Off, Ready, Starting};
    let of_line = |up, cut, rejected| match state.login {
        LoginState::LoggedOut | LoginState::LoggingIn | LoginState::LoggedIn => up,
        LoginState::Reconnecting => cut,
        LoginState::TokenRejected => rejected,
    };
    match (state.login, state.call, state.engine) {
        (LoginState::LoggedOut, _, Off | Starting) => "before login",
        (LoginState::LoggedOut, _, Ready) => "signed out, with an engine",
        (LoginState::LoggingIn, _, Off | Starting) => "logging in",
        (LoginState::LoggingIn, _, Ready) => "logging in, with an engine",
        (_, Idle, _) if waits("hangup") || waits("refuse") => "leaving",
        (_, Idle, _) if waits("preflight") => "preflight running",
        (LoginState::LoggedIn, Idle, Starting) => "engine starting",
        (_, Idle, Ready) => of_line("ready", "idle while reconnecting", "with a rejected token"),
        (_, Idle, Off | Starting) => of_line(
            "signed in",
            "idle while reconnecting, without an engine",
            "with a rejected token, without an engine",
        ),
        (_, Outgoing, _) if state.session.is_none() => {
            of_line("starting", "starting, cut off", "starting, with a rejected token")
        }
        (_, Outgoing, Ready) => of_line("outgoing", "outgoing, cut off", "outgoing, with a rejected token"),
        (_, Outgoing, Off | Starting) => "outgoing, without an engine",
        (_, Incoming, Ready) => of_line("incoming", "incoming, cut off", "incoming, with a rejected token"),
        (LoginState::LoggedIn, Incoming, Starting) => "rung while the engine starts",
        (_, Incoming, Off | Starting) => of_line(
            "rung without an engine",
            "rung without an engine, cut off",
            "rung without an engine, with a rejected token",
        ),
        (_, Connecting, Ready) => {
            of_line("connecting", "connecting, cut off", "connecting, with a rejected token")
        }
        (_, Connecting, Off | Starting) => "connecting, without an engine",
        (_, Connected, _) => "connected",
        (LoginState::LoggedIn, Reconnecting, Off) => "back in a call, without an engine",
        (LoginState::LoggedIn, Reconnecting, Starting) => "back in a call while the engine starts",
        (_, Reconnecting, _) => of_line("reconnecting", "reconnecting", "in a call, with a rejected token"),
    }
}

/// A simulated world that notes what the scenario calls when.
struct Watched {
    sim: Sim,
    cells: BTreeSet<(&'static str, String)>,
    /// Methods that are not answered yet, with their device and number.
    open: BTreeMap<(String, u64), String>,
}

impl Stage for Watched {
    fn kinds(&self) -> Vec<Kind> {
        self.sim.kinds()
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        if let Order::Kill { device } = order {
            self.open.retain(|(of, _), _| of != device);
        }
        if let Order::Call { device, call, method, own: false, .. } = order
            && let Some(state) = self.sim.state(device)
        {
            let waits = |name: &str| self.open.iter().any(|((of, _), open)| of == device && open == name);
            self.cells.insert((moment(&state, waits), method.clone()));
            self.open.insert((device.clone(), *call), method.clone());
        }
        self.sim.carry_out(order)
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Report>, String> {
        let report = self.sim.next(patience)?;
        if let Some(Report::Answer { device, call, .. }) = &report {
            self.open.remove(&(device.clone(), *call));
        }
        Ok(report)
    }

    fn elapsed(&self) -> Duration {
        self.sim.elapsed()
    }

    fn pass(&mut self, time: Duration) -> Result<(), String> {
        self.sim.pass(time)
    }
}

#[test]
fn every_method_is_called_at_every_moment() {
    let mut cells = BTreeSet::new();
    for file in files(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap() {
        let mut stage = Watched { sim: Sim::new(1, false), cells: BTreeSet::new(), open: BTreeMap::new() };
        if play(&Scenario::read(&file).unwrap(), &mut stage) == Verdict::Passed {
            cells.extend(stage.cells);
        }
    }
    let missing: Vec<String> = MOMENTS
        .iter()
        .filter_map(|moment| {
            let none: Vec<_> =
                METHODS.into_iter().filter(|m| !cells.contains(&(*moment, (*m).to_owned()))).collect();
            (!none.is_empty()).then(|| format!("{moment}: {}", none.join(", ")))
        })
        .collect();
    assert!(missing.is_empty(), "no scenario calls\n{}", missing.join("\n"));
}
