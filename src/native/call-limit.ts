/**
 * Bounds how many calls of a codec wait for libuv's thread pool at once. The pool has four threads; more than two calls
 * for each only take memory: koffi keeps 256 KiB for every call and refuses the 257th, and what lz4-napi has put out
 * for calls that were under way is lost when the thread that made them is killed.
 */
export const callsInFlight = 8

export type CallLimit = <T>(call: () => Promise<T>) => Promise<T>

/** Calls beyond `max` wait for their turn, in order. */
export function callLimit(max: number): CallLimit {
  const waiting: (() => void)[] = []
  let running = 0
  return async call => {
    if (running >= max) await new Promise<void>(resolve => waiting.push(resolve))
    else running++
    try {
      return await call()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next() // hands its place on
    }
  }
}
