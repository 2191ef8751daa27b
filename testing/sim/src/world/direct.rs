//! For tests that direct what happens.

use super::*;

impl World {
    fn find(&self, device: &str) -> usize {
        let at = self.devices.iter().position(|d| d.id == device);
        at.unwrap_or_else(|| panic!("there is no {device}"))
    }

    /// The app on `device` calls a method.
    pub fn call(&mut self, device: &str, method: &'static str, args: Value) -> Result<(), String> {
        self.command(self.find(device), method, args)
    }

    /// The app on `device` calls a method, a little later.
    pub fn call_later(&mut self, ms: u64, device: &str, method: &'static str, args: Value) {
        let device = self.find(device);
        let life = self.devices[device].life;
        self.agenda.plan(self.now + ms, Item::Command { device, life, method, args });
    }

    /// The answers and events that the app on `device` has got since the last look.
    pub fn heard(&mut self, device: &str) -> Vec<String> {
        let device = self.find(device);
        std::mem::take(&mut self.devices[device].heard)
    }

    /// A number below `below`, from the seed.
    pub fn chance(&mut self, below: u64) -> u64 {
        self.roll(below)
    }

    /// The network of `device` is gone for so many milliseconds.
    pub fn cut(&mut self, device: &str, ms: u64) {
        let device = self.find(device);
        self.devices[device].offline_until = self.now + ms;
        self.break_socket(device);
    }

    /// The app on `device` is killed.
    pub fn kill_app(&mut self, device: &str) {
        let device = self.find(device);
        self.stop(device);
    }

    /// The app on `device` is started, signs in and makes its engine ready.
    pub fn start(&mut self, device: &str) -> Result<(), String> {
        let device = self.find(device);
        self.happen(Item::Revive { device })
    }

    /// The server is gone and a new one in its place; `cleanly`: it said goodbye.
    pub fn new_server(&mut self, cleanly: bool) -> Result<(), String> {
        self.replace_server(cleanly)
    }

    /// Everything is answered and all ends agree about which calls there are.
    pub fn agree(&mut self) -> Result<(), String> {
        self.all_agree()
    }
}
