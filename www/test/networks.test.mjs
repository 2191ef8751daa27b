// Which address a link sends from, and of which network it is.
import assert from 'node:assert/strict'
import test from 'node:test'
import { load } from './load.mjs'

const { addressOf, networkOf } = await load('browser/networks.ts')

test('the address that a link sends from is the device\'s own, where that is known', () => {
  const of = (type, address, relatedAddress = null) => addressOf({ type, address, relatedAddress })
  assert.equal(of('host', '192.0.2.7'), '192.0.2.7')
  assert.equal(of('srflx', '203.0.113.5', '192.0.2.7'), '192.0.2.7')
  assert.equal(of('prflx', '203.0.113.5', '192.0.2.7'), '192.0.2.7')
  assert.equal(of('relay', '198.51.100.9', '203.0.113.5'), undefined)
  for (const hidden of ['0f6c2a6e-9b7a-4a0e-8d4b-0d6b3a3a1c55.local', '0.0.0.0', '::', '', null]) {
    assert.equal(of('host', hidden), undefined)
    assert.equal(of('prflx', '203.0.113.5', hidden), undefined)
  }
})

test('addresses of one IPv6 network are of one network', () => {
  const same = [['2001:db8:0:7::a', '2001:db8::7:1:2:3:4'], ['2001:DB8:1:2:3:4:5:6', '2001:db8:1:2::1'], ['fd00::1', 'fd00:0:0:0:9::'], ['::1', '::2'], ['192.0.2.7', '192.0.2.7']]
  for (const [a, b] of same) assert.equal(networkOf(a), networkOf(b), `${a} ${b}`)
  const other = [['2001:db8:0:7::a', '2001:db8:0:8::a'], ['fd00::1', 'fd01::1'], ['192.0.2.7', '192.0.2.8']]
  for (const [a, b] of other) assert.notEqual(networkOf(a), networkOf(b), `${a} ${b}`)
})
