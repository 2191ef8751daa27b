import { why } from '../failure.js'
import { type Connection, openConnection } from './connection.js'
import { Flow } from './flow.js'
import { addressOf, isHere } from './networks.js'
import type { LinkSample, MediaAction, MediaEvent } from '../generated/machine.js'
import { linkStats, Meter, NO_STATS } from './stats.js'
import type { CallStats } from '../types.js'

/** Between two looks at how a link does. */
const SAMPLE_MS = 1000

/** What the sound of a call goes through. */
export interface Line {
  /** Sends the microphone; sends nothing while its track is null. */
  sender: RTCRtpSender
  /** What is received, one track a slot. */
  tracks: MediaStreamTrack[]
  /** When it is; the sender answers no more then. */
  closed: Promise<void>
}

/** What the media link tells. */
export interface PeerSink {
  /** For the machine. */
  event(generation: number, event: MediaEvent): void
  /** The line to send and play through has changed; undefined when there is none. */
  line(line: Line | undefined): void
}

/** Milliseconds between two levels for the machine, which decides who speaks. */
const LEVELS_MS = 200
/** Milliseconds between two looks at whether sound still comes. */
const FLOW_MS = 50
/** Whoever is not muted sends ten packets in that time, silent or not. */
const SOUND_MS = 200
/** Who sends and hears nobody looks so often, in milliseconds, whether the network is still there. */
const LOOK_MS = 400
/** The server reports every second: two are missing. */
const REPORTS_MS = 2200
/** In -dBov. */
const SILENCE = 127

/** The media link: one peer connection to the server; at most one, a new one replaces it. */
export class Peer {
  #connection: Connection | undefined
  #generation = 0
  /** When a receiver had played something last. */
  readonly #played = new WeakMap<RTCRtpReceiver, number>()
  /** When it was looked last whether the network is still there. */
  #looked = 0
  #levels: ReturnType<typeof setInterval> | undefined
  #sampling: ReturnType<typeof setInterval> | undefined
  #watching: ReturnType<typeof setInterval> | undefined
  #sample: LinkSample | undefined
  /** How the own sound arrives, while it is sent. */
  #reports: Flow | undefined

  constructor(private readonly sink: PeerSink) {}

  get #pc(): RTCPeerConnection | undefined {
    return this.#connection?.pc
  }

  do(action: MediaAction): void {
    if (action.action === 'open') {
      this.#close()
      this.#generation = action.generation
      this.#attempt(() => this.#open(action.slots, action.iceServers ?? []))
      return
    }
    if (action.generation !== this.#generation || this.#pc === undefined) return
    switch (action.action) {
      case 'answer':
        this.#attempt((pc) => this.#answer(pc, action.sdp))
        break
      case 'restart':
        this.#attempt((pc) => {
          pc.restartIce()
          return this.#offer(pc)
        })
        break
      case 'close':
        this.#close()
        break
    }
  }

  async stats(): Promise<CallStats> {
    if (this.#connection === undefined) return NO_STATS
    const { pc, closed } = this.#connection
    const report = await Promise.race([pc.getStats(), closed])
    return report === undefined ? NO_STATS : linkStats(report, this.#sample)
  }

  /** What the link was like in the last second; none without one. */
  get sample(): LinkSample | undefined {
    return this.#sample
  }

  async #open(slots: number, iceServers: RTCIceServer[]): Promise<void> {
    this.#connection = openConnection({ iceServers, bundlePolicy: 'max-bundle' })
    const { pc, closed, isLost } = this.#connection
    pc.onconnectionstatechange = () => this.#tell(pc)
    // Without a track nothing is sent: the microphone is closed until the call is accepted.
    const { sender } = pc.addTransceiver('audio', { direction: 'sendonly' })
    const tracks = Array.from({ length: slots }, () => pc.addTransceiver('audio', { direction: 'recvonly' }).receiver.track)
    this.sink.line({ sender, tracks, closed })
    const meter = new Meter()
    this.#sampling = setInterval(() => void this.#measure(pc, meter), SAMPLE_MS)
    this.#looked = 0
    const flow = new Flow(SOUND_MS, { event: 'stalled' })
    this.#watching = setInterval(() => {
      if (isLost()) this.#event(pc, { event: 'failed', why: 'the app took the connection\'s frame away' })
      else this.#watch(pc, flow)
    }, FLOW_MS)
    await this.#offer(pc)
  }

  #watch(pc: RTCPeerConnection, flow: Flow): void {
    const played = pc.getReceivers().map((receiver) => receiver.getSynchronizationSources()[0]?.timestamp ?? 0)
    const now = performance.now()
    const event = flow.look(now, Math.max(0, ...played))
    if (event !== undefined) this.#event(pc, event)
    const sends = pc.getSenders().some(({ track }) => track?.enabled)
    if (event?.event === 'stalled' || (sends && flow.silence(now) >= LOOK_MS && now >= this.#looked + LOOK_MS)) {
      // Until it is known.
      this.#looked = Infinity
      // Where it can't be looked, nothing is.
      this.#look(pc).catch(() => {}).finally(() => {
        this.#looked = now
      })
    }
  }

  async #look(pc: RTCPeerConnection): Promise<void> {
    const local = pc.getReceivers()[0]?.transport?.iceTransport.getSelectedCandidatePair?.()?.local
    const address = local && addressOf(local)
    if (address !== undefined && !await isHere(address)) this.#event(pc, { event: 'moved' })
  }

  async #measure(pc: RTCPeerConnection, meter: Meter): Promise<void> {
    const sample = meter.sample(await pc.getStats())
    if (pc !== this.#pc) return
    this.#sample = sample
    this.#event(pc, { event: 'stats', sample })
  }

  async #offer(pc: RTCPeerConnection): Promise<void> {
    // The server sees our addresses by our checks: the offer need not wait for candidates.
    const offer = await pc.createOffer()
    await pc.setLocalDescription(offer)
    this.#event(pc, { event: 'offer', sdp: offer.sdp ?? '' })
  }

  async #answer(pc: RTCPeerConnection, sdp: string): Promise<void> {
    if (pc.signalingState !== 'have-local-offer') return
    await pc.setRemoteDescription({ type: 'answer', sdp })
    // A restart on a link that still works changes no state: say that it is up all the same.
    if (pc.connectionState === 'connected') this.#tell(pc)
  }

  #tell(pc: RTCPeerConnection): void {
    // In a frame that is gone it stays as it was.
    if (pc !== this.#pc) return
    switch (pc.connectionState) {
      case 'connected':
        // Before it is told: the link may be closed by that.
        this.#levels ??= setInterval(() => void this.#tellLevels(pc), LEVELS_MS)
        this.#event(pc, { event: 'connected' })
        break
      case 'disconnected':
        this.#event(pc, { event: 'disconnected' })
        break
      case 'failed':
        this.#event(pc, { event: 'failed', why: `ICE is ${pc.iceConnectionState}` })
        break
      case 'new':
      case 'connecting':
      case 'closed':
        break
    }
  }

  async #tellLevels(pc: RTCPeerConnection): Promise<void> {
    const [sender, ...receivers] = pc.getTransceivers()
    let own = SILENCE
    // Of the microphone's track, which is null while nothing may be sent.
    if (sender?.sender.track?.enabled) {
      let reported = 0
      const stats = await sender.sender.getStats()
      if (pc !== this.#pc) return
      stats.forEach((s: { type: string, audioLevel?: number, timestamp: number }) => {
        if (s.type === 'media-source') own = dBov(s.audioLevel)
        if (s.type === 'remote-inbound-rtp') reported = s.timestamp
      })
      const event = (this.#reports ??= new Flow(REPORTS_MS, { event: 'unreported' })).look(performance.now(), reported)
      if (event !== undefined) this.#event(pc, event)
    } else {
      this.#reports = undefined
    }
    this.#event(pc, { event: 'levels', own, slots: receivers.map(({ receiver }) => this.#level(receiver)) })
  }

  /** What a receiver plays; silent where it has played nothing since it was asked last. */
  #level(receiver: RTCRtpReceiver): number {
    const [source] = receiver.getSynchronizationSources()
    const played = this.#played.get(receiver)
    if (source === undefined || source.timestamp === played) return SILENCE
    this.#played.set(receiver, source.timestamp)
    return dBov(source.audioLevel)
  }

  #event(pc: RTCPeerConnection, event: MediaEvent): void {
    if (pc === this.#pc) this.sink.event(this.#generation, event)
  }

  /** Does a step of the current link; where it throws, the link has failed. */
  #attempt(step: (pc: RTCPeerConnection) => Promise<void>): void {
    const generation = this.#generation
    void (async () => step(this.#pc as RTCPeerConnection))().catch((thrown: unknown) => {
      // A link that was closed meanwhile has nothing to tell.
      if (generation === this.#generation) this.sink.event(generation, { event: 'failed', why: why(thrown) })
    })
  }

  #close(): void {
    this.#generation = 0
    clearInterval(this.#levels)
    this.#levels = undefined
    this.#reports = undefined
    if (this.#connection === undefined) return
    clearInterval(this.#sampling)
    clearInterval(this.#watching)
    this.#sample = undefined
    this.sink.line(undefined)
    this.#connection.pc.onconnectionstatechange = null
    this.#connection.close()
    this.#connection = undefined
  }
}

/** A linear level, 1 the loudest, in -dBov. */
function dBov(level = 0): number {
  return level > 0 ? Math.min(SILENCE, Math.round(-20 * Math.log10(level))) : SILENCE
}
