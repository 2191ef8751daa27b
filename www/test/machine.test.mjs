// The call machine as wasm: it loads, speaks the JSON that the driver expects and refuses what is none.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { load } from './load.mjs'

const { createMachine } = await load('browser/machine.ts')

async function machine(config = {}) {
  const wasm = await createMachine({ seed: 1, device: { id: 'd', platform: 'browser' }, serverUrl: 'http://127.0.0.1:8080', ...config })
  let id = 0
  const handle = (now, input) => JSON.parse(wasm.handle(now, JSON.stringify(input)))
  return {
    wasm, handle,
    call: (now, method, args = null) => handle(now, { input: 'command', id: ++id, method, args }),
  }
}

test('a machine answers getState', async () => {
  const { call } = await machine()
  const [reply, ...more] = call(0, 'getState')
  assert.deepEqual(more, [])
  assert.deepEqual(reply, {
    output: 'reply', id: 1,
    result: { Ok: { login: 'loggedOut', engine: 'off', session: null, call: 'idle', muted: false, speakerphoneEnabled: false } },
  })
})

test('a failure has code, name and description', async () => {
  const { call } = await machine()
  const [{ result }] = call(0, 'accept')
  assert.equal(result.Err.code, 871004)
  assert.equal(result.Err.name, 'NOT_LOGGED_IN')
  assert.equal(typeof result.Err.description, 'string')
})

test('signing in: a socket to /v1/ws, hello, welcome, answer', async () => {
  const welcome = readFileSync(new URL('../../protocol/fixtures/server.welcome.json', import.meta.url), 'utf8')
  const { user: { username, appKey } } = JSON.parse(welcome)
  const mutedIn = 'a call that does not come back'
  const { wasm, handle, call } = await machine({ memory: { [username]: { mutedIn } } })
  const open = call(0, 'login', { token: 'header.claims.signature' }).find(({ output }) => output === 'socket')
  assert.deepEqual(open, { output: 'socket', action: 'open', generation: 1, url: 'ws://127.0.0.1:8080/v1/ws' })
  assert.ok(wasm.nextDeadline() > 0)
  assert.equal(JSON.parse(wasm.memory())[username].mutedIn, mutedIn)
  const hello = handle(5.5, { input: 'socket', generation: 1, event: { event: 'opened' } })
    .find(({ action }) => action === 'send').message
  assert.equal(hello.type, 'hello')
  assert.deepEqual(hello.device, { id: 'd', platform: 'browser' })
  assert.throws(() => wasm.received(6, 1, '{"type":"pong","type":"pong"}'), /twice/)
  assert.throws(() => wasm.received(6, 1, '{"type":"unheard of"}'))
  const outputs = JSON.parse(wasm.received(7, 1, welcome))
  assert.deepEqual(outputs.find(({ output }) => output === 'reply').result, { Ok: { username, appKey } })
  assert.equal(wasm.memory(), undefined)
})

test('what is no input or config throws and changes nothing, what is no memory is none', async () => {
  const { wasm, call } = await machine()
  assert.throws(() => wasm.handle(0, 'no json'))
  assert.throws(() => wasm.handle(0, '{"input":"unheard of"}'))
  await assert.rejects(createMachine({}))
  await machine({ memory: 'of another release' })
  assert.equal(call(1, 'init')[0].output, 'reply')
})
