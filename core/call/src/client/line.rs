//! The signalling connection: made, kept alive, lost and made again.

use jmrtc_protocol::{ClientMessage, Closing, ErrorCode, Failure, Hello, PROTOCOL_VERSION, ServerMessage};

use super::Client;
use crate::account::{Account, Line, silence};
use crate::out::Out;
use crate::outbox::Owner;
use crate::{Generation, SocketAction, SocketEvent};

/// From opening a socket to `welcome` at the first `login`.
const CONNECT_MS: u64 = 10_000;
/// The same on the way back, where a network that is back shall not wait long for an attempt made without it:
/// longer with each failure, for slow networks, up to the cap.
const RECONNECT_FIRST_MS: u64 = 4_000;
const RECONNECT_CAP_MS: u64 = 8_000;
const BACKOFF_FIRST_MS: u64 = 500;
const BACKOFF_CAP_MS: u64 = 15_000;
/// In a call, which waits for the grace time only.
const BACKOFF_IN_CALL_CAP_MS: u64 = 2_000;
/// A browser tells of a change of network up to so long after it.
const TOLD_LATE_MS: u64 = 4_000;
/// For how long a `hello` on a socket that was let go may still make itself felt.
const STRAY_MS: u64 = 30_000;

/// The server keeps 256 events that it does not know to be seen: in a lively call it is told of them before the next ping.
const ACK_EVENTS: u64 = 64;

impl Client {
    /// Makes a new connection; it replaces the one there is.
    pub(super) fn open_socket(&mut self, out: &mut Out) {
        self.close_socket(out);
        self.interrupted(out);
        let Some(account) = &mut self.account else { return };
        self.sockets = self.sockets.wrapping_add(1);
        let patience = match account.sign_in {
            None => CONNECT_MS,
            Some(_) => RECONNECT_FIRST_MS.saturating_mul(1 << account.failures.min(8)).min(RECONNECT_CAP_MS),
        };
        account.line = Line::Opening { generation: self.sockets, until: self.now.plus(patience) };
        out.socket(SocketAction::Open { generation: self.sockets, url: account.url.clone() });
    }

    pub(super) fn close_socket(&mut self, out: &mut Out) {
        self.let_go();
        self.close_spare(out);
        if let Some(generation) = self.account.as_ref().and_then(|a| a.line.generation()) {
            out.socket(SocketAction::Close { generation });
        }
    }

    /// Another socket takes the place of the one there is.
    pub(super) fn go_over(&mut self, generation: Generation, out: &mut Out) {
        self.close_socket(out);
        self.interrupted(out);
        let until = self.now.plus(RECONNECT_FIRST_MS);
        if let Some(account) = &mut self.account {
            account.line = Line::Opening { generation, until };
        }
    }

    pub(super) fn socket_event(&mut self, generation: Generation, event: SocketEvent, out: &mut Out) {
        let line = self.account.as_ref().map(|a| &a.line);
        if line.and_then(Line::spare) == Some(generation) {
            return self.spare_event(generation, &event);
        }
        if line.and_then(Line::generation) != Some(generation) {
            self.stale = self.stale.saturating_add(1);
            return;
        }
        match event {
            SocketEvent::Opened => self.opened(out),
            SocketEvent::Message { message } => self.message(message, out),
            // As some networks say to a connection that they have forgotten: there is one, and nothing to wait for.
            SocketEvent::Closed { .. } if self.awaits_answer() => self.replace_line(out),
            SocketEvent::Closed { why } => self.line_lost(&why, out),
        }
    }

    pub(super) fn opened(&mut self, out: &mut Out) {
        let device = self.config.device.clone();
        let Some(account) = &mut self.account else { return };
        if let Line::Opening { generation, until } = account.line {
            account.line = Line::Greeting { generation, until, greeted: self.now };
            let (token, resume) = (account.token.clone(), account.resume());
            let hello = Hello { protocol: PROTOCOL_VERSION, token, device, resume };
            out.socket(SocketAction::Send { generation, message: ClientMessage::Hello(hello) });
        }
    }

    fn message(&mut self, message: ServerMessage, out: &mut Out) {
        let Some(account) = &mut self.account else { return };
        match &mut account.line {
            Line::Greeting { .. } => self.greeted(message, out),
            // We slept, and it may have waited all the time, and so may what comes after it. On a new connection it comes again:
            // an invitation with what is left of its time.
            Line::Up { heard, .. } if heard.plus(silence(self.settings.ping_ms)) <= self.now => {
                self.open_socket(out);
            }
            Line::Up { heard, .. } => {
                *heard = self.now;
                self.stall_heard();
                self.told(message, out);
            }
            Line::Leaving { .. } => match message {
                ServerMessage::Reply { id, reply } => self.replied(id, reply, out),
                ServerMessage::Failure { id, error } => self.request_failed(id, error, out),
                ServerMessage::Closing { .. } => self.finish_logout(out),
                ServerMessage::Welcome(_)
                | ServerMessage::Event { .. }
                | ServerMessage::Fault { .. }
                | ServerMessage::Pong => {}
            },
            Line::Down { .. } | Line::Barred | Line::Opening { .. } => {}
        }
    }

    /// Before `welcome`.
    fn greeted(&mut self, message: ServerMessage, out: &mut Out) {
        match message {
            ServerMessage::Welcome(welcome) => self.welcomed(*welcome, out),
            ServerMessage::Fault { error } => self.turned_away(error, out),
            ServerMessage::Closing { reason } => self.closing(reason, out),
            ServerMessage::Reply { .. }
            | ServerMessage::Failure { .. }
            | ServerMessage::Event { .. }
            | ServerMessage::Pong => {}
        }
    }

    /// After `welcome`.
    fn told(&mut self, message: ServerMessage, out: &mut Out) {
        match message {
            ServerMessage::Reply { id, reply } => self.replied(id, reply, out),
            ServerMessage::Failure { id, error } => self.request_failed(id, error, out),
            ServerMessage::Event { seq, event } => {
                let sign_in = self.account.as_mut().and_then(|a| a.sign_in.as_mut());
                let Some(sign_in) = sign_in.filter(|s| seq > s.seq) else { return };
                sign_in.seq = seq;
                if seq - sign_in.acked >= ACK_EVENTS {
                    self.ping(out);
                }
                self.server_event(event, out);
            }
            ServerMessage::Closing { reason } => self.closing(reason, out),
            ServerMessage::Pong => self.pong(out),
            ServerMessage::Welcome(_) | ServerMessage::Fault { .. } => {}
        }
    }

    /// Gives a sign of life, and tells the server which events it need not keep any more.
    pub(super) fn ping(&mut self, out: &mut Out) {
        let now = self.now;
        let next = now.plus(self.settings.ping_ms);
        let Some(Account { line: Line::Up { generation, ping, pinged, .. }, sign_in: Some(sign_in), .. }) =
            &mut self.account
        else {
            return;
        };
        *ping = next;
        pinged.get_or_insert(now);
        sign_in.acked = sign_in.seq;
        let message = ClientMessage::Ping { ack: sign_in.seq };
        out.socket(SocketAction::Send { generation: *generation, message });
    }

    fn pong(&mut self, out: &mut Out) {
        let now = self.now;
        let Some(Account { line: Line::Up { pinged, .. }, rtt_ms, .. }) = &mut self.account else { return };
        if let Some(at) = pinged.take() {
            *rtt_ms = now.since(at);
        }
        self.stall_answered(out);
    }

    pub(super) fn turned_away(&mut self, error: Failure, out: &mut Out) {
        let Some(account) = &mut self.account else { return };
        if account.sign_in.is_none() {
            let waiting = std::mem::take(&mut account.waiting);
            self.close_socket(out);
            self.account = None;
            waiting.into_iter().filter_map(Owner::command).for_each(|id| out.failure(id, error.clone()));
        } else if error.code == ErrorCode::LoginRejected {
            self.bar(error, out);
        } else {
            self.close_socket(out);
            self.line_lost(&error.description, out);
        }
    }

    /// The token is not good, or no longer: the app is asked for a new one, unless it has given one that was on its way, or
    /// the one before may still be good.
    fn bar(&mut self, error: Failure, out: &mut Out) {
        self.close_socket(out);
        self.interrupted(out);
        let offered = self.outbox.take_tokens();
        let Some(account) = &mut self.account else { return };
        account.line = Line::Barred;
        let mut rejected = std::mem::take(&mut account.waiting);
        let (same, newer): (Vec<_>, Vec<_>) =
            offered.into_iter().partition(|(token, _)| *token == account.token);
        rejected.extend(same.into_iter().map(|(_, waiting)| waiting));
        let before = account.confirmed.take().filter(|token| *token != account.token);
        if rejected.is_empty() && newer.is_empty() && before.is_none() {
            return out.error(error, self.call.as_ref().map(|c| c.session.clone()));
        }
        rejected.into_iter().filter_map(Owner::command).for_each(|id| out.failure(id, error.clone()));
        let goes_on = before.is_some() || !newer.is_empty();
        if let Some(token) = before {
            account.confirmed = Some(token.clone());
            account.token = token;
        }
        for (token, waiting) in newer {
            account.token = token;
            account.waiting.push(waiting);
        }
        if goes_on {
            self.open_socket(out);
        }
    }

    fn closing(&mut self, reason: Closing, out: &mut Out) {
        match reason {
            Closing::Replaced if self.is_stray() => {
                self.close_socket(out);
                self.line_lost("an earlier hello of ours came late", out);
            }
            Closing::Replaced => {
                let why = "this device signed in once more elsewhere";
                self.put_out(Failure::new(ErrorCode::LoginRejected, why), out);
            }
            Closing::TokenExpired => self.turned_away(
                Failure::new(ErrorCode::LoginRejected, "the token has expired: `updateToken` goes on"),
                out,
            ),
            Closing::ServerShutdown | Closing::Overload | Closing::Unknown => {
                self.close_socket(out);
                self.line_lost("the server closed the connection", out);
            }
        }
    }

    /// The socket is no longer ours; what was sent on it may still arrive.
    fn let_go(&mut self) {
        if let Some(Account { line: Line::Greeting { generation, .. }, .. }) = &self.account {
            self.strays.retain(|_, at| self.now.since(*at) < STRAY_MS);
            self.strays.insert(*generation, self.now);
        }
    }

    /// Whether what took our sign-in over may have been ourselves; believed once for each.
    fn is_stray(&mut self) -> bool {
        self.strays.pop_last().is_some_and(|(_, at)| self.now.since(at) < STRAY_MS)
    }

    /// The connection is gone, or could not be made.
    fn line_lost(&mut self, why: &str, out: &mut Out) {
        if self.account.as_ref().is_some_and(|a| a.line.is_leaving()) {
            return self.finish_logout(out);
        }
        self.close_spare(out);
        self.interrupted(out);
        self.let_go();
        let Some(account) = &mut self.account else { return };
        let waiting = std::mem::take(&mut account.waiting);
        if account.sign_in.is_none() {
            self.account = None;
        } else {
            let cap = if self.call.is_some() { BACKOFF_IN_CALL_CAP_MS } else { BACKOFF_CAP_MS };
            let wait = self.dice.backoff(account.failures, BACKOFF_FIRST_MS, cap);
            account.failures = account.failures.saturating_add(1);
            account.line = Line::Down { at: self.now.plus(wait) };
        }
        out.fail_all(waiting.into_iter().filter_map(Owner::command), ErrorCode::Network, why);
    }

    /// What has to happen when a connection that was up ends, whatever comes next.
    fn interrupted(&mut self, out: &mut Out) {
        let Some(account) = self.account.as_mut().filter(|a| a.line.is_up()) else { return };
        // Where it fell silent, a ping may have got through since the last word from there: the server, which has the last word,
        // does not miss us for longer.
        account.lost = Some(self.now);
        self.stall_offline();
        self.outbox.lost();
        self.end_left(out);
    }

    pub(super) fn network_changed(&mut self, out: &mut Out) {
        // What we have seen ourselves before we are told.
        if self.call.as_ref().and_then(|call| call.moved).is_some_and(|at| self.now.since(at) < TOLD_LATE_MS)
        {
            return;
        }
        self.renew_line(out);
        self.renew_link(out);
    }

    /// Addresses may have changed.
    pub(super) fn renew_line(&mut self, out: &mut Out) {
        if let Some(account) = &mut self.account {
            match account.line {
                Line::Down { .. } | Line::Opening { .. } | Line::Greeting { .. } | Line::Up { .. } => {
                    account.failures = 0;
                    self.open_socket(out);
                }
                Line::Leaving { .. } => self.finish_logout(out),
                Line::Barred => {}
            }
        }
    }

    pub(super) fn expire_line(&mut self, out: &mut Out) {
        let now = self.now;
        let Some(account) = &mut self.account else { return };
        let ping_ms = self.settings.ping_ms;
        let silence = silence(ping_ms);
        match &mut account.line {
            Line::Down { at } if *at <= now => self.open_socket(out),
            Line::Opening { until, .. } | Line::Greeting { until, .. } if *until <= now => {
                self.close_socket(out);
                self.line_lost("the server did not answer in time", out);
            }
            Line::Leaving { until, .. } if *until <= now => self.finish_logout(out),
            Line::Up { heard, .. } if heard.plus(silence) <= now => self.open_socket(out),
            Line::Up { ping, .. } if *ping <= now => self.ping(out),
            Line::Down { .. }
            | Line::Barred
            | Line::Opening { .. }
            | Line::Greeting { .. }
            | Line::Up { .. }
            | Line::Leaving { .. } => {}
        }
    }
}
