/**
 * Lets so many go on at once; all others wait, and go in the order in which they came. (piscina takes waiting tasks that
 * have an abort signal in no order to rely on, and the largest layers are handed over first for a reason.)
 */
export class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** Every turn that was taken must be given back with `next`. Throws the signal's reason, and then has none. */
  async take(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#waiting.push(go)
    })
  }

  next(): void {
    const go = this.#waiting.shift()
    if (go === undefined) this.#free++
    else go()
  }
}
