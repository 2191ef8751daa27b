// Child processes that never outlive the test.
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { Log, within } from './wait.mjs'

// The sound of a real phone runs before all else. So does ours where we may say so, or a compiler on the same two cores would be
// heard in every measurement. What is started from here inherits it.
try {
  setPriority(-10)
} catch {
  // Not root: the measurements are as good as the machine is idle.
}

const running = new Set()

/** Kills what is left; for a test's last hook, and at exit in any case. Returns what had to be killed. */
export function killAll() {
  const left = [...running]
  for (const child of left) child.kill('SIGKILL')
  return left.map((child) => child.name)
}
process.on('exit', killAll)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** A started program: its output by lines, its end as a promise. */
export class Child {
  /** Lines of stdout. */
  out = new Log()
  /** Lines of stderr, the last 2,000. */
  err = []

  constructor(name, file, args, { env = {}, cwd } = {}) {
    this.name = name
    this.startedAt = Date.now()
    this.process = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    this.process.name = name
    running.add(this.process)
    this.process.stdin.on('error', () => {})
    createInterface({ input: this.process.stdout }).on('line', (line) => this.out.push(line))
    createInterface({ input: this.process.stderr }).on('line', (line) => {
      if (process.env.JMRTC_E2E_VERBOSE) console.error(`[${name}] ${line}`)
      this.err.push(line)
      if (this.err.length > 2_000) this.err.shift()
    })
    /** `{code, signal}` when all output has arrived. */
    this.ended = new Promise((resolve) => {
      this.process.on('error', (error) => resolve({ code: 127, signal: null, error }))
      this.process.on('close', (code, signal) => resolve({ code, signal }))
    }).finally(() => running.delete(this.process))
  }

  get pid() {
    return this.process.pid
  }

  kill(signal = 'SIGTERM') {
    this.process.kill(signal)
  }

  /** Ends it politely; returns `{code, signal}`. */
  async stop(signal = 'SIGTERM', ms = 10_000) {
    this.kill(signal)
    try {
      return await within(this.ended, `${this.name} to end after ${signal}`, ms)
    } catch (error) {
      this.kill('SIGKILL')
      throw error
    }
  }

  /** CPU time of all its threads so far, seconds. */
  cpuSeconds() {
    return cpuSeconds(this.pid)
  }
}

/** CPU time of a process, all its threads so far, in seconds; exact to the nanosecond, without its children. */
export function cpuSeconds(pid) {
  let nanoseconds = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
    } catch {
      // The thread ended meanwhile.
    }
  }
  return nanoseconds / 1e9
}

/** A process and all that descend from it. */
export function family(pid) {
  const children = new Map()
  for (const entry of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue
    try {
      const parent = Number(readFileSync(`/proc/${entry}/stat`, 'utf8').split(') ')[1].split(' ')[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
    } catch {
      // It ended meanwhile.
    }
  }
  const all = [pid]
  for (const one of all) all.push(...(children.get(one) ?? []))
  return all
}
