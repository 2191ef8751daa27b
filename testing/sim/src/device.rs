//! One device: its machine, its app, its sockets' and links' current generations.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_call::{CallState, Client, CommandId, Config, Event, Generation, Memory};
use jmrtc_protocol::{ChannelId, Device as DeviceId, Failure, Platform, RequestId, Stay, Username};
use jmrtc_rooms::ConnId;

use crate::app;
use crate::chance::Choices;
use crate::judge::Ear;
use crate::network::Item;
use crate::world::Microphone;

/// What an app is told.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Told {
    /// The answer to a method call.
    Answer {
        /// Of the call.
        id: CommandId,
        /// What came of it.
        result: Result<serde_json::Value, Failure>,
    },
    /// An event.
    Event(Event),
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) user: Username,
    pub(crate) id: String,
    /// The device id that it shows the server: its own, unless it is another's copy.
    pub(crate) signs_in_as: String,
    pub(crate) microphone: Microphone,
    pub(crate) client: Client,
    /// Apps started so far; what was meant for an earlier one is dropped.
    pub(crate) life: u32,
    pub(crate) alive: bool,
    pub(crate) conn: Option<ConnId>,
    /// Another connection that it makes beside that one.
    pub(crate) spare: Option<ConnId>,
    /// Method calls of this life and whether they are answered.
    pub(crate) commands: BTreeMap<CommandId, (String, bool)>,
    pub(crate) ear: Ear,
    /// Answers and events that nobody has looked at.
    pub(crate) told: Vec<Told>,
    /// Calls that the person accepted or dialled, in any life, and which stay in them.
    pub(crate) yes: BTreeSet<(ChannelId, Stay)>,
    /// Those to which the person said no while they rang.
    pub(crate) no: BTreeSet<(ChannelId, Stay)>,
    /// Whom the person has called, in any life.
    pub(crate) dialled: BTreeSet<String>,
    /// Whether the sign-in of this life has told what there is.
    pub(crate) looked: bool,
    /// The user has other devices.
    pub(crate) has_siblings: bool,
    /// Since when its call has been reconnecting.
    pub(crate) reconnecting: Option<u64>,
    /// Until when no socket can be opened.
    pub(crate) offline_until: u64,
    pub(crate) asleep_until: u64,
    /// So much longer takes each message, either way.
    pub(crate) lag: u64,
    /// Its person speaks until then.
    pub(crate) talks_until: u64,
    /// What is on its way to the server waits here, also that a connection is closed.
    pub(crate) held: Option<Vec<(ConnId, Item)>>,
    /// The token used last, in any life.
    pub(crate) token: String,
    /// Tokens that the server would not have, as this life was told.
    pub(crate) rejected: BTreeSet<String>,
    /// The tokens that the app has given in this life, by the method call.
    pub(crate) offered: BTreeMap<CommandId, String>,
    /// The last token that the server has taken and not rejected since, as this sign-in was told.
    pub(crate) confirmed: Option<String>,
    /// The last event of the sign-in that has come in.
    pub(crate) seen: u64,
    /// When its connection has said something last.
    pub(crate) heard: u64,
    /// A start that the server has not answered, wanted or not.
    pub(crate) start: Option<RequestId>,
    /// The start that the person has given up last.
    pub(crate) given_up: Option<RequestId>,
    /// Refusals and goodbyes that it has not answered; to any stay in the call where they don't say to which.
    pub(crate) goodbyes: BTreeMap<RequestId, (ChannelId, Option<Stay>)>,
    /// The last that the person has said to any call was that they are out of it.
    pub(crate) out: bool,
    /// The last call was over before the person could say anything.
    pub(crate) missed: bool,
    /// The call that rings, where the sign-in in which it was told is gone and nobody has told it anew.
    pub(crate) doubted: Option<ChannelId>,
    /// The call whose accept has gone through, as changes tell that came before the answer.
    pub(crate) waits: Option<ChannelId>,
    /// How the life before was when it ended, if it had signed in.
    pub(crate) before: Before,
    pub(crate) parts: Parts,
}

/// A life of an app that has ended.
#[derive(Debug, Default)]
pub(crate) struct Before {
    pub(crate) muted: bool,
    pub(crate) call: Option<ChannelId>,
    /// A start was unanswered.
    pub(crate) starting: bool,
    /// It was one that the person had given up, and they were in no call.
    pub(crate) given_up: bool,
}

/// What the parts around the machine have been told to do.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// The media link that is there, and the last there was.
    pub(crate) link: Option<Generation>,
    pub(crate) last_link: Generation,
    pub(crate) link_up: bool,
    /// Nothing comes over it that did: when the connection is back as well the app is told only when the server has answered.
    pub(crate) silent: bool,
    /// When what it carries was measured last.
    pub(crate) sampled: u64,
    /// What the system's call screen shows as incoming.
    pub(crate) shown: Option<(ChannelId, Stay)>,
    /// What the system takes for a call that is going on.
    pub(crate) started: Option<(ChannelId, Stay)>,
    /// All that its call screen or notification has shown, the last one last: what is touched now may have been over for a while.
    pub(crate) screens: Vec<(ChannelId, Stay)>,
    /// The person was asked for the microphone and has not answered.
    pub(crate) asked: bool,
    pub(crate) capture: bool,
    /// There is a microphone that does so.
    pub(crate) open: bool,
    /// There was.
    pub(crate) touched: bool,
    /// Times that one was opened or lost.
    pub(crate) openings: u64,
    pub(crate) send: bool,
    pub(crate) play: bool,
}

impl Parts {
    /// The call screen or the notification shows this stay.
    pub(crate) fn show(&mut self, screen: &(ChannelId, Stay)) {
        if self.screens.last() != Some(screen) {
            self.screens.push(screen.clone());
        }
    }
}

impl Device {
    pub(crate) fn new(user: Username, id: String, signs_in_as: String, seed: u64) -> Self {
        Self {
            client: client(&signs_in_as, seed, Memory::default()),
            ear: Ear::new(user.clone()),
            told: Vec::new(),
            user,
            signs_in_as,
            microphone: Microphone::default(),
            id,
            life: 0,
            alive: true,
            conn: None,
            spare: None,
            commands: BTreeMap::new(),
            yes: BTreeSet::new(),
            no: BTreeSet::new(),
            dialled: BTreeSet::new(),
            looked: false,
            has_siblings: false,
            reconnecting: None,
            offline_until: 0,
            asleep_until: 0,
            lag: 0,
            talks_until: 0,
            held: None,
            token: String::new(),
            rejected: BTreeSet::new(),
            offered: BTreeMap::new(),
            confirmed: None,
            seen: 0,
            heard: 0,
            start: None,
            given_up: None,
            goodbyes: BTreeMap::new(),
            out: false,
            missed: false,
            doubted: None,
            waits: None,
            before: Before::default(),
            parts: Parts::default(),
        }
    }

    /// Its connections, open or not.
    pub(crate) fn conns(&self) -> impl Iterator<Item = ConnId> + use<> {
        [self.conn, self.spare].into_iter().flatten()
    }

    /// The app is started anew; nothing but what the person has said to calls survives.
    pub(crate) fn revive(&mut self, seed: u64) {
        if self.looked {
            let state = self.client.state();
            self.before = Before {
                muted: state.muted,
                starting: self.start.is_some(),
                given_up: self.start.is_some()
                    && self.start == self.given_up
                    && (state.session.is_none() || state.call == CallState::Incoming),
                call: state.session.map(|session| session.channel_id),
            };
        }
        self.client = client(&self.signs_in_as, seed, self.client.memory());
        self.ear = Ear::new(self.user.clone());
        self.commands.clear();
        self.offered.clear();
        self.told.clear();
        self.looked = false;
        self.reconnecting = None;
        self.asleep_until = 0;
        self.rejected.clear();
        self.seen = 0;
        self.start = None;
        self.given_up = None;
        self.goodbyes.clear();
        self.missed = false;
        self.doubted = None;
        self.waits = None;
        self.parts = Parts::default();
        self.alive = true;
    }

    /// A token that its app may have: most are good for ever, some for a while; now and then there is none but the last.
    pub(crate) fn pick_token(&self, now: u64, choices: &mut Choices) -> String {
        match choices.roll(6) {
            0 if !self.token.is_empty() => self.token.clone(),
            1 | 2 => app::token(&self.user, now + choices.roll(30_000)),
            _ => app::token(&self.user, u64::MAX),
        }
    }

    /// Whoever signs in on it is its user.
    pub(crate) fn belongs_to(&mut self, user: &Username) {
        if self.user != *user {
            self.user = user.clone();
            self.ear = Ear::new(user.clone());
        }
    }

    pub(crate) fn unanswered(&self) -> Vec<&str> {
        self.commands.values().filter(|(_, answered)| !answered).map(|(method, _)| method.as_str()).collect()
    }
}

fn client(id: &str, seed: u64, memory: Memory) -> Client {
    Client::new(Config {
        seed,
        device: DeviceId { id: id.to_owned(), platform: Platform::Native },
        server_url: Some("http://server".to_owned()),
        memory,
    })
}
