// The demo page as a person uses it who talks and listens. What is seen and clicked besides: demo-page-look.test.mjs.
import assert from 'node:assert/strict'
import test from 'node:test'
import { saveRecording } from './lib/browser.mjs'
import { hearEachOther, leave, meter, signIn, startDemo, state } from './lib/demo-page.mjs'
import { RECOGNISED, assertCallHeard, sentence } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'

const demo = startDemo()
const { visit } = demo

test('Alice clicks Call, Bob accepts, they hear each other, Alice mutes, Bob hangs up', { timeout: 180_000 }, async (t) => {
  const [alice, bob] = await Promise.all([visit('alice'), visit('bob')])
  await signIn(alice, 'alice')
  await signIn(bob, 'bob')
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await state(alice, 'Ringing')
  await bob.getByRole('alertdialog', { name: 'alice' }).waitFor()
  assert.equal(await bob.evaluate(() => window.__e2e.live()), 0, "Bob's microphone is closed while it rings")
  await bob.getByRole('button', { name: 'Accept' }).click()
  await Promise.all([state(alice, 'Connected'), state(bob, 'Connected')])
  await alice.getByRole('timer').waitFor()
  await Promise.all([meter(alice, 'level-out', true), meter(bob, 'level-out', true), meter(alice, 'level-in', true)])
  await hearEachOther(alice, bob, t)
  await alice.getByRole('button', { name: 'Mute' }).click()
  await alice.getByRole('button', { name: 'Mute', pressed: true }).waitFor()
  await meter(bob, 'level-out', false)
  await alice.getByRole('button', { name: 'Mute' }).click()
  await meter(bob, 'level-out', true)
  await bob.getByRole('button', { name: 'Hang up' }).click()
  await Promise.all([alice, bob].map((tab) => tab.locator('#call.ended').waitFor()))
  for (const tab of [alice, bob]) {
    await tab.getByRole('log').getByText('CallDisconnect').first().waitFor()
    assert.equal(await tab.evaluate(() => window.__e2e.live()), 0, 'the microphone is closed after the call')
  }
  await leave(alice, bob)
})

test('two tabs of one browser are two people', { timeout: 60_000 }, async () => {
  const alice = await visit('alice', { query: '?user=alice' })
  const bob = await visit('bob', { query: '?user=bob', browser: demo.browsers.alice })
  await alice.bringToFront()
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.bringToFront()
  await bob.getByRole('button', { name: 'Accept' }).click()
  await meter(bob, 'level-out', true)
  await alice.bringToFront()
  await meter(alice, 'level-out', true)
  await alice.getByRole('button', { name: 'Hang up' }).click()
  await alice.locator('#call.ended').waitFor()
  await bob.bringToFront()
  await bob.locator('#call.ended').waitFor()
  await leave(alice, bob)
})

test('the user echo: Alice hears herself', { timeout: 180_000 }, async (t) => {
  const alice = await visit('alice')
  await signIn(alice, 'alice')
  await alice.getByRole('button', { name: 'Call Echo' }).click()
  await state(alice, 'Connected')
  await assertCallHeard(async () => {
    await alice.evaluate(() => window.__e2e.record())
    await pass(8_500)
    return [{ said: sentence('alice'), heard: await saveRecording(alice, 'alice-echo'), bar: RECOGNISED }]
  }, t)
  await alice.getByRole('button', { name: 'Hang up' }).click()
  await alice.locator('#call.ended').waitFor()
  await leave(alice)
})
