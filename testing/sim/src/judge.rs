//! What an app hears on one device, held against the grammar of a call.

use std::collections::BTreeSet;

use jmrtc_call::{CallState, Event, State};
use jmrtc_protocol::{ChannelId, Session, Username};

/// Follows the events of one app's life.
#[derive(Debug)]
pub(crate) struct Ear {
    me: Username,
    /// The call that has been told of and not yet its end.
    pub(crate) call: Option<Heard>,
    /// Calls of whose end was told.
    pub(crate) over: BTreeSet<ChannelId>,
}

#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) channel: ChannelId,
    phase: Phase,
    /// Who is in it besides us, by the joins and leaves told.
    joined: BTreeSet<Username>,
    connected: bool,
    reconnecting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Incoming,
    Outgoing,
    Joined,
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn others(session: &Session, me: &Username) -> BTreeSet<Username> {
    session.joined_members.iter().map(|u| u.username.clone()).filter(|name| name != me).collect()
}

impl Ear {
    pub(crate) fn new(me: Username) -> Self {
        Self { me, call: None, over: BTreeSet::new() }
    }

    pub(crate) fn hear(&mut self, event: &Event) -> Result<(), String> {
        let me = self.me.clone();
        match event {
            Event::CallOutgoing(session) => {
                check(self.call.is_none(), || "outgoing in a call".into())?;
                check(session.inviter.username == me, || "outgoing in somebody else's call".into())?;
                check(others(session, &me).is_empty(), || "outgoing and not alone".into())?;
                self.call = Some(Heard::new(session, Phase::Outgoing));
            }
            Event::CallReceiveInvite(session) => {
                check(self.call.is_none(), || "invited in a call".into())?;
                check(!session.is_joined(&me), || "invited and joined".into())?;
                check(session.is_inviting(&me), || "invited and not rung".into())?;
                self.call = Some(Heard::new(session, Phase::Incoming));
            }
            Event::CallConnecting(session) => {
                let call = self.call.get_or_insert_with(|| Heard::new(session, Phase::Incoming));
                call.same(session)?;
                check(call.phase != Phase::Joined, || "connecting twice".into())?;
                check(session.is_joined(&me), || "connecting without us".into())?;
                // Who has accepted may find that the others have left.
                let alone = others(session, &me).is_empty();
                check(!alone || session.inviter.username != me, || "connecting alone".into())?;
                call.phase = Phase::Joined;
            }
            Event::CallMemberJoin(user) => {
                let call = self.member("a join")?;
                check(user.username != me, || "we joined ourselves".into())?;
                check(call.phase == Phase::Joined, || "a join before connecting".into())?;
                check(call.joined.insert(user.username.clone()), || {
                    format!("{} joins twice", user.username)
                })?;
            }
            Event::CallMemberLeave(payload) => {
                let call = self.member("a leave")?;
                call.joined.remove(&payload.user.username);
            }
            Event::CallConnected(session) => {
                let call = self.member("connected")?;
                call.same(session)?;
                check(!call.connected, || "connected twice".into())?;
                check(!call.joined.is_empty(), || "connected alone".into())?;
                check(session.start_time > 0, || "connected at no time".into())?;
                call.connected = true;
            }
            Event::CallReconnecting(session) => {
                let call = self.member("reconnecting")?;
                call.same(session)?;
                check(call.connected && !call.reconnecting, || "reconnecting out of turn".into())?;
                call.reconnecting = true;
            }
            Event::CallReconnected(session) => {
                let call = self.member("reconnected")?;
                call.same(session)?;
                check(call.reconnecting, || "reconnected out of turn".into())?;
                call.reconnecting = false;
            }
            Event::CallOtherUserInvited(payload) => {
                self.member("others invited")?;
                check(payload.from_user.username != me, || "told whom we invited ourselves".into())?;
            }
            Event::CallMemberMuted(payload) => {
                let call = self.member("muted")?;
                let known = call.joined.contains(&payload.user.username);
                check(known, || format!("{} is muted and not there", payload.user.username))?;
            }
            Event::CallActiveSpeakers(_) => {
                self.member("speakers")?;
            }
            Event::CallDisconnect(payload) => {
                let Some(call) = self.call.take() else { return Err("an end of no call".into()) };
                call.same(&payload.session)?;
                self.over.insert(call.channel);
            }
            Event::CallQuality(_) => {
                let call = self.member("quality")?;
                check(call.connected, || "quality before connected".into())?;
            }
            Event::CallError(_) => {}
        }
        Ok(())
    }

    pub(crate) fn is_member(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.phase != Phase::Incoming)
    }

    /// The call has been told of, whether it is over or not.
    pub(crate) fn knows(&self, channel: &ChannelId) -> bool {
        self.over.contains(channel) || self.call.as_ref().is_some_and(|call| call.channel == *channel)
    }

    fn member(&mut self, what: &str) -> Result<&mut Heard, String> {
        let call = self.call.as_mut().ok_or_else(|| format!("{what} in no call"))?;
        check(call.phase != Phase::Incoming, || format!("{what} before an accept"))?;
        Ok(call)
    }

    /// The app reads `getState` after its sign-in and finds that it is in a call.
    pub(crate) fn adopt(&mut self, session: &Session) {
        let mut call = Heard::new(session, Phase::Outgoing);
        call.joined = others(session, &self.me);
        if !call.joined.is_empty() {
            call.phase = Phase::Joined;
            call.connected = true;
            call.reconnecting = true;
        }
        self.call = Some(call);
    }

    /// What has been told and what `getState` says must be the same.
    pub(crate) fn compare(&self, state: &State) -> Result<(), String> {
        let Some(session) = &state.session else {
            // Between a goodbye and its end there is a call to hear the end of, and none to show.
            return check(state.call == CallState::Idle || state.call == CallState::Outgoing, || {
                format!("{:?} without a session", state.call)
            });
        };
        let Some(call) = &self.call else {
            return Err(format!("in {}, of which nothing was told", session.channel_id));
        };
        call.same(session)?;
        if call.phase == Phase::Joined {
            let joined = others(session, &self.me);
            check(call.joined == joined, || format!("told {:?}, but there are {joined:?}", call.joined))?;
        }
        Ok(())
    }
}

impl Heard {
    fn new(session: &Session, phase: Phase) -> Self {
        Self {
            channel: session.channel_id.clone(),
            phase,
            joined: BTreeSet::new(),
            connected: false,
            reconnecting: false,
        }
    }

    fn same(&self, session: &Session) -> Result<(), String> {
        check(self.channel == session.channel_id, || {
            format!("{} while in {}", session.channel_id, self.channel)
        })
    }
}
