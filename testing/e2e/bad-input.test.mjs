// What no client of ours would send: a clear error for each, nothing harmed, nothing left.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import test, { before } from 'node:test'
import { Server, backendToken, token } from './lib/server.mjs'
import { within } from './lib/wait.mjs'
import { cleanUp } from './lib/world.mjs'
import { WsClient } from './lib/wsclient.mjs'

const CODES = { INVALID_STATE: 871002, INVALID_PARAMETER: 871003, NOT_LOGGED_IN: 871004, LOGIN_REJECTED: 871005, ALREADY_IN_CALL: 871008, USER_UNAVAILABLE: 871102, CALL_ENDED: 871103, LIMIT_EXCEEDED: 871104 }

let server
before(async () => {
  server = await Server.start({ ringS: 30 })
})
cleanUp(() => server)

/** Fails unless `message` is the error `expected` with a description a developer can use. */
function assertError(message, expected) {
  assert.ok(['fault', 'failure'].includes(message.type), JSON.stringify(message))
  const { code, name, description } = message.error
  assert.equal(name, expected, description)
  assert.equal(code, CODES[name])
  assert.ok(description.length > 5, `a description: ${description}`)
}

test('tokens that are not good', { timeout: 60_000 }, async (t) => {
  const hour = 3600
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${token('eve').split('.')[1]}.`
  const [head, , signature] = token('eve').split('.')
  const cases = {
    'no token': '',
    'no JWT': 'hello',
    'three dots of nothing': '...',
    expired: token('eve', { seconds: -hour }),
    'not yet valid': token('eve', { claims: { nbf: Math.floor(Date.now() / 1000) + hour } }),
    'another secret': token('eve', { secret: 'x'.repeat(40) }),
    'algorithm none': none,
    'algorithm none, in capitals': none.replace(none.split('.')[0], Buffer.from('{"alg":"NONE"}').toString('base64url')),
    'algorithm HS512': token('eve', { header: { alg: 'HS512' } }),
    'algorithm HS384': token('eve', { header: { alg: 'HS384' } }),
    'algorithm RS256': token('eve', { header: { alg: 'RS256' } }),
    'another app': token('eve', { claims: { iss: 'other-app' } }),
    'no expiry': token('eve', { claims: { exp: undefined } }),
    'expiry as text': token('eve', { claims: { exp: '9999999999' } }),
    'no name': token('eve', { claims: { sub: undefined } }),
    'an empty name': token('eve', { claims: { sub: '' } }),
    'a name with a line break': token('eve\nadmin'),
    'a name of 129 characters': token('e'.repeat(129)),
    'other claims under the signature': [head, Buffer.from(JSON.stringify({ iss: 'e2e', sub: 'admin', exp: 9999999999, nbf: 0 })).toString('base64url'), signature].join('.'),
    'far too long': `${token('eve')}${'a'.repeat(9_000)}`,
  }
  for (const [name, bad] of Object.entries(cases)) {
    await t.test(name, async () => {
      const client = await WsClient.connect(server.url)
      const answer = await client.hello(bad)
      assertError(answer, 'LOGIN_REJECTED')
      assert.ok(!JSON.stringify(answer).includes(bad || '\0'), 'the token is not repeated')
      await within(client.closed, 'the server to close')
    })
  }
  await t.test('and a good one', async () => {
    const client = await WsClient.signIn(server, 'eve')
    assert.equal(client.welcome.user.username, 'eve')
    await client.close()
  })
})

test('a first message that is no hello', { timeout: 60_000 }, async (t) => {
  for (const [name, message] of Object.entries({
    'a request': { type: 'request', id: 1, request: { method: 'start', usernames: ['bob'] } },
    'a ping': { type: 'ping', ack: 0 },
    'no JSON': 'hello',
    'another version': { type: 'hello', protocol: 99, token: token('eve'), device: { id: 'd', platform: 'browser' } },
    'no device': { type: 'hello', protocol: 1, token: token('eve') },
    'an empty device id': { type: 'hello', protocol: 1, token: token('eve'), device: { id: '', platform: 'browser' } },
    'a device id of 129 bytes': { type: 'hello', protocol: 1, token: token('eve'), device: { id: 'd'.repeat(129), platform: 'browser' } },
  })) {
    await t.test(name, async () => {
      const client = await WsClient.connect(server.url)
      const fault = await client.wrong(message)
      assertError(fault, ['a request', 'a ping'].includes(name) ? 'NOT_LOGGED_IN' : 'INVALID_PARAMETER')
      client.socket.close()
      await within(client.closed, 'the connection to end')
    })
  }
  await t.test('nothing at all: closed after five seconds', async () => {
    const client = await WsClient.connect(server.url)
    const begin = Date.now()
    await within(client.closed, 'the server to close', 9_000)
    assert.ok(Date.now() - begin > 3_000, `closed after ${Date.now() - begin} ms`)
  })
})

test('text that is no message, from one who is signed in', { timeout: 60_000 }, async (t) => {
  const eve = await WsClient.signIn(server, 'eve')
  const request = (id, body) => JSON.stringify({ type: 'request', id, request: body })
  const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`
  for (const [name, text, type = 'fault', error = 'INVALID_PARAMETER'] of [
    ['empty', ''],
    ['no JSON', 'hello'],
    ['half a JSON', '{"type":"ping","ack":'],
    ['two messages in one', '{"type":"ping","ack":0}{"type":"ping","ack":0}'],
    ['a number', '42'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no type', '{"ack":0}'],
    ['an unknown type', '{"type":"teapot"}'],
    ['a type twice', '{"type":"ping","type":"hello","ack":0}'],
    ['an ack twice', '{"type":"ping","ack":0,"ack":1}'],
    ['a negative ack', '{"type":"ping","ack":-1}'],
    ['an ack of text', '{"type":"ping","ack":"0"}'],
    ['a key twice deep inside', '{"type":"request","id":901,"request":{"method":"start","usernames":["bob"],"usernames":["carol"]}}'],
    ['nested 5,000 deep', deep],
    ['nested in a message', `{"type":"ping","ack":0,"x":${deep}}`],
    ['a lone surrogate', '{"type":"ping","ack":0,"x":"\\ud800"}'],
    ['an unknown method', request(902, { method: 'selfDestruct' }), 'failure'],
    ['no method', request(903, {}), 'failure'],
    ['no arguments', request(904, { method: 'start' }), 'failure'],
    ['usernames of text', request(905, { method: 'start', usernames: 'bob' }), 'failure'],
    ['usernames of numbers', request(906, { method: 'start', usernames: [1] }), 'failure'],
    ['an empty username', request(907, { method: 'start', usernames: [''] }), 'failure'],
    ['a username with a null byte', request(908, { method: 'start', usernames: ['bob\u0000'] }), 'failure'],
    ['a username of 129 characters', request(909, { method: 'start', usernames: ['b'.repeat(129)] }), 'failure'],
    ['a message of the server: welcome', JSON.stringify(eve.welcome)],
    ['a message of the server: event', JSON.stringify({ type: 'event', seq: 1, event: { type: 'ended', reason: 'hangup' } })],
    ['a message of the server: reply', JSON.stringify({ type: 'reply', id: 1, reply: { method: 'logout' } }), 'any'],
    ['hello again', JSON.stringify({ type: 'hello', protocol: 1, token: token('eve'), device: { id: 'd', platform: 'browser' } }), 'fault', 'INVALID_STATE'],
    ['just over 64 KiB', `{"type":"ping","ack":0,"x":"${'x'.repeat(65_536)}"}`, 'fault', 'LIMIT_EXCEEDED'],
  ]) {
    await t.test(name, async () => {
      const answer = await eve.wrong(text)
      if (type !== 'any') assert.equal(answer.type, type, JSON.stringify(answer))
      assertError(answer, error)
      if (type === 'failure') assert.equal(answer.id, JSON.parse(text).id)
      await eve.settled()
    })
  }
  await t.test('binary frames', async () => {
    const answer = await eve.wrong(randomBytes(100))
    assertError(answer, 'INVALID_PARAMETER')
    await eve.settled()
  })
  await t.test('megabytes: the connection may go, the server stays', async () => {
    const mallory = await WsClient.signIn(server, 'mallory')
    mallory.send(`{"type":"ping","ack":0,"x":"${'x'.repeat(8 << 20)}"}`)
    await Promise.race([
      within(mallory.closed, 'the connection to end'),
      mallory.received.find((m) => m.type === 'fault', 'a fault'),
    ])
    mallory.socket.terminate()
    await eve.settled()
  })
  await t.test('bytes that are no WebSocket', async () => {
    for (const bytes of [randomBytes(4_000), Buffer.from('GET /v1/ws HTTP/1.1\r\n\r\n'), Buffer.from(`GET / HTTP/1.1\r\nX: ${'y'.repeat(200_000)}\r\n\r\n`)]) {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.resume()
      socket.end(bytes)
      await within(new Promise((resolve) => socket.on('close', resolve)), 'the socket to close')
    }
    await eve.settled()
  })
  await eve.close()
})

test('arguments that mean nothing', { timeout: 60_000 }, async (t) => {
  const eve = await WsClient.signIn(server, 'eve')
  for (const [name, request, error] of [
    ['whom do you mean', { method: 'users', usernames: [] }, 'INVALID_PARAMETER'],
    ['the profiles of a thousand', { method: 'users', usernames: Array.from({ length: 1000 }, (_, i) => `u${i}`) }, 'LIMIT_EXCEEDED'],
    ['a birthday that is none', { method: 'updateProfile', profile: { birthday: 'tomorrow' } }, 'INVALID_PARAMETER'],
    ['a nickname without end', { method: 'updateProfile', profile: { nickname: 'x'.repeat(60_000) } }, 'LIMIT_EXCEEDED'],
    ['a relation to oneself', { method: 'updateRelation', username: 'eve', relation: {} }, 'INVALID_PARAMETER'],
    ['a relation to nobody', { method: 'updateRelation', username: 'nobody-has-this-name', relation: {} }, 'USER_UNAVAILABLE'],
    ['all calls at once', { method: 'history', limit: 4_000_000_000 }, 'INVALID_PARAMETER'],
    ['calls before one that never was', { method: 'history', before: 'nothing', limit: 1 }, 'INVALID_PARAMETER'],
    ['nobody', { method: 'start', usernames: [] }, 'INVALID_PARAMETER'],
    ['only oneself', { method: 'start', usernames: ['eve'] }, 'INVALID_PARAMETER'],
    ['only unknown people', { method: 'start', usernames: ['nobody-has-this-name'] }, 'USER_UNAVAILABLE'],
    ['a thousand people', { method: 'start', usernames: Array.from({ length: 1000 }, (_, i) => `u${i}`) }, 'LIMIT_EXCEEDED'],
    ['accept of a call that never was', { method: 'accept', channelId: 'nothing' }, 'CALL_ENDED'],
    ['refuse of a call that never was', { method: 'refuse', channelId: 'nothing' }, 'CALL_ENDED'],
    ['invite into a call that never was', { method: 'invite', channelId: 'nothing', usernames: ['bob'] }, 'CALL_ENDED'],
    ['a link for a call that never was', { method: 'link', channelId: 'nothing', generation: 1, offer: 'v=0' }, 'CALL_ENDED'],
    ['a fresh token of another user', { method: 'updateToken', token: token('mallory') }, 'LOGIN_REJECTED'],
    ['a fresh token that is expired', { method: 'updateToken', token: token('eve', { seconds: -10 }) }, 'LOGIN_REJECTED'],
  ]) {
    await t.test(name, async () => assertError(await eve.request(request), error))
  }
  await t.test('leave of a call that never was succeeds', async () => {
    assert.equal((await eve.request({ method: 'leave', channelId: 'nothing', reason: 'hangup' })).type, 'reply')
  })
  await t.test('the same id again: the same answer, done once', async () => {
    const bob = await WsClient.signIn(server, 'bob')
    const id = 5_000
    const first = await eve.request({ method: 'start', usernames: ['bob'] }, id)
    const again = await eve.request({ method: 'start', usernames: ['bob'] }, id)
    assert.deepEqual(again, first)
    assert.equal(first.type, 'reply')
    await eve.request({ method: 'leave', channelId: first.reply.session.channelId, reason: 'hangup' })
    await bob.event('ended')
    assert.equal(bob.received.items.filter((m) => m.event?.type === 'invited').length, 1)
    await bob.close()
  })
  await eve.close()
})

test('the wrong one, in the wrong call, at the wrong time', { timeout: 60_000 }, async (t) => {
  const [alice, bob, mallory] = await Promise.all(['alice', 'bob', 'mallory'].map((u) => WsClient.signIn(server, u)))
  const { reply } = await alice.request({ method: 'start', usernames: ['bob'] })
  const { channelId } = reply.session
  await bob.event('invited')
  const OFFER = { method: 'link', generation: 1, offer: 'v=0\r\n' }

  /** Does `request` in the real call and in one that is not there: mallory must not learn the difference, nor anyone notice. */
  async function strangers(name) {
    await t.test(name, async () => {
      const seen = [alice, bob].map((c) => c.received.items.length)
      for (const request of [{ method: 'accept' }, { method: 'refuse' }, { method: 'leave', reason: 'hangup' }, { method: 'leave', reason: 'networkError' }, { method: 'invite', usernames: ['mallory'] }, { method: 'invite', usernames: ['bob'] }, OFFER]) {
        const real = await mallory.request({ ...request, channelId })
        const unreal = await mallory.request({ ...request, channelId: 'nothing' })
        assert.deepEqual({ ...real, id: 0 }, { ...unreal, id: 0 }, `${request.method} tells that the call exists`)
      }
      await Promise.all([alice.settled(), bob.settled()])
      for (const [i, c] of [alice, bob].entries()) {
        assert.deepEqual(c.received.items.slice(seen[i]).filter((m) => m.type !== 'pong'), [], `${c.user} noticed`)
      }
      assert.deepEqual(mallory.received.items.filter((m) => m.type === 'event'), [])
    })
  }

  await strangers('a stranger while it rings')
  await t.test('the caller accepts for the callee', async () => assertError(await alice.request({ method: 'accept', channelId }), 'INVALID_STATE'))
  await t.test('the caller refuses for the callee', async () => assertError(await alice.request({ method: 'refuse', channelId }), 'INVALID_STATE'))
  await t.test('the rung invites', async () => assertError(await bob.request({ method: 'invite', channelId, usernames: ['mallory'] }), 'INVALID_STATE'))
  await t.test('the caller starts a second call', async () => assertError(await alice.request({ method: 'start', usernames: ['mallory'] }), 'ALREADY_IN_CALL'))
  for (const [name, offer, error = 'INVALID_PARAMETER'] of [
    ['an empty offer', ''],
    ['an offer of garbage', 'garbage'],
    ['an offer with no media', 'v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n'],
    ['an offer of 49 KiB', 'v'.repeat(49 * 1024), 'LIMIT_EXCEEDED'],
  ]) {
    await t.test(name, async () => assertError(await alice.request({ method: 'link', channelId, generation: 1, offer }), error))
  }
  await t.test('the call is unharmed: the callee accepts', async () => {
    const answer = await bob.request({ method: 'accept', channelId })
    assert.equal(answer.type, 'reply')
    await alice.event('joined')
  })
  await t.test('accept again', async () => assertError(await bob.request({ method: 'accept', channelId }), 'INVALID_STATE'))
  await t.test('refuse what is accepted', async () => assertError(await bob.request({ method: 'refuse', channelId }), 'INVALID_STATE'))
  await strangers('a stranger while they talk')
  await t.test('the end, and nothing after it', async () => {
    await alice.request({ method: 'leave', channelId, reason: 'hangup' })
    await bob.event('ended')
    for (const request of [{ method: 'accept', channelId }, { method: 'refuse', channelId }, { method: 'invite', channelId, usernames: ['mallory'] }, { ...OFFER, channelId }]) {
      assertError(await bob.request(request), 'CALL_ENDED')
    }
    assert.equal((await bob.request({ method: 'leave', channelId, reason: 'hangup' })).type, 'reply')
  })
  await Promise.all([alice, bob, mallory].map((c) => c.close()))
})

test('too many names, and a member that floods', { timeout: 60_000 }, async (t) => {
  const [alice, bob, mallory] = await Promise.all(['alice', 'bob', 'mallory'].map((u) => WsClient.signIn(server, u)))
  const { reply } = await alice.request({ method: 'start', usernames: ['bob', 'mallory'] })
  const { channelId } = reply.session
  for (const client of [bob, mallory]) {
    await client.event('invited')
    await client.request({ method: 'accept', channelId })
  }
  await Promise.all([alice, bob].map((c) => c.event('joined')))
  const others = [alice, bob]
  await Promise.all(others.map((c) => c.settled()))
  const seen = others.map((c) => c.received.items.length)
  const unnoticed = async () => {
    await Promise.all(others.map((c) => c.settled()))
    others.forEach((c, i) => assert.deepEqual(c.received.items.slice(seen[i]).filter((m) => m.type !== 'pong'), [], `${c.user} noticed`))
  }
  const short = Array.from({ length: 10_000 }, (_, i) => i.toString(36))
  // Who does not exist takes up no room.
  const crowd = short.slice(0, 31).map((name) => `crowd${name}`)
  for (const user of crowd) assert.ok((await server.rest('PUT', `/v1/users/${user}`, backendToken(), {})).status < 300)
  for (const [name, usernames] of [['ten thousand', short], ['more than a call has members', short.slice(0, 40)], ['more than there is room for', crowd]]) {
    await t.test(`an invitation to ${name}`, async () => {
      assertError(await mallory.request({ method: 'invite', channelId, usernames }), 'LIMIT_EXCEEDED')
      await unnoticed()
    })
  }
  await t.test('an invitation to ten thousand with long names', async () => {
    const usernames = short.map((name) => `${name}${'x'.repeat(9)}`)
    assertError(await mallory.wrong({ type: 'request', id: 999, request: { method: 'invite', channelId, usernames } }), 'LIMIT_EXCEEDED')
    await mallory.settled()
    await unnoticed()
  })
  await t.test('a flood: she is cut off, the call of the others goes on', async () => {
    for (let i = 0; i < 3_000; i++) mallory.send('garbage')
    await within(mallory.closed, 'mallory to be cut off')
    assert.deepEqual(mallory.received.items.at(-1), { type: 'closing', reason: 'overload' })
    await bob.request({ method: 'mute', channelId, muted: true })
    assert.equal((await alice.event('muted')).user.username, 'bob')
  })
  await bob.request({ method: 'leave', channelId, reason: 'hangup' })
  await alice.request({ method: 'leave', channelId, reason: 'hangup' })
  await Promise.all([alice, bob].map((c) => c.close()))
})

test('a thousand messages in a burst', { timeout: 120_000 }, async (t) => {
  const bystander = await WsClient.signIn(server, 'bystander')
  for (const [name, message] of [
    ['pings', () => ({ type: 'ping', ack: 0 })],
    ['garbage', () => 'garbage'],
    ['requests', (i) => ({ type: 'request', id: i + 1, request: { method: 'start', usernames: ['nobody-has-this-name'] } })],
    ['calls to someone', (i) => ({ type: 'request', id: i + 1, request: i % 2 ? { method: 'leave', channelId: 'x', reason: 'hangup' } : { method: 'start', usernames: ['bystander'] } })],
  ]) {
    await t.test(name, async () => {
      const flood = await WsClient.signIn(server, 'flood', { device: `flood-${name}` })
      const from = flood.received.items.length
      for (let i = 0; i < 1000; i++) flood.send(message(i))
      // Somebody else is served while it lasts.
      const begin = Date.now()
      await bystander.settled()
      t.diagnostic(`${name}: a bystander waited ${Date.now() - begin} ms`)
      assert.ok(Date.now() - begin < 2_000, `a bystander waited ${Date.now() - begin} ms`)
      await Promise.race([
        flood.received.find(() => flood.received.items.length - from >= 1000, 'an answer to each of the thousand', { ms: 30_000 }),
        flood.closed,
      ])
      const answers = flood.received.items.slice(from)
      assert.ok(answers.some((m) => m.error?.name === 'LIMIT_EXCEEDED') || answers.at(-1)?.reason === 'overload', `the rate is limited: ${JSON.stringify(answers.at(-1))}`)
      flood.socket.close()
      await flood.closed
    })
  }
  await bystander.settled()
  await bystander.close()
})

test('HTTP', { timeout: 60_000 }, async (t) => {
  const ask = async (method, path, { body, auth } = {}) => {
    const response = await within(fetch(server.url + path, { method, body, headers: { 'content-type': 'application/json', ...(auth ? { authorization: auth } : {}) } }), path)
    return response.status
  }
  for (const [name, status, ...args] of [
    ['users without a token', [401], 'GET', '/v1/users'],
    ['users with a bad token', [401], 'GET', '/v1/users', { auth: 'Bearer nonsense' }],
    ['users with an expired token', [401], 'GET', '/v1/users', { auth: `Bearer ${token('eve', { seconds: -9 })}` }],
    ['a user nobody knows', [404], 'GET', '/v1/users/nobody-has-this-name', { auth: `Bearer ${backendToken()}` }],
    ['the same, asked by a user', [403], 'GET', '/v1/users/nobody-has-this-name', { auth: `Bearer ${token('eve')}` }],
    ["another one's calls", [403], 'GET', '/v1/users/alice/calls', { auth: `Bearer ${token('eve')}` }],
    ["another one's relations", [403], 'GET', '/v1/users/alice/relations', { auth: `Bearer ${token('eve')}` }],
    ['a deletion by a user', [403], 'DELETE', '/v1/users/eve', { auth: `Bearer ${token('eve')}` }],
    ['a call that never was', [404], 'GET', '/v1/calls/nothing', { auth: `Bearer ${backendToken()}` }],
    ['a page of calls without end', [400], 'GET', '/v1/users/eve/calls?limit=1000000', { auth: `Bearer ${backendToken()}` }],
    ['a user and backend at once', [401], 'GET', '/v1/users', { auth: `Bearer ${token('eve', { claims: { scope: 'backend' } })}` }],
    ["the backend's token of another secret", [401], 'GET', '/v1/users', { auth: `Bearer ${token(undefined, { secret: 'x'.repeat(40), claims: { scope: 'backend' } })}` }],
    ['a user of a bad name', [400], 'PUT', '/v1/users/a%0Ab', { auth: `Bearer ${backendToken()}`, body: '{}' }],
    ['a relation that is none', [400], 'PUT', '/v1/users/eve/relations/bob', { auth: `Bearer ${token('eve')}`, body: '{"isFriend":"yes"}' }],
    ['a profile over the limit', [413], 'PUT', '/v1/users/eve', { auth: `Bearer ${token('eve')}`, body: `{"nickname":"${'x'.repeat(1025)}"}` }],
    ["another one's profile", [403], 'PUT', '/v1/users/alice', { auth: `Bearer ${token('eve')}`, body: '{"nickname":"fool"}' }],
    ['a profile that is none', [400, 422], 'PUT', '/v1/users/eve', { auth: `Bearer ${token('eve')}`, body: '{"nickname":42}' }],
    ['a token for nobody', [400, 422], 'POST', '/v1/dev/token', { body: '{}' }],
    ['a token for a bad name', [400, 422], 'POST', '/v1/dev/token', { body: '{"user":"a\\nb"}' }],
    ['no JSON', [400, 422], 'POST', '/v1/dev/token', { body: '{' }],
    ['a body of 3 MB', [400, 413], 'POST', '/v1/dev/token', { body: `{"user":"${'x'.repeat(3 << 20)}"}` }],
    ['a path that is none', [404], 'GET', '/v1/teapot'],
    ['out of the folder', [400, 404], 'GET', '/..%2f..%2fetc/passwd'],
    ['all is well', [200], 'GET', '/healthz'],
  ]) {
    await t.test(name, async () => {
      const got = await ask(...args)
      assert.ok(status.includes(got), `${got} instead of ${status.join(' or ')}`)
    })
  }
})
