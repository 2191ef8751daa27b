//! What `getStats` gives the app: the same few numbers as in a browser (`CallStats` in `www/src/types.ts`).

use jmrtc_engine::Stats;
use serde_json::{Value, json};

/// The level of silence, -dBov.
const SILENCE: u8 = 127;

pub(crate) fn for_app(stats: &Stats) -> Value {
    let buffered: f64 = stats.slots.iter().map(|s| s.buffer_ms).sum();
    json!({
        "levelIn": if stats.sending { loudness(stats.level_in) } else { 0.0 },
        "levelOut": if stats.transport.is_some() { loudness(stats.level_out) } else { 0.0 },
        "packetsSent": stats.packets_sent,
        "packetsReceived": stats.packets_received,
        "packetsLost": stats.slots.iter().map(|s| s.lost).sum::<u64>(),
        "lossUp": stats.loss_up,
        "lossDown": stats.loss_down,
        "jitterMs": stats.jitter_ms.round(),
        "mos": stats.mos.map_or(0.0, |mos| (100.0 * mos).round() / 100.0),
        "transport": stats.transport,
        "roundTripMs": stats.rtt_ms.unwrap_or(0.0).round(),
        "bufferMs": if stats.slots.is_empty() { 0.0 } else { (buffered / stats.slots.len() as f64).round() },
    })
}

/// 0 to 1 of -dBov.
fn loudness(level: u8) -> f64 {
    if level >= SILENCE { 0.0 } else { 10_f64.powf(-f64::from(level) / 20.0) }
}

#[cfg(test)]
mod tests {
    use jmrtc_engine::{SlotStats, Transport};

    use super::*;

    #[test]
    fn of_a_call() {
        let slot = |slot, lost, buffer_ms| SlotStats { slot, lost, buffer_ms, ..SlotStats::default() };
        let stats = Stats {
            rtt_ms: Some(12.4),
            loss_up: 0.25,
            loss_down: 0.5,
            jitter_ms: 3.4,
            mos: Some(4.3333),
            packets_sent: 50,
            packets_received: 90,
            level_in: 20,
            level_out: 40,
            sending: true,
            transport: Some(Transport::Udp),
            slots: vec![slot(0, 1, 40.0), slot(1, 2, 61.0)],
            ..Stats::default()
        };
        let wanted = json!({
            "levelIn": 0.1, "levelOut": 0.01, "packetsSent": 50, "packetsReceived": 90, "packetsLost": 3,
            "lossUp": 0.25, "lossDown": 0.5, "jitterMs": 3.0, "mos": 4.33, "transport": "udp",
            "roundTripMs": 12.0, "bufferMs": 51.0,
        });
        assert_eq!(for_app(&stats), wanted);
        assert_eq!(for_app(&Stats { sending: false, ..stats })["levelIn"], 0.0);
    }

    #[test]
    fn without_a_call() {
        let silence = Stats {
            level_in: SILENCE,
            level_out: SILENCE,
            sending: true,
            transport: Some(Transport::Tcp),
            ..Stats::default()
        };
        assert_eq!(for_app(&Stats::default())["transport"], Value::Null);
        for stats in [Stats::default(), silence] {
            for (key, value) in
                for_app(&stats).as_object().unwrap().iter().filter(|(key, _)| *key != "transport")
            {
                assert_eq!(value.as_f64(), Some(0.0), "{key}");
            }
        }
    }
}
