//! What the machines are given and what comes of it.

use super::media::SAMPLE_MS;
use super::*;

impl World {
    pub(super) fn command(&mut self, device: usize, method: &str, args: Value) -> Result<CommandId, String> {
        // The person of a copy that is in another call is not out of that.
        let channel = |device: usize| self.devices[device].client.state().session.map(|s| s.channel_id);
        let own = channel(device);
        let alone = self.twins(device).all(|twin| channel(twin).is_none_or(|of| own.as_ref() == Some(&of)));
        let dev = &mut self.devices[device];
        let id = dev.commands.len() as u64 + 1;
        dev.commands.insert(id, (method.to_owned(), false));
        if let Some(token) = args.get("token").and_then(Value::as_str) {
            token.clone_into(&mut dev.token);
            dev.offered.insert(id, token.to_owned());
            // Offered by the app once more, it may be tried once more.
            dev.rejected.remove(token);
        }
        if let "login" | "logout" | "hangup" | "releaseEngine" | "startCallUsers" = method {
            dev.missed = false;
        }
        if let ("startCallUsers", Some(Value::Array(names))) = (method, args.get("usernames")) {
            dev.dialled.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        match method {
            "hangup" | "releaseEngine" | "logout" => {
                dev.out |= dev.looked && alone;
                dev.given_up = dev.start;
            }
            "startCallUsers" | "accept" => dev.out = false,
            _ => {}
        }
        let state = dev.client.state();
        if let (CallState::Incoming, Some(session)) = (state.call, state.session) {
            let stay = dev.ear.stay(&session.channel_id);
            match method {
                "accept" => dev.yes.insert(stay),
                "refuse" | "hangup" | "releaseEngine" | "logout" => dev.no.insert(stay),
                _ => false,
            };
        }
        self.input(device, Input::Command { id, method: method.to_owned(), args })?;
        Ok(id)
    }

    pub(super) fn in_life(&mut self, device: usize, life: u32, input: Input) -> Result<(), String> {
        if self.devices[device].life == life && self.devices[device].alive {
            self.input(device, input)
        } else {
            Ok(())
        }
    }

    pub(super) fn socket(
        &mut self,
        device: usize,
        life: u32,
        generation: u32,
        event: SocketEvent,
    ) -> Result<(), String> {
        self.in_life(device, life, Input::Socket { generation, event })
    }

    pub(super) fn input(&mut self, device: usize, input: Input) -> Result<(), String> {
        self.trace(|w| format!("{} <- {}", w.devices[device].id, shorten(&input)));
        self.share_yes(device);
        self.by_itself = input == Input::Deadline;
        self.was_linked = self.devices[device].parts.link_up;
        self.at_once = matches!(input, Input::Command { .. });
        self.history = news::history(&input);
        self.parts_told(device, &input);
        let seen = self.devices[device].seen;
        let news = self.news(device, &input);
        let change = self.changes(device, seen, &input);
        let outputs = self.devices[device].client.handle(Timestamp(self.now), input);
        let login = self.devices[device].client.state().login;
        news.check(&outputs, login).map_err(|what| format!("{}: {what}", self.devices[device].id))?;
        for output in outputs {
            match &output {
                Output::Reply { id, result } => {
                    self.devices[device].told.push(Told::Answer { id: *id, result: result.clone() });
                }
                Output::Event(event) => self.devices[device].told.push(Told::Event(event.clone())),
                Output::Socket(_) | Output::Media(_) | Output::Audio(_) | Output::Platform(_) => {}
            }
            self.trace(|w| format!("{} -> {}", w.devices[device].id, shorten(&output)));
            self.output(device, output).map_err(|what| format!("{}: {what}", self.devices[device].id))?;
        }
        if let Some(channel) = change {
            self.follows(device, &channel).map_err(|what| format!("{}: {what}", self.devices[device].id))?;
        }
        let verdict = self.look(device).and_then(|()| self.consent(device));
        verdict.map_err(|what| format!("{}: {what}", self.devices[device].id))
    }

    /// The person of a copy is the one who said so on the other.
    fn share_yes(&mut self, device: usize) {
        for twin in self.twins(device).collect::<Vec<_>>() {
            let (yes, dialled) = (self.devices[twin].yes.clone(), self.devices[twin].dialled.clone());
            let dev = &mut self.devices[device];
            // It is the last that the person has said to any call.
            dev.out &= yes.is_subset(&dev.yes);
            dev.yes.extend(yes);
            dev.dialled.extend(dialled);
        }
    }

    /// What a reloaded page would see must be what was told.
    pub(super) fn look(&mut self, device: usize) -> Result<(), String> {
        let dev = &mut self.devices[device];
        let state = dev.client.state();
        if !dev.looked && state.login == LoginState::LoggedIn {
            dev.looked = true;
            if let Some(session) = &state.session {
                let inviter = &session.inviter.username;
                let dialled = inviter == &dev.user || dev.dialled.contains(inviter.as_str());
                let stay = dev.ear.stay(&session.channel_id);
                let known = dialled || dev.yes.contains(&stay);
                check(known, || "brought back into a call that nobody here accepted or dialled".into())?;
                dev.yes.insert(stay);
                check(!dev.out, || "brought back into a call that the person had left".into())?;
                check(!dev.before.given_up, || "brought back into a call that was given up".into())?;
                let same = dev.before.call.as_ref() == Some(&session.channel_id);
                let known = session.muted_members.contains(&dev.user);
                let muted = dev.before.muted && (same || dev.before.starting) || known;
                check(state.muted == muted, || format!("muted was {muted} in the life before"))?;
                dev.ear.adopt(session);
                self.outcome.restored += 1;
            }
        }
        let (now, grace, spare) = (self.now, self.times.grace, self.has(self.devices[device].spare));
        let dev = &mut self.devices[device];
        dev.reconnecting = match state.call {
            CallState::Reconnecting => dev.reconnecting.or(Some(now)),
            CallState::Idle
            | CallState::Outgoing
            | CallState::Incoming
            | CallState::Connecting
            | CallState::Connected => None,
        };
        let whole = dev.parts.link_up && state.login == LoginState::LoggedIn;
        match state.call {
            CallState::Connected => {
                check(whole, || "connected, and not told that it is not".into())?;
                check(state.engine == EngineState::Ready, || "connected without an engine".into())?;
            }
            CallState::Reconnecting => {
                check(!whole || dev.parts.silent, || "reconnecting, and not told that it is back".into())?
            }
            CallState::Idle | CallState::Outgoing | CallState::Incoming | CallState::Connecting => {}
        }
        let needed = state.login == LoginState::LoggedIn && (dev.parts.silent || !dev.parts.link_up);
        check(needed || !spare, || "a second connection that is not needed".into())?;
        check(dev.parts.shown.is_none() || state.call == CallState::Incoming, || {
            format!("rings while {:?}", state.call)
        })?;
        // Asleep it could not do anything about it.
        let since = dev.reconnecting.unwrap_or(now).max(dev.asleep_until);
        check(now - since <= 2 * grace, || "clings to a call that is lost".into())?;
        dev.ear.compare(now, &state, dev.parts.link_up)
    }

    pub(super) fn output(&mut self, device: usize, output: Output) -> Result<(), String> {
        let life = self.devices[device].life;
        match output {
            Output::Reply { id, result } => {
                let dev = &mut self.devices[device];
                let Some((method, answered)) = dev.commands.get_mut(&id) else {
                    return Err("an answer to nothing".into());
                };
                check(!std::mem::replace(answered, true), || format!("`{method}` answered twice"))?;
                if let Some(token) = dev.offered.remove(&id).filter(|_| result.is_ok()) {
                    dev.confirmed = Some(token);
                }
                match result {
                    Ok(value) if method == "startCallUsers" => {
                        let session: Session = serde_json::from_value(value).map_err(|e| e.to_string())?;
                        dev.yes.insert(dev.ear.stay(&session.channel_id));
                    }
                    Err(f)
                        if f.code == ErrorCode::InvalidState
                            && matches!(method.as_str(), "accept" | "refuse") =>
                    {
                        // Whoever is calling answers nobody.
                        let calling = dev.start.is_some();
                        check(!dev.missed || calling, || "a call that was missed is forgotten".into())?;
                    }
                    // A machine that sees no call has left all that the server may see.
                    Err(f) if f.code == ErrorCode::AlreadyInCall && !dev.has_siblings => {
                        let seen = self.at_once || dev.client.state().session.is_some();
                        check(seen, || "the server sees a call where there is none".into())?;
                    }
                    Ok(value) if method == "getCallHistory" => {
                        let calls = value["calls"].as_array().map_or(0, Vec::len);
                        self.outcome.remembered += u64::from(calls > 0);
                        check(Some(value) == self.history, || "tells another history".into())?;
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            Output::Event(event) => self.told(device, event)?,
            Output::Socket(SocketAction::Open { generation, url }) => self.open(device, generation, &url)?,
            Output::Socket(SocketAction::Close { generation }) => self.close_socket(device, generation),
            Output::Socket(SocketAction::Send { generation, message }) => {
                let conn = self.devices[device].conn.and_then(|id| self.conns.get(&id));
                let spoken = conn.is_some_and(|conn| conn.generation == generation);
                check(spoken, || "speaks over a connection that is not its own".into())?;
                if let ClientMessage::Request { id, request } = &message {
                    self.devices[device].asks(*id, request)?;
                }
                if let ClientMessage::Hello(hello) = &message {
                    let rejected = self.devices[device].rejected.contains(&hello.token);
                    check(!rejected, || "tries a token again that was rejected".into())?;
                }
                if self.thorough {
                    let sent = decode_client(&encode(&message)).map_err(|e| e.to_string())?;
                    check(sent == message, || "a message that JSON changes".into())?;
                }
                if let Some(id) = self.devices[device].conn {
                    self.send_up(id, Item::ToServer(id, message));
                }
            }
            Output::Media(action) => self.media(device, life, &action)?,
            Output::Audio(AudioAction::Prepare) => {
                let broken = self.devices[device].microphone == Microphone::Broken;
                let event = if broken || self.luck.strikes(Roll::Audio, self.now, device as u64, 20) {
                    AudioEvent::Failed { why: "busy".into() }
                } else {
                    AudioEvent::Ready
                };
                let at = self.now + self.luck.roll(Roll::AudioTime, self.now, device as u64, 300);
                self.agenda.plan(at, Item::Audio { device, life, event });
            }
            Output::Audio(AudioAction::Set { capture, send, play }) => {
                let parts = &mut self.devices[device].parts;
                let changes = parts.capture != capture;
                (parts.capture, parts.send, parts.play) = (capture, send, play);
                if changes {
                    self.open_microphone(device);
                }
                self.consent(device)?;
            }
            Output::Platform(PlatformAction::RequestMicrophone)
                if self.devices[device].microphone == Microphone::Asked =>
            {
                self.devices[device].parts.asked = true;
            }
            Output::Platform(PlatformAction::RequestMicrophone) => {
                let refused = self.devices[device].microphone == Microphone::Refused;
                let granted = !refused && !self.luck.strikes(Roll::Microphone, self.now, device as u64, 20);
                let at = self.now + self.luck.roll(Roll::MicrophoneTime, self.now, device as u64, 500);
                let event = PlatformEvent::Microphone { granted };
                self.agenda.plan(at, Item::Platform { device, life, event });
            }
            Output::Audio(AudioAction::Release) => {}
            Output::Platform(action) => self.screen(device, action)?,
        }
        Ok(())
    }

    /// Opens or closes the microphone, as is wanted. One that can't be opened is tried again and again before that is told,
    /// or not.
    pub(super) fn open_microphone(&mut self, device: usize) {
        let (now, place) = (self.now, device as u64);
        let dev = &mut self.devices[device];
        let (life, parts) = (dev.life, &mut dev.parts);
        parts.openings += 1;
        parts.open = parts.capture && dev.microphone != Microphone::Broken;
        parts.touched |= parts.open;
        let opening = parts.openings;
        if parts.capture && !parts.open {
            let tries = 10_000 * self.luck.roll(Roll::Audio, now, place, 2);
            let at = now + tries + self.luck.roll(Roll::AudioTime, now, place, 300);
            self.agenda.plan(at, Item::NoMicrophone { device, life, opening });
        }
    }

    pub(super) fn no_microphone(&mut self, device: usize, life: u32, opening: u64) -> Result<(), String> {
        let parts = &self.devices[device].parts;
        if parts.openings != opening || parts.open {
            return Ok(());
        }
        let event = AudioEvent::Failed { why: "there is no microphone".into() };
        self.in_life(device, life, Input::Audio(event))
    }

    /// Every ring ends, every call that the system knows of ends, and each is told once.
    fn screen(&mut self, device: usize, action: PlatformAction) -> Result<(), String> {
        let dev = &mut self.devices[device];
        let parts = &mut dev.parts;
        match action {
            PlatformAction::ShowIncoming { session, stay } => {
                let screen = dev.ear.stay(&session.channel_id);
                check(screen.1 == stay, || format!("shows stay {stay} of {screen:?}"))?;
                parts.show(&screen);
                let before = parts.shown.replace(screen);
                check(before.is_none(), || "rings while it rings".into())
            }
            PlatformAction::DismissIncoming { channel_id, stay } => {
                let before = parts.shown.take();
                let dismissed = Some((channel_id, stay));
                check(before == dismissed, || format!("stops ringing, but rang {before:?}"))
            }
            PlatformAction::CallStarted { session, stay, .. } => {
                let screen = dev.ear.stay(&session.channel_id);
                check(screen.1 == stay, || format!("starts stay {stay} of {screen:?}"))?;
                parts.show(&screen);
                check(parts.shown.is_none(), || "in a call and rings".into())?;
                let before = parts.started.replace(screen);
                check(before.is_none(), || "a call starts within a call".into())
            }
            PlatformAction::CallEnded { channel_id, stay } => {
                let before = parts.started.take();
                let ended = Some((channel_id, stay));
                check(before == ended, || format!("a call ends, but {before:?} had started"))
            }
            PlatformAction::RequestMicrophone | PlatformAction::SetSpeakerphone { .. } => Ok(()),
        }
    }

    pub(super) fn told(&mut self, device: usize, event: Event) -> Result<(), String> {
        let dev = &mut self.devices[device];
        dev.misses(&event);
        let sends = dev.parts.send;
        let ends = dev.ear.call.as_ref().map(|call| (call.channel.clone(), call.stay));
        self.devices[device].ear.hear(self.now, sends, &event)?;
        if let Event::CallDisconnect(end) = &event
            && end.reason == Reason::Hangup
        {
            // Who has not picked up can't hang up: that is a refusal.
            let dev = &self.devices[device];
            let inviter = &end.session.inviter.username;
            let dialled = inviter == &dev.user || dev.dialled.contains(inviter.as_str());
            let picked_up = dialled || ends.is_some_and(|stay| dev.yes.contains(&stay));
            check(picked_up, || "hung up what only rang".into())?;
        }
        if let Event::CallConnected(_) = &event {
            check(self.devices[device].parts.link_up, || "connected without a link".into())?;
        }
        if let (Event::CallDisconnect(end), true) = (&event, self.by_itself) {
            // It may lose patience with a server or a link that is gone, never with those that are there.
            let cut_off = self.is_cut_off(device);
            let unlinked = end.reason == Reason::NetworkError && !self.was_linked;
            check(unlinked || cut_off, || "ended by itself".into())?;
        }
        if let Event::CallError(error) = &event {
            let elsewhere = error.description.contains("once more elsewhere");
            // After a long sleep it can't tell its own stray hello from another app's, and never one of its life before.
            let slept = self.devices[device].asleep_until + 1_000 > self.now;
            check(
                !elsewhere || slept || self.is_haunted(device) || self.twins(device).next().is_some(),
                || "put out, though there is no other app".into(),
            )?;
        }
        self.outcome.connected += u64::from(matches!(event, Event::CallConnected(_)));
        self.outcome.reconnected += u64::from(matches!(event, Event::CallReconnected(_)));
        self.outcome.spoken += u64::from(matches!(event, Event::CallActiveSpeakers(_)));
        self.outcome.rated += u64::from(matches!(event, Event::CallQuality(_)));
        if let Some(mut choices) = self.choices.take() {
            let dev = &self.devices[device];
            // Where few invitations may be made, people hurry, or they would never be too many.
            let insists = self.plan.invitations_per_minute.is_some();
            let token = |choices: &mut Choices| dev.pick_token(self.now, choices);
            let act = app::reflex(&event, insists, &self.users, token, &mut choices);
            let pause = 1 + choices.roll(if insists { 800 } else { 4_000 });
            let (at, id) = (self.now + pause, dev.id.clone());
            self.choices = Some(choices);
            act.into_iter().for_each(|act| self.write(Step { at, device: id.clone(), act }));
        }
        Ok(())
    }

    /// To the server, after all that was sent before.
    pub(super) fn send_up(&mut self, id: ConnId, item: Item) {
        let Some(device) = self.conns.get(&id).map(|c| c.device) else { return };
        if let Some(held) = &mut self.devices[device].held {
            return held.push((id, item));
        }
        let at = self.now + self.latency(Roll::Up, device);
        if let Some(conn) = self.conns.get_mut(&id) {
            let at = conn.up(at);
            self.agenda.plan(at, item);
        }
    }

    /// What the person does on the system's own call screen, and what else the system tells.
    pub(super) fn platform(&mut self, device: usize, event: PlatformEvent) -> Result<(), String> {
        let (screen, yes) = match &event {
            PlatformEvent::Answered { channel_id, stay } => ((channel_id.clone(), *stay), true),
            PlatformEvent::Declined { channel_id, stay } => ((channel_id.clone(), *stay), false),
            PlatformEvent::NetworkChanged | PlatformEvent::Microphone { .. } => {
                return self.input(device, Input::Platform(event));
            }
        };
        let dev = &mut self.devices[device];
        let state = dev.client.state();
        if state.session.as_ref().is_none_or(|session| dev.ear.stay(&session.channel_id) != screen) {
            self.input(device, Input::Platform(event))?;
            let after = self.devices[device].client.state();
            return check(after == state, || format!("said at a screen of what is over: {screen:?}"));
        }
        dev.out = !yes;
        if state.call == CallState::Incoming {
            if yes {
                dev.yes.insert(screen)
            } else {
                dev.no.insert(screen)
            };
        }
        self.input(device, Input::Platform(event))
    }

    /// No sound but in a call to which the person has said yes, and none to or from somebody alone.
    pub(super) fn consent(&self, device: usize) -> Result<(), String> {
        let dev = &self.devices[device];
        let (capture, send, play) = (dev.parts.capture, dev.parts.send, dev.parts.play);
        let state = dev.client.state();
        if !(capture || send || play) {
            return Ok(());
        }
        let Some(session) = state.session else {
            // To the server and back.
            let asked = dev.unanswered().contains(&"preflight");
            check(asked && !play, || "sound in no call".into())?;
            return check(!(send && state.muted), || "sent while muted".into());
        };
        let stay = dev.ear.stay(&session.channel_id);
        check(dev.yes.contains(&stay), || "sound without a yes".into())?;
        let talking = session.joined_members.len() >= 2 && session.is_joined(&dev.user);
        check(talking || !(send || play), || "sound to or from nobody".into())?;
        check(!(send && state.muted), || "sent while muted".into())
    }

    /// There is one link at most, while there is a call.
    pub(super) fn media(&mut self, device: usize, life: u32, action: &MediaAction) -> Result<(), String> {
        let dev = &mut self.devices[device];
        let there = dev.parts.link;
        let (generation, event) = match action {
            MediaAction::Open { generation, .. } => {
                // A preflight tries one after the other.
                let replaces = dev.unanswered().contains(&"preflight");
                check(there.is_none() || replaces, || "a second link".into())?;
                dev.parts.link = Some(*generation);
                dev.parts.last_link = *generation;
                if self.measures {
                    let generation = *generation;
                    self.agenda.plan(self.now + SAMPLE_MS, Item::Measure { device, life, generation });
                }
                (*generation, MediaEvent::Offer { sdp: "offer".into() })
            }
            MediaAction::Restart { generation } => (*generation, MediaEvent::Offer { sdp: "offer".into() }),
            MediaAction::Answer { generation, .. } => (*generation, MediaEvent::Connected),
            MediaAction::Close { generation } => {
                check(there == Some(*generation), || "closes a link that is not there".into())?;
                dev.parts.link = None;
                (dev.parts.link_up, dev.parts.silent) = (false, false);
                return Ok(());
            }
        };
        check(dev.parts.link == Some(generation), || "asks something of a link that is not there".into())?;
        let (now, place) = (self.now, device as u64);
        let luck =
            if self.luck.weather == Weather::Rough { self.luck.roll(Roll::Media, now, place, 12) } else { 1 };
        let at = now + self.luck.roll(Roll::MediaTime, now, place, 400);
        match luck {
            // Nothing comes of it.
            0 => {}
            2 => {
                let event = MediaEvent::Failed { why: "ice".into() };
                self.agenda.plan(at, Item::Media { device, life, generation, event });
            }
            _ => self.agenda.plan(at, Item::Media { device, life, generation, event }),
        }
        Ok(())
    }
}
