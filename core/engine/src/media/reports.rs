//! Reads what the server reports about our packets (RTCP receiver reports, RFC 3550 section 6.4).
//! The peer connection's own statistics leave these reports out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// The latest reported loss; shared by the link and the [`ReportReader`] in its peer connection.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    /// In 256ths, as on the wire, or [`NONE`].
    lost: Arc<AtomicU16>,
}

/// Before the first report.
const NONE: u16 = u16::MAX;

impl Default for Reports {
    fn default() -> Self {
        Self { lost: Arc::new(AtomicU16::new(NONE)) }
    }
}

impl Reports {
    /// The share of our packets that the server missed between its last two reports, 0 to 1; none before the first.
    pub(crate) fn loss(&self) -> Option<f64> {
        match self.lost.load(Ordering::Relaxed) {
            NONE => None,
            lost => Some(f64::from(lost) / 256.0),
        }
    }

    /// What has to see the packets.
    pub(crate) fn reader(&self, ssrc: u32) -> ReportReader {
        ReportReader { ssrc, reports: self.clone(), reading: VecDeque::new(), writing: VecDeque::new() }
    }
}

/// Looks at packets that come in and changes nothing.
pub(crate) struct ReportReader {
    ssrc: u32,
    reports: Reports,
    reading: VecDeque<TaggedPacket>,
    writing: VecDeque<TaggedPacket>,
}

impl ReportReader {
    fn look(&self, reports: &[ReceptionReport]) {
        if let Some(report) = reports.iter().find(|r| r.ssrc == self.ssrc) {
            self.reports.lost.store(report.fraction_lost.into(), Ordering::Relaxed);
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for ReportReader {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &msg.message.packet {
            for packet in packets {
                let packet = packet.as_any();
                if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
                    self.look(&report.reports);
                } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
                    self.look(&report.reports);
                }
            }
        }
        self.reading.push_back(msg);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reading.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        self.writing.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writing.pop_front()
    }
}

impl Interceptor for ReportReader {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
