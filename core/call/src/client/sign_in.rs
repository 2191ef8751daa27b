//! Login, logout and tokens: who is signed in.

use jmrtc_protocol::{ErrorCode, Failure, LeaveReason, Reason, Request};
use serde_json::{Value, json};

use super::Client;
use super::calls::dismiss;
use crate::account::{Account, Line, NextLogin};
use crate::call::{Accept, Leaving};
use crate::out::Out;
use crate::outbox::Owner;
use crate::{CommandId, Left, LoginState, Remembered, address, command};

/// From `logout` to its reply.
const LOGOUT_MS: u64 = 3_000;

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
            LoginState::LoggingIn | LoginState::Reconnecting | LoginState::TokenRejected if same => {
                self.go_on_with(token, Owner::Login(id), out);
            }
            LoginState::LoggingIn
            | LoginState::Reconnecting
            | LoginState::TokenRejected
            | LoginState::LoggedIn
            | LoginState::LoggedOut => {
                let next = NextLogin { command: id, url, token };
                self.sign_out(Vec::new(), Some(next), "somebody else signed in", out);
            }
        }
    }

    pub(super) fn sign_in(&mut self, login: NextLogin, out: &mut Out) {
        let mut account = Account::new(login.url, login.token);
        account.waiting.push(Owner::Login(login.command));
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
        self.leave_later();
        self.answer_all(why, out);
        let until = self.now.plus(LOGOUT_MS);
        if let Some(call) = &mut self.call {
            let (refuses, hangups) = (Vec::new(), Vec::new());
            let reason = match &call.accept {
                Accept::Ringing(_) => Reason::Refuse,
                Accept::Leaving(leaving) => leaving.reason,
                Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Joined => Reason::Hangup,
            };
            call.accept = Accept::Leaving(Leaving { reason, refuses, hangups, until });
            dismiss(call, out);
        }
        self.settle_posture(out);
        self.close_spare(out);
        let Some(account) = &mut self.account else { return };
        if let Line::Up { generation, .. } = account.line {
            account.line = Line::Leaving { generation, until, commands, next };
            self.outbox.push(Request::Logout, Owner::Nobody, None);
        } else {
            self.signed_out(commands, next, out);
        }
    }

    /// The server is told by this user's next sign-in, if not by this one's end.
    fn leave_later(&mut self) {
        let Some(me) = self.me().cloned() else { return };
        // What rings may ring on at the user's other devices.
        let call = self.call.as_ref().filter(|c| c.is_consented());
        let left = call.map(|c| Left {
            channel_id: c.session.channel_id.clone(),
            stay: Some(c.stay),
            reason: LeaveReason::Hangup,
        });
        let left = self.outbox.left().chain(left).collect();
        let remembered = Remembered { left, left_start: self.outbox.holds(), ..Remembered::default() };
        self.memory.keep(&me, remembered);
    }

    /// Answers every method call that waits for the server; nothing of them is asked any more.
    pub(super) fn answer_all(&mut self, why: &str, out: &mut Out) {
        self.abandon_preflight(ErrorCode::NotLoggedIn, why, out);
        self.held.clear();
        self.missed = false;
        let mut unanswered: Vec<_> =
            self.outbox.clear().into_iter().filter_map(|e| e.owner.command()).collect();
        if let Some(account) = &mut self.account {
            unanswered.extend(std::mem::take(&mut account.waiting).into_iter().filter_map(Owner::command));
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
        self.end_left(out);
        self.account = None;
        let _unanswerable = self.outbox.clear();
        if let Some(login) = next {
            self.sign_in(login, out);
        }
    }

    /// The server has put us out, or did not let us in.
    pub(super) fn put_out(&mut self, failure: Failure, out: &mut Out) {
        self.close_socket(out);
        if let Some(me) = self.me().cloned() {
            // Of a start the app is told now that it has failed: what came of it, if anything, is left at the next sign-in.
            let remembered = self.remembered(self.outbox.holds());
            self.memory.keep(&me, remembered);
        }
        let reason = match self.call.as_ref().map(|call| &call.accept) {
            Some(Accept::Leaving(leaving)) => leaving.reason,
            None
            | Some(Accept::Ringing(_) | Accept::Accepting(_) | Accept::Dialled { .. } | Accept::Joined) => {
                Reason::NetworkError
            }
        };
        self.answer_all(&failure.description, out);
        out.error(failure, self.call.as_ref().map(|c| c.session.clone()));
        self.end_here(reason, None, out);
        self.account = None;
    }

    pub(super) fn update_token(&mut self, id: CommandId, token: String, out: &mut Out) {
        let expires = self.answer_deadline();
        let signed_in = self.account.as_ref().filter(|a| a.sign_in.is_some());
        let other = signed_in.is_some_and(|a| !a.is_same_user(&token));
        match signed_in.map(Account::state) {
            None | Some(LoginState::LoggedOut) => {
                out.fail(id, ErrorCode::NotLoggedIn, "needs `login` to have succeeded");
            }
            Some(_) if other => out.failure(id, others_token()),
            Some(LoginState::LoggedIn) => {
                self.outbox.push(Request::UpdateToken { token }, Owner::Command(id), Some(expires));
            }
            Some(LoginState::LoggingIn | LoginState::Reconnecting | LoginState::TokenRejected) => {
                self.go_on_with(token, Owner::Command(id), out);
            }
        }
    }

    /// Signs in with another token. Those that the server has not confirmed are older and must not take its place:
    /// whoever waits for them waits for the sign-in.
    fn go_on_with(&mut self, token: String, waiting: Owner, out: &mut Out) {
        let older = self.outbox.take_tokens();
        let Some(account) = &mut self.account else { return };
        account.token = token;
        account.waiting.extend(older.into_iter().map(|(_, waiting)| waiting));
        account.waiting.push(waiting);
        self.open_socket(out);
    }

    pub(super) fn token_renewed(&mut self, token: String, owner: Owner, out: &mut Out) {
        let Some(account) = &mut self.account else { return };
        account.confirmed = Some(token.clone());
        account.token = token;
        confirm(owner, account, out);
    }
}

pub(super) fn others_token() -> Failure {
    Failure::new(ErrorCode::LoginRejected, "the token is another user's: `login` signs in as somebody else")
}

/// The server has taken the token.
pub(super) fn confirm(owner: Owner, account: &Account, out: &mut Out) {
    match owner {
        Owner::Nobody => {}
        Owner::Login(id) => out.ok(id, who(account)),
        Owner::Command(id) | Owner::Naming { command: id, .. } => out.done(id),
    }
}

/// What `login` answers.
fn who(account: &Account) -> Value {
    account
        .sign_in
        .as_ref()
        .map_or(Value::Null, |s| json!({ "username": s.user.username, "appKey": s.user.app_key }))
}
