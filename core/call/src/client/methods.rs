//! The methods of `window.JMRTC`: what is possible now, and what is asked of whom.

use jmrtc_protocol::limits::MAX_MESSAGE_BYTES;
use jmrtc_protocol::{
    ClientMessage, ErrorCode, Failure, LeaveReason, Reason, Request, RequestId, Username, encode,
};
use serde_json::{Value, json};

use super::Client;
use crate::call::Accept;
use crate::command::{self, Command};
use crate::out::Out;
use crate::outbox::Owner;
use crate::{CommandId, PlatformAction, Timestamp};

/// How long the server may take to answer before the app is told `NETWORK`.
const ANSWER_MS: u64 = 15_000;

impl Client {
    pub(super) fn command(&mut self, id: CommandId, method: &str, args: &Value, out: &mut Out) {
        let command = match command::parse(method, args) {
            Ok(command) => command,
            Err(failure) => return out.failure(id, failure),
        };
        match command {
            Command::Init => out.done(id),
            Command::Login { token, server_url } => self.login(id, token, server_url.as_deref(), out),
            Command::Logout => self.logout(id, out),
            Command::UpdateToken { token } => self.update_token(id, token, out),
            Command::InitEngine => match self.check_login() {
                Ok(()) => self.init_engine(id, out),
                Err(failure) => out.failure(id, failure),
            },
            Command::ReleaseEngine => self.release_engine(id, out),
            Command::StartCallUsers { usernames } => {
                self.answer(id, out, |client, out| client.start_call(id, usernames, out))
            }
            Command::Accept => self.answer(id, out, |client, out| client.accept(id, out)),
            Command::Refuse => self.answer(id, out, |client, out| client.refuse(id, out)),
            Command::Hangup => self.hang_up(Some(id), out),
            Command::InviteUsers { usernames } => {
                self.answer(id, out, |client, _| client.invite(id, usernames))
            }
            Command::IsMuted => self.with_engine(id, out, |client, _| json!(client.muted)),
            Command::SetIsMuted { muted } => self.with_engine(id, out, |client, _| {
                client.muted = muted;
                json!({})
            }),
            Command::IsSpeakerphoneEnabled => {
                self.with_engine(id, out, |client, _| json!(client.speakerphone));
            }
            Command::SetIsSpeakerphoneEnabled { enabled } => self.with_engine(id, out, |client, out| {
                client.speakerphone = enabled;
                out.platform(PlatformAction::SetSpeakerphone { enabled });
                json!({})
            }),
            Command::Preflight { seconds } => {
                self.answer(id, out, |client, out| client.preflight(id, seconds, out));
            }
            Command::GetState => out.ok(id, serde_json::to_value(self.state()).unwrap_or_default()),
            Command::GetUserInfo { usernames } => self.ask(id, Request::Users { usernames }, out),
            Command::UpdateMyInfo { profile } => self.ask(id, Request::UpdateProfile { profile }, out),
            Command::UpdateRelation { username, .. } if self.me() == Some(&username) => {
                out.failure(id, command::invalid("nobody has a relation to itself"));
            }
            Command::UpdateRelation { username, relation } => {
                self.ask(id, Request::UpdateRelation { username, relation }, out);
            }
            Command::GetRelations { after, limit } => self.ask(id, Request::Relations { after, limit }, out),
            Command::GetCallHistory { before, limit } => {
                self.ask(id, Request::History { before, limit }, out);
            }
        }
    }

    /// Runs a method that is answered later unless it fails at once.
    fn answer(
        &mut self,
        id: CommandId,
        out: &mut Out,
        run: impl FnOnce(&mut Self, &mut Out) -> Result<(), Failure>,
    ) {
        if let Err(failure) = self.check_login().and_then(|()| run(self, out)) {
            out.failure(id, failure);
        }
    }

    /// Asks the server, whose answer is the method's.
    fn ask(&mut self, id: CommandId, request: Request, out: &mut Out) {
        self.answer(id, out, |client, _| {
            check_size(&request)?;
            client.outbox.push(request, Owner::Command(id), Some(client.answer_deadline()));
            Ok(())
        });
    }

    fn with_engine(&mut self, id: CommandId, out: &mut Out, run: impl FnOnce(&mut Self, &mut Out) -> Value) {
        match self.check_engine() {
            Ok(()) => {
                let value = run(self, out);
                out.ok(id, value);
            }
            Err(failure) => out.failure(id, failure),
        }
    }

    fn check_login(&self) -> Result<(), Failure> {
        let account = self.account.as_ref().filter(|a| a.sign_in.is_some() && !a.line.is_leaving());
        account
            .map(|_| ())
            .ok_or_else(|| Failure::new(ErrorCode::NotLoggedIn, "needs `login` to have succeeded"))
    }

    pub(super) fn check_engine(&self) -> Result<(), Failure> {
        if self.engine.is_ready() {
            Ok(())
        } else {
            Err(Failure::new(ErrorCode::NotInitialized, "needs `initEngine` to have succeeded"))
        }
    }

    pub(super) const fn answer_deadline(&self) -> Timestamp {
        self.now.plus(ANSWER_MS)
    }

    fn start_call(&mut self, id: CommandId, names: Vec<Username>, out: &mut Out) -> Result<(), Failure> {
        let (usernames, oneself) = self.others(names)?;
        let request = Request::Start { usernames: usernames.clone() };
        check_size(&request)?;
        self.check_engine()?;
        let busy = || Err(Failure::new(ErrorCode::AlreadyInCall, "there is a call already"));
        if self.outbox.starting() {
            return busy();
        }
        // Who has hung up may call at once: the goodbye is sent before the start.
        self.end_left(out);
        if let Some(call) = &self.call {
            // Both dialled each other and their call was here first: the server makes one of the two.
            let glare = self.me().is_some_and(|me| call.rings_only(me))
                && usernames == [call.session.inviter.username.clone()];
            if call.restored && call.is_member() {
                self.leave_now(LeaveReason::NetworkError, Reason::NetworkError, out);
            } else if !glare {
                return busy();
            }
        }
        self.abandon_preflight(ErrorCode::AlreadyInCall, "a call was started", out);
        let owner = Owner::Naming { command: id, oneself };
        self.outbox.push(request, owner, Some(self.answer_deadline()));
        Ok(())
    }

    /// The names without one's own, and whether that was among them.
    fn others(&self, mut names: Vec<Username>) -> Result<(Vec<Username>, bool), Failure> {
        let most = self.settings.max_members as usize - 1;
        let all = names.len();
        if let Some(me) = self.me() {
            names.retain(|name| name != me);
        }
        if names.is_empty() {
            return Err(command::invalid("`usernames` names nobody but oneself"));
        }
        if names.len() > most {
            return Err(command::invalid(format!("a call takes at most {most} other users")));
        }
        let oneself = names.len() < all;
        Ok((names, oneself))
    }

    fn accept(&mut self, id: CommandId, out: &mut Out) -> Result<(), Failure> {
        if self.outbox.starting() {
            return Err(no_incoming(false));
        }
        let ready = self.check_engine();
        let Some(call) = &mut self.call else { return Err(no_incoming(self.missed)) };
        match &mut call.accept {
            Accept::Ringing(_) => {
                ready?;
                self.accept_call(vec![id], out);
                Ok(())
            }
            Accept::Accepting(accepting) => {
                accepting.commands.push(id);
                Ok(())
            }
            Accept::Dialled { .. } | Accept::Joined | Accept::Leaving(_) => Err(no_incoming(false)),
        }
    }

    fn refuse(&mut self, id: CommandId, out: &mut Out) -> Result<(), Failure> {
        let Some(call) = &mut self.call else { return Err(no_incoming(self.missed)) };
        match &mut call.accept {
            Accept::Ringing(_) if !self.outbox.starting() => {
                self.refuse_call(id, out);
                Ok(())
            }
            Accept::Ringing(_)
            | Accept::Accepting(_)
            | Accept::Dialled { .. }
            | Accept::Joined
            | Accept::Leaving(_) => Err(no_incoming(false)),
        }
    }

    fn invite(&mut self, id: CommandId, names: Vec<Username>) -> Result<(), Failure> {
        let (usernames, oneself) = self.others(names)?;
        let connected = self.call.as_ref().filter(|c| c.connected && c.is_member());
        let Some(call) = connected else {
            return Err(Failure::new(ErrorCode::InvalidState, "there is no connected call to invite into"));
        };
        let channel_id = call.session.channel_id.clone();
        let owner = Owner::Naming { command: id, oneself };
        let request = Request::Invite { channel_id, usernames };
        check_size(&request)?;
        self.outbox.push(request, owner, Some(self.answer_deadline()));
        Ok(())
    }
}

/// Fails where the server would not take a message so large: it could not even tell which request that was.
fn check_size(request: &Request) -> Result<(), Failure> {
    let message = ClientMessage::Request { id: RequestId::MAX, request: request.clone() };
    let bytes = encode(&message).len();
    if bytes > MAX_MESSAGE_BYTES {
        let why =
            format!("a message has at most {MAX_MESSAGE_BYTES} bytes, and the arguments make it {bytes}");
        return Err(Failure::new(ErrorCode::LimitExceeded, why));
    }
    Ok(())
}

/// `missed`: there was one, and it was over before the person could say anything.
fn no_incoming(missed: bool) -> Failure {
    if missed {
        Failure::new(ErrorCode::CallEnded, "the call was over before")
    } else {
        Failure::new(ErrorCode::InvalidState, "there is no incoming call")
    }
}
