/**
 * How a job on a thread is ended before its time: it is asked to stop, and its thread is killed only when the job has
 * begun and does not listen.
 *
 * Killing a thread can take the whole process with it: inside of a native call (koffi: napi_throw, seen in 1 of some
 * 2,000 aborts), and while it imports modules (Node 20: "IsGraphAsync must be used on an instantiated module", seen in 1
 * of some 500). A thread that has not begun its job is importing, or about to; it will look at once.
 */
import type { Worker } from 'node:worker_threads'
import { type Control, hasStarted, requestStop } from './wire.js'

/** The part of a piscina that is asked here. */
interface Threads {
  readonly threads: readonly Worker[]
}

/** Between two looks at a job that has not begun. */
const lookMs = 20

export class JobStop {
  /** Resolved when the job has ended. */
  readonly ended: Promise<void>
  readonly #pool: Threads
  readonly #control: Control
  readonly #killAfterMs: number
  readonly #kill = new AbortController()
  /** Threads that there were when one was killed, and when they are gone. */
  readonly #exits: { readonly worker: Worker; readonly exit: Promise<void> }[] = []
  #timer: NodeJS.Timeout | undefined
  #settle: () => void = () => undefined

  constructor(pool: Threads, control: Control, killAfterMs: number) {
    this.#pool = pool
    this.#control = control
    this.#killAfterMs = killAfterMs
    this.ended = new Promise(resolve => (this.#settle = resolve))
  }

  /** For piscina: aborted when the thread is to be killed. */
  get kill(): AbortSignal {
    return this.#kill.signal
  }

  /** Asks the job to stop. Idempotent. */
  request(): void {
    requestStop(this.#control)
    this.#timer ??= setTimeout(() => this.#killIfBegun(), this.#killAfterMs)
  }

  /** The job has ended, by itself or not. */
  end(): void {
    clearTimeout(this.#timer)
    this.#settle()
  }

  /** Waits until a thread that was killed is gone. */
  async gone(): Promise<void> {
    const alive = new Set(this.#pool.threads)
    await Promise.all(this.#exits.filter(({ worker }) => !alive.has(worker)).map(({ exit }) => exit))
  }

  #killIfBegun(): void {
    if (!hasStarted(this.#control)) {
      this.#timer = setTimeout(() => this.#killIfBegun(), lookMs)
      return
    }
    // Taken before piscina's own listener runs: it still holds the thread which that one will kill.
    for (const worker of this.#pool.threads)
      this.#exits.push({ worker, exit: new Promise(gone => worker.once('exit', () => gone())) })
    this.#kill.abort()
  }
}
