//! The sign-in and its connection: login, logout, tokens, reconnects, resume.

use jmrtc_protocol::{
    ClientMessage, Closing, Detail, ErrorCode, Failure, Hello, LeaveReason, PROTOCOL_VERSION, Reason,
    Request, ServerMessage, Session, User, Welcome,
};
use serde_json::{Value, json};

use super::Client;
use crate::account::{Account, Line, NextLogin, SignIn, Waiting, sane, silence};
use crate::call::{Accept, Leaving};
use crate::out::Out;
use crate::outbox::Owner;
use crate::{
    CommandId, Event, Generation, LeavePayload, LoginState, SocketAction, SocketEvent, address, command,
};

/// From opening a socket to `welcome`.
const CONNECT_MS: u64 = 10_000;
/// From `logout` to its reply.
const LOGOUT_MS: u64 = 3_000;
const BACKOFF_FIRST_MS: u64 = 500;
const BACKOFF_CAP_MS: u64 = 15_000;
/// An invitation that the server may have forgotten is told anew within so many milliseconds, or over.
const DOUBT_MS: u64 = 3_000;

impl Client {
    pub(super) fn login(&mut self, id: CommandId, token: String, server: Option<&str>, out: &mut Out) {
        let url = match server.or(self.config.server_url.as_deref()).map(address::socket_url) {
            Some(Ok(url)) => url,
            Some(Err(why)) => return out.failure(id, command::invalid(why)),
            None => {
                return out.failure(id, command::invalid("`serverUrl` is missing and none is configured"));
            }
        };
        if self.account.as_ref().is_some_and(|a| a.line.is_leaving()) {
            self.finish_logout(out);
        }
        let Some(account) = &mut self.account else {
            return self.sign_in(NextLogin { command: id, url, token }, out);
        };
        let same = account.url == url && account.is_same_user(&token);
        match account.state() {
            LoginState::LoggedIn if same => {
                let expires = self.answer_deadline();
                self.outbox.push(Request::UpdateToken { token }, Owner::Login(id), Some(expires));
            }
            LoginState::LoggingIn | LoginState::Reconnecting if same => {
                account.token = token;
                account.waiting.push(Waiting::Login(id));
                self.open_socket(out);
            }
            LoginState::LoggingIn
            | LoginState::Reconnecting
            | LoginState::LoggedIn
            | LoginState::LoggedOut => {
                let next = NextLogin { command: id, url, token };
                self.sign_out(Vec::new(), Some(next), "somebody else signed in", out);
            }
        }
    }

    fn sign_in(&mut self, login: NextLogin, out: &mut Out) {
        let mut account = Account::new(login.url, login.token);
        account.waiting.push(Waiting::Login(login.command));
        self.account = Some(account);
        self.open_socket(out);
    }

    pub(super) fn logout(&mut self, id: CommandId, out: &mut Out) {
        match &mut self.account {
            None => out.done(id),
            Some(Account { line: Line::Leaving { commands, .. }, .. }) => commands.push(id),
            Some(_) => self.sign_out(vec![id], None, "signed out meanwhile", out),
        }
    }

    /// Silence falls and whatever was under way is answered at once; the rest when the server knows, or now
    /// where it can't be told.
    fn sign_out(&mut self, commands: Vec<CommandId>, next: Option<NextLogin>, why: &str, out: &mut Out) {
        self.answer_all(why, out);
        let until = self.now.plus(LOGOUT_MS);
        if let Some(call) = &mut self.call {
            let (refuses, hangups) = (Vec::new(), Vec::new());
            call.accept = Accept::Leaving(Leaving { reason: Reason::Hangup, refuses, hangups, until });
        }
        self.settle_posture(out);
        let Some(account) = &mut self.account else { return };
        if let Line::Up { generation, .. } = account.line {
            account.line = Line::Leaving { generation, until, commands, next };
            self.outbox.push(Request::Logout, Owner::Nobody, None);
        } else {
            self.signed_out(commands, next, out);
        }
    }

    /// Answers every method call that waits for the server; nothing of them is asked any more.
    fn answer_all(&mut self, why: &str, out: &mut Out) {
        self.held.clear();
        self.missed = false;
        let mut unanswered: Vec<_> =
            self.outbox.clear().into_iter().filter_map(|e| e.owner.command()).collect();
        if let Some(account) = &mut self.account {
            unanswered.extend(std::mem::take(&mut account.waiting).into_iter().map(Waiting::id));
        }
        let mut done = Vec::new();
        match self.call.as_mut().map(|c| &mut c.accept) {
            Some(Accept::Accepting(accepting)) => unanswered.append(&mut accepting.commands),
            Some(Accept::Leaving(leaving)) => {
                done.append(&mut leaving.refuses);
                done.append(&mut leaving.hangups);
            }
            None | Some(Accept::Ringing(_) | Accept::Dialled { .. } | Accept::Joined) => {}
        }
        out.fail_all(unanswered, ErrorCode::NotLoggedIn, why);
        done.into_iter().for_each(|id| out.done(id));
    }

    /// The server knows that we are gone, or can't be told.
    pub(super) fn finish_logout(&mut self, out: &mut Out) {
        let Some(Account { line: Line::Leaving { commands, next, .. }, .. }) = &mut self.account else {
            return;
        };
        let (commands, next) = (std::mem::take(commands), next.take());
        self.signed_out(commands, next, out);
    }

    fn signed_out(&mut self, commands: Vec<CommandId>, next: Option<NextLogin>, out: &mut Out) {
        self.close_socket(out);
        commands.into_iter().for_each(|id| out.done(id));
        self.end_here(Reason::Hangup, None, out);
        self.account = None;
        let _unanswerable = self.outbox.clear();
        if let Some(login) = next {
            self.sign_in(login, out);
        }
    }

    /// The server has put us out, or did not let us in.
    fn put_out(&mut self, failure: Failure, out: &mut Out) {
        self.close_socket(out);
        self.answer_all(&failure.description, out);
        out.error(failure, self.call.as_ref().map(|c| c.session.clone()));
        self.end_here(Reason::NetworkError, None, out);
        self.account = None;
    }

    pub(super) fn update_token(&mut self, id: CommandId, token: String, out: &mut Out) {
        let expires = self.answer_deadline();
        let signed_in = self.account.as_mut().filter(|a| a.sign_in.is_some());
        match signed_in.map(|a| (a.state(), a)) {
            None | Some((LoginState::LoggedOut, _)) => {
                out.fail(id, ErrorCode::NotLoggedIn, "needs `login` to have succeeded");
            }
            Some((LoginState::LoggedIn, _)) => {
                self.outbox.push(Request::UpdateToken { token }, Owner::Command(id), Some(expires));
            }
            Some((LoginState::LoggingIn | LoginState::Reconnecting, account)) => {
                account.token = token;
                account.waiting.push(Waiting::UpdateToken(id));
                self.open_socket(out);
            }
        }
    }

    pub(super) fn token_renewed(&mut self, token: String, owner: Owner, out: &mut Out) {
        let Some(account) = &mut self.account else { return };
        account.token = token;
        match owner {
            Owner::Nobody => {}
            Owner::Login(id) => out.ok(id, who(account)),
            Owner::Command(id) | Owner::Naming { command: id, .. } => out.done(id),
        }
    }

    /// Makes a new connection; it replaces the one there is.
    fn open_socket(&mut self, out: &mut Out) {
        self.interrupted(out);
        let Some(account) = &mut self.account else { return };
        self.sockets = self.sockets.wrapping_add(1);
        account.line = Line::Opening { generation: self.sockets, until: self.now.plus(CONNECT_MS) };
        out.socket(SocketAction::Open { generation: self.sockets, url: account.url.clone() });
    }

    fn close_socket(&self, out: &mut Out) {
        if let Some(generation) = self.account.as_ref().and_then(|a| a.line.generation()) {
            out.socket(SocketAction::Close { generation });
        }
    }

    pub(super) fn socket_event(&mut self, generation: Generation, event: SocketEvent, out: &mut Out) {
        let current = self.account.as_ref().and_then(|a| a.line.generation());
        if current != Some(generation) {
            self.stale = self.stale.saturating_add(1);
            return;
        }
        match event {
            SocketEvent::Opened => self.opened(out),
            SocketEvent::Message { message } => self.message(message, out),
            SocketEvent::Closed { why } => self.line_lost(&why, out),
        }
    }

    fn opened(&mut self, out: &mut Out) {
        let device = self.config.device.clone();
        let Some(account) = &mut self.account else { return };
        if let Line::Opening { generation, until } = account.line {
            account.line = Line::Greeting { generation, until };
            let (token, resume) = (account.token.clone(), account.resume());
            let hello = Hello { protocol: PROTOCOL_VERSION, token, device, resume };
            out.socket(SocketAction::Send { generation, message: ClientMessage::Hello(hello) });
        }
    }

    fn message(&mut self, message: ServerMessage, out: &mut Out) {
        let Some(account) = &mut self.account else { return };
        match &mut account.line {
            Line::Greeting { .. } => self.greeted(message, out),
            Line::Up { heard, .. } => {
                *heard = self.now;
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
                self.server_event(event, out);
            }
            ServerMessage::Closing { reason } => self.closing(reason, out),
            ServerMessage::Welcome(_) | ServerMessage::Fault { .. } | ServerMessage::Pong => {}
        }
    }

    fn welcomed(&mut self, welcome: Welcome, out: &mut Out) {
        let Welcome { user, secret, resumed, call, settings, protocol: _ } = welcome;
        let now = self.now;
        let first = std::mem::take(&mut self.newborn);
        let Some(account) = &mut self.account else { return };
        let Some(generation) = account.line.generation() else { return };
        let before = account.sign_in.take();
        let resumed = resumed && before.as_ref().is_some_and(|b| b.user.username == user.username);
        let seq = before.filter(|_| resumed).map_or(0, |b| b.seq);
        self.settings = sane(settings);
        account.sign_in = Some(SignIn { user, secret, seq });
        account.line = Line::Up { generation, heard: now, ping: now.plus(self.settings.ping_ms) };
        account.failures = 0;
        account.lost = None;
        for waiting in std::mem::take(&mut account.waiting) {
            match waiting {
                Waiting::Login(id) => out.ok(id, who(account)),
                Waiting::UpdateToken(id) => out.done(id),
            }
        }
        if !resumed {
            self.outbox.renumber();
            self.held.clear();
            self.signed_in_anew(call, first, out);
        }
    }

    /// The sign-in before is gone with all its events: what has become of the call says `theirs`, the call in
    /// which the server has this device.
    fn signed_in_anew(&mut self, theirs: Option<Session>, first: bool, out: &mut Out) {
        let now = self.now;
        let me = self.me().cloned();
        let theirs = theirs.filter(|s| me.as_ref().is_some_and(|me| s.is_joined(me)));
        // A start that nobody waits for need not be made again; what came of it is in `theirs`.
        let _abandoned = self.outbox.take(|e| e.is_start() && e.owner == Owner::Nobody);
        let Some(call) = &mut self.call else {
            match theirs {
                Some(session) if first => self.restore(session),
                // A start that is sent again leaves it by itself.
                Some(session) if !self.outbox.starting() => {
                    self.leave_unwanted(session.channel_id, LeaveReason::NetworkError);
                }
                Some(_) | None => {}
            }
            return;
        };
        let (same, other) = match theirs {
            Some(session) if call.is(&session.channel_id) => (Some(session), None),
            other => (None, other),
        };
        if let Some(session) = other.filter(|_| !self.outbox.starting()) {
            self.leave_unwanted(session.channel_id, LeaveReason::NetworkError);
        }
        let Some(call) = &mut self.call else { return };
        match (&mut call.accept, same) {
            // Rung anew, or over.
            (Accept::Ringing(ring), None) => {
                ring.until = ring.until.min(now.plus(DOUBT_MS));
                ring.in_doubt = true;
                self.close_link(out);
            }
            // Nobody here said yes to it.
            (Accept::Ringing(_), Some(_)) => {
                self.leave_now(LeaveReason::NetworkError, Reason::NetworkError, out);
            }
            // The accept is sent again.
            (Accept::Accepting(_), None) => self.close_link(out),
            (Accept::Accepting(_), Some(session)) => {
                self.close_link(out);
                self.accepted(session, out);
            }
            (Accept::Dialled { .. } | Accept::Joined, None) => {
                self.end_here(Reason::NetworkError, Some(Detail::CallLost), out);
            }
            (Accept::Dialled { .. } | Accept::Joined, Some(session)) => {
                self.close_link(out);
                self.catch_up(session, out);
            }
            (Accept::Leaving(_), _) => self.end_left(out),
        }
    }

    /// Tells what has changed in the call while nobody could tell us.
    fn catch_up(&mut self, session: Session, out: &mut Out) {
        let Some(call) = &self.call else { return };
        let gone = |user: &&User| !session.is_joined(&user.username) && !session.is_inviting(&user.username);
        let payload = |user: &User, reason| LeavePayload { user: user.clone(), reason, detail: None };
        let joined = call.session.joined_members.iter().filter(gone).map(|u| payload(u, Reason::Hangup));
        let inviting = call.session.inviting_members.iter().filter(gone).map(|u| payload(u, Reason::Cancel));
        let leaves: Vec<_> = joined.chain(inviting).collect();
        self.update(session, out);
        leaves.into_iter().for_each(|payload| out.event(Event::CallMemberLeave(payload)));
    }

    fn turned_away(&mut self, error: Failure, out: &mut Out) {
        let Some(account) = &mut self.account else { return };
        if account.sign_in.is_none() {
            let waiting = std::mem::take(&mut account.waiting);
            self.close_socket(out);
            self.account = None;
            waiting.into_iter().for_each(|w| out.failure(w.id(), error.clone()));
        } else if error.code == ErrorCode::LoginRejected {
            self.bar(error, out);
        } else {
            self.close_socket(out);
            self.line_lost(&error.description, out);
        }
    }

    /// The token is no longer good: the app is asked for a new one.
    fn bar(&mut self, error: Failure, out: &mut Out) {
        self.close_socket(out);
        self.interrupted(out);
        let Some(account) = &mut self.account else { return };
        account.line = Line::Barred;
        let waiting = std::mem::take(&mut account.waiting);
        if waiting.is_empty() {
            out.error(error, self.call.as_ref().map(|c| c.session.clone()));
        } else {
            waiting.into_iter().for_each(|w| out.failure(w.id(), error.clone()));
        }
    }

    fn closing(&mut self, reason: Closing, out: &mut Out) {
        match reason {
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

    /// The connection is gone, or could not be made.
    fn line_lost(&mut self, why: &str, out: &mut Out) {
        if self.account.as_ref().is_some_and(|a| a.line.is_leaving()) {
            return self.finish_logout(out);
        }
        self.interrupted(out);
        let Some(account) = &mut self.account else { return };
        let waiting = std::mem::take(&mut account.waiting);
        if account.sign_in.is_none() {
            self.account = None;
        } else {
            let wait = self.dice.backoff(account.failures, BACKOFF_FIRST_MS, BACKOFF_CAP_MS);
            account.failures = account.failures.saturating_add(1);
            account.line = Line::Down { at: self.now.plus(wait) };
        }
        for waiting in waiting {
            out.fail(waiting.id(), ErrorCode::Network, why);
        }
    }

    /// What has to happen when a connection that was up ends, whatever comes next.
    fn interrupted(&mut self, out: &mut Out) {
        let Some(account) = self.account.as_mut().filter(|a| a.line.is_up()) else { return };
        account.lost = Some(self.now);
        self.outbox.lost();
        self.end_left(out);
    }

    pub(super) fn network_changed(&mut self, out: &mut Out) {
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
        self.renew_link(out);
    }

    pub(super) fn expire_line(&mut self, out: &mut Out) {
        let now = self.now;
        let Some(account) = &mut self.account else { return };
        let ping_ms = self.settings.ping_ms;
        let silence = silence(ping_ms);
        let ack = account.sign_in.as_ref().map_or(0, |s| s.seq);
        match &mut account.line {
            Line::Down { at } if *at <= now => self.open_socket(out),
            Line::Opening { until, .. } | Line::Greeting { until, .. } if *until <= now => {
                self.close_socket(out);
                self.line_lost("the server did not answer in time", out);
            }
            Line::Leaving { until, .. } if *until <= now => self.finish_logout(out),
            Line::Up { heard, .. } if heard.plus(silence) <= now => self.open_socket(out),
            Line::Up { generation, ping, .. } if *ping <= now => {
                *ping = now.plus(ping_ms);
                out.socket(SocketAction::Send {
                    generation: *generation,
                    message: ClientMessage::Ping { ack },
                });
            }
            Line::Down { .. }
            | Line::Barred
            | Line::Opening { .. }
            | Line::Greeting { .. }
            | Line::Up { .. }
            | Line::Leaving { .. } => {}
        }
    }
}

/// What `login` answers.
fn who(account: &Account) -> Value {
    account
        .sign_in
        .as_ref()
        .map_or(Value::Null, |s| json!({ "username": s.user.username, "appKey": s.user.app_key }))
}
