// Profiles, relations and call records through window.JMRTC in Chromium, on a driven phone, and by the company's backend.
import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { backendToken, token } from './lib/server.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
let alice
let bob
before(async () => {
  world = await World.start({ ringS: 2 })
  world.pages = { url: await apiPage(), browsers: { alice: await startBrowser() } }
  ;[alice, bob] = await Promise.all([world.endpoint('page', 'alice'), world.endpoint('phone', 'bob')])
})
after(() => bob?.stop())
cleanUp(() => world?.server)

const backend = (method, path, body) => world.server.rest(method, path, backendToken(), body)
const names = (users) => users.map(({ username }) => username)

/** `caller` calls `callee`, who sees it and refuses. The invitation that it saw. */
async function refusedCall(caller, callee) {
  for (const who of [caller, callee]) who.clear()
  await caller.call('startCallUsers', { usernames: [callee.user] })
  const invitation = await callee.until('CallReceiveInvite')
  await callee.call('refuse')
  await Promise.all([caller, callee].map((who) => who.until('CallDisconnect')))
  return invitation
}

test('a profile is changed in part and seen by others', async () => {
  const me = await alice.call('updateMyInfo', { nickname: 'Ally', extras: { team: 'red' } })
  assert.equal(me.nickname, 'Ally')
  const { gender, nickname, extras } = await alice.call('updateMyInfo', { gender: 'female' })
  assert.deepEqual({ gender, nickname, extras }, { gender: 'female', nickname: 'Ally', extras: { team: 'red' } })
  const { users: [seen], failed } = await bob.call('getUserInfo', { usernames: ['alice', 'nobody'] })
  assert.deepEqual([seen.nickname, seen.gender], ['Ally', 'female'])
  assert.deepEqual(failed, [{ username: 'nobody', name: 'USER_UNAVAILABLE' }])
})

test('one sees about whom one keeps something, page by page, and nobody else does', async () => {
  const about = ['a1', 'a2', 'a3']
  for (const username of about) await backend('PUT', `/v1/users/${username}`, {})
  for (const username of about) await alice.call('updateRelation', { username, isInBlackList: username === 'a2' })
  assert.deepEqual(await alice.call('getRelations'), { users: (await alice.call('getUserInfo', { usernames: ['a2'] })).users, more: false }, 'nothing is kept where nothing is said')
  for (const username of about) await alice.call('updateRelation', { username, noteText: `of ${username}` })
  const first = await alice.call('getRelations', { limit: 2 })
  const second = await alice.call('getRelations', { after: 'a2', limit: 2 })
  assert.deepEqual([first, second].map(({ users, more }) => [users.map(({ username, noteText, isInBlackList }) => `${username} ${noteText} ${isInBlackList}`), more]), [
    [['a1 of a1 false', 'a2 of a2 true'], true],
    [['a3 of a3 false'], false],
  ])
  assert.deepEqual(await bob.call('getRelations'), { users: [], more: false })
  await assert.rejects(alice.call('getRelations', { limit: 41 }), { code: 871003 })
  for (const username of about) await alice.call('updateRelation', { username, noteText: '', isInBlackList: false })
})

test('a note is in the sessions of the one who made it only; no-disturb makes a call silent', async () => {
  await bob.call('updateRelation', { username: 'alice', noteName: 'Sis' })
  const loud = await refusedCall(alice, bob)
  assert.deepEqual([loud.inviter.noteName, loud.inviter.nickname, loud.silent], ['Sis', 'Ally', undefined])
  const outgoing = await alice.until('CallOutgoing')
  assert.deepEqual([...outgoing.joinedMembers, ...outgoing.invitingMembers].map(({ noteName }) => noteName), ['', ''])

  const { noteName, isNoDisturb } = await bob.call('updateRelation', { username: 'alice', isNoDisturb: true })
  assert.deepEqual({ noteName, isNoDisturb }, { noteName: 'Sis', isNoDisturb: true })
  const quiet = await refusedCall(alice, bob)
  assert.equal(quiet.silent, true)
  assert.equal((await refusedCall(bob, alice)).silent, undefined, 'it is Bob who is not to be disturbed')
})

for (const [blocked, by] of [['page', 'phone'], ['phone', 'page']]) {
  test(`a ${by} blocks a ${blocked}: it rings there without an answer, and here nothing ever was`, async () => {
    const [caller, callee] = blocked === 'page' ? [alice, bob] : [bob, alice]
    const known = (await callee.call('getCallHistory')).calls.length
    await callee.call('updateRelation', { username: caller.user, isInBlackList: true })
    for (const who of [caller, callee]) who.clear()
    const { channelId } = await caller.call('startCallUsers', { usernames: [callee.user] })
    const end = await caller.until('CallDisconnect')
    assert.deepEqual([end.reason, end.detail], ['cancel', 'noAnswer'])
    assert.deepEqual(callee.lines, [])

    const { calls: [last] } = await caller.call('getCallHistory', { limit: 1 })
    assert.deepEqual([last.channelId, last.reason, last.detail, last.startTime], [channelId, 'cancel', 'noAnswer', 0])
    assert.deepEqual(last.members.map(({ user, detail }) => [user.username, detail]), [[caller.user, 'noAnswer'], [callee.user, 'noAnswer']])
    const { calls } = await callee.call('getCallHistory')
    assert.equal(calls.length, known)
    await assert.rejects(callee.call('getCallHistory', { before: channelId }), { code: 871003 })
    assert.equal((await world.server.rest('GET', `/v1/calls/${channelId}`, token(callee.user))).status, 404)
    assert.equal((await world.server.rest('GET', `/v1/calls/${channelId}`, token(caller.user))).status, 200)
    const { body: record } = await backend('GET', `/v1/calls/${channelId}`)
    assert.deepEqual(record.members.map(({ username, shown }) => [username, shown]), [[caller.user, true], [callee.user, false]])

    await callee.call('updateRelation', { username: caller.user, isInBlackList: false })
    await refusedCall(caller, callee)
  })
}

test('calls are their members\' to know, newest first and page by page', async () => {
  const { calls, more } = await alice.call('getCallHistory')
  assert.equal(more, false)
  const times = calls.map(({ endTime }) => endTime)
  assert.deepEqual(times, times.toSorted((a, b) => b - a))
  const first = await alice.call('getCallHistory', { limit: 2 })
  const second = await alice.call('getCallHistory', { limit: 2, before: first.calls[1].channelId })
  assert.deepEqual([...first.calls, ...second.calls], calls.slice(0, 4))
  assert.equal(first.more, true)
  assert.deepEqual((await world.server.rest('GET', '/v1/users/alice/calls', token('alice'))).body.calls, calls)
  const { body } = await backend('GET', '/v1/users/eve/calls')
  assert.deepEqual(body, { calls: [], more: false })
})

test('the backend makes, relates and deletes users; who is deleted is out at once', async () => {
  assert.equal((await backend('PUT', '/v1/users/me', { nickname: 'Melinda' })).status, 201)
  assert.equal((await backend('PUT', '/v1/users/bob/relations/me', { noteName: 'Mel' })).status, 200)
  const { users } = await bob.call('getUserInfo', { usernames: ['me'] })
  assert.deepEqual([names(users), users[0].nickname, users[0].noteName], [['me'], 'Melinda', 'Mel'])
  assert.deepEqual((await world.server.rest('GET', '/v1/users/bob/relations/me', token('bob'))).body, users[0])

  for (const who of [alice, bob]) who.clear()
  await alice.call('startCallUsers', { usernames: ['bob'] })
  await bob.until('CallReceiveInvite')
  await bob.call('accept')
  await Promise.all([alice, bob].map((who) => who.until('CallConnected')))
  assert.equal((await backend('DELETE', '/v1/users/bob')).status, 204)
  assert.equal((await bob.until('CallDisconnect')).reason, 'hangup')
  assert.equal((await bob.until('CallError')).code, 871005)
  assert.equal((await alice.until('CallDisconnect')).reason, 'hangup')
  await assert.rejects(alice.call('startCallUsers', { usernames: ['bob'] }), { code: 871102 })
  await assert.rejects(bob.call('login', { token: token('bob') }), { code: 871005 })
  assert.equal((await backend('PUT', '/v1/users/bob', {})).status, 201)
  await bob.call('login', { token: token('bob') })
  assert.deepEqual((await bob.call('getCallHistory')).calls, [])
})
