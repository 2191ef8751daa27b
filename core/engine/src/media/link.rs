//! One peer connection to the server, on the sans-IO core of the webrtc project: packets and time go
//! in, packets and events come out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use jmrtc_audio::{EncodedFrame, RtpFrame};
use log::debug;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::ice::network_type::NetworkType;
use rtc::ice::tcp_type::TcpType;
use rtc::interceptor::{Registry, Slot as ChainSlot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
use rtc::peer_connection::configuration::setting_engine::{SettingEngine, SettingEngineBuilder};
use rtc::peer_connection::event::{RTCPeerConnectionEvent, RTCTrackEvent};
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::{RTCIceConnectionState, RTCPeerConnectionState};
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::rtp_transceiver::{
    RTCRtpReceiverId, RTCRtpSenderId, RTCRtpTransceiverDirection, RTCRtpTransceiverInit,
};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use rtc::statistics::StatsSelector;

use super::flight::Flight;
use super::mapped::Mapped;
use super::reception::Reception;
use super::reports::Reports;
use super::sockets::Path;
use crate::stats::Transport;

const OPUS_PAYLOAD_TYPE: u8 = 111;
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// Nearer the wire than anything that could take reports out of the chain.
const REPORT_READER: ChainSlot = ChainSlot::Custom(500);

/// Between two rounds of connectivity checks. The default of 200 ms costs twice that at each call's start.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Checks per pair. The default of 7 gives a path up for good that is dead for the first moments.
const MAX_CHECKS: u16 = 1000;
/// Without a sign of the server for this long the link counts as disconnected …
const DISCONNECTED_AFTER: Duration = Duration::from_millis(1_500);
/// … and as failed after this long besides, also while connecting.
const FAILED_AFTER: Duration = Duration::from_secs(12);
/// Between the checks of a link that is up: by their answers a NAT that forgets us is found (see `mapped`). Two in a row can
/// be lost and sound is back within a second. The agent looks every 200 ms at most: 250 would be 400.
const KEEPALIVE: Duration = Duration::from_millis(200);

/// What happens on a link.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// ICE and DTLS are up, again after an ICE restart.
    Connected,
    /// The server shows no sign of life, or sends to an address that is no longer ours.
    Disconnected,
    /// Beyond repair.
    Failed(String),
    /// A packet of sound in a receive slot.
    Rtp(usize, RtpFrame),
}

/// What the server says about our packets, and the path's round trip.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Feedback {
    /// None before the server has reported.
    pub(crate) loss: Option<f64>,
    pub(crate) rtt: Option<Duration>,
}

pub(crate) struct Link {
    pc: RTCPeerConnection,
    sending: Sending,
    slots: Vec<Slot>,
    reports: Reports,
    ice_up: bool,
    /// An ICE restart's offer, applied with its answer: until then the old path goes on.
    restart: Option<RTCSessionDescription>,
    transport: Option<Transport>,
    mapped: Mapped,
    flight: Flight,
    transmits: VecDeque<(Path, BytesMut)>,
    events: VecDeque<LinkEvent>,
}

struct Sending {
    id: RTCRtpSenderId,
    ssrc: u32,
    sequence: u16,
    /// Set while nothing is sent: the next packet begins a talk spurt.
    resting: bool,
    packets: u64,
    bytes: u64,
}

struct Slot {
    receiver: RTCRtpReceiverId,
    ssrc: Option<u32>,
    reception: Reception,
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

fn media_engine() -> Result<MediaEngine, Error> {
    let mut engine = MediaEngine::default();
    let codec = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OPUS_PAYLOAD_TYPE };
    engine.register_codec(codec, RtpCodecKind::Audio)?;
    for uri in [MID, AUDIO_LEVEL] {
        let capability = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
        engine.register_header_extension(capability, RtpCodecKind::Audio, None)?;
    }
    Ok(engine)
}

fn settings() -> SettingEngine {
    use NetworkType::{Tcp4, Tcp6, Udp4, Udp6};
    SettingEngineBuilder::new()
        .with_network_types(vec![Udp4, Udp6, Tcp4, Tcp6])
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(MAX_CHECKS))
        .with_ice_timeouts(Some(DISCONNECTED_AFTER), Some(FAILED_AFTER), Some(KEEPALIVE))
        .with_discard_local_candidates_during_ice_restart(true)
        .build()
}

impl Link {
    /// One `sendonly` line, then `slots` `recvonly` lines.
    pub(crate) fn new(now: Instant, slots: usize, random: [u8; 6]) -> Result<Self, Error> {
        let [a, b, c, d, e, f] = random;
        // Bit 31 stays clear: some stacks keep SSRCs in signed numbers. Sequence numbers start low so
        // that the first packets can't straddle a wrap (RFC 3711 section 3.3.1).
        let ssrc = u32::from_be_bytes([a & 0x7f, b, c, d]).max(1);
        let sequence = u16::from_be_bytes([e & 0x7f, f]);
        let reports = Reports::default();
        let interceptors = configure_rtcp_reports(Registry::new()).with(REPORT_READER, reports.reader(ssrc));
        let mut pc = RTCPeerConnectionBuilder::new()
            .with_media_engine(media_engine()?)
            .with_setting_engine(settings())
            .with_interceptor_registry(interceptors)
            .build(now)?;
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: opus(),
            ..Default::default()
        };
        let (stream, track) = ("jmrtc".to_owned(), "microphone".to_owned());
        let track =
            MediaStreamTrack::new(stream.clone(), track.clone(), track, RtpCodecKind::Audio, vec![encoding]);
        let init =
            |direction, streams| Some(RTCRtpTransceiverInit { direction, streams, send_encodings: vec![] });
        let sendonly = init(RTCRtpTransceiverDirection::Sendonly, vec![stream]);
        let id = pc.add_transceiver_from_track(track, sendonly)?.into();
        let slots = (0..slots)
            .map(|_| {
                let recvonly = init(RTCRtpTransceiverDirection::Recvonly, vec![]);
                let receiver = pc.add_transceiver_from_kind(RtpCodecKind::Audio, recvonly)?.into();
                Ok(Slot { receiver, ssrc: None, reception: Reception::default() })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            pc,
            sending: Sending { id, ssrc, sequence, resting: true, packets: 0, bytes: 0 },
            slots,
            reports,
            ice_up: false,
            restart: None,
            transport: None,
            mapped: Mapped::default(),
            flight: Flight::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    /// The first offer. It names no address of ours: the server learns the one that reaches it from the checks.
    pub(crate) fn offer(&mut self, now: Instant) -> Result<String, Error> {
        let offer = self.pc.create_offer(None)?;
        let sdp = offer.sdp.clone();
        self.pc.set_local_description(now, offer)?;
        Ok(sdp)
    }

    /// The offer of an ICE restart. The path there is goes on until [`Self::answer`].
    pub(crate) fn restart(&mut self) -> Result<String, Error> {
        self.pc.restart_ice();
        let offer = self.pc.create_offer(None)?;
        let sdp = offer.sdp.clone();
        self.restart = Some(offer);
        Ok(sdp)
    }

    /// The answer to the last offer. Local candidates are to be added after it.
    pub(crate) fn answer(&mut self, now: Instant, sdp: String) -> Result<(), Error> {
        if let Some(offer) = self.restart.take() {
            self.ice_up = false;
            self.mapped = Mapped::default();
            self.pc.set_local_description(now, offer)?;
        }
        self.pc.set_remote_description(now, RTCSessionDescription::answer(sdp)?)?;
        self.pump(now);
        Ok(())
    }

    /// A local address to check paths from; for TCP that of a stream which is open.
    pub(crate) fn add_local(
        &mut self,
        now: Instant,
        transport: Transport,
        addr: SocketAddr,
    ) -> Result<(), Error> {
        let (network, port, tcp_type) = match transport {
            Transport::Udp => ("udp", addr.port(), TcpType::Unspecified),
            // RFC 6544 section 4.1: an active candidate's port is not known to anyone, 9 stands for it.
            Transport::Tcp => ("tcp", 9, TcpType::Active),
        };
        let base_config = CandidateConfig {
            network: network.to_owned(),
            address: addr.ip().to_string(),
            port,
            component: 1,
            ..Default::default()
        };
        let candidate = CandidateHostConfig { base_config, tcp_type }.new_candidate_host()?;
        self.pc.add_local_candidate(RTCIceCandidate::from(&candidate).to_json()?)?;
        self.timeout(now);
        Ok(())
    }

    pub(crate) fn receive(&mut self, now: Instant, path: Path, message: BytesMut) {
        if self.mapped.is_news(path.local, &message) && self.ice_up {
            self.events.push_back(LinkEvent::Disconnected);
        }
        let transport_protocol = match path.transport {
            Transport::Udp => TransportProtocol::UDP,
            Transport::Tcp => TransportProtocol::TCP,
        };
        let transport =
            TransportContext { local_addr: path.local, peer_addr: path.peer, transport_protocol, ecn: None };
        if let Err(e) = self.pc.handle_read(TaggedBytesMut { now, transport, message }) {
            debug!("a packet of {} is of no use: {e}", path.peer);
        }
        if !self.ice_up {
            self.jump(now);
        }
        self.pump(now);
    }

    /// Sends one frame; before the link is up it is lost.
    pub(crate) fn send(&mut self, now: Instant, frame: EncodedFrame) {
        let sending = &mut self.sending;
        let Some(mut sender) = self.pc.rtp_sender(sending.id) else { return };
        let mut packet = rtc::rtp::Packet::default();
        packet.header.version = 2;
        packet.header.payload_type = OPUS_PAYLOAD_TYPE;
        packet.header.ssrc = sending.ssrc;
        packet.header.sequence_number = sending.sequence;
        packet.header.timestamp = frame.timestamp;
        packet.header.marker = frame.marker || sending.resting;
        let extensions = &sender.get_parameters().rtp_parameters.header_extensions;
        if let Some(id) =
            extensions.iter().find(|e| e.uri == AUDIO_LEVEL).and_then(|e| u8::try_from(e.id).ok())
        {
            // RFC 6464: voice activity, then the level in -dBov.
            let level = u8::from(frame.voice) << 7 | frame.level.min(127);
            if let Err(e) = packet.header.set_extension(id, Bytes::copy_from_slice(&[level])) {
                debug!("no level with a packet: {e}");
            }
        }
        let bytes = frame.payload.len() as u64;
        packet.payload = Bytes::from(frame.payload);
        match sender.write_rtp(now, packet) {
            Ok(()) => {
                sending.sequence = sending.sequence.wrapping_add(1);
                sending.resting = false;
                sending.packets += 1;
                sending.bytes += bytes;
            }
            Err(e) => debug!("a frame is not sent: {e}"),
        }
        self.pump(now);
    }

    /// Sending pauses: the next frame begins a talk spurt.
    pub(crate) fn rest(&mut self) {
        self.sending.resting = true;
    }

    /// When [`Self::timeout`] is due.
    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        self.pc.poll_timeout().into_iter().chain(self.flight.next_timeout()).min()
    }

    pub(crate) fn timeout(&mut self, now: Instant) {
        self.transmits.extend(self.flight.timeout(now).iter().cloned());
        self.tick(now);
        self.pump(now);
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<(Path, BytesMut)> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// Says goodbye; the last packets come from [`Self::poll_transmit`].
    pub(crate) fn close(&mut self) {
        if let Err(e) = self.pc.close() {
            debug!("closing a link: {e}");
        }
        self.collect_transmits();
    }

    /// What carries the sound; `None` before the link is up.
    pub(crate) fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// Packets and payload bytes sent.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.sending.packets, self.sending.bytes)
    }

    /// Reception in each slot.
    pub(crate) fn receptions(&mut self) -> impl Iterator<Item = &mut Reception> {
        self.slots.iter_mut().map(|s| &mut s.reception)
    }

    /// From RTCP and the ICE checks; costs about as much as a few packets.
    pub(crate) fn feedback(&mut self, now: Instant) -> Feedback {
        let mut feedback = Feedback { loss: self.reports.loss(), rtt: None };
        for pair in self.pc.get_stats(now, StatsSelector::None).candidate_pairs() {
            if pair.nominated && pair.current_round_trip_time > 0.0 {
                feedback.rtt = Some(Duration::from_secs_f64(pair.current_round_trip_time));
            }
        }
        feedback
    }

    fn tick(&mut self, now: Instant) {
        if let Err(e) = self.pc.handle_timeout(now) {
            debug!("link timeout: {e}");
        }
    }

    /// While connecting an answered check waits for the next round to be used. The agent is told that
    /// its round has come; `CHECK_INTERVAL` bounds the lie about the time.
    fn jump(&mut self, now: Instant) {
        if let Some(next) = self.pc.poll_timeout()
            && next < now + 2 * CHECK_INTERVAL
        {
            self.tick(next.max(now));
        }
    }

    /// Takes everything out of the peer connection. Each part can fill the others again.
    fn pump(&mut self, now: Instant) {
        loop {
            let mut dry = !self.collect_transmits();
            while let Some(event) = self.pc.poll_event() {
                dry = false;
                self.event(now, event);
            }
            while let Some(tagged) = self.pc.poll_read() {
                dry = false;
                self.message(tagged.now, tagged.message);
            }
            if dry {
                return;
            }
        }
    }

    /// Whether there were any.
    fn collect_transmits(&mut self) -> bool {
        let before = self.transmits.len();
        while let Some(TaggedBytesMut { now, transport, message }) = self.pc.poll_write() {
            let path = Path {
                transport: if transport.transport_protocol == TransportProtocol::TCP {
                    Transport::Tcp
                } else {
                    Transport::Udp
                },
                local: transport.local_addr,
                peer: transport.peer_addr,
            };
            // RFC 7983: STUN begins with 0 to 3. All else goes over the path that ICE selected.
            if message.first().is_some_and(|b| *b > 3) {
                self.transport = Some(path.transport);
                self.flight.sent(now, path, &message);
            } else {
                self.mapped.sent(&message);
            }
            self.transmits.push_back((path, message));
        }
        self.transmits.len() > before
    }

    fn event(&mut self, now: Instant, event: RTCPeerConnectionEvent) {
        if let RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(state) = &event {
            debug!("ice {state}");
            if *state == RTCIceConnectionState::Connected {
                self.ice_up = true;
                // The DTLS hello is queued now, but would leave only with the next timeout.
                self.tick(now);
            }
        } else if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = &event {
            debug!("link {state}");
            let event = match state {
                RTCPeerConnectionState::Connected => {
                    self.flight.done();
                    LinkEvent::Connected
                }
                RTCPeerConnectionState::Disconnected => LinkEvent::Disconnected,
                RTCPeerConnectionState::Failed => {
                    LinkEvent::Failed("no way to the server was found".to_owned())
                }
                RTCPeerConnectionState::Closed => LinkEvent::Failed("closed by the server".to_owned()),
                RTCPeerConnectionState::Unspecified
                | RTCPeerConnectionState::New
                | RTCPeerConnectionState::Connecting
                | _ => return,
            };
            self.events.push_back(event);
        } else if let RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(track)) = &event
            && let Some(slot) = self.slots.iter_mut().find(|s| s.receiver == track.receiver_id)
        {
            slot.ssrc = Some(track.ssrc);
        }
    }

    fn message(&mut self, arrival: Instant, message: RTCMessage) {
        let RTCMessage::RtpPacket(_, packet) = message else { return };
        let Some(slot) = self.slots.iter().position(|s| s.ssrc == Some(packet.header.ssrc)) else { return };
        let header = &packet.header;
        self.slots[slot].reception.packet(
            arrival,
            header.sequence_number,
            header.timestamp,
            packet.payload.len(),
        );
        let frame = RtpFrame {
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            marker: header.marker,
            payload: packet.payload,
            arrival,
        };
        self.events.push_back(LinkEvent::Rtp(slot, frame));
    }
}
