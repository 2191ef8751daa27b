// A sentence from each phone to the other at once, through a real server, and to the echo user and back.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { Phone } from './lib/phone.mjs'
import { Server } from './lib/server.mjs'
import { TWICE, assertCallHeard, compare, sentence, shortcoming } from './lib/speech.mjs'
import { level, readWav } from './lib/wav.mjs'
import { cleanUp } from './lib/world.mjs'

let server
before(async () => {
  server = await Server.start()
})
cleanUp(() => server)

const call = (to, options = {}) => Phone.start({ url: server.url, user: 'alice', verb: ['call', to], play: sentence('alice'), record: true, args: ['--for', '5s'], ...options })

test('both speak at once and each hears the other', { timeout: 180_000 }, async (t) => {
  const pairs = await assertCallHeard(async () => {
    const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], play: sentence('bob'), record: true })
    await bob.online()
    const alice = call('bob')
    assert.equal((await alice.ended).code, 0)
    assert.equal((await bob.ended).code, 0)
    return [
      { said: sentence('alice'), heard: bob.recording, what: 'Bob hears Alice' },
      { said: sentence('bob'), heard: alice.recording, what: 'Alice hears Bob' },
    ]
  }, t)
  // And nobody hears themselves.
  const own = compare([{ said: sentence('bob'), heard: pairs[0].heard }, { said: sentence('alice'), heard: pairs[1].heard }])
  for (const result of own) assert.notEqual(shortcoming(result), null, JSON.stringify(result))
})

test('the user echo says what is said to it', { timeout: 180_000 }, async (t) => {
  await assertCallHeard(async () => {
    const alice = call('echo')
    assert.equal((await alice.ended).code, 0)
    return [{ said: sentence('alice'), heard: alice.recording }]
  }, t)
})

test('a phone can be the echo', { timeout: 180_000 }, async (t) => {
  const mirror = Phone.start({ url: server.url, user: 'mirror', verb: ['echo'] })
  await mirror.online()
  await assertCallHeard(async () => {
    const alice = call('mirror')
    assert.equal((await alice.ended).code, 0)
    return [{ said: sentence('alice'), heard: alice.recording, bar: TWICE }]
  }, t)
  assert.equal(await mirror.stop(), 0)
})

test('a phone announces a file and hangs up at its end', { timeout: 180_000 }, async (t) => {
  const speaker = Phone.start({ url: server.url, user: 'speaker', verb: ['announce', sentence('carol')] })
  await speaker.online()
  await assertCallHeard(async () => {
    const alice = call('speaker', { play: undefined, args: [] })
    assert.equal((await alice.ended).code, 0)
    assert.deepEqual(alice.lines.slice(-2), ['CallMemberLeave speaker hangup', 'CallDisconnect hangup'])
    return [{ said: sentence('carol'), heard: alice.recording }]
  }, t)
  assert.equal(await speaker.stop(), 0)
})

test('who says nothing is not heard', { timeout: 60_000 }, async () => {
  const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], record: true })
  await bob.online()
  const alice = call('bob', { play: undefined, args: ['--for', '2s'] })
  assert.equal((await alice.ended).code, 0)
  assert.equal((await bob.ended).code, 0)
  const { samples, seconds } = readWav(bob.recording)
  assert.ok(seconds > 1, `${seconds} s recorded`)
  assert.ok(level(samples) < -70, `${level(samples)} dB of silence`)
})
