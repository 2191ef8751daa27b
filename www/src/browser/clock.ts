/** More than any clock adjustment that is not sleep or a person's. */
const JUMP_MS = 1000

/** Milliseconds that never go back and count the time that the computer sleeps, which `performance.now()` may not. */
export class Clock {
  #slept = 0
  #skew = Date.now() - performance.now()

  now(): number {
    const steady = performance.now()
    const skew = Date.now() - steady
    if (Math.abs(skew - this.#skew) > JUMP_MS) {
      this.#slept += Math.max(0, skew - this.#skew)
      this.#skew = skew
    }
    return Math.floor(steady + this.#slept)
  }
}
