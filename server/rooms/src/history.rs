//! What may be told of calls that are over.

use jmrtc_protocol::{PastCall, PastMember, User, Username};

use crate::{CallRecord, MemberRecord};

impl CallRecord {
    /// How the call ended for `viewer`. None for one who was no member or must not know that it was: to a blocked
    /// caller's victim there was no call.
    pub fn end_for(&self, viewer: &Username) -> Option<&MemberRecord> {
        self.members.iter().filter(|m| &m.username == viewer && m.shown).max_by_key(|m| m.leave_time)
    }

    /// The call as `viewer` saw it, who is told nothing that happened later; `see` is a user in the viewer's eyes.
    /// None where [`Self::end_for`] is.
    pub fn seen_by(&self, viewer: &Username, see: impl Fn(&Username) -> User) -> Option<PastCall> {
        let last = self.end_for(viewer)?;
        let end_time = last.leave_time;
        let told = |member: &&MemberRecord| {
            member.invited_time <= end_time && (member.shown || &member.username != viewer)
        };
        let past = |member: &MemberRecord| {
            let gone = member.leave_time <= end_time;
            PastMember {
                user: see(&member.username),
                invited_time: member.invited_time,
                join_time: if member.join_time <= end_time { member.join_time } else { 0 },
                leave_time: if gone { member.leave_time } else { 0 },
                reason: gone.then_some(member.reason),
                detail: member.detail.filter(|_| gone),
            }
        };
        Some(PastCall {
            channel_id: self.channel_id.clone(),
            inviter: see(&self.inviter),
            members: self.members.iter().filter(told).map(past).collect(),
            start_time: if self.start_time <= end_time { self.start_time } else { 0 },
            end_time,
            reason: last.reason,
            detail: last.detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use jmrtc_protocol::{ChannelId, Detail, Profile, Reason, Relation};

    use super::*;

    fn name(name: &str) -> Username {
        Username::new(name).unwrap()
    }

    /// Rung at `invited`, joined at `joined` (0: never), gone at `left`.
    fn member(who: &str, [invited, joined, left]: [i64; 3], reason: Reason) -> MemberRecord {
        MemberRecord {
            username: name(who),
            invited_by: name("alice"),
            invited_time: invited,
            join_time: joined,
            leave_time: left,
            reason,
            detail: None,
            shown: true,
        }
    }

    fn hidden(who: &str, times: [i64; 3]) -> MemberRecord {
        let member = member(who, times, Reason::Cancel);
        MemberRecord { detail: Some(Detail::NoAnswer), shown: false, ..member }
    }

    fn record(start_time: i64, end_time: i64, members: Vec<MemberRecord>) -> CallRecord {
        CallRecord {
            channel_id: ChannelId("c".into()),
            inviter: name("alice"),
            members,
            start_time,
            end_time,
            reason: Reason::Hangup,
            detail: None,
        }
    }

    /// `end reason, start | who invited joined left, …`
    fn seen(record: &CallRecord, viewer: &str) -> String {
        let see = |user: &Username| User::new("app", user.clone(), Profile::default(), Relation::default());
        let Some(call) = record.seen_by(&name(viewer), see) else { return "nothing".into() };
        let members = call.members.iter().map(|m| {
            assert_eq!(m.leave_time == 0, m.reason.is_none(), "{m:?}");
            format!("{} {} {} {}", m.user.username, m.invited_time, m.join_time, m.leave_time)
        });
        let members: Vec<_> = members.collect();
        format!("{} {:?}, {} | {}", call.end_time, call.reason, call.start_time, members.join(", "))
    }

    #[test]
    fn members_see_their_call_and_nobody_else_does() {
        let members =
            vec![member("alice", [1, 1, 9], Reason::Hangup), member("bob", [1, 3, 9], Reason::Hangup)];
        let call = record(3, 9, members);
        for viewer in ["alice", "bob"] {
            assert_eq!(seen(&call, viewer), "9 Hangup, 3 | alice 1 1 9, bob 1 3 9");
        }
        assert_eq!(seen(&call, "eve"), "nothing");
    }

    #[test]
    fn who_was_not_shown_the_call_learns_nothing_and_the_caller_sees_no_difference() {
        let with = |callee| record(0, 6, vec![member("alice", [1, 1, 6], Reason::Cancel), callee]);
        let blocked = with(hidden("bob", [1, 0, 6]));
        assert_eq!(seen(&blocked, "bob"), "nothing");
        let shown = MemberRecord { shown: true, ..hidden("bob", [1, 0, 6]) };
        assert_eq!(seen(&blocked, "alice"), seen(&with(shown), "alice"));
    }

    #[test]
    fn nobody_learns_what_happened_after_it_was_gone() {
        let members = vec![
            member("alice", [1, 1, 9], Reason::Hangup),
            member("bob", [1, 0, 4], Reason::Refuse),
            member("carol", [1, 5, 7], Reason::Hangup),
            member("dave", [6, 6, 9], Reason::Hangup),
        ];
        let call = record(5, 9, members);
        assert_eq!(seen(&call, "bob"), "4 Refuse, 0 | alice 1 1 0, bob 1 0 4, carol 1 0 0");
        assert_eq!(seen(&call, "carol"), "7 Hangup, 5 | alice 1 1 0, bob 1 0 4, carol 1 5 7, dave 6 6 0");
        assert_eq!(seen(&call, "dave"), "9 Hangup, 5 | alice 1 1 9, bob 1 0 4, carol 1 5 7, dave 6 6 9");
    }

    #[test]
    fn who_was_invited_twice_sees_those_times_that_it_was_shown() {
        let (alice, carol) =
            (member("alice", [1, 1, 9], Reason::Hangup), member("carol", [1, 2, 9], Reason::Hangup));
        let (early, late) = ([1, 0, 3], [5, 0, 8]);
        let refused = |times| member("bob", times, Reason::Refuse);
        let call = |bobs: [MemberRecord; 2]| {
            let [first, second] = bobs;
            seen(&record(2, 9, vec![alice.clone(), carol.clone(), first, second]), "bob")
        };
        let rest = "alice 1 1 0, carol 1 2 0";
        assert_eq!(
            call([refused(early), refused(late)]),
            format!("8 Refuse, 2 | {rest}, bob 1 0 3, bob 5 0 8")
        );
        assert_eq!(call([hidden("bob", early), refused(late)]), format!("8 Refuse, 2 | {rest}, bob 5 0 8"));
        assert_eq!(call([refused(early), hidden("bob", late)]), format!("3 Refuse, 2 | {rest}, bob 1 0 3"));
    }
}
