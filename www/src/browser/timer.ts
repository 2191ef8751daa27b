/** `setTimeout` takes no more. */
const LONGEST_MS = 0x7fff_ffff

const WORKER = 'let t;onmessage=e=>{clearTimeout(t);if(e.data!==null)t=setTimeout(()=>postMessage(0),e.data)}'

/**
 * One alarm. Its timer runs in a worker: browsers slow the timers of a page in the background down to one a minute,
 * and a signed-in device that pings so rarely counts as gone. Where no worker may be made, the page's own timer must do.
 */
export class Timer {
  #worker: Worker | undefined
  #timeout: ReturnType<typeof setTimeout> | undefined
  #due: number | undefined

  constructor(private readonly now: () => number, private readonly ring: () => void) {
    this.#worker = this.#makeWorker()
    // After sleep or a freeze the timer may be late: look again as soon as the page is back.
    globalThis.addEventListener?.('pageshow', () => this.check())
    globalThis.document?.addEventListener('visibilitychange', () => this.check())
    globalThis.document?.addEventListener('resume', () => this.check())
  }

  /** Rings at `due` on the clock; undefined for never. Replaces what was set before. */
  set(due: number | undefined): void {
    if (due === this.#due) return
    this.#due = due
    this.#start()
  }

  /** Rings if it is time. */
  check(): void {
    if (this.#due === undefined) return
    if (this.now() < this.#due) {
      this.#start()
      return
    }
    this.#due = undefined
    this.ring()
  }

  #start(): void {
    const wait = this.#due === undefined ? null : Math.min(Math.max(0, this.#due - this.now()), LONGEST_MS)
    if (this.#worker !== undefined) {
      this.#worker.postMessage(wait)
      return
    }
    clearTimeout(this.#timeout)
    if (wait !== null) this.#timeout = setTimeout(() => this.check(), wait)
  }

  #makeWorker(): Worker | undefined {
    if (typeof Worker === 'undefined') return undefined
    try {
      // Cordova's template allows `data:` in its content security policy, but not `blob:`.
      const worker = new Worker(`data:text/javascript,${encodeURIComponent(WORKER)}`)
      worker.onmessage = () => this.check()
      // Forbidden by the page's content security policy.
      worker.onerror = () => {
        this.#worker = undefined
        this.#start()
      }
      return worker
    } catch {
      return undefined
    }
  }
}
