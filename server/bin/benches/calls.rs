//! How many calls a server takes: started, accepted and hung up by real WebSocket clients, each with its record in the
//! store. `cargo bench -p jmrtc-server` prints a Markdown table. What the clients cost is not counted, but they take
//! their share of the machine: the rate that counts is that per CPU-second of the server.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/server/support.rs"]
#[allow(dead_code)]
mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use support::{Client, Server};

/// Whole calls per second and core that are wanted.
const TARGET: f64 = 2_000.0;
const TIME: Duration = Duration::from_secs(10);
/// Two users each who call each other again and again; first with time to spare, then as many as the server takes.
const PAIRS: [usize; 2] = [20, 200];
/// Of a call with one: a server admits 50 messages a second from each client.
const PACE: Duration = Duration::from_millis(45);
/// Clients confirm what they have got now and then.
const CALLS_PER_PING: u64 = 10;

struct Pair {
    names: [String; 2],
    clients: [Client; 2],
}

impl Pair {
    async fn new(server: &Server, number: usize) -> Self {
        let names = [format!("caller{number}"), format!("callee{number}")];
        let clients = [server.sign_in(&names[0]).await, server.sign_in(&names[1]).await];
        Self { names, clients }
    }

    /// Makes calls until the time is over; returns how long each took to be set up.
    async fn talk(&mut self, end: Instant) -> Vec<Duration> {
        let mut took = Vec::new();
        while Instant::now() < end {
            let [caller, callee] = &mut self.clients;
            let begin = Instant::now();
            let started = caller.request(json!({"method": "start", "usernames": [self.names[1]]})).await;
            let channel = &started["reply"]["session"]["channelId"];
            assert!(channel.is_string(), "{started}");
            callee.event("invited").await;
            callee.request(json!({"method": "accept", "channelId": channel, "stay": 1})).await;
            let joined = caller.event("joined").await;
            took.push(begin.elapsed());
            caller.request(json!({"method": "leave", "channelId": channel, "reason": "hangup"})).await;
            callee.event("left").await;
            let ended = callee.event("ended").await;
            if (took.len() as u64).is_multiple_of(CALLS_PER_PING) {
                for (client, last) in [(caller, joined), (callee, ended)] {
                    client.say(&json!({"type": "ping", "ack": last["seq"]})).await;
                    client.hear().await;
                }
            }
            tokio::time::sleep_until((begin + PACE).into()).await;
        }
        took
    }
}

/// Of the server, from the 14th and 15th field of proc(5), which count hundredths of a second.
fn cpu_seconds(server: &Server) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// Calls per second, calls per CPU-second of the server, and how long a set-up takes at p50 and p99.
async fn measure(server: &Server, pairs: usize) -> (f64, f64, [Duration; 2]) {
    let mut pairs = join_all((0..pairs).map(|number| Pair::new(server, number))).await;
    let (begin, cpu) = (Instant::now(), cpu_seconds(server));
    let end = begin + TIME;
    let mut took = join_all(pairs.iter_mut().map(|pair| pair.talk(end))).await.concat();
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds(server) - cpu);
    took.sort();
    let calls = took.len() as f64;
    (calls / seconds, calls / cpu, [took[took.len() / 2], took[took.len() * 99 / 100]])
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!(
        "| pairs at once | calls per second | per CPU-second of the server | to the target of {TARGET} | set-up p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|");
    for pairs in PAIRS {
        let server = Server::start_with(&["--invitations", "1000000"]);
        let (rate, per_cpu, [p50, p99]) = measure(&server, pairs).await;
        assert_eq!(server.metric("jmrtc_call_records_lost_total").await, 0, "every call has its record");
        println!("| {pairs} | {rate:.0} | {per_cpu:.0} | {:.2}x | {p50:.1?} | {p99:.1?} |", per_cpu / TARGET);
    }
}
