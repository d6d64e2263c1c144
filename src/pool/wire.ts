/**
 * What crosses between main and a worker: a message with the job's input and a control block, an answer that is an
 * output or an error as data. Structured clone drops `code` and every own field of an Error, so errors are taken apart
 * here and put together again, once, for all jobs.
 */
import { type ErrorCode, PhylloError } from '../errors.js'
import type { JobName, Jobs } from './jobs.js'

/**
 * Shared counters of one running job, 64 bits each:
 * [0] bytes done so far; [1] 1 when the job should stop at its next step; [2] 1 when it has started;
 * [3] 1 when another job waits for its thread, and it is one that then leaves.
 */
export type Control = SharedArrayBuffer

export function createControl(): Control {
  return new SharedArrayBuffer(32)
}

export function bytesDone(control: Control): number {
  return Number(Atomics.load(new BigInt64Array(control), 0))
}

export function requestStop(control: Control): void {
  Atomics.store(new BigInt64Array(control), 1, 1n)
}

export function requestLeave(control: Control): void {
  Atomics.store(new BigInt64Array(control), 3, 1n)
}

export function hasStarted(control: Control): boolean {
  return Atomics.load(new BigInt64Array(control), 2) === 1n
}

export interface JobMessage<K extends JobName = JobName> {
  readonly input: Jobs[K]['input']
  readonly control: Control
  readonly memory: SharedArrayBuffer | undefined
}

export type JobAnswer<K extends JobName = JobName> =
  | { readonly output: Jobs[K]['output'] }
  | { readonly error: WireError }

export interface WireError {
  readonly kind: 'phyllo' | 'range' | 'type' | 'error'
  readonly message: string
  readonly stack: string | undefined
  readonly facts: Readonly<Record<string, unknown>>
  readonly cause: WireError | undefined
}

export interface JobContext {
  /** Tells main how far the job is, in bytes of its own measure; throws when the job should stop. */
  progress(bytes: number): void
  /** Whether another job waits for this thread; only jobs that were started to give way ever hear of one. */
  isLeaving(): boolean
  /** What it shares with other jobs, if anything. */
  readonly memory: SharedArrayBuffer | undefined
}

/** Makes a worker's function into the one that the pool calls: `export default job('name', async (input, context) => …)`. */
export function job<K extends JobName>(
  _name: K,
  work: (input: Jobs[K]['input'], context: JobContext) => Promise<Jobs[K]['output']>,
): (message: JobMessage<K>) => Promise<JobAnswer<K>> {
  return async ({ input, control, memory }) => {
    const counters = new BigInt64Array(control)
    Atomics.store(counters, 2, 1n)
    const context: JobContext = {
      memory,
      isLeaving: () => Atomics.load(counters, 3) !== 0n,
      progress(bytes) {
        Atomics.store(counters, 0, BigInt(bytes))
        if (Atomics.load(counters, 1) !== 0n) throw new Error('the job was told to stop')
      },
    }
    try {
      context.progress(0)
      return { output: await work(input, context) }
    } catch (error) {
      return { error: encodeError(error) }
    }
  }
}

export function encodeError(error: unknown): WireError {
  if (!(error instanceof Error))
    return { kind: 'error', message: String(error), stack: undefined, facts: {}, cause: undefined }
  const { cause, ...own } = error as Error & { cause?: unknown }
  const facts = Object.fromEntries(Object.entries(own).filter(([, value]) => isPlain(value)))
  return {
    kind: error instanceof PhylloError ? 'phyllo' : kindOf(error),
    message: error.message,
    stack: error.stack,
    facts,
    cause: cause === undefined ? undefined : encodeError(cause),
  }
}

export function decodeError({ kind, message, stack, facts, cause }: WireError): Error {
  const options = cause === undefined ? {} : { cause: decodeError(cause) }
  if (kind === 'phyllo') {
    const { code, ...rest } = facts
    return withStack(new PhylloError(code as ErrorCode, message, { ...rest, ...options }), stack)
  }
  const constructors = { range: RangeError, type: TypeError, error: Error }
  return withStack(Object.assign(new constructors[kind](message, options), facts), stack)
}

function kindOf(error: Error): 'range' | 'type' | 'error' {
  if (error instanceof RangeError) return 'range'
  return error instanceof TypeError ? 'type' : 'error'
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(item => typeof item === 'string')
  return value === undefined || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
}

function withStack<E extends Error>(error: E, stack: string | undefined): E {
  if (stack !== undefined) Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
  return error
}
