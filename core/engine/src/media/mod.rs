//! The media link with its sockets and its clock.

mod flight;
mod link;
mod mapped;
mod reception;
mod reports;
mod sdp;
mod sockets;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jmrtc_audio::{EncodedFrame, RtpFrame};
use jmrtc_call::{Generation, LinkSample, MediaEvent};
use log::{debug, info};

use self::link::{Feedback, Link, LinkEvent};
use self::sockets::{Incoming, Sockets};
use crate::config::NetworkConfig;
use crate::stats::{SlotStats, Stats, Transport};

/// Between two looks at RTCP and the ICE checks.
const FEEDBACK_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at the system's way to the server. Phones are told of a new network; desktops are not, and not all phones at once.
const ROUTE_INTERVAL: Duration = Duration::from_millis(250);
/// When there is nothing else to wait for.
const FAR: Duration = Duration::from_secs(60);

/// What comes out of a media link.
#[derive(Debug)]
pub(crate) enum MediaOutput {
    /// For the machine.
    Event(MediaEvent),
    /// A packet of sound in a receive slot.
    Sound(usize, RtpFrame),
    /// How the last second was.
    Measured(LinkSample),
    /// The system leads to the server over another network now.
    Moved,
}

/// One link of the machine's, named by its generation.
pub(crate) struct Media {
    pub(crate) generation: Generation,
    network: NetworkConfig,
    link: Link,
    sockets: Sockets,
    tcp: Fallback,
    outputs: VecDeque<MediaOutput>,
    answered: Option<Instant>,
    setup: Option<Duration>,
    /// When to look at the way to the server; none while a new one is being made.
    look: Option<Instant>,
    meter: Meter,
}

/// Where the server takes TCP, and whether it is time to try.
enum Fallback {
    None,
    At(Instant, std::net::SocketAddr),
    Tried,
}

/// Turns counters into rates, once a second.
struct Meter {
    next: Instant,
    /// Packets sent and received.
    packets: (u64, u64),
    sent: u64,
    received: u64,
    up: u64,
    down: u64,
    loss_down: f64,
    feedback: Feedback,
}

impl Media {
    /// A link and its first offer.
    pub(crate) fn open(
        generation: Generation,
        slots: u8,
        network: NetworkConfig,
    ) -> Result<(Self, String), String> {
        let now = Instant::now();
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|e| e.to_string())?;
        let mut link = Link::new(now, usize::from(slots), random).map_err(|e| e.to_string())?;
        let offer = link.offer(now).map_err(|e| e.to_string())?;
        let meter = Meter {
            next: now + FEEDBACK_INTERVAL,
            packets: (0, 0),
            sent: 0,
            received: 0,
            up: 0,
            down: 0,
            loss_down: 0.0,
            feedback: Feedback::default(),
        };
        let media = Self {
            generation,
            network,
            link,
            sockets: Sockets::default(),
            tcp: Fallback::None,
            outputs: VecDeque::new(),
            answered: None,
            setup: None,
            look: None,
            meter,
        };
        Ok((media, offer))
    }

    /// The offer of an ICE restart.
    pub(crate) fn restart(&mut self) -> Result<String, String> {
        self.look = None;
        self.link.restart().map_err(|e| e.to_string())
    }

    /// The server's answer: now it is known where to send, so sockets are made, also after a restart,
    /// where the address of the old ones may be gone.
    pub(crate) fn answer(&mut self, sdp: String) -> Result<(), String> {
        let now = Instant::now();
        let candidates = sdp::candidates(&sdp);
        self.link.answer(now, sdp).map_err(|e| e.to_string())?;
        self.answered = Some(now);
        self.sockets = Sockets::default();
        self.look = Some(now + ROUTE_INTERVAL);
        let mut problems = Vec::new();
        let of = |transport| move |c: &&sdp::Candidate| c.transport == transport;
        for candidate in candidates.iter().filter(of(Transport::Udp)).filter(|_| self.network.udp) {
            let added = match self.sockets.bind_towards(candidate.addr) {
                Ok(Some(local)) => self.link.add_local(now, Transport::Udp, local).map_err(|e| e.to_string()),
                Ok(None) => Ok(()),
                Err(e) => Err(e.to_string()),
            };
            if let Err(e) = added {
                problems.push(format!("udp {}: {e}", candidate.addr));
            }
        }
        let udp = !self.sockets.is_empty();
        self.tcp = match candidates.iter().find(of(Transport::Tcp)) {
            Some(c) => Fallback::At(if udp { now + self.network.tcp_after } else { now }, c.addr),
            None if udp => Fallback::None,
            None => return Err(format!("the server's answer leads nowhere: {}", problems.join(", "))),
        };
        self.pump();
        Ok(())
    }

    /// Sends one frame of the microphone.
    pub(crate) fn send(&mut self, frame: EncodedFrame) {
        self.link.send(Instant::now(), frame);
        self.pump();
    }

    /// Nothing is sent for a while.
    pub(crate) fn rest(&mut self) {
        self.link.rest();
    }

    /// Waits for the network or the clock and takes in what comes. May be dropped and called again without loss.
    pub(crate) async fn step(&mut self) {
        let due = self.due();
        tokio::select! {
            incoming = self.sockets.next() => self.incoming(incoming),
            () = tokio::time::sleep_until(due.into()) => self.timeout(),
        }
        self.pump();
    }

    pub(crate) fn poll_output(&mut self) -> Option<MediaOutput> {
        self.outputs.pop_front()
    }

    /// Says goodbye to the server.
    pub(crate) fn close(mut self) {
        self.link.close();
        self.pump();
    }

    /// Fills in the link's part.
    pub(crate) fn stats(&mut self, stats: &mut Stats) {
        stats.transport = self.link.transport();
        stats.link_setup_ms = self.setup.map(ms);
        stats.rtt_ms = self.meter.feedback.rtt.map(ms);
        stats.loss_up = self.meter.feedback.loss.unwrap_or(0.0);
        stats.loss_down = self.meter.loss_down;
        stats.bitrate_up = self.meter.up;
        stats.bitrate_down = self.meter.down;
        stats.packets_sent = self.link.sent().0;
        for (slot, reception) in self.link.receptions().enumerate() {
            stats.packets_received += reception.received();
            stats.jitter_ms = stats.jitter_ms.max(ms(reception.jitter()));
            if reception.received() > 0 {
                let (received, lost) = (reception.received(), reception.lost());
                stats.slots.push(SlotStats { slot, received, lost, ..SlotStats::default() });
            }
        }
    }

    fn due(&mut self) -> Instant {
        let far = Instant::now() + FAR;
        let tcp = match self.tcp {
            Fallback::At(at, _) => at,
            Fallback::None | Fallback::Tried => far,
        };
        self.link.next_timeout().unwrap_or(far).min(tcp).min(self.meter.next).min(self.look.unwrap_or(far))
    }

    fn incoming(&mut self, incoming: Incoming) {
        let now = Instant::now();
        match incoming {
            Incoming::Packet(path, packet) => self.link.receive(now, path, packet),
            Incoming::TcpOpen { local } => {
                if let Err(e) = self.link.add_local(now, Transport::Tcp, local) {
                    debug!("no TCP candidate: {e}");
                }
            }
            Incoming::TcpGone { why } => {
                info!("media over TCP: {why}");
                if self.setup.is_some() && self.link.transport() == Some(Transport::Tcp) {
                    // ICE would need seconds to see it.
                    self.outputs.push_back(MediaOutput::Event(MediaEvent::Disconnected));
                }
            }
        }
    }

    fn timeout(&mut self) {
        let now = Instant::now();
        self.link.timeout(now);
        if let Fallback::At(at, addr) = self.tcp
            && at <= now
        {
            self.tcp = Fallback::Tried;
            self.sockets.connect_tcp(addr);
        }
        if self.meter.next <= now {
            self.measure(now);
        }
        if self.look.is_some_and(|at| at <= now) {
            let moved = self.sockets.are_outdated();
            self.look = (!moved).then(|| now + ROUTE_INTERVAL);
            if moved {
                info!("another network leads to the server");
                self.outputs.push_back(MediaOutput::Moved);
            }
        }
    }

    fn measure(&mut self, now: Instant) {
        let (packets_sent, sent) = self.link.sent();
        let (mut received, mut expected, mut lost) = (0, 0, 0);
        let (mut packets_received, mut jitter) = (0, 0.0_f64);
        for reception in self.link.receptions() {
            let (e, l) = reception.take_loss();
            received += reception.bytes();
            packets_received += reception.received();
            jitter = jitter.max(ms(reception.jitter()));
            expected += e;
            lost += l;
        }
        let feedback = self.link.feedback(now);
        let meter = &mut self.meter;
        let seconds = (now + FEEDBACK_INTERVAL - meter.next).as_secs_f64();
        let rate = |new: u64, old: u64| ((new - old) as f64 * 8.0 / seconds) as u64;
        meter.up = rate(sent, meter.sent);
        meter.down = rate(received, meter.received);
        (meter.sent, meter.received) = (sent, received);
        meter.loss_down = if expected == 0 { 0.0 } else { lost as f64 / expected as f64 };
        meter.feedback = feedback;
        meter.next = now + FEEDBACK_INTERVAL;
        let permille = |loss: f64| (1000.0 * loss).round() as u16;
        let sample = LinkSample {
            rtt_ms: feedback.rtt.map(|rtt| ms(rtt).round() as u32),
            jitter_ms: jitter.round() as u32,
            loss_up_permille: feedback.loss.map(permille),
            loss_down_permille: permille(meter.loss_down),
            sent: (packets_sent - meter.packets.0) as u32,
            received: (packets_received - meter.packets.1) as u32,
            ..LinkSample::default()
        };
        meter.packets = (packets_sent, packets_received);
        self.outputs.push_back(MediaOutput::Measured(sample));
    }

    /// From the link to the sockets and to the event loop.
    fn pump(&mut self) {
        while let Some((path, packet)) = self.link.poll_transmit() {
            self.sockets.send(path, &packet);
        }
        while let Some(event) = self.link.poll_event() {
            let output = match event {
                LinkEvent::Rtp(slot, frame) => MediaOutput::Sound(slot, frame),
                LinkEvent::Connected => {
                    self.tcp = Fallback::Tried;
                    self.setup = self.answered.map(|at| at.elapsed());
                    debug!("link {} is up over {:?}", self.generation, self.link.transport());
                    MediaOutput::Event(MediaEvent::Connected)
                }
                LinkEvent::Disconnected => MediaOutput::Event(MediaEvent::Disconnected),
                LinkEvent::Failed(why) => MediaOutput::Event(MediaEvent::Failed { why }),
            };
            self.outputs.push_back(output);
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
