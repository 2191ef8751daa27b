import type { Bridge } from '../bridge.js'
import { failure, why } from '../failure.js'
import type { AudioEvent, Input, MediaEvent, Output, PlatformAction, PlatformEvent, SocketEvent } from '../generated/machine.js'
import type { Event, Failure } from '../generated/model.js'
import type { CallStats } from '../types.js'
import { report } from '../report.js'
import { Audio } from './audio.js'
import { Clock } from './clock.js'
import { deviceId } from './device.js'
import { createMachine, type Machine } from './machine.js'
import { keepMemory, memoryBefore } from './memory.js'
import { Peer } from './peer.js'
import { requestMicrophone } from './permission.js'
import { defaultServerUrl } from './server-url.js'
import { Sockets } from './sockets.js'
import { Timer } from './timer.js'

/** The bridge of a page that does the calls itself. */
export function browserBridge(onEvent: (event: Event) => void): Bridge {
  const driver = createDriver(onEvent)
  return {
    exec(method, args, ok, fail) {
      driver.then(
        (d) => d.exec(method, args, ok, fail),
        (thrown: unknown) => fail(failure('ENGINE_FAILED', `the call machine did not start: ${why(thrown)}`)),
      )
    },
  }
}

async function createDriver(onEvent: (event: Event) => void): Promise<Driver> {
  const [id, serverUrl] = await Promise.all([deviceId(), defaultServerUrl()])
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number]
  // JavaScript's integers end at 2^53.
  const seed = (high % 2 ** 21) * 2 ** 32 + low
  return new Driver(await createMachine({ seed, device: { id, platform: 'browser' }, serverUrl, memory: memoryBefore() }), onEvent)
}

interface Command {
  ok(result: unknown): void
  fail(failure: Failure): void
}

/** Hands the machine what happens in this page and does what it says, in order. */
export class Driver {
  readonly #clock = new Clock()
  readonly #timer = new Timer(() => this.#clock.now(), () => this.#input({ input: 'deadline' }))
  readonly #commands = new Map<number, Command>()
  readonly #steps: { step: () => string, command: number | undefined }[] = []
  #lastCommand = 0
  #stepping = false
  #dead: Failure | undefined
  #memory: string | undefined

  readonly #sockets = new Sockets({
    event: (generation: number, event: SocketEvent) => this.#input({ input: 'socket', generation, event }),
    text: (generation: number, text: string) =>
      this.#step(() => this.machine.received(this.#clock.now(), generation, text)),
  })
  readonly #audio = new Audio((event: AudioEvent) => this.#input({ input: 'audio', ...event }))
  readonly #peer = new Peer({
    event: (generation: number, event: MediaEvent) => this.#input({ input: 'media', generation, event }),
    line: (line) => this.#audio.use(line),
  })

  constructor(private readonly machine: Machine, private readonly onEvent: (event: Event) => void) {
    const networkChanged = (): void => this.#platform({ event: 'networkChanged' })
    globalThis.addEventListener?.('online', networkChanged)
    // Wi-Fi to cellular without being offline in between, where the browser tells it. The event also comes when only the
    // browser's guess of the network's speed changes, and the `online` event tells the way back from `none`.
    const { connection } = navigator as { connection?: EventTarget & { type?: string } }
    let type = connection?.type
    connection?.addEventListener?.('change', () => {
      const before = type
      type = connection.type
      if (type !== before && type !== 'none' && before !== 'none') networkChanged()
    })
  }

  exec(method: string, args: unknown, ok: (result: unknown) => void, fail: (failure: Failure) => void): void {
    if (method === 'getStats') {
      // Of the peer connection; nothing that the machine would know.
      this.#stats().then(ok, (thrown: unknown) => fail(failure('ENGINE_FAILED', why(thrown))))
      return
    }
    if (this.#dead !== undefined) {
      fail(this.#dead)
      return
    }
    const id = ++this.#lastCommand
    this.#commands.set(id, { ok, fail })
    const input = { input: 'command', id, method, args: args as never } as const
    this.#step(() => this.machine.handle(this.#clock.now(), JSON.stringify(input)), id)
  }

  async #stats(): Promise<CallStats> {
    const stats = await this.#peer.stats()
    const { sample } = this.#peer
    if (sample === undefined || stats.transport === null) return stats
    return { ...stats, mos: Math.round(100 * this.machine.mos(JSON.stringify(sample))) / 100 }
  }

  /** What a reload must not undo. */
  #remember(): void {
    const memory = this.machine.memory()
    if (memory !== this.#memory) keepMemory(memory)
    this.#memory = memory
  }

  #platform(event: PlatformEvent): void {
    this.#input({ input: 'platform', ...event })
  }

  #input(input: Input): void {
    this.#step(() => this.machine.handle(this.#clock.now(), JSON.stringify(input)))
  }

  /** Runs a step of the machine and its outputs; `command` names the method call that it is. What happens meanwhile waits its turn. */
  #step(step: () => string, command?: number): void {
    this.#steps.push({ step, command })
    if (this.#stepping) return
    this.#stepping = true
    for (let next = this.#steps.shift(); next !== undefined; next = this.#steps.shift()) this.#run(next)
    this.#stepping = false
    this.#timer.set(this.#dead === undefined ? this.machine.nextDeadline() : undefined)
  }

  #run({ step, command }: { step: () => string, command: number | undefined }): void {
    if (this.#dead !== undefined) return
    let outputs: Output[]
    try {
      outputs = JSON.parse(step()) as Output[]
    } catch (thrown) {
      if (thrown instanceof WebAssembly.RuntimeError) this.#crashed(thrown)
      // Half a surrogate pair, say, or a hundred levels: JavaScript can write what no JSON reader takes.
      else if (command !== undefined) this.#refuse(command, failure('INVALID_PARAMETER', why(thrown)))
      else console.warn('JMRTC: dropped a message that this release does not know:', why(thrown))
      return
    }
    this.#remember()
    for (const output of outputs) {
      try {
        this.#do(output)
      } catch (thrown) {
        report(thrown)
      }
    }
  }

  #do(output: Output): void {
    switch (output.output) {
      case 'reply': {
        const command = this.#commands.get(output.id)
        this.#commands.delete(output.id)
        if ('Ok' in output.result) command?.ok(output.result.Ok)
        else command?.fail(output.result.Err)
        break
      }
      case 'event':
        this.onEvent({ name: output.name, payload: output.payload } as Event)
        break
      case 'socket':
        this.#sockets.do(output)
        break
      case 'media':
        this.#peer.do(output)
        break
      case 'audio':
        this.#audio.do(output)
        break
      case 'platform':
        this.#doPlatform(output)
        break
    }
  }

  #refuse(id: number, failure: Failure): void {
    const command = this.#commands.get(id)
    this.#commands.delete(id)
    command?.fail(failure)
  }

  #doPlatform(action: PlatformAction): void {
    switch (action.action) {
      case 'requestMicrophone':
        void requestMicrophone().then((granted) => this.#platform({ event: 'microphone', granted }))
        break
      case 'showIncoming':
      case 'dismissIncoming':
      case 'callStarted':
      case 'callEnded':
      case 'setSpeakerphone':
        // The page draws its own screens, and the browser chooses the output.
        break
    }
  }

  /** The machine is lost until the page is loaded again. No method may be left without an answer. */
  #crashed(error: WebAssembly.RuntimeError): void {
    report(error)
    this.#dead = failure('ENGINE_FAILED', `the call machine crashed: ${why(error)}`)
    for (const { fail } of this.#commands.values()) fail(this.#dead)
    this.#commands.clear()
    this.#audio.do({ action: 'release' })
  }
}
