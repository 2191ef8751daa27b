// On the wire, against two of the bug classes of "The State of State Machines" (the others: consent-forged.test.mjs): no packet with sound before the callee accepted, none after the end, none while muted; in both
// directions, for phones and Chromium. Everything between clients and server passes a relay that counts.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { startBrowser } from './lib/browser.mjs'
import { apiPage } from './lib/api-page.mjs'
import { Relay } from './lib/relay.mjs'
import { tone } from './lib/speech.mjs'
import { pass, until } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'
import { WrtcClient } from './lib/wrtc.mjs'

/** How long nothing may come where nothing may come. */
const QUIET_MS = 1_500
/** What was sent before the change and is still on its way or in a socket's buffer, and how many packets that may be. */
const ON_THE_WAY_MS = 200
const ON_THE_WAY = 5

let world
let relay
before(async () => {
  relay = await Relay.start()
  world = await World.start({ ringS: 30, args: relay.advertised })
  relay.to(world.server)
  const browser = await startBrowser({ microphone: tone(440) })
  world.pages = { url: await apiPage(), browsers: { alice: browser, bob: await startBrowser({ microphone: tone(1000) }) } }
})
cleanUp(() => world?.server)

/** A new link that comes up, DTLS included, after index `from`. */
async function newLink(from, known, who) {
  return until(() => {
    const found = relay.packets('dtls', { from, up: true }).find((p) => !known.includes(p.link))
    return found?.link
  }, `a link of ${who}`)
}

/** Fails if an RTP packet passes within the time, from now. */
async function quiet(what, filter = {}) {
  const change = relay.mark
  await pass(ON_THE_WAY_MS)
  const from = relay.mark
  // Of a link that goes on, one in 20 ms would come.
  const still = relay.packets('rtp', { from: change, ...filter })
  const most = ON_THE_WAY * new Set(still.map((p) => `${p.client} ${p.up}`)).size
  assert.ok(still.length <= most, `${what}: ${still.length} packets with sound in the first ${ON_THE_WAY_MS} ms`)
  await pass(QUIET_MS)
  const packets = relay.packets('rtp', { from, ...filter })
  assert.equal(packets.length, 0, `${what}: ${packets.length} packets with sound, the first ${JSON.stringify(packets[0])}`)
}

/** Waits for sound on the way `filter` says. */
async function sound(what, filter) {
  const from = relay.mark
  await until(() => relay.packets('rtp', { from, ...filter }).length >= 10, `${what} to flow`)
}

for (const [kinds, way] of [[['phone', 'phone'], 'UDP'], [['phone', 'phone'], 'TCP'], [['page', 'page'], 'UDP']]) {
  test(`P4, ${kinds.join(' to ')} over ${way}: sound only between accept and the end, and not while muted`, { timeout: 90_000 }, async () => {
    relay.drop = ({ client }) => way === 'TCP' && !client.startsWith('tcp ')
    const begin = relay.mark
    const a = await world.endpoint(kinds[0], 'alice', { play: tone(440), repeat: true })
    // Bob has been here and is away: Alice's link is then the first that comes up.
    await (await world.endpoint('phone', 'bob')).stop()
    await a.call('startCallUsers', { usernames: ['bob'] })
    const alice = await newLink(begin, [], 'Alice')
    const b = await world.endpoint(kinds[1], 'bob', { play: tone(1000), repeat: true })
    await b.until('CallReceiveInvite')
    const bob = await newLink(begin, [alice], 'Bob')

    await quiet('while it rings')
    assert.equal(relay.packets('rtp', { from: begin }).length, 0, 'sound before accept')
    if (kinds[1] === 'page') assert.equal(await b.microphones(), 0, "Bob's microphone is open before accept")

    await b.call('accept')
    await Promise.all([a.until('CallConnected'), b.until('CallConnected')])
    await Promise.all([
      sound("Alice's voice to the server", { link: alice, up: true }), sound("Alice's voice to Bob", { link: bob, up: false }),
      sound("Bob's voice to the server", { link: bob, up: true }), sound("Bob's voice to Alice", { link: alice, up: false }),
    ])

    await a.call('setIsMuted', { muted: true })
    await quiet('Alice is muted', { link: alice, up: true })
    await quiet('Alice is muted, at Bob', { link: bob, up: false })
    await sound('Bob while Alice is muted', { link: bob, up: true })
    await a.call('setIsMuted', { muted: false })
    await Promise.all([sound('Alice again', { link: alice, up: true }), sound('Alice again, at Bob', { link: bob, up: false })])

    await a.call('hangup')
    await b.until('CallDisconnect')
    await quiet('after the end')
    for (const who of [a, b]) {
      if (who.microphones) assert.equal(await who.microphones(), 0, `${who.user}'s microphone is open after the end`)
    }

    // A call that is refused has no sound at all.
    const refused = relay.mark
    await a.call('startCallUsers', { usernames: ['bob'] })
    await b.log.find(({ name }, i) => name === 'CallReceiveInvite', 'bob: CallReceiveInvite', { from: b.log.items.findIndex(({ name }) => name === 'CallDisconnect') })
    await newLink(refused, [alice, bob], 'somebody, for the second call')
    await b.call('refuse')
    await quiet('refused')
    assert.equal(relay.packets('rtp', { from: refused }).length, 0, 'sound in a refused call')
    relay.drop = () => false
    await Promise.all([a.stop(), b.stop()])
  })
}

for (const kind of ['phone', 'page']) {
  test(`P4, ${kind}: accepted and given up again and again, not a packet before the yes or after the no`, { timeout: 60_000 }, async (t) => {
    const seed = Date.now() % 1_000_000
    t.diagnostic(`seed ${seed}`)
    // How long after the yes comes the no, in milliseconds: from at once to when sound flows.
    const pauses = Array.from({ length: 4 }, (_, n) => (seed * (n + 1) * 7_919) % 250)
    const alice = await world.endpoint('phone', 'alice')
    const bob = await world.endpoint(kind, 'bob', { play: tone(1000), repeat: true })
    for (const pause of pauses) {
      for (const who of [alice, bob]) who.clear()
      const rings = relay.mark
      const known = new Set(relay.seen.items.map(({ link }) => link))
      await alice.call('startCallUsers', { usernames: ['bob'] })
      await bob.until('CallReceiveInvite')
      await until(() => new Set(relay.packets('dtls', { from: rings, up: true }).map(({ link }) => link).filter((link) => !known.has(link))).size >= 2, 'both links')
      const before = relay.packets('rtp', { from: rings, up: true })
      assert.deepEqual(before, [], `pause ${pause}: sound before the yes`)
      const accepted = bob.call('accept').catch(() => {})
      await pass(pause)
      await bob.call('hangup')
      await Promise.all([accepted, alice.until('CallDisconnect')])
      await quiet(`pause ${pause}: after the no`, { up: true })
      if (bob.microphones) assert.equal(await bob.microphones(), 0, `pause ${pause}: the microphone is open`)
    }
    await Promise.all([alice.stop(), bob.stop()])
  })
}

test('P3: a caller that sends at once is not forwarded, nor is a callee that sends before it accepted', { timeout: 60_000 }, async () => {
  const [carol, dave] = await Promise.all([WrtcClient.signIn(world.server, 'carol'), WrtcClient.signIn(world.server, 'dave')])
  const from = relay.mark
  const { reply } = await carol.ws.request({ method: 'start', usernames: ['dave'] })
  const { channelId } = reply.session
  await dave.ws.event('invited')
  await carol.link(channelId)
  await dave.link(channelId)
  carol.say(tone(440))
  dave.say(tone(1000))
  await until(() => relay.packets('rtp', { from, up: true }).length > 100, 'both to send')
  await pass(QUIET_MS)
  assert.equal(relay.packets('rtp', { from, up: false }).length, 0, 'the server forwarded before accept')
  await dave.ws.request({ method: 'accept', channelId })
  await sound('the server', { up: false })
  carol.channelId = channelId
  await carol.hangup()
  await dave.ws.event('ended')
  const after = relay.mark
  await pass(ON_THE_WAY_MS + QUIET_MS)
  const late = relay.packets('rtp', { from: after, up: false }).filter((p) => p.at > relay.seen.items[after]?.at + ON_THE_WAY_MS)
  assert.equal(late.length, 0, 'the server forwarded after the end')
  await Promise.all([carol.close(), dave.close()])
})
