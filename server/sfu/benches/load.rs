//! What calls of all sizes cost the relay, without sockets: clients, network and clock are simulated, only the time and
//! the memory inside of the shard count. `cargo bench -p jmrtc-sfu` prints a Markdown table.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/world/mod.rs"]
#[allow(dead_code)]
mod world;

use std::time::Duration;

use jmrtc_sfu::CallKey;
use peak_alloc::PeakAlloc;
use world::World;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a participant takes of LiveKit's memory (1.13.5, measured).
const PEER_KB: f64 = 1_700.0;

/// Calls of `members`, each with `slots`; the first `speakers` of each call talk.
struct Load {
    name: &'static str,
    calls: usize,
    members: usize,
    speakers: usize,
    slots: usize,
    /// Packets that LiveKit 1.13.5 forwards per CPU-second in such a call, its sockets included (measured).
    peer: Option<f64>,
}

const LOADS: [Load; 8] = [
    Load { name: "2 members, both talk", calls: 1, members: 2, speakers: 2, slots: 4, peer: Some(7_850.0) },
    Load {
        name: "50 calls of 2 members, all talk",
        calls: 50,
        members: 2,
        speakers: 2,
        slots: 4,
        peer: Some(7_850.0),
    },
    Load { name: "8 members, all talk", calls: 1, members: 8, speakers: 8, slots: 4, peer: Some(35_300.0) },
    Load { name: "32 members, all talk", calls: 1, members: 32, speakers: 32, slots: 4, peer: None },
    Load { name: "200 members, all talk", calls: 1, members: 200, speakers: 200, slots: 4, peer: None },
    Load { name: "1,000 members, all talk", calls: 1, members: 1000, speakers: 1000, slots: 4, peer: None },
    Load { name: "10 talk, 50 listen", calls: 1, members: 60, speakers: 10, slots: 4, peer: Some(49_300.0) },
    Load { name: "2 talk, 1,000 listen", calls: 1, members: 1002, speakers: 2, slots: 2, peer: None },
];

fn main() {
    println!(
        "| load | forwarded per CPU-second | CPU per member and minute | CPU per packet, in or out | to 2 members' | memory per member | packets, to LiveKit's with sockets | memory, to LiveKit's 1.7 MB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut two = None;
    for load in LOADS {
        let total = load.calls * load.members;
        let mut world = World::new();
        world.memory = || MEMORY.current_usage();
        for _ in 0..total {
            world.join(load.slots);
        }
        world.run_until_connected();
        for who in 0..total {
            world.admit(who, CallKey((who / load.members) as u64));
        }
        let speakers: Vec<usize> = (0..total).filter(|who| who % load.members < load.speakers).collect();
        // Everything that is made once is made.
        world.talk(&speakers, 50);
        let (held, before) = (world.held as f64, world.shard.stats());
        world.spent = Duration::ZERO;
        let words = 100;
        world.talk(&speakers, words);
        let spent = world.spent.as_secs_f64();
        let after = world.shard.stats();
        let forwarded = (after.forwarded - before.forwarded) as f64;
        let packets = forwarded + (after.packets_in - before.packets_in) as f64;
        let each = spent * 1e6 / packets;
        let minutes = words as f64 * 0.02 / 60.0;
        let (rate, kb) = (forwarded / spent, held / total as f64 / 1e3);
        println!(
            "| {} | {rate:.0} | {:.1} ms | {each:.1} µs | {:.2}x | {kb:.0} KB | {} | {:.2}x |",
            load.name,
            spent * 1e3 / minutes / total as f64,
            each / *two.get_or_insert(each),
            load.peer.map_or_else(|| "-".to_owned(), |peer| format!("{:.1}x", rate / peer)),
            kb / PEER_KB,
        );
    }
}
