// The driver against a machine whose outputs the test decides.
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { load } from './load.mjs'

const { Driver } = await load('browser/driver.ts')
const { createMachine } = await load('browser/machine.ts')

let sockets
let script
let inputs
let events
let driver
let memory

class FakeSocket {
  static OPEN = 1
  readyState = 0
  sent = []
  closed = false
  constructor(url) {
    if (url === 'bad') throw new SyntaxError('no URL')
    this.url = url
    sockets.push(this)
  }
  send(text) { this.sent.push(JSON.parse(text)) }
  close() { this.closed = true }
}

const machine = {
  handle: (_now, text) => {
    const input = JSON.parse(text)
    inputs.push(input)
    return JSON.stringify(script(input) ?? [])
  },
  received: (_now, generation, text) => {
    if (text === 'nonsense') throw new Error('not a known message')
    return machine.handle(0, JSON.stringify({ received: JSON.parse(text), generation }))
  },
  nextDeadline: () => undefined,
  memory: () => memory,
}

beforeEach(() => {
  sockets = []
  inputs = []
  events = []
  memory = undefined
  script = () => []
  globalThis.WebSocket = FakeSocket
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true })
  driver = new Driver(machine, (event) => events.push(event))
})

const exec = (method) => {
  const answers = []
  driver.exec(method, null, (result) => answers.push({ result }), (failure) => answers.push({ failure }))
  return answers
}

test('a reply goes to the command of its id, whatever the order', () => {
  const failure = { code: 871002, name: 'INVALID_STATE', description: '' }
  script = ({ id }) => (id === 2
    ? [{ output: 'reply', id: 2, result: { Ok: 'second' } }, { output: 'reply', id: 1, result: { Err: failure } }] : [])
  const first = exec('accept')
  const second = exec('hangup')
  assert.deepEqual([first, second], [[{ failure }], [{ result: 'second' }]])
})

test('outputs are done in order; what they cause waits until they are all done', () => {
  script = (input) => {
    if (input.input === 'command') {
      return [
        { output: 'socket', action: 'open', generation: 1, url: 'bad' },
        { output: 'event', name: 'CallConnecting', payload: 1 }, { output: 'event', name: 'CallConnected', payload: 2 },
      ]
    }
    return [{ output: 'event', name: 'CallError', payload: input.event.event }]
  }
  exec('login')
  assert.deepEqual(events, [
    { name: 'CallConnecting', payload: 1 }, { name: 'CallConnected', payload: 2 }, { name: 'CallError', payload: 'closed' },
  ])
})

test('the sockets: side by side, each by its generation, nothing of one that was closed', () => {
  const of = (generation) => ({
    open: { output: 'socket', action: 'open', generation, url: `ws://${generation}` },
    send: { output: 'socket', action: 'send', generation, message: { type: 'ping', ack: generation } },
    close: { output: 'socket', action: 'close', generation },
  })
  script = ({ method }) => {
    const [action, generation] = method?.split(' ') ?? []
    return action === undefined ? [] : [of(Number(generation))[action]]
  }
  exec('open 1')
  sockets[0].onopen()
  sockets[0].readyState = FakeSocket.OPEN
  exec('open 2')
  assert.equal(sockets[0].closed, false)
  for (const generation of [2, 1, 3]) exec(`send ${generation}`)
  assert.deepEqual(sockets.map(({ sent }) => sent), [[{ type: 'ping', ack: 1 }], []], 'the second is not open yet')
  sockets[1].readyState = FakeSocket.OPEN
  sockets[1].onopen()
  for (const action of ['close 1', 'close 1', 'close 3', 'send 1', 'send 2']) exec(action)
  assert.deepEqual(sockets.map(({ sent, closed }) => [sent, closed]), [[[{ type: 'ping', ack: 1 }], true], [[{ type: 'ping', ack: 2 }], false]])
  assert.deepEqual([sockets[0].onopen, sockets[0].onmessage, sockets[0].onclose], [null, null, null])
  sockets[1].onclose({ code: 1006, reason: '' })
  exec('send 2')
  assert.deepEqual(inputs.filter(({ input }) => input === 'socket'), [
    { input: 'socket', generation: 1, event: { event: 'opened' } },
    { input: 'socket', generation: 2, event: { event: 'opened' } },
    { input: 'socket', generation: 2, event: { event: 'closed', why: 'the socket closed with code 1006' } },
  ])
  assert.equal(sockets[1].sent.length, 1)
})

test('a frame that is no message is dropped with a warning and the rest goes on', () => {
  const { warn } = console
  const warned = []
  console.warn = (...words) => warned.push(words)
  script = ({ method, received }) => (method ? [{ output: 'socket', action: 'open', generation: 1, url: 'ws://x' }]
    : received ? [{ output: 'event', name: 'CallConnected', payload: received }] : [])
  exec('login')
  sockets[0].onmessage({ data: 'nonsense' })
  sockets[0].onmessage({ data: new ArrayBuffer(1) })
  sockets[0].onmessage({ data: '{"type":"pong"}' })
  console.warn = warn
  assert.equal(warned.length, 1)
  assert.deepEqual(events, [{ name: 'CallConnected', payload: { type: 'pong' } }])
})

test('a machine that crashes leaves no method without an answer', () => {
  const { error } = console
  console.error = () => {}
  const pending = exec('accept')
  script = () => { throw new WebAssembly.RuntimeError('unreachable') }
  const crashing = exec('hangup')
  script = () => assert.fail('a crashed machine must not be asked again')
  const later = exec('getState')
  console.error = error
  for (const answers of [pending, crashing, later]) {
    assert.deepEqual(answers.map(({ failure }) => failure.name), ['ENGINE_FAILED'])
  }
})

test('getStats is answered without a call too', async () => {
  const answers = exec('getStats')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(answers[0].result.packetsSent, 0)
  assert.deepEqual(inputs, [])
})

test('arguments that no JSON reader takes are answered, too', async () => {
  const real = await createMachine({ seed: 1, device: { id: 'd', platform: 'browser' }, serverUrl: null })
  driver = new Driver(real, (event) => events.push(event))
  const circle = {}
  circle.self = circle
  let deep = {}
  for (let level = 0; level < 200; level++) deep = { deep }
  for (const args of [{ usernames: ['bob\ud83d'] }, circle, { muted: true, deep }]) {
    const answers = []
    driver.exec('startCallUsers', args, (result) => answers.push({ result }), (failure) => answers.push({ failure }))
    assert.equal(answers.length, 1)
    assert.equal(answers[0].failure.name, 'INVALID_PARAMETER')
  }
  const [{ result }] = exec('getState')
  assert.equal(result.call, 'idle', 'the machine lives on')
})

test('only another kind of network is a change of network', () => {
  const connection = Object.assign(new EventTarget(), { type: 'wifi' })
  Object.defineProperty(globalThis, 'navigator', { value: { connection }, configurable: true })
  driver = new Driver(machine, (event) => events.push(event))
  const changes = []
  for (const type of ['wifi', 'wifi', 'cellular', 'none', 'wifi']) {
    inputs = []
    connection.type = type
    connection.dispatchEvent(new Event('change'))
    changes.push(inputs.filter(({ event }) => event === 'networkChanged').length)
  }
  assert.deepEqual(changes, [0, 0, 1, 0, 0])
  delete connection.type
  inputs = []
  connection.dispatchEvent(new Event('change'))
  connection.dispatchEvent(new Event('change'))
  assert.equal(inputs.length <= 1, true, 'a browser that tells no kind')
})

test('the next load of the tab learns how this one left its call', () => {
  const kept = new Map()
  globalThis.sessionStorage = { setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) }
  try {
    memory = '{"mutedIn":"c1"}'
    exec('setIsMuted')
    assert.deepEqual([...kept], [['jmrtc.memory', memory]])
    memory = undefined
    script = () => [{ output: 'event', name: 'CallDisconnect', payload: {} }]
    let atTheEnd
    events.push = () => { atTheEnd = [...kept] }
    exec('hangup')
    assert.deepEqual(atTheEnd, [], 'for an app that loads the page anew at the end of a call')
  } finally {
    delete globalThis.sessionStorage
  }
})
