/** Work that several wait for, and work that has a time. */
import { timedOut } from './exchange.js'

/** The result, or the signal's reason as soon as it is aborted; the work goes on for those who still want it. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}

/** Work that several wait for: begun once, and given up when the last of them has left. */
export class SharedWork<T> {
  readonly #stop = new AbortController()
  readonly #result: Promise<T>
  #waiting = 0
  /** Undefined until it is there. */
  done: { readonly value: T } | undefined

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#result = work(this.#stop.signal)
    this.#result.then(
      value => (this.done = { value }),
      () => undefined,
    )
  }

  /** Everybody has left, and it was not done: it has failed, or was given up. Whoever wants it has to begin again. */
  get isLost(): boolean {
    return this.#stop.signal.aborted
  }

  async wait(signal: AbortSignal | undefined): Promise<T> {
    this.#waiting++
    try {
      return await orAborted(this.#result, signal)
    } finally {
      if (--this.#waiting === 0 && this.done === undefined) this.#stop.abort(signal?.reason)
    }
  }
}

/** `Date.now()` at which the time that a signal stands for is over. */
const ends = new WeakMap<AbortSignal, number>()

/** Milliseconds that are left of the time that a signal stands for. */
export function timeLeft(signal: AbortSignal | undefined): number {
  const end = signal && ends.get(signal)
  return end === undefined ? Number.POSITIVE_INFINITY : end - Date.now()
}

/** Runs the work with a signal that is aborted when the time is over (REGISTRY_UNAVAILABLE) or with the caller's. */
export async function withTimeout<T>(
  ms: number,
  what: Parameters<typeof timedOut>[0],
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const stop = new AbortController()
  ends.set(stop.signal, Date.now() + Math.min(ms, timeLeft(signal)))
  const aborted = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', aborted, { once: true })
  const timer = setTimeout(() => stop.abort(timedOut(what, `not done after ${ms / 1000} s`)), ms)
  try {
    return await work(stop.signal)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', aborted)
  }
}

/**
 * Work that is given up so many milliseconds after the abort, and not with it: what a server is about to make somebody has to take
 * back, and that can only who knows where it is.
 */
export async function withGrace<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (signal === undefined) return work(undefined)
  signal.throwIfAborted()
  const late = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const aborted = () => {
    timer = setTimeout(() => late.abort(signal.reason), ms)
  }
  signal.addEventListener('abort', aborted, { once: true })
  try {
    return await work(late.signal)
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', aborted)
    clearTimeout(timer)
  }
}

/** What comes until the signal is aborted; then it is over, as if that had been all. */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value } = await orAborted(iterator.next(), signal)
      if (done === true) return
      yield value
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error
  } finally {
    // It may be in the middle of something, which nobody waits for any more.
    void iterator.return?.().catch(() => undefined)
  }
}
