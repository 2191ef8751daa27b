use std::collections::BTreeSet;

use jmrtc_protocol::Username;

use crate::call::{Call, Seat};
use crate::decide::Ring;
use crate::rooms::Rooms;
use crate::signin::SignIn;
use crate::timers::Due;

impl Rooms {
    /// Looks for contradictions between what the rooms remember; for tests, after each input.
    pub fn audit(&self) -> Result<(), String> {
        for call in self.calls.values() {
            self.audit_call(call).map_err(|what| format!("call {}: {what}", call.channel))?;
        }
        let started = self.calls.values().filter(|c| c.start_time != 0).count();
        check(started == self.started, || format!("{started} calls started, {} counted", self.started))?;
        let channels: BTreeSet<_> = self.channels.iter().collect();
        let expected: BTreeSet<_> = self.calls.values().map(|c| (&c.channel, &c.key)).collect();
        check(channels == expected, || "channels and calls differ".into())?;
        for (user, key) in &self.places {
            check(self.calls.get(key).is_some_and(|c| c.has(user)), || {
                format!("{user} has a place nowhere")
            })?;
        }
        for (id, sign_in) in &self.sign_ins {
            let who = || format!("{} on {}", sign_in.user, sign_in.device);
            check(self.device(&sign_in.user, &sign_in.device) == Some(*id), || format!("{} is lost", who()))?;
            let waits = self.timers.has(&Due::SignIn(*id));
            check(waits == sign_in.conn.is_none(), || format!("{}: wrong deadline", who()))?;
            if let Some(conn) = sign_in.conn {
                check(self.conns.get(&conn) == Some(id), || format!("{}: wrong connection", who()))?;
            }
            if let Some(link) = &sign_in.link {
                check(self.links.owners.get(&link.id) == Some(id), || format!("{}: wrong link", who()))?;
                let call =
                    self.calls.get(&link.call).filter(|c| self.places.get(&sign_in.user) == Some(&c.key));
                let joined = call.and_then(|c| c.joined(&sign_in.user));
                let may = joined.map_or(call.is_some(), |m| m.is_with(&sign_in.device));
                check(may, || format!("{}: link without a part in the call", who()))?;
                let admitted = link.admitted == joined.is_some();
                check(admitted, || format!("{}: admitted {} but {joined:?}", who(), link.admitted))?;
            }
        }
        for (id, sign_in) in &self.sign_ins {
            let who = || format!("{} on {}", sign_in.user, sign_in.device);
            let owned = sign_in.preflight.as_ref().map(|p| self.links.owners.get(&p.link) == Some(id));
            check(owned != Some(false), || format!("{}: wrong preflight link", who()))?;
            check(owned.is_none() || sign_in.link.is_none(), || format!("{}: preflight in a call", who()))?;
            check(self.timers.has(&Due::Preflight(*id)) == owned.is_some(), || {
                format!("{}: wrong deadline for the preflight", who())
            })?;
        }
        let owns = |s: &SignIn| usize::from(s.link.is_some()) + usize::from(s.preflight.is_some());
        let links = self.sign_ins.values().map(owns).sum::<usize>();
        check(links == self.links.owners.len(), || "links without owner".into())?;
        check(self.links.asked.values().all(|a| self.links.owners.contains_key(&a.link)), || {
            "a question about no link".into()
        })?;
        check(self.conns.values().all(|id| self.sign_ins.contains_key(id)), || "a stray connection".into())?;
        let devices: usize = self.devices.values().map(|d| d.len()).sum();
        check(devices == self.sign_ins.len(), || "devices and sign-ins differ".into())
    }

    fn audit_call(&self, call: &Call) -> Result<(), String> {
        check(!call.is_over(), || "should be over".into())?;
        check(call.members() <= self.config.max_members, || "too many members".into())?;
        check((call.start_time != 0) || call.joined.len() == 1, || "joined but not started".into())?;
        let distinct: BTreeSet<&Username> = call.users().collect();
        check(distinct.len() == call.members(), || "somebody is a member twice".into())?;
        check(distinct.iter().all(|user| call.cast.contains(*user)), || "a stranger".into())?;
        for member in &call.joined {
            let here = self.places.get(&member.user) == Some(&call.key);
            check(here != member.is_robot(), || format!("{} is elsewhere", member.user))?;
            if let Seat::Device { sign_in, .. } = &member.seat {
                let connected = self.sign_ins.get(sign_in).is_some_and(|s| s.conn.is_some());
                let waits = self.timers.has(&Due::Seat(call.key, member.user.clone()));
                check(waits != connected, || format!("{}: wrong deadline for the seat", member.user))?;
            }
        }
        for member in &call.rung {
            let here = self.places.get(&member.user) == Some(&call.key);
            check(here == member.is_shown(), || format!("{} is elsewhere", member.user))?;
            check(self.timers.has(&Due::Ring(call.key, member.user.clone())), || "rings for ever".into())?;
            match member.ring {
                Ring::Shown { .. } | Ring::Hidden => {}
                Ring::Busy | Ring::Robot => return Err(format!("{} was forgotten", member.user)),
            }
        }
        Ok(())
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
