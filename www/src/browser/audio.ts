import { why } from '../failure.js'
import type { AudioAction, AudioEvent } from '../generated/machine.js'
import { Player } from './player.js'
import type { Line } from './peer.js'

const MICROPHONE: MediaStreamConstraints = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
}

const CLOSED = { capture: false, send: false, play: false }

/**
 * Microphone and playback. What may run is set by the machine alone, at once where the browser allows and by
 * `#settle` where it takes time: a microphone that opens after consent was withdrawn is closed again unheard.
 */
export class Audio {
  #posture = CLOSED
  #line: Line | undefined
  #microphone: MediaStreamTrack | undefined
  #broken = false
  #settling = false
  #again = false
  readonly #player = new Player()

  constructor(private readonly tell: (event: AudioEvent) => void) {}

  do(action: AudioAction): void {
    switch (action.action) {
      case 'prepare':
        void this.#prepare()
        break
      case 'set':
        this.#set({ capture: action.capture, send: action.send, play: action.play })
        break
      case 'release':
        this.#set(CLOSED)
        break
    }
  }

  /** The call's line has changed. */
  use(line: Line | undefined): void {
    this.#line = line
    this.#play()
    void this.#settle()
  }

  async #prepare(): Promise<void> {
    const failed = await unusable().catch(why)
    this.tell(failed === undefined ? { event: 'ready' } : { event: 'failed', why: failed })
  }

  #set(posture: typeof CLOSED): void {
    this.#posture = posture
    if (this.#microphone !== undefined) this.#microphone.enabled = posture.send
    if (!posture.capture) {
      this.#broken = false
      this.#closeMicrophone()
    }
    this.#play()
    void this.#settle()
  }

  #play(): void {
    this.#player.play(this.#posture.play ? (this.#line?.tracks ?? []) : [])
  }

  /** Brings microphone and sender to where the posture wants them, one step at a time. */
  async #settle(): Promise<void> {
    this.#again = true
    if (this.#settling) return
    this.#settling = true
    while (this.#again) {
      this.#again = false
      try {
        await this.#step()
      } catch (thrown) {
        this.#broken = true
        this.tell({ event: 'failed', why: why(thrown) })
      }
    }
    this.#settling = false
  }

  async #step(): Promise<void> {
    if (this.#posture.capture && this.#microphone === undefined && !this.#broken) {
      await this.#openMicrophone()
    }
    if (!this.#posture.capture) this.#closeMicrophone()
    const line = this.#line
    const track = this.#posture.capture && this.#posture.send ? (this.#microphone ?? null) : null
    // A transport that is closed already sends nothing and refuses a track.
    if (line !== undefined && line.sender.track !== track && line.sender.transport?.state !== 'closed') {
      await Promise.race([line.sender.replaceTrack(track), line.closed])
    }
  }

  #closeMicrophone(): void {
    this.#microphone?.stop()
    this.#microphone = undefined
  }

  async #openMicrophone(): Promise<void> {
    const stream = await navigator.mediaDevices.getUserMedia(MICROPHONE)
    const [track] = stream.getAudioTracks()
    if (track === undefined) throw new Error('the microphone gave no track')
    track.enabled = this.#posture.send
    // Unplugged, or taken away by the person: another microphone may do.
    track.onended = () => {
      if (track !== this.#microphone) return
      this.#microphone = undefined
      void this.#settle()
    }
    this.#microphone = track
  }
}

/** Why there can be no calls here; undefined where there can. */
async function unusable(): Promise<string | undefined> {
  if (typeof RTCPeerConnection === 'undefined') return 'this browser has no WebRTC'
  if (navigator.mediaDevices === undefined) return 'browsers open the microphone only on https: or localhost'
  const devices = await navigator.mediaDevices.enumerateDevices()
  return devices.some(({ kind }) => kind === 'audioinput') ? undefined : 'there is no microphone'
}
