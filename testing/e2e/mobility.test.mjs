// A phone leaves the Wi-Fi in a call and nobody tells it: it finds the other network, and both are heard again.
import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { Networks } from './lib/networks.mjs'
import { Phone } from './lib/phone.mjs'
import { Server } from './lib/server.mjs'
import { tone } from './lib/speech.mjs'
import { talk } from './lib/story.mjs'
import { pass } from './lib/wait.mjs'
import { lastSecond, readWav, toneSeconds } from './lib/wav.mjs'
import { cleanUp } from './lib/world.mjs'

const BOTH = 'S(i: -; j: alice, bob)'

let networks
let server
cleanUp(() => server)
after(() => networks?.remove())

test('from Wi-Fi to cellular in a call', { timeout: 60_000 }, async (t) => {
  try {
    networks = Networks.make()
  } catch (error) {
    return t.skip(`no network namespaces here: ${error.message}`)
  }
  server = await Server.start({ ...networks.server, graceS: 20 })
  const ready = (user, hz, netns) => Phone.ready({ url: server.url, user, play: tone(hz), repeat: true, record: true, netns })
  const [alice, bob] = [await ready('alice', 440, networks.netns), await ready('bob', 1_000)]
  await talk(alice, bob)
  await pass(1_000)
  alice.clear()
  networks.down('wifi')
  await alice.until('CallReconnected')
  assert.deepEqual(alice.lines, [`CallReconnecting ${BOTH}`, `CallReconnected ${BOTH}`])
  await pass(2_000)
  await Promise.all([alice, bob].map((who) => who.stop()))
  for (const [who, hz] of [[alice, 1_000], [bob, 440]]) {
    const seconds = toneSeconds(lastSecond(readWav(who.recording)), hz)
    assert.ok(seconds >= 0.7, `${who.user} hears ${hz} Hz for ${seconds} s of the last one`)
  }
})
