import type { MediaEvent } from '../generated/machine.js'

/** Milliseconds without a packet; whoever is not muted sends ten in that time, silent or not. */
const STALLED_MS = 200

/** Whether sound that has come still comes. It is looked at often: see {@link Flow.look}. */
export class Flow {
  #last = 0
  #at = 0
  #stalled = false

  /** What is to be told, when at `now`, in milliseconds, the `last` packet that was played is that of this time on any clock; 0 where none was. */
  look(now: number, last: number): MediaEvent | undefined {
    if (last > this.#last) {
      const event: MediaEvent | undefined = this.#stalled ? { event: 'flowing' } : undefined
      this.#last = last
      this.#at = now
      this.#stalled = false
      return event
    }
    if (this.#stalled || this.#last === 0 || now - this.#at < STALLED_MS) return undefined
    this.#stalled = true
    return { event: 'stalled' }
  }
}
