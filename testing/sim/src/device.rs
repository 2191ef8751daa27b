//! One device: its machine, its app, its sockets' and links' current generations.

use std::collections::{BTreeMap, BTreeSet};

use jmrtc_call::{Client, CommandId, Config, Event, Generation};
use jmrtc_protocol::{ChannelId, ClientMessage, Device as DeviceId, Failure, Platform, Username};
use jmrtc_rooms::ConnId;

use crate::judge::Ear;

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
    pub(crate) client: Client,
    /// Apps started so far; what was meant for an earlier one is dropped.
    pub(crate) life: u32,
    pub(crate) alive: bool,
    pub(crate) conn: Option<ConnId>,
    pub(crate) link: Generation,
    /// Method calls of this life and whether they are answered.
    pub(crate) commands: BTreeMap<CommandId, (String, bool)>,
    pub(crate) ear: Ear,
    /// Answers and events that nobody has looked at.
    pub(crate) told: Vec<Told>,
    /// Calls that the person accepted or dialled, in any life.
    pub(crate) yes: BTreeSet<ChannelId>,
    /// Whether the sign-in of this life has told what there is.
    pub(crate) looked: bool,
    /// The user has other devices.
    pub(crate) has_siblings: bool,
    /// Since when its call has been reconnecting.
    pub(crate) reconnecting: Option<u64>,
    /// Until when no socket can be opened.
    pub(crate) offline_until: u64,
    /// What it says to the server waits here.
    pub(crate) held: Option<Vec<(ConnId, ClientMessage)>>,
}

impl Device {
    pub(crate) fn new(user: Username, id: String, seed: u64) -> Self {
        Self {
            client: client(&id, seed),
            ear: Ear::new(user.clone()),
            told: Vec::new(),
            user,
            id,
            life: 0,
            alive: true,
            conn: None,
            link: 0,
            commands: BTreeMap::new(),
            yes: BTreeSet::new(),
            looked: false,
            has_siblings: false,
            reconnecting: None,
            offline_until: 0,
            held: None,
        }
    }

    /// The app is started anew; nothing but what the person has said to calls survives.
    pub(crate) fn revive(&mut self, seed: u64) {
        self.client = client(&self.id, seed);
        self.ear = Ear::new(self.user.clone());
        self.commands.clear();
        self.told.clear();
        self.looked = false;
        self.link = 0;
        self.reconnecting = None;
        self.alive = true;
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

fn client(id: &str, seed: u64) -> Client {
    Client::new(Config {
        seed,
        device: DeviceId { id: id.to_owned(), platform: Platform::Native },
        server_url: Some("http://server".to_owned()),
        muted: false,
    })
}
