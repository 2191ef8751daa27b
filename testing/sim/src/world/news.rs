//! What the server tells a device must be what its app hears.

use jmrtc_protocol::Reply;

use super::*;

/// What must come of an input.
#[derive(Debug)]
pub(super) enum News {
    /// Nothing in particular.
    None,
    /// It does not begin to ring.
    Silence,
    /// This event.
    Event(Box<Event>),
    /// This end.
    End(Reason, Option<Detail>),
    /// The call is over, and nothing but its end is told.
    Over,
    /// The server is told that it signs out.
    Goodbye,
    /// The app learns that its token is no longer good, and can read it in `getState`; where it has `offered` others, one of
    /// them may be tried first.
    Rejected { offered: bool },
    /// The token that the app has given meanwhile is tried.
    Tried,
}

/// What the server answers about calls that are over, as an app has it told.
pub(super) fn history(input: &Input) -> Option<Value> {
    let Input::Socket { event: SocketEvent::Message { message }, .. } = input else { return None };
    let ServerMessage::Reply { reply: Reply::History { calls, more }, .. } = message else { return None };
    Some(json!({ "calls": calls, "more": more }))
}

impl News {
    pub(super) fn check(&self, outputs: &[Output], login: LoginState) -> Result<(), String> {
        let heard = |holds: &dyn Fn(&Output) -> bool| {
            check(outputs.iter().any(holds), || format!("the app does not hear {self:?}"))
        };
        match self {
            Self::None => Ok(()),
            Self::Silence => {
                let rings = |o: &Output| matches!(o, Output::Event(Event::CallReceiveInvite(_)));
                check(!outputs.iter().any(rings), || {
                    "an invitation rings that is too old or was refused".into()
                })
            }
            Self::Goodbye => {
                let says = |o: &Output| match o {
                    Output::Socket(SocketAction::Send { message, .. }) => {
                        matches!(message, ClientMessage::Request { request: Request::Logout, .. })
                    }
                    Output::Socket(_)
                    | Output::Event(_)
                    | Output::Reply { .. }
                    | Output::Media(_)
                    | Output::Audio(_)
                    | Output::Platform(_) => false,
                };
                check(outputs.iter().any(says), || "signs out without a word".into())
            }
            Self::Event(event) => heard(&|o| matches!(o, Output::Event(e) if *e == **event)),
            Self::End(reason, detail) => heard(
                &|o| matches!(o, Output::Event(Event::CallDisconnect(p)) if (&p.reason, &p.detail) == (reason, detail)),
            ),
            Self::Over => {
                let reconnects = |o: &Output| matches!(o, Output::Event(Event::CallReconnecting(_)));
                check(!outputs.iter().any(reconnects), || {
                    "a call that is over is told as reconnecting".into()
                })
            }
            Self::Tried => check(login == LoginState::Reconnecting, || "another token is not tried".into()),
            Self::Rejected { offered: true } if login == LoginState::Reconnecting => Ok(()),
            Self::Rejected { .. } => {
                let told = matches!(login, LoginState::TokenRejected | LoginState::LoggedOut);
                check(told, || format!("a token was rejected, and it is {login:?}"))?;
                heard(&|o| match o {
                    Output::Event(Event::CallError(p)) => p.code == ErrorCode::LoginRejected,
                    Output::Reply { result, .. } => {
                        result.as_ref().is_err_and(|f| f.code == ErrorCode::LoginRejected)
                    }
                    Output::Event(_)
                    | Output::Socket(_)
                    | Output::Media(_)
                    | Output::Audio(_)
                    | Output::Platform(_) => false,
                })
            }
        }
    }

    fn event(event: Event) -> Self {
        Self::Event(Box::new(event))
    }
}

impl World {
    /// The parts know what they tell.
    pub(super) fn parts_told(&mut self, device: usize, input: &Input) {
        let parts = &mut self.devices[device].parts;
        if let Input::Media { generation, event } = input
            && parts.link == Some(*generation)
        {
            match event {
                // A restart of one that is up says so once more.
                MediaEvent::Connected => {
                    (parts.silent, parts.link_up) = (parts.silent && parts.link_up, true)
                }
                MediaEvent::Stalled | MediaEvent::Unreported => parts.silent = true,
                MediaEvent::Flowing => parts.silent = false,
                MediaEvent::Disconnected | MediaEvent::Failed { .. } => parts.link_up = false,
                MediaEvent::Moved
                | MediaEvent::Offer { .. }
                | MediaEvent::Levels { .. }
                | MediaEvent::Stats { .. } => {}
            }
        }
    }

    pub(super) fn news(&mut self, device: usize, input: &Input) -> News {
        if let Input::Command { method, .. } = input
            && method == "logout"
            && self.devices[device].client.state().login == LoginState::LoggedIn
        {
            return News::Goodbye;
        }
        let Input::Socket { generation, event: SocketEvent::Message { message } } = input else {
            return News::None;
        };
        let dev = &mut self.devices[device];
        let current =
            dev.conn.and_then(|id| self.conns.get(&id)).is_some_and(|c| c.generation == *generation);
        let state = dev.client.state();
        let login = state.login;
        // A start may be an accept of the call that rings.
        let starting = state.call == CallState::Incoming && dev.start.is_some();
        let accepting = (state.call == CallState::Connecting || starting) && !dev.ear.is_member();
        if !current || login == LoginState::LoggedOut {
            return News::None;
        }
        let slept = login == LoginState::LoggedIn && self.now >= dev.heard + 2 * self.times.ping;
        dev.heard = self.now;
        dev.confirmed = dev.confirmed.take().filter(|_| login != LoginState::LoggingIn);
        match message {
            ServerMessage::Welcome(welcome) => {
                dev.confirmed = dev.conn.and_then(|id| self.conns.get(&id)).map(|c| c.token.clone());
                if let Some(session) = &welcome.call {
                    dev.ear.stays(&session.channel_id, welcome.stay);
                }
                if !welcome.resumed {
                    dev.seen = 0;
                    (dev.start, dev.given_up) = (None, None);
                    dev.goodbyes.clear();
                    let rings = dev.ear.call.as_ref().filter(|_| !dev.ear.is_member());
                    dev.doubted = rings.map(|call| call.channel.clone());
                }
                News::None
            }
            // Nobody knows how long it has waited: it is to be sent again.
            _ if slept => News::Silence,
            ServerMessage::Event { seq, event } if *seq > dev.seen && login == LoginState::LoggedIn => {
                dev.seen = *seq;
                if let ServerEvent::Slots { channel_id, slots } = event {
                    dev.ear.slots(channel_id, slots);
                }
                let news = dev.news(event);
                if let ServerEvent::Invited { session, stay, .. } = event {
                    dev.ear.stays(&session.channel_id, *stay);
                }
                dev.waits = dev
                    .waits
                    .take()
                    .filter(|_| accepting)
                    .or_else(|| (accepting && event.is_change()).then(|| event.channel().clone()));
                if let ServerEvent::Invited { session, .. } = event {
                    dev.doubted = dev.doubted.take().filter(|channel| *channel != session.channel_id);
                }
                news
            }
            ServerMessage::Closing { reason: Closing::TokenExpired } => {
                let conn = dev.conn.and_then(|id| self.conns.get(&id));
                dev.rejected.extend(conn.map(|c| c.token.clone()));
                // The server may have taken another, too late for the device to learn it.
                dev.confirmed = dev.confirmed.take().filter(|_| login != LoginState::LoggedIn);
                dev.rejects()
            }
            ServerMessage::Fault { error } if error.code == ErrorCode::LoginRejected => {
                let conn = dev.conn.and_then(|id| self.conns.get(&id));
                dev.rejected.extend(conn.map(|c| c.token.clone()));
                dev.rejects()
            }
            ServerMessage::Reply { id, .. } | ServerMessage::Failure { id, .. } => {
                dev.start = dev.start.filter(|start| start != id);
                dev.goodbyes.remove(id);
                if let ServerMessage::Reply { reply: Reply::Start { session, stay, .. }, .. } = message {
                    dev.ear.stays(&session.channel_id, *stay);
                }
                let is_over = matches!(message, ServerMessage::Failure { error, .. } if error.code == ErrorCode::CallEnded);
                if is_over { News::Over } else { News::None }
            }
            ServerMessage::Event { .. }
            | ServerMessage::Closing { .. }
            | ServerMessage::Fault { .. }
            | ServerMessage::Pong => News::None,
        }
    }
}

impl World {
    /// The call of which a device is told a change, one that it has not `seen` before.
    pub(super) fn changes(&self, device: usize, seen: u64, input: &Input) -> Option<ChannelId> {
        let Input::Socket { event: SocketEvent::Message { message }, .. } = input else { return None };
        let ServerMessage::Event { event, .. } = message else { return None };
        let news = self.devices[device].seen > seen;
        (news && event.is_change()).then(|| event.channel().clone())
    }

    /// A member shows each change as it is told.
    pub(super) fn follows(&self, device: usize, channel: &ChannelId) -> Result<(), String> {
        let dev = &self.devices[device];
        let Some(session) = dev.client.state().session.filter(|s| &s.channel_id == channel) else {
            return Ok(());
        };
        match dev.conn.filter(|_| dev.ear.is_member()) {
            Some(conn) => self.mirror.shows(conn, dev.seen, &session),
            None => Ok(()),
        }
    }
}

impl Device {
    /// The server has rejected a token.
    fn rejects(&mut self) -> News {
        self.confirmed = self.confirmed.take().filter(|token| !self.rejected.contains(token));
        let brings = |method: &str| ["login", "updateToken"].contains(&method);
        let mut offers = self.commands.values().rev().filter(|(method, _)| brings(method));
        match offers.next() {
            Some((_, false)) if !self.rejected.contains(&self.token) => News::Tried,
            _ if self.confirmed.is_some() => News::Tried,
            last => News::Rejected { offered: last.into_iter().chain(offers).any(|(_, answered)| !answered) },
        }
    }

    /// It asks the server for something.
    pub(super) fn asks(&mut self, id: RequestId, request: &Request) -> Result<(), String> {
        match request {
            Request::Start { .. } => {
                check(self.start.is_none_or(|start| start == id), || "two starts at once".into())?;
                self.start = Some(id);
            }
            Request::Accept { channel_id, stay } => {
                let said = self.yes.contains(&(channel_id.clone(), *stay));
                check(said, || format!("accepts {channel_id} by {stay}, to which nobody has said yes"))?;
            }
            Request::Refuse { channel_id, stay } => {
                let said = self.no.contains(&(channel_id.clone(), *stay));
                check(said, || format!("refuses {channel_id} by {stay}, to which nobody has said no"))?;
                self.goodbyes.insert(id, (channel_id.clone(), Some(*stay)));
            }
            Request::Leave { channel_id, stay, .. } => {
                let says = stay.is_some() || !self.ear.knows(channel_id, 0);
                check(says, || format!("leaves {channel_id}, and does not say which stay"))?;
                self.goodbyes.insert(id, (channel_id.clone(), *stay));
            }
            Request::UpdateToken { .. }
            | Request::Logout
            | Request::Invite { .. }
            | Request::Link { .. }
            | Request::Mute { .. }
            | Request::Users { .. }
            | Request::UpdateProfile { .. }
            | Request::UpdateRelation { .. }
            | Request::Relations { .. }
            | Request::History { .. }
            | Request::Preflight { .. }
            | Request::EndPreflight => {}
        }
        Ok(())
    }

    /// Whether a call ends that only rang, with nobody here having said anything.
    pub(super) fn misses(&mut self, event: &Event) {
        match event {
            Event::CallDisconnect(end) => {
                let only_rang = self.ear.call.is_some() && !self.ear.is_member();
                let stay = self.ear.stay(&end.session.channel_id);
                self.missed = only_rang && !self.yes.contains(&stay) && !self.no.contains(&stay);
            }
            Event::CallReceiveInvite(_) | Event::CallOutgoing(_) | Event::CallConnecting(_) => {
                self.missed = false
            }
            Event::CallConnected(_)
            | Event::CallMemberJoin(_)
            | Event::CallMemberLeave(_)
            | Event::CallMemberMuted(_)
            | Event::CallActiveSpeakers(_)
            | Event::CallQuality(_)
            | Event::CallOtherUserInvited(_)
            | Event::CallError(_)
            | Event::CallReconnecting(_)
            | Event::CallReconnected(_) => {}
        }
    }

    fn news(&self, event: &ServerEvent) -> News {
        let state = self.client.state();
        let is_its = |stay| stay == event.stay().unwrap_or(stay);
        let in_it = self.ear.call.as_ref().is_some_and(|c| c.channel == *event.channel() && is_its(c.stay));
        let member = in_it && self.ear.is_member() && state.session.is_some();
        let myself = |user: &User| user.username == self.user;
        match event {
            ServerEvent::Invited { ring_ms: 0, .. } => News::Silence,
            // Said to a stay before, it says nothing of this one.
            ServerEvent::Invited { session, stay, .. }
                if self.goodbyes.values().any(|(channel, of)| {
                    *channel == session.channel_id && of.is_none_or(|of| of == *stay)
                }) =>
            {
                News::Silence
            }
            ServerEvent::Invited { session, stay, .. } => {
                let idle = state.call == CallState::Idle;
                // A call that rang is over, or on the way out, if the server rings for another or once more for it.
                let free = self.start.is_none()
                    && self.ear.call.as_ref().map_or(idle, |call| {
                        (&call.channel, call.stay) != (&session.channel_id, *stay)
                            && (idle || self.doubted.as_ref() == Some(&call.channel))
                    });
                let new = !self.ear.knows(&session.channel_id, *stay);
                if free && new { News::event(Event::CallReceiveInvite(session.clone())) } else { News::None }
            }
            ServerEvent::Left { user, reason, detail, .. } if member => {
                let payload = LeavePayload { user: user.clone(), reason: *reason, detail: *detail };
                News::event(Event::CallMemberLeave(payload))
            }
            ServerEvent::OthersInvited { users, by, .. } if member && !myself(by) => {
                let payload = OthersInvitedPayload { invited_users: users.clone(), from_user: by.clone() };
                News::event(Event::CallOtherUserInvited(payload))
            }
            ServerEvent::Muted { user, muted, .. } if member && !myself(user) => {
                News::event(Event::CallMemberMuted(MutedPayload { user: user.clone(), muted: *muted }))
            }
            // It was accepted, and the answer is still to come that tells so.
            ServerEvent::Ended { .. } if self.waits.as_ref() == Some(event.channel()) => News::None,
            ServerEvent::Ended { reason, detail, .. } if in_it => News::End(*reason, *detail),
            ServerEvent::Joined { .. }
            | ServerEvent::Left { .. }
            | ServerEvent::OthersInvited { .. }
            | ServerEvent::Muted { .. }
            | ServerEvent::Ended { .. }
            | ServerEvent::Slots { .. } => News::None,
        }
    }
}
