// UDP is blocked: calls come up over ICE-TCP and are heard.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { Phone } from './lib/phone.mjs'
import { Relay } from './lib/relay.mjs'
import { Server } from './lib/server.mjs'
import { GOOD, RECOGNISED, assertHeard, sentence } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
before(async () => {
  world = await World.start({ args: ['--drop-udp'] })
})
cleanUp(() => world?.server)

test('phone to phone, the server deaf to UDP', { timeout: 60_000 }, async () => {
  const { server } = world
  const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], play: sentence('bob'), record: true })
  await bob.online()
  const alice = Phone.start({ url: server.url, user: 'alice', verb: ['call', 'bob'], play: sentence('alice'), record: true, args: ['--for', '7s'] })
  assert.equal((await alice.ended).code, 0)
  await bob.ended
  assert.equal(alice.stats.transport, 'tcp')
  assert.equal(bob.stats.transport, 'tcp')
  assertHeard([
    { said: sentence('alice'), heard: bob.recording },
    { said: sentence('bob'), heard: alice.recording },
  ])
})

test('Chromium and a phone, the server deaf to UDP', { timeout: 60_000 }, async () => {
  world.pages = { url: await apiPage(), browsers: { alice: await startBrowser({ microphone: sentence('alice') }) } }
  const bob = Phone.start({ url: world.server.url, user: 'bob', verb: ['answer'], play: sentence('bob'), record: true })
  await bob.online()
  const alice = await world.endpoint('page', 'alice')
  await alice.call('startCallUsers', { usernames: ['bob'] })
  await alice.until('CallConnected')
  await alice.record()
  await pass(12_000)
  const heard = await alice.finish()
  await alice.call('hangup')
  await bob.ended
  assert.equal(bob.stats.transport, 'tcp')
  assertHeard([
    { said: sentence('alice'), heard: bob.recording, bar: RECOGNISED },
    { said: sentence('bob'), heard, bar: GOOD },
  ])
  await alice.stop()
})

test('phone to phone, the network eats UDP on the way', { timeout: 60_000 }, async () => {
  const relay = await Relay.start()
  relay.drop = () => true
  const server = await Server.start({ args: ['--advertise-udp', relay.address] })
  relay.to(server.udp)
  const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], record: true })
  await bob.online()
  const alice = Phone.start({ url: server.url, user: 'alice', verb: ['call', 'bob'], play: sentence('alice'), args: ['--for', '7s'] })
  assert.equal((await alice.ended).code, 0)
  await bob.ended
  assert.ok(relay.packets('stun', { up: true }).length > 0, 'UDP was tried')
  assertHeard([{ said: sentence('alice'), heard: bob.recording }])
  await server.expectEmpty()
  assert.equal((await server.stop()).code, 0)
  relay.stop()
})
