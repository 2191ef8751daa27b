// What an app may rely on, whatever is behind the bridge: answers, callbacks, promises.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { load } from './load.mjs'

const { createApi } = await load('api.ts')
const FAILURE = { code: 871002, name: 'INVALID_STATE', description: 'no call' }

/** An API over a bridge that keeps what is asked until the test answers. */
function setUp({ onListen = () => false } = {}) {
  const asked = []
  const bridge = { opened: 0 }
  const api = createApi({
    open: (onEvent) => {
      bridge.opened += 1
      bridge.emit = (name, payload) => onEvent({ name, payload })
      return { exec: (method, args, ok, fail) => asked.push({ method, args, ok, fail }) }
    },
    onListen,
  })
  return { api, asked, bridge }
}

/** Rejections that nobody handles while `run` runs. */
async function unhandled(run) {
  const seen = []
  // The test runner's own listeners would fail the test.
  const others = process.rawListeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason) => seen.push(reason))
  await run()
  await new Promise((resolve) => setTimeout(resolve))
  process.removeAllListeners('unhandledRejection')
  for (const other of others) process.on('unhandledRejection', other)
  return seen
}

/** What is reported to the console while `run` runs. */
async function reported(run) {
  const { error } = console
  const seen = []
  console.error = (thrown) => seen.push(thrown)
  await run()
  console.error = error
  return seen
}

test('success calls the success callback once and resolves the promise', async () => {
  const { api, asked } = setUp()
  const got = []
  const promise = api.isMuted((value) => got.push(value), () => got.push('failure'))
  asked[0].ok(true)
  assert.equal(await promise, true)
  assert.deepEqual(got, [true])
})

test('a null result is undefined to the app', async () => {
  const { api, asked } = setUp()
  const promise = api.initEngine((value) => assert.equal(value, undefined))
  asked[0].ok(null)
  assert.equal(await promise, undefined)
})

test('failure calls the failure callback with code, name, description, and the promise rejects with the same', async () => {
  const { api, asked } = setUp()
  const got = []
  const promise = api.accept(() => got.push('success'), (failure) => got.push(failure))
  asked[0].fail(FAILURE)
  await assert.rejects(promise, (error) => error === got[0])
  assert.equal(got.length, 1)
  assert.ok(got[0] instanceof Error)
  assert.deepEqual(JSON.parse(JSON.stringify(got[0])), FAILURE)
})

test('with a failure callback no unhandled rejection is raised; without one it is', async () => {
  const { api, asked } = setUp()
  const withCallback = await unhandled(async () => {
    api.accept(() => {}, () => {})
    asked[0].fail(FAILURE)
  })
  assert.deepEqual(withCallback, [])
  const without = await unhandled(async () => {
    api.accept(() => {})
    asked[1].fail(FAILURE)
  })
  assert.deepEqual(without.map(({ name }) => name), ['INVALID_STATE'])
})

test('a bridge that answers twice is heard once', async () => {
  const { api, asked } = setUp()
  const got = []
  const promise = api.hangup(() => got.push('success'), () => got.push('failure'))
  asked[0].ok({})
  asked[0].ok({})
  asked[0].fail(FAILURE)
  assert.deepEqual(await promise, {})
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(got, ['success'])
})

test('a callback that throws is reported; the promise still resolves', async () => {
  const { api, asked } = setUp()
  const seen = await reported(async () => {
    const promise = api.hangup(() => { throw new Error('of the app') })
    asked[0].ok({})
    assert.deepEqual(await promise, {})
  })
  assert.deepEqual(seen.map(({ message }) => message), ['of the app'])
})

test('arguments are copied as JSON', () => {
  const { api, asked } = setUp()
  const params = { usernames: ['bob'], more: undefined }
  api.startCallUsers(params)
  params.usernames.push('eve')
  assert.deepEqual(asked[0], { ...asked[0], method: 'startCallUsers', args: { usernames: ['bob'] } })
})

test('arguments that are no JSON fail with INVALID_PARAMETER and ask nothing', async () => {
  const { api, asked } = setUp()
  const circle = {}
  circle.self = circle
  const thrower = { get usernames() { throw new RangeError('no') } }
  for (const bad of [circle, { usernames: [1n] }, thrower]) {
    await assert.rejects(api.startCallUsers(bad), { code: 871003, name: 'INVALID_PARAMETER' })
  }
  assert.deepEqual(asked, [])
})

test('callbacks in the place of missing parameters are still callbacks', async () => {
  const { api, asked } = setUp()
  const got = []
  api.startCallUsers(() => got.push('success'), ({ name }) => got.push(name))
  assert.equal(asked[0].args, null)
  asked[0].fail({ ...FAILURE, name: 'INVALID_PARAMETER' })
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(got, ['INVALID_PARAMETER'])
})

test('a bridge that can not be opened is a failure', async () => {
  for (const thrown of [new Error('no bridge'), new TypeError('no bridge')]) {
    const api = createApi({ open: () => { throw thrown }, onListen: () => false })
    await assert.rejects(api.login({ token: '' }), { name: 'ENGINE_FAILED', description: String(thrown) })
  }
})

test('methods need no this', async () => {
  const { api, asked } = setUp()
  const { hangup } = api
  const promise = hangup()
  asked[0].ok({})
  await promise
})

test('an answer comes before the events that it causes, also to those who await it', async () => {
  const { api, asked, bridge } = setUp()
  const order = []
  api.addCallOutgoingListener(() => order.push('CallOutgoing'))
  api.addCallConnectingListener(() => order.push('CallConnecting'))
  const done = (async () => {
    await api.startCallUsers({ usernames: ['bob'] }, () => order.push('callback'))
    order.push('await')
    await api.isMuted()
    order.push('second answer')
  })()
  asked[0].ok({ channelId: '1' })
  bridge.emit('CallOutgoing', {})
  bridge.emit('CallConnecting', {})
  while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve))
  asked[1].ok(false)
  await done
  assert.deepEqual(order, ['callback', 'await', 'CallOutgoing', 'CallConnecting', 'second answer'])
})

test('the bridge opens with the first method; listeners alone open it only where asked for', () => {
  const lazy = setUp()
  lazy.api.addCallConnectedListener(() => {})
  assert.equal(lazy.bridge.opened, 0)
  lazy.api.init()
  lazy.api.init()
  assert.equal(lazy.bridge.opened, 1)
  const eager = setUp({ onListen: () => true })
  eager.api.on('CallConnected', () => {})
  assert.equal(eager.bridge.opened, 1)
})

test('every event has its add and remove, and they are the same as on and off', () => {
  const { api, bridge } = setUp()
  api.init()
  const names = Object.keys(api).filter((key) => /^add.*Listener$/.test(key)).map((key) => key.slice(3, -8))
  assert.equal(names.length, 14)
  for (const name of names) {
    const got = []
    const listener = (payload) => got.push(payload)
    api[`add${name}Listener`](listener)
    api.on(name, listener)
    bridge.emit(name, name)
    assert.deepEqual(got, [name], 'added twice, called once')
    api[`remove${name}Listener`](listener)
    bridge.emit(name, name)
    const remove = api.on(name, listener)
    bridge.emit(name, name)
    remove()
    bridge.emit(name, name)
    api[`add${name}Listener`](listener)
    api.off(name, listener)
    bridge.emit(name, name)
    assert.deepEqual(got, [name, name])
  }
})

test('the example that the types are compiled with uses every member', () => {
  const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8')
  const [, members] = /export interface JmrtcApi \{([\s\S]*?)\n\}/.exec(read('../src/types.ts'))
  const names = [...members.matchAll(/^ {2}(\w+)[(<]/gm)].map(([, name]) => name)
  const usage = read('types/usage.ts')
  assert.ok(names.includes('getStats') && names.includes('removeCallQualityListener'), 'the types were understood')
  assert.deepEqual(names.filter((name) => !usage.includes(`JMRTC.${name}(`)), [])
})
