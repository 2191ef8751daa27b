use std::collections::{BTreeMap, BTreeSet};

use jmrtc_protocol::{ChannelId, Closing, ErrorCode, Failure, ServerEvent, ServerMessage, Username};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::budget::Budget;
use crate::call::{Call, stay};
use crate::decide::{Gone, Why};
use crate::directory::Directory;
use crate::link::{Closed, Links};
use crate::signin::{SignIn, SignInId};
use crate::timers::{Due, Timers};
use crate::{CallKey, Config, ConnId, Input, LinkId, MediaCommand, Output, Push, Ticket, Timestamp};

/// All users, sign-ins, calls and links of one app on one server.
#[derive(Debug)]
pub struct Rooms {
    pub(crate) config: Config,
    pub(crate) now: Timestamp,
    pub(crate) out: Vec<Output>,
    pub(crate) stopped: bool,
    pub(crate) directory: Directory,
    pub(crate) sign_ins: BTreeMap<SignInId, SignIn>,
    /// Every sign-in by user and device.
    pub(crate) devices: BTreeMap<Username, BTreeMap<String, SignInId>>,
    pub(crate) conns: BTreeMap<ConnId, SignInId>,
    pub(crate) calls: BTreeMap<CallKey, Call>,
    pub(crate) channels: BTreeMap<ChannelId, CallKey>,
    /// The one call in which a user is, joined or rung; not the calls that ring hidden from the user.
    pub(crate) places: BTreeMap<Username, CallKey>,
    /// Calls with a start time.
    pub(crate) started: usize,
    pub(crate) links: Links,
    pub(crate) budget: Budget,
    pub(crate) mutings: Budget,
    pub(crate) links_opened: Budget,
    pub(crate) timers: Timers,
    random: ChaCha20Rng,
    last_number: u64,
}

/// How much there is, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Devices that are signed in, connected or within the grace time.
    pub sign_ins: usize,
    /// Of these, the connected.
    pub connected: usize,
    /// Calls, ringing or running.
    pub calls: usize,
    /// Of these, those with at least two members joined at some time.
    pub connected_calls: usize,
    /// Media links.
    pub links: usize,
}

impl Rooms {
    /// `seed` makes secrets and channel ids; the driver takes it from the operating system.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            now: Timestamp(0),
            out: Vec::new(),
            stopped: false,
            directory: Directory::new(config.app_key.clone()),
            sign_ins: BTreeMap::new(),
            devices: BTreeMap::new(),
            conns: BTreeMap::new(),
            calls: BTreeMap::new(),
            channels: BTreeMap::new(),
            places: BTreeMap::new(),
            started: 0,
            links: Links::default(),
            budget: Budget::new(config.invitations_per_minute, config.max_members),
            mutings: Budget::one_a_second(20),
            links_opened: Budget::one_a_second(60),
            timers: Timers::default(),
            random: ChaCha20Rng::from_seed(seed),
            last_number: 0,
            config,
        }
    }

    /// Takes one input. What was due before it happens first, whether or not the driver has sent
    /// [`Input::Deadline`] in time.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        self.now = self.now.max(now);
        while let Some(due) = self.timers.pop(self.now) {
            self.fire(due);
        }
        match input {
            Input::Hello { conn, user, device, resume, known } => {
                self.hello(conn, user, &device.id, resume.as_ref(), known);
            }
            Input::Request { conn, id, request, known } => self.request(conn, id, request, known),
            Input::Ping { conn, ack } => self.ping(conn, ack),
            Input::Disconnected { conn, silent_ms } => self.disconnected(conn, silent_ms),
            Input::ProfileChanged(user, profile) => self.directory.profile_changed(&user, profile),
            Input::RelationChanged { viewer, about, relation } => {
                self.directory.relation_changed(&viewer, about, relation);
            }
            Input::UserDeleted(user) => self.deleted(&user),
            Input::LinkAnswer { ticket, result } => self.link_answer(ticket, result),
            Input::Slots { link, sources } => self.slots(link, &sources),
            Input::Deadline => {}
            Input::Shutdown => self.shutdown(),
            Input::Suspend { unix_ms } => self.suspend(unix_ms),
            Input::TakeOver { unix_ms, handover, known } => self.take_over(unix_ms, handover, known),
        }
        std::mem::take(&mut self.out)
    }

    /// When [`Input::Deadline`] is due; the driver asks again after every `handle`.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// Who has a device connected; robots always have.
    pub fn online(&self) -> BTreeSet<Username> {
        let connected = self.sign_ins.values().filter(|s| s.conn.is_some()).map(|s| s.user.clone());
        self.config.robots.iter().cloned().chain(connected).collect()
    }

    /// Whether a user is in a call, ringing or joined.
    pub fn is_in_call(&self, user: &Username) -> bool {
        self.places.contains_key(user)
    }

    /// Whether a push is still of use: the user is rung as when it was asked for, and has no device connected, nor had one
    /// in between.
    pub fn is_push_wanted(&self, push: &Push) -> bool {
        let call = self.channels.get(&push.channel_id).and_then(|key| self.calls.get(key));
        call.and_then(|call| call.rung(&push.user))
            .is_some_and(|m| (stay(m.entry), m.pushes) == (push.stay, push.number))
            && !self.is_in_reach(&push.user)
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        Counts {
            sign_ins: self.sign_ins.len(),
            connected: self.conns.len(),
            calls: self.calls.len(),
            connected_calls: self.started,
            links: self.links.owners.len(),
        }
    }

    /// Whether nothing is left: no sign-in, no call, no link, no user, no deadline.
    pub fn is_idle(&self) -> bool {
        self.sign_ins.is_empty()
            && self.devices.is_empty()
            && self.conns.is_empty()
            && self.calls.is_empty()
            && self.channels.is_empty()
            && self.places.is_empty()
            && self.started == 0
            && self.links.owners.is_empty()
            && self.links.asked.is_empty()
            && self.timers.is_empty()
            && self.directory.is_empty()
    }

    fn fire(&mut self, due: Due) {
        match due {
            Due::Ring(call, user) => self.depart(call, &user, Gone::NoAnswer),
            Due::Seat(call, user) => self.depart(call, &user, Gone::Lost),
            Due::SignIn(id) => self.sign_out(id),
            Due::Preflight(id) => self.end_preflight(id, Closed::CallEnded),
        }
    }

    fn link_answer(&mut self, ticket: Ticket, result: Result<String, String>) {
        let Some(asked) = self.links.asked.remove(&ticket) else { return };
        let refused = result.is_err();
        let Some(sign_in) = self.sign_ins.get_mut(&asked.sign_in) else { return };
        let message = match result {
            Ok(answer) => {
                ServerMessage::Reply { id: asked.request, reply: jmrtc_protocol::Reply::Link { answer } }
            }
            Err(why) => {
                let error =
                    Failure::new(ErrorCode::InvalidParameter, format!("the offer was refused: {why}"));
                ServerMessage::Failure { id: asked.request, error }
            }
        };
        let last = sign_in.events.last();
        if let Some(conn) = sign_in.answers.settle(asked.request, message.clone(), last)
            && sign_in.conn == Some(conn)
        {
            self.out.push(Output::Send { conn, message });
        }
        if refused && asked.opens {
            // The media relay has made nothing, so there is nothing to close there.
            if sign_in.link.as_ref().is_some_and(|link| link.id == asked.link) {
                sign_in.link = None;
            }
            self.preflight_refused(asked.sign_in, asked.link);
            self.links.close(asked.link);
        }
    }

    fn slots(&mut self, link: LinkId, sources: &[Option<LinkId>]) {
        let Some(owner) = self.links.owners.get(&link).copied() else { return };
        // A preflight's link is no call's: there is nobody to tell of.
        let own = self.sign_ins.get(&owner).and_then(|s| s.link.as_ref()).filter(|own| own.id == link);
        let Some(own) = own else { return };
        let Some(call) = self.calls.get(&own.call).filter(|_| own.admitted) else { return };
        let heard = |source: LinkId| {
            if source == LinkId::ECHO {
                return call.robot().map(|m| m.user.clone());
            }
            let sign_in = self.links.owners.get(&source).and_then(|id| self.sign_ins.get(id))?;
            call.joined(&sign_in.user).map(|m| m.user.clone())
        };
        let slots = sources.iter().map(|source| source.and_then(heard)).collect();
        let channel_id = call.channel.clone();
        match self.sign_ins.get_mut(&owner) {
            Some(SignIn { conn: None, link: Some(own), .. }) => own.untold_slots = Some(slots),
            Some(_) | None => self.tell(owner, ServerEvent::Slots { channel_id, slots }),
        }
    }

    fn shutdown(&mut self) {
        self.stopped = true;
        while let Some(key) = self.calls.keys().next().copied() {
            self.finish(key, Why::SERVER_SHUTDOWN, Why::SERVER_SHUTDOWN);
        }
        self.sign_all_out();
    }

    pub(crate) fn sign_all_out(&mut self) {
        while let Some(id) = self.sign_ins.keys().next().copied() {
            self.close_conn(id, Some(Closing::ServerShutdown));
            self.sign_out(id);
        }
    }

    // What everything else is made of.

    /// Tells a device, now or when it comes back.
    pub(crate) fn tell(&mut self, id: SignInId, event: ServerEvent) {
        let Some(sign_in) = self.sign_ins.get_mut(&id) else { return };
        let message = sign_in.events.push(self.now, event);
        if let Some(conn) = sign_in.conn {
            self.out.push(Output::Send { conn, message });
        }
    }

    pub(crate) fn send(&mut self, conn: ConnId, message: ServerMessage) {
        self.out.push(Output::Send { conn, message });
    }

    pub(crate) fn media(&mut self, command: MediaCommand) {
        self.out.push(Output::Media(command));
    }

    /// Takes a device's link away; whoever waits for an answer about it gets a failure.
    pub(crate) fn close_link(&mut self, id: SignInId, why: Closed) {
        let Some(sign_in) = self.sign_ins.get_mut(&id) else { return };
        let Some(link) = sign_in.link.take() else { return };
        self.close_named(id, link.id, why);
    }

    pub(crate) fn close_named(&mut self, id: SignInId, link: LinkId, why: Closed) {
        let Some(sign_in) = self.sign_ins.get_mut(&id) else { return };
        let waiting = sign_in.answers.close(link, &why.failure(), sign_in.events.last());
        let conn = sign_in.conn;
        self.links.close(link);
        self.media(MediaCommand::Close { link });
        for (on, message) in waiting {
            if conn == Some(on) {
                self.send(on, message);
            }
        }
    }

    /// All devices of a user that are signed in.
    pub(crate) fn devices_of(&self, user: &Username) -> Vec<SignInId> {
        self.devices.get(user).map(|d| d.values().copied().collect()).unwrap_or_default()
    }

    pub(crate) fn device(&self, user: &Username, device: &str) -> Option<SignInId> {
        self.devices.get(user)?.get(device).copied()
    }

    pub(crate) fn unix_ms(&self) -> i64 {
        // 0 means never in every time that is told.
        self.config.epoch_ms.saturating_add_unsigned(self.now.0).max(1)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// 128 bits that nobody can guess.
    pub(crate) fn unguessable(&mut self) -> String {
        format!("{:016x}{:016x}", self.random.next_u64(), self.random.next_u64())
    }
}
