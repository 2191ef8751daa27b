import type { MediaEvent } from '../generated/machine.js'

/** Whether what has come, in times of its own, still comes. */
export class Flow {
  #last = 0
  #at = 0
  #stalled = false

  /** `patience`: milliseconds without anything; `stalled`: what is told then. */
  constructor(private readonly patience: number, private readonly stalled: MediaEvent) {}

  /** What is to be told when at `now`, in milliseconds, the `last` to come was that of this time on any clock; 0 where nothing came. */
  look(now: number, last: number): MediaEvent | undefined {
    if (last > this.#last) {
      const event: MediaEvent | undefined = this.#stalled ? { event: 'flowing' } : undefined
      this.#last = last
      this.#at = now
      this.#stalled = false
      return event
    }
    if (this.#stalled || this.#last === 0 || now - this.#at < this.patience) return undefined
    this.#stalled = true
    return this.stalled
  }

  /** For how many milliseconds nothing has come. */
  silence(now: number): number {
    return now - this.#at
  }
}
