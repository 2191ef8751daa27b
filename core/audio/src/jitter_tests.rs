//! The jitter buffer on simulated networks, in virtual time.

use super::*;
use crate::{
    codec::Encoder,
    signal::{Noise, best_match, likeness, speech},
};

/// One packet on its way.
#[derive(Clone)]
struct Sent {
    /// ms after the start.
    arrives: f64,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

/// Encodes `sound`, sent from 0 ms on; each packet arrives 50 ms after its last sample was heard.
fn send(sound: &[f32], loss: f32) -> Vec<Sent> {
    let mut encoder = Encoder::new().unwrap();
    encoder.loss(Instant::now(), loss).unwrap();
    let packets = sound.chunks_exact(FRAME).enumerate().map(|(i, frame)| Sent {
        arrives: 70.0 + 20.0 * i as f64,
        sequence: i as u16,
        timestamp: (i * FRAME) as u32,
        marker: i == 0,
        payload: encoder.encode(frame).unwrap().into(),
    });
    packets.collect()
}

/// A buffer with its clock.
struct Listener {
    buffer: JitterBuffer,
    start: Instant,
    /// Samples played.
    played: u64,
    /// Device samples per second of the clock, over 48,000.
    speed: f64,
    /// Delays and targets in ms, at each pull.
    delays: Vec<(u32, u32)>,
    most_buffered: i64,
    heard: Vec<f32>,
}

impl Listener {
    fn new() -> Self {
        Self {
            buffer: JitterBuffer::new().unwrap(),
            start: Instant::now(),
            played: 0,
            speed: 1.0,
            delays: Vec::new(),
            most_buffered: 0,
            heard: Vec::new(),
        }
    }

    /// Hears what arrives until `until` ms, pulling 5 ms at a time.
    fn listen(&mut self, packets: &[Sent], until: f64) {
        let mut packets = packets.to_vec();
        packets.sort_by(|a, b| a.arrives.total_cmp(&b.arrives));
        let mut packets = packets.into_iter().peekable();
        let mut block = [0.0; 240];
        loop {
            let ms = self.played as f64 / 48.0 / self.speed;
            if ms >= until {
                return;
            }
            let at = |ms: f64| self.start + Duration::from_micros((ms * 1000.0) as u64);
            while let Some(p) = packets.next_if(|p| p.arrives <= ms) {
                self.buffer.receive(&RtpFrame {
                    sequence: p.sequence,
                    timestamp: p.timestamp,
                    marker: p.marker,
                    payload: p.payload,
                    arrival: at(p.arrives),
                });
            }
            self.buffer.pull(at(ms), &mut block);
            self.played += block.len() as u64;
            self.heard.extend_from_slice(&block);
            self.most_buffered = self.most_buffered.max(self.buffer.buffered());
            let stats = self.buffer.stats();
            self.delays.push((stats.delay_ms, stats.target_ms));
        }
    }

    /// Mean of the delay and of the target from `from` to `to` ms.
    fn mean(&self, from: usize, to: usize) -> (f64, f64) {
        let part = &self.delays[from / 5..to / 5];
        let n = part.len() as f64;
        (
            part.iter().map(|d| f64::from(d.0)).sum::<f64>() / n,
            part.iter().map(|d| f64::from(d.1)).sum::<f64>() / n,
        )
    }
}

/// How alike each half-second of `heard` is to the best-fitting part of `sound`, on average: blind to small shifts, as an
/// ear is.
fn heard_well(sound: &[f32], heard: &[f32]) -> f32 {
    const PART: usize = 12_000;
    let mut sum = 0.0;
    let mut parts = 0;
    for (i, part) in sound.chunks_exact(PART).enumerate().skip(2) {
        if level::level(part) > 40 {
            continue;
        }
        let from = i * PART;
        let Some(rest) = heard.get(from..(from + PART + 12_000).min(heard.len())).filter(|r| r.len() > PART)
        else {
            break;
        };
        sum += best_match(part, rest, rest.len() - PART).1;
        parts += 1;
    }
    sum / parts as f32
}

#[test]
fn a_clean_network_costs_little_delay_and_changes_nothing() {
    let sound = speech(6.0);
    let mut listener = Listener::new();
    listener.listen(&send(&sound, 0.0), 6_000.0);
    let stats = listener.buffer.stats();
    assert_eq!((stats.lost, stats.late, stats.concealed, stats.expanded), (0, 0, 0, 0), "{stats:?}");
    assert!(listener.delays[200].0 <= 45, "starts low");
    let (delay, target) = listener.mean(3_000, 6_000);
    assert!(target < 9.0 && (6.0..14.0).contains(&delay), "{delay} {target}");
    let (lag, alike) = best_match(&sound[144_000..240_000], &listener.heard[144_000..], 9_000);
    assert!(alike > 0.9, "{alike}");
    let ms = lag as f64 / 48.0;
    assert!((76.0..92.0).contains(&ms), "50 network + 20 frame + 6.5 codec + what waits: {ms}");
}

#[test]
fn reordered_packets_are_played_in_order() {
    let sound = speech(4.0);
    let mut packets = send(&sound, 0.0);
    for (i, p) in packets.iter_mut().enumerate().skip(20) {
        if i % 3 == 0 {
            p.arrives += 30.0;
        }
    }
    let mut listener = Listener::new();
    listener.listen(&packets, 4_000.0);
    let stats = listener.buffer.stats();
    assert!(stats.late <= 1 && stats.lost <= 1, "{stats:?}");
    assert!(heard_well(&sound, &listener.heard) > 0.9);
}

#[test]
fn fec_beats_concealment_at_ten_per_cent_loss() {
    let sound = speech(12.0);
    let [plain, fec] = [0.0, 0.1].map(|told| {
        let mut noise = Noise(42);
        let packets: Vec<_> = send(&sound, told).into_iter().filter(|_| !noise.chance(0.1)).collect();
        let mut listener = Listener::new();
        listener.listen(&packets, 12_000.0);
        let stats = listener.buffer.stats();
        assert!((40..80).contains(&stats.lost), "{stats:?}");
        assert_eq!(stats.restored > 0, told > 0.0, "{stats:?}");
        if told > 0.0 {
            assert!(stats.concealed < stats.restored / 2, "{stats:?}");
        }
        heard_well(&sound, &listener.heard)
    });
    println!("likeness with concealment {plain:.3}, with FEC {fec:.3}");
    assert!(fec > plain + 0.02, "{plain} {fec}");
}

#[test]
fn a_long_burst_of_loss_fades_to_silence_and_comes_back() {
    let sound = speech(6.0);
    let mut packets = send(&sound, 0.0);
    packets.retain(|p| !(3_000.0..4_000.0).contains(&p.arrives));
    let mut listener = Listener::new();
    listener.listen(&packets, 6_000.0);
    let part = |from: usize, to: usize| level::level(&listener.heard[from * 48..to * 48]);
    assert!(part(3_000, 3_060) < 60, "concealed at first, {}", part(3_000, 3_060));
    assert_eq!(part(3_200, 3_980), 127, "then silent");
    assert!(part(4_100, 6_000) < 40, "then back");
    let stats = listener.buffer.stats();
    assert_eq!(stats.lost, 50);
    assert!(stats.concealed <= 5_760, "{stats:?}");
    let (before, _) = listener.mean(2_000, 2_900);
    let (after, _) = listener.mean(5_000, 6_000);
    assert!(after < before + 10.0, "no delay is left: {before} {after}");
    assert!(heard_well(&sound[216_000..], &listener.heard[216_000..]) > 0.9);
}

#[test]
fn the_delay_goes_up_with_jitter_and_comes_back() {
    let sound = speech(30.0);
    let mut packets = send(&sound, 0.0);
    let mut noise = Noise(3);
    for p in packets.iter_mut().filter(|p| (5_000.0..12_000.0).contains(&p.arrives)) {
        p.arrives += f64::from(noise.below(80));
    }
    let mut listener = Listener::new();
    listener.listen(&packets, 30_000.0);
    let (calm, _) = listener.mean(3_000, 5_000);
    let (rough, target) = listener.mean(8_000, 12_000);
    let (again, _) = listener.mean(27_000, 30_000);
    println!("delay {calm:.0} ms, with 80 ms of jitter {rough:.0} ms, after {again:.0} ms");
    assert!(calm < 16.0 && again < 16.0, "{calm} {again}");
    assert!((60.0..100.0).contains(&rough) && (60.0..100.0).contains(&target), "{rough} {target}");
    let stats = listener.buffer.stats();
    assert!(stats.accelerated > 2_000, "{stats:?}");
    assert!(stats.late < 25, "{stats:?}");
    assert!(heard_well(&sound[8 * 48_000..], &listener.heard[8 * 48_000..]) > 0.85);
}

#[test]
fn clocks_that_drift_for_minutes_neither_starve_nor_flood() {
    let sound = speech(8.0);
    let once = send(&sound, 0.0);
    // Three minutes of the same eight seconds.
    let packets: Vec<_> = (0..180 * 50usize)
        .map(|i| Sent {
            arrives: 70.0 + 20.0 * i as f64,
            sequence: i as u16,
            timestamp: (i * FRAME) as u32,
            marker: i == 0,
            payload: once[i % once.len()].payload.clone(),
        })
        .collect();
    for speed in [0.9995, 1.0005] {
        let mut listener = Listener::new();
        listener.speed = speed;
        listener.listen(&packets, 180_000.0);
        let stats = listener.buffer.stats();
        let (worst, n) =
            listener.delays[1_000..].iter().fold((0, 0), |(w, n), d| (d.0.max(w), n + u32::from(d.0 < 2)));
        println!("speed {speed}: worst delay {worst} ms, {stats:?}");
        assert!(worst < 25 && n == 0, "{worst} {n}");
        assert!(stats.concealed < 2_400, "{stats:?}");
        assert_eq!((stats.lost, stats.discarded), (0, 0));
        let stretched = if speed < 1.0 { stats.accelerated } else { stats.expanded };
        assert!((2_000..8_000).contains(&stretched), "90 ms of drift: {stats:?}");
    }
}

#[test]
fn numbers_wrap() {
    let sound = speech(4.0);
    let mut packets = send(&sound, 0.0);
    for p in &mut packets {
        p.sequence = p.sequence.wrapping_add(65_500);
        p.timestamp = p.timestamp.wrapping_sub(60 * 960);
    }
    packets.swap(34, 37);
    let mut listener = Listener::new();
    listener.listen(&packets, 4_000.0);
    let stats = listener.buffer.stats();
    assert_eq!((stats.lost, stats.late, stats.discarded), (0, 0, 0), "{stats:?}");
    assert!(heard_well(&sound, &listener.heard) > 0.9);
}

#[test]
fn a_pause_of_the_sender_is_silence_and_leaves_no_delay() {
    let sound = speech(12.0);
    for pause in [60.0, 200.0, 3_000.0] {
        let mut packets = send(&sound[..6 * 48_000], 0.0);
        for (i, p) in packets.iter_mut().enumerate().skip(150) {
            p.arrives += pause;
            p.timestamp += (pause * 48.0) as u32;
            p.marker = i == 150;
        }
        let mut listener = Listener::new();
        listener.listen(&packets, 6_000.0 + pause);
        let stats = listener.buffer.stats();
        assert_eq!((stats.lost, stats.late), (0, 0), "{stats:?}");
        let (before, _) = listener.mean(2_000, 2_900);
        let (after, _) = listener.mean(4_500 + pause as usize, 5_500 + pause as usize);
        assert!((before - after).abs() < 8.0, "{pause}: {before} {after}");
        let back = 3_000 + pause as usize;
        if pause >= 200.0 {
            assert_eq!(level::level(&listener.heard[back * 48..(back + 50) * 48]), 127);
        }
        let (lag, alike) = best_match(&sound[150 * FRAME..250 * FRAME], &listener.heard[back * 48..], 7_200);
        assert!(alike > 0.85 && lag < 100 * 48, "{pause}: {alike} {lag}");
    }
}

#[test]
fn a_stall_is_caught_up_with() {
    let sound = speech(14.0);
    let mut packets = send(&sound, 0.0);
    for p in &mut packets {
        if (3_000.0..6_000.0).contains(&p.arrives) {
            p.arrives = 6_000.0;
        }
    }
    let mut listener = Listener::new();
    listener.listen(&packets, 14_000.0);
    let stats = listener.buffer.stats();
    assert!(stats.discarded > 20, "{stats:?}");
    let (soon, _) = listener.mean(7_500, 8_000);
    let (after, _) = listener.mean(13_000, 14_000);
    println!("after a stall of 3 s: {soon:.0} ms, then {after:.0} ms");
    assert!(soon < 450.0 && after < 250.0, "{soon} {after}");
}

#[test]
fn a_sender_that_starts_over_is_heard_again() {
    let sound = speech(8.0);
    let mut packets = send(&sound, 0.0);
    for p in &mut packets {
        if p.sequence < 200 {
            p.sequence += 30_000;
            p.timestamp += 500_000_000;
        }
    }
    let mut listener = Listener::new();
    listener.listen(&packets, 8_000.0);
    assert!(level::level(&listener.heard[6 * 48_000..]) < 30);
    assert!(likeness(&sound[6 * 48_000..], &listener.heard[6 * 48_000..], 0).is_finite());
    let stats = listener.buffer.stats();
    assert!(stats.late <= 26, "{stats:?}");
}

#[test]
fn nothing_the_network_does_breaks_it() {
    // More by hand: JMRTC_SEEDS=1000 cargo test -p jmrtc-audio nothing_the_network
    let seeds = 0..std::env::var("JMRTC_SEEDS").map_or(12, |seeds| seeds.parse().unwrap());
    let sound = speech(6.0);
    let good = send(&sound, 0.1);
    for seed in seeds {
        let mut noise = Noise(seed);
        let (loss, jitter) = (noise.next().abs() * 0.6, noise.below(600));
        let wild = noise.chance(0.3);
        let mut packets = Vec::new();
        for p in &good {
            let mut p = p.clone();
            p.arrives += f64::from(noise.below(jitter + 1));
            if wild && noise.chance(0.1) {
                match noise.below(4) {
                    0 => p.timestamp = noise.bits(),
                    1 => p.sequence = noise.bits() as u16,
                    2 => {
                        p.payload =
                            (0..noise.below(60)).map(|_| noise.bits() as u8).collect::<Vec<_>>().into()
                    }
                    _ => p.marker = true,
                }
            }
            for _ in 0..1 + u32::from(noise.chance(0.2)) {
                if !noise.chance(loss) {
                    packets.push(p.clone());
                }
            }
        }
        println!("seed {seed}: loss {loss:.2}, jitter {jitter} ms, wild {wild}");
        let mut listener = Listener::new();
        listener.listen(&packets, 7_000.0);
        assert_eq!(listener.heard.len(), 7_000 * 48, "seed {seed}: sound never stops");
        // What is no speech may decode to anything; the limiter is for that.
        assert!(listener.heard.iter().all(|s| s.is_finite() && (wild || s.abs() < 2.0)), "seed {seed}");
        let bound = if wild { 100 * 5_760 } else { 100 * 960 };
        assert!(listener.most_buffered <= bound + 7_000, "seed {seed}: {}", listener.most_buffered);
        assert!(wild || listener.heard[48_000..4 * 48_000].iter().any(|s| s.abs() > 0.01), "seed {seed}");
        listener.listen(&[], 9_000.0);
        assert!(listener.buffer.is_idle(), "seed {seed}: {:?}", listener.buffer.stats());
    }
}
