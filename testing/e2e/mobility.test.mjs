// A phone or a page leaves the Wi-Fi in a call and nobody tells it: it finds the other network, and both are heard again.
import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { MOVING, ready } from './lib/moving.mjs'
import { Networks } from './lib/networks.mjs'
import { Server } from './lib/server.mjs'
import { talk } from './lib/story.mjs'
import { pass } from './lib/wait.mjs'
import { lastSecond, readWav, toneSeconds } from './lib/wav.mjs'
import { cleanUp } from './lib/world.mjs'

const BOTH = 'S(i: -; j: alice, bob)'

let networks
let server
cleanUp(() => server)
after(() => networks?.remove())

for (const kind of ['phone', 'page']) {
  test(`${kind}: from Wi-Fi to cellular in a call`, { timeout: 60_000 }, async (t) => {
    try {
      networks ??= Networks.make()
    } catch (error) {
      return t.skip(`no network namespaces here: ${error.message}`)
    }
    networks.up('wifi')
    networks.down('cell')
    server ??= await Server.start({ ...networks.server, graceS: 20 })
    const [alice, bob] = [await MOVING[kind](networks, server.url, 440), await ready(server.url, 'bob', 1_000)]
    await talk(alice, bob)
    await alice.begin()
    await pass(1_000)
    alice.clear()
    networks.up('cell')
    networks.down('wifi')
    await alice.until('CallReconnected')
    assert.deepEqual(alice.lines, [`CallReconnecting ${BOTH}`, `CallReconnected ${BOTH}`])
    await pass(2_000)
    await Promise.all([alice.end(), bob.stop()])
    for (const [who, hz] of [[alice, 1_000], [bob, 440]]) {
      const seconds = toneSeconds(lastSecond(readWav(who.recording)), hz)
      assert.ok(seconds >= 0.7, `${who.user} hears ${hz} Hz for ${seconds} s of the last one`)
    }
  })
}
