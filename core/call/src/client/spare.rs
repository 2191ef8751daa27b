//! A second connection beside one over which the server does not answer in a call. The one that is heard first stays: a spare one
//! that is there shows that the network is, and so that the other is dead, long before a connection may be given up without a proof.

use super::Client;
use crate::account::{Account, Line, Spare};
use crate::out::Out;
use crate::{Generation, SocketAction, SocketEvent};

/// A server, or a network, that was asleep wakes for both connections at once: what comes over the first has so long.
const SETTLE_MS: u64 = 50;
/// Between one that was not needed and the next: a network of hiccups, or a server with too much to do, is not given more to carry.
const REST_MS: u64 = 10_000;
/// TCP, TLS and WebSocket, and one to spare. One that takes longer has lost its first packet, which is sent again after a second:
/// another try is quicker.
const OPENS_TRIPS: u64 = 4;

impl Client {
    pub(super) fn open_spare(&mut self, out: &mut Out) {
        let now = self.now;
        let Some(Account { line: Line::Up { spare, .. }, url, .. }) = &mut self.account else { return };
        if let Spare::Off { rests } = spare
            && *rests <= now
        {
            self.sockets = self.sockets.wrapping_add(1);
            *spare = Spare::Opening { generation: self.sockets, since: now };
            out.socket(SocketAction::Open { generation: self.sockets, url: url.clone() });
        }
    }

    /// It was not needed.
    pub(super) fn close_spare(&mut self, out: &mut Out) {
        let rests = self.now.plus(REST_MS);
        if let Some(spare) = self.spare()
            && let Some(generation) = spare.generation()
        {
            *spare = Spare::Off { rests };
            out.socket(SocketAction::Close { generation });
        }
    }

    pub(super) fn spare_event(&mut self, generation: Generation, event: &SocketEvent) {
        let now = self.now;
        let Some(spare) = self.spare() else { return };
        match event {
            SocketEvent::Opened => *spare = Spare::Open { generation, until: now.plus(SETTLE_MS) },
            SocketEvent::Closed { .. } => *spare = Spare::Off { rests: now.plus(REST_MS) },
            // Before `hello` the server has nothing to say.
            SocketEvent::Message { .. } => {}
        }
    }

    pub(super) fn expire_spare(&mut self, out: &mut Out) {
        let now = self.now;
        if self.spare().and_then(|spare| spare.deadline()).is_some_and(|at| at <= now) {
            self.replace_line(out);
        }
    }

    /// It is of use only while an answer is waited for.
    pub(super) fn settle_spare(&mut self, out: &mut Out) {
        if !self.awaits_answer() {
            self.close_spare(out);
        }
    }

    /// The connection is dead, as a stall has shown: the spare one takes its place, or another is made.
    pub(super) fn replace_line(&mut self, out: &mut Out) {
        let now = self.now;
        self.stall_lost();
        let Some(Account { line: Line::Up { spare, .. }, rtt_ms, .. }) = &mut self.account else { return };
        match *spare {
            Spare::Opening { generation, since }
                if now.since(since) < OPENS_TRIPS.saturating_mul(*rtt_ms) =>
            {
                *spare = Spare::default();
                self.go_over(generation, out);
            }
            Spare::Off { .. } | Spare::Opening { .. } => self.open_socket(out),
            Spare::Open { generation, .. } => {
                *spare = Spare::default();
                self.go_over(generation, out);
                self.opened(out);
            }
        }
    }

    fn spare(&mut self) -> Option<&mut Spare> {
        match &mut self.account {
            Some(Account { line: Line::Up { spare, .. }, .. }) => Some(spare),
            Some(_) | None => None,
        }
    }
}
