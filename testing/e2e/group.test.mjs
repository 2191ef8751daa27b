// A group of three: each hears every other at once, and nobody themselves. Who is told what is in testing/scenarios/group.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { inRealTime, sentence, silence, tone } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'
import { readWav, toneGaps, toneSeconds } from './lib/wav.mjs'
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

/** `who` calls in `others`, who accept. */
async function gather(who, ...others) {
  await who.call('startCallUsers', { usernames: others.map(({ user }) => user) })
  await Promise.all(others.map((other) => other.until('CallReceiveInvite')))
  await Promise.all(others.map((other) => other.call('accept')))
  await Promise.all([who, ...others].map((one) => one.until('CallConnected')))
}

test('people come and go, and a tone goes on for the rest without a fault', { timeout: 90_000 }, async (t) => {
  // Multiples of 50 Hz, which do not disturb each other in 20 ms, and so soft that nothing is limited.
  const soft = (hz) => tone(hz, 10, 0.1)
  const crowd = ['carol', 'dave', 'erin', 'frank', 'grace']
  const comeAndGo = async () => {
    const [alice, bob, ...others] = await Promise.all(['alice', 'bob', ...crowd].map((user, i) => world.endpoint('phone', user, {
      play: user === 'alice' ? soft(450) : user === 'bob' ? silence() : soft(700 + 300 * i), repeat: true, record: user === 'bob',
    })))
    await gather(alice, bob)
    await pass(500)
    // Three beside Alice at a time, as many as there are slots: each newcomer takes the slot of one who has gone.
    for (const [i, other] of [...others, ...others.slice(0, 3)].entries()) {
      if (i >= 3) await others[(i - 3) % others.length].call('hangup')
      await alice.call('inviteUsers', { usernames: [other.user] })
      await other.until('CallReceiveInvite')
      await other.call('accept')
      await other.until('CallConnected')
      other.clear()
      await pass(500)
    }
    await alice.call('hangup')
    for (const phone of [alice, bob, ...others]) {
      assert.equal(await phone.stop(), 0)
      phone.network.stop()
    }
    return readWav(bob.recording)
  }
  await inRealTime(comeAndGo, t, (heard) => {
    assert.deepEqual(toneGaps(heard, 450), [], 'moments without the tone')
    for (const [i, who] of crowd.entries()) assert.ok(toneSeconds(heard, 1300 + 300 * i, 0.1) > 0.3, `Bob hears ${who}`)
  })
})

test('everybody is told who speaks', { timeout: 60_000 }, async () => {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((user) => world.endpoint('phone', user, {
    play: user === 'bob' ? sentence('bob') : silence(), repeat: true,
  })))
  await gather(alice, bob, carol)
  for (const who of [alice, bob, carol]) await who.speakers.find((speakers) => speakers.join() === 'bob', `${who.user}: bob speaks`)
  await bob.call('setIsMuted', { muted: true })
  for (const who of [alice, bob, carol]) await who.speakers.find((speakers) => speakers.length === 0, `${who.user}: nobody speaks`)
  for (const who of [alice, carol]) await who.until('CallMemberMuted bob true')
  for (const who of [alice, bob, carol]) {
    assert.equal(await who.stop(), 0)
    who.network.stop()
  }
})

test('five speak and four are heard: who comes back speaks in another slot than before', { timeout: 60_000 }, async () => {
  const soft = (i) => tone(700 + 300 * i, 10, 0.05)
  const crowd = ['carol', 'dave', 'erin', 'frank']
  const [alice, bob, ...others] = await Promise.all(['alice', 'bob', ...crowd].map((user, i) => world.endpoint('phone', user, {
    play: user === 'alice' ? tone(450, 10, 0.3) : user === 'bob' ? silence() : soft(i), repeat: true, record: user === 'bob',
  })))
  await gather(bob, alice)
  await pass(500)
  // Alice is silent while the four others take every slot, hers among them.
  await alice.call('setIsMuted', { muted: true })
  await bob.call('inviteUsers', { usernames: crowd })
  for (const other of others) {
    await other.until('CallReceiveInvite')
    await other.call('accept')
    await other.until('CallConnected')
  }
  await pass(2_500)
  const from = bob.speakers.items.length
  await alice.call('setIsMuted', { muted: false })
  await bob.speakers.find((speakers) => speakers.includes('alice'), 'bob: alice is back', { from })
  for (const speakers of bob.speakers.items) assert.ok(speakers.length <= 4, `more are shown than are heard: ${speakers}`)
  await pass(1_500)
  for (const phone of [alice, ...others, bob]) {
    assert.equal(await phone.stop(), 0)
    phone.network.stop()
  }
  const heard = readWav(bob.recording)
  // She hangs up a moment before he does.
  const last = { ...heard, samples: heard.samples.subarray(-2 * heard.rate, -0.5 * heard.rate) }
  assert.deepEqual(toneGaps(last, 450), [], 'moments without Alice')
  assert.ok(toneSeconds(last, 450, 0.25) > 0.5, 'Bob hears Alice again')
})

test('members come and go in a page without any negotiation, and a tone goes on without a fault', { timeout: 60_000 }, async () => {
  world.pages ??= { url: await apiPage(), browsers: { page: await startBrowser() } }
  const page = await world.endpoint('page', 'page')
  // So soft that nothing is limited, and of frequencies that do not disturb each other in 20 ms.
  const [bob, carol] = await Promise.all([['bob', 450], ['carol', 1000]].map(([user, hz]) => world.endpoint('phone', user, { play: tone(hz, 10, 0.1), repeat: true })))
  await gather(page, bob)
  await page.record()
  const negotiations = () => page.tab.evaluate(() => [window.__e2e.peers.length, window.__e2e.negotiations])
  assert.deepEqual(await negotiations(), [1, 1])
  for (let i = 0; i < 2; i++) {
    await page.call('inviteUsers', { usernames: ['carol'] })
    await carol.until('CallReceiveInvite')
    await carol.call('accept')
    await page.until('CallMemberJoin carol')
    await page.speakers.find((speakers) => speakers.includes('carol'), 'carol to be heard')
    await pass(500)
    await carol.call('hangup')
    await page.until('CallMemberLeave carol')
    await pass(500)
    for (const who of [page, carol]) who.clear()
    page.speakers.items.length = 0
  }
  assert.deepEqual(await negotiations(), [1, 1])
  const heard = readWav(await page.finish())
  assert.ok(toneSeconds(heard, 450, 0.1) > 2 && toneSeconds(heard, 1000, 0.1) > 0.3, 'the page hears both')
  // It is recorded in the page, on a machine that may be busy for a moment. A fault would come with each who comes or goes.
  const gaps = toneGaps(heard, 450)
  assert.ok(gaps.length <= 1 && gaps.every(([from, to]) => to - from < 0.2), `moments in which the page does not hear Bob: ${JSON.stringify(gaps)}`)
  await page.call('hangup')
  await bob.until('CallDisconnect')
  await Promise.all([page, bob, carol].map((who) => who.stop()))
})
