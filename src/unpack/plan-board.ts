/**
 * Where main tells jobs which parts of a plan are written, and they tell each other which are taken; in shared memory, so that
 * nobody waits for an event loop.
 *
 * Invariants: a part is told of when its lines are in the file; each is taken once, in the order in which they were told.
 */

/** Lines of the plan's file that belong together: bytes from and up to. */
export interface PlanPart {
  readonly from: number
  readonly to: number
}

/** As many as a board has room for. */
export const mostParts = 8192

/** Int32: parts that are taken, parts that there are, 1 when there will be no more. Then two Float64 for each part. */
const headerBytes = 16
/** How long a job sleeps at most before it looks whether it is to stop, milliseconds. */
const lookMs = 50

export class PlanBoard {
  readonly shared: SharedArrayBuffer
  readonly #counts: Int32Array
  readonly #bounds: Float64Array

  constructor(shared = new SharedArrayBuffer(headerBytes + 16 * mostParts)) {
    this.shared = shared
    this.#counts = new Int32Array(shared, 0, 3)
    this.#bounds = new Float64Array(shared, headerBytes)
  }

  /** One with all of these. */
  static of(parts: readonly PlanPart[]): PlanBoard {
    const board = new PlanBoard()
    for (const part of parts) board.add(part)
    board.end()
    return board
  }

  add({ from, to }: PlanPart): void {
    const at = Atomics.load(this.#counts, 1)
    if (at === mostParts) throw new RangeError(`a plan of more than ${mostParts} parts`)
    this.#bounds[2 * at] = from
    this.#bounds[2 * at + 1] = to
    Atomics.store(this.#counts, 1, at + 1)
    Atomics.notify(this.#counts, 1)
  }

  /** There will be no more. */
  end(): void {
    Atomics.store(this.#counts, 2, 1)
    Atomics.notify(this.#counts, 1)
  }

  /** The next part, waited for; undefined when all are taken. `look` is called while there is none, and may throw. */
  take(look: () => void): PlanPart | undefined {
    for (;;) {
      // Asked first: a part that is told of after this has been seen is none
      const ended = Atomics.load(this.#counts, 2) === 1
      const there = Atomics.load(this.#counts, 1)
      const taken = Atomics.load(this.#counts, 0)
      if (taken < there) {
        if (Atomics.compareExchange(this.#counts, 0, taken, taken + 1) === taken)
          return { from: this.#bounds[2 * taken]!, to: this.#bounds[2 * taken + 1]! }
      } else if (ended) return undefined
      else {
        look()
        Atomics.wait(this.#counts, 1, there, lookMs)
      }
    }
  }
}
