//! The world: its clock, its parts, and what must hold.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_call::{
    AudioAction, AudioEvent, CallState, CommandId, Event, Input, LoginState, MediaAction, MediaEvent, Output,
    PlatformAction, PlatformEvent, SocketAction, SocketEvent, Timestamp,
};
use jmrtc_protocol::{
    ChannelId, ClientMessage, Closing, ErrorCode, Failure, Profile, Reason, Relation, Request, ServerMessage,
    Session, Username, decode_client, decode_server, encode,
};
use jmrtc_rooms::{CallRecord, ConnId, LinkId, MediaCommand, Rooms, UserRecord};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::app;
use crate::device::{Device, Told};
use crate::network::{Agenda, Conn, Item};

mod devices;
mod direct;
mod misfortune;
mod server;
mod sockets;
mod store;
mod verdict;

pub use direct::{Network, Settings};

/// For how long people and misfortune are at work.
const CHAOS_MS: u64 = 60_000;
/// Longer than any backoff and any answer that is waited for.
const REST_MS: u64 = 40_000;

/// What a run has seen, so that a test can tell that it has tried something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Calls that became connected at some device.
    pub connected: u64,
    /// Calls that were restored in a new life of an app.
    pub restored: u64,
    /// Times that a call was told as reconnected.
    pub reconnected: u64,
    /// Sockets that broke.
    pub broken: u64,
    /// Calls that were still running when everything was at rest.
    pub at_rest: u64,
}

/// How this run's server wants its clients, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    ring: u64,
    grace: u64,
    ping: u64,
    max_members: usize,
}

impl Times {
    /// After so long everything has come to rest by itself: rings, grace times, backoffs.
    const fn rest(self) -> u64 {
        self.ring + self.grace + 4 * self.ping + REST_MS
    }
}

/// One run.
#[derive(Debug)]
pub struct World {
    now: u64,
    dice: ChaCha8Rng,
    times: Times,
    users: Vec<Username>,
    profiles: BTreeMap<Username, Profile>,
    relations: BTreeMap<(Username, Username), Relation>,
    /// Calls that are over, newest last.
    records: Vec<CallRecord>,
    devices: Vec<Device>,
    rooms: Rooms,
    /// Servers started so far.
    server: u32,
    /// There is none at the moment.
    down: bool,
    conns: BTreeMap<ConnId, Conn>,
    agenda: Agenda,
    /// People and misfortune are at work.
    chaos: bool,
    /// Links that the media relay has, and whether they are admitted.
    links: BTreeMap<LinkId, bool>,
    last_id: u64,
    /// The machine at work does what it does because of the time alone.
    by_itself: bool,
    /// It answers to a method call in the same step.
    at_once: bool,
    /// Of the server.
    steps: u64,
    outcome: Outcome,
    log: Vec<String>,
    traced: bool,
    /// Whether each message is written and read and the rooms audited at each step, which takes most of the time.
    thorough: bool,
}

impl World {
    /// A world in which misfortune is at work. `traced` keeps a log of the run for [`World::log`].
    pub fn new(seed: u64, traced: bool) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut between = |least: u64, most: u64| least + dice.next_u64() % (most - least);
        let times = Times {
            ring: between(6_000, 30_000),
            grace: between(5_000, 30_000),
            ping: between(2_000, 8_000),
            max_members: 5,
        };
        let names = ["alice/0", "alice/1", "bob/0", "carol/0", "carol/1", "dave/0"];
        let mut world = Self::with(dice, times, &names);
        // Dave does not want to hear of Alice, and Carol not to be disturbed by Bob.
        let pair = |world: &Self, of: usize, to: usize| (world.users[of].clone(), world.users[to].clone());
        let blocked = Relation { is_in_black_list: true, ..Relation::default() };
        world.relations.insert(pair(&world, 3, 0), blocked);
        let quiet = Relation { is_no_disturb: true, ..Relation::default() };
        world.relations.insert(pair(&world, 2, 1), quiet);
        world.traced = traced;
        world.thorough = seed.is_multiple_of(16);
        world.chaos = true;
        for device in 0..world.devices.len() {
            world.start_app(device);
        }
        world.agenda.plan(world.now, Item::Chaos);
        world
    }

    /// Devices are named after their user: `alice`, or `alice/tablet`.
    fn with(mut dice: ChaCha8Rng, times: Times, devices: &[&str]) -> Self {
        let user = |device: &str| device.split('/').next().unwrap_or_default().to_owned();
        let name = |n: String| Username::new(&n).unwrap_or_else(|e| unreachable!("{n}: {e}"));
        let mut users = Vec::new();
        let mut made = Vec::new();
        for device in devices {
            let user = name(user(device));
            let mut device = Device::new(user.clone(), (*device).to_owned(), dice.next_u64());
            device.has_siblings =
                devices.iter().filter(|d| d.split('/').next() == Some(user.as_str())).count() > 1;
            made.push(device);
            if !users.contains(&user) {
                users.push(user);
            }
        }
        Self {
            now: 1_000,
            rooms: rooms(times, &mut dice),
            dice,
            times,
            users,
            profiles: BTreeMap::new(),
            relations: BTreeMap::new(),
            records: Vec::new(),
            devices: made,
            server: 1,
            down: false,
            conns: BTreeMap::new(),
            agenda: Agenda::default(),
            chaos: false,
            links: BTreeMap::new(),
            last_id: 0,
            by_itself: false,
            at_once: false,
            steps: 0,
            outcome: Outcome::default(),
            log: Vec::new(),
            traced: false,
            thorough: true,
        }
    }

    /// What happened, one line each.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Lets it run: misfortune, then rest, then everybody goes home. The error says what does not hold.
    pub fn run(&mut self) -> Result<Outcome, String> {
        self.run_until(self.now + CHAOS_MS)?;
        self.trace(|_| "---- rest".into());
        self.chaos = false;
        self.devices.iter_mut().for_each(|d| d.offline_until = 0);
        self.run_until(self.now + self.times.rest())?;
        self.all_agree()?;
        self.trace(|_| "---- good night".into());
        for device in 0..self.devices.len() {
            if self.devices[device].alive {
                self.command(device, "releaseEngine", json!(null))?;
                self.command(device, "logout", json!(null))?;
            }
        }
        self.run_until(self.now + self.times.rest())?;
        self.all_gone()?;
        Ok(self.outcome)
    }

    fn run_until(&mut self, end: u64) -> Result<(), String> {
        while self.step(end)? {}
        self.now = end;
        Ok(())
    }

    /// Goes to the next moment at which something happens, and does it; false when that is after `end`.
    fn step(&mut self, end: u64) -> Result<bool, String> {
        let clients = self.devices.iter().filter(|d| d.alive).filter_map(|d| d.client.next_deadline());
        let next = clients
            .map(|at| at.0)
            .chain(self.rooms.next_deadline().map(|at| at.0))
            .chain(self.agenda.next())
            .min();
        let Some(next) = next.filter(|at| *at <= end) else { return Ok(false) };
        self.now = self.now.max(next);
        while let Some(item) = self.agenda.take(self.now) {
            self.happen(item)?;
        }
        for device in 0..self.devices.len() {
            let now = self.now;
            let due = |d: &Device| d.client.next_deadline().is_some_and(|at| at.0 <= now);
            if self.devices[device].alive && due(&self.devices[device]) {
                self.input(device, Input::Deadline)?;
                check(!due(&self.devices[device]), || "a deadline that never passes".into())?;
            }
        }
        if self.rooms.next_deadline().is_some_and(|at| at.0 <= self.now) {
            self.server(jmrtc_rooms::Input::Deadline)?;
        }
        Ok(true)
    }

    fn happen(&mut self, item: Item) -> Result<(), String> {
        match item {
            Item::Opened(id) => self.opened(id),
            Item::ToServer(id, message) => self.at_server(id, message),
            Item::ToClient(id, message) => {
                let Some(conn) = self.conns.get(&id).filter(|c| c.at_client && !c.broken) else {
                    return Ok(());
                };
                self.socket(conn.device, conn.life, conn.generation, SocketEvent::Message { message })
            }
            Item::ClosedToClient(id) => {
                let Some(conn) = self.conns.get_mut(&id).filter(|c| c.at_client) else { return Ok(()) };
                conn.at_client = false;
                let (device, life, generation) = (conn.device, conn.life, conn.generation);
                self.socket(device, life, generation, SocketEvent::Closed { why: "gone".into() })
            }
            Item::ClosedToServer(id) => self.closed_to_server(id),
            Item::Watch(id) => {
                let Some(conn) = self.conns.get(&id).filter(|c| c.at_server) else { return Ok(()) };
                if self.now - conn.heard >= 3 * self.times.ping {
                    self.closed_to_server(id)
                } else {
                    self.agenda.plan(self.now + self.times.ping, Item::Watch(id));
                    Ok(())
                }
            }
            Item::Expire => self.expire(),
            Item::LinkAnswer { ticket, result, unmade, server } => {
                if server == self.server {
                    // What was refused has never been made: no close will come for it.
                    unmade.and_then(|link| self.links.remove(&link));
                    self.server(jmrtc_rooms::Input::LinkAnswer { ticket, result })
                } else {
                    Ok(())
                }
            }
            Item::Media { device, life, generation, event } => {
                self.in_life(device, life, Input::Media { generation, event })
            }
            Item::Audio { device, life, event } => self.in_life(device, life, Input::Audio(event)),
            Item::Platform { device, life, event } => self.in_life(device, life, Input::Platform(event)),
            Item::Command { device, life, method, args } => {
                if self.devices[device].life == life && self.devices[device].alive {
                    self.command(device, &method, args).map(|_| ())
                } else {
                    Ok(())
                }
            }
            Item::Revive { device } => {
                if !self.devices[device].alive {
                    self.trace(|w| format!("{} is started anew", w.devices[device].id));
                    let seed = self.dice.next_u64();
                    self.devices[device].revive(seed);
                    self.start_app(device);
                }
                Ok(())
            }
            Item::Chaos => self.misfortune(),
        }
    }

    /// A number below `below`.
    fn roll(&mut self, below: u64) -> u64 {
        self.dice.next_u64() % below
    }

    fn latency(&mut self) -> u64 {
        match self.roll(10) {
            0 => self.roll(900),
            1..=4 => 1,
            _ => 1 + self.roll(80),
        }
    }

    fn number(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn trace(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.traced {
            let line = format!("{:>7} {}", self.now, line(self));
            self.log.push(line);
        }
    }
}

fn rooms(times: Times, dice: &mut ChaCha8Rng) -> Rooms {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&dice.next_u64().to_le_bytes());
    let echo = Username::new("echo").unwrap_or_else(|e| unreachable!("{e}"));
    let config = jmrtc_rooms::Config {
        app_key: "app".into(),
        epoch_ms: 1_700_000_000_000,
        ring_ms: times.ring,
        grace_ms: times.grace,
        ping_ms: times.ping,
        max_members: times.max_members,
        slots: 4,
        ice_servers: vec![],
        robots: BTreeSet::from([echo]),
    };
    Rooms::new(config, seed)
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// JSON without what every user has.
fn shorten(what: &impl serde::Serialize) -> String {
    let mut value = serde_json::to_value(what).unwrap_or_default();
    strip(&mut value);
    value.to_string()
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) if fields.contains_key("username") && fields.contains_key("nickname") => {
            *value = fields.get("username").cloned().unwrap_or_default();
        }
        Value::Object(fields) => fields.values_mut().for_each(strip),
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
