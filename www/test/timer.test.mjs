import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { load } from './load.mjs'

const { Timer } = await load('browser/timer.ts')

/** A page whose worker keeps time as the test says. */
function setUp({ worker = true } = {}) {
  const page = { now: 0, rung: 0, posted: [], listeners: {} }
  class FakeWorker {
    constructor(url) { page.url = url; page.worker = this }
    postMessage(wait) { page.posted.push(wait) }
  }
  globalThis.Worker = worker ? FakeWorker : undefined
  globalThis.document = { addEventListener: (name, listener) => { page.listeners[name] = listener } }
  page.timer = new Timer(() => page.now, () => { page.rung += 1 })
  return page
}

test('rings when the worker says so and it is time, once', () => {
  const page = setUp()
  page.timer.set(100)
  page.timer.set(100)
  assert.deepEqual(page.posted, [100])
  page.now = 99
  page.worker.onmessage()
  assert.deepEqual([page.rung, page.posted.at(-1)], [0, 1], 'early: waits for the rest')
  page.now = 100
  page.worker.onmessage()
  page.worker.onmessage()
  assert.equal(page.rung, 1)
})

test('a page that comes back rings what is overdue without waiting for the timer', () => {
  const page = setUp()
  page.timer.set(100)
  page.now = 5000
  page.listeners.visibilitychange()
  assert.equal(page.rung, 1)
})

test('undefined stops it, and what is overdue or far away is no bad timeout', () => {
  const page = setUp()
  page.now = 1000
  page.timer.set(10)
  page.timer.set(undefined)
  page.timer.set(2 ** 40)
  assert.deepEqual(page.posted, [0, null, 2 ** 31 - 1])
})

test("the worker's own code rings after the time last asked for", () => {
  const page = setUp()
  mock.timers.enable({ apis: ['setTimeout'] })
  const code = decodeURIComponent(page.url.slice('data:text/javascript,'.length))
  let rings = 0
  const post = new Function('postMessage', `let onmessage;${code};return (data) => onmessage({ data })`)(() => { rings += 1 })
  post(50)
  post(200)
  mock.timers.tick(199)
  assert.equal(rings, 0)
  mock.timers.tick(1)
  assert.equal(rings, 1)
  post(50)
  post(null)
  mock.timers.tick(1000)
  assert.equal(rings, 1)
  mock.timers.reset()
})

for (const [what, worker] of [['where there are no workers', false], ["where the page's security policy forbids the worker", true]]) {
  test(`the page's own timer does ${what}`, () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const page = setUp({ worker })
    page.timer.set(300)
    page.worker?.onerror()
    page.now = 300
    mock.timers.tick(300)
    assert.equal(page.rung, 1)
    mock.timers.reset()
  })
}
