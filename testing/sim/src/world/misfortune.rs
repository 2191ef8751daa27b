//! What people and misfortune do.

use super::*;

impl World {
    pub(super) fn misfortune(&mut self) -> Result<(), String> {
        if !self.chaos {
            return Ok(());
        }
        let at = self.now + 20 + self.roll(1_200);
        self.agenda.plan(at, Item::Chaos);
        let device = self.roll(self.devices.len() as u64) as usize;
        let life = self.devices[device].life;
        match self.roll(100) {
            0..=59 => self.whim(device),
            60..=74 => {
                self.break_socket(device);
                Ok(())
            }
            75..=78 => {
                self.devices[device].offline_until = self.now + self.roll(2 * self.times.grace);
                self.break_socket(device);
                Ok(())
            }
            79..=86 => {
                let (generation, failed) = (self.devices[device].link, self.roll(3) == 0);
                let event =
                    if failed { MediaEvent::Failed { why: "ice".into() } } else { MediaEvent::Disconnected };
                self.in_life(device, life, Input::Media { generation, event })
            }
            87..=90 => self.in_life(device, life, Input::Platform(PlatformEvent::NetworkChanged)),
            91..=92 => {
                let event = if self.roll(2) == 0 { PlatformEvent::Answered } else { PlatformEvent::Declined };
                if self.devices[device].alive { self.platform(device, event) } else { Ok(()) }
            }
            93..=96 => {
                self.kill(device);
                Ok(())
            }
            97 => self.restart_server(true),
            98 => self.restart_server(false),
            _ => self.in_life(device, life, Input::Audio(AudioEvent::Failed { why: "unplugged".into() })),
        }
    }

    pub(super) fn whim(&mut self, device: usize) -> Result<(), String> {
        let dev = &self.devices[device];
        if !dev.alive {
            return Ok(());
        }
        let (state, user) = (dev.client.state(), dev.user.clone());
        let users = self.users.clone();
        let (method, args) = app::whim(&state, &user, &users, |n| self.dice.next_u64() % n);
        self.command(device, method, args).map(|_| ())
    }

    pub(super) fn break_socket(&mut self, device: usize) {
        let Some(id) = self.devices[device].conn else { return };
        if self.conns.get(&id).is_none_or(|c| c.broken) {
            return;
        }
        self.outcome.broken += 1;
        self.trace(|w| format!("the socket of {} breaks", w.devices[device].id));
        self.brake(id);
        // Each end learns of it soon, or only by the silence.
        if self.roll(3) > 0 {
            let at = self.now + self.roll(2_000);
            self.agenda.plan(at, Item::ClosedToClient(id));
        }
        if self.roll(3) > 0 {
            let at = self.now + self.roll(2_000);
            self.agenda.plan(at, Item::ClosedToServer(id));
        }
    }

    fn kill(&mut self, device: usize) {
        if !self.devices[device].alive {
            return;
        }
        self.stop(device);
        if self.roll(4) > 0 {
            let at = self.now + self.roll(2 * self.times.grace);
            self.agenda.plan(at, Item::Revive { device });
        }
    }

    pub(super) fn stop(&mut self, device: usize) {
        self.trace(|w| format!("{} is killed", w.devices[device].id));
        self.hang(device);
        let dev = &mut self.devices[device];
        dev.alive = false;
        dev.life += 1;
    }

    pub(super) fn restart_server(&mut self, cleanly: bool) -> Result<(), String> {
        if self.roll(3) > 0 { Ok(()) } else { self.replace_server(cleanly) }
    }

    /// The server is gone and a new one in its place, which remembers nothing; `cleanly`: it said goodbye.
    pub(super) fn replace_server(&mut self, cleanly: bool) -> Result<(), String> {
        self.trace(|_| format!("the server is restarted, cleanly: {cleanly}"));
        if cleanly {
            self.server(jmrtc_rooms::Input::Shutdown)?;
            check(self.rooms.counts().calls == 0 && self.links.is_empty(), || "left by a shutdown".into())?;
        }
        self.links.clear();
        self.server += 1;
        self.rooms = rooms(self.times, &mut self.dice);
        let ids: Vec<_> = self.conns.iter().filter(|(_, c)| c.at_client).map(|(id, _)| *id).collect();
        for id in ids {
            let at = self.now + self.latency();
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.at_server = false;
                let at = conn.down(at);
                self.agenda.plan(at, Item::ClosedToClient(id));
            }
        }
        Ok(())
    }
}
