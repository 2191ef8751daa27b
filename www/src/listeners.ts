import { report } from './report.js'
import type { Event } from './generated/model.js'
import type { EventName, Listener, RemoveListener } from './types.js'

/** Who wants to hear of which event. */
export class Listeners {
  readonly #byName = new Map<EventName, Set<(payload: unknown) => void>>()

  /** Adds a listener, once however often it is added. Throws a `TypeError` when it is no function. */
  add<N extends EventName>(name: N, listener: Listener<N>): RemoveListener {
    if (typeof listener !== 'function') throw new TypeError(`a listener of ${name} must be a function`)
    const set = this.#byName.get(name) ?? new Set()
    this.#byName.set(name, set)
    set.add(listener as (payload: unknown) => void)
    return () => this.remove(name, listener)
  }

  /** Removes a listener; nothing happens when it is not there. */
  remove<N extends EventName>(name: N, listener: Listener<N>): void {
    this.#byName.get(name)?.delete(listener as (payload: unknown) => void)
  }

  /** Calls each listener that was there when the event came and is still there. One that throws stops no other. */
  emit(event: Event): void {
    const set = this.#byName.get(event.name)
    for (const listener of [...(set ?? [])]) {
      if (!set?.has(listener)) continue
      try {
        listener(event.payload)
      } catch (thrown) {
        report(thrown)
      }
    }
  }
}
