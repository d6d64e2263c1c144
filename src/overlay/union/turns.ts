/**
 * Work that takes several turns of the event loop, one after the other for each thing it is done to: two large writes to one file
 * never mix, as the kernel's lock of an inode has it.
 */
export class Turns {
  readonly #last = new Map<object, Promise<unknown>>()

  /** Whether work on it is under way or waits. */
  busy(thing: object): boolean {
    return this.#last.has(thing)
  }

  async take<T>(thing: object, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(thing)
    const mine = before === undefined ? work() : before.then(work, work)
    this.#last.set(thing, mine)
    try {
      return await mine
    } finally {
      if (this.#last.get(thing) === mine) this.#last.delete(thing)
    }
  }
}
