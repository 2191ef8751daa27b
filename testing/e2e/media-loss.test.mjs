// The way of the sound breaks in a call while signalling lives on: the call finds another way and nothing ends.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { Relay } from './lib/relay.mjs'
import { tone } from './lib/speech.mjs'
import { talk } from './lib/story.mjs'
import { pass, until } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
let relay
before(async () => {
  relay = await Relay.start()
  world = await World.start({ graceS: 20, args: ['--advertise-udp', relay.address] })
  relay.to(world.server.udp)
  const [alice, bob] = await Promise.all([startBrowser({ microphone: tone(440) }), startBrowser({ microphone: tone(1000) })])
  world.pages = { url: await apiPage(), browsers: { alice, bob } }
})
cleanUp(() => world?.server)

const BOTH = 'S(i: -; j: alice, bob)'
const TOLD = [`CallReconnecting ${BOTH}`, `CallReconnected ${BOTH}`]

/** Waits until the server hears both: each sends fifty packets a second. */
function bothHeard() {
  const heard = async () => (await world.server.metrics()).jmrtc_rtp_packets_in_total
  return until(async () => {
    const before = await heard()
    await pass(500)
    return (await heard()) - before >= 40
  }, 'both to be heard by the server', 30_000)
}

for (const kinds of [['phone', 'phone'], ['page', 'page']]) {
  test(`${kinds.join(' to ')}: UDP dies in the call, the sound goes on over TCP`, { timeout: 90_000 }, async (t) => {
    relay.drop = () => false
    const a = await world.endpoint(kinds[0], 'alice', { play: tone(440), repeat: true })
    const b = await world.endpoint(kinds[1], 'bob', { play: tone(1000), repeat: true })
    await talk(a, b)
    await bothHeard()
    for (const who of [a, b]) who.clear()
    const begin = Date.now()
    relay.drop = () => true
    // Chromium keeps both ways warm and changes without a word; a phone has to make a new one and says so.
    if (kinds[0] === 'phone') await Promise.all([a, b].map((who) => who.until('CallReconnected')))
    await bothHeard()
    t.diagnostic(`both are heard again after ${Date.now() - begin} ms`)
    await a.call('hangup')
    await Promise.all([a, b].map((who) => who.until('CallDisconnect')))
    const told = (who) => who.lines.filter((line) => line.startsWith('CallReconnect'))
    for (const who of [a, b]) {
      if (kinds[0] === 'phone' || told(who).length > 0) assert.deepEqual(told(who), TOLD)
    }
    assert.deepEqual(a.lines.slice(-2), ['hangup ok', 'CallDisconnect hangup'])
    assert.deepEqual(b.lines.slice(-2), ['CallMemberLeave alice hangup', 'CallDisconnect hangup'])
    await Promise.all([a.stop(), b.stop()])
  })
}
