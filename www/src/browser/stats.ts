import type { CallStats } from '../types.js'

/** Without a link. */
export const NO_STATS: Readonly<CallStats> = Object.freeze({
  levelIn: 0, levelOut: 0, packetsSent: 0, packetsReceived: 0, packetsLost: 0, roundTripMs: 0, bufferMs: 0,
})

/** The few numbers of a peer connection's report that an app shows. */
export function linkStats(report: RTCStatsReport): CallStats {
  const stats: CallStats = { ...NO_STATS }
  let delay = 0
  let played = 0
  report.forEach((s: Record<string, unknown>) => {
    const number = (key: string): number => (typeof s[key] === 'number' ? s[key] : 0)
    switch (s['type']) {
      case 'media-source':
        stats.levelIn = Math.max(stats.levelIn, number('audioLevel'))
        break
      case 'outbound-rtp':
        stats.packetsSent += number('packetsSent')
        break
      case 'inbound-rtp':
        stats.levelOut = Math.max(stats.levelOut, number('audioLevel'))
        stats.packetsReceived += number('packetsReceived')
        stats.packetsLost += Math.max(0, number('packetsLost'))
        delay += number('jitterBufferDelay')
        played += number('jitterBufferEmittedCount')
        break
      case 'candidate-pair':
        if (s['nominated'] === true && s['state'] === 'succeeded') {
          stats.roundTripMs = Math.round(1000 * number('currentRoundTripTime'))
        }
        break
    }
  })
  stats.bufferMs = played > 0 ? Math.round((1000 * delay) / played) : 0
  return stats
}
