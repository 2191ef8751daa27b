// What breaks beside the sound leaves the sound alone; what breaks the sound's own way is got round. Phones and Chromium.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { Relay } from './lib/relay.mjs'
import { token } from './lib/server.mjs'
import { inRealTime, tone } from './lib/speech.mjs'
import { talk } from './lib/story.mjs'
import { pass, until } from './lib/wait.mjs'
import { lastSecond, readWav, toneGaps, toneSeconds } from './lib/wav.mjs'
import { World, cleanUp } from './lib/world.mjs'

const BOTH = 'S(i: -; j: alice, bob)'
const TOLD = [`CallReconnecting ${BOTH}`, `CallReconnected ${BOTH}`]

let world
let relay
before(async () => {
  relay = await Relay.start()
  world = await World.start({ graceS: 20, args: [...relay.advertised, '--keep-calls'] })
  relay.to(world.server)
  world.pages = { url: await apiPage(), browsers: { alice: await startBrowser({ microphone: tone(450) }) } }
})
cleanUp(() => world?.server)

/** Alice, of this kind, and Bob's phone in a call; `meanwhile(alice, bob)`; then both hear each other. Gives what was recorded. */
async function call(kind, meanwhile) {
  const alice = await world.endpoint(kind, 'alice', { play: tone(450), repeat: true, record: true })
  const bob = await world.endpoint('phone', 'bob', { play: tone(1000), repeat: true, record: true })
  await talk(alice, bob)
  await pass(500)
  for (const who of [alice, bob]) who.clear()
  await meanwhile(alice, bob)
  await pass(1_200)
  if (kind === 'page') {
    await alice.record()
    await pass(1_200)
    alice.recording = await alice.finish()
  }
  await Promise.all([alice, bob].map((who) => who.stop()))
  const heard = { alice: readWav(alice.recording), bob: readWav(bob.recording) }
  // Chromium takes a tone for noise in time: of its microphone packets are the proof.
  for (const [who, hz] of [['alice', 1000], ...(kind === 'phone' ? [['bob', 450]] : [])]) {
    const seconds = toneSeconds(lastSecond(heard[who]), hz)
    assert.ok(seconds >= 0.8, `${who} hears ${hz} Hz for ${seconds} s of the last one`)
  }
  return heard
}

/** A call of phones in which nobody misses a moment of the other. */
function wholeCall(t, meanwhile) {
  return inRealTime(() => call('phone', meanwhile), t, (heard) => {
    assert.deepEqual(toneGaps(heard.bob, 450), [], 'moments in which Bob does not hear Alice')
    assert.deepEqual(toneGaps(heard.alice, 1000), [], 'moments in which Alice does not hear Bob')
  })
}

/** Until sound has come from both and gone to both for half a second of what comes now; tells after how many milliseconds. */
async function flows(when) {
  const begin = Date.now()
  const both = () => {
    const since = Math.max(begin, Date.now() - 500)
    const lately = (up) => relay.packets('rtp', { up }).filter(({ at }) => at >= since)
    return Date.now() - begin > 500 && [true, false].every((up) => new Set(lately(up).map(({ client }) => client)).size === 2)
  }
  await until(both, `sound both ways ${when}`)
  return Date.now() - begin
}

test('phone: signalling is lost in a call and back, and not a moment of sound is', { timeout: 60_000 }, async (t) => {
  await wholeCall(t, async (alice) => {
    alice.network.cut()
    await alice.until('CallReconnecting')
    await pass(2_500)
    alice.network.restore()
    await alice.until('CallReconnected')
    assert.deepEqual(alice.lines, TOLD)
  })
})

test('page: signalling is lost in a call and back, and sound goes on', { timeout: 60_000 }, async () => {
  await call('page', async (alice) => {
    alice.network.cut()
    await alice.until('CallReconnecting')
    await flows('without signalling')
    alice.network.restore()
    await alice.until('CallReconnected')
    assert.deepEqual(alice.lines, TOLD)
  })
})

test("page: the app throws away what it finds in the page, the connection's frame as well", { timeout: 60_000 }, async () => {
  await call('page', async (alice) => {
    const frames = () => alice.tab.evaluate(() => document.querySelectorAll('iframe').length)
    assert.equal(await frames(), 1)
    await alice.tab.evaluate(() => document.documentElement.replaceChildren(document.createElement('body')))
    await alice.until('CallReconnected')
    assert.deepEqual(alice.lines, TOLD)
    await flows('with another connection')
    assert.equal(await frames(), 1)
  })
})

test('a token expires in a call, and sound goes on; another comes in time', { timeout: 60_000 }, async (t) => {
  await wholeCall(t, async (alice, bob) => {
    await alice.call('updateToken', { token: token('alice', { seconds: 1 }) })
    await pass(2_500)
    await alice.call('updateToken', { token: token('alice') })
    assert.deepEqual(alice.lines, ['updateToken ok', 'updateToken ok'])
    assert.deepEqual(bob.lines, [])
  })
})

for (const kind of ['phone', 'page']) {
  test(`${kind}: the server is replaced in a call, and both are heard again`, { timeout: 60_000 }, async (t) => {
    await call(kind, async (alice, bob) => {
      assert.equal((await world.server.stop()).code, 0)
      for (const who of [alice, bob]) await who.until('CallReconnecting')
      world.server = await world.server.again()
      relay.to(world.server)
      for (const who of [alice, bob]) await who.until('CallReconnected')
      t.diagnostic(`half a second of sound both ways after ${await flows('with the next server')} ms`)
      for (const who of [alice, bob]) assert.deepEqual(who.lines, TOLD, who.user)
    })
  })

  test(`${kind}: the NAT forgets the call and gives another address, and both are heard again`, { timeout: 60_000 }, async (t) => {
    await call(kind, async (alice, bob) => {
      relay.rebind()
      t.diagnostic(`half a second of sound both ways after ${await flows('after the change')} ms`)
      // Nobody has to be told anything where the way is found by itself.
      for (const who of [alice, bob]) if (who.lines.some((line) => line.startsWith('CallReconnecting'))) await who.until('CallReconnected')
      for (const who of [alice, bob]) {
        const told = who.lines.filter((line) => line.startsWith('CallReconnect'))
        assert.ok(told.length === 0 || told.join() === TOLD.join(), `${who.user}: ${told}`)
        assert.deepEqual(who.lines.filter((line) => !line.startsWith('CallReconnect')), [])
      }
    })
  })

  // Nothing that she sends over the way of sound shows her new address, and the old connection keeps silent: another one tells that there is a network.
  test(`${kind}: a NAT forgets everything of somebody who is muted, who hears the others again`, { timeout: 60_000 }, async (t) => {
    await call(kind, async (alice) => {
      await alice.call('setIsMuted', { muted: true })
      alice.clear()
      relay.rebind()
      alice.network.freeze()
      const begin = Date.now()
      await alice.until('CallReconnected')
      t.diagnostic(`reconnected after ${Date.now() - begin} ms`)
      assert.deepEqual(alice.lines, TOLD)
      await alice.call('setIsMuted', { muted: false })
      await flows('after the change')
    })
  })
}
