// Chromium to Chromium, Chromium to phone and phone to Chromium: speech is recognised at the other end.
// Everything is driven through window.JMRTC.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { Phone } from './lib/phone.mjs'
import { GOOD, RECOGNISED, assertCallHeard, sentence } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
before(async () => {
  world = await World.start()
  // A browser each: a browser has but one microphone.
  const [alice, bob] = await Promise.all([startBrowser({ microphone: sentence('alice') }), startBrowser({ microphone: sentence('bob') })])
  world.pages = { url: await apiPage(), browsers: { alice, bob } }
})
cleanUp(() => world?.server)

/** The microphone says its sentence again and again: twice its length holds it whole. */
const TWICE_MS = 8_500

test('tab to tab', { timeout: 180_000 }, async (t) => {
  const [a, b] = await Promise.all([world.endpoint('page', 'alice'), world.endpoint('page', 'bob')])
  await assertCallHeard(async () => {
    for (const page of [a, b]) page.clear()
    assert.equal(await b.microphones(), 0)
    await a.call('startCallUsers', { usernames: ['bob'] })
    await b.until('CallReceiveInvite')
    await b.call('accept')
    await Promise.all([a.until('CallConnected'), b.until('CallConnected')])
    await Promise.all([a.record(), b.record()])
    await pass(TWICE_MS)
    const [atAlice, atBob] = [await a.finish(), await b.finish()]
    await a.call('hangup')
    await b.until('CallDisconnect')
    return [
      { said: sentence('alice'), heard: atBob, what: 'Bob hears Alice', bar: RECOGNISED },
      { said: sentence('bob'), heard: atAlice, what: 'Alice hears Bob', bar: RECOGNISED },
    ]
  }, t)
  for (const page of [a, b]) {
    assert.deepEqual(page.problems, [])
    await page.stop()
  }
})

test('tab calls phone', { timeout: 180_000 }, async (t) => {
  const a = await world.endpoint('page', 'alice')
  await assertCallHeard(async () => {
    a.clear()
    const bob = Phone.start({ url: world.server.url, user: 'bob', verb: ['answer'], play: sentence('bob'), repeat: true, record: true })
    await bob.online()
    await a.call('startCallUsers', { usernames: ['bob'] })
    await a.until('CallConnected')
    await a.record()
    await pass(TWICE_MS)
    const heard = await a.finish()
    await a.call('hangup')
    assert.equal((await bob.ended).code, 0)
    return [
      { said: sentence('alice'), heard: bob.recording, what: 'the phone hears the tab', bar: RECOGNISED },
      { said: sentence('bob'), heard, what: 'the tab hears the phone', bar: GOOD },
    ]
  }, t)
  assert.deepEqual(a.problems, [])
  await a.stop()
})

test('phone calls tab', { timeout: 180_000 }, async (t) => {
  const b = await world.endpoint('page', 'bob')
  await assertCallHeard(async () => {
    b.clear()
    const alice = Phone.start({ url: world.server.url, user: 'alice', verb: ['call', 'bob'], play: sentence('alice'), repeat: true, record: true })
    await b.until('CallReceiveInvite')
    await b.call('accept')
    await b.until('CallConnected')
    await b.record()
    await pass(TWICE_MS)
    const heard = await b.finish()
    await b.call('hangup')
    assert.equal((await alice.ended).code, 0)
    return [
      { said: sentence('bob'), heard: alice.recording, what: 'the phone hears the tab', bar: RECOGNISED },
      { said: sentence('alice'), heard, what: 'the tab hears the phone', bar: GOOD },
    ]
  }, t)
  assert.deepEqual(b.problems, [])
  await b.stop()
})
