import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from './load.mjs'

const { Listeners } = await load('listeners.ts')

test('a listener that throws stops no other and is reported', () => {
  const { error } = console
  const reported = []
  console.error = (thrown) => reported.push(thrown.message)
  const listeners = new Listeners()
  const got = []
  listeners.add('CallConnected', () => { throw new Error('of the app') })
  listeners.add('CallConnected', (session) => got.push(session))
  listeners.emit({ name: 'CallConnected', payload: 'session' })
  console.error = error
  assert.deepEqual(got, ['session'])
  assert.deepEqual(reported, ['of the app'])
})

test('listeners are called in the order in which they were added, each for its own event', () => {
  const listeners = new Listeners()
  const got = []
  listeners.add('CallConnected', () => got.push(1))
  listeners.add('CallConnecting', () => got.push('other'))
  listeners.add('CallConnected', () => got.push(2))
  listeners.emit({ name: 'CallConnected', payload: {} })
  assert.deepEqual(got, [1, 2])
})

test('one removed by another during an event is not called any more; one added is called from the next on', () => {
  const listeners = new Listeners()
  const got = []
  const second = () => got.push('second')
  const added = () => got.push('added')
  listeners.add('CallConnected', () => {
    listeners.remove('CallConnected', second)
    listeners.add('CallConnected', added)
  })
  listeners.add('CallConnected', second)
  listeners.emit({ name: 'CallConnected', payload: {} })
  assert.deepEqual(got, [])
  listeners.emit({ name: 'CallConnected', payload: {} })
  assert.deepEqual(got, ['added'])
})

test('what is no function is refused', () => {
  assert.throws(() => new Listeners().add('CallConnected', undefined), TypeError)
})

test('removing what is not there does nothing', () => {
  new Listeners().remove('CallConnected', () => {})
})
