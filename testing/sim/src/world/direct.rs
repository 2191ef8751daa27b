//! For whoever directs what happens.

use super::*;

/// How a directed world is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long it rings, in milliseconds.
    pub ring_ms: u64,
    /// How long a lost member stays in its call.
    pub grace_ms: u64,
    /// How often clients give a sign of life.
    pub ping_ms: u64,
    /// Members of one call.
    pub max_members: usize,
    /// What the first keeps about the second.
    pub relations: BTreeMap<(Username, Username), Relation>,
}

/// How a device reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// As it should.
    Up,
    /// Connections break, and no new one is made.
    Cut,
    /// Connections stay and nothing comes through; a new one would do.
    Silent,
    /// What the device says waits until it is `Up` again; what it is told comes through.
    Held,
    /// Each message takes longer, either way.
    Slow,
}

/// That a user may make within a minute, unless a server is told otherwise.
const INVITATIONS: u32 = 60;

/// How much longer.
const SLOW_MS: u64 = 200;

/// For a microphone to be opened by a call that has begun.
const OPENS_MS: u64 = 5_000;

/// What comes of the wish for a microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Microphone {
    /// It opens.
    #[default]
    Granted,
    /// The person does not want it.
    Refused,
    /// Whoever opens one has none; one that is open works on.
    Broken,
    /// The person is asked, and has not answered.
    Asked,
}

/// Whether an app uses the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is open, or soon will be.
    Open,
    /// It is closed.
    Closed,
    /// It was never open in this life of the app.
    Untouched,
}

/// What the operating system tells an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// The person says yes on the system's call screen, to what that shows.
    Answered,
    /// The person says no there, or hangs up at the notification of the call.
    Declined,
    /// There is another network.
    NetworkChanged,
}

impl World {
    /// A world in which nothing happens by chance but how long messages take. Of `devices`, named `alice` or
    /// `alice/tablet`, none is started.
    pub fn directed(seed: u64, traced: bool, settings: &Settings, devices: &[&str]) -> Self {
        let times = Times {
            ring: settings.ring_ms,
            grace: settings.grace_ms,
            ping: settings.ping_ms,
            max_members: settings.max_members,
            invitations_per_minute: INVITATIONS,
        };
        let plan = Plan {
            devices: devices.iter().map(|&device| device.to_owned()).collect(),
            copies: BTreeMap::new(),
            max_members: settings.max_members,
            ..Plan::of_seed(seed, Weather::Fair, 0)
        };
        let mut world = Self::with(plan, times, settings.relations.clone(), devices);
        world.traced = traced;
        world.devices.iter_mut().for_each(|device| device.alive = false);
        world
    }

    fn find(&self, device: &str) -> Result<usize, String> {
        let at = self.devices.iter().position(|d| d.id == device);
        at.ok_or_else(|| format!("there is no device `{device}`"))
    }

    fn alive(&self, device: &str) -> Result<usize, String> {
        let at = self.find(device)?;
        if self.devices[at].alive { Ok(at) } else { Err(format!("the app of `{device}` does not run")) }
    }

    /// The time.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Goes on to the next thing that happens; false when that is after `end`.
    pub fn go(&mut self, end: u64) -> Result<bool, String> {
        self.step(end)
    }

    /// Lets everything happen until `end`.
    pub fn go_to(&mut self, end: u64) -> Result<(), String> {
        self.run_until(end)
    }

    /// The app on `device` calls a method.
    pub fn call(&mut self, device: &str, method: &str, args: Value) -> Result<CommandId, String> {
        let device = self.alive(device)?;
        // Who sleeps does nothing before it wakes.
        self.run_until(self.now.max(self.devices[device].asleep_until))?;
        self.command(device, method, args)
    }

    /// How the app on `device` stands, if it runs.
    pub fn state(&self, device: &str) -> Option<State> {
        let device = self.alive(device).ok()?;
        Some(self.devices[device].client.state())
    }

    /// What the app on `device` has been told since the last look.
    pub fn told_to(&mut self, device: &str) -> Result<Vec<Told>, String> {
        let device = self.find(device)?;
        Ok(std::mem::take(&mut self.devices[device].told))
    }

    /// A token of `user` that is good for so many milliseconds.
    pub fn token(&self, user: &Username, ms: u64) -> String {
        app::token(user, self.now.saturating_add(ms))
    }

    /// The app on `device` is started; it signs in with the id of `signs_in_as`.
    pub fn open_app(&mut self, device: &str, signs_in_as: &str) -> Result<(), String> {
        let device = self.find(device)?;
        check(!self.devices[device].alive, || "the app runs already".into())?;
        signs_in_as.clone_into(&mut self.devices[device].signs_in_as);
        self.revive(device);
        Ok(())
    }

    /// `device` sleeps for so many milliseconds.
    pub fn sleep(&mut self, device: &str, ms: u64) -> Result<(), String> {
        let device = self.alive(device)?;
        self.fall_asleep(device, self.now.saturating_add(ms));
        Ok(())
    }

    /// What comes of the next wish for the microphone of `device`.
    pub fn microphone(&mut self, device: &str, microphone: Microphone) -> Result<(), String> {
        let device = self.find(device)?;
        let dev = &mut self.devices[device];
        dev.microphone = microphone;
        if microphone != Microphone::Broken && dev.parts.capture && !dev.parts.open {
            // The next try succeeds.
            self.open_microphone(device);
        }
        let dev = &mut self.devices[device];
        if microphone == Microphone::Asked || !dev.alive || !std::mem::take(&mut dev.parts.asked) {
            return Ok(());
        }
        let granted = microphone != Microphone::Refused;
        self.input(device, Input::Platform(PlatformEvent::Microphone { granted }))
    }

    /// The microphone of `device` is gone while it is in use, and there is no other. It may be on its way still.
    pub fn unplug(&mut self, device: &str) -> Result<(), String> {
        let at = self.find(device)?;
        let end = self.now + OPENS_MS;
        while !(self.devices[at].alive && self.devices[at].parts.open) {
            check(self.step(end)?, || "no microphone is in use".into())?;
        }
        self.microphone(device, Microphone::Broken)?;
        self.open_microphone(at);
        Ok(())
    }

    /// Whether the app on `device` uses its microphone so. One that is to be open may be on its way still.
    pub fn microphone_is(&mut self, device: &str, expected: Use) -> Result<(), String> {
        let at = self.alive(device)?;
        if expected == Use::Open {
            let end = self.now + OPENS_MS;
            while !self.devices[at].parts.open {
                check(self.step(end)?, || "the microphone is closed".into())?;
            }
            return Ok(());
        }
        let parts = &self.devices[at].parts;
        check(!parts.open, || "the microphone is open".into())?;
        check(expected != Use::Untouched || !parts.touched, || "the microphone was open".into())
    }

    /// The app on `device` is killed.
    pub fn kill_app(&mut self, device: &str) -> Result<(), String> {
        let device = self.alive(device)?;
        self.stop(device);
        Ok(())
    }

    /// How `device` reaches the server from now on.
    pub fn network(&mut self, device: &str, network: Network) -> Result<(), String> {
        let device = self.find(device)?;
        match network {
            Network::Up => {
                self.devices[device].offline_until = 0;
                self.devices[device].lag = 0;
                for (id, item) in self.devices[device].held.take().into_iter().flatten() {
                    self.send_up(id, item);
                }
            }
            Network::Cut => {
                self.devices[device].offline_until = u64::MAX;
                self.break_socket(device, true);
                self.lose_held(device);
            }
            Network::Silent => {
                self.devices[device].conns().for_each(|id| self.brake(id));
                self.lose_held(device);
            }
            Network::Held => drop(self.devices[device].held.get_or_insert_default()),
            Network::Slow => self.devices[device].lag = SLOW_MS,
        }
        Ok(())
    }

    /// What waits gets through no more, also what an app said that was killed since.
    fn lose_held(&mut self, device: usize) {
        let held = self.devices[device].held.as_mut().map(std::mem::take);
        held.into_iter().flatten().for_each(|(id, _)| self.brake(id));
    }

    /// The operating system of `device` tells the app something. Who sleeps learns of it when it wakes, in its turn.
    pub fn system(&mut self, device: &str, what: System) -> Result<(), String> {
        let device = self.alive(device)?;
        let dev = &self.devices[device];
        let screen = || dev.parts.screens.last().cloned().ok_or("the system has shown no call");
        let event = match what {
            System::Answered => {
                let (channel_id, stay) = screen()?;
                PlatformEvent::Answered { channel_id, stay }
            }
            System::Declined => {
                let (channel_id, stay) = screen()?;
                PlatformEvent::Declined { channel_id, stay }
            }
            System::NetworkChanged => PlatformEvent::NetworkChanged,
        };
        if dev.asleep_until <= self.now {
            return self.platform(device, event);
        }
        let life = dev.life;
        self.agenda.plan(self.now, Item::Platform { device, life, event });
        Ok(())
    }

    /// The server is gone, and until [`Self::start_server`] there is none.
    pub fn stop_server(&mut self, end: End) -> Result<(), String> {
        if std::mem::replace(&mut self.down, true) { Ok(()) } else { self.replace_server(end) }
    }

    /// The server can keep nothing any more.
    pub const fn hinder_server(&mut self) {
        self.read_only = true;
    }

    /// A server is there again, and can keep what it shall.
    pub const fn start_server(&mut self) {
        self.down = false;
        self.read_only = false;
    }

    /// The company's backend deletes a user.
    pub fn delete_user(&mut self, user: &Username) -> Result<(), String> {
        check(self.people.contains_key(user), || format!("nobody is named {user}"))?;
        self.delete(user)
    }

    /// The company's backend changes what `of` keeps about `to`.
    pub fn relate(&mut self, of: &Username, to: &Username, relation: Relation) -> Result<(), String> {
        for user in [of, to] {
            check(self.people.contains_key(user), || format!("nobody is named {user}"))?;
        }
        let related = (of.clone(), to.clone());
        if relation == Relation::default() {
            self.relations.remove(&related);
        } else {
            self.relations.insert(related, relation.clone());
        }
        self.server(jmrtc_rooms::Input::RelationChanged { viewer: of.clone(), about: to.clone(), relation })
    }

    /// Everything is answered and all ends agree that there is no call.
    pub fn at_rest(&mut self) -> Result<(), String> {
        self.all_agree()?;
        let counts = self.rooms.counts();
        check(counts.calls == 0 && self.links.is_empty(), || {
            format!("the server still has {} calls and {} links", counts.calls, self.links.len())
        })
    }
}
