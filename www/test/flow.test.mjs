// When a link is said to bring nothing.
import assert from 'node:assert/strict'
import test from 'node:test'
import { load } from './load.mjs'

const { Flow } = await load('browser/flow.ts')

/** What is told when it is looked every 50 ms, and the last packet played at each look is that of `played(now)`. */
function told(played, until) {
  const flow = new Flow(200, { event: 'stalled' })
  const told = []
  for (let now = 0; now <= until; now += 50) {
    const event = flow.look(now, played(now))
    if (event !== undefined) told.push([now, event.event])
  }
  return told
}

test('a link that brings nothing for 200 ms is stalled, and flows when it brings something', () => {
  const hole = (from, to) => (now) => (now < from ? now + 1 : now < to ? from : now + 1)
  assert.deepEqual(told(hole(1_000, 1_150), 3_000), [], 'too short')
  assert.deepEqual(told(hole(1_000, 2_000), 3_000), [[1_200, 'stalled'], [2_000, 'flowing']])
})

test('where nothing has come yet nothing is missed', () => {
  assert.deepEqual(told(() => 0, 3_000), [])
})

test('sources that are forgotten after a while are not new ones', () => {
  assert.deepEqual(told((now) => (now < 1_000 ? now + 1 : now < 2_000 ? 951 : 0), 5_000), [[1_150, 'stalled']])
})
