// How long a call is silent when the network changes under it: a phone or a page in a namespace with two networks, a relay that
// delays, shakes and loses packets before the server, a steady tone each way, and the longest hole in what each end hears.
import { MOVING, ready } from '../e2e/lib/moving.mjs'
import { Networks } from '../e2e/lib/networks.mjs'
import { Proxy } from '../e2e/lib/proxy.mjs'
import { Relay } from '../e2e/lib/relay.mjs'
import { Server } from '../e2e/lib/server.mjs'
import { talk } from '../e2e/lib/story.mjs'
import { pass } from '../e2e/lib/wait.mjs'
import { lastSecond, readWav, toneGaps, toneSeconds } from '../e2e/lib/wav.mjs'

const DELAY_MS = 25
const JITTER_MS = 5
const LOSS = 0.01
/** Before and after what happens, seconds; Chromium takes longer to believe it. */
const QUIET_S = 3
const LATER_S = { phone: 6, page: 10 }
const TARGET_MS = 1_000

/** Into the cellular network, which is there as soon as the other is not: else Chromium would have gone there before. */
function leaveWifi(networks) {
  networks.up('cell')
  networks.down('wifi')
}

/** As when a router has another address: what there was goes nowhere, and nobody is told. */
function forget({ relay, proxy }) {
  relay.rebind()
  proxy.freeze()
}

/**
 * What happens; whether it is a change of network, of which the target speaks; whether the moving one or the still one is muted, and only the
 * other's sound counts.
 */
const CHANGES = [
  ['nothing', () => {}, false],
  ['Wi-Fi to cellular, told by the system', ({ networks, moving }) => {
    leaveWifi(networks)
    return moving.system('networkChanged')
  }, true],
  ['Wi-Fi to cellular, untold', ({ networks }) => leaveWifi(networks), true],
  ['Wi-Fi to cellular, untold, the others muted', ({ networks }) => leaveWifi(networks), true, 'still'],
  ['a NAT gives other addresses', ({ relay }) => relay.rebind(), true],
  ['a NAT gives other addresses, to who is muted', ({ relay }) => relay.rebind(), true, 'moving'],
  ['a NAT gives other addresses, and forgets signalling', forget, true],
  ['a NAT gives other addresses, and forgets signalling, to who is muted', forget, true, 'moving'],
  ["a NAT gives other addresses, and each end's next check is lost", ({ relay }) => {
    relay.rebind()
    const { drop } = relay
    const checked = new Set()
    relay.drop = (packet) => (packet.kind === 'stun' && packet.up && !checked.has(packet.client) ? checked.add(packet.client) : drop(packet))
  }, true],
  ['UDP is blocked', ({ relay }) => {
    relay.drop = () => true
  }, false],
  ['signalling is lost for two seconds', async ({ proxy }) => {
    proxy.cut()
    await pass(2_000)
    proxy.restore()
  }, false],
]

/** The longest hole in a recording, in ms; infinite where the tone does not come back. */
function longest(recording, hz) {
  const wav = readWav(recording)
  if (toneSeconds(lastSecond(wav), hz) < 0.5) return Infinity
  return 1_000 * Math.max(0, ...toneGaps(wav, hz).map(([from, to]) => to - from))
}

async function measure(kind, networks, change, muted) {
  networks.down('cell')
  const relay = await Relay.start(networks.host)
  const impaired = () => Math.random() < LOSS
  relay.drop = impaired
  relay.delay = () => DELAY_MS + JITTER_MS * (2 * Math.random() - 1)
  const server = await Server.start({ ...networks.server, ringS: 30, graceS: 20, args: [...networks.server.args, '--advertise-udp', relay.address], log: 'warn' })
  relay.to(server)
  const proxy = await Proxy.start(server.port, networks.host)
  proxy.slow(DELAY_MS)
  const moving = await MOVING[kind](networks, proxy.url, 440)
  const still = await ready(proxy.url, 'bob', 1_000)
  await talk(moving, still)
  if (muted) await { moving, still }[muted].call('setIsMuted', { muted: true })
  await moving.begin()
  await pass(QUIET_S * 1_000)
  await change({ networks, relay, proxy, moving })
  await pass(LATER_S[kind] * 1_000)
  const told = moving.lines.filter((line) => line.startsWith('CallReconnected')).length
  // At once: who is left alone hears nothing.
  await Promise.all([moving.end(), still.stop()])
  const gaps = []
  if (muted !== 'still') gaps.push(longest(moving.recording, 1_000))
  if (muted !== 'moving') gaps.push(longest(still.recording, 440))
  await server.stop()
  proxy.stop()
  relay.stop()
  return { gaps, told }
}

/** A Markdown table of all changes under a moving phone or page, each measured `times` over; what can't be measured here says why instead. */
export async function mobility(kind, times) {
  const rows = []
  for (const [what, change, isMove, muted] of CHANGES) {
    const all = []
    for (let i = 0; i < times; i++) {
      let networks
      try {
        networks = Networks.make()
      } catch (error) {
        return `Not measured: no network namespaces here (${error.message}).\n`
      }
      try {
        all.push(await measure(kind, networks, change, muted))
      } finally {
        networks.remove()
      }
    }
    const sorted = all.map(({ gaps }) => Math.max(...gaps)).toSorted((a, b) => a - b)
    const [middle, worst] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
    const verdict = !isMove ? '' : worst <= TARGET_MS ? 'met' : 'missed'
    rows.push(`| ${what} | ${Math.round(middle)} ms | ${Math.round(worst)} ms | ${verdict} | ${all.map((a) => a.told).join(' ')} |`)
  }
  return [
    `The longest silence at either end of a call between a moving ${kind} and a phone over ${DELAY_MS} ± ${JITTER_MS} ms each way with ${LOSS * 100} % of the packets lost; ${times} calls each.`,
    '',
    `| what happens | p50 | worst | <= ${TARGET_MS} ms | told as reconnected |`,
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}
