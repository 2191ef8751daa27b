// The group story of call-semantics section 5: exactly those events, and each hears every other at once.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { tone } from './lib/speech.mjs'
import { checkModels } from './lib/story.mjs'
import { pass } from './lib/wait.mjs'
import { readWav, toneSeconds } from './lib/wav.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
before(async () => {
  world = await World.start({ ringS: 30 })
})
cleanUp(() => world?.server)

const TONES = { alice: 440, bob: 1000, carol: 2500 }
const S = (i, j) => `S(i: ${i}; j: ${j})`

test('Alice calls Bob and Carol, Bob invites Dave, Alice leaves first', { timeout: 60_000 }, async () => {
  const [alice, bob, carol] = await Promise.all(Object.entries(TONES).map(([user, hz]) => world.endpoint('phone', user, { play: tone(hz), repeat: true, record: true })))
  const dave = await world.endpoint('phone', 'dave')

  await alice.call('startCallUsers', { usernames: ['bob', 'carol'] })
  await Promise.all([bob, carol].map((who) => who.until('CallReceiveInvite')))
  await bob.call('accept')
  await Promise.all([alice, bob].map((who) => who.until('CallConnected')))
  await carol.call('accept')
  await Promise.all([carol.until('CallConnected'), alice.until('CallMemberJoin carol'), bob.until('CallMemberJoin carol')])
  const { startTime } = await alice.call('getState').then((state) => state.session)
  await pass(3_000)

  const invited = await bob.call('inviteUsers', { usernames: ['dave', 'carol', 'nobody-has-this-name'] })
  assert.deepEqual(invited.invited, ['dave'])
  assert.deepEqual(invited.failed.map(({ username }) => username).sort(), ['carol', 'nobody-has-this-name'])
  const session = await dave.until('CallReceiveInvite')
  assert.equal(session.inviter.username, 'alice')
  assert.equal(session.invitedBy.username, 'bob')
  await Promise.all([alice, carol].map((who) => who.until('CallOtherUserInvited')))
  await alice.call('hangup')
  await Promise.all([bob, carol].map((who) => who.until('CallMemberLeave alice')))
  await dave.call('refuse')
  await Promise.all([bob, carol].map((who) => who.until('CallMemberLeave dave')))
  await bob.call('hangup')
  await Promise.all([alice, bob, carol, dave].map((who) => who.until('CallDisconnect')))

  alice.expect([
    `startCallUsers ok ${S('bob, carol', 'alice')}`, `CallOutgoing ${S('bob, carol', 'alice')}`,
    `CallConnecting ${S('carol', 'alice, bob')}`, 'CallMemberJoin bob', `CallConnected ${S('carol', 'alice, bob')}`,
    'CallMemberJoin carol', 'CallOtherUserInvited dave by bob', 'hangup ok', 'CallDisconnect hangup',
  ])
  bob.expect([
    `CallReceiveInvite ${S('bob, carol', 'alice')}`, 'accept ok',
    `CallConnecting ${S('carol', 'alice, bob')}`, 'CallMemberJoin alice', `CallConnected ${S('carol', 'alice, bob')}`,
    'CallMemberJoin carol', 'inviteUsers ok', 'CallMemberLeave alice hangup', 'CallMemberLeave dave refuse', 'hangup ok', 'CallDisconnect hangup',
  ])
  carol.expect([
    `CallReceiveInvite ${S('bob, carol', 'alice')}`, 'accept ok',
    `CallConnecting ${S('-', 'alice, bob, carol')}`, 'CallMemberJoin alice', 'CallMemberJoin bob', `CallConnected ${S('-', 'alice, bob, carol')}`,
    'CallOtherUserInvited dave by bob', 'CallMemberLeave alice hangup', 'CallMemberLeave dave refuse',
    'CallMemberLeave bob hangup', 'CallDisconnect hangup',
  ])
  dave.expect([`CallReceiveInvite ${S('dave', 'alice, bob, carol')}`, 'refuse ok', 'CallDisconnect refuse'])
  for (const who of [alice, bob, carol, dave]) {
    for (const seen of checkModels(who)) assert.ok([0, startTime].includes(seen.startTime), `${who.user}: ${seen.startTime}`)
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
