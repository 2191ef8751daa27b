// The way of the sound breaks in a call while signalling lives on: the call finds another way and nothing ends.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { Relay } from './lib/relay.mjs'
import { tone } from './lib/speech.mjs'
import { talk } from './lib/story.mjs'
import { pass, until } from './lib/wait.mjs'
import { lastSecond, readWav, toneSeconds } from './lib/wav.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
let relay
before(async () => {
  relay = await Relay.start()
  world = await World.start({ graceS: 20, args: relay.advertised })
  relay.to(world.server)
  world.pages = { url: await apiPage(), browsers: { alice: await startBrowser({ microphone: tone(440) }) } }
})
cleanUp(() => world?.server)

const BOTH = 'S(i: -; j: alice, bob)'
const TOLD = [`CallReconnecting ${BOTH}`, `CallReconnected ${BOTH}`]

const told = (who) => who.lines.filter((line) => line.startsWith('CallReconnect'))

/** Waits until sound comes from both and goes to both, `over` udp or tcp. */
async function bothHeard(over) {
  const from = relay.mark
  const ways = () => new Set(relay.packets('rtp', { from }).filter(({ client }) => client.startsWith('tcp ') === (over === 'tcp')).map(({ client, up }) => `${client} ${up}`))
  await until(() => ways().size === 4, () => `sound both ways over ${over}; there is ${[...ways()]}`, 30_000)
}

for (const kinds of [['phone', 'phone'], ['page', 'phone']]) {
  test(`${kinds.join(' to ')}: UDP dies in the call, the sound goes on over TCP`, { timeout: 90_000 }, async (t) => {
    relay.drop = () => false
    const a = await world.endpoint(kinds[0], 'alice', { play: tone(440), repeat: true, record: true })
    const b = await world.endpoint(kinds[1], 'bob', { play: tone(1000), repeat: true })
    await talk(a, b)
    await bothHeard('udp')
    for (const who of [a, b]) who.clear()
    const begin = Date.now()
    relay.drop = ({ client }) => !client.startsWith('tcp ')
    // Chromium keeps both ways warm and changes without a word; a phone has to make a new one and says so.
    await Promise.all([a, b].filter((_, i) => kinds[i] === 'phone').map((who) => who.until('CallReconnected')))
    await bothHeard('tcp')
    for (const who of [a, b]) if (told(who).length > 0) await who.until('CallReconnected')
    t.diagnostic(`both are heard again after ${Date.now() - begin} ms`)
    await pass(500)
    if (kinds[0] === 'page') await a.record()
    await pass(1_200)
    const recording = kinds[0] === 'page' ? await a.finish() : a.recording
    await a.call('hangup')
    await Promise.all([a, b].map((who) => who.until('CallDisconnect')))
    for (const [i, who] of [a, b].entries()) {
      if (kinds[i] === 'phone' || told(who).length > 0) assert.deepEqual(told(who), TOLD)
    }
    assert.deepEqual(a.lines.slice(-2), ['hangup ok', 'CallDisconnect hangup'])
    assert.deepEqual(b.lines.slice(-2), ['CallMemberLeave alice hangup', 'CallDisconnect hangup'])
    await Promise.all([a.stop(), b.stop()])
    const heard = toneSeconds(lastSecond(readWav(recording)), 1000)
    assert.ok(heard >= 0.8, `Alice hears Bob for ${heard} s of the last one`)
  })
}
