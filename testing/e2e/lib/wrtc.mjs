// A client that shares no code with ours: libwebrtc (@roamhq/wrtc) and the protocol spoken by hand.
import wrtc from '@roamhq/wrtc'
import { join } from 'node:path'
import { temporary } from './paths.mjs'
import { within } from './wait.mjs'
import { level, readWav, writeWav } from './wav.mjs'
import { WsClient } from './wsclient.mjs'

const { RTCPeerConnection, nonstandard: { RTCAudioSource, RTCAudioSink } } = wrtc
const FRAME = 480

/** Feeds a track with samples (-1..1, 48 kHz) in real time, silence before and after. */
export class Speaker {
  #source = new RTCAudioSource()
  #samples = new Float32Array(0)
  #at = 0
  #frames = 0

  constructor() {
    this.track = this.#source.createTrack()
    const begin = performance.now()
    this.timer = setInterval(() => {
      // A late timer catches up: the rate is that of the clock.
      for (; this.#frames < (performance.now() - begin) / 10; this.#frames++) this.#tick()
    }, 5)
  }

  #tick() {
    const samples = new Int16Array(FRAME)
    for (let i = 0; i < FRAME; i++) samples[i] = (this.#samples[this.#at + i] ?? 0) * 32767
    this.#at += FRAME
    this.onframe?.(samples)
    this.#source.onData({ samples, sampleRate: 48_000, bitsPerSample: 16, channelCount: 1, numberOfFrames: FRAME })
  }

  /** From now on. */
  say(samples) {
    this.#samples = samples
    this.#at = 0
  }

  stop() {
    clearInterval(this.timer)
    this.track.stop()
  }
}

/** Records a track. */
export class Listener {
  chunks = []

  constructor(track) {
    this.sink = new RTCAudioSink(track)
    this.sink.ondata = ({ samples, sampleRate, channelCount }) => {
      // The rate may change from one call to the next while the codec settles.
      const step = 48_000 / sampleRate
      const chunk = new Float32Array((samples.length / channelCount) * step)
      for (let i = 0; i < chunk.length; i++) chunk[i] = samples[Math.floor(i / step) * channelCount] / 32768
      this.chunks.push(chunk)
      this.ondata?.(chunk)
    }
  }

  get samples() {
    const all = new Float32Array(this.chunks.reduce((n, c) => n + c.length, 0))
    let at = 0
    for (const chunk of this.chunks) {
      all.set(chunk, at)
      at += chunk.length
    }
    return all
  }

  stop() {
    this.sink.stop()
  }
}

export class WrtcClient {
  static async signIn(server, user) {
    const client = new WrtcClient()
    client.user = user
    client.ws = await WsClient.signIn(server, user)
    client.slots = client.ws.welcome.settings.slots
    return client
  }

  async #ask(request) {
    const answer = await this.ws.request(request)
    if (answer.type === 'failure') throw new Error(`${request.method}: ${answer.error.name} ${answer.error.description}`)
    return answer.reply
  }

  /** Makes the media link of a call: one line that sends and as many that receive as the server wants. */
  async link(channelId) {
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' })
    this.speaker = new Speaker()
    this.pc.addTransceiver(this.speaker.track, { direction: 'sendonly' })
    for (let i = 0; i < this.slots; i++) this.pc.addTransceiver('audio', { direction: 'recvonly' })
    const connected = new Promise((resolve, reject) => {
      this.pc.addEventListener('connectionstatechange', () => {
        if (this.pc.connectionState === 'connected') resolve()
        if (this.pc.connectionState === 'failed') reject(new Error("libwebrtc's link failed"))
      })
    })
    await this.pc.setLocalDescription(await this.pc.createOffer())
    const { answer } = await this.#ask({ method: 'link', channelId, generation: 1, offer: this.pc.localDescription.sdp })
    const answered = performance.now()
    await this.pc.setRemoteDescription({ type: 'answer', sdp: answer })
    this.listeners = this.pc.getTransceivers().slice(1).map((t) => new Listener(t.receiver.track))
    await within(connected, "libwebrtc's link to connect")
    /** Milliseconds from the answer until the link was up. */
    this.linkMs = performance.now() - answered
  }

  /** Calls `to` and waits until they have joined. */
  async call(to) {
    const { session } = await this.#ask({ method: 'start', usernames: [to] })
    this.channelId = session.channelId
    await this.link(session.channelId)
    await this.ws.event('joined')
  }

  /** Waits for a call and accepts it. */
  async answer() {
    const { session } = await this.ws.event('invited')
    this.channelId = session.channelId
    await Promise.all([this.link(session.channelId), this.#ask({ method: 'accept', channelId: session.channelId })])
  }

  say(path) {
    this.speaker.say(readWav(path).samples)
  }

  /** Path of a WAV with what the loudest receiver heard. */
  heard() {
    const loudest = this.listeners.map((l) => l.samples).sort((a, b) => level(b) - level(a))[0]
    return writeWav(join(temporary('wrtc'), `${this.user}.wav`), loudest)
  }

  hangup() {
    return this.#ask({ method: 'leave', channelId: this.channelId, reason: 'hangup' })
  }

  async close() {
    this.speaker?.stop()
    this.listeners?.forEach((l) => l.stop())
    this.pc?.close()
    await this.ws.close()
  }
}

/** Two connections in this process with nothing of ours between them: what `speaker` says arrives on `track`. */
export async function connectDirectly() {
  const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()]
  from.onicecandidate = ({ candidate }) => candidate && to.addIceCandidate(candidate)
  to.onicecandidate = ({ candidate }) => candidate && from.addIceCandidate(candidate)
  const speaker = new Speaker()
  from.addTransceiver(speaker.track, { direction: 'sendonly' })
  const connected = new Promise((resolve) => {
    from.onconnectionstatechange = () => from.connectionState === 'connected' && resolve()
  })
  await from.setLocalDescription(await from.createOffer())
  await to.setRemoteDescription(from.localDescription)
  await to.setLocalDescription(await to.createAnswer())
  await from.setRemoteDescription(to.localDescription)
  await connected
  const close = () => {
    speaker.stop()
    from.close()
    to.close()
  }
  return { speaker, track: to.getTransceivers()[0].receiver.track, close }
}
