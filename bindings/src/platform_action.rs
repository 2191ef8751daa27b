use jmrtc_engine::call;
use jmrtc_protocol::{Session, Stay, User};

/// What only the operating system's side can do.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum PlatformAction {
    /// Ask the person for the microphone unless that is settled; answer with
    /// `PlatformEvent.Microphone` in any case.
    RequestMicrophone,
    /// Ring: show the system's incoming-call screen or notification.
    ShowIncoming {
        /// The call.
        call: CallInfo,
    },
    /// Stop ringing and take the incoming-call screen away, if it is still there.
    DismissIncoming {
        /// Of the call that was shown.
        channel_id: String,
        /// And of which stay in it.
        stay: u32,
    },
    /// The person is in a call from now on: foreground service, audio mode and focus, audio session; a
    /// call that was not shown as incoming is reported to the system as outgoing.
    CallStarted {
        /// The call.
        call: CallInfo,
    },
    /// Give back what `CallStarted` took.
    CallEnded {
        /// Of the call that had started.
        channel_id: String,
        /// And of which stay in it.
        stay: u32,
    },
    /// Route sound to the loudspeaker or the earpiece.
    SetSpeakerphone {
        /// Loudspeaker.
        enabled: bool,
    },
}

/// What the system shows of a call.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CallInfo {
    /// Names the call.
    pub channel_id: String,
    /// Which of the user's stays in it is shown: who is invited again into the same call is shown another. What the person
    /// says at the screen names it.
    pub stay: u32,
    /// Who is shown: who called, or who is in the call besides the local user.
    pub people: Vec<Person>,
    /// Show it, but don't ring: the local user does not want to be disturbed by the caller.
    pub silent: bool,
    /// Unix milliseconds since when the call is connected; 0 before.
    pub start_time: i64,
}

/// What the system shows of a person.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Person {
    /// The user's name within the app.
    pub username: String,
    /// The local user's own name for them, else their nickname, else their username.
    pub display_name: String,
    /// URL of a small picture; empty where there is none.
    pub picture_url: String,
}

impl From<call::PlatformAction> for PlatformAction {
    fn from(action: call::PlatformAction) -> Self {
        match action {
            call::PlatformAction::RequestMicrophone => Self::RequestMicrophone,
            call::PlatformAction::ShowIncoming { session, stay } => {
                let caller = session.invited_by.as_ref().unwrap_or(&session.inviter);
                Self::ShowIncoming { call: CallInfo::new(&session, stay, [caller]) }
            }
            call::PlatformAction::DismissIncoming { channel_id, stay } => {
                Self::DismissIncoming { channel_id: channel_id.0, stay }
            }
            call::PlatformAction::CallStarted { session, stay, others } => {
                Self::CallStarted { call: CallInfo::new(&session, stay, &others) }
            }
            call::PlatformAction::CallEnded { channel_id, stay } => {
                Self::CallEnded { channel_id: channel_id.0, stay }
            }
            call::PlatformAction::SetSpeakerphone { enabled } => Self::SetSpeakerphone { enabled },
        }
    }
}

impl CallInfo {
    fn new<'a>(session: &Session, stay: Stay, people: impl IntoIterator<Item = &'a User>) -> Self {
        Self {
            channel_id: session.channel_id.0.clone(),
            stay,
            people: people.into_iter().map(Person::from).collect(),
            silent: session.silent,
            start_time: session.start_time,
        }
    }
}

impl From<&User> for Person {
    fn from(user: &User) -> Self {
        let names = [&user.relation.note_name, &user.profile.nickname];
        let name = names.into_iter().find(|n| !n.trim().is_empty()).map_or(user.username.as_str(), |n| n);
        Self {
            username: user.username.to_string(),
            display_name: name.to_owned(),
            picture_url: user.profile.avatar_thumb_path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{ChannelId, MediaType, Profile, Relation, Username};

    use super::*;

    fn user(name: &str, nickname: &str, note_name: &str) -> User {
        let profile = Profile {
            nickname: nickname.to_owned(),
            avatar_thumb_path: "https://example.com/a.png".to_owned(),
            ..Profile::default()
        };
        let relation = Relation { note_name: note_name.to_owned(), ..Relation::default() };
        User::new("app", Username::new(name).unwrap(), profile, relation)
    }

    fn session(invited_by: Option<User>) -> Session {
        Session {
            channel_id: ChannelId("c".to_owned()),
            media_type: MediaType::Voice,
            inviter: user("alice", "Alice", ""),
            inviting_members: vec![user("bob", "Bob", "")],
            joined_members: vec![user("alice", "Alice", "")],
            muted_members: Vec::new(),
            start_time: 7,
            invited_by,
            silent: true,
        }
    }

    #[test]
    fn the_best_name_is_shown() {
        for (nickname, note_name, shown) in
            [("", "", "alice"), ("Alice", "", "Alice"), ("Alice", "Ally", "Ally"), (" ", " ", "alice")]
        {
            assert_eq!(Person::from(&user("alice", nickname, note_name)).display_name, shown);
        }
    }

    #[test]
    fn an_incoming_call_shows_who_invited() {
        let names = |session| {
            let action = PlatformAction::from(call::PlatformAction::ShowIncoming { session, stay: 2 });
            let PlatformAction::ShowIncoming { call } = action else { panic!("{action:?}") };
            assert_eq!(
                (call.channel_id.as_str(), call.stay, call.silent, call.start_time),
                ("c", 2, true, 7)
            );
            call.people.into_iter().map(|p| p.username).collect::<Vec<_>>()
        };
        assert_eq!(names(session(None)), ["alice"]);
        assert_eq!(names(session(Some(user("carol", "", "")))), ["carol"]);
    }

    #[test]
    fn a_started_call_shows_the_others() {
        let others = vec![user("bob", "Bob", "Bobby")];
        let action = call::PlatformAction::CallStarted { session: session(None), stay: 3, others };
        let PlatformAction::CallStarted { call } = action.into() else { panic!("another action") };
        let person = Person {
            username: "bob".to_owned(),
            display_name: "Bobby".to_owned(),
            picture_url: "https://example.com/a.png".to_owned(),
        };
        assert_eq!((call.stay, call.people), (3, vec![person]));
    }
}
