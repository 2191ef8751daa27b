// What scripts see of the two programs: exit codes, help, refusals.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { once } from 'node:events'
import test, { before } from 'node:test'
import { program, temporary } from './lib/paths.mjs'
import { Phone } from './lib/phone.mjs'
import { Child } from './lib/process.mjs'
import { APP_KEY, Server } from './lib/server.mjs'
import { within } from './lib/wait.mjs'
import { cleanUp } from './lib/world.mjs'
import { WsClient } from './lib/wsclient.mjs'

let server
before(async () => {
  server = await Server.start({ ringS: 2 })
})
cleanUp(() => server)

const alice = (options) => Phone.start({ url: server.url, user: 'alice', ...options })
const code = async (phone) => (await within(phone.ended, 'the phone to end', 20_000)).code

/** Runs a program to its end. */
async function run(name, args, options) {
  const child = new Child(name, program(name), args, options)
  const { code } = await within(child.ended, `${name} ${args.join(' ')} to end`)
  return { code, out: child.out.items.join('\n'), err: child.err.join('\n') }
}

test('the exit code says how a call ended', { timeout: 120_000 }, async (t) => {
  const bob = await Phone.ready({ url: server.url, user: 'bob' })
  await t.test('10: refused', async () => {
    const phone = alice({ verb: ['call', 'bob'] })
    await bob.until('CallReceiveInvite')
    await bob.call('refuse')
    assert.equal(await code(phone), 10)
    bob.clear()
  })
  await t.test('12: nobody answered within the ring time', async () => assert.equal(await code(alice({ verb: ['call', 'bob'] })), 12))
  await t.test('12: gave up', async () => {
    bob.clear()
    assert.equal(await code(alice({ verb: ['call', 'bob'], args: ['--ring-for', '300ms'] })), 12)
    await bob.until('CallDisconnect cancel/cancelledByInviter')
    bob.clear()
  })
  await t.test('11: busy', async () => {
    const carol = Phone.start({ url: server.url, user: 'carol', verb: ['call', 'bob'] })
    await bob.until('CallReceiveInvite')
    await bob.call('accept')
    await bob.until('CallConnected')
    assert.equal(await code(alice({ verb: ['call', 'bob'] })), 11)
    await bob.call('hangup')
    assert.equal(await code(carol), 0)
    bob.clear()
  })
  await t.test('13: the caller gave up', async () => {
    const phone = Phone.start({ url: server.url, user: 'dave', verb: ['answer'], args: ['--ring-for', '10s'] })
    await phone.online()
    await bob.call('startCallUsers', { usernames: ['dave'] })
    await phone.until('CallReceiveInvite')
    await bob.call('hangup')
    assert.equal(await code(phone), 13)
  })
  await t.test('14: nobody of that name', async () => assert.equal(await code(alice({ verb: ['call', 'nobody-has-this-name'] })), 14))
  await t.test('0: hung up, --for is over', async () => assert.equal(await code(alice({ verb: ['call', 'echo'], args: ['--for', '500ms'] })), 0))
  await t.test('0: Ctrl-C in the call', async () => {
    const phone = alice({ verb: ['call', 'echo'] })
    await phone.until('CallConnected')
    assert.equal(await phone.stop(), 0)
    assert.ok(phone.lines.includes('CallDisconnect hangup'), phone.lines)
  })
  await t.test('20: no server', async () => {
    const socket = createServer().listen(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address()
    socket.close()
    await once(socket, 'close')
    assert.equal(await code(alice({ url: `http://127.0.0.1:${port}`, verb: ['call', 'echo'] })), 20)
  })
  await t.test('21: a bad token', async () => assert.equal(await code(alice({ verb: ['call', 'echo'], token: 'nonsense' })), 21))
  await t.test('22: no such file to play', async () => assert.equal(await code(alice({ verb: ['call', 'echo'], play: '/nonexistent.wav' })), 22))
  await t.test('2: bad arguments', async () => assert.equal((await run('jmrtc-phone', ['call'])).code, 2))
  assert.equal(await bob.stop(), 0)
})

test('who is asked for the microphone when the input ends is not waited for', { timeout: 60_000 }, async () => {
  const phone = await Phone.ready({ url: server.url, user: 'erin', record: true })
  const lines = ['{"microphone": "broken"}', '{"microphone": "asked"}', '{"method": "releaseEngine"}', '{"method": "initEngine"}']
  phone.child.process.stdin.end(lines.join('\n'))
  assert.equal(await code(phone), 0)
  const said = phone.child.out.items.map((line) => JSON.parse(line))
  assert.match(said.find(({ event }) => event === 'note').text, /^not understood: .*--audio null/, 'a file has no plug')
  assert.equal(said.at(-2).error.name, 'PERMISSION_DENIED')
})

test('--help says all that', async () => {
  const phone = await run('jmrtc-phone', ['--help'])
  assert.equal(phone.code, 0)
  for (const exit of ['10', '11', '12', '13', '14', '20', '21', '22']) assert.match(phone.out, new RegExp(`^ +${exit} `, 'm'))
  for (const verb of ['call', 'answer', 'echo', 'announce', 'listen']) assert.match(phone.out, new RegExp(`^ +${verb} `, 'm'))
  const help = await run('jmrtc-server', ['--help'])
  assert.equal(help.code, 0)
  for (const flag of ['--dev', '--listen', '--media-udp', '--media-tcp', '--data', '--secret', '--ring-time', '--grace-time', '--webhook', '--webhook-secret', '--webhook-secret-file', 'token']) assert.ok(help.out.includes(flag), flag)
})

test('the server refuses what is unsafe', { timeout: 60_000 }, async (t) => {
  const data = temporary('data')
  await t.test('--dev where others reach it', async () => {
    const { code, err } = await run('jmrtc-server', ['--dev', '--listen', '0.0.0.0:0', '--data', data])
    assert.notEqual(code, 0)
    assert.match(err, /--dev-public/)
  })
  await t.test('no secret without --dev', async () => {
    const { code, err } = await run('jmrtc-server', ['--listen', '127.0.0.1:0', '--data', data])
    assert.notEqual(code, 0)
    assert.match(err, /secret/i)
  })
  await t.test('a short secret', async () => {
    const { code, err } = await run('jmrtc-server', ['--listen', '127.0.0.1:0', '--data', data, '--secret', 'short'])
    assert.notEqual(code, 0)
    assert.match(err, /32/)
  })
  await t.test('a port that is taken', async () => {
    const { code, err } = await run('jmrtc-server', ['--dev', '--listen', `127.0.0.1:${server.port}`, '--data', data])
    assert.notEqual(code, 0)
    assert.match(err, new RegExp(String(server.port)))
  })
})

test('`token` prints a token that signs in, and without --dev nobody gets one by name', { timeout: 60_000 }, async () => {
  const secret = 'a secret of at least thirty-two bytes'
  const data = temporary('data')
  const child = new Child('jmrtc-server', program('jmrtc-server'), ['--listen', '127.0.0.1:0', '--media-udp', '127.0.0.1:0', '--media-tcp', '127.0.0.1:0', '--data', data, '--app-key', APP_KEY], { env: { JMRTC_SECRET: secret } })
  const url = (await child.out.find((l) => l.startsWith('JMRTC server on '), 'the ready line')).match(/http:\/\/\S+?(?=\/$)/)[0]
  const { code, out } = await run('jmrtc-server', ['token', '--user', 'alice', '--for', '1h', '--app-key', APP_KEY], { env: { JMRTC_SECRET: secret } })
  assert.equal(code, 0)
  const client = await WsClient.connect(url)
  const welcome = await client.hello(out.trim())
  assert.equal(welcome.user?.username, 'alice', JSON.stringify(welcome))
  await client.close()
  const response = await fetch(`${url}/v1/dev/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"user":"alice"}' })
  assert.equal(response.status, 404)
  assert.equal((await child.stop('SIGINT')).code, 0)
})

test('Ctrl-C ends the calls and the server, with 0', { timeout: 60_000 }, async () => {
  const other = await Server.start()
  const phone = Phone.start({ url: other.url, user: 'alice', verb: ['call', 'echo'] })
  await phone.until('CallConnected')
  const begin = Date.now()
  assert.equal((await other.stop()).code, 0)
  assert.ok(Date.now() - begin < 5_000, `it took ${Date.now() - begin} ms`)
  assert.equal(await code(phone), 20)
  assert.equal(phone.lines.at(-1), 'CallDisconnect networkError/serverShutdown')
})
