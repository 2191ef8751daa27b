// Consent against whoever tries to do without it, on the wire: the bug classes that Project Zero found in the call
// machines of others ("The State of State Machines", 2021). P3 and P4, sound that is sent early and sound that leaks around
// the moment of the accept, are in consent.test.mjs.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test, { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { Forger } from './lib/forger.mjs'
import { root } from './lib/paths.mjs'
import { Phone } from './lib/phone.mjs'
import { Relay } from './lib/relay.mjs'
import { token } from './lib/server.mjs'
import { tone } from './lib/speech.mjs'
import { pass, until } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'
import { WsClient } from './lib/wsclient.mjs'

/** How long a microphone that was opened by mistake has to be heard: fifty packets. */
const QUIET_MS = 1_000

let world
let relay
before(async () => {
  relay = await Relay.start()
  world = await World.start({ ringS: 60, args: relay.advertised })
  relay.to(world.server)
  world.pages = { url: await apiPage(), browsers: { bob: await startBrowser({ microphone: tone(1000) }) } }
})
cleanUp(() => world?.server)

const fixtures = join(root, 'protocol/fixtures')
/** One of each message that the server has, as it would be about the call `session`. */
function everyMessage(session) {
  const names = readdirSync(fixtures).filter((name) => name.startsWith('server.'))
  assert.ok(names.length > 25)
  return names.map((name) => {
    const text = readFileSync(join(fixtures, name), 'utf8').replaceAll('5dK2w9Qx', session.channelId)
    return { name, message: JSON.parse(text) }
  })
}

/** Bob, who is rung by Alice, with a forger between him and the server. Alice is whoever speaks the protocol. */
async function rung(kind) {
  const forger = await Forger.start(world.server.port)
  const bob = await world.endpoint(kind, 'bob', { play: tone(1000), repeat: true, token: token('bob'), [kind === 'phone' ? 'url' : 'server']: forger.url })
  const alice = await WsClient.signIn(world.server, 'alice')
  const from = relay.mark
  const { reply: { session } } = await alice.request({ method: 'start', usernames: ['bob'] })
  await bob.until('CallReceiveInvite')
  await until(() => relay.packets('dtls', { from, up: true }).length > 0, "Bob's link")
  const end = async () => {
    await alice.close()
    await bob.stop()
    forger.stop()
  }
  return { alice, bob, forger, session, from, end }
}

/** Bob has not accepted, and whatever was said to him since `from`, nothing of him is heard; then he accepts and is. */
async function stillSilent({ alice, bob, from, session }, what) {
  await pass(QUIET_MS)
  assert.equal(relay.packets('rtp', { from, up: true }).length, 0, `${what}: he is heard and has not accepted`)
  if (bob.microphones) assert.equal(await bob.microphones(), 0, `${what}: his microphone is open`)
  const { call } = await bob.call('getState')
  assert.equal(call, 'incoming', `${what}: ${bob.lines.join('; ')}`)
  await bob.call('accept')
  await until(() => relay.packets('rtp', { from, up: true }).length > 10, 'Bob to be heard when he has accepted')
  await alice.request({ method: 'leave', channelId: session.channelId, reason: 'hangup' })
  await bob.until('CallDisconnect')
}

for (const kind of ['phone', 'page']) {
  test(`P1, ${kind}: who comes into the call or goes, is invited or muted, answers nobody's telephone`, { timeout: 60_000 }, async () => {
    const scene = await rung(kind)
    const { alice, forger, session } = scene
    // What the server does of itself when others come in.
    const others = await Promise.all(['carol', 'dave'].map((user) => WsClient.signIn(world.server, user)))
    const { channelId } = session
    await alice.request({ method: 'invite', channelId, usernames: ['carol'] })
    // And what it would never say: that Bob himself is in.
    for (const { name, message } of everyMessage(session)) {
      if (['joined', 'left', 'othersInvited', 'muted', 'slots'].some((event) => name.startsWith(`server.event.${event}`))) forger.say(message)
    }
    await stillSilent(scene, 'members')
    await Promise.all(others.map((other) => other.close()))
    await scene.end()
  })

  test(`P2, ${kind}: a message that only the other side may get answers nothing`, { timeout: 60_000 }, async () => {
    const scene = await rung(kind)
    const { alice, forger, session } = scene
    const { channelId } = session
    // The caller says what only the callee may say.
    const { error } = await alice.request({ method: 'accept', channelId })
    assert.equal(error.name, 'INVALID_STATE', JSON.stringify(error))
    // All that the server has for anybody, but what ends the ring or the connection, and answers by which Bob would be in a call.
    const messages = everyMessage(session)
    for (const { name, message } of messages) {
      if (!/^server\.(welcome\.call|closing|fault|event\.(ended|invited)|reply\.(accept|start))/.test(name)) forger.say(message)
    }
    await stillSilent(scene, 'messages in the wrong direction')

    // That he has accepted, which he has not: he says no to it.
    const from = relay.mark
    const known = new Set(relay.seen.items.map(({ link }) => link))
    const { reply: { session: again } } = await alice.request({ method: 'start', usernames: ['bob'] })
    await scene.bob.log.find(({ payload }) => payload?.channelId === again.channelId, 'bob: the second call')
    await until(() => relay.packets('dtls', { from, up: true }).some(({ link }) => !known.has(link)), "Bob's second link")
    forger.say(everyMessage(again).find(({ name }) => name === 'server.reply.accept.json').message)
    await scene.bob.log.find(({ name, payload }) => name === 'CallDisconnect' && payload.session.channelId === again.channelId, 'bob: its end')
    await pass(QUIET_MS)
    // The last packets of the first call may still have been on their way.
    const sound = relay.packets('rtp', { from, up: true }).filter(({ link }) => !known.has(link))
    assert.deepEqual(sound, [], 'he is heard and has not accepted')
    if (scene.bob.microphones) assert.equal(await scene.bob.microphones(), 0, 'his microphone is open')
    await scene.end()
  })

  test(`P5, ${kind}: negotiation anew before the answer opens no microphone`, { timeout: 60_000 }, async () => {
    const scene = await rung(kind)
    const { alice, bob, forger, session } = scene
    const { channelId } = session
    // The caller negotiates what is not his, and his own again and again.
    for (const generation of [1, 1, 2, 7]) await alice.request({ method: 'link', channelId, generation, offer: 'v=0\r\n' })
    // The server offers and answers unasked.
    const { message: answer } = everyMessage(session).find(({ name }) => name === 'server.reply.link.json')
    for (let i = 0; i < 3; i++) {
      forger.say(answer)
      forger.say({ type: 'event', event: { type: 'slots', channelId, slots: ['alice', 'bob', null, null] } })
    }
    // And Bob's own link is negotiated anew, as when the network changes.
    await bob.system('networkChanged')
    await stillSilent(scene, 'negotiation')
    await scene.end()
  })
}

test('a user who is no member learns nothing of the call and takes no part in it, whatever is asked', { timeout: 60_000 }, async () => {
  const bob = Phone.start({ url: world.server.url, user: 'bob', verb: ['answer'], play: tone(1000), repeat: true })
  await bob.online()
  const alice = await world.endpoint('phone', 'alice', { play: tone(440), repeat: true })
  const { channelId } = await alice.call('startCallUsers', { usernames: ['bob'] })
  await alice.until('CallConnected')
  const eve = await WsClient.connect(world.server.url)
  eve.user = 'eve'
  await eve.hello(token('eve'))
  for (const request of [
    { method: 'accept', channelId }, { method: 'refuse', channelId }, { method: 'invite', channelId, usernames: ['eve'] }, { method: 'mute', channelId, muted: true },
    { method: 'link', channelId, generation: 1, offer: 'v=0\r\n' },
  ]) {
    const known = await eve.request(request)
    const unknown = await eve.request({ ...request, channelId: 'no-such-call' })
    assert.equal(known.type, 'failure', JSON.stringify(known))
    assert.deepEqual(known.error, unknown.error, `${request.method}: the answer tells that there is such a call`)
  }
  assert.deepEqual(eve.received.items.filter(({ type }) => type === 'event'), [])
  assert.ok(!alice.lines.some((line) => line.includes('eve')))
  await alice.call('hangup')
  await alice.until('CallDisconnect')
  await bob.stop()
  await Promise.all([eve.close(), alice.stop()])
})
