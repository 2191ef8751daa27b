// A sentence from each phone to the other at once, through a real server, and to the echo user and back.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { Phone } from './lib/phone.mjs'
import { Server } from './lib/server.mjs'
import { assertHeard, compare, sentence, shortcoming } from './lib/speech.mjs'
import { level, readWav } from './lib/wav.mjs'
import { cleanUp } from './lib/world.mjs'

let server
before(async () => {
  server = await Server.start()
})
cleanUp(() => server)

test('both speak at once and each hears the other', { timeout: 60_000 }, async (t) => {
  const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], play: sentence('bob'), record: true })
  await bob.online()
  const alice = Phone.start({ url: server.url, user: 'alice', verb: ['call', 'bob'], play: sentence('alice'), record: true, args: ['--for', '7s'] })
  assert.equal((await alice.ended).code, 0)
  assert.equal((await bob.ended).code, 0)
  const [atBob, atAlice] = assertHeard([
    { said: sentence('alice'), heard: bob.recording, what: 'Bob hears Alice' },
    { said: sentence('bob'), heard: alice.recording, what: 'Alice hears Bob' },
  ])
  t.diagnostic(`Bob heard ${JSON.stringify(atBob)}`)
  t.diagnostic(`Alice heard ${JSON.stringify(atAlice)}`)
  // And nobody hears themselves.
  const own = compare([{ said: sentence('bob'), heard: bob.recording }, { said: sentence('alice'), heard: alice.recording }])
  for (const result of own) assert.notEqual(shortcoming(result), null, JSON.stringify(result))
})

test('the user echo says what is said to it', { timeout: 60_000 }, async (t) => {
  const alice = Phone.start({ url: server.url, user: 'alice', verb: ['call', 'echo'], play: sentence('alice'), record: true, args: ['--for', '7s'] })
  assert.equal((await alice.ended).code, 0)
  const [heard] = assertHeard([{ said: sentence('alice'), heard: alice.recording }])
  t.diagnostic(JSON.stringify(heard))
})

test('a phone can be the echo', { timeout: 60_000 }, async () => {
  const mirror = Phone.start({ url: server.url, user: 'mirror', verb: ['echo'] })
  await mirror.online()
  const alice = Phone.start({ url: server.url, user: 'alice', verb: ['call', 'mirror'], play: sentence('alice'), record: true, args: ['--for', '7s'] })
  assert.equal((await alice.ended).code, 0)
  assertHeard([{ said: sentence('alice'), heard: alice.recording }])
  await mirror.stop()
})

test('who says nothing is not heard', { timeout: 60_000 }, async () => {
  const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], record: true })
  await bob.online()
  const alice = Phone.start({ url: server.url, user: 'alice', verb: ['call', 'bob'], args: ['--for', '2s'] })
  assert.equal((await alice.ended).code, 0)
  assert.equal((await bob.ended).code, 0)
  const { samples, seconds } = readWav(bob.recording)
  assert.ok(seconds > 1, `${seconds} s recorded`)
  assert.ok(level(samples) < -80, `${level(samples)} dB of silence`)
})
