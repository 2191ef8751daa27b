// What is made of a peer connection's report.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from './load.mjs'

const { linkStats, Meter, NO_STATS } = await load('browser/stats.ts')

const report = (...entries) => new Map(entries.map((entry, n) => [entry.id ?? `e${n}`, entry]))
const pair = { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 0.042, localCandidateId: 'local' }
const local = (protocol) => ({ id: 'local', type: 'local-candidate', protocol })
const inbound = (more) => ({ type: 'inbound-rtp', packetsReceived: 0, packetsLost: 0, jitter: 0, jitterBufferDelay: 0, jitterBufferEmittedCount: 0, ...more })

test('the numbers of a call', () => {
  const stats = linkStats(report(
    pair, local('tcp'),
    { type: 'media-source', audioLevel: 0.25 },
    { type: 'outbound-rtp', packetsSent: 70 },
    inbound({ packetsReceived: 50, packetsLost: 2, jitter: 0.004, audioLevel: 0.5, jitterBufferDelay: 2, jitterBufferEmittedCount: 50 }),
    inbound({ packetsReceived: 10, packetsLost: -1, jitter: 0.012 }),
  ), { lossUpPermille: 20, lossDownPermille: 31 })
  assert.deepEqual(stats, {
    levelIn: 0.25, levelOut: 0.5, packetsSent: 70, packetsReceived: 60, packetsLost: 2, lossUp: 0.02, lossDown: 0.031,
    jitterMs: 12, roundTripMs: 42, bufferMs: 40, mos: 0, transport: 'tcp',
  })
  assert.deepEqual(linkStats(report(), undefined), NO_STATS)
})

test('a meter tells what happened since it looked last', () => {
  const meter = new Meter()
  const at = (sent, received, lost, energy, seconds) => report(
    pair, local('udp'),
    { type: 'media-source', totalAudioEnergy: energy, totalSamplesDuration: seconds },
    { type: 'outbound-rtp', packetsSent: sent },
    { type: 'remote-inbound-rtp', fractionLost: 0.1 },
    inbound({ packetsReceived: received, packetsLost: lost, jitter: 0.0314, jitterBufferDelay: received / 25, jitterBufferEmittedCount: received }),
  )
  meter.sample(at(100, 200, 5, 1, 10))
  assert.deepEqual(meter.sample(at(150, 245, 10, 1.01, 11)), {
    rttMs: 42, jitterMs: 31, bufferMs: 40, lossUpPermille: 100, lossDownPermille: 100, sent: 50, received: 45, levelIn: 20,
  })
  assert.equal(meter.sample(at(200, 290, 10, 1.01, 12)).levelIn, 127, 'digital silence')
  assert.equal(meter.sample(at(200, 290, 10, 0, 0)).levelIn, 127, 'no microphone')
})

test('before anything is known', () => {
  assert.deepEqual(new Meter().sample(report()), {
    rttMs: null, jitterMs: 0, bufferMs: 0, lossUpPermille: null, lossDownPermille: 0, sent: 0, received: 0, levelIn: 127,
  })
})
