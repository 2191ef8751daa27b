//! The media link against the real relay, over loopback.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jmrtc_audio::{EncodedFrame, RtpFrame};
use jmrtc_call::MediaEvent;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::nat::Nat;
use super::relay::Relay;
use crate::config::NetworkConfig;
use crate::media::{Media, MediaOutput};
use crate::stats::{Stats, Transport};

/// Far more than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn output(media: &mut Media) -> MediaOutput {
    loop {
        if let Some(output) = media.poll_output() {
            return output;
        }
        timeout(PATIENCE, media.step()).await.expect("nothing happens on the link");
    }
}

/// The next event for the machine; sound and reports on the way are dropped.
async fn event(media: &mut Media) -> MediaEvent {
    loop {
        if let MediaOutput::Event(event) = output(media).await {
            return event;
        }
    }
}

async fn open(relay: &Relay, id: u64, slots: u8, network: NetworkConfig) -> Media {
    let (mut media, offer) = Media::open(1, slots, network).unwrap();
    let answer = relay.open(id, offer).await;
    media.answer(answer).unwrap();
    media
}

pub(super) async fn connect(relay: &Relay, id: u64, slots: u8, network: NetworkConfig) -> Media {
    let mut media = open(relay, id, slots, network).await;
    assert_eq!(event(&mut media).await, MediaEvent::Connected);
    media
}

pub(super) fn frame(n: u32) -> EncodedFrame {
    // Twenty bytes that name their sender's frame; the relay does not look into them.
    let mut payload = vec![0xfc];
    payload.extend(n.to_be_bytes());
    payload.resize(20, 7);
    EncodedFrame { timestamp: n * 960, marker: false, level: 33, voice: true, payload }
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[1..5].try_into().unwrap())
}

/// Sends a frame every 20 ms from each link and returns what each heard, until both heard `enough`.
async fn talk(media: [&mut Media; 2], enough: usize) -> [Vec<(usize, RtpFrame)>; 2] {
    let [a, b] = media;
    let mut heard = [Vec::new(), Vec::new()];
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begin = Instant::now();
    let mut n = 0;
    while heard.iter().any(|h| h.len() < enough) {
        assert!(begin.elapsed() < PATIENCE, "heard only {} and {} packets", heard[0].len(), heard[1].len());
        tokio::select! {
            _ = ticks.tick() => {
                a.send(frame(n));
                b.send(frame(1_000_000 + n));
                n += 1;
            }
            () = a.step() => {}
            () = b.step() => {}
        }
        for (media, heard) in [&mut *a, &mut *b].into_iter().zip(&mut heard) {
            while let Some(output) = media.poll_output() {
                if let MediaOutput::Sound(slot, frame) = output {
                    heard.push((slot, frame));
                }
            }
        }
    }
    heard
}

#[tokio::test]
async fn a_link_is_up_within_milliseconds_and_carries_sound_both_ways() {
    let relay = Relay::start().await;
    let mut a = connect(&relay, 1, 4, NetworkConfig::default()).await;
    let mut b = connect(&relay, 2, 1, NetworkConfig::default()).await;
    relay.admit(1);
    relay.admit(2);
    let [by_a, by_b] = talk([&mut a, &mut b], 20).await;
    for (heard, base) in [(by_a, 1_000_000), (by_b, 0)] {
        let slot = heard[0].0;
        let first = number(&heard[0].1.payload);
        assert!((base..base + 100).contains(&first), "{first}");
        for (i, (s, packet)) in heard.iter().enumerate() {
            assert_eq!(*s, slot);
            assert_eq!(number(&packet.payload), first + i as u32, "in order, none lost");
            assert_eq!(packet.sequence, heard[0].1.sequence.wrapping_add(i as u16));
        }
    }
    for media in [&mut a, &mut b] {
        let mut stats = Stats::default();
        media.stats(&mut stats);
        println!("link set-up {:.1} ms", stats.link_setup_ms.unwrap());
        assert_eq!(stats.transport, Some(Transport::Udp));
        assert!(stats.packets_sent >= 20 && stats.packets_received >= 20, "{stats:?}");
        assert!(stats.link_setup_ms.unwrap() < 1000.0, "far from milliseconds, even on a busy machine");
    }
}

#[tokio::test]
async fn nothing_is_heard_before_the_relay_admits() {
    let relay = Relay::start().await;
    let mut a = connect(&relay, 1, 1, NetworkConfig::default()).await;
    let mut b = connect(&relay, 2, 1, NetworkConfig::default()).await;
    relay.admit(1);
    for n in 0..10 {
        a.send(frame(n));
        b.send(frame(1_000_000 + n));
    }
    // A round trip through the relay: what it would have forwarded is here by the end of it.
    let offer = a.restart().unwrap();
    a.answer(relay.renew(1, offer).await).unwrap();
    assert_eq!(event(&mut a).await, MediaEvent::Connected);
    relay.admit(2);
    let [by_a, by_b] = talk([&mut a, &mut b], 3).await;
    // `talk` begins at zero again with payloads 20 frames later than silence would tell: count instead.
    let mut stats = Stats::default();
    a.stats(&mut stats);
    assert_eq!(stats.packets_received, by_a.len() as u64);
    let mut stats = Stats::default();
    b.stats(&mut stats);
    assert_eq!(stats.packets_received, by_b.len() as u64);
}

#[tokio::test]
async fn tcp_steps_in_where_udp_is_dropped() {
    let relay = Relay::start().await;
    relay.drop_udp(true);
    let network = NetworkConfig { tcp_after: Duration::from_millis(50), ..NetworkConfig::default() };
    let mut a = connect(&relay, 1, 4, network.clone()).await;
    let mut b = connect(&relay, 2, 4, network).await;
    relay.admit(1);
    relay.admit(2);
    let [by_a, by_b] = talk([&mut a, &mut b], 10).await;
    assert!(by_a.iter().all(|(_, p)| number(&p.payload) >= 1_000_000));
    assert!(by_b.iter().all(|(_, p)| number(&p.payload) < 1_000_000));
    let mut stats = Stats::default();
    a.stats(&mut stats);
    assert_eq!(stats.transport, Some(Transport::Tcp));
    println!("link set-up over TCP, UDP dropped, TCP after 50 ms: {:.1} ms", stats.link_setup_ms.unwrap());
}

#[tokio::test]
async fn without_udp_tcp_is_used_at_once() {
    let relay = Relay::start().await;
    let network = NetworkConfig { udp: false, ..NetworkConfig::default() };
    let mut a = connect(&relay, 1, 4, network).await;
    let mut stats = Stats::default();
    a.stats(&mut stats);
    assert_eq!(stats.transport, Some(Transport::Tcp));
    println!("link set-up over TCP only: {:.1} ms", stats.link_setup_ms.unwrap());
    assert!(relay.sources().await.is_empty(), "nothing went over UDP");
}

#[tokio::test]
async fn an_ice_restart_goes_on_from_a_new_socket() {
    let relay = Relay::start().await;
    let mut a = connect(&relay, 1, 4, NetworkConfig::default()).await;
    let mut b = connect(&relay, 2, 4, NetworkConfig::default()).await;
    relay.admit(1);
    relay.admit(2);
    talk([&mut a, &mut b], 5).await;
    let offer = a.restart().unwrap();
    // The old path goes on until the answer.
    talk([&mut a, &mut b], 5).await;
    let before = relay.sources().await.len();
    let begin = Instant::now();
    a.answer(relay.renew(1, offer).await).unwrap();
    assert_eq!(event(&mut a).await, MediaEvent::Connected);
    println!("ICE restart on a new socket: {:.1} ms", begin.elapsed().as_secs_f64() * 1000.0);
    assert_eq!(relay.sources().await.len(), before + 1, "one new address");
    let [by_a, by_b] = talk([&mut a, &mut b], 5).await;
    assert!(!by_a.is_empty() && !by_b.is_empty());
}

#[tokio::test]
async fn losses_show_on_both_ends() {
    let relay = Relay::start().await;
    let mut a = connect(&relay, 1, 1, NetworkConfig::default()).await;
    let mut b = connect(&relay, 2, 1, NetworkConfig::default()).await;
    relay.admit(1);
    relay.admit(2);
    relay.lose(7);
    let begin = Instant::now();
    let mut stats = Stats::default();
    while stats.loss_up < 0.05 || stats.loss_down < 0.05 || stats.rtt_ms.is_none() {
        assert!(begin.elapsed() < PATIENCE, "{stats:?}");
        talk([&mut a, &mut b], 10).await;
        stats = Stats::default();
        a.stats(&mut stats);
    }
    println!("losses of one in seven show after {:.1} s: {stats:?}", begin.elapsed().as_secs_f64());
    assert!(stats.loss_up < 0.5, "{stats:?}");
    // Twice: what alice hears was lost on bob's way in as well.
    assert!(stats.loss_down < 0.6, "{stats:?}");
    assert!(stats.slots[0].lost > 0, "{stats:?}");
}

#[tokio::test]
async fn a_silent_server_is_noticed() {
    let relay = Relay::start().await;
    let mut a = connect(&relay, 1, 1, NetworkConfig::default()).await;
    relay.close(1);
    let begin = Instant::now();
    assert_eq!(event(&mut a).await, MediaEvent::Disconnected);
    assert!(begin.elapsed() < Duration::from_secs(10));
}

/// The hello, what answers the server's, both, and the latter once more.
#[tokio::test]
async fn a_handshake_that_loses_packets_goes_on_soon() {
    for eaten in [&[1][..], &[2], &[1, 3], &[2, 3]] {
        let relay = Relay::start().await;
        let (mut a, offer) = Media::open(1, 1, NetworkConfig::default()).unwrap();
        let answer = udp_only(&relay.open(1, offer).await);
        let real = sdp_address(&answer);
        let nat = Nat::eating(real, eaten).await;
        a.answer(answer.replace(&format!(" {} typ", real.port()), &format!(" {} typ", nat.address.port())))
            .unwrap();
        assert_eq!(event(&mut a).await, MediaEvent::Connected, "{eaten:?} lost");
    }
}

#[tokio::test]
async fn a_nat_that_forgets_us_is_noticed_and_sound_comes_back() {
    let relay = Relay::start().await;
    let (mut a, offer) = Media::open(1, 1, NetworkConfig::default()).unwrap();
    let answer = udp_only(&relay.open(1, offer).await);
    let real = sdp_address(&answer);
    let nat = Nat::start(real).await;
    let behind = |answer: &str| {
        answer.replace(&format!(" {} typ", real.port()), &format!(" {} typ", nat.address.port()))
    };
    a.answer(behind(&answer)).unwrap();
    assert_eq!(event(&mut a).await, MediaEvent::Connected);
    let mut b = connect(&relay, 2, 1, NetworkConfig::default()).await;
    relay.admit(1);
    relay.admit(2);
    talk([&mut a, &mut b], 20).await;

    nat.forget();
    assert_eq!(event(&mut a).await, MediaEvent::Disconnected);
    let offer = a.restart().unwrap();
    a.answer(behind(&udp_only(&relay.renew(1, offer).await))).unwrap();
    assert_eq!(event(&mut a).await, MediaEvent::Connected);
    talk([&mut a, &mut b], 20).await;
}

/// Without the address for TCP.
fn udp_only(answer: &str) -> String {
    answer.lines().filter(|l| !l.contains(" tcptype ")).map(|l| format!("{l}\r\n")).collect()
}

/// Where an answer wants UDP to be sent.
fn sdp_address(answer: &str) -> SocketAddr {
    let line = answer.lines().find(|l| l.starts_with("a=candidate")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap())
}

#[tokio::test]
async fn answers_that_lead_nowhere_are_refused() {
    let relay = Relay::start().await;
    let (mut media, offer) = Media::open(1, 1, NetworkConfig::default()).unwrap();
    assert!(media.answer("nonsense".to_owned()).is_err());
    let answer = relay.open(1, offer).await;
    let without: String =
        answer.lines().filter(|l| !l.starts_with("a=candidate")).map(|l| format!("{l}\r\n")).collect();
    let (mut media, offer) = Media::open(1, 1, NetworkConfig::default()).unwrap();
    let _ = relay.open(2, offer).await;
    assert!(media.answer(without).unwrap_err().contains("leads nowhere"));
}
