/** Runs `job` in a task of its own, soon, also in a page in the background, where timers wait up to a second. */
const later: (job: () => void) => void = (() => {
  let channel: MessageChannel | undefined
  const jobs: (() => void)[] = []
  return (job) => {
    if (typeof MessageChannel === 'undefined') {
      setTimeout(job, 0)
      return
    }
    if (channel === undefined) {
      channel = new MessageChannel()
      channel.port1.onmessage = () => {
        const next = jobs.shift()
        // Node keeps a process alive for a port that listens; a page has no such method.
        if (jobs.length === 0) (channel?.port1 as { unref?: () => void } | undefined)?.unref?.()
        next?.()
      }
    }
    (channel.port1 as { ref?: () => void }).ref?.()
    jobs.push(job)
    channel.port2.postMessage(null)
  }
})()

/**
 * Hands answers and events to the app one after the other. What follows an answer waits for the next task, so that
 * code after `await JMRTC.startCallUsers(…)` runs before the listeners of the events that the call causes.
 */
export class Delivery {
  readonly #jobs: { run: () => void; answer: boolean }[] = []
  #waiting = false

  /** Runs now, unless something before it is still to be done. */
  event(run: () => void): void {
    this.#push({ run, answer: false })
  }

  /** As `event`, and lets promise reactions run before anything else is delivered. */
  answer(run: () => void): void {
    this.#push({ run, answer: true })
  }

  #push(job: { run: () => void; answer: boolean }): void {
    this.#jobs.push(job)
    if (!this.#waiting) this.#drain()
  }

  #drain(): void {
    this.#waiting = true
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      job.run()
      if (job.answer) {
        later(() => this.#drain())
        return
      }
    }
    this.#waiting = false
  }
}
