//! Connections that are ordered and reliable until they break, at any moment, losing what is on the way.
//!
//! WebSocket runs over TCP: on one connection nothing is doubled and nothing overtakes. Both happen across
//! connections: a client that has lost one asks again on the next, and an old one that was only stalled delivers
//! late what it held. So these are played, and nothing else would be a real network.

use std::collections::BTreeMap;

use jmrtc_call::{AudioEvent, Generation, MediaEvent, PlatformEvent};
use jmrtc_protocol::{ClientMessage, ServerMessage};
use jmrtc_rooms::{ConnId, LinkId, Ticket};

/// Something that will happen.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub(crate) enum Item {
    Opened(ConnId),
    ToServer(ConnId, ClientMessage),
    ToClient(ConnId, ServerMessage),
    /// The client learns that it is gone.
    ClosedToClient(ConnId),
    /// The server learns that it is gone.
    ClosedToServer(ConnId),
    /// The server looks whether it has heard of it lately.
    Watch(ConnId),
    /// The server looks whether a token is still good.
    Expire,
    LinkAnswer {
        ticket: Ticket,
        result: Result<String, String>,
        /// The link that will not be there, for a refusal.
        unmade: Option<LinkId>,
        server: u32,
    },
    /// The media relay forwards others than before.
    Slots {
        link: LinkId,
        sources: Vec<Option<LinkId>>,
        server: u32,
    },
    /// What a link carries is measured.
    Measure {
        device: usize,
        life: u32,
        generation: Generation,
    },
    Media {
        device: usize,
        life: u32,
        generation: Generation,
        event: MediaEvent,
    },
    Audio {
        device: usize,
        life: u32,
        event: AudioEvent,
    },
    /// The microphone could not be opened, and can't still.
    NoMicrophone {
        device: usize,
        life: u32,
        opening: u64,
    },
    Platform {
        device: usize,
        life: u32,
        event: PlatformEvent,
    },
    /// A phone that slept is awake.
    Woken {
        device: usize,
        life: u32,
    },
}

/// One socket.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) device: usize,
    pub(crate) life: u32,
    pub(crate) generation: Generation,
    /// Nothing gets through any more, in either direction.
    pub(crate) broken: bool,
    /// Of which server.
    pub(crate) server: u32,
    /// The server has it.
    pub(crate) at_server: bool,
    /// The client has it.
    pub(crate) at_client: bool,
    /// `hello` has been handed to the rooms.
    pub(crate) greeted: bool,
    pub(crate) heard: u64,
    pub(crate) opened: u64,
    /// Until when nothing gets through.
    pub(crate) stalled_until: u64,
    /// The client has it no more, and since when.
    pub(crate) let_go: Option<u64>,
    /// The token that its user has shown, and until when it is good.
    pub(crate) token: String,
    pub(crate) expires: u64,
    last_up: u64,
    last_down: u64,
}

impl Conn {
    pub(crate) const fn new(device: usize, life: u32, generation: Generation, server: u32) -> Self {
        Self {
            device,
            life,
            generation,
            broken: false,
            server,
            at_server: true,
            at_client: true,
            greeted: false,
            heard: 0,
            opened: 0,
            stalled_until: 0,
            let_go: None,
            token: String::new(),
            expires: u64::MAX,
            last_up: 0,
            last_down: 0,
        }
    }

    /// When something sent to the server arrives: never before what was sent before.
    pub(crate) fn up(&mut self, at: u64) -> u64 {
        self.last_up = self.last_up.max(at);
        self.last_up
    }

    pub(crate) fn down(&mut self, at: u64) -> u64 {
        self.last_down = self.last_down.max(at);
        self.last_down
    }
}

/// What is to happen, in order of time and, at one time, of planning.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    items: BTreeMap<(u64, u64), Item>,
    planned: u64,
}

impl Agenda {
    pub(crate) fn plan(&mut self, at: u64, item: Item) {
        self.planned += 1;
        self.items.insert((at, self.planned), item);
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.items.first_key_value().map(|((at, _), _)| *at)
    }

    /// With the number of its planning.
    pub(crate) fn take(&mut self, now: u64) -> Option<(u64, Item)> {
        self.next().filter(|at| *at <= now)?;
        self.items.pop_first().map(|((_, number), item)| (number, item))
    }

    /// What was planned earlier stays before what was planned later.
    pub(crate) fn put_off(&mut self, number: u64, at: u64, item: Item) {
        self.items.insert((at, number), item);
    }
}
