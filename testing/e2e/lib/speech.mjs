// Spoken sentences, and the judge of what was heard.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { cpus } from 'node:os'
import { basename, join } from 'node:path'
import { cache, python, root } from './paths.mjs'
import { watchStalls } from './stall.mjs'
import { pass } from './wait.mjs'
import { readWav, sine, writeWav } from './wav.mjs'

const sentences = {
  alice: ['en-gb', '40', 'The quiet harbour was full of fishing boats this morning.'],
  bob: ['en-us+f3', '60', 'Please bring seven yellow umbrellas to the old station.'],
  carol: ['en-gb-scotland+f2', '45', 'Under the stone bridge a narrow river carries green leaves.'],
}

function runPython(script, args, input) {
  // What it computes is not in a hurry, and others are listened to meanwhile.
  const done = spawnSync('nice', ['-n', '19', python(), join(root, 'testing/e2e/audio', script), ...args], { input, encoding: 'utf8', maxBuffer: 1 << 24 })
  if (done.status !== 0) throw new Error(`${script} failed: ${done.error?.message ?? done.stderr}`)
  return done.stdout
}

/** Path of a WAV (48 kHz mono) in which `who` says their sentence, less than 4 s. */
export function sentence(who) {
  const words = sentences[who]
  const path = join(cache, `${who}-${createHash('sha256').update(words.join('|')).digest('hex').slice(0, 8)}.wav`)
  if (!existsSync(path)) {
    const unfinished = `${path}.${process.pid}`
    runPython('speech.py', [...words, unfinished])
    renameSync(unfinished, path)
  }
  return path
}

/** Path of a WAV in the cache, made by `samples` where it is not there. */
function cached(name, samples) {
  const path = join(cache, name)
  if (existsSync(path)) return path
  const unfinished = `${path}.${process.pid}`
  writeWav(unfinished, samples())
  renameSync(unfinished, path)
  return path
}

/** Path of a WAV with a tone. */
export const tone = (hz, seconds = 10, amplitude = 0.5) => cached(`tone-${hz}-${seconds}-${amplitude}.wav`, () => sine(hz, seconds, amplitude))

/** Path of a WAV with nothing in it. */
export const silence = (seconds = 10) => cached(`silence-${seconds}.wav`, () => new Float32Array(48_000 * seconds))

/** Path of a WAV that is silent for `lead` seconds, says the sentence and goes on silent until `total`. */
export function sentenceLater(who, lead, total) {
  const said = sentence(who)
  return cached(`${basename(said, '.wav')}-after-${lead}-${total}.wav`, () => {
    const samples = new Float32Array(48_000 * total)
    samples.set(readWav(said).samples, lead * 48_000)
    return samples
  })
}

/** What compare.py says of `[{said, heard}]`, paths of WAVs. */
export function compare(pairs) {
  return JSON.parse(runPython('compare.py', [], JSON.stringify(pairs)))
}

export function judgeTheJudge(said, other) {
  return JSON.parse(runPython('test_compare.py', [said, other]))
}

/**
 * What a good path reaches with room to spare and a broken one does not. libwebrtc to libwebrtc with nothing of ours
 * between has waveform 0.93, envelope 0.94, PESQ 3.4, on a busy machine 2.4 (instruments.test.mjs); every fifth frame lost PESQ 1.3, other
 * speech waveform 0.1 (audio.test.mjs).
 */
export const GOOD = { waveform: 0.8, envelope: 0.8, pesq: 2.2, missing: 0.1, gain: 3 }
/** Coded and decoded twice on the way. */
export const TWICE = { waveform: 0.75, envelope: 0.75, pesq: 1.9, missing: 0.15, gain: 4 }
/** Recorded by Chromium, whose noise suppression, filters and gain control turn the phase and are not ours to judge. */
export const RECOGNISED = { waveform: 0.5, envelope: 0.7, pesq: 1.5, missing: 0.35, gain: 12 }

/** Whether a result of `compare` is at least as good as `bar`; else, why not. */
export function shortcoming(result, bar = GOOD) {
  if (result.waveform < bar.waveform) return `waveform ${result.waveform} < ${bar.waveform}`
  if (result.envelope < bar.envelope) return `envelope ${result.envelope} < ${bar.envelope}`
  if (result.pesq < bar.pesq) return `pesq ${result.pesq} < ${bar.pesq}`
  if (result.missing > bar.missing) return `missing ${result.missing} > ${bar.missing}`
  if (Math.abs(result.gainDb) > bar.gain) return `gain ${result.gainDb} dB is beyond ${bar.gain}`
  return null
}

/** A loss of this many milliseconds is heard; who stood still for less has no excuse. */
const HEARD_MS = 60

/** Makes a call and fails unless what was heard is good; returns the pairs for `assertHeard`. */
export function assertCallHeard(call, t) {
  return inRealTime(call, t, (pairs) => {
    const results = assertHeard(pairs)
    t.diagnostic(JSON.stringify(results.map(({ delays, ...rest }) => rest)))
  })
}

/**
 * What `measure` gives, which `judge` throws at where it is not good. A measurement in real time is void where the machine
 * itself stood still meanwhile for long enough to be heard (`stall.mjs`): then, and only then, it is made once more, and says so.
 */
export async function inRealTime(measure, t, judge) {
  for (let again = false; ; again = true) {
    const ended = watchStalls()
    let measured
    let stalls
    try {
      measured = await measure()
    } finally {
      stalls = await ended()
    }
    try {
      judge(measured)
      return measured
    } catch (error) {
      const stood = stalls.reduce((sum, ms) => sum + ms, 0)
      if (again || stood < HEARD_MS) throw error
      t.diagnostic(`void, the machine stood still ${stalls.length} times, ${stood} ms in all: ${error.message.split('\n')[0]}`)
      await breather()
    }
  }
}

/** Waits until a third of the machine is free, ten seconds at most. */
async function breather() {
  const times = () => cpus().map(({ times }) => times).reduce((sum, { user, nice, sys, idle, irq }) => ({ idle: sum.idle + idle, all: sum.all + user + nice + sys + idle + irq }), { idle: 0, all: 0 })
  for (let i = 0; i < 10; i++) {
    const before = times()
    await pass(1_000)
    const after = times()
    if (after.idle - before.idle > (after.all - before.all) / 3) return
  }
}

/** Fails unless each sentence was heard. `pairs`: `[{said, heard, what?, bar?}]`. Returns the results. */
export function assertHeard(pairs) {
  const results = compare(pairs.map(({ said, heard }) => ({ said, heard })))
  results.forEach((result, i) => {
    const { what = pairs[i].heard, bar } = pairs[i]
    assert.equal(shortcoming(result, bar), null, `${what}: ${JSON.stringify({ ...result, delays: undefined })}`)
  })
  return results
}
