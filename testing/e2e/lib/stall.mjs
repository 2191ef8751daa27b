// Tells whether the machine itself stood still while something was measured in real time. A thread that asks to be woken
// every 5 ms notes how late it was: sound made and judged meanwhile on the same cores was as late.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'

const STEP_MS = 5
/** One frame of sound: who is woken so late has nothing to play, or stretches what there is, whatever the software. */
export const STALL_MS = 20

if (!isMainThread) {
  const stop = new Int32Array(workerData)
  const stalls = []
  for (let last = performance.now(); Atomics.wait(stop, 0, 0, STEP_MS) === 'timed-out';) {
    const now = performance.now()
    if (now - last - STEP_MS >= STALL_MS) stalls.push(Math.round(now - last - STEP_MS))
    last = now
  }
  parentPort.postMessage(stalls)
}

/** Watches from now on; the function returned ends it and gives the stalls, in milliseconds. */
export function watchStalls() {
  const shared = new SharedArrayBuffer(4)
  const worker = new Worker(new URL(import.meta.url), { workerData: shared })
  const stalls = new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))
  return () => {
    const stop = new Int32Array(shared)
    Atomics.store(stop, 0, 1)
    Atomics.notify(stop, 0)
    return stalls
  }
}
