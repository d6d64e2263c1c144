/**
 * Long work as a value. It starts at once and once; awaiting it twice gives the same result; its events can be
 * iterated by any number of readers, and leaving the loop does not cancel; after an abort it rejects with
 * `signal.reason`, once its stage is clean; a failure that nobody awaits is one unhandledRejection.
 *
 * Invariants:
 * - Progress merges: a slow reader sees the newest progress of each subject. Milestones are never dropped.
 * - An iterator ends, without an error, when the work has ended, whichever way: the error belongs to the promise.
 * - A failure while somebody still reads events counts as unawaited only once the last reader is through: otherwise
 *   `for await (…) await draw()`, then `await operation`, would die of an unhandledRejection inside its own loop.
 */

import { setMaxListeners } from 'node:events'
import { firstFailure } from './endings.js'

/** What an operation cost, filled in while it runs. */
export interface Report {
  /** Bytes read from the input, compressed as they were. */
  bytesRead: number
  /** Uncompressed layer bytes that were there already and were not read. */
  bytesReused: number
  /** Bytes written to the store or to the output. */
  bytesWritten: number
  /** Wall-clock milliseconds by stage of the work. */
  readonly ms: Record<string, number>
}

export interface ProgressEvent {
  readonly type: 'progress'
  /** What moves: a layer's short id, an archive member. */
  readonly subject: string
  readonly done: number
  /** Unknown for streams. */
  readonly total?: number
  /** What is done to it, as Docker says it: `Downloading`, `Extracting`. */
  readonly action?: string
  /** Of a check: what goes on from here when it is given as `resume`. */
  readonly resume?: string
}

/** A step that was taken; never dropped. `type` says which, the other fields are facts about it. */
export interface MilestoneEvent {
  readonly type: 'layer' | 'image' | 'tag' | 'warning'
  readonly subject: string
  readonly message: string
}

/** Something in a store that is not what it should be; never dropped. */
export interface FindingEvent {
  readonly type: 'finding'
  /** The path. */
  readonly subject: string
  readonly message: string
  readonly finding: Finding
}

/** See src/check/kinds.ts for what there is. */
export interface Finding {
  /** What it is: stable. */
  readonly kind: string
  /** The file or directory. */
  readonly path: string
  /** In words. */
  readonly reason: string
  /** What needs it. */
  readonly affects: {
    /** Ids. */
    readonly images: readonly string[]
    /** Familiar references. */
    readonly tags: readonly string[]
    /** Ids. */
    readonly containers: readonly string[]
  }
}

export type OperationEvent = ProgressEvent | MilestoneEvent | FindingEvent

export interface OperationContext {
  readonly signal: AbortSignal
  readonly report: Report
  emit(event: OperationEvent): void
  /** Runs one named stage of the work and adds its time to the report. */
  stage<R>(name: string, work: () => Promise<R>): Promise<R>
}

interface Reader {
  readonly milestones: OperationEvent[]
  readonly progress: Map<string, ProgressEvent>
  wake: (() => void) | undefined
}

export class Operation<T> implements PromiseLike<T>, AsyncIterable<OperationEvent> {
  readonly report: Report = { bytesRead: 0, bytesReused: 0, bytesWritten: 0, ms: {} }
  /** Resolves when the work has ended, whichever way; the failure itself stays with whoever awaits the operation. */
  readonly ended: Promise<void>
  readonly #promise: Promise<T>
  readonly #readers = new Set<Reader>()
  #backlog: OperationEvent[] = []
  #ended = false
  #awaited = false
  /** It failed while events were being read: whether anybody awaits is asked when the last reader leaves. */
  #askLater = false

  constructor(work: (context: OperationContext) => Promise<T>, signal?: AbortSignal) {
    const own = follow(signal)
    const context: OperationContext = {
      signal: own.signal,
      report: this.report,
      emit: event => this.#emit(event),
      stage: (name, stage) => this.#stage(name, stage),
    }
    let end: () => void = () => undefined
    this.ended = new Promise(resolve => (end = resolve))
    this.#promise = this.#run(work, context, () => {
      own.leave()
      end()
    })
  }

  // biome-ignore lint/suspicious/noThenProperty: an Operation is awaitable, that is its purpose
  then<A = T, B = never>(
    onfulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#consumed().then(onfulfilled, onrejected)
  }

  catch<B = never>(onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.#consumed().catch(onrejected)
  }

  finally(onfinally?: (() => void) | null): Promise<T> {
    return this.#consumed().finally(onfinally)
  }

  async *[Symbol.asyncIterator](): AsyncIterator<OperationEvent, void, void> {
    const reader: Reader = { milestones: [...this.#backlog], progress: new Map(), wake: undefined }
    this.#readers.add(reader)
    try {
      for (;;) {
        const event = nextOf(reader)
        if (event !== undefined) yield event
        else if (this.#ended) return
        else await new Promise<void>(wake => (reader.wake = wake))
      }
    } finally {
      this.#readers.delete(reader)
      if (this.#askLater && this.#readers.size === 0) setImmediate(() => this.#reportUnawaited())
    }
  }

  #consumed(): Promise<T> {
    this.#awaited = true
    return this.#promise
  }

  /** A promise of its own that nobody handles: the one unhandledRejection of a failure that was put off. */
  #reportUnawaited(): void {
    if (!this.#awaited) void this.#consumed().then()
  }

  async #run(work: (context: OperationContext) => Promise<T>, context: OperationContext, end: () => void): Promise<T> {
    try {
      context.signal.throwIfAborted()
      return await work(context)
    } catch (error) {
      throw context.signal.aborted ? context.signal.reason : firstFailure(error)
    } finally {
      this.#ended = true
      end()
      if (this.#readers.size > 0) {
        this.#askLater = true
        this.#promise.catch(() => undefined)
      }
      for (const reader of this.#readers) reader.wake?.()
    }
  }

  #emit(event: OperationEvent): void {
    if (event.type !== 'progress') this.#backlog.push(event)
    for (const reader of this.#readers) {
      if (event.type === 'progress') reader.progress.set(event.subject, event)
      else reader.milestones.push(event)
      reader.wake?.()
    }
  }

  async #stage<R>(name: string, work: () => Promise<R>): Promise<R> {
    const start = performance.now()
    try {
      return await work()
    } finally {
      this.report.ms[name] = (this.report.ms[name] ?? 0) + performance.now() - start
    }
  }
}

/**
 * A signal of our own that aborts when the caller's does. The caller's gets one listener for the time of the work,
 * however many parts of the work listen.
 */
function follow(signal: AbortSignal | undefined): { readonly signal: AbortSignal; leave(): void } {
  const own = new AbortController()
  setMaxListeners(0, own.signal)
  const abort = () => own.abort(signal?.reason)
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  return { signal: own.signal, leave: () => signal?.removeEventListener('abort', abort) }
}

/** Progress goes before the milestone that followed it only when none is waiting: milestones first keeps them in order. */
function nextOf(reader: Reader): OperationEvent | undefined {
  const milestone = reader.milestones.shift()
  if (milestone !== undefined) return milestone
  for (const [subject, event] of reader.progress) {
    reader.progress.delete(subject)
    return event
  }
  return undefined
}
