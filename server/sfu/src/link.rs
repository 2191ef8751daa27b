//! One client's link: a str0m peer behind our own type, so that a leaner one can take its place.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use str0m::format::Codec;
use str0m::media::Pt;
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, IceConnectionState, Input, Output as RtcOutput, Rtc};

use crate::offer::Lines;
use crate::rewrite::Rewriter;
use crate::talk::Holder;
use crate::way::{Address, Sign, Way};
use crate::{
    CallKey, LinkId, LinkState, LinkStats, MemberKey, OfferError, Output, ShardConfig, Transport, red,
};

/// How often a client is told what of its voice was lost.
const REPORTS: Duration = Duration::from_secs(1);

/// Packets, and bytes of voice, that a link may send per second; Opus frames of 10 ms make 100, and 64 kbit/s with all of it
/// repeated once (RED) 16,000. The rest is dropped, so that one member can't make the relay flood the others.
const MAX_PACKETS_PER_SECOND: u32 = 200;
const MAX_BYTES_PER_SECOND: usize = 32_000;

pub(crate) struct Link {
    id: LinkId,
    rtc: Rtc,
    lines: Lines,
    state: LinkState,
    /// The call that it is admitted to, and as whose link.
    pub(crate) call: Option<(CallKey, MemberKey)>,
    pub(crate) stats: LinkStats,
    /// Who is heard in which slot, and the stream of each.
    pub(crate) holders: Vec<Option<Holder>>,
    streams: Vec<Rewriter>,
    pub(crate) way: Way,
    /// The SSRC of the client's voice.
    pub(crate) ssrc: Option<u32>,
    /// When str0m wants to be woken.
    pub(crate) wake: Instant,
    /// The present second, and what came in it.
    window: (Instant, u32, usize),
}

/// A packet of a client's voice, of a kind that can be forwarded.
pub(crate) struct Voice {
    pub(crate) ssrc: u32,
    sequence: u64,
    pub(crate) timestamp: u32,
    marker: bool,
    payload: Arc<[u8]>,
    redundant: bool,
    /// The sender's payload type of Opus, which names the blocks of a redundant payload.
    opus: Pt,
    pub(crate) level: Option<i8>,
    activity: Option<bool>,
}

impl Link {
    /// Makes the link and the answer to its offer.
    pub(crate) fn open(
        now: Instant,
        id: LinkId,
        offer: &str,
        config: &ShardConfig,
        cert: &DtlsCert,
    ) -> Result<(Self, String), OfferError> {
        let lines = Lines::read(offer, config.max_offer_bytes, config.max_slots)?;
        let mut rtc = Rtc::builder()
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_dtls_cert(cert.clone())
            .clear_codecs()
            .enable_opus(true, true)
            // Senders protect their voice by what these reports say is lost; the default of 5 s is too late.
            .set_rtcp_report_interval_audio(REPORTS)
            .build(now);
        let unusable = |e: &dyn std::fmt::Display| OfferError::Unusable(e.to_string());
        rtc.add_local_candidate(Candidate::host(config.udp, "udp").map_err(|e| unusable(&e))?);
        if let Some(tcp) = config.tcp {
            let candidate = Candidate::builder().tcp().host(tcp).tcptype(TcpType::Passive).build();
            rtc.add_local_candidate(candidate.map_err(|e| unusable(&e))?);
        }
        let slots = lines.slots.len();
        let mut link = Self {
            id,
            rtc,
            lines,
            state: LinkState::Opening,
            call: None,
            stats: LinkStats::default(),
            holders: vec![None; slots],
            streams: std::iter::repeat_with(Rewriter::default).take(slots).collect(),
            way: Way::default(),
            ssrc: None,
            wake: now,
            window: (now, 0, 0),
        };
        let answer = link.accept(offer)?;
        Ok((link, answer))
    }

    /// The answer to an offer that restarts ICE.
    pub(crate) fn renew(&mut self, offer: &str, config: &ShardConfig) -> Result<String, OfferError> {
        if Lines::read(offer, config.max_offer_bytes, config.max_slots)? != self.lines {
            return Err(OfferError::OtherLines);
        }
        self.accept(offer)
    }

    fn accept(&mut self, offer: &str) -> Result<String, OfferError> {
        let unusable = |e: &dyn std::fmt::Display| OfferError::Unusable(e.to_string());
        let offer = SdpOffer::from_sdp_string(offer).map_err(|e| unusable(&e))?;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(|e| unusable(&e))?;
        if self.opus().is_none() {
            return Err(OfferError::Unusable("no Opus in it".to_owned()));
        }
        Ok(answer.to_sdp_string())
    }

    /// The name by which the client's STUN requests call this link.
    pub(crate) fn fragment(&mut self) -> String {
        self.rtc.direct_api().local_ice_credentials().ufrag
    }

    pub(crate) fn slots(&self) -> usize {
        self.holders.len()
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, LinkState::Dead(_))
    }

    /// Whether the input is authentic STUN for this link, or comes from where the link's packets come from.
    pub(crate) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// Takes a packet, which came from `from`, or the time; voice that came with it is pushed to `voices`, what is to be sent to `outputs`.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        input: Input<'_>,
        from: Option<Address>,
        voices: &mut Vec<Voice>,
        outputs: &mut VecDeque<Output>,
    ) {
        if self.is_dead() {
            return;
        }
        let heard = voices.len();
        match self.rtc.handle_input(input) {
            Ok(()) => {}
            // Anybody can send a packet that makes no sense from the client's (forged) address: it must not
            // end the link.
            Err(e) if from.is_some() => log::debug!("link {}: packet refused: {e}", self.id.0),
            Err(e) => self.die(&e.to_string(), outputs),
        }
        self.drain(now, voices, outputs);
        if let Some(from) = from.filter(|_| voices.len() > heard) {
            self.way.used(now, from, Sign::Sound);
        }
    }

    /// Polls str0m until it has nothing more: its rule after every change.
    fn drain(&mut self, now: Instant, voices: &mut Vec<Voice>, outputs: &mut VecDeque<Output>) {
        loop {
            match self.rtc.poll_output() {
                Ok(RtcOutput::Timeout(at)) => {
                    self.wake = at;
                    return;
                }
                Ok(RtcOutput::Transmit(t)) => {
                    let Some(transport) = Transport::of(t.proto) else { continue };
                    self.stats.packets_out += 1;
                    let bytes: Vec<u8> = t.contents.into();
                    let to = (transport, t.destination);
                    // The answer to a check goes where the check came from.
                    let (transport, to) = if is_stun(&bytes) { to } else { self.way.of(now, to) };
                    outputs.push_back(Output::Transmit { transport, to, bytes });
                }
                Ok(RtcOutput::Event(event)) => self.event(now, event, voices, outputs),
                Err(e) => self.die(&e.to_string(), outputs),
            }
        }
    }

    // Of the events that are no enumeration of ours most concern video and data channels.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn event(&mut self, now: Instant, event: Event, voices: &mut Vec<Voice>, outputs: &mut VecDeque<Output>) {
        match event {
            Event::Connected => self.become_state(LinkState::Connected, outputs),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.become_state(LinkState::Lost, outputs);
            }
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) if self.state == LinkState::Lost => {
                self.become_state(LinkState::Connected, outputs);
            }
            Event::Closed => self.become_state(LinkState::Dead("closed by the client".to_owned()), outputs),
            Event::RtpPacket(packet) => {
                self.stats.packets_in += 1;
                match self.voice(now, packet) {
                    Some(voice) => voices.push(voice),
                    None => self.stats.dropped += 1,
                }
            }
            _ => {}
        }
    }

    fn become_state(&mut self, state: LinkState, outputs: &mut VecDeque<Output>) {
        if self.state != state && !self.is_dead() {
            self.state = state.clone();
            outputs.push_back(Output::State { link: self.id, state });
        }
    }

    /// Ends the link for good.
    pub(crate) fn die(&mut self, why: &str, outputs: &mut VecDeque<Output>) {
        self.rtc.disconnect();
        self.become_state(LinkState::Dead(why.to_owned()), outputs);
    }

    fn voice(&mut self, now: Instant, packet: RtpPacket) -> Option<Voice> {
        if now.saturating_duration_since(self.window.0).as_secs() >= 1 {
            self.window = (now, 0, 0);
        }
        self.window.1 += 1;
        self.window.2 += packet.payload.len();
        if self.window.1 > MAX_PACKETS_PER_SECOND || self.window.2 > MAX_BYTES_PER_SECOND {
            return None;
        }
        let (opus, red) = self.opus()?;
        let header = &packet.header;
        let redundant = red == Some(header.payload_type);
        if !redundant && header.payload_type != opus {
            return None;
        }
        Some(Voice {
            ssrc: *header.ssrc,
            sequence: *packet.seq_no,
            timestamp: header.timestamp,
            marker: header.marker,
            redundant,
            opus,
            level: header.ext_vals.audio_level,
            activity: header.ext_vals.voice_activity,
            payload: packet.payload,
        })
    }

    /// Writes a voice into every slot of this link that `source` holds; true when anything was written.
    /// [`Link::handle`] must follow, once for all that is written.
    pub(crate) fn hear(&mut self, now: Instant, source: LinkId, voice: &Voice) -> bool {
        let mut written = false;
        for slot in 0..self.holders.len() {
            if self.holders[slot].is_none_or(|holder| holder.source != source) {
                continue;
            }
            // Before the link is up nothing can be sent, and the slot's clock must not start.
            if self.state != LinkState::Connected {
                self.stats.dropped += 1;
                continue;
            }
            let payload = self.opus().and_then(|(opus, red)| voice.payload_for(opus, red));
            let Some((payload_type, payload)) = payload else { continue };
            let stream = &mut self.streams[slot];
            let Some(place) = stream.place(now, voice.ssrc, voice.sequence, voice.timestamp) else {
                continue;
            };
            let mid = self.lines.slots[slot];
            let mut api = self.rtc.direct_api();
            let Some(stream) = api.stream_tx_by_mid(mid, None) else { continue };
            let extensions = ExtensionValues {
                audio_level: voice.level,
                voice_activity: voice.activity,
                ..ExtensionValues::default()
            };
            stream.write_rtp(
                RtpWrite::new(payload_type, place.sequence.into(), place.timestamp, now, payload)
                    .marker(place.first || voice.marker)
                    .ext_vals(extensions),
            );
            self.stats.forwarded += 1;
            written = true;
        }
        written
    }

    /// The next packet in this slot is another source's.
    pub(crate) fn switch(&mut self, slot: usize) {
        if let Some(stream) = self.streams.get_mut(slot) {
            stream.switch();
        }
    }

    /// Payload types of Opus, and of RED around it, as this link negotiated them.
    fn opus(&self) -> Option<(Pt, Option<Pt>)> {
        let params = self.rtc.codec_config().find(|p| p.spec().codec == Codec::Opus)?;
        Some((params.pt(), params.red()))
    }
}

impl Voice {
    /// A packet of which only this matters.
    #[cfg(test)]
    pub(crate) fn of(ssrc: u32, timestamp: u32, level: i8) -> Self {
        Self {
            ssrc,
            sequence: 0,
            timestamp,
            marker: false,
            payload: Arc::new([]),
            redundant: false,
            opus: Pt::new_with_value(111),
            level: Some(level),
            activity: None,
        }
    }

    fn payload_for(&self, opus: Pt, red: Option<Pt>) -> Option<(Pt, Arc<[u8]>)> {
        match (self.redundant, red) {
            (false, _) => Some((opus, self.payload.clone())),
            (true, Some(red)) if opus == self.opus => Some((red, self.payload.clone())),
            (true, Some(red)) => Some((red, red::rename(&self.payload, *opus)?.into())),
            (true, None) => Some((opus, red::newest(&self.payload)?.into())),
        }
    }
}

impl Transport {
    /// Of the kinds that str0m knows, those on which this server listens.
    fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::Udp => Some(Self::Udp),
            Protocol::Tcp => Some(Self::Tcp),
            Protocol::SslTcp | Protocol::Tls => None,
        }
    }
}

/// The bytes as str0m wants them; none for what is no STUN, DTLS, RTP or RTCP.
pub(crate) fn received<'a>(
    config: &ShardConfig,
    (transport, from): Address,
    bytes: &'a [u8],
) -> Option<Receive<'a>> {
    // str0m knows only the addresses that it tells clients, which behind NAT are not those bound.
    let (proto, destination) = match transport {
        Transport::Udp => (Protocol::Udp, config.udp),
        Transport::Tcp => (Protocol::Tcp, config.tcp?),
    };
    Some(Receive { proto, source: from, destination, contents: bytes.try_into().ok()? })
}

/// What a STUN binding request says, as far as it concerns the relay.
pub(crate) struct Check {
    /// The username fragment by which it calls us.
    pub(crate) fragment: String,
    /// The client uses the pair on which it sends this: USE-CANDIDATE (RFC 8445 section 7.1.2).
    pub(crate) nominates: bool,
}

impl Check {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let message = str0m::ice::StunMessage::parse(bytes).ok()?;
        if !message.is_binding_request() {
            return None;
        }
        let (fragment, _) = message.split_username()?;
        Some(Self { fragment: fragment.to_owned(), nominates: message.use_candidate() })
    }
}

/// The SSRC of a packet that is RTP by RFC 7983 and RFC 5761.
pub(crate) fn ssrc(bytes: &[u8]) -> Option<u32> {
    let header = bytes.first_chunk::<12>()?;
    let rtp = (128..192).contains(&header[0]) && !(192..=223).contains(&header[1]);
    rtp.then(|| u32::from_be_bytes([header[8], header[9], header[10], header[11]]))
}

/// STUN by RFC 7983's first byte.
pub(crate) fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first < 4)
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}
