// Waiting for what happens, never for time to pass.

/** How long anything may take before a test gives up on it. Generous: two busy cores, debug builds. */
export const PATIENCE = 15_000

/** `promise`, or an error that says what was waited for. `what` may be a function, for what is known only then. */
export async function within(promise, what, ms = PATIENCE) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A growing list that can be waited on. */
export class Log {
  items = []
  #waiting = new Set()

  push(item) {
    this.items.push(item)
    for (const check of this.#waiting) check()
  }

  /** The first item from index `from` on that `matches`; waits for it. */
  async find(matches, what, { from = 0, ms = PATIENCE } = {}) {
    let at = from
    let check
    const found = new Promise((resolve) => {
      check = () => {
        for (; at < this.items.length; at++) if (matches(this.items[at])) return resolve(this.items[at])
      }
      this.#waiting.add(check)
      check()
    })
    try {
      return await within(found, () => `${what}; there were: ${JSON.stringify(this.items.slice(from)).slice(0, 2000)}`, ms)
    } finally {
      this.#waiting.delete(check)
    }
  }
}

/** Lets time pass where the passing itself is measured, as when silence is checked. */
export const pass = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks `probe` again and again until it is true; only for what tells nothing by itself, such as a port or a counter. */
export async function until(probe, what, ms = PATIENCE) {
  const end = Date.now() + ms
  for (;;) {
    const value = await probe()
    if (value) return value
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`)
    await pass(20)
  }
}
