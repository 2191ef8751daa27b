import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { load } from './load.mjs'

const { Clock } = await load('browser/clock.ts')

test('sleep counts, small corrections do not, and time never goes back', () => {
  let steady = 5000
  let wall = 1_700_000_000_000
  mock.method(performance, 'now', () => steady)
  mock.method(Date, 'now', () => wall)
  const clock = new Clock()
  const start = clock.now()
  const pass = (ms) => { steady += ms; wall += ms }
  pass(250)
  assert.equal(clock.now() - start, 250)
  wall += 400
  assert.equal(clock.now() - start, 250, 'a correction of 400 ms')
  wall += 3_600_000
  assert.equal(clock.now() - start, 3_600_000 + 400 + 250, 'an hour of sleep')
  wall -= 7_200_000
  assert.equal(clock.now() - start, 3_600_000 + 400 + 250, 'set back by two hours')
  pass(1000)
  assert.equal(clock.now() - start, 3_601_650)
  mock.restoreAll()
})
