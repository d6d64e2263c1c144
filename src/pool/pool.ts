/**
 * The only door to threads. Jobs go to piscina workers, or run inline with `workers: 0`.
 *
 * Invariants:
 * - No thread exists before the first job, and idle ones end by themselves; a program that forgets close() still exits.
 * - `run` settles after an abort only when the killed thread is gone: piscina's promise rejects a little before that
 *   (seen in 4 of 60 aborts), and until then the thread may still write into its stage.
 * - A thread that cannot be started ends the jobs that wait for it, never the process; the next job starts threads anew.
 * - A job that gives way has a thread only while no other job wants one.
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Piscina } from 'piscina'
import { callError, PhylloError } from '../errors.js'
import { type JobModule, jobModules } from './inline.js'
import { JobStop } from './job-stop.js'
import type { JobName, Jobs } from './jobs.js'
import { Turns } from './turns.js'
import {
  bytesDone,
  type Control,
  createControl,
  decodeError,
  type JobAnswer,
  type JobMessage,
  requestLeave,
  requestStop,
  type WireError,
} from './wire.js'

export interface PoolOptions {
  /** Threads at once, those that only help others to compress included. 0 runs jobs on the calling thread. Default: the cores there are. */
  readonly workers?: number
  /** Where the worker files are, when a bundler moved this module away from them. */
  readonly workersDir?: string | URL
  /** How long a job that is aborted may take to stop by itself before its thread is killed, milliseconds. Default 1000. */
  readonly killAfterMs?: number
}

export interface RunOptions {
  readonly signal?: AbortSignal
  /** Called now and then with the bytes done so far. */
  readonly onProgress?: (bytesDone: number) => void
  /** Called when the job gets its thread, for the memory that it is to share with others. */
  readonly memory?: () => SharedArrayBuffer
  /**
   * The job gives way: it waits behind all that do not, and when one of these has to wait for its thread, it is told to
   * leave (`isLeaving` of its context), and then this is called, in case it sleeps.
   */
  readonly onLeave?: () => void
}

/**
 * Jobs keep every core busy: whoever answers others on the calling thread must not wait behind them. On Linux a nice value is a
 * thread's own (sched(7)); elsewhere it would be the whole process's, or is another scale.
 */
const niceIncrement = process.platform === 'linux' ? 5 : 0
/** How long an idle thread waits for more work before it ends. */
const idleTimeoutMs = 2000
const progressIntervalMs = 100

export class Pool {
  readonly workers: number
  /** Where the user says that the worker files are. */
  readonly #killAfterMs: number
  readonly #dir: URL | undefined
  readonly #turns: Turns
  readonly #running = new Set<JobStop>()
  #piscina: Promise<Piscina> | undefined
  /** Threads of these could not load something, and never will: they end when they have nothing to do any more. */
  readonly #forgotten = new Set<Piscina>()
  /** Why the last of its threads could not be started. */
  readonly #failures = new WeakMap<Piscina, unknown>()
  #closed = false

  constructor({ workers = availableParallelism(), workersDir, killAfterMs = 1000 }: PoolOptions = {}) {
    if (!Number.isInteger(workers) || workers < 0 || workers > 1024)
      throw new TypeError(`workers: ${workers} is not a whole number from 0 to 1024`)
    this.workers = workers
    this.#turns = new Turns(Math.max(workers, 1))
    this.#killAfterMs = killAfterMs
    this.#dir = workersDir === undefined ? undefined : directoryUrl(workersDir)
  }

  async run<K extends JobName>(name: K, input: Jobs[K]['input'], options: RunOptions = {}): Promise<Jobs[K]['output']> {
    const { signal, onProgress, memory } = options
    signal?.throwIfAborted()
    this.#refuseUse(name)
    const control = createControl()
    const timer = onProgress && setInterval(() => onProgress(bytesDone(control)), progressIntervalMs)
    timer?.unref()
    try {
      const message = (): JobMessage<K> => ({ input, control, memory: memory?.() })
      const answer =
        this.workers === 0
          ? await this.#inline(name, message(), signal)
          : await this.#threaded(name, message, control, options)
      if ('error' in answer) throw this.#told(name, decodeError(answer.error))
      onProgress?.(bytesDone(control))
      return answer.output
    } catch (error) {
      signal?.throwIfAborted()
      this.#refuseUse(name)
      throw error
    } finally {
      clearInterval(timer)
    }
  }

  /** Ends all threads; jobs that still run are stopped. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    const running = [...this.#running]
    for (const stop of running) stop.request()
    await Promise.all(running.map(({ ended }) => ended))
    const piscina = await this.#piscina?.catch(() => undefined)
    for (const threads of [...this.#forgotten, ...(piscina === undefined ? [] : [piscina])]) await threads.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #refuseUse(name: JobName): void {
    if (this.#closed) throw new PhylloError('STORE_CLOSED', `${name}: the worker pool is closed`)
  }

  async #inline<K extends JobName>(name: K, message: JobMessage<K>, signal?: AbortSignal): Promise<JobAnswer<K>> {
    const stop = () => requestStop(message.control)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const load: () => Promise<JobModule<K>> =
        this.#dir === undefined ? jobModules[name] : () => import(this.#file(name).href)
      return await (await load()).default(message)
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  async #threaded<K extends JobName>(
    name: K,
    message: () => JobMessage<K>,
    control: Control,
    { signal, onLeave }: RunOptions,
  ): Promise<JobAnswer<K>> {
    const piscina = await this.#threads(name)
    const askToLeave = onLeave && leaving(control, onLeave)
    await this.#turns.take(signal, askToLeave)
    const stop = new JobStop(piscina, control, this.#killAfterMs)
    const onAbort = () => stop.request()
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) stop.request()
    this.#running.add(stop)
    try {
      this.#refuseUse(name)
      const filename = fileURLToPath(this.#file(name))
      const answer: JobAnswer<K> = await piscina.run(message(), { filename, signal: stop.kill })
      if ('error' in answer && isOfLoading(answer.error)) this.#forget(piscina)
      return answer
    } catch (error) {
      await stop.gone()
      this.#refuseUse(name)
      if (signal?.aborted !== true) this.#forget(piscina)
      const cause = this.#failures.get(piscina) ?? error
      throw new PhylloError('WORKER_DIED', `${name}: the worker thread ended before its job was done`, { cause })
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#running.delete(stop)
      stop.end()
      this.#turns.next(askToLeave)
    }
  }

  async #threads(name: JobName): Promise<Piscina> {
    const starting = (this.#piscina ??= this.#start())
    try {
      return await starting
    } catch (cause) {
      if (this.#piscina === starting) this.#piscina = undefined
      throw new PhylloError('WORKER_DIED', `${name}: worker threads cannot be started`, { cause })
    }
  }

  async #start(): Promise<Piscina> {
    const { Piscina } = await import('piscina')
    const piscina = new Piscina({
      minThreads: 0,
      maxThreads: this.workers,
      idleTimeout: idleTimeoutMs,
      niceIncrement,
      // A blocking wait between jobs would keep a thread's finished file operations from being cleaned up.
      atomics: 'disabled',
    })
    piscina.on('error', error => this.#onError(piscina, error))
    return piscina
  }

  /** Jobs tell what failed of their files; what was loaded for them is told here. */
  #told(name: JobName, error: Error): Error {
    if (error instanceof PhylloError || !('syscall' in error)) return error
    const path = 'path' in error ? String(error.path) : undefined
    return callError('STORE_IO', error, { path, said: name })
  }

  /** The next job starts threads anew. What was forgotten before is not what that job would get. */
  #forget(piscina: Piscina): void {
    if (this.#forgotten.has(piscina) || this.#failures.has(piscina)) return
    this.#forgotten.add(piscina)
    this.#piscina = undefined
  }

  /** A thread has ended before it had a job. The others take the job that it was for; without any, nobody would. */
  #onError(piscina: Piscina, error: unknown): void {
    if (piscina.threads.length > 0) return
    this.#forget(piscina)
    this.#forgotten.delete(piscina)
    this.#failures.set(piscina, error)
    void piscina.destroy()
  }

  #file(name: JobName): URL {
    // The same relative path in every form of this module: src/pool/pool.ts, dist/src/pool/pool.js, and a chunk of the
    // package's bundle, dist/bundle/src/chunks/…, beside which lies dist/bundle/workers/.
    return new URL(`${name}.js`, this.#dir ?? new URL('../../workers/', import.meta.url))
  }
}

/** Of a call that no job has made. Node never tries again to load in a thread what it could not load there once. */
function isOfLoading({ kind, facts }: WireError): boolean {
  return kind !== 'phyllo' && 'syscall' in facts
}

function leaving(control: Control, onLeave: () => void): () => void {
  return () => {
    requestLeave(control)
    onLeave()
  }
}

function directoryUrl(given: string | URL): URL {
  const url = given instanceof URL ? given : pathToFileURL(given)
  return url.href.endsWith('/') ? url : new URL(`${url.href}/`)
}
