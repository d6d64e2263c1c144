/**
 * When to try again. What fails in passing is tried again after a growing wait, a server's own `Retry-After` first; and
 * while one request has been told to wait, all of the same registry do.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PhylloError } from '../errors.js'
import { isPassing } from './exchange.js'
import type { Retries } from './options.js'
import { timeLeft } from './waiting.js'

const secondMs = 1000

/** Told once a second how many are left until the next attempt. */
export type OnWait = (seconds: number) => void

export interface Trying {
  readonly attempts?: number | undefined
  readonly onWait?: OnWait | undefined
}

export class Patience {
  readonly #retries: Retries
  #notBefore = 0

  constructor(retries: Retries) {
    this.#retries = retries
  }

  /** The result of the first attempt that has one; the failure of the last. Also throws the signal's reason. */
  async repeat<T>(
    work: () => Promise<T>,
    signal: AbortSignal | undefined,
    { attempts, onWait }: Trying = {},
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      await pause(this.#notBefore - Date.now(), signal, onWait)
      try {
        return await work()
      } catch (error) {
        await this.after(error, attempt, signal, { attempts, onWait })
      }
    }
  }

  /** Waits for the next attempt. @throws the error itself where there is none to come; the signal's reason */
  async after(
    error: unknown,
    attempt: number,
    signal: AbortSignal | undefined,
    { attempts = this.#retries.attempts, onWait }: Trying = {},
  ): Promise<void> {
    signal?.throwIfAborted()
    if (!isPassing(error)) throw error
    const ms = this.#wait(error, attempt)
    // To wait beyond one's own time would only hide why.
    if (attempt >= attempts || ms > this.#retries.longestMs || ms >= timeLeft(signal)) throw error
    await pause(ms, signal, onWait)
  }

  #wait(error: PhylloError, attempt: number): number {
    const asked = error.retryAfterMs
    if (typeof asked === 'number') {
      if (asked <= this.#retries.longestMs) this.#notBefore = Math.max(this.#notBefore, Date.now() + asked)
      return asked
    }
    return this.#retries.baseMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2)
  }
}

async function pause(ms: number, signal: AbortSignal | undefined, onWait?: OnWait): Promise<void> {
  signal?.throwIfAborted()
  for (let left = ms; left > 0; left -= secondMs) {
    onWait?.(Math.ceil(left / secondMs))
    await sleep(Math.min(left, secondMs), undefined, signal && { signal }).catch(error => {
      signal?.throwIfAborted()
      throw error
    })
  }
}

/** `Retry-After`: seconds, or a date of HTTP. Undefined for anything else, and for what is past. */
export function retryAfterMs(text: string | undefined, now = Date.now()): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  if (!/^[A-Za-z]{3}, \d{2} [A-Za-z]{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return undefined
  const ms = Date.parse(text) - now
  return ms > 0 ? ms : undefined
}
