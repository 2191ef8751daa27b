const EVERY_MS = 3000
const NOTES = [659.25, 783.99, 659.25, 783.99]
const NOTE_S = 0.16

let context: AudioContext | undefined
let timer: ReturnType<typeof setInterval> | undefined

/** Rings softly until `stopRinging`. A page that nobody has touched yet may make no sound: then it only shows. */
export function startRinging(): void {
  if (timer !== undefined) return
  context = new AudioContext()
  ringOnce(context)
  timer = setInterval(() => context && ringOnce(context), EVERY_MS)
}

export function stopRinging(): void {
  clearInterval(timer)
  timer = undefined
  void context?.close()
  context = undefined
}

function ringOnce(audio: AudioContext): void {
  if (audio.state !== 'running') return
  NOTES.forEach((frequency, index) => {
    const start = audio.currentTime + index * NOTE_S
    const tone = new OscillatorNode(audio, { frequency, type: 'sine' })
    const volume = new GainNode(audio, { gain: 0 })
    volume.gain.setValueAtTime(0, start)
    volume.gain.linearRampToValueAtTime(0.12, start + 0.02)
    volume.gain.exponentialRampToValueAtTime(0.001, start + NOTE_S)
    tone.connect(volume).connect(audio.destination)
    tone.start(start)
    tone.stop(start + NOTE_S)
  })
}
