//! The stage without anything real: the machines and the rooms in a simulated world.

use std::collections::VecDeque;
use std::time::Duration;

use jmrtc_call::State;
use jmrtc_protocol::Username;
use jmrtc_sim::{End, System, Told, World};
use serde_json::{Value, json};

use crate::stage::{
    Answer, Kind, Microphone, Network, Order, Related, Report, ServerState, Settings, Stage, Use,
};

/// One simulated world.
#[derive(Debug)]
pub struct Sim {
    seed: u64,
    traced: bool,
    world: Option<World>,
    keep_calls: bool,
    devices: Vec<String>,
    /// The runner's number of each of a device's calls, in order.
    calls: Vec<(String, u64, u64)>,
    reports: VecDeque<Report>,
}

impl Sim {
    /// One that `seed` fixes. `traced` keeps a log for [`Sim::log`].
    pub const fn new(seed: u64, traced: bool) -> Self {
        Self {
            seed,
            traced,
            world: None,
            keep_calls: false,
            devices: Vec::new(),
            calls: Vec::new(),
            reports: VecDeque::new(),
        }
    }

    /// What happened, one line each.
    pub fn log(&self) -> &[String] {
        self.world.as_ref().map_or(&[], World::log)
    }

    /// How the app on `device` stands, if it runs.
    pub fn state(&self, device: &str) -> Option<State> {
        self.world.as_ref()?.state(device)
    }

    fn world(&mut self) -> Result<&mut World, String> {
        self.world.as_mut().ok_or_else(|| "there is no world yet".into())
    }

    fn after(&mut self, time: Duration) -> Result<u64, String> {
        Ok(self.world()?.now().saturating_add(time.as_millis().try_into().unwrap_or(u64::MAX)))
    }

    fn open(&mut self, devices: &[String], settings: &Settings) -> Result<(), String> {
        let mut relations = std::collections::BTreeMap::new();
        for related in &settings.relations {
            relations.insert((name(&related.of)?, name(&related.to)?), related.relation.clone());
        }
        self.keep_calls = settings.keep_calls;
        let settings = jmrtc_sim::Settings {
            ring_ms: settings.ring_ms,
            grace_ms: settings.grace_ms,
            ping_ms: settings.ping_ms,
            max_members: settings.max_members,
            relations,
        };
        self.devices = devices.to_vec();
        let names: Vec<_> = devices.iter().map(String::as_str).collect();
        self.world = Some(World::directed(self.seed, self.traced, &settings, &names));
        Ok(())
    }

    fn call(&mut self, device: &str, call: u64, method: &str, args: Option<&Value>) -> Result<(), String> {
        let mut args = args.cloned().unwrap_or_default();
        let world = self.world()?;
        if let Some(token) = args.get("token").and_then(|token| token.get("$token")) {
            let user = name(token["user"].as_str().unwrap_or_default())?;
            let ms = token["ms"].as_i64().unwrap_or_default();
            let token = u64::try_from(ms).map_or_else(|_| "expired".to_owned(), |ms| world.token(&user, ms));
            args["token"] = json!(token);
        }
        let id = world.call(device, method, args)?;
        self.calls.push((device.to_owned(), id, call));
        self.collect()
    }

    fn collect(&mut self) -> Result<(), String> {
        let Some(world) = &mut self.world else { return Ok(()) };
        for device in &self.devices {
            for told in world.told_to(device)? {
                self.reports.push_back(match told {
                    Told::Event(event) => {
                        let mut event = serde_json::to_value(&event).map_err(|e| e.to_string())?;
                        let name = event["name"].as_str().unwrap_or_default().to_owned();
                        Report::Event {
                            device: device.clone(),
                            event: name,
                            payload: event["payload"].take(),
                        }
                    }
                    Told::Answer { id, result } => {
                        let call = self.calls.iter().find(|(of, own, _)| of == device && *own == id);
                        let Some((_, _, call)) = call else { return Err("an answer to nothing".into()) };
                        let answer = result.map_or_else(Answer::Error, Answer::Result);
                        Report::Answer { device: device.clone(), call: *call, answer }
                    }
                });
            }
        }
        Ok(())
    }
}

fn name(text: &str) -> Result<Username, String> {
    Username::new(text).map_err(|e| e.to_string())
}

impl Stage for Sim {
    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Sim]
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        match order {
            Order::Open { devices, settings } => return self.open(devices, settings),
            Order::Call { device, call, method, args, .. } => {
                return self.call(device, *call, method, args.as_ref());
            }
            Order::Start { device, id } => {
                self.calls.retain(|(of, _, _)| of != device);
                self.world()?.open_app(device, id)
            }
            Order::Sleep { device, ms } => self.world()?.sleep(device, *ms),
            Order::Microphone { device, state } => {
                let world = self.world()?;
                match state {
                    Microphone::Granted => world.microphone(device, jmrtc_sim::Microphone::Granted),
                    Microphone::Refused => world.microphone(device, jmrtc_sim::Microphone::Refused),
                    Microphone::Broken => world.microphone(device, jmrtc_sim::Microphone::Broken),
                    Microphone::Asked => world.microphone(device, jmrtc_sim::Microphone::Asked),
                    Microphone::Unplugged => world.unplug(device),
                }
            }
            Order::MicrophoneIs { device, state } => self.world()?.microphone_is(
                device,
                match state {
                    Use::Open => jmrtc_sim::Use::Open,
                    Use::Closed => jmrtc_sim::Use::Closed,
                    Use::Untouched => jmrtc_sim::Use::Untouched,
                },
            ),
            Order::Kill { device } => self.world()?.kill_app(device),
            Order::Network { device, state } => self.world()?.network(
                device,
                match state {
                    Network::Up => jmrtc_sim::Network::Up,
                    Network::Cut => jmrtc_sim::Network::Cut,
                    Network::Silent => jmrtc_sim::Network::Silent,
                    Network::Held => jmrtc_sim::Network::Held,
                    Network::Slow => jmrtc_sim::Network::Slow,
                },
            ),
            Order::System { device, event } => {
                let system = match event.as_str() {
                    "answered" => System::Answered,
                    "declined" => System::Declined,
                    "networkChanged" => System::NetworkChanged,
                    other => return Err(format!("no system says `{other}`")),
                };
                self.world()?.system(device, system)
            }
            Order::Server { state } => match state {
                ServerState::Stopped if self.keep_calls => self.world()?.stop_server(End::HandsOver),
                ServerState::Stopped => self.world()?.stop_server(End::Stopped),
                ServerState::Killed => self.world()?.stop_server(End::Killed),
                ServerState::ReadOnly => {
                    self.world()?.hinder_server();
                    Ok(())
                }
                ServerState::Running => {
                    self.world()?.start_server();
                    Ok(())
                }
            },
            Order::Make { user, profile } => self.world()?.make_user(&name(user)?, profile.clone()),
            Order::Delete { user } => self.world()?.delete_user(&name(user)?),
            Order::Relate(Related { of, to, relation }) => {
                self.world()?.relate(&name(of)?, &name(to)?, relation.clone())
            }
            Order::Close => self.world()?.at_rest(),
        }?;
        self.collect()
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Report>, String> {
        let end = self.after(patience)?;
        loop {
            if let Some(report) = self.reports.pop_front() {
                return Ok(Some(report));
            }
            if !self.world()?.go(end)? {
                return Ok(None);
            }
            self.collect()?;
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.world.as_ref().map_or(0, World::now))
    }

    fn pass(&mut self, time: Duration) -> Result<(), String> {
        let end = self.after(time)?;
        self.world()?.go_to(end)?;
        self.collect()
    }
}
