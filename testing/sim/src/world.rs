//! The world: its clock, its parts, and what must hold.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_call::{
    AudioAction, AudioEvent, CallState, CommandId, EngineState, Event, Generation, Input, LeavePayload,
    LinkSample, LoginState, MediaAction, MediaEvent, MutedPayload, OthersInvitedPayload, Output,
    PlatformAction, PlatformEvent, SocketAction, SocketEvent, State, Timestamp,
};
use jmrtc_protocol::{
    ChannelId, ClientMessage, Closing, Detail, ErrorCode, Failure, Profile, Reason, Relation, Request,
    RequestId, ServerEvent, ServerMessage, Session, Stay, User, Username, decode_client, decode_server,
    encode,
};
use jmrtc_rooms::{CallKey, CallRecord, ConnId, Handover, LinkId, MediaCommand, Rooms, UserRecord};
use serde_json::{Value, json};

use crate::app;
use crate::budget::Budget;
use crate::chance::{Choices, Luck, Roll, Weather};
use crate::device::{Device, Told};
use crate::mirror::{Mirror, mutings};
use crate::network::{Agenda, Conn, Item};
use crate::plan::{Act, Plan, Step};
use crate::semantics::Semantics;

mod devices;
mod direct;
mod media;
mod misfortune;
mod news;
mod server;
mod sockets;
mod store;
mod verdict;

pub use direct::{Microphone, Network, Settings, System, Use};

/// Longer than any backoff and any answer that is waited for.
const REST_MS: u64 = 40_000;

/// For an invitation to get through, where something can: ten times the longest way.
const TOLD_MS: u64 = 10_000;

/// Unix milliseconds at the world's zero.
pub(crate) const EPOCH_MS: i64 = 1_700_000_000_000;

/// In which a link carries others' sound.
const SLOTS: u8 = 4;

/// A hundred times what happens in a long run: somebody goes round in circles.
const TOO_MUCH: u64 = 500_000;

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
    /// Phones that slept in a call.
    pub slept: u64,
    /// Tokens that the server would not have any more.
    pub rejected: u64,
    /// Messages of old sockets that came in.
    pub late: u64,
    /// Another connection took the place of one that was silent.
    pub switched: u64,
    /// Users who were deleted.
    pub deleted: u64,
    /// Invitations that were too many within a minute.
    pub limited: u64,
    /// Mutings that were too many.
    pub fidgeted: u64,
    /// Times that others spoke than before.
    pub spoken: u64,
    /// Times that the quality of a call was told.
    pub rated: u64,
    /// Times that an app was told of calls that were over.
    pub remembered: u64,
    /// Servers that handed calls over.
    pub handed_over: u64,
    /// Calls that were still running when everything was at rest.
    pub at_rest: u64,
    /// Things that happened: a person's, a message's, a timer's, a misfortune's.
    pub steps: u64,
}

/// How this run's server wants its clients, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    ring: u64,
    grace: u64,
    ping: u64,
    max_members: usize,
    invitations_per_minute: u32,
}

impl Times {
    /// After so long everything has come to rest by itself: rings, grace times, backoffs.
    const fn rest(self) -> u64 {
        self.ring + self.grace + 4 * self.ping + REST_MS
    }
}

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Without a word.
    Killed,
    /// It says goodbye, and its calls are over.
    Stopped,
    /// It says goodbye, and the next takes over its calls.
    HandsOver,
}

/// A link at the media relay.
#[derive(Debug, Clone)]
struct Link {
    device: usize,
    wanted: Wanted,
    /// Into what.
    admitted: Option<CallKey>,
    /// Whose sound it carries.
    slots: Vec<Option<LinkId>>,
}

/// A user of whom the store knows.
#[derive(Debug, Clone, Default)]
struct Person {
    profile: Profile,
    /// Unix milliseconds.
    made: i64,
}

/// A link that a device asks the server for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    generation: Generation,
    /// It belongs to no call.
    preflight: bool,
}

/// One run.
#[derive(Debug)]
pub struct World {
    now: u64,
    luck: Luck,
    /// Who chooses what is done; nobody where it is written down or directed.
    choices: Option<Choices>,
    /// When the next thing is chosen.
    choosing: u64,
    /// What will be done.
    script: BTreeMap<(u64, u64), Step>,
    scripted: u64,
    /// What was done.
    plan: Plan,
    times: Times,
    users: Vec<Username>,
    /// Those of them who are not deleted.
    people: BTreeMap<Username, Person>,
    /// What the first keeps about the second.
    relations: BTreeMap<(Username, Username), Relation>,
    /// How many changes the server lets each user make.
    changes: Budget,
    /// Calls that are over.
    records: Vec<CallRecord>,
    /// Of the server before, for the next.
    handover: Option<Handover>,
    devices: Vec<Device>,
    rooms: Rooms,
    mirror: Mirror,
    /// Until when the server does nothing.
    frozen_until: u64,
    /// The device whose request the server is at, and the link that it wants.
    asking: usize,
    wanted: Wanted,
    /// Servers started so far.
    server: u32,
    /// There is none at the moment.
    down: bool,
    /// Its store takes no changes.
    read_only: bool,
    conns: BTreeMap<ConnId, Conn>,
    agenda: Agenda,
    /// That the media relay has.
    links: BTreeMap<LinkId, Link>,
    /// Calls in which the robot is.
    echoes: BTreeSet<CallKey>,
    /// What links carry is measured: people speak, and not every network is good.
    measures: bool,
    last_id: u64,
    /// The machine at work does what it does because of the time alone.
    by_itself: bool,
    /// Its media link was up before.
    was_linked: bool,
    /// It answers to a method call in the same step.
    at_once: bool,
    /// What it has just been answered about calls that are over.
    history: Option<Value>,
    /// Of the server.
    steps: u64,
    /// Items of the agenda so far.
    happened: u64,
    outcome: Outcome,
    log: Vec<String>,
    traced: bool,
    /// Whether each message is written and read and the rooms audited at each step, which takes most of the time.
    thorough: bool,
}

impl World {
    /// A world whose people and misfortunes follow a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut choices = Choices::of_seed(seed);
        let rest = 5_000 * (1 + choices.roll(12));
        let weather = if choices.roll(4) == 0 { Weather::Fair } else { Weather::Rough };
        let mut world = Self::of_people(Plan::of_seed(seed, weather, rest));
        world.thorough = seed.is_multiple_of(16);
        world.improvise(choices);
        world
    }

    /// A world whose people and misfortunes follow bytes, and rest when those are used up.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut choices = Choices::of_bytes(bytes.to_vec());
        let (seed, fair) = (choices.roll(1 << 16), choices.roll(4) == 0);
        let weather = if fair { Weather::Fair } else { Weather::Rough };
        let mut world = Self::of_people(Plan::of_seed(seed, weather, 600_000));
        world.improvise(choices);
        world
    }

    /// A world in which happens what is written.
    pub fn of_plan(plan: &Plan) -> Self {
        let mut world = Self::of_people(Plan { steps: Vec::new(), ..plan.clone() });
        for step in &plan.steps {
            world.write(step.clone());
        }
        world
    }

    fn of_people(plan: Plan) -> Self {
        let luck = Luck { seed: plan.seed, weather: plan.weather };
        let between = |what, least: u64, most: u64| least + luck.number(what, 0, 0) % (most - least);
        let times = Times {
            ring: between(Roll::Ring, 6_000, 30_000),
            grace: between(Roll::Grace, 5_000, 30_000),
            ping: between(Roll::Ping, 2_000, 8_000),
            max_members: plan.max_members,
            invitations_per_minute: plan.invitations_per_minute.unwrap_or(u32::MAX),
        };
        let name = |n: &str| Username::new(n).unwrap_or_else(|e| unreachable!("{n}: {e}"));
        // Dave does not want to hear of Alice, and Carol not to be disturbed by Bob.
        let blocked = Relation { is_in_black_list: true, ..Relation::default() };
        let quiet = Relation { is_no_disturb: true, ..Relation::default() };
        let mut relations =
            BTreeMap::from([((name("dave"), name("alice")), blocked), ((name("carol"), name("bob")), quiet)]);
        let devices = plan.devices.clone();
        let devices: Vec<_> = devices.iter().map(String::as_str).collect();
        let there = |user: &Username| devices.iter().any(|device| device.starts_with(user.as_str()));
        relations.retain(|(of, _), _| there(of));
        let mut world = Self::with(plan, times, relations, &devices);
        world.measures = true;
        world
    }

    fn improvise(&mut self, choices: Choices) {
        self.choices = Some(choices);
        for device in 0..self.devices.len() {
            self.sign_in_soon(device);
        }
    }

    /// Keeps a log of the run for [`World::log`].
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Devices are named after their user: `alice`, or `alice/tablet`.
    fn with(
        plan: Plan,
        times: Times,
        relations: BTreeMap<(Username, Username), Relation>,
        names: &[&str],
    ) -> Self {
        let luck = Luck { seed: plan.seed, weather: plan.weather };
        let user = |device: &str| {
            let name = device.split('/').next().unwrap_or_default();
            Username::new(name).unwrap_or_else(|e| unreachable!("{name}: {e}"))
        };
        let mut users = Vec::new();
        let mut devices = Vec::new();
        for name in names {
            let user_of = user(name);
            let seed = luck.number(Roll::Seed, devices.len() as u64, 0);
            let id = (*name).to_owned();
            let signs_in_as = plan.copies.get(&id).unwrap_or(&id).clone();
            let mut device = Device::new(user_of.clone(), id, signs_in_as, seed);
            device.has_siblings = names.iter().filter(|other| user(other) == user_of).count() > 1;
            devices.push(device);
            if !users.contains(&user_of) {
                users.push(user_of);
            }
        }
        Self {
            now: 1_000,
            luck,
            choices: None,
            choosing: 1_000,
            script: BTreeMap::new(),
            scripted: 0,
            plan,
            rooms: rooms(times, luck.number(Roll::Seed, 0, 1)),
            mirror: mirror(times, &relations),
            frozen_until: 0,
            asking: 0,
            wanted: Wanted { generation: 0, preflight: false },
            times,
            people: users.iter().map(|user| (user.clone(), Person::default())).collect(),
            users,
            relations,
            changes: changes(),
            records: Vec::new(),
            handover: None,
            devices,
            server: 1,
            down: false,
            read_only: false,
            conns: BTreeMap::new(),
            agenda: Agenda::default(),
            links: BTreeMap::new(),
            echoes: BTreeSet::new(),
            measures: false,
            last_id: 0,
            by_itself: false,
            was_linked: false,
            at_once: false,
            history: None,
            steps: 0,
            happened: 0,
            outcome: Outcome::default(),
            log: Vec::new(),
            traced: false,
            thorough: true,
        }
    }

    /// What was done: with this it is the same run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What happened, one line each.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Lets it run: misfortune, then rest, then everybody goes home. The error says what does not hold.
    pub fn run(&mut self) -> Result<Outcome, String> {
        while self.now < self.plan.rest {
            self.run_until(self.plan.rest.min(self.now + 5_000))?;
            if self.choices.as_ref().is_some_and(Choices::is_spent) {
                self.plan.rest = self.now;
            }
        }
        self.trace(|_| "---- rest".into());
        self.choices = None;
        self.script.clear();
        self.luck.weather = self.luck.weather.min(Weather::Fair);
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
        self.all_remember()?;
        Ok(Outcome { steps: self.happened, ..self.outcome })
    }

    fn run_until(&mut self, end: u64) -> Result<(), String> {
        while self.step(end)? {}
        self.now = end;
        Ok(())
    }

    /// Goes to the next moment at which something happens, and does it; false when that is after `end`.
    fn step(&mut self, end: u64) -> Result<bool, String> {
        let clients = self.devices.iter().filter(|d| d.alive);
        let deadlines = clients.filter_map(|d| Some(d.client.next_deadline()?.0.max(d.asleep_until)));
        let next = deadlines
            .chain(self.rooms.next_deadline().map(|at| at.0.max(self.frozen_until)))
            .chain(self.agenda.next())
            .chain(self.script.first_key_value().map(|((at, _), _)| *at))
            .chain(self.choices.is_some().then_some(self.choosing))
            .min();
        let Some(next) = next.filter(|at| *at <= end) else { return Ok(false) };
        self.now = self.now.max(next);
        self.act()?;
        while let Some((number, item)) = self.agenda.take(self.now) {
            match self.delayed(&item) {
                at if at > self.now => self.agenda.put_off(number, at, item),
                _ => self.happen(item)?,
            }
        }
        for device in 0..self.devices.len() {
            self.deadline(device)?;
        }
        if self.rooms.next_deadline().is_some_and(|at| at.0.max(self.frozen_until) <= self.now) {
            self.server(jmrtc_rooms::Input::Deadline)?;
        }
        self.the_rung_know()?;
        Ok(true)
    }

    fn deadline(&mut self, device: usize) -> Result<(), String> {
        let now = self.now;
        let due = |d: &Device| d.client.next_deadline().is_some_and(|at| at.0.max(d.asleep_until) <= now);
        if self.devices[device].alive && due(&self.devices[device]) {
            self.input(device, Input::Deadline)?;
            check(!due(&self.devices[device]), || "a deadline that never passes".into())?;
        }
        Ok(())
    }

    /// Until when what is to happen has to wait: a phone sleeps, the server is frozen, a connection stalls.
    fn delayed(&self, item: &Item) -> u64 {
        let asleep = |device: usize, life: u32| {
            let dev = &self.devices[device];
            if dev.life == life { dev.asleep_until } else { 0 }
        };
        match item {
            Item::Opened(id) | Item::ToClient(id, _) | Item::ClosedToClient(id) => {
                self.conns.get(id).map_or(0, |c| asleep(c.device, c.life).max(c.stalled_until))
            }
            Item::ToServer(id, _) | Item::ClosedToServer(id) => {
                self.conns.get(id).map_or(0, |c| c.stalled_until.max(self.frozen_until))
            }
            Item::Watch(_) | Item::Expire | Item::LinkAnswer { .. } | Item::Slots { .. } => self.frozen_until,
            Item::Media { device, life, .. }
            | Item::Measure { device, life, .. }
            | Item::Audio { device, life, .. }
            | Item::NoMicrophone { device, life, .. }
            | Item::Platform { device, life, .. }
            | Item::Woken { device, life } => asleep(*device, *life),
        }
    }

    fn happen(&mut self, item: Item) -> Result<(), String> {
        self.happened += 1;
        check(self.happened < TOO_MUCH, || "it never comes to rest".into())?;
        match item {
            Item::Opened(id) => self.opened(id),
            Item::ToServer(id, message) => self.at_server(id, message),
            Item::ToClient(id, message) => self.at_client(id, message),
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
            Item::Slots { link, sources, server } if server == self.server => {
                self.server(jmrtc_rooms::Input::Slots { link, sources })
            }
            Item::Slots { .. } => Ok(()),
            Item::Measure { device, life, generation } => self.measure(device, life, generation),
            Item::Media { device, life, generation, event } => {
                self.in_life(device, life, Input::Media { generation, event })
            }
            Item::Audio { device, life, event } => self.in_life(device, life, Input::Audio(event)),
            Item::NoMicrophone { device, life, opening } => self.no_microphone(device, life, opening),
            Item::Platform { device, life, event } => {
                let dev = &self.devices[device];
                if dev.life == life && dev.alive { self.platform(device, event) } else { Ok(()) }
            }
            Item::Woken { device, life } => self.woken(device, life),
        }
    }

    fn latency(&self, way: Roll, device: usize) -> u64 {
        let roll = |below| self.luck.roll(way, self.now, device as u64, below);
        let fair = match roll(10) {
            0 => roll(900),
            1..=4 => 1,
            _ => 1 + roll(80),
        };
        fair + self.devices[device].lag
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

fn mirror(times: Times, relations: &BTreeMap<(Username, Username), Relation>) -> Mirror {
    let model = Semantics::new(times.max_members, BTreeSet::from([echo()]), relations.clone());
    Mirror::new(model, times.ring, times.grace, times.ping, budget(times))
}

fn budget(times: Times) -> Budget {
    let per_minute = u64::from(times.invitations_per_minute);
    Budget::new(per_minute, per_minute.max(4 * times.max_members as u64))
}

/// Of a profile or a relation.
const fn changes() -> Budget {
    Budget::new(120, 40)
}

fn echo() -> Username {
    Username::new("echo").unwrap_or_else(|e| unreachable!("{e}"))
}

fn rooms(times: Times, number: u64) -> Rooms {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let config = jmrtc_rooms::Config {
        app_key: "app".into(),
        epoch_ms: EPOCH_MS,
        ring_ms: times.ring,
        grace_ms: times.grace,
        ping_ms: times.ping,
        max_members: times.max_members,
        invitations_per_minute: times.invitations_per_minute,
        slots: SLOTS,
        ice_servers: vec![],
        robots: BTreeSet::from([echo()]),
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
