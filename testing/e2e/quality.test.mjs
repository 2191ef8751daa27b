// How a call sounds is told, on a phone and in a page alike: warned of, and taken back; and tested before a call.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { Relay } from './lib/relay.mjs'
import { silence, tone } from './lib/speech.mjs'
import { talk } from './lib/story.mjs'
import { until } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'

/** Warnings come after some seconds of trouble, the slowest after fifteen. */
const SLOW = 40_000

let world
let relay
before(async () => {
  relay = await Relay.start()
  world = await World.start({ graceS: 20, ringS: 30, args: relay.advertised })
  relay.to(world.server)
  const [alice, bob, mute] = await Promise.all([tone(440), tone(1000), silence()].map((microphone) => startBrowser({ microphone })))
  world.pages = { url: await apiPage(), browsers: { alice, bob, mute } }
})
cleanUp(() => world?.server)

const warned = (who, warning, from = 0) =>
  who.quality.find(({ warnings }) => warnings.includes(warning), `${who.user}: ${warning}`, { from, ms: SLOW })
const cleared = (who, warning, from) =>
  who.quality.find(({ warnings }) => !warnings.includes(warning), `${who.user}: ${warning} taken back`, { from, ms: SLOW })

test('the network loses and delays packets: both are warned, and told when it is over', { timeout: 180_000 }, async (t) => {
  const alice = await world.endpoint('phone', 'alice', { play: tone(440), repeat: true })
  const bob = await world.endpoint('page', 'bob')
  await talk(alice, bob)
  for (const who of [alice, bob]) await who.quality.find(({ score }) => score >= 4, `${who.user}: a good call`, { ms: SLOW })

  const marks = [alice, bob].map((who) => who.quality.items.length)
  const begin = Date.now()
  let n = 0
  relay.drop = ({ kind }) => kind === 'rtp' && n++ % 5 === 0
  relay.delay = ({ kind }) => (kind === 'rtp' ? 60 : 0)
  const bad = await Promise.all([alice, bob].map((who, i) => warned(who, 'loss', marks[i])))
  t.diagnostic(`warned after ${Date.now() - begin} ms: ${JSON.stringify(bad)}`)
  const { lossDown, mos, transport } = await bob.call('getStats')
  assert.ok(lossDown > 0.05 && mos < 3.6 && transport === 'udp', JSON.stringify({ lossDown, mos, transport }))

  const over = [alice, bob].map((who) => who.quality.items.length)
  const end = Date.now()
  relay.drop = () => false
  relay.delay = () => 0
  await Promise.all([alice, bob].map((who, i) => cleared(who, 'loss', over[i])))
  t.diagnostic(`taken back after ${Date.now() - end} ms`)
  await Promise.all([alice, bob].map((who, i) => who.quality.find(({ score, warnings }) => score >= 4 && warnings.length === 0, `${who.user}: good again`, { from: over[i], ms: SLOW })))
  for (const who of [alice, bob]) assert.ok(!who.lines.some((line) => line.startsWith('CallReconnect')), 'the call itself went on')
  await alice.call('hangup')
  await bob.until('CallDisconnect')
  await Promise.all([alice, bob].map((who) => who.stop()))
})

test('the way is long, then unsteady, then carries sound one way only: each has its warning, and its end', { timeout: 240_000 }, async () => {
  const alice = await world.endpoint('phone', 'alice', { play: tone(440), repeat: true })
  // Bob has been here and is away: Alice's link is then the first that comes up.
  await (await world.endpoint('phone', 'bob')).stop()
  const from = relay.mark
  await alice.call('startCallUsers', { usernames: ['bob'] })
  const hers = await until(() => relay.packets('dtls', { from, up: true }).find(({ link }) => link)?.link, "Alice's link")
  const bob = await world.endpoint('page', 'bob')
  await bob.until('CallReceiveInvite')
  await bob.call('accept')
  const both = [alice, bob]
  await Promise.all(both.map((who) => who.until('CallConnected')))
  let n = 0
  for (const [warning, who, trouble] of [
    ['rtt', both, { delay: ({ kind }) => (kind === 'dtls' ? 0 : 230) }],
    ['jitter', both, { delay: ({ kind }) => (kind === 'rtp' ? (n++ * 37) % 160 : 0) }],
    // Bob's ICE is restarted, which does not help and gives his link another name: what is not Alice's is his.
    ['oneWayAudio', [bob], { drop: ({ kind, up, link: of }) => kind === 'rtp' && !up && of !== hers }],
  ]) {
    const marks = who.map((one) => one.quality.items.length)
    Object.assign(relay, trouble)
    await Promise.all(who.map((one, i) => warned(one, warning, marks[i])))
    const over = who.map((one) => one.quality.items.length)
    Object.assign(relay, { drop: () => false, delay: () => 0 })
    // A browser that has met jitter goes on to play late for a while: no five bars, but no warning.
    await Promise.all(who.map((one, i) => one.quality.find(({ warnings }) => warnings.length === 0, `${one.user}: good again after ${warning}`, { from: over[i], ms: SLOW })))
  }
  assert.ok(!alice.quality.items.some(({ warnings }) => warnings.includes('oneWayAudio')), 'Alice heard Bob all the time')
  assert.ok(!alice.lines.some((line) => line.startsWith('CallReconnect')), 'the call itself went on')
  assert.ok(!bob.lines.some((line) => line.startsWith('CallDisconnect')), 'the call itself went on')
  await alice.call('hangup')
  await bob.until('CallDisconnect')
  await Promise.all(both.map((who) => who.stop()))
})

test('a microphone that hears nothing at all is told of, but not while muted', { timeout: 120_000 }, async () => {
  const alice = await world.endpoint('phone', 'alice', { play: tone(440), repeat: true })
  const bob = await world.endpoint('page', 'mute')
  await bob.call('setIsMuted', { muted: true })
  await bob.call('startCallUsers', { usernames: ['alice'] })
  await alice.until('CallReceiveInvite')
  await alice.call('accept')
  await bob.until('CallConnected')
  await bob.quality.find(() => true, 'quality', { ms: SLOW })
  await bob.call('setIsMuted', { muted: false })
  const since = Date.now()
  await warned(bob, 'silentMicrophone')
  assert.ok(Date.now() - since > 10_000, 'muted time counts for nothing')
  assert.ok(!alice.quality.items.some(({ warnings }) => warnings.includes('silentMicrophone')))
  const { quality } = await bob.call('getState')
  assert.ok(quality.warnings.includes('silentMicrophone'), 'a page that is drawn anew knows')
  await bob.call('hangup')
  await Promise.all([alice, bob].map((who) => who.stop()))
})

const failing = ({ checks }) => checks.filter(({ ok }) => !ok).map(({ name }) => name)

for (const [kind, user] of [['phone', 'alice'], ['page', 'bob']]) {
  test(`${kind}: a preflight tests the way without a call and leaves nothing`, { timeout: 120_000 }, async (t) => {
    const other = await world.endpoint('phone', 'carol')
    const who = await world.endpoint(kind, user, { play: tone(440), repeat: true })
    const good = await who.call('preflight', { seconds: 3 })
    t.diagnostic(good.checks.map(({ name, detail }) => `${name}: ${detail}`).join('; '))
    assert.deepEqual(failing(good), [])
    assert.equal(good.ok, true)
    assert.equal((await world.server.metrics()).jmrtc_calls ?? 0, 0)
    if (kind === 'page') assert.equal(await who.microphones(), 0, 'the microphone is closed again')

    relay.drop = ({ client }) => !client.startsWith('tcp ')
    const blocked = await who.call('preflight', { seconds: 1 })
    relay.drop = () => false
    assert.deepEqual(failing(blocked), ['mediaUdp'])
    assert.equal(blocked.ok, true, 'TCP will do')

    // A call that comes in goes first.
    const interrupted = who.call('preflight', { seconds: 20 }).catch(({ name }) => name)
    await until(async () => (await world.server.metrics()).jmrtc_links > 0, 'a link')
    await other.call('startCallUsers', { usernames: [user] })
    await who.until('CallReceiveInvite')
    assert.equal(await interrupted, 'ALREADY_IN_CALL')
    await who.call('refuse')
    await other.until('CallDisconnect')
    await Promise.all([who, other].map((one) => one.stop()))
  })
}

test('a preflight finds a dead microphone', { timeout: 60_000 }, async () => {
  const page = await world.endpoint('page', 'mute')
  const report = await page.call('preflight', { seconds: 2 })
  assert.deepEqual(failing(report), ['microphone'])
  assert.equal(report.ok, false)
  await page.stop()
})
