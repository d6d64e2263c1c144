/**
 * The event loop shared with whoever else is in the process. Bytes that are there already, in a socket on this machine or in a file, are
 * read one after the other without an end to the turn: a fast server would keep everybody else waiting.
 */
import { setImmediate as others } from 'node:timers/promises'

export class SharedLoop {
  readonly #turnBytes: number
  /** Moved since others had a turn, by all who move bytes here. */
  #sinceTurn = 0
  #turn: Promise<void> | undefined

  /** Bytes that are moved before others have a turn. */
  constructor(turnBytes: number) {
    this.#turnBytes = turnBytes
  }

  /** So many bytes were moved. Waits, once they are enough, until others have had a turn. */
  async after(bytes: number): Promise<void> {
    this.#sinceTurn += bytes
    if (this.#sinceTurn >= this.#turnBytes)
      this.#turn ??= others().then(() => {
        this.#sinceTurn = 0
        this.#turn = undefined
      })
    await this.#turn
  }
}
