/**
 * One implementation of a function, in the three forms of node:fs: `…Sync`, with a callback, as a promise.
 *
 * Invariants: a callback is never called before the function returned; misuse is thrown at once by the callback form and
 * rejects the promise; an exception of the user's callback is the process's.
 */
import { callbackArgument, isMisuse } from '../union/arguments.js'
import type { Pace } from '../union/pace.js'

/** Arguments are unknown until the implementation has looked at them; `View` gives each function its type. */
export type Implementation = (...args: unknown[]) => unknown

export interface Call {
  readonly sync?: Implementation
  /** For callbacks and promises: throws misuse at once, gives the result or a promise of it. Without it, `sync`. */
  readonly later?: Implementation
  /** The promise form, where it is not `later`. */
  readonly promise?: Implementation
  /** What the callback gets, where it is not (null, result). */
  readonly spread?: (result: unknown) => unknown[]
}

export type Calls = Readonly<Record<string, Call>>

export function callbackForm({ later, sync, spread }: Call): Implementation {
  const run = (later ?? sync)!
  return (...args) => {
    const callback = callbackArgument(args)
    const succeed = (result: unknown) => {
      const results = spread === undefined ? (result === undefined ? [null] : [null, result]) : spread(result)
      setImmediate(() => callback(...results))
    }
    const fail = (error: unknown) => {
      setImmediate(() => callback(error))
    }
    try {
      const result = run(...args)
      if (result instanceof Promise) result.then(succeed, fail)
      else succeed(result)
    } catch (error) {
      if (isMisuse(error)) throw error
      fail(error)
    }
  }
}

/** What the promise form runs. */
export function promiseOf({ promise, later, sync }: Call): Implementation {
  return (promise ?? later ?? sync)!
}

export function promiseForm(call: Call, pace: Pace): Implementation {
  const run = promiseOf(call)
  return async (...args) => {
    if (pace.due()) await pace.turn()
    return run(...args)
  }
}
