//! A running call is told in changes: each is made in the session that is there, once, and heard once.

use crate::rig::*;
use jmrtc_call::MediaEvent;
use jmrtc_protocol::{ErrorCode, Reason, Reply, Session};
use serde_json::json;

/// Bob in a call of Alice's that rings Carol and Dave.
fn bob() -> Rig {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob carol dave", "alice")));
    rig.link();
    rig.command("accept", json!(null));
    rig.reply(Reply::Accept { session: session("carol dave", "alice bob"), stay: 1 });
    rig.take();
    rig
}

fn shown(rig: &Rig) -> Session {
    rig.client.state().session.unwrap()
}

#[test]
fn members_stand_in_the_order_of_the_server() {
    let mut rig = bob();
    rig.event(joined("dave"));
    rig.event(others_invited("erin frank", "alice"));
    rig.event(joined("carol"));
    assert_eq!(shown(&rig), session("erin frank", "alice bob dave carol"));
    rig.event(muted("carol", true));
    rig.event(muted("alice", true));
    rig.event(muted("bob", true));
    let all_muted = |who: &str| who.split(' ').map(name).collect::<Vec<_>>();
    assert_eq!(shown(&rig).muted_members, all_muted("alice bob carol"), "as they joined");
    rig.event(left("carol", Reason::Hangup));
    rig.event(left("erin", Reason::Refuse));
    rig.event(muted("alice", false));
    assert_eq!(shown(&rig).muted_members, all_muted("bob"));
    rig.event(others_invited("carol", "bob"));
    rig.event(joined("carol"));
    assert_eq!(shown(&rig).muted_members, all_muted("bob"), "who comes again is not muted");
    rig.event(muted("bob", false));
    assert_eq!(shown(&rig), session("frank", "alice bob dave carol"));
}

#[test]
fn what_is_so_already_is_no_news() {
    let mut rig = bob();
    for (event, heard) in [
        (joined("carol"), "CallMemberJoin carol"),
        (muted("carol", true), "CallMemberMuted carol true"),
        (others_invited("erin", "alice"), "CallOtherUserInvited erin by alice"),
        (left("dave", Reason::Refuse), "CallMemberLeave dave refuse"),
    ] {
        rig.event(event.clone());
        assert_eq!(rig.take(), [heard]);
        let before = shown(&rig);
        rig.event(event);
        assert_eq!(rig.take(), [""; 0], "{heard}, once more");
        assert_eq!(shown(&rig), before);
    }
    rig.event(others_invited("carol bob", "alice"));
    rig.event(muted("erin", true));
    rig.event(left("nobody", Reason::Busy));
    assert_eq!(rig.take(), [""; 0]);
}

/// What the others see first of one who has called is the second to join.
#[test]
fn the_first_to_join_begins_the_call() {
    let mut rig = Rig::ready("alice");
    rig.command("startCallUsers", json!({ "usernames": ["bob", "carol"] }));
    rig.started(session("bob carol", "alice"));
    assert_eq!(shown(&rig).start_time, 0);
    rig.event(left("carol", Reason::Busy));
    assert_eq!(shown(&rig), session("bob", "alice"));
    rig.event(joined("bob"));
    assert_eq!(shown(&rig), session("", "alice bob"));
}

/// The answer to the accept was lost with the connection: what happened since is told before the answer comes again, and is
/// no part of it.
#[test]
fn changes_wait_for_the_session_that_they_change() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob carol", "alice")));
    rig.link();
    rig.command("accept", json!(null));
    rig.closed();
    rig.reconnect();
    rig.welcome(true, None);
    rig.take();
    rig.event(joined("carol"));
    rig.event(left("alice", Reason::Hangup));
    rig.event(others_invited("dave", "carol"));
    assert_eq!(rig.take(), [""; 0]);
    rig.reply(Reply::Accept { session: session("carol", "alice bob"), stay: 1 });
    assert_eq!(
        rig.heard(),
        [
            "accept -> {}",
            "CallConnecting S(i: carol; j: alice, bob)",
            "CallMemberJoin alice",
            "CallMemberJoin carol",
            "CallMemberLeave alice hangup",
            "CallOtherUserInvited dave by carol",
            "CallConnected S(i: dave; j: bob, carol)",
        ]
    );
    assert_eq!(shown(&rig), session("dave", "bob carol"));
    rig.media(MediaEvent::Connected);
    assert_eq!(rig.heard(), [""; 0]);
}

#[test]
fn what_waits_is_gone_with_its_call() {
    let mut rig = Rig::ready("bob");
    rig.event(invited(session("bob carol", "alice")));
    rig.command("accept", json!(null));
    rig.event(joined("carol"));
    rig.event(invited(of("c2", inviter("dave", session("bob", "dave")))));
    rig.take();
    rig.failure(ErrorCode::CallEnded);
    assert_eq!(
        rig.heard(),
        [
            "accept -> CALL_ENDED",
            "CallDisconnect cancel S(i: carol; j: alice)",
            "CallReceiveInvite S(i: bob; j: dave)"
        ]
    );
}
