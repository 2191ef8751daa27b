// The instruments of the other tests, tried without the product.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import test from 'node:test'
import { temporary } from './lib/paths.mjs'
import { Proxy } from './lib/proxy.mjs'
import { Relay, kind, rtpHeader, stunUser } from './lib/relay.mjs'
import { GOOD, assertCallHeard, sentence } from './lib/speech.mjs'
import { pass, until } from './lib/wait.mjs'
import { readWav, writeWav } from './lib/wav.mjs'
import { Listener, connectDirectly } from './lib/wrtc.mjs'

test('libwebrtc to libwebrtc, nothing of ours between: the bar for good is one that a good path clears', { timeout: 180_000 }, async (t) => {
  const { speaker, track, close } = await connectDirectly()
  await assertCallHeard(async () => {
    const listener = new Listener(track)
    speaker.say(readWav(sentence('carol')).samples)
    await pass(4_500)
    listener.stop()
    return [{ said: sentence('carol'), heard: writeWav(`${temporary('loop')}/heard.wav`, listener.samples), bar: GOOD }]
  }, t)
  close()
})

test('what a packet is', () => {
  assert.equal(kind(Buffer.from([0, 1, 0, 0])), 'stun')
  assert.equal(kind(Buffer.from([22, 254, 253])), 'dtls')
  assert.equal(kind(Buffer.from([0x80, 200, 0, 0])), 'rtcp')
  assert.equal(kind(Buffer.from([0x81, 206, 0, 0])), 'rtcp')
  assert.equal(kind(Buffer.from([0x90, 111, 0, 0])), 'rtp')
  assert.equal(kind(Buffer.from([0x90, 0x80 | 111, 0, 0])), 'rtp')
  assert.equal(kind(Buffer.alloc(0)), 'other')
  const header = rtpHeader(Buffer.from('90ef123400000064deadbeefbede0001107f00000102030405', 'hex'))
  assert.deepEqual({ ...header, extensions: header.extensions[1].toString('hex') },
    { type: 111, marker: true, sequence: 0x1234, timestamp: 100, ssrc: 0xdeadbeef, extensions: '7f', payload: 5 })
  const whole = Buffer.from('92ef123400000064deadbeef0000000100000002bede0001107f00000102030405', 'hex')
  for (let length = 0; length < whole.length; length++) {
    const { payload } = rtpHeader(whole.subarray(0, length))
    assert.equal(payload, length < 20 ? 0 : length < 24 ? length - 20 : Math.max(0, length - 28), `cut off after ${length} bytes`)
  }
})

test('whose link a STUN request is of', () => {
  const request = (...attributes) => Buffer.concat([Buffer.from('000100002112a442000102030405060708090a0b', 'hex'), ...attributes])
  const attribute = (type, text) => Buffer.concat([Buffer.from([0, type, 0, text.length]), Buffer.from(text.padEnd(Math.ceil(text.length / 4) * 4, '\0'))])
  assert.equal(stunUser(request(attribute(0x24, 'abcde'), attribute(6, 'server:client'))), 'server:client')
  assert.equal(stunUser(request(attribute(0x24, 'abcd'))), undefined)
  assert.equal(stunUser(Buffer.from([0, 1, 0])), undefined)
})

test('the relay passes packets both ways, counts them and eats what it is told to', async () => {
  const server = createSocket('udp4').bind(0, '127.0.0.1')
  await once(server, 'listening')
  server.on('message', (packet, from) => server.send(packet, from.port, from.address))
  const relay = await Relay.start()
  relay.to({ udp: `127.0.0.1:${server.address().port}` })
  const client = createSocket('udp4').bind(0, '127.0.0.1')
  await once(client, 'listening')
  const [host, port] = relay.address.split(':')
  const rtp = Buffer.from('806f000100000000deadbeef00', 'hex')
  client.send(rtp, Number(port), host)
  const [back] = await once(client, 'message')
  assert.deepEqual(back, rtp)
  assert.equal(relay.packets('rtp', { up: true }).length, 1)
  assert.equal(relay.packets('rtp', { up: false }).length, 1)
  const mark = relay.mark
  relay.drop = (p) => p.kind === 'rtp' && p.up
  client.send(rtp, Number(port), host)
  client.send(Buffer.from('0001', 'hex'), Number(port), host)
  await once(client, 'message')
  assert.equal(relay.packets('rtp', { from: mark, up: false }).length, 0)
  assert.equal(relay.packets('stun', { from: mark, up: false }).length, 1)
  // What is held back when it stops goes nowhere.
  relay.delay = (p) => (p.up ? 0 : 50)
  client.send(Buffer.from('0001', 'hex'), Number(port), host)
  await until(() => relay.packets('stun', { from: mark, up: false }).length === 2, 'the packet on its way back')
  client.close()
  server.close()
  relay.stop()
  await pass(100)
})

test('the proxy passes, holds, delays, cuts and lets again', async () => {
  const echo = createServer((s) => s.on('error', () => {}).pipe(s)).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const proxy = await Proxy.start(echo.address().port)
  const open = async () => {
    const socket = connect(proxy.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.got = ''
    socket.on('data', (d) => (socket.got += d))
    socket.gone = new Promise((resolve) => socket.on('close', resolve))
    return socket
  }
  const socket = await open()
  socket.write('one')
  await until(() => socket.got === 'one', 'an echo')
  proxy.hold()
  socket.write('two')
  await pass(100)
  assert.equal(socket.got, 'one')
  proxy.release()
  await until(() => socket.got === 'onetwo', 'what was held')
  proxy.slow(150)
  const begin = Date.now()
  socket.write('three')
  await pass(20)
  socket.write('four')
  await until(() => socket.got === 'onetwothreefour', 'what was delayed, in its order')
  const took = Date.now() - begin
  assert.ok(took >= 300, `there and back in ${took} ms`)
  proxy.slow(0)
  proxy.cut()
  await socket.gone
  const refused = await open()
  await refused.gone
  proxy.restore()
  const again = await open()
  again.write('five')
  await until(() => again.got === 'five', 'an echo after the cut')
  again.destroy()
  proxy.stop()
  echo.close()
})
