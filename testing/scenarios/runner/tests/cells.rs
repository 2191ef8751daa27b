//! Every method is called at every moment of an app's life in some scenario.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jmrtc_call::{CallState, EngineState, LoginState, METHODS, State};
use jmrtc_scenarios::{Kind, Order, Report, Scenario, Sim, Stage, Verdict, files, play};

/// Between what an app can tell apart.
const MOMENTS: [&str; 16] = [
    "before login",
    "logging in",
    "with a rejected token",
    "signed in",
    "engine starting",
    "rung without an engine",
    "ready",
    "idle while reconnecting",
    "preflight running",
    "starting",
    "outgoing",
    "incoming",
    "connecting",
    "connected",
    "reconnecting",
    "leaving",
];

/// `waits`: whether a method is not answered yet.
fn moment(state: &State, waits: impl Fn(&str) -> bool) -> &'static str {
    match (state.login, state.call, state.engine) {
        (LoginState::LoggedOut, ..) => "before login",
        (LoginState::LoggingIn, ..) => "logging in",
        (LoginState::TokenRejected, CallState::Idle, _) => "with a rejected token",
        (_, CallState::Idle, _) if waits("hangup") || waits("refuse") => "leaving",
        (_, CallState::Idle, _) if waits("preflight") => "preflight running",
        (LoginState::Reconnecting, CallState::Idle, _) => "idle while reconnecting",
        (_, CallState::Idle, EngineState::Starting) => "engine starting",
        (_, CallState::Idle, EngineState::Ready) => "ready",
        (_, CallState::Idle, _) => "signed in",
        (_, CallState::Incoming, EngineState::Ready) => "incoming",
        (_, CallState::Incoming, _) => "rung without an engine",
        (_, CallState::Outgoing, _) if state.session.is_none() => "starting",
        (_, CallState::Outgoing, _) => "outgoing",
        (_, CallState::Connecting, _) => "connecting",
        (_, CallState::Connected, _) => "connected",
        (_, CallState::Reconnecting, _) => "reconnecting",
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

    fn patience(&self) -> Duration {
        self.sim.patience()
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
