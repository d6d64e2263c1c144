/**
 * Lets so many go on at once; all others wait, and go in the order in which they came. (piscina takes waiting tasks that
 * have an abort signal in no order to rely on, and the largest layers are handed over first for a reason.)
 *
 * Those that give way go when nobody else waits, and are asked to leave, once each, when somebody has to.
 */
export class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []
  readonly #waitingLast: (() => void)[] = []
  /** How to ask those for their turn who have one and give way; the first has had it longest. */
  readonly #givingWay = new Set<() => void>()

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** Whether one can be had at once. */
  get isFree(): boolean {
    return this.#free > 0
  }

  /**
   * Every turn that was taken must be given back with `next`. Throws the signal's reason, and then has none.
   * `askToLeave` makes it one that gives way.
   */
  async take(signal?: AbortSignal, askToLeave?: () => void): Promise<void> {
    signal?.throwIfAborted()
    if (this.#free > 0) this.#begin(askToLeave)
    else await this.#wait(signal, askToLeave)
  }

  /** With the `askToLeave` that the turn was taken with. */
  next(askToLeave?: () => void): void {
    if (askToLeave !== undefined) this.#givingWay.delete(askToLeave)
    this.#free++
    const go = this.#waiting.shift() ?? this.#waitingLast.shift()
    go?.()
  }

  #begin(askToLeave: (() => void) | undefined): void {
    this.#free--
    if (askToLeave !== undefined) this.#givingWay.add(askToLeave)
  }

  async #wait(signal: AbortSignal | undefined, askToLeave: (() => void) | undefined): Promise<void> {
    const queue = askToLeave === undefined ? this.#waiting : this.#waitingLast
    const [ask] = askToLeave === undefined ? this.#givingWay : []
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener('abort', leave)
        this.#begin(askToLeave)
        resolve()
      }
      const leave = () => {
        queue.splice(queue.indexOf(go), 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', leave, { once: true })
      queue.push(go)
      if (ask === undefined) return
      this.#givingWay.delete(ask)
      ask()
    })
  }
}
