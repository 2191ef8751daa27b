// A group of three: each hears every other at once, and nobody themselves. Who is told what is in testing/scenarios/group.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { tone } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'
import { readWav, toneSeconds } from './lib/wav.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
before(async () => {
  world = await World.start({ ringS: 30 })
})
cleanUp(() => world?.server)

const TONES = { alice: 440, bob: 1000, carol: 2500 }

test('three hear each other', { timeout: 60_000 }, async () => {
  const [alice, bob, carol] = await Promise.all(Object.entries(TONES).map(([user, hz]) => world.endpoint('phone', user, { play: tone(hz), repeat: true, record: true })))

  await alice.call('startCallUsers', { usernames: ['bob', 'carol'] })
  await Promise.all([bob, carol].map((who) => who.until('CallReceiveInvite')))
  await Promise.all([bob, carol].map((who) => who.call('accept')))
  await Promise.all([alice, bob, carol].map((who) => who.until('CallConnected')))
  await pass(3_000)
  for (const who of [alice, bob, carol]) {
    assert.equal(await who.stop(), 0)
    who.network.stop()
  }

  // Two voices at once have half of the power each.
  for (const who of [alice, bob, carol]) {
    const heard = readWav(who.recording)
    for (const [user, hz] of Object.entries(TONES)) {
      const seconds = toneSeconds(heard, hz, 0.25)
      if (user === who.user) assert.equal(seconds, 0, `${who.user} hears themselves`)
      else assert.ok(seconds > 1.5, `${who.user} hears ${user} for ${seconds} s`)
    }
  }
})
