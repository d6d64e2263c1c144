/**
 * A limit on waiting for another machine. Only time in which we wait counts: a reader may take as long as it likes. A
 * server that drips single bytes is as good as one that is silent, so that time begins anew only after some of them.
 */

/** Bytes that count as progress. */
const progressBytes = 1024

export class IdleClock {
  readonly #timer: NodeJS.Timeout
  #waiting = false
  #lapsed = false
  #bytes = 0

  constructor(ms: number, expired: () => void) {
    this.#timer = setTimeout(() => {
      if (this.#waiting) expired()
      else this.#lapsed = true
    }, ms)
    this.#timer.unref()
  }

  wait(): void {
    this.#waiting = true
    if (!this.#lapsed && this.#bytes < progressBytes) return
    this.#timer.refresh()
    this.#lapsed = false
    this.#bytes = 0
  }

  got(bytes: number): void {
    this.#waiting = false
    this.#bytes += bytes
  }

  /** After a pause that was ours: all of the time is there again. */
  restart(): void {
    this.#bytes = progressBytes
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
