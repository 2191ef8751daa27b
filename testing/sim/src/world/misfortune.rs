//! What people and misfortune do.

use super::*;

impl World {
    /// Does what is due: what is written, then what somebody chooses now.
    pub(super) fn act(&mut self) -> Result<(), String> {
        while let Some(first) = self.script.first_entry().filter(|e| e.key().0 <= self.now) {
            let step = first.remove();
            self.perform(step)?;
        }
        while self.now >= self.choosing {
            let Some(mut choices) = self.choices.take() else { break };
            let chosen = self.choose(&mut choices);
            self.choosing = self.now + 20 + choices.roll(1_200);
            self.choices = Some(choices);
            if let Some(step) = chosen {
                self.fidget(&step);
                self.perform(step)?;
            }
        }
        Ok(())
    }

    fn choose(&self, choices: &mut Choices) -> Option<Step> {
        let dev = &self.devices[choices.roll(self.devices.len() as u64) as usize];
        let act = if choices.roll(5) < 3 {
            let token = |choices: &mut Choices| dev.pick_token(self.now, choices);
            app::whim(&dev.client.state(), &self.users, token, choices)
        } else {
            app::misfortune(self.times.grace, choices)?
        };
        Some(Step { at: self.now, device: dev.id.clone(), act })
    }

    /// Writes down what will be done.
    pub(super) fn write(&mut self, step: Step) {
        self.scripted += 1;
        self.script.insert((step.at, self.scripted), step);
    }

    /// The app signs in and makes its engine ready, most of the time.
    pub(super) fn sign_in_soon(&mut self, device: usize) {
        let Some(mut choices) = self.choices.take() else { return };
        let dev = &self.devices[device];
        let token = dev.pick_token(self.now, &mut choices);
        let mut at = self.now + choices.roll(500);
        let mut calls = vec![(at, "login", json!({ "token": token }))];
        if choices.roll(5) > 0 {
            at += 500 + choices.roll(1_000);
            calls.push((at, "initEngine", Value::Null));
        }
        self.choices = Some(choices);
        for (at, method, args) in calls {
            let act = Act::Call { method: method.to_owned(), args };
            self.write(Step { at, device: self.devices[device].id.clone(), act });
        }
    }

    /// The apps of a user that is there again get good tokens.
    fn renew_soon(&mut self, device: usize) {
        let Some(mut choices) = self.choices.take() else { return };
        let user = self.devices[device].user.clone();
        let mut steps = Vec::new();
        for dev in self.devices.iter().filter(|dev| dev.user == user && dev.alive) {
            let args = json!({ "token": dev.pick_token(self.now, &mut choices) });
            let act = Act::Call { method: "updateToken".to_owned(), args };
            steps.push(Step { at: self.now + 1 + choices.roll(2_000), device: dev.id.clone(), act });
        }
        self.choices = Some(choices);
        steps.into_iter().for_each(|step| self.write(step));
    }

    /// One in ten who mute themselves plays with the button.
    fn fidget(&mut self, step: &Step) {
        let Act::Call { method, .. } = &step.act else { return };
        if method != "setIsMuted" || self.luck.number(Roll::Fidgets, self.now, 0) % 10 != 1 {
            return;
        }
        for press in 1..=100 {
            let act = Act::Call { method: method.clone(), args: json!({ "muted": press % 2 == 0 }) };
            self.write(Step { at: self.now + 50 * press, device: step.device.clone(), act });
        }
    }

    /// Does it, where it can be done, and puts it down.
    fn perform(&mut self, step: Step) -> Result<(), String> {
        let Some(device) = self.devices.iter().position(|d| d.id == step.device) else {
            return Err(format!("there is no {}", step.device));
        };
        let dev = &self.devices[device];
        let possible = match step.act {
            Act::Freeze { .. } | Act::Restart { .. } | Act::HandOver => true,
            Act::Delete => self.frozen_until <= self.now && self.people.contains_key(&dev.user),
            Act::Make => self.frozen_until <= self.now && !self.people.contains_key(&dev.user),
            Act::Start => !dev.alive,
            Act::Kill => dev.alive,
            // A phone that sleeps is left alone.
            Act::Call { .. }
            | Act::Answer
            | Act::Decline
            | Act::Sleep { .. }
            | Act::Break
            | Act::Offline { .. }
            | Act::Stall { .. }
            | Act::Network
            | Act::Interrupt
            | Act::Deaf { .. }
            | Act::Hear
            | Act::Fail
            | Act::Unplug
            | Act::Talk { .. } => dev.alive && dev.asleep_until <= self.now,
        };
        if !possible {
            return Ok(());
        }
        self.plan.steps.push(Step { at: self.now, ..step.clone() });
        self.trace(|_| format!("{}: {}", step.device, shorten(&step.act)));
        let left = self.plan.rest.saturating_sub(self.now);
        match step.act {
            Act::Call { method, args } => self.command(device, &method, args).map(|_| ()),
            Act::Answer => {
                let Some((channel_id, stay)) = self.touched(device) else { return Ok(()) };
                self.platform(device, PlatformEvent::Answered { channel_id, stay })
            }
            Act::Decline => {
                let Some((channel_id, stay)) = self.touched(device) else { return Ok(()) };
                self.platform(device, PlatformEvent::Declined { channel_id, stay })
            }
            Act::Kill => {
                self.stop(device);
                if let Some(choices) = self.choices.as_mut()
                    && choices.roll(4) > 0
                {
                    let at = self.now + choices.roll(2 * self.times.grace);
                    self.write(Step { at, device: step.device, act: Act::Start });
                }
                Ok(())
            }
            Act::Start => {
                self.revive(device);
                self.sign_in_soon(device);
                Ok(())
            }
            Act::Sleep { ms } => {
                self.fall_asleep(device, self.now + ms.min(left));
                Ok(())
            }
            Act::Break => {
                self.break_socket(device, false);
                Ok(())
            }
            Act::Offline { ms } => {
                self.devices[device].offline_until = self.now + ms;
                self.break_socket(device, false);
                Ok(())
            }
            Act::Stall { ms } => {
                let until = self.now + ms.min(left);
                if let Some(conn) = self.devices[device].conn.and_then(|id| self.conns.get_mut(&id)) {
                    conn.stalled_until = until.max(conn.stalled_until);
                }
                Ok(())
            }
            Act::Network => self.platform(device, PlatformEvent::NetworkChanged),
            Act::Interrupt => self.media_event(device, MediaEvent::Disconnected),
            Act::Deaf { ms } => {
                let event = match ms % 4 {
                    0 => MediaEvent::Unreported,
                    1 => MediaEvent::Moved,
                    _ => MediaEvent::Stalled,
                };
                self.media_event(device, event)?;
                if self.choices.is_some() {
                    self.write(Step { at: self.now + ms, device: step.device, act: Act::Hear });
                }
                Ok(())
            }
            Act::Hear => self.media_event(device, MediaEvent::Flowing),
            Act::Fail => self.media_event(device, MediaEvent::Failed { why: "ice".into() }),
            Act::Unplug => {
                let dev = &self.devices[device];
                let state = dev.client.state();
                // Whoever hangs up waits for the server only.
                let stays = matches!(
                    state.call,
                    CallState::Connecting | CallState::Connected | CallState::Reconnecting
                );
                let was_member = stays && dev.ear.is_member() && state.engine == EngineState::Ready;
                self.input(device, Input::Audio(AudioEvent::Failed { why: "unplugged".into() }))?;
                let goes_on = self.devices[device].ear.call.is_some();
                check(!(was_member && goes_on), || "a call goes on without an engine".into())
            }
            Act::Freeze { ms } => {
                self.frozen_until = self.frozen_until.max(self.now + ms.min(left));
                Ok(())
            }
            Act::Restart { cleanly: true } => self.replace_server(End::Stopped),
            Act::Restart { cleanly: false } => self.replace_server(End::Killed),
            Act::HandOver => self.replace_server(End::HandsOver),
            Act::Talk { ms } => {
                self.devices[device].talks_until = self.now + ms;
                Ok(())
            }
            Act::Delete => {
                self.delete(&self.devices[device].user.clone())?;
                if let Some(choices) = self.choices.as_mut()
                    && choices.roll(4) > 0
                {
                    let at = self.now + 1 + choices.roll(self.times.grace);
                    self.write(Step { at, device: step.device, act: Act::Make });
                }
                Ok(())
            }
            Act::Make => {
                self.make_user(&self.devices[device].user.clone(), Profile::default())?;
                self.renew_soon(device);
                Ok(())
            }
        }
    }

    /// What the screen showed as the person touched it: what it shows now, or what was there a moment before.
    fn touched(&self, device: usize) -> Option<(ChannelId, Stay)> {
        let late = self.luck.roll(Roll::Screen, self.now, device as u64, 3) == 1;
        self.devices[device].parts.screens.iter().rev().nth(usize::from(late)).cloned()
    }

    fn media_event(&mut self, device: usize, event: MediaEvent) -> Result<(), String> {
        let generation = self.devices[device].parts.last_link;
        self.input(device, Input::Media { generation, event })
    }

    /// Whatever waited comes in now; the timers before it or after it.
    pub(super) fn fall_asleep(&mut self, device: usize, until: u64) {
        let dev = &mut self.devices[device];
        dev.asleep_until = until;
        self.outcome.slept += u64::from(dev.client.state().session.is_some());
        let life = dev.life;
        self.agenda.plan(until, Item::Woken { device, life });
    }

    pub(super) fn woken(&mut self, device: usize, life: u32) -> Result<(), String> {
        let dev = &self.devices[device];
        if dev.life != life || !dev.alive {
            return Ok(());
        }
        if self.luck.roll(Roll::Wakes, self.now, device as u64, 2) == 0 {
            self.deadline(device)
        } else {
            Ok(())
        }
    }

    /// Each end learns of it soon, or, where it is not `plain`, maybe only by the silence.
    pub(super) fn break_socket(&mut self, device: usize, plain: bool) {
        for id in self.devices[device].conns() {
            self.break_conn(device, id, plain);
        }
    }

    fn break_conn(&mut self, device: usize, id: ConnId, plain: bool) {
        if self.conns.get(&id).is_none_or(|c| c.broken) {
            return;
        }
        self.outcome.broken += 1;
        self.trace(|w| format!("the socket of {} breaks", w.devices[device].id));
        self.brake(id);
        let place = device as u64;
        let learns = |what| plain || self.luck.roll(what, self.now, place, 3) > 0;
        let at = |what| self.now + self.luck.roll(what, self.now, place, 2_000);
        let client = learns(Roll::LearnsClient).then(|| at(Roll::LearnsClientTime));
        let server = learns(Roll::LearnsServer).then(|| at(Roll::LearnsServerTime));
        client.into_iter().for_each(|at| self.agenda.plan(at, Item::ClosedToClient(id)));
        server.into_iter().for_each(|at| self.agenda.plan(at, Item::ClosedToServer(id)));
    }

    pub(super) fn stop(&mut self, device: usize) {
        self.trace(|w| format!("{} is killed", w.devices[device].id));
        // What was held up at the phone dies with the app.
        if let Some(id) = self.devices[device].conn
            && self.conns.get(&id).is_some_and(|c| c.stalled_until > self.now)
        {
            self.brake(id);
        }
        self.devices[device].conns().for_each(|id| self.hang(id));
        let dev = &mut self.devices[device];
        (dev.conn, dev.spare) = (None, None);
        dev.alive = false;
        dev.life += 1;
    }

    pub(super) fn revive(&mut self, device: usize) {
        self.trace(|w| format!("{} is started anew", w.devices[device].id));
        let seed = self.luck.number(Roll::Seed, device as u64, u64::from(self.devices[device].life));
        self.devices[device].revive(seed);
    }

    /// The server is gone and a new one in its place.
    pub(super) fn replace_server(&mut self, end: End) -> Result<(), String> {
        self.trace(|_| format!("the server is replaced: {end:?}"));
        self.frozen_until = 0;
        if let Some(goodbye) = match end {
            End::Killed => None,
            End::Stopped => Some(jmrtc_rooms::Input::Shutdown),
            End::HandsOver => {
                Some(jmrtc_rooms::Input::Suspend { unix_ms: EPOCH_MS.saturating_add_unsigned(self.now) })
            }
        } {
            self.server(goodbye)?;
            check(self.rooms.is_idle() && self.links.is_empty(), || "left by a shutdown".into())?;
        }
        self.links.clear();
        self.echoes.clear();
        self.server += 1;
        self.changes = changes();
        self.rooms = rooms(self.times, self.luck.number(Roll::Seed, 0, u64::from(self.server)));
        if let Some(handover) = self.handover.take() {
            let casts = handover.casts().map(|cast| cast.into_iter().cloned().collect::<Vec<_>>());
            let mut known: Vec<_> = casts.flat_map(|cast| self.records_named(&cast, &cast[0])).collect();
            let signed_in = handover.signed_in().into_iter().filter(|user| self.people.contains_key(*user));
            known.extend(signed_in.map(|user| self.record(user)));
            (self.mirror.budget, self.mirror.mutings) = (budget(self.times), mutings());
            self.outcome.handed_over += u64::from(!handover.is_empty());
            let unix_ms = EPOCH_MS.saturating_add_unsigned(self.now);
            self.server(jmrtc_rooms::Input::TakeOver { unix_ms, handover, known })?;
        } else {
            let history = std::mem::take(&mut self.mirror.history);
            self.mirror = mirror(self.times, &self.relations);
            self.mirror.history = history;
        }
        let ids: Vec<_> = self.conns.iter().filter(|(_, c)| c.at_client).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(conn) = self.conns.get_mut(&id) else { continue };
            conn.at_server = false;
            let device = conn.device;
            let at = self.now + self.latency(Roll::Down, device);
            if let Some(conn) = self.conns.get_mut(&id) {
                let at = conn.down(at);
                self.agenda.plan(at, Item::ClosedToClient(id));
            }
        }
        Ok(())
    }
}
