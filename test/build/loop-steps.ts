/** What is done between two turns of the event loop, in units of work: no clock has a say in it. */

export class LoopSteps {
  /** The most that was done in one step, and all of it. */
  longest = 0
  total = 0
  #now = 0

  /** Say so in the very moment of the work. */
  done(units: number): void {
    if (this.#now === 0) setImmediate(() => (this.#now = 0))
    this.#now += units
    this.total += units
    this.longest = Math.max(this.longest, this.#now)
  }
}
