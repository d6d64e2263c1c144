/**
 * What an owner is through with and could not take away or put back, because the call failed: a lease that is not needed any more, a
 * stage, a thing in limbo. It is tried again before the next of its kind is made or asked for, and when the store is closed.
 *
 * Invariant: what was reported done does not fail for what was left behind by it.
 */
import { PhylloError } from '../errors.js'

type Step = () => Promise<unknown>

export class Remains {
  readonly #steps = new Set<Step>()

  /** Takes the step, now or else later. */
  async settle(step: Step): Promise<void> {
    try {
      await step()
    } catch (error) {
      if (!(error instanceof PhylloError && error.code === 'STORE_IO')) throw error
      this.#steps.add(step)
    }
  }

  /** Tries again what has failed. */
  async again(): Promise<void> {
    for (const step of [...this.#steps]) {
      this.#steps.delete(step)
      await this.settle(step)
    }
  }
}
