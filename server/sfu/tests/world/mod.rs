//! Clients, a shard and the network between them, on one clock that only the test moves.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jmrtc_sfu::{CallKey, LinkId, LinkState, Output, Shard, ShardConfig, Transport};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output as RtcOutput, Rtc};

const UDP: ([u8; 4], u16) = ([10, 9, 9, 9], 7882);
const TCP: ([u8; 4], u16) = ([10, 9, 9, 9], 7881);
const TICK: Duration = Duration::from_millis(5);
const FRAME: Duration = Duration::from_millis(20);

/// A packet that a client heard.
#[derive(Debug, Clone)]
pub struct Heard {
    pub slot: usize,
    /// The payload's first byte: the speaker's index.
    pub speaker: u8,
    pub ssrc: u32,
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub level: Option<i8>,
    pub voice: Option<bool>,
    pub at: Instant,
}

pub struct Client {
    rtc: Rtc,
    voice: Mid,
    slots: Vec<Mid>,
    transport: Transport,
    pub address: SocketAddr,
    /// Sends from this address instead, and so hears nothing back.
    pub forged: Option<SocketAddr>,
    pub unplugged: bool,
    pub level: i8,
    wake: Instant,
    sequence: u64,
    timestamp: u32,
    connected: bool,
    heard: Vec<Heard>,
}

impl Client {
    /// An offer of one voice and so many slots.
    pub fn offer(slots: usize) -> String {
        let address = ([10, 0, 0, 250], 5000).into();
        Self::new(Instant::now(), Transport::Udp, address, slots).1
    }

    fn new(
        now: Instant,
        transport: Transport,
        address: SocketAddr,
        slots: usize,
    ) -> (Self, String, SdpPendingOffer) {
        let mut rtc = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, true).build(now);
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
            forged: None,
            unplugged: false,
            level: -30,
            wake: now,
            sequence: 100,
            timestamp: 77,
            connected: false,
            heard: Vec::new(),
        };
        (client, offer.to_sdp_string(), pending)
    }

    pub fn close(&mut self) {
        self.rtc.close().unwrap();
    }

    fn say(&mut self, now: Instant, speaker: u8) {
        let opus = self.rtc.codec_config().find(|p| p.spec().codec == Codec::Opus).unwrap().pt();
        self.sequence += 1;
        let level = ExtensionValues {
            audio_level: Some(self.level),
            voice_activity: Some(true),
            ..ExtensionValues::default()
        };
        let packet = RtpWrite::new(opus, self.sequence.into(), self.timestamp, now, vec![speaker; 60]);
        self.rtc.direct_api().stream_tx_by_mid(self.voice, None).unwrap().write_rtp(packet.ext_vals(level));
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
                        sent.push((self.transport, self.forged.unwrap_or(self.address), t.contents.to_vec()));
                    }
                }
                RtcOutput::Event(Event::Connected) => self.connected = true,
                RtcOutput::Event(Event::RtpPacket(packet)) => {
                    let ssrc = packet.header.ssrc;
                    let mid = self.rtc.direct_api().stream_rx(&ssrc).unwrap().mid();
                    self.heard.push(Heard {
                        slot: self.slots.iter().position(|slot| *slot == mid).unwrap(),
                        speaker: packet.payload[0],
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

pub struct World {
    pub shard: Shard,
    pub clients: Vec<Client>,
    pub now: Instant,
    states: Vec<(LinkId, LinkState)>,
    seats: Vec<(LinkId, Vec<Option<LinkId>>)>,
    /// Some of what clients sent, to be damaged.
    sent: VecDeque<(Transport, SocketAddr, Vec<u8>)>,
    random: u64,
}

impl World {
    pub fn new() -> Self {
        let config =
            ShardConfig { udp: UDP.into(), tcp: Some(TCP.into()), max_offer_bytes: 48 * 1024, max_slots: 8 };
        Self {
            shard: Shard::new(config).unwrap(),
            clients: Vec::new(),
            now: Instant::now(),
            states: Vec::new(),
            seats: Vec::new(),
            sent: VecDeque::new(),
            random: std::collections::hash_map::RandomState::new().build_hasher().finish() | 1,
        }
    }

    pub fn link(&self, who: usize) -> LinkId {
        LinkId(who as u64 + 1)
    }

    pub fn join(&mut self, slots: usize) -> usize {
        self.join_over(Transport::Udp, slots)
    }

    pub fn join_over(&mut self, transport: Transport, slots: usize) -> usize {
        let who = self.clients.len();
        let address = ([10, 0, 0, who as u8 + 1], 5000).into();
        let (mut client, offer, pending) = Client::new(self.now, transport, address, slots);
        let answer = self.shard.open(self.now, self.link(who), &offer).unwrap();
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        client.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.clients.push(client);
        who
    }

    pub fn admit(&mut self, who: usize, call: CallKey) {
        self.shard.admit(self.now, self.link(who), call);
        self.settle();
    }

    pub fn run_until_connected(&mut self) {
        for _ in 0..1000 {
            if self.clients.iter().all(|client| client.connected || client.unplugged) {
                return;
            }
            self.run_for(TICK);
        }
        panic!("not connected within five seconds");
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TICK;
            self.shard.handle_timeout(self.now);
            self.settle();
        }
    }

    /// Each of `who` says `words` frames, and time goes by.
    pub fn talk(&mut self, who: &[usize], words: usize) {
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
    pub fn flood(&mut self, who: usize, frames: usize) {
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
    pub fn settle(&mut self) {
        loop {
            let mut sent = Vec::new();
            for client in self.clients.iter_mut().filter(|client| !client.unplugged) {
                client.poll(self.now, Input::Timeout(self.now), &mut sent);
            }
            for (transport, from, bytes) in &sent {
                self.shard.receive(self.now, *transport, *from, bytes);
            }
            self.sent.extend(sent);
            while self.sent.len() > 500 {
                self.sent.pop_front();
            }
            self.shard.flush(self.now);
            let mut quiet = true;
            while let Some(output) = self.shard.poll() {
                quiet = false;
                match output {
                    Output::Transmit { transport, to, bytes } => self.deliver(transport, to, &bytes),
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
            self.clients.iter_mut().filter(|c| c.transport == transport && c.address == to && !c.unplugged)
        {
            let receive = Receive { proto, source, destination: to, contents: bytes.try_into().unwrap() };
            client.poll(self.now, Input::Receive(self.now, receive), &mut sent);
        }
        for (transport, from, bytes) in sent {
            self.shard.receive(self.now, transport, from, &bytes);
        }
    }

    pub fn heard(&self, who: usize) -> &[Heard] {
        &self.clients[who].heard
    }

    /// Who is heard where, as last told.
    pub fn seated(&self, who: usize) -> Vec<Option<LinkId>> {
        let link = self.link(who);
        self.seats.iter().rev().find(|(l, _)| *l == link).map(|(_, seats)| seats.clone()).unwrap_or_default()
    }

    pub fn states(&self, who: usize) -> Vec<LinkState> {
        let link = self.link(who);
        self.states.iter().filter(|(l, _)| *l == link).map(|(_, state)| state.clone()).collect()
    }

    pub fn move_to_new_address(&mut self, who: usize) {
        self.clients[who].address = ([10, 0, 1, who as u8 + 1], 6000).into();
    }

    /// Restarts ICE, as a client does whose network has changed.
    pub fn restart_ice(&mut self, who: usize) {
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

    /// For failure messages.
    pub fn seed(&self) -> u64 {
        self.random
    }

    fn dice(&mut self, sides: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % sides
    }

    /// Sends noise, and damaged copies of what clients sent, from the addresses of `victims` and of strangers.
    pub fn garbage_at(&mut self, victims: &[usize], packets: usize) -> u64 {
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
    pub fn damage(&mut self, offer: &str) -> String {
        let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
        for _ in 0..1 + self.dice(4) {
            let at = self.dice(lines.len());
            let other = self.dice(lines.len());
            match self.dice(6) {
                0 if lines.len() > 1 => drop(lines.remove(at)),
                0 => {}
                1 => lines.swap(at, other),
                2 => lines.insert(at, lines[other].clone()),
                3 => lines.truncate(at.max(1)),
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
