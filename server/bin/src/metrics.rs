//! Numbers for Prometheus (text format 0.0.4).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! metrics {
    ($($name:ident: $kind:ident $label:literal $help:literal,)*) => {
        /// One number each; written by whoever knows it.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(pub(crate) $name: Value,)*
        }

        impl Metrics {
            /// All of them as Prometheus reads them.
            pub(crate) fn render(&self) -> String {
                let mut text = String::new();
                $(render(&mut text, $label, stringify!($kind), $help, self.$name.get());)*
                text
            }
        }
    };
}

metrics! {
    connections: gauge "jmrtc_connections" "WebSocket connections open.",
    connections_total: counter "jmrtc_connections_total" "WebSocket connections ever opened.",
    sign_ins: gauge "jmrtc_sign_ins" "Devices signed in, connected or within the grace time.",
    users_online: gauge "jmrtc_users_online" "Users with a connected device; robots count.",
    calls: gauge "jmrtc_calls" "Calls, ringing or running.",
    calls_connected: gauge "jmrtc_calls_connected" "Calls in which a second member has joined.",
    calls_total: counter "jmrtc_calls_ended_total" "Calls that are over.",
    records_lost: counter "jmrtc_call_records_lost_total" "Records of calls that the store did not take.",
    links: gauge "jmrtc_links" "Media links.",
    rtp_in: counter "jmrtc_rtp_packets_in_total" "RTP packets received from clients.",
    rtp_forwarded: counter "jmrtc_rtp_packets_forwarded_total" "RTP packets forwarded to clients.",
    rtp_withheld: counter "jmrtc_rtp_packets_withheld_total" "RTP packets of clients who had not joined a call.",
    rtp_dropped: counter "jmrtc_rtp_packets_dropped_total" "RTP packets dropped: too many, unknown kind, receiver not up.",
    media_out: counter "jmrtc_media_packets_out_total" "Media packets of any kind sent.",
    media_strays: counter "jmrtc_media_packets_stray_total" "Media packets that belonged to no link.",
    media_unsent: counter "jmrtc_media_packets_unsent_total" "Media packets that the operating system or a slow stream did not take.",
    media_streams: gauge "jmrtc_media_tcp_streams" "TCP media connections open.",
    messages_in: counter "jmrtc_messages_in_total" "Messages of clients.",
    messages_out: counter "jmrtc_messages_out_total" "Messages to clients.",
    messages_bad: counter "jmrtc_messages_bad_total" "Messages of clients that could not be understood.",
    messages_limited: counter "jmrtc_messages_limited_total" "Messages of clients over the rate limit.",
    logins_refused: counter "jmrtc_logins_refused_total" "Sign-ins refused.",
    overloads: counter "jmrtc_overloads_total" "Connections cut because the client read too slowly or sent too much.",
    pushes: counter "jmrtc_pushes_wanted_total" "Invitations to users without a connected device.",
    pushes_delivered: counter "jmrtc_pushes_delivered_total" "Webhooks for such invitations that were taken.",
    pushes_spared: counter "jmrtc_pushes_spared_total" "Webhooks that were not sent, as nobody was to be woken any more.",
    pushes_failed: counter "jmrtc_pushes_failed_total" "Webhooks that were refused, or not taken while it rang.",
    pushes_dropped: counter "jmrtc_pushes_dropped_total" "Webhooks that were never sent, as too many were waiting.",
}

fn render(text: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
}

/// One number.
#[derive(Debug, Default)]
pub(crate) struct Value(AtomicU64);

impl Value {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rendered_with_their_kind() {
        let metrics = Metrics::default();
        metrics.calls.set(3);
        metrics.rtp_in.add(7);
        let text = metrics.render();
        assert!(text.contains("# TYPE jmrtc_calls gauge\njmrtc_calls 3\n"), "{text}");
        assert!(text.contains("# TYPE jmrtc_rtp_packets_in_total counter\njmrtc_rtp_packets_in_total 7\n"));
    }
}
