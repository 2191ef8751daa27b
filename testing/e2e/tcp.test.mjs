// UDP is blocked: calls come up over ICE-TCP and are heard.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { Phone } from './lib/phone.mjs'
import { Relay } from './lib/relay.mjs'
import { Server } from './lib/server.mjs'
import { RECOGNISED, assertCallHeard, sentence, sentenceLater } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
before(async () => {
  world = await World.start({ args: ['--drop-udp'] })
})
cleanUp(() => world?.server)

/** Bob accepts at once and his link needs longer than a person would: Alice waits a second before she speaks. */
const LEAD_S = 1
const says = (who) => sentenceLater(who, LEAD_S, 6)

async function phones(server) {
  const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], play: says('bob'), record: true })
  await bob.online()
  const alice = Phone.start({ url: server.url, user: 'alice', verb: ['call', 'bob'], play: says('alice'), record: true, args: ['--for', '6s'] })
  assert.equal((await alice.ended).code, 0)
  assert.equal((await bob.ended).code, 0)
  assert.deepEqual([alice.stats.transport, bob.stats.transport], ['tcp', 'tcp'])
  return [
    { said: sentence('alice'), heard: bob.recording, what: 'Bob hears Alice' },
    { said: sentence('bob'), heard: alice.recording, what: 'Alice hears Bob' },
  ]
}

test('phone to phone, the server deaf to UDP', { timeout: 180_000 }, async (t) => {
  await assertCallHeard(() => phones(world.server), t)
})

test('Chromium and a phone, the server deaf to UDP', { timeout: 180_000 }, async (t) => {
  world.pages = { url: await apiPage(), browsers: { alice: await startBrowser({ microphone: sentence('alice') }) } }
  const alice = await world.endpoint('page', 'alice')
  await assertCallHeard(async () => {
    alice.clear()
    const bob = Phone.start({ url: world.server.url, user: 'bob', verb: ['answer'], play: says('bob'), repeat: true, record: true })
    await bob.online()
    await alice.call('startCallUsers', { usernames: ['bob'] })
    await alice.until('CallConnected')
    await alice.record()
    await pass(12_000)
    const heard = await alice.finish()
    await alice.call('hangup')
    assert.equal((await bob.ended).code, 0)
    assert.equal(bob.stats.transport, 'tcp')
    return [
      { said: sentence('alice'), heard: bob.recording, what: 'the phone hears Chromium', bar: RECOGNISED },
      { said: sentence('bob'), heard, what: 'Chromium hears the phone', bar: RECOGNISED },
    ]
  }, t)
  await alice.stop()
})

test('phone to phone, the network eats UDP on the way', { timeout: 180_000 }, async (t) => {
  const relay = await Relay.start()
  relay.drop = () => true
  const server = await Server.start({ args: ['--advertise-udp', relay.address] })
  relay.to(server)
  await assertCallHeard(() => phones(server), t)
  assert.ok(relay.packets('stun', { up: true }).length > 0, 'UDP was tried')
  await server.expectEmpty()
  assert.equal((await server.stop()).code, 0)
  relay.stop()
})
