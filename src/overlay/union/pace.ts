/**
 * Keeps the event loop turning under long runs of calls that are quick one by one: after a few milliseconds without a turn, the
 * next asynchronous call waits for one.
 */

/** Milliseconds after which the loop gets its turn: half of the 10 that an asynchronous call may hold it. */
const turnAfterMs = 5

/** Items of a loop between two looks at the clock. */
export const itemsPerLook = 64

export class Pace {
  #since: number | undefined

  /** Whether this turn of the event loop has lasted long enough. */
  due(afterMs: number = turnAfterMs): boolean {
    if (this.#since !== undefined) return performance.now() - this.#since > afterMs
    this.#since = performance.now()
    setImmediate(() => {
      this.#since = undefined
    })
    return false
  }

  turn(): Promise<void> {
    return new Promise(setImmediate)
  }
}
