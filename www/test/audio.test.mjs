// Consent where the browser opens the microphone: against a browser that takes its time.
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { load } from './load.mjs'

const { Audio } = await load('browser/audio.ts')
const settled = () => new Promise((resolve) => setImmediate(resolve))

let asked
let told
let audio
let line

class Track {
  enabled = true
  stopped = false
  stop() { this.stopped = true }
}

beforeEach(() => {
  asked = []
  told = []
  const mediaDevices = {
    getUserMedia: () => new Promise((resolve, reject) => asked.push({
      give() {
        const track = new Track()
        resolve({ getAudioTracks: () => [track] })
        return track
      },
      refuse: (name) => reject(Object.assign(new Error('no'), { name })),
    })),
    enumerateDevices: async () => [{ kind: 'audioinput' }],
  }
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices }, configurable: true })
  globalThis.RTCPeerConnection = class {}
  globalThis.MediaStream = class { constructor(tracks) { this.tracks = tracks } }
  const playing = new Set()
  globalThis.document = {
    createElement: () => ({
      setAttribute() {}, pause() { playing.delete(this) }, play() { playing.add(this); return Promise.resolve() },
    }),
  }
  const sender = { track: null, sent: [], async replaceTrack(track) { this.track = track; this.sent.push(track) } }
  line = { sender, tracks: [new Track(), new Track()], closed: new Promise(() => {}) }
  audio = new Audio((event) => told.push(event))
  audio.playing = playing
})

/** A line whose sender, in a frame that is taken away, answers no more. */
function mute() {
  const line = { sender: { track: null, replaceTrack: () => new Promise(() => {}) }, tracks: [] }
  line.closed = new Promise((resolve) => { line.close = resolve })
  return line
}

const set = (capture, send, play) => audio.do({ action: 'set', capture, send, play })

test('preparing opens no microphone', async () => {
  audio.do({ action: 'prepare' })
  await settled()
  assert.deepEqual(told, [{ event: 'ready' }])
  assert.equal(asked.length, 0)
})

test('a line alone opens, sends and plays nothing', async () => {
  audio.use(line)
  await settled()
  assert.deepEqual([asked.length, line.sender.sent, audio.playing.size], [0, [], 0])
})

test('after accepting: the microphone is sent and every slot is played; after the end nothing is', async () => {
  audio.use(line)
  set(true, true, true)
  await settled()
  const track = asked[0].give()
  await settled()
  assert.equal(line.sender.track, track)
  assert.equal(audio.playing.size, 2)
  set(false, false, false)
  assert.equal(track.enabled, false, 'silent at once')
  await settled()
  assert.deepEqual([line.sender.track, track.stopped, audio.playing.size], [null, true, 0])
})

test('a microphone that opens after the call is over is closed unheard', async () => {
  audio.use(line)
  set(true, true, true)
  await settled()
  set(false, false, false)
  const track = asked[0].give()
  assert.equal(track.enabled, true, 'as the browser hands it out')
  await settled()
  assert.deepEqual([track.enabled, track.stopped, line.sender.sent], [false, true, []])
})

test('muted: nothing is sent, the microphone stays; unmuted: the same microphone again', async () => {
  audio.use(line)
  set(true, true, true)
  await settled()
  const track = asked[0].give()
  await settled()
  set(true, false, true)
  assert.equal(track.enabled, false)
  await settled()
  assert.deepEqual([line.sender.track, track.stopped], [null, false])
  set(true, true, true)
  await settled()
  assert.deepEqual([line.sender.track, track.enabled, asked.length], [track, true, 1])
})

test('a sender that never answers keeps no microphone open, and holds up no line that comes after it', async () => {
  audio.use(line)
  set(true, true, true)
  await settled()
  const track = asked[0].give()
  await settled()
  const gone = mute()
  audio.use(gone)
  set(true, true, true)
  await settled()
  gone.close()
  audio.use(line)
  set(true, true, true)
  await settled()
  assert.equal(line.sender.track, track)
  audio.use(mute())
  set(false, false, false)
  await settled()
  assert.equal(track.stopped, true)
})

test('a new line takes the microphone over', async () => {
  audio.use(line)
  set(true, true, true)
  await settled()
  const track = asked[0].give()
  await settled()
  const other = { sender: { track: null, async replaceTrack(t) { this.track = t } }, tracks: [], closed: new Promise(() => {}) }
  audio.use(undefined)
  audio.use(other)
  await settled()
  assert.equal(other.sender.track, track)
})

test('an unplugged microphone is replaced by another', async () => {
  audio.use(line)
  set(true, true, true)
  await settled()
  const first = asked[0].give()
  await settled()
  first.onended()
  await settled()
  const second = asked[1].give()
  await settled()
  assert.equal(line.sender.track, second)
})

test('a microphone that does not open is told once, and tried again in the next call', async () => {
  audio.use(line)
  set(true, true, true)
  await settled()
  asked[0].refuse('NotReadableError')
  await settled()
  set(true, false, true)
  await settled()
  assert.deepEqual(told, [{ event: 'failed', why: 'NotReadableError: no' }])
  assert.equal(asked.length, 1)
  set(false, false, false)
  set(true, true, true)
  await settled()
  assert.equal(asked.length, 2)
})
