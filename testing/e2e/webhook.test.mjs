// What the company's backend is told when somebody without a device is called, and how little calls care for how it answers.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { join } from 'node:path'
import test, { before } from 'node:test'
import { program, root, temporary } from './lib/paths.mjs'
import { Phone } from './lib/phone.mjs'
import { Child } from './lib/process.mjs'
import { Server, backendToken } from './lib/server.mjs'
import { Log, until, within } from './lib/wait.mjs'
import { cleanUp } from './lib/world.mjs'
import { WsClient } from './lib/wsclient.mjs'

const RING_S = 12
const SECRET = `whsec_${randomBytes(32).toString('base64')}`
const OK = { status: 204 }

/** A backend that takes webhooks. */
class Receiver {
  /** `{method, path, headers, body, at, ended}`; `ended` comes when the request's connection is done with. */
  requests = new Log()
  /** `{status, headers, body}` for a request, its body text or a function that writes it; `undefined` never answers. */
  answer = () => OK

  static async start() {
    const receiver = new Receiver()
    receiver.http = createServer(async (request, response) => {
      const ended = once(response, 'close')
      const body = Buffer.concat(await request.toArray()).toString()
      const { method, url: path, headers } = request
      const got = { method, path, headers, body, at: Date.now(), ended }
      const answer = receiver.answer(got, receiver.requests.items.filter((r) => r.headers['webhook-id'] === headers['webhook-id']).length)
      receiver.requests.push(got)
      if (!answer) return
      response.writeHead(answer.status, answer.headers)
      if (typeof answer.body === 'function') answer.body(response)
      else response.end(answer.body)
    }).listen(0, '127.0.0.1')
    await once(receiver.http, 'listening')
    receiver.http.unref()
    receiver.url = `http://127.0.0.1:${receiver.http.address().port}`
    return receiver
  }

  /** The webhook for a user; the first that came after `from` others. */
  async webhook(username, from = 0) {
    const request = await this.requests.find(({ body }) => JSON.parse(body).data.username === username, `a webhook for ${username}`, { from })
    return { ...request, id: request.headers['webhook-id'], ...verified(request) }
  }

  about(username) {
    return this.requests.items.filter(({ body }) => JSON.parse(body).data.username === username)
  }
}

/** Checks a webhook as <https://www.standardwebhooks.com> tells its receivers to; returns what it says. */
function verified({ headers, body }) {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300, timestamp)
  const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest()
  const matches = signatures.split(' ').some((signature) => {
    const [version, value] = signature.split(',')
    const given = Buffer.from(value, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
  assert.ok(matches, `${signatures} signs ${id}.${timestamp}.${body}`)
  return JSON.parse(body)
}

/** Compares what webhooks say; of `expireTime`, which is told by the wall clock, a second may be missing or too much. */
function assertSame({ expireTime, ...data }, { expireTime: expected, ...others }) {
  assert.deepEqual(data, others)
  assert.ok(Math.abs(expireTime - expected) <= 1_000, `${expireTime} is not ${expected}`)
}

let receiver
let server
before(async () => {
  receiver = await Receiver.start()
  server = await Server.start({ ringS: RING_S, graceS: 1, args: ['--webhook', `${receiver.url}/push?app=1`], env: { JMRTC_WEBHOOK_SECRET: SECRET } })
})
cleanUp(() => server)

const backend = (method, path, body, at = server) => at.rest(method, path, backendToken(), body)
const make = (...names) => Promise.all(names.map((name) => backend('PUT', `/v1/users/${name}`, {})))
const pushes = async (what, at = server) => (await at.metrics())[`jmrtc_pushes_${what}_total`]
const untilPushes = (what, count, at = server) => until(async () => (await pushes(what, at)) === count, `${count} pushes ${what}`)

async function signIn(t, user, at = server) {
  const client = await WsClient.signIn(at, user)
  t.after(() => client.close())
  return client
}

/** Calls users; returns the session. */
async function start(client, ...usernames) {
  const answer = await client.request({ method: 'start', usernames })
  assert.equal(answer.type, 'reply', JSON.stringify(answer))
  return answer.reply.session
}

test('who has no device is called: the backend is told, wakes it, and it rings', { timeout: 60_000 }, async () => {
  await backend('PUT', '/v1/users/alice', { nickname: 'Alice', avatarThumbPath: 'https://app.example/alice.png', address: 'Elm Street' })
  await make('bob')
  await backend('PUT', '/v1/users/bob/relations/alice', { noteName: 'Sis' })
  const alice = await Phone.ready({ url: server.url, user: 'alice' })
  const before = Date.now()
  const { channelId } = await alice.call('startCallUsers', { usernames: ['bob'] })
  const { method, path, headers, type, timestamp, data } = await receiver.webhook('bob')
  assert.deepEqual([method, path, headers['content-type'], type], ['POST', '/push?app=1', 'application/json', 'call.push'])
  assert.match(headers['user-agent'], /^jmrtc-server\/\d/)
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
  assert.ok(before - 1 <= Date.parse(timestamp) && Date.parse(timestamp) <= Date.now(), timestamp)
  const caller = { username: 'alice', nickname: 'Alice', noteName: 'Sis', avatarThumbPath: 'https://app.example/alice.png' }
  assertSame(data, { username: 'bob', channelId, stay: 1, inviter: caller, invitedBy: caller, silent: false, expireTime: Date.parse(timestamp) + RING_S * 1000 })

  const bob = await Phone.ready({ url: server.url, user: 'bob' })
  assert.equal((await bob.until('CallReceiveInvite')).channelId, data.channelId)
  await bob.call('accept')
  await Promise.all([alice, bob].map((phone) => phone.until('CallConnected')))
  await alice.call('hangup')
  await bob.until('CallDisconnect')
  for (const phone of [alice, bob]) assert.equal(await phone.stop(), 0)
  await untilPushes('delivered', 1)
  assert.equal(receiver.about('bob').length, 1)
})

test('the receiver in docs/server.md knows ours from others', async () => {
  const { headers, body } = receiver.about('bob')[0]
  const [, snippet] = readFileSync(join(root, 'docs/server.md'), 'utf8').match(/```js\n(.*?)```/s)
  const file = join(temporary('receiver'), 'verify.mjs')
  writeFileSync(file, `${snippet}\nexport { verify }`)
  process.env.JMRTC_WEBHOOK_SECRET = SECRET
  const { verify } = await import(file)
  delete process.env.JMRTC_WEBHOOK_SECRET
  assert.equal(verify(headers, body), true)
  const signature = headers['webhook-signature']
  assert.equal(verify({ ...headers, 'webhook-signature': `v1,AAAA ${signature}` }, Buffer.from(body)), true)
  const old = String(Number(headers['webhook-timestamp']) - 301)
  for (const [what, changed, text] of [
    ['another body', {}, `${body} `], ['another id', { 'webhook-id': 'msg_1' }, body], ['an old one', { 'webhook-timestamp': old }, body],
    ['no time', { 'webhook-timestamp': undefined }, body], ['no signature', { 'webhook-signature': undefined }, body],
    ['another signature', { 'webhook-signature': `v1,${randomBytes(32).toString('base64')}` }, body],
  ]) assert.equal(verify({ ...headers, ...changed }, text), false, what)
})

test('each loss of the last device while it rings is told anew; who asked in, and whether silently', { timeout: 60_000 }, async (t) => {
  await make('carol', 'dave')
  await backend('PUT', '/v1/users/dave/relations/carol', { isNoDisturb: true, noteName: 'Caz' })
  await backend('PUT', '/v1/users/dave/relations/alice', { noteName: 'Mum' })
  const alice = await signIn(t, 'alice')
  const { channelId } = await start(alice, 'carol')
  const first = await receiver.webhook('carol')
  const carol = await signIn(t, 'carol')
  await carol.event('invited')
  const seen = receiver.requests.items.length
  carol.socket.terminate()
  const second = await receiver.webhook('carol', seen)
  assert.notEqual(second.id, first.id)
  assert.ok(Date.parse(second.timestamp) > Date.parse(first.timestamp))
  assertSame(second.data, first.data)

  const again = await signIn(t, 'carol')
  await again.event('invited')
  assert.equal((await again.request({ method: 'accept', channelId })).type, 'reply')
  assert.equal((await again.request({ method: 'invite', channelId, usernames: ['dave'] })).type, 'reply')
  const { data } = await receiver.webhook('dave')
  assert.deepEqual([data.channelId, data.inviter.username, data.invitedBy.username, data.silent], [channelId, 'alice', 'carol', true])
  assert.deepEqual([data.inviter.noteName, data.invitedBy.noteName], ['Mum', 'Caz'])
  await alice.request({ method: 'leave', channelId, reason: 'hangup' })
  await again.request({ method: 'leave', channelId, reason: 'hangup' })
})

test('nobody is told of who is online, blocks the caller, is a robot or does not exist', { timeout: 60_000 }, async (t) => {
  await make('erin')
  await backend('PUT', '/v1/users/erin/relations/alice', { isInBlackList: true })
  const alice = await signIn(t, 'alice')
  const online = await signIn(t, 'online')
  const wanted = await pushes('wanted')
  for (const user of ['erin', 'online', 'echo']) {
    const { channelId } = await start(alice, user)
    if (user === 'online') await online.event('invited')
    await alice.request({ method: 'leave', channelId, reason: 'hangup' })
  }
  assert.equal((await alice.request({ method: 'start', usernames: ['nobody'] })).error.name, 'USER_UNAVAILABLE')
  assert.equal(await pushes('wanted'), wanted)
})

test('a receiver that fails once gets the same webhook again', { timeout: 60_000 }, async (t) => {
  await make('fred')
  const [alice, delivered] = [await signIn(t, 'alice'), await pushes('delivered')]
  receiver.answer = (_, before) => (before === 0 ? { status: 500, body: 'oops' } : OK)
  const { channelId } = await start(alice, 'fred')
  const first = await receiver.webhook('fred')
  const second = await receiver.webhook('fred', receiver.requests.items.indexOf(receiver.about('fred')[0]) + 1)
  assert.deepEqual([second.id, second.body], [first.id, first.body])
  assert.ok(second.at - first.at >= 200, `${second.at - first.at} ms later`)
  await untilPushes('delivered', delivered + 1)
  assert.equal(receiver.about('fred').length, 2)
  await alice.request({ method: 'leave', channelId, reason: 'hangup' })
})

test('what is refused or sent elsewhere is not tried again, and of an endless answer the status counts', { timeout: 60_000 }, async (t) => {
  await make('gina', 'hugo', 'ivan')
  const [alice, failed, delivered] = [await signIn(t, 'alice'), await pushes('failed'), await pushes('delivered')]
  let written = 0
  const endless = (response) => {
    const chunk = 'x'.repeat(1024)
    const more = () => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length
    }
    response.on('drain', more).on('error', () => {})
    more()
  }
  receiver.answer = ({ body }) => ({
    gina: { status: 404 },
    hugo: { status: 307, headers: { location: `${receiver.url}/elsewhere` } },
    ivan: { status: 200, body: endless },
  })[JSON.parse(body).data.username]
  const { channelId } = await start(alice, 'gina', 'hugo', 'ivan')
  await untilPushes('failed', failed + 2)
  await untilPushes('delivered', delivered + 1)
  await within((await receiver.webhook('ivan')).ended, 'the endless answer to be cut off')
  assert.ok(written < 32 << 20, `${written} bytes were written`)
  for (const user of ['gina', 'hugo', 'ivan']) assert.deepEqual(receiver.about(user).map(({ path }) => path), ['/push?app=1'], user)
  await alice.request({ method: 'leave', channelId, reason: 'hangup' })
})

test('a receiver that never answers slows no call down, and is given up and tried again', { timeout: 60_000 }, async (t) => {
  // More than are sent at a time.
  const many = Array.from({ length: 20 }, (_, n) => `away${n}`)
  await make(...many)
  const [alice, bob, zoe] = [await signIn(t, 'alice'), await signIn(t, 'bob'), await signIn(t, 'zoe')]
  let wake = false
  receiver.answer = () => (wake ? OK : undefined)
  const seen = receiver.requests.items.length
  const begin = Date.now()
  const away = await start(zoe, ...many)
  await receiver.requests.find(() => true, 'a webhook', { from: seen })
  const { channelId } = await start(alice, 'bob')
  await bob.event('invited')
  assert.equal((await bob.request({ method: 'accept', channelId })).type, 'reply')
  await alice.event('joined')
  assert.ok(Date.now() - begin < 3_000, `it took ${Date.now() - begin} ms`)
  await alice.request({ method: 'leave', channelId, reason: 'hangup' })

  const hung = receiver.requests.items[seen]
  assert.ok(receiver.requests.items.length - seen <= 8, `${receiver.requests.items.length - seen} at a time`)
  wake = true
  await within(hung.ended, 'the hung webhook to be given up')
  const after = Date.now() - hung.at
  assert.ok(after > 4_000 && after < 9_000, `given up after ${after} ms`)
  const id = hung.headers['webhook-id']
  await receiver.requests.find((r) => r !== hung && r.headers['webhook-id'] === id, 'the hung webhook to come again', { from: seen })
  await until(async () => {
    const metrics = await server.metrics()
    return metrics.jmrtc_pushes_wanted_total === ['delivered', 'spared', 'failed'].reduce((n, what) => n + metrics[`jmrtc_pushes_${what}_total`], 0)
  }, 'the last webhook')
  assert.equal(await pushes('dropped'), 0)
  await zoe.request({ method: 'leave', channelId: away.channelId, reason: 'hangup' })
})

test('who is called no more, or has a device that rings, is told of no further time', { timeout: 60_000 }, async (t) => {
  await make('kate')
  const [alice, failed] = [await signIn(t, 'alice'), await pushes('failed')]
  for (const [nth, what] of ['hangs up', 'comes'].entries()) {
    // Long enough for what ends it to come before the next try.
    receiver.answer = () => ({ status: 503, headers: { 'retry-after': '2' } })
    const seen = receiver.requests.items.length
    const { channelId } = await start(alice, 'kate')
    await receiver.webhook('kate', seen)
    receiver.answer = () => OK
    if (what === 'comes') await (await signIn(t, 'kate')).event('invited')
    else await alice.request({ method: 'leave', channelId, reason: 'hangup' })
    await untilPushes('failed', failed + nth + 1)
    assert.equal(receiver.about('kate').length, nth + 1, what)
    await alice.request({ method: 'leave', channelId, reason: 'hangup' })
  }
})

test('once it rings no more nothing is tried any more, and a server that stops waits for nobody', { timeout: 60_000 }, async (t) => {
  const [down, file] = [await Receiver.start(), join(temporary('secret'), 'secret')]
  writeFileSync(file, `${SECRET}\n`)
  const other = await Server.start({ ringS: 2, graceS: 1, args: ['--webhook', down.url, '--webhook-secret-file', file] })
  await backend('PUT', '/v1/users/bob', {}, other)
  down.answer = () => ({ status: 503 })
  const alice = await signIn(t, 'alice', other)
  await start(alice, 'bob')
  await alice.event('ended')
  await untilPushes('failed', 1, other)
  const tries = down.about('bob')
  assert.ok(tries.length >= 2, `${tries.length} tries`)
  for (const { headers, body, at } of tries) {
    verified({ headers, body })
    assert.ok(at <= JSON.parse(body).data.expireTime + 1_000, `a try ${at - JSON.parse(body).data.expireTime} ms after it rang`)
  }
  assert.ok(other.child.err.some((line) => /WARN.*webhook.*503/.test(line)), other.child.err.join('\n'))

  down.answer = () => undefined
  const from = down.requests.items.length
  await start(alice, 'bob')
  await down.requests.find(() => true, 'a webhook', { from })
  const begin = Date.now()
  assert.equal((await other.stop()).code, 0)
  assert.ok(Date.now() - begin < 4_000, `it took ${Date.now() - begin} ms`)
})

const openssl = spawnSync('openssl', ['version']).status === 0

test('a receiver whose certificate nobody vouches for is told nothing', { timeout: 60_000, skip: !openssl && 'no openssl' }, async (t) => {
  const folder = temporary('certificate')
  const [key, cert] = ['key', 'cert'].map((name) => join(folder, name))
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' })
  let told = 0
  const https = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) }, () => told++).listen(0, '127.0.0.1')
  await once(https, 'listening')
  t.after(() => https.close())
  const other = await Server.start({ ringS: 1, graceS: 1, args: ['--webhook', `https://localhost:${https.address().port}/`], env: { JMRTC_WEBHOOK_SECRET: SECRET } })
  await backend('PUT', '/v1/users/bob', {}, other)
  await start(await signIn(t, 'alice', other), 'bob')
  await untilPushes('failed', 1, other)
  assert.equal(told, 0)
  assert.ok(other.child.err.some((line) => /WARN.*webhook.*certificate/.test(line)), other.child.err.join('\n'))
  assert.equal((await other.stop()).code, 0)
})

test('the command line refuses what can not work and warns of what others can read', { timeout: 60_000 }, async (t) => {
  const data = temporary('data')
  const launch = (args) => new Child('jmrtc-server', program('jmrtc-server'), ['--dev', '--listen', '127.0.0.1:0', '--data', data, ...args])
  const url = 'https://a.example/push'
  const secret = (bytes) => `whsec_${randomBytes(bytes).toString('base64')}`
  for (const [what, args, why] of [
    ['no secret', ['--webhook', url], /needs a secret.*JMRTC_WEBHOOK_SECRET.*whsec_/],
    ['a short secret', ['--webhook', url, '--webhook-secret', secret(23)], /23 bytes, not 24 to 64/],
    ['a long secret', ['--webhook', url, '--webhook-secret', secret(65)], /65 bytes, not 24 to 64/],
    ['a secret of another kind', ['--webhook', url, '--webhook-secret', 'x'.repeat(40)], /whsec_.*base64/],
    ['a file that is not there', ['--webhook', url, '--webhook-secret-file', join(data, 'nothing')], /can't read the secret file/],
    ['two secrets', ['--webhook', url, '--webhook-secret', SECRET, '--webhook-secret-file', 'x'], /cannot be used with/],
    ['a secret alone', ['--webhook-secret', SECRET], /--webhook <URL>/],
    ['no URL', ['--webhook', 'a.example/push', '--webhook-secret', SECRET], /--webhook.*https:\/\//],
    ['another scheme', ['--webhook', 'ftp://a.example/', '--webhook-secret', SECRET], /https:\/\//],
    ['a password', ['--webhook', 'https://me:pw@a.example/', '--webhook-secret', SECRET], /password/],
  ]) {
    await t.test(what, async () => {
      const child = launch(args)
      const { code } = await within(child.ended, 'the server to end')
      assert.equal(code, 2)
      assert.match(child.err.join(' '), why)
      assert.ok(!child.err.join(' ').includes(SECRET), 'the secret is not repeated')
    })
  }
  for (const [at, warns] of [['http://a.example/push', true], ['http://localhost:1/push', false], [url, false]]) {
    await t.test(`${at} ${warns ? 'warns' : 'is good'}`, async () => {
      const child = launch(['--webhook', at, '--webhook-secret', SECRET])
      await child.out.find((line) => line.startsWith('media on '), 'the ready line')
      assert.equal((await child.stop('SIGINT')).code, 0)
      assert.equal(child.err.some((line) => /WARN.*--webhook without https/.test(line)), warns, child.err.join('\n'))
    })
  }
})
