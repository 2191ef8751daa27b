import type { LinkSample } from '../generated/machine.js'
import type { CallStats } from '../types.js'

/** Without a link. */
export const NO_STATS: Readonly<CallStats> = Object.freeze({
  levelIn: 0, levelOut: 0, packetsSent: 0, packetsReceived: 0, packetsLost: 0, lossUp: 0, lossDown: 0, jitterMs: 0,
  roundTripMs: 0, bufferMs: 0, mos: 0, transport: null,
})

/** Digital silence, -dBov. */
const SILENCE = 127

/** What a peer connection's report says, added up over its streams. */
interface Totals {
  levelIn: number
  levelOut: number
  /** Of the microphone since it was opened. */
  energyIn: number
  secondsIn: number
  sent: number
  received: number
  lost: number
  /** Seconds that frames waited, and how many were played. */
  waited: number
  played: number
  /** Seconds. */
  jitter: number
  /** None before the server has reported. */
  lossUp: number | undefined
  /** Seconds; none while unknown. */
  roundTrip: number | undefined
  transport: CallStats['transport']
}

type Entry = Record<string, unknown>

function totals(report: RTCStatsReport): Totals {
  const sum: Totals = {
    levelIn: 0, levelOut: 0, energyIn: 0, secondsIn: 0, sent: 0, received: 0, lost: 0, waited: 0, played: 0, jitter: 0,
    lossUp: undefined, roundTrip: undefined, transport: null,
  }
  report.forEach((entry: Entry) => {
    const number = (key: string): number => (typeof entry[key] === 'number' ? entry[key] : 0)
    switch (entry['type']) {
      case 'media-source':
        sum.levelIn = Math.max(sum.levelIn, number('audioLevel'))
        sum.energyIn += number('totalAudioEnergy')
        sum.secondsIn += number('totalSamplesDuration')
        break
      case 'outbound-rtp':
        sum.sent += number('packetsSent')
        break
      case 'remote-inbound-rtp':
        sum.lossUp = Math.max(sum.lossUp ?? 0, number('fractionLost'))
        break
      case 'inbound-rtp':
        sum.levelOut = Math.max(sum.levelOut, number('audioLevel'))
        sum.received += number('packetsReceived')
        sum.lost += Math.max(0, number('packetsLost'))
        sum.jitter = Math.max(sum.jitter, number('jitter'))
        sum.waited += number('jitterBufferDelay')
        sum.played += number('jitterBufferEmittedCount')
        break
      case 'candidate-pair':
        if (entry['nominated'] === true && entry['state'] === 'succeeded') {
          sum.roundTrip = number('currentRoundTripTime')
          const local = report.get(entry['localCandidateId'] as string) as Entry | undefined
          sum.transport = local?.['protocol'] === 'tcp' ? 'tcp' : 'udp'
        }
        break
    }
  })
  return sum
}

/** The few numbers that an app shows; `last` is what the second before was like. */
export function linkStats(report: RTCStatsReport, last: LinkSample | undefined): CallStats {
  const now = totals(report)
  return {
    levelIn: now.levelIn,
    levelOut: now.levelOut,
    packetsSent: now.sent,
    packetsReceived: now.received,
    packetsLost: now.lost,
    lossUp: (last?.lossUpPermille ?? 0) / 1000,
    lossDown: (last?.lossDownPermille ?? 0) / 1000,
    jitterMs: Math.round(1000 * now.jitter),
    roundTripMs: Math.round(1000 * (now.roundTrip ?? 0)),
    bufferMs: now.played > 0 ? Math.round((1000 * now.waited) / now.played) : 0,
    mos: 0,
    transport: now.transport,
  }
}

/** Tells what happened on a link since it looked last. */
export class Meter {
  #before: Totals | undefined

  sample(report: RTCStatsReport): LinkSample {
    const now = totals(report)
    const before = this.#before ?? totals(new Map() as unknown as RTCStatsReport)
    this.#before = now
    // Counters begin again with another microphone or a new link.
    const since = (key: 'sent' | 'received' | 'lost' | 'waited' | 'played' | 'energyIn' | 'secondsIn'): number =>
      Math.max(0, now[key] - before[key])
    const [received, lost, played, seconds] = [since('received'), since('lost'), since('played'), since('secondsIn')]
    return {
      rttMs: now.roundTrip === undefined ? null : Math.round(1000 * now.roundTrip),
      jitterMs: Math.round(1000 * now.jitter),
      bufferMs: played > 0 ? Math.round((1000 * since('waited')) / played) : 0,
      lossUpPermille: now.lossUp === undefined ? null : Math.round(1000 * now.lossUp),
      lossDownPermille: received + lost > 0 ? Math.round((1000 * lost) / (received + lost)) : 0,
      sent: since('sent'),
      received,
      levelIn: seconds > 0 ? decibels(Math.sqrt(since('energyIn') / seconds)) : SILENCE,
    }
  }
}

/** -dBov (RFC 6464) of a loudness from 0 to 1. */
function decibels(level: number): number {
  return level <= 0 ? SILENCE : Math.min(SILENCE, Math.max(0, Math.round(-20 * Math.log10(level))))
}
