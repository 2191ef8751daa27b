//! The corners of `docs/call-semantics.md` section 3.

use jmrtc_protocol::{Relation, Request};
use jmrtc_rooms::Timestamp;

use crate::world::{GRACE_MS, RING_MS, World, name};

#[test]
fn glare_in_either_order() {
    for (first, second) in [("alice", "bob"), ("bob", "alice")] {
        let mut w = World::new(&["alice", "bob"]);
        w.start(first, &[second]);
        w.got(second);
        w.forget();
        w.start(second, &[first]);
        let both = format!("S(i: -; j: {first} {second})+");
        w.expect(second, &[&format!("start {both}")]);
        w.expect(first, &[&format!("Joined {second} {both}")]);
        assert_eq!(w.clients[first].channel, w.clients[second].channel);
        w.leave(second);
        w.forget();
        w.expect_quiet();
    }
}

#[test]
fn glare_is_answered_on_the_device_that_calls() {
    let mut w = World::new(&["alice", "bob", "bob/tablet"]);
    w.start("alice", &["bob"]);
    w.forget();
    // Oneself beside the other changes nothing.
    w.start("bob/tablet", &["alice", "bob", "alice"]);
    w.expect("bob/tablet", &["start S(i: -; j: alice bob)+ !bob INVALID_PARAMETER"]);
    w.expect("bob", &["Ended cancel/answeredElsewhere S(i: -; j: alice bob)+"]);
    w.expect("alice", &["Joined bob S(i: -; j: alice bob)+"]);
}

#[test]
fn two_groups_do_not_merge() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.start("alice", &["bob", "carol"]);
    w.forget();
    // Bob rather calls than answers; Alice is in a call then, her own.
    w.start("bob", &["alice"]);
    w.expect(
        "bob",
        &[
            "start S(i: alice; j: bob)",
            "Ended busy S(i: carol; j: alice)",
            "Left alice busy S(i: -; j: bob)",
            "Ended busy S(i: -; j: bob)",
        ],
    );
    w.expect("alice", &["Left bob busy S(i: carol; j: alice)"]);
    w.expect("carol", &[]);
}

#[test]
fn a_start_wins_over_ringing() {
    let mut w = World::new(&["alice", "bob", "bob/tablet", "carol"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.start("bob", &["carol"]);
    w.expect("bob", &["start S(i: carol; j: bob)", "Ended busy S(i: -; j: alice)"]);
    w.expect("bob/tablet", &["Ended busy S(i: -; j: alice)"]);
    w.expect("alice", &["Left bob busy S(i: -; j: alice)", "Ended busy S(i: -; j: alice)"]);
    w.expect("carol", &["Invited S(i: carol; j: bob) 60000"]);
}

#[test]
fn two_devices_accept_at_once() {
    let mut w = World::new(&["alice", "bob", "bob/tablet"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.accept("bob");
    w.accept("bob/tablet");
    w.expect("bob", &["accept S(i: -; j: alice bob)+"]);
    w.expect("bob/tablet", &["Ended cancel/answeredElsewhere S(i: -; j: alice bob)+", "! CALL_ENDED"]);
    w.expect("alice", &["Joined bob S(i: -; j: alice bob)+"]);
}

#[test]
fn accept_meets_cancel() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.leave("alice");
    w.accept("bob");
    w.expect("bob", &["Ended cancel/cancelledByInviter S(i: bob; j: -)", "! CALL_ENDED"]);
    w.expect("alice", &["leave", "Ended hangup S(i: bob; j: -)"]);
    w.expect_quiet();
}

#[test]
fn hangup_meets_accept() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.accept("bob");
    w.leave("alice");
    w.expect("alice", &["Joined bob S(i: -; j: alice bob)+", "leave", "Ended hangup S(i: -; j: bob)+"]);
    w.expect(
        "bob",
        &[
            "accept S(i: -; j: alice bob)+",
            "Left alice hangup S(i: -; j: bob)+",
            "Ended hangup S(i: -; j: bob)+",
        ],
    );
    w.expect_quiet();
}

#[test]
fn both_hang_up_at_once_and_once_more() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.leave("alice");
    w.leave("bob");
    w.leave("alice");
    w.expect("alice", &["leave", "Ended hangup S(i: -; j: bob)+", "leave"]);
    w.expect("bob", &["Left alice hangup S(i: -; j: bob)+", "Ended hangup S(i: -; j: bob)+", "leave"]);
    w.expect_quiet();
}

#[test]
fn invite_meets_hangup() {
    let mut w = World::in_call("alice", "bob", &["carol"]);
    w.leave("bob");
    w.invite("alice", &["carol"]);
    w.expect(
        "alice",
        &["Left bob hangup S(i: -; j: alice)+", "Ended hangup S(i: -; j: alice)+", "! CALL_ENDED"],
    );
    w.expect("carol", &[]);
    w.forget();
    w.expect_quiet();
}

#[test]
fn refuse_meets_no_answer() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["bob"]);
    w.forget();
    // The driver is late with the deadline; the ring time is over all the same.
    w.now += RING_MS;
    w.refuse("bob");
    w.expect("bob", &["Ended cancel/noAnswer S(i: -; j: alice)", "! CALL_ENDED"]);
    w.expect(
        "alice",
        &["Left bob cancel/noAnswer S(i: -; j: alice)", "Ended cancel/noAnswer S(i: -; j: alice)"],
    );
    w.expect_quiet();
}

#[test]
fn a_killed_app_calls_again() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.drop("alice");
    w.wait(1_000);
    w.sign_in("alice");
    w.expect("alice", &["welcome S(i: -; j: alice bob)+"]);
    w.start("alice", &["bob"]);
    w.expect("alice", &["start S(i: bob; j: alice)", "Ended networkError S(i: -; j: bob)+"]);
    w.expect(
        "bob",
        &[
            "Left alice networkError S(i: -; j: bob)+",
            "Ended networkError S(i: -; j: bob)+",
            "Invited S(i: bob; j: alice) 60000",
        ],
    );
    w.accept("bob");
    w.forget();
    // Of the old call nothing is left that could end the new one.
    w.wait(GRACE_MS * 2);
    w.expect("alice", &[]);
    w.expect("bob", &[]);
}

#[test]
fn a_killed_app_calls_again_before_its_connection_is_missed() {
    let mut w = World::in_call("alice", "bob", &[]);
    w.sign_in("alice");
    w.start("alice", &["bob"]);
    w.expect(
        "alice",
        &[
            "welcome S(i: -; j: alice bob)+",
            "start S(i: bob; j: alice)",
            "Ended networkError S(i: -; j: bob)+",
        ],
    );
}

#[test]
fn another_device_of_a_lost_one_calls_again() {
    let mut w = World::in_call("alice", "bob", &["alice/tablet"]);
    w.start("alice/tablet", &["bob"]);
    w.expect("alice/tablet", &["! ALREADY_IN_CALL"]);
    w.drop("alice");
    w.start("alice/tablet", &["bob"]);
    w.expect("alice/tablet", &["start S(i: bob; j: alice)"]);
    w.expect(
        "bob",
        &[
            "Left alice networkError S(i: -; j: bob)+",
            "Ended networkError S(i: -; j: bob)+",
            "Invited S(i: bob; j: alice) 60000",
        ],
    );
    w.come_back("alice");
    w.expect("alice", &["welcome resumed", "Ended networkError S(i: -; j: bob)+"]);
    w.accept("bob");
    w.expect("alice/tablet", &["Joined bob S(i: -; j: alice bob)+"]);
    w.expect("alice", &[]);
}

#[test]
fn an_offline_invitee_is_pushed_and_rings_when_it_comes() {
    let mut w = World::new(&["alice"]);
    w.start("alice", &["bob"]);
    w.expect("alice", &["start S(i: bob; j: alice)"]);
    assert_eq!(w.woken(), ["bob by alice"]);
    w.wait(20_000);
    w.sign_in("bob");
    w.expect("bob", &["welcome", "Invited S(i: bob; j: alice) 40000"]);
    w.wait(10_000);
    w.sign_in("bob/tablet");
    w.expect("bob/tablet", &["welcome", "Invited S(i: bob; j: alice) 30000"]);
    w.accept("bob");
    w.sign_in("bob/web");
    w.expect("bob/web", &["welcome"]);
    w.expect("alice", &["Joined bob S(i: -; j: alice bob)+"]);
    assert_eq!(w.pushes.len(), 1);
}

#[test]
fn a_late_invitation_never_rings() {
    let mut w = World::new(&["alice"]);
    w.start("alice", &["bob"]);
    w.forget();
    w.wait(RING_MS);
    w.sign_in("bob");
    w.expect("bob", &["welcome"]);
    w.expect(
        "alice",
        &["Left bob cancel/noAnswer S(i: -; j: alice)", "Ended cancel/noAnswer S(i: -; j: alice)"],
    );
    w.expect_quiet();
}

#[test]
fn an_invitation_that_was_missed_rings_for_what_is_left() {
    let mut w = World::new(&["alice", "bob"]);
    w.drop("bob");
    w.start("alice", &["bob"]);
    assert_eq!(w.woken(), ["bob by alice"]);
    w.wait(10_000);
    w.come_back("bob");
    w.expect("bob", &["welcome resumed", "Invited S(i: bob; j: alice) 50000"]);
    w.drop("bob");
    w.wait(GRACE_MS - 1);
    w.forget();
    w.leave("alice");
    w.come_back("bob");
    w.expect("bob", &["welcome resumed", "Ended cancel/cancelledByInviter S(i: bob; j: -)"]);
}

#[test]
fn whose_last_device_is_lost_while_it_rings_is_pushed() {
    let mut w = World::new(&["alice", "bob", "bob/tablet", "carol"]);
    w.relate("carol", "alice", Relation { is_in_black_list: true, ..Relation::default() });
    w.start("alice", &["bob", "carol"]);
    w.drop("bob/tablet");
    w.drop("carol");
    assert!(w.pushes.is_empty(), "the phone rings on, and the blocked caller rings nobody: {:?}", w.pushes);
    w.wait(10_000);
    w.drop("bob");
    assert_eq!(w.woken(), ["bob by alice"]);
    w.forget();
    w.come_back("bob");
    w.expect("bob", &["welcome resumed"]);
    w.ask("bob", Request::Logout);
    assert_eq!(w.woken(), ["bob by alice"], "the tablet may come back");
    w.come_back("bob/tablet");
    w.accept("bob/tablet");
    w.drop("bob/tablet");
    assert_eq!(w.pushes.len(), 1, "who has accepted rings no more");
}

#[test]
fn a_device_that_comes_and_goes_is_pushed_twice() {
    let mut w = World::new(&["alice", "bob"]);
    w.drop("bob");
    w.start("alice", &["bob"]);
    for _ in 0..50 {
        w.come_back("bob");
        w.drop("bob");
    }
    assert_eq!(w.pushes.len(), 2);
    w.leave("alice");
    w.start("alice", &["bob"]);
    assert_eq!(w.pushes.len(), 3, "another call is another");
}

#[test]
fn a_push_is_wanted_while_it_rings_no_device_does_and_none_comes_after_it() {
    let mut w = World::new(&["alice", "bob"]);
    w.drop("bob");
    w.start("alice", &["bob"]);
    let first = w.pushes[0].clone();
    assert!(w.rooms.is_push_wanted(&first));
    w.come_back("bob");
    assert!(!w.rooms.is_push_wanted(&first), "a device rings");
    w.drop("bob");
    let second = w.pushes[1].clone();
    assert_eq!([&first, &second].map(|push| w.rooms.is_push_wanted(push)), [false, true]);
    w.come_back("bob");
    w.drop("bob");
    assert!(w.rooms.is_push_wanted(&second), "there is no third");

    w.come_back("bob");
    w.accept("bob");
    w.invite("alice", &["carol"]);
    let carol = w.pushes[2].clone();
    assert!(w.rooms.is_push_wanted(&carol));
    w.sign_in("carol");
    w.refuse("carol");
    w.drop("carol");
    w.invite("alice", &["carol"]);
    let again = w.pushes[3].clone();
    assert_eq!([&carol, &again].map(|push| w.rooms.is_push_wanted(push)), [false, true]);
    assert_eq!([carol.stay, again.stay], [2, 3], "each invitation is another stay");
    w.wait(RING_MS);
    assert!(!w.rooms.is_push_wanted(&again), "it rings no more");
}

#[test]
fn a_push_says_who_calls_as_the_invitee_sees_it_and_for_how_long() {
    let mut w = World::new(&["alice", "bob"]);
    w.store.get_mut(&name("bob")).unwrap().profile.nickname = "Bobby".into();
    let carol = Relation { note_name: "Bro".into(), is_no_disturb: true, ..Relation::default() };
    w.relate("carol", "bob", carol.clone());
    w.relate("bob", "carol", Relation { note_name: "Sis".into(), ..Relation::default() });
    w.start("alice", &["bob", "dave"]);
    let push = w.pushes.remove(0);
    assert_eq!((push.user, push.inviter.username), (name("dave"), name("alice")));
    assert_eq!((push.invited_by.username, push.silent), (name("alice"), false));
    w.accept("bob");
    w.wait(10_000);
    let rings_until = Timestamp(w.now + RING_MS);
    w.invite("bob", &["carol"]);
    w.wait(10_000);
    w.sign_in("carol");
    w.drop("carol");
    assert_eq!(w.woken(), ["carol by bob", "carol by bob"]);
    for push in &w.pushes {
        assert_eq!((&push.channel_id, push.until, push.silent), (&w.channel("alice"), rings_until, true));
        assert_eq!(push.inviter.username, name("alice"));
        assert_eq!((push.invited_by.profile.nickname.as_str(), &push.invited_by.relation), ("Bobby", &carol));
    }
}

#[test]
fn a_blocked_caller_hears_it_ring() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.relate("bob", "alice", Relation { is_in_black_list: true, ..Relation::default() });
    w.start("alice", &["bob"]);
    w.expect("alice", &["start S(i: bob; j: alice)"]);
    w.expect("bob", &[]);
    assert!(w.pushes.is_empty());
    // Bob is as free as ever, and can't reach into the call.
    let (channel_id, stay) = (w.channel("alice"), 1);
    for request in [
        Request::Accept { channel_id: channel_id.clone(), stay },
        Request::Refuse { channel_id: channel_id.clone(), stay },
        Request::Link { channel_id, stay, generation: 1, offer: "offer".into() },
    ] {
        w.ask("bob", request);
        w.expect("bob", &["! CALL_ENDED"]);
    }
    w.sign_in("bob/tablet");
    w.expect("bob/tablet", &["welcome"]);
    w.start("carol", &["bob"]);
    w.expect("bob", &["Invited S(i: bob; j: carol) 60000"]);
    w.accept("bob");
    w.forget();
    w.wait(RING_MS);
    w.expect(
        "alice",
        &["Left bob cancel/noAnswer S(i: -; j: alice)", "Ended cancel/noAnswer S(i: -; j: alice)"],
    );
    // While Bob is in a call the answer is the same: a blocked caller learns nothing about him.
    w.start("alice", &["bob"]);
    w.leave("alice");
    w.expect("alice", &["start S(i: bob; j: alice)", "leave", "Ended hangup S(i: bob; j: -)"]);
    w.expect("bob", &[]);
    w.expect("carol", &[]);
}

#[test]
fn blocking_is_between_two_users() {
    let mut w = World::in_call("alice", "carol", &["bob"]);
    w.relate("bob", "alice", Relation { is_in_black_list: true, ..Relation::default() });
    w.invite("carol", &["bob"]);
    w.expect("bob", &["Invited S(i: bob; j: alice carol)+ by carol 60000"]);
    w.refuse("bob");
    w.invite("alice", &["bob"]);
    w.expect("bob", &["refuse", "Ended refuse S(i: -; j: alice carol)+ by carol"]);
}

#[test]
fn do_not_disturb_is_silent() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.relate("bob", "alice", Relation { is_no_disturb: true, ..Relation::default() });
    w.start("alice", &["bob", "carol"]);
    w.expect("bob", &["Invited S(i: bob carol; j: alice) silent 60000"]);
    w.expect("carol", &["Invited S(i: bob carol; j: alice) 60000"]);
    w.accept("bob");
    w.expect("bob", &["accept S(i: carol; j: alice bob)+"]);
}

#[test]
fn the_unknown_are_told_apart() {
    let mut w = World::new(&["alice", "bob"]);
    w.start("alice", &["nobody", "bob", "alice", "bob"]);
    let start = "start S(i: bob; j: alice) !nobody USER_UNAVAILABLE !alice INVALID_PARAMETER";
    w.expect("alice", &[start]);
    w.accept("bob");
    w.forget();
    w.invite("alice", &["bob", "carol", "nobody"]);
    let invite = "invite carol !bob ALREADY_IN_CALL !nobody USER_UNAVAILABLE";
    w.expect("alice", &[invite, "OthersInvited carol by alice S(i: carol; j: alice bob)+"]);
    assert_eq!(w.woken(), ["carol by alice"]);
}

#[test]
fn each_viewer_sees_its_own_relations() {
    let mut w = World::new(&["alice", "bob"]);
    w.relate("bob", "alice", Relation { note_name: "Boss".into(), ..Relation::default() });
    w.start("alice", &["bob"]);
    w.accept("bob");
    let inviter = |w: &World, client: &str| {
        let inviter = w.clients[client].session.clone().unwrap().inviter;
        (inviter.username.to_string(), inviter.relation.note_name)
    };
    assert_eq!(inviter(&w, "bob"), ("alice".into(), "Boss".into()));
    assert_eq!(inviter(&w, "alice"), ("alice".into(), "".into()));
}

#[test]
fn it_is_no_glare_when_the_inviter_has_left() {
    let mut w = World::new(&["alice", "bob", "carol"]);
    w.start("alice", &["bob", "carol"]);
    w.accept("bob");
    w.leave("alice");
    w.forget();
    w.start("carol", &["alice"]);
    w.expect("carol", &["start S(i: alice; j: carol)", "Ended busy S(i: -; j: bob)+"]);
    w.expect("bob", &["Left carol busy S(i: -; j: bob)+", "Ended busy S(i: -; j: bob)+"]);
    w.expect("alice", &["Invited S(i: alice; j: carol) 60000"]);
}

#[test]
fn whoever_is_invited_again_is_seen_as_it_is_now() {
    let mut w = World::in_call("alice", "bob", &["carol"]);
    w.invite("alice", &["carol"]);
    w.refuse("carol");
    w.store.get_mut(&name("carol")).unwrap().profile.nickname = "Caroline".into();
    w.invite("alice", &["carol"]);
    let last = format!("{:?}", w.clients["bob"].messages.last().unwrap());
    assert!(last.contains("Caroline"), "{last}");
}

#[test]
fn a_clock_that_goes_back_is_not_followed() {
    let mut w = World::new(&["alice", "bob"]);
    w.now = 100_000;
    w.start("alice", &["bob"]);
    w.forget();
    w.now = 50_000;
    w.sign_in("bob/tablet");
    w.expect("bob/tablet", &["welcome", "Invited S(i: bob; j: alice) 60000"]);
    w.now = 159_999;
    w.accept("bob");
    w.expect("bob", &["accept S(i: -; j: alice bob)+"]);
}
