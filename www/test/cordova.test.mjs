// The way to native code, against a cordova.js that behaves as Cordova's does.
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { load } from './load.mjs'

const { isNative, nativeBridge } = await load('cordova.ts')

let calls
let ready

beforeEach(() => {
  calls = []
  globalThis.cordova = {
    platformId: 'android',
    exec: (ok, fail, service, action, args) => calls.push({ ok, fail, service, action, args }),
  }
  globalThis.document = { addEventListener: (name, listener) => { if (name === 'deviceready') ready = listener } }
})

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('native code is used on Android and iOS only', () => {
  assert.equal(isNative(), true)
  globalThis.cordova.platformId = 'ios'
  assert.equal(isNative(), true)
  globalThis.cordova.platformId = 'browser'
  assert.equal(isNative(), false)
  delete globalThis.cordova
  assert.equal(isNative(), false)
})

test('calls before deviceready wait for it, then go in order, after the subscription to events', async () => {
  const bridge = nativeBridge(() => {})
  bridge.exec('login', { token: 't' }, () => {}, () => {})
  bridge.exec('initEngine', null, () => {}, () => {})
  await settled()
  assert.deepEqual(calls, [])
  ready()
  await settled()
  assert.deepEqual(calls.map(({ service, action, args }) => [service, action, args]), [
    ['JMRTC', 'events', []], ['JMRTC', 'login', ['{"token":"t"}']], ['JMRTC', 'initEngine', ['null']],
  ])
})

test('results, failures and events cross as JSON text', async () => {
  const got = []
  const bridge = nativeBridge((event) => got.push(event))
  ready()
  bridge.exec('isMuted', null, (result) => got.push(result), (failure) => got.push(failure))
  bridge.exec('accept', null, (result) => got.push(result), (failure) => got.push(failure))
  await settled()
  calls[1].ok('false')
  calls[2].fail('{"code":871002,"name":"INVALID_STATE","description":"no call"}')
  calls[0].ok('{"name":"CallConnected","payload":{"channelId":"1"}}')
  calls[0].ok('{"name":"CallDisconnect","payload":{"reason":"hangup"}}')
  assert.deepEqual(got, [
    false, { code: 871002, name: 'INVALID_STATE', description: 'no call' },
    { name: 'CallConnected', payload: { channelId: '1' } }, { name: 'CallDisconnect', payload: { reason: 'hangup' } },
  ])
})

test("Cordova's own errors are plain text", async () => {
  const got = []
  const bridge = nativeBridge(() => {})
  ready()
  bridge.exec('login', null, () => {}, (failure) => got.push(failure))
  await settled()
  calls[1].fail('Class not found')
  assert.deepEqual(got, [{ code: 871007, name: 'ENGINE_FAILED', description: 'Class not found' }])
})
