// WAV files and tones as 16-bit samples.
import { readFileSync, writeFileSync } from 'node:fs'

/** Samples (first channel, -1..1) and rate. Reads a file whose writer was killed, too. */
export function readWav(path) {
  const file = readFileSync(path)
  let at = 12
  let rate = 48_000
  let channels = 1
  while (at + 8 <= file.length) {
    const id = file.toString('latin1', at, at + 4)
    const size = file.readUInt32LE(at + 4)
    const body = at + 8
    if (id === 'fmt ') {
      channels = file.readUInt16LE(body + 2)
      rate = file.readUInt32LE(body + 4)
      if (file.readUInt16LE(body + 14) !== 16) throw new Error(`${path} has not 16 bits a sample`)
    }
    if (id === 'data') {
      // A size of 0 in the header of a file that goes on: its writer never came to write the size.
      const end = size === 0 ? file.length : Math.min(file.length, body + size)
      const samples = new Float32Array(Math.floor((end - body) / 2 / channels))
      for (let i = 0; i < samples.length; i++) samples[i] = file.readInt16LE(body + 2 * channels * i) / 32768
      return { samples, rate, seconds: samples.length / rate }
    }
    at = body + size + (size & 1)
  }
  return { samples: new Float32Array(0), rate, seconds: 0 }
}

/** Writes samples (-1..1) as 16-bit mono. */
export function writeWav(path, samples, rate = 48_000) {
  const file = Buffer.alloc(44 + 2 * samples.length)
  file.write('RIFF', 0)
  file.writeUInt32LE(file.length - 8, 4)
  file.write('WAVEfmt ', 8)
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(1, 20)
  file.writeUInt16LE(1, 22)
  file.writeUInt32LE(rate, 24)
  file.writeUInt32LE(2 * rate, 28)
  file.writeUInt16LE(2, 32)
  file.writeUInt16LE(16, 34)
  file.write('data', 36)
  file.writeUInt32LE(2 * samples.length, 40)
  samples.forEach((s, i) => file.writeInt16LE(Math.round(Math.max(-1, Math.min(1, s)) * 32767), 44 + 2 * i))
  writeFileSync(path, file)
  return path
}

/** A sine of `hz`. */
export function sine(hz, seconds, amplitude = 0.5, rate = 48_000) {
  return Float32Array.from({ length: Math.round(seconds * rate) }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate))
}

/** RMS in dB of full scale; -120 for silence. */
export function level(samples) {
  let sum = 0
  for (const s of samples) sum += s * s
  return 10 * Math.log10(Math.max(sum / Math.max(samples.length, 1), 1e-12))
}

/** The share of the power that is at `hz`, 0..1 (Goertzel over the whole). */
function share(samples, rate, hz) {
  const w = (2 * Math.PI * hz) / rate
  const c = 2 * Math.cos(w)
  let s1 = 0
  let s2 = 0
  let power = 0
  for (const x of samples) {
    const s0 = x + c * s1 - s2
    s2 = s1
    s1 = s0
    power += x * x
  }
  if (power < 1e-9 * samples.length) return 0
  return (s1 * s1 + s2 * s2 - c * s1 * s2) / ((samples.length / 2) * power)
}

/** The last second of a recording. */
export const lastSecond = (wav) => ({ ...wav, samples: wav.samples.subarray(-wav.rate) })

/** Seconds, in windows of 0.1 s, in which `hz` has more than this `part` of the power, and that is above -50 dB. */
export function toneSeconds({ samples, rate }, hz, part = 0.7) {
  const n = rate / 10
  let windows = 0
  for (let at = 0; at + n <= samples.length; at += n) {
    const window = samples.subarray(at, at + n)
    if (level(window) > -50 && share(window, rate, hz) > part) windows++
  }
  return windows / 10
}

/**
 * Where a tone that should go on does not: `[from, to]` in seconds of each stretch of 60 ms or more, from where it is first there
 * until where it is last, in which it has less than half of its usual amplitude. One frame that comes late and is bridged, as on any
 * network, is shorter.
 */
export function toneGaps({ samples, rate }, hz) {
  const n = rate / 50
  const amplitudes = []
  for (let at = 0; at + n <= samples.length; at += n) {
    const window = samples.subarray(at, at + n)
    amplitudes.push(Math.sqrt(share(window, rate, hz)) * 10 ** (level(window) / 20))
  }
  const usual = amplitudes.filter((a) => a > 0.005).toSorted((a, b) => a - b)
  const there = amplitudes.map((a) => a > usual[Math.floor(usual.length / 2)] / 2)
  const gaps = []
  let last = there.indexOf(true)
  if (last < 0) return [[0, samples.length / rate]]
  for (let i = last; i <= there.lastIndexOf(true); i++) {
    if (!there[i]) continue
    if (i - last > 3) gaps.push([(last + 1) / 50, i / 50])
    last = i
  }
  return gaps
}
