//! Real str0m clients against a shard, all in one thread, over a network that is a queue.
// Clippy knows tests by their attribute, not what they call.
#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use jmrtc_sfu::{CallKey, LinkId, LinkState, OfferError, Transport};
use world::{Client, World};

const CALL: CallKey = CallKey(1);

/// Frames that clients say in one go; what is asserted about counts allows for none to be lost.
const WORDS: usize = 25;

fn two_in_a_call() -> (World, usize, usize) {
    let mut world = World::new();
    let (a, b) = (world.join(4), world.join(4));
    world.run_until_connected();
    world.admit(a, CALL);
    world.admit(b, CALL);
    (world, a, b)
}

#[test]
fn two_members_hear_each_other_and_nobody_hears_itself() {
    let (mut world, a, b) = two_in_a_call();
    assert_eq!(world.seated(a), [Some(world.link(b)), None, None, None]);
    world.talk(&[a, b], WORDS);
    for (me, other) in [(a, b), (b, a)] {
        let heard = world.heard(me);
        assert_eq!(heard.len(), WORDS);
        assert!(heard.iter().all(|packet| packet.slot == 0 && packet.speaker == other as u8));
        assert!(heard[0].marker && heard.iter().skip(1).all(|packet| !packet.marker));
        assert!(heard.iter().all(|packet| packet.level == Some(-30) && packet.voice == Some(true)));
    }
    let stats = world.shard.link_stats(world.link(a)).unwrap();
    assert_eq!((stats.packets_in, stats.forwarded, stats.withheld), (WORDS as u64, WORDS as u64, 0));
}

#[test]
fn without_consent_nothing_is_heard_in_either_direction() {
    let mut world = World::new();
    let (a, b, c) = (world.join(4), world.join(4), world.join(4));
    world.run_until_connected();
    world.talk(&[a, b, c], WORDS);
    assert!([a, b, c].iter().all(|who| world.heard(*who).is_empty()), "ringing");
    world.admit(a, CALL);
    world.talk(&[a, b, c], WORDS);
    assert!([a, b, c].iter().all(|who| world.heard(*who).is_empty()), "one has accepted");
    world.admit(b, CALL);
    world.admit(c, CallKey(2));
    world.talk(&[a, b, c], WORDS);
    assert_eq!((world.heard(a).len(), world.heard(b).len()), (WORDS, WORDS));
    assert!(world.heard(c).is_empty(), "another call");
    let withheld = world.shard.link_stats(world.link(c)).unwrap().withheld;
    assert_eq!(withheld, 2 * WORDS as u64);
}

#[test]
fn who_leaves_is_heard_no_more_and_leaves_nothing_behind() {
    let (mut world, a, b) = two_in_a_call();
    world.talk(&[a, b], WORDS);
    let link = world.link(b);
    world.shard.close(world.now, link);
    world.settle();
    assert_eq!(world.seated(a), [None; 4]);
    let (at_a, at_b) = (world.heard(a).len(), world.heard(b).len());
    world.talk(&[a, b], WORDS);
    assert_eq!((world.heard(a).len(), world.heard(b).len()), (at_a, at_b));
    world.shard.close(world.now, link);
    assert_eq!(world.shard.link_stats(link), None);
    world.shard.close(world.now, world.link(a));
    assert_eq!((world.shard.links(), world.shard.calls(), world.shard.next_timeout()), (0, 0, None));
    assert_eq!(world.shard.stats().forwarded, 2 * WORDS as u64, "what was done is not forgotten");
}

#[test]
fn a_slot_is_one_stream_whoever_is_heard_in_it() {
    let mut world = World::new();
    let listener = world.join(1);
    let speakers: Vec<usize> = (0..3).map(|_| world.join(1)).collect();
    world.run_until_connected();
    for who in [listener].iter().chain(&speakers) {
        world.admit(*who, CALL);
    }
    // One after the other speaks up, each for longer than a slot is held at least.
    for _ in 0..2 {
        for speaker in &speakers {
            world.talk(&[*speaker], 75);
        }
    }
    let heard = world.heard(listener);
    let turns: Vec<u8> = heard.chunk_by(|x, y| x.speaker == y.speaker).map(|turn| turn[0].speaker).collect();
    let order: Vec<u8> = speakers.iter().map(|who| *who as u8).collect();
    assert_eq!(turns, [order.clone(), order].concat());
    for pair in heard.windows(2) {
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        assert_eq!(pair[1].marker, pair[1].speaker != pair[0].speaker);
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        let elapsed = (pair[1].at - pair[0].at).as_millis() as u32 * 48;
        assert!(step.is_multiple_of(960) && step > 0, "{step}");
        assert!(step.abs_diff(elapsed) <= 960, "timestamps follow the time: {step} in {elapsed}");
    }
}

#[test]
fn with_more_voices_than_slots_the_loudest_are_heard() {
    let mut world = World::new();
    let listener = world.join(2);
    let speakers: Vec<usize> = (0..4).map(|_| world.join(2)).collect();
    world.run_until_connected();
    for who in [listener].iter().chain(&speakers) {
        world.admit(*who, CALL);
    }
    for (who, level) in [(speakers[0], -70), (speakers[1], -60), (speakers[2], -25), (speakers[3], -20)] {
        world.clients[who].level = level;
    }
    world.talk(&speakers, 100);
    let mut seated: Vec<LinkId> = world.seated(listener).into_iter().flatten().collect();
    seated.sort();
    assert_eq!(seated, [world.link(speakers[2]), world.link(speakers[3])]);
}

#[test]
fn listeners_are_told_no_louder_voice_than_the_relay_believes() {
    let (mut world, liar, listener) = two_in_a_call();
    world.clients[liar].level = 0;
    world.talk(&[liar], 400);
    let levels: Vec<i8> = world.heard(listener).iter().map(|packet| packet.level.unwrap()).collect();
    assert_eq!((levels[0], levels[399]), (-25, -50), "capped, and less where it never pauses");
}

#[test]
fn the_echo_says_back_what_a_member_says_to_that_member_only() {
    let (mut world, a, b) = two_in_a_call();
    world.shard.echo(world.now, CALL, true);
    world.settle();
    assert!(world.seated(a).contains(&Some(LinkId::ECHO)));
    world.talk(&[a], WORDS);
    assert_eq!(world.heard(a).len(), WORDS);
    assert!(world.heard(a).iter().all(|packet| packet.speaker == a as u8));
    assert_eq!(world.heard(b).len(), WORDS, "and the other member still hears it once");
    world.shard.echo(world.now, CALL, false);
    world.talk(&[a], WORDS);
    assert_eq!((world.heard(a).len(), world.heard(b).len()), (WORDS, 2 * WORDS));
}

#[test]
fn a_lone_member_hears_the_echo() {
    let mut world = World::new();
    let a = world.join(4);
    world.shard.echo(world.now, CALL, true);
    world.admit(a, CALL);
    world.run_until_connected();
    assert_eq!(world.seated(a), [Some(LinkId::ECHO), None, None, None]);
    world.talk(&[a], WORDS);
    assert_eq!(world.heard(a).len(), WORDS);
    world.shard.close(world.now, world.link(a));
    world.shard.echo(world.now, CALL, false);
    assert_eq!(world.shard.calls(), 0);
}

#[test]
fn tcp_carries_a_call_when_udp_is_blocked() {
    let mut world = World::new();
    let a = world.join_as(Transport::Tcp, 4, true);
    let b = world.join(4);
    world.run_until_connected();
    world.admit(a, CALL);
    world.admit(b, CALL);
    world.talk(&[a, b], WORDS);
    assert_eq!((world.heard(a).len(), world.heard(b).len()), (WORDS, WORDS));
}

#[test]
fn redundant_audio_stays_so_for_those_who_can_take_it() {
    let mut world = World::new();
    let (a, with, without) = (world.join(2), world.join(2), world.join_as(Transport::Udp, 2, false));
    world.run_until_connected();
    for who in [a, with, without] {
        world.admit(who, CALL);
    }
    world.clients[a].redundant = true;
    world.talk(&[a], WORDS);
    for (who, redundant) in [(with, true), (without, false)] {
        assert_eq!(world.heard(who).len(), WORDS);
        assert!(world.heard(who).iter().all(|p| p.redundant == redundant && p.speaker == a as u8));
    }
}

#[test]
fn an_ice_restart_keeps_the_call_on_a_new_address() {
    let (mut world, a, b) = two_in_a_call();
    world.talk(&[a, b], WORDS);
    world.move_to_new_address(a);
    world.restart_ice(a);
    world.talk(&[a, b], WORDS);
    assert_eq!(world.heard(a).len(), 2 * WORDS);
    assert_eq!(world.heard(b).len(), 2 * WORDS);
    assert!(world.heard(b).windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
}

#[test]
fn who_gets_another_address_from_a_nat_is_heard_at_once_and_hears_again_within_a_quarter_of_a_second() {
    let (mut world, a, b) = two_in_a_call();
    world.talk(&[a, b], WORDS);
    let (before, moved) = (world.heard(a).len(), world.now);
    world.nat_forgets(a);
    // Twice the time in which clients check.
    world.talk(&[a, b], 250);
    assert_eq!(world.heard(b).len(), WORDS + 250, "not a word of a is missed");
    let back = world.heard(a)[before].at - moved;
    assert!(back <= Duration::from_millis(250), "a hears b after {back:?}");
    assert!(world.heard(a).len() >= WORDS + 250 - 13);
}

#[test]
fn a_copy_of_a_packet_draws_nothing_to_where_it_comes_from() {
    let (mut world, a, b) = two_in_a_call();
    world.talk(&[a, b], WORDS);
    for _ in 0..100 {
        world.talk(&[a, b], 1);
        let (transport, from, packet) = world.last_sent(a);
        let elsewhere = (from.ip(), from.port() + 1).into();
        let now = world.now;
        world.shard.receive(now, transport, elsewhere, &packet);
        world.settle();
    }
    assert_eq!((world.heard(a).len(), world.heard(b).len()), (WORDS + 100, WORDS + 100));
}

#[test]
fn a_renewal_must_have_the_lines_of_the_link() {
    let mut world = World::new();
    let a = world.join(2);
    let other = Client::offer(3);
    let (link, now) = (world.link(a), world.now);
    assert_eq!(world.shard.renew(now, link, &other), Err(OfferError::OtherLines));
    assert!(matches!(world.shard.renew(now, LinkId(99), &other), Err(OfferError::Unusable(_))));
    assert!(matches!(world.shard.open(now, link, &other), Err(OfferError::Unusable(_))));
    assert!(matches!(world.shard.open(now, LinkId::ECHO, &other), Err(OfferError::Unusable(_))));
}

#[test]
fn a_client_that_falls_silent_is_reported_lost_and_a_closing_one_dead() {
    let (mut world, a, b) = two_in_a_call();
    world.clients[a].unplugged = true;
    world.clients[b].close();
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.states(a), [LinkState::Connected, LinkState::Lost]);
    assert!(matches!(world.states(b)[..], [LinkState::Connected, LinkState::Dead(_)]));
    let (link, now) = (world.link(b), world.now);
    assert!(world.shard.renew(now, link, &Client::offer(4)).is_err());
}

#[test]
fn a_member_that_floods_is_slowed_down() {
    let (mut world, a, b) = two_in_a_call();
    world.flood(a, 2000);
    assert!((150..=400).contains(&world.heard(b).len()), "{}", world.heard(b).len());
    let stats = world.shard.link_stats(world.link(a)).unwrap();
    assert!(stats.dropped >= 1600);
}

#[test]
fn a_member_that_floods_with_large_packets_is_slowed_down() {
    let (mut world, a, b) = two_in_a_call();
    world.clients[a].frame_bytes = 1_000;
    world.flood(a, 150);
    let heard = world.heard(b).len();
    assert!((30..=64).contains(&heard), "{heard} packets of 1,000 bytes in a second");
}

#[test]
fn forged_and_malformed_packets_change_nothing() {
    let (mut world, a, b) = two_in_a_call();
    world.talk(&[a, b], WORDS);
    let seed = world.garbage_at(&[a, b], World::rounds(10_000));
    world.talk(&[a, b], WORDS);
    assert_eq!((world.heard(a).len(), world.heard(b).len()), (2 * WORDS, 2 * WORDS), "seed {seed}");
}

#[test]
fn a_member_cannot_draw_anothers_packets_to_itself() {
    let (mut world, a, b) = two_in_a_call();
    world.talk(&[a, b], WORDS);
    // A third client, signed in properly, sends authentic checks of its own link from a's address.
    let thief = world.join(4);
    world.clients[thief].forged = Some(world.clients[a].address);
    world.run_for(Duration::from_secs(2));
    world.clients[thief].unplugged = true;
    world.talk(&[a, b], WORDS);
    assert_eq!((world.heard(a).len(), world.heard(b).len()), (2 * WORDS, 2 * WORDS));
}

#[test]
fn garbage_instead_of_an_offer_is_an_error() {
    let mut world = World::new();
    let good = Client::offer(4);
    let seed = world.seed();
    for n in 0..World::rounds(500) {
        let bad = world.damage(&good);
        let id = LinkId(1000 + n as u64);
        match world.shard.open(world.now, id, &bad) {
            Ok(_) => world.shard.close(world.now, id),
            Err(e) => assert!(!e.to_string().contains("panic"), "seed {seed}, round {n}: {bad}"),
        }
    }
    assert_eq!(world.shard.links(), 0, "seed {seed}");
    let fresh = world.join(4);
    world.run_until_connected();
    assert_eq!(world.states(fresh), [LinkState::Connected]);
}
