//! Clients, a shard and the network between them, on one clock that only the test moves.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jmrtc_sfu::{CallKey, LinkId, LinkState, MemberKey, Output, Shard, ShardConfig, Transport};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output as RtcOutput, Rtc};

const UDP: ([u8; 4], u16) = ([10, 9, 9, 9], 7882);
const TCP: ([u8; 4], u16) = ([10, 9, 9, 9], 7881);
const TICK: Duration = Duration::from_millis(5);
const FRAME: Duration = Duration::from_millis(20);

/// A packet that a client heard.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) slot: usize,
    /// The payload's first byte: the speaker's index.
    pub(crate) speaker: u8,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) level: Option<i8>,
    pub(crate) voice: Option<bool>,
    /// Came as RED (RFC 2198).
    pub(crate) redundant: bool,
    pub(crate) at: Instant,
}

pub(crate) struct Client {
    rtc: Rtc,
    voice: Mid,
    slots: Vec<Mid>,
    transport: Transport,
    pub(crate) address: SocketAddr,
    /// What a NAT makes of it.
    pub(crate) outer: SocketAddr,
    /// Sends from this address instead, and so hears nothing back.
    pub(crate) forged: Option<SocketAddr>,
    pub(crate) unplugged: bool,
    pub(crate) level: i8,
    /// Sends RED.
    pub(crate) redundant: bool,
    pub(crate) frame_bytes: usize,
    wake: Instant,
    sequence: u64,
    timestamp: u32,
    connected: bool,
    heard: Vec<Heard>,
}

impl Client {
    /// An offer of one voice and so many slots.
    pub(crate) fn offer(slots: usize) -> String {
        let address = ([10, 0, 0, 250], 5000).into();
        Self::new(Instant::now(), Transport::Udp, address, slots, true).1
    }

    fn new(
        now: Instant,
        transport: Transport,
        address: SocketAddr,
        slots: usize,
        red: bool,
    ) -> (Self, String, SdpPendingOffer) {
        let mut rtc = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, red).build(now);
        rtc.add_local_candidate(candidate(transport, address));
        let mut api = rtc.sdp_api();
        let voice = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let slots = (0..slots)
            .map(|_| api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None))
            .collect();
        let (offer, pending) = api.apply().unwrap();
        let client = Self {
            rtc,
            voice,
            slots,
            transport,
            address,
            outer: address,
            forged: None,
            unplugged: false,
            level: -30,
            redundant: false,
            frame_bytes: 60,
            wake: now,
            sequence: 100,
            timestamp: 77,
            connected: false,
            heard: Vec::new(),
        };
        (client, offer.to_sdp_string(), pending)
    }

    pub(crate) fn close(&mut self) {
        self.rtc.close().unwrap();
    }

    fn say(&mut self, now: Instant, speaker: u8) {
        let (opus, red) = self.payload_types();
        self.sequence += 1;
        let voice = vec![speaker; self.frame_bytes];
        // A RED payload of one block: its header, then the frame.
        let payload = if self.redundant { [vec![*opus], voice].concat() } else { voice };
        let payload_type = if self.redundant { red.unwrap() } else { opus };
        let level = ExtensionValues {
            audio_level: Some(self.level),
            voice_activity: Some(true),
            ..ExtensionValues::default()
        };
        let packet = RtpWrite::new(payload_type, self.sequence.into(), self.timestamp, now, payload);
        self.rtc.direct_api().stream_tx_by_mid(self.voice, None).unwrap().write_rtp(packet.ext_vals(level));
    }

    fn payload_types(&self) -> (Pt, Option<Pt>) {
        let opus = self.rtc.codec_config().find(|p| p.spec().codec == Codec::Opus).unwrap();
        (opus.pt(), opus.red())
    }

    fn poll(&mut self, now: Instant, input: Input<'_>, sent: &mut Vec<(Transport, SocketAddr, Vec<u8>)>) {
        self.rtc.handle_input(input).unwrap();
        loop {
            match self.rtc.poll_output().unwrap() {
                RtcOutput::Timeout(at) => {
                    self.wake = at;
                    return;
                }
                RtcOutput::Transmit(t) => {
                    if t.source == self.address || self.forged.is_some() {
                        sent.push((self.transport, self.forged.unwrap_or(self.outer), t.contents.to_vec()));
                    }
                }
                RtcOutput::Event(Event::Connected) => self.connected = true,
                RtcOutput::Event(Event::RtpPacket(packet)) => {
                    let ssrc = packet.header.ssrc;
                    let redundant = Some(packet.header.payload_type) == self.payload_types().1;
                    let mid = self.rtc.direct_api().stream_rx(&ssrc).unwrap().mid();
                    self.heard.push(Heard {
                        slot: self.slots.iter().position(|slot| *slot == mid).unwrap(),
                        speaker: packet.payload[usize::from(redundant)],
                        redundant,
                        ssrc: *ssrc,
                        sequence: *packet.seq_no,
                        timestamp: packet.header.timestamp,
                        marker: packet.header.marker,
                        level: packet.header.ext_vals.audio_level,
                        voice: packet.header.ext_vals.voice_activity,
                        at: now,
                    });
                }
                RtcOutput::Event(_) => {}
            }
        }
    }
}

fn candidate(transport: Transport, address: SocketAddr) -> Candidate {
    match transport {
        Transport::Udp => Candidate::host(address, "udp").unwrap(),
        Transport::Tcp => Candidate::builder().tcp().host(address).tcptype(TcpType::Active).build().unwrap(),
    }
}

pub(crate) struct World {
    pub(crate) shard: Shard,
    pub(crate) clients: Vec<Client>,
    pub(crate) now: Instant,
    /// Real time in the shard.
    pub(crate) spent: Duration,
    /// Bytes of this process, where somebody counts them, and those of them that the shard holds.
    pub(crate) memory: fn() -> usize,
    pub(crate) held: i64,
    states: Vec<(LinkId, LinkState)>,
    seats: Vec<(LinkId, Vec<Option<LinkId>>)>,
    /// Some of what clients sent, to be damaged.
    sent: VecDeque<(Transport, SocketAddr, Vec<u8>)>,
    random: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let config =
            ShardConfig { udp: UDP.into(), tcp: Some(TCP.into()), max_offer_bytes: 48 * 1024, max_slots: 8 };
        Self {
            shard: Shard::new(config).unwrap(),
            clients: Vec::new(),
            now: Instant::now(),
            spent: Duration::ZERO,
            memory: || 0,
            held: 0,
            states: Vec::new(),
            seats: Vec::new(),
            sent: VecDeque::new(),
            random: std::collections::hash_map::RandomState::new().build_hasher().finish() | 1,
        }
    }

    pub(crate) fn link(&self, who: usize) -> LinkId {
        LinkId(who as u64 + 1)
    }

    pub(crate) fn join(&mut self, slots: usize) -> usize {
        self.join_as(Transport::Udp, slots, true)
    }

    pub(crate) fn join_as(&mut self, transport: Transport, slots: usize, red: bool) -> usize {
        let who = self.clients.len();
        let [high, low] = (who as u16 + 1).to_be_bytes();
        let address = ([10, 0, high, low], 5000).into();
        let (mut client, offer, pending) = Client::new(self.now, transport, address, slots, red);
        let (now, link) = (self.now, self.link(who));
        let answer = self.relay(|shard| shard.open(now, link, &offer)).unwrap();
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        client.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.clients.push(client);
        who
    }

    pub(crate) fn admit(&mut self, who: usize, call: CallKey) {
        let (now, link) = (self.now, self.link(who));
        self.relay(|shard| shard.admit(now, link, call, MemberKey(who as u64)));
        self.settle();
    }

    pub(crate) fn run_until_connected(&mut self) {
        for _ in 0..1000 {
            if self.clients.iter().all(|client| client.connected || client.unplugged) {
                return;
            }
            self.run_for(TICK);
        }
        panic!("not connected within five seconds");
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TICK;
            let now = self.now;
            self.relay(|shard| shard.handle_timeout(now));
            self.settle();
        }
    }

    /// Each of `who` says `words` frames, and time goes by.
    pub(crate) fn talk(&mut self, who: &[usize], words: usize) {
        for _ in 0..words {
            for speaker in who {
                let now = self.now;
                self.clients[*speaker].timestamp = self.clients[*speaker].timestamp.wrapping_add(960);
                self.clients[*speaker].say(now, *speaker as u8);
            }
            self.run_for(FRAME);
        }
    }

    /// `who` says a number of frames within one second.
    pub(crate) fn flood(&mut self, who: usize, frames: usize) {
        for _ in 0..50 {
            for _ in 0..frames / 50 {
                let now = self.now;
                self.clients[who].timestamp = self.clients[who].timestamp.wrapping_add(24);
                self.clients[who].say(now, who as u8);
            }
            self.run_for(FRAME);
        }
    }

    /// Delivers until nothing is on its way.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut sent = Vec::new();
            for client in self.clients.iter_mut().filter(|client| !client.unplugged) {
                client.poll(self.now, Input::Timeout(self.now), &mut sent);
            }
            let now = self.now;
            for (transport, from, bytes) in &sent {
                self.relay(|shard| shard.receive(now, *transport, *from, bytes));
            }
            self.sent.extend(sent);
            while self.sent.len() > 500 {
                self.sent.pop_front();
            }
            self.relay(|shard| shard.flush(now));
            let mut quiet = true;
            while let Some(output) = self.relay(Shard::poll) {
                quiet = false;
                match output {
                    Output::Transmit { transport, to, bytes } => {
                        // Ours from now on.
                        self.held -= bytes.capacity() as i64;
                        self.deliver(transport, to, &bytes);
                    }
                    Output::Slots { link, sources } => self.seats.push((link, sources)),
                    Output::State { link, state } => self.states.push((link, state)),
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn deliver(&mut self, transport: Transport, to: SocketAddr, bytes: &[u8]) {
        let (proto, source) = match transport {
            Transport::Udp => (Protocol::Udp, UDP.into()),
            Transport::Tcp => (Protocol::Tcp, TCP.into()),
        };
        let mut sent = Vec::new();
        for client in
            self.clients.iter_mut().filter(|c| c.transport == transport && c.outer == to && !c.unplugged)
        {
            let receive =
                Receive { proto, source, destination: client.address, contents: bytes.try_into().unwrap() };
            client.poll(self.now, Input::Receive(self.now, receive), &mut sent);
        }
        let now = self.now;
        for (transport, from, bytes) in sent {
            self.relay(|shard| shard.receive(now, transport, from, &bytes));
        }
    }

    /// Lets the shard work, and keeps the time and memory that it takes.
    fn relay<T>(&mut self, work: impl FnOnce(&mut Shard) -> T) -> T {
        let before = (self.memory)();
        let begin = Instant::now();
        let done = work(&mut self.shard);
        self.spent += begin.elapsed();
        self.held += (self.memory)() as i64 - before as i64;
        done
    }

    pub(crate) fn heard(&self, who: usize) -> &[Heard] {
        &self.clients[who].heard
    }

    /// Who is heard where, as last told.
    pub(crate) fn seated(&self, who: usize) -> Vec<Option<LinkId>> {
        let link = self.link(who);
        self.seats.iter().rev().find(|(l, _)| *l == link).map(|(_, seats)| seats.clone()).unwrap_or_default()
    }

    pub(crate) fn states(&self, who: usize) -> Vec<LinkState> {
        let link = self.link(who);
        self.states.iter().filter(|(l, _)| *l == link).map(|(_, state)| state.clone()).collect()
    }

    pub(crate) fn move_to_new_address(&mut self, who: usize) {
        self.clients[who].address = ([10, 0, 1, who as u8 + 1], 6000).into();
        self.clients[who].outer = self.clients[who].address;
    }

    /// A NAT that has forgotten the client gives it another address.
    pub(crate) fn nat_forgets(&mut self, who: usize) {
        let outer = &mut self.clients[who].outer;
        outer.set_port(outer.port() + 1);
    }

    /// What a client sent last, from where.
    pub(crate) fn last_sent(&self, who: usize) -> (Transport, SocketAddr, Vec<u8>) {
        let from = self.clients[who].outer;
        self.sent.iter().rev().find(|(_, sender, _)| *sender == from).unwrap().clone()
    }

    /// Restarts ICE, as a client does whose network has changed.
    pub(crate) fn restart_ice(&mut self, who: usize) {
        let (link, now) = (self.link(who), self.now);
        let client = &mut self.clients[who];
        let mut api = client.rtc.sdp_api();
        api.ice_restart(false);
        let (offer, pending) = api.apply().unwrap();
        let answer = self.shard.renew(now, link, &offer.to_sdp_string()).unwrap();
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        client.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        client.rtc.add_local_candidate(candidate(client.transport, client.address));
        // str0m tells `Connected` once in a life, so the test looks at what comes through instead.
        self.run_for(Duration::from_secs(2));
    }

    /// How often random tests try; more with `JMRTC_TEST_ROUNDS=100`.
    pub(crate) fn rounds(base: usize) -> usize {
        base * std::env::var("JMRTC_TEST_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
    }

    /// For failure messages.
    pub(crate) fn seed(&self) -> u64 {
        self.random
    }

    fn dice(&mut self, sides: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % sides
    }

    /// Sends noise, and damaged copies of what clients sent, from the addresses of `victims` and of strangers.
    pub(crate) fn garbage_at(&mut self, victims: &[usize], packets: usize) -> u64 {
        let seed = self.seed();
        for n in 0..packets {
            let victim = victims[self.dice(victims.len())];
            let victim = self.clients[victim].address;
            let stranger = ([192, 168, self.dice(256) as u8, 1], 1000 + self.dice(5) as u16).into();
            let transport = if self.dice(4) == 0 { Transport::Tcp } else { Transport::Udp };
            let (transport, from, bytes) = if self.dice(2) == 0 {
                let length = self.dice(120);
                let mut noise: Vec<u8> = (0..length).map(|_| self.dice(256) as u8).collect();
                // The first bytes of STUN, DTLS, RTP and RTCP, so that it gets further than the door.
                if let Some(first) = noise.first_mut() {
                    *first = [*first, 0, 1, 20, 22, 23, 0x80, 0x90][n % 8];
                }
                (transport, if n % 3 == 0 { stranger } else { victim }, noise)
            } else {
                let pick = self.dice(self.sent.len());
                let (transport, from, mut bytes) = self.sent[pick].clone();
                if self.dice(3) == 0 {
                    bytes.truncate(self.dice(bytes.len()));
                }
                for _ in 0..1 + self.dice(4) {
                    let at = self.dice(bytes.len().max(1));
                    let mask = 1 + self.dice(255) as u8;
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= mask;
                    }
                }
                (transport, from, bytes)
            };
            self.shard.receive(self.now, transport, from, &bytes);
            if n % 64 == 0 {
                self.settle();
            }
        }
        self.settle();
        seed
    }

    /// A damaged copy of an offer.
    pub(crate) fn damage(&mut self, offer: &str) -> String {
        let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
        for _ in 0..1 + self.dice(4) {
            let at = self.dice(lines.len());
            let other = self.dice(lines.len());
            match self.dice(8) {
                0 if lines.len() > 1 => drop(lines.remove(at)),
                0 => {}
                1 => lines.swap(at, other),
                2 => lines.insert(at, lines[other].clone()),
                3 => lines.truncate(at.max(1)),
                5 | 6 => {
                    // Another number, e.g. of a payload type, in place of a digit.
                    let number = [0, 9, 63, 96, 111, 127, 128, 255, 65_536][self.dice(9)].to_string();
                    if let Some(digit) = lines[at].find(|c: char| c.is_ascii_digit()) {
                        lines[at].replace_range(digit..=digit, &number);
                    }
                }
                kind => {
                    let line: Vec<char> = lines[at].chars().collect();
                    let (head, tail) = line.split_at(self.dice(line.len() + 1));
                    let noise: Vec<char> = (0..self.dice(30))
                        .map(|_| char::from_u32(32 + self.dice(400) as u32).unwrap())
                        .collect();
                    let parts = if kind == 4 { vec![head] } else { vec![head, &noise, tail] };
                    lines[at] = parts.concat().into_iter().collect();
                }
            }
        }
        lines.join("\r\n") + "\r\n"
    }
}
