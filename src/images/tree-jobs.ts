/**
 * The jobs that make a tree: directories, what stands in them, and the attributes of directories; each step by as many as there are
 * threads, which begin while its plan is still being written.
 *
 * Invariant: the first that fails, or an abort, ends all of them.
 */
import { setMaxListeners } from 'node:events'
import type { OperationContext } from '../operation.js'
import type { WriteTreeInput } from '../pool/jobs.js'
import type { Pool } from '../pool/pool.js'
import { runAll } from '../pool/run-all.js'
import { NotSetCounter } from '../unpack/not-set.js'
import { PlanBoard } from '../unpack/plan-board.js'

type TreeInput = Omit<WriteTreeInput, 'board' | 'step'>

/** All jobs of one tree: what they have done, and how they are ended. */
export class TreeJobs implements Disposable {
  readonly done = { entries: 0, bytes: 0, shared: 0 }
  readonly notSet = new NotSetCounter()
  /** How many work at a time, at least one. */
  readonly atOnce: number
  totalBytes: number | undefined
  readonly #input: TreeInput
  readonly #label: string
  readonly #pool: Pool
  readonly #op: OperationContext
  readonly #stop = new AbortController()
  readonly #abort: () => void
  readonly #running = new Set<Promise<void>>()
  readonly #bytes: number[] = []

  constructor(
    input: TreeInput,
    { label, pool }: { readonly label: string; readonly pool: Pool },
    op: OperationContext,
  ) {
    this.#input = input
    this.#label = label
    this.#pool = pool
    this.#op = op
    this.atOnce = Math.max(1, pool.workers)
    this.#abort = () => this.#stop.abort(op.signal.reason)
    setMaxListeners(0, this.#stop.signal)
    op.signal.addEventListener('abort', this.#abort, { once: true })
    if (op.signal.aborted) this.#abort()
  }

  /** Aborted with the operation, and by the first job that fails. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** Whether files may share their contents with the store, and take no room of their own. */
  get shares(): boolean {
    return this.#input.links !== undefined
  }

  /** Whether they run on this very thread: then the plan has to be there before they begin. */
  get inline(): boolean {
    return this.#pool.workers === 0
  }

  [Symbol.dispose](): void {
    this.#op.signal.removeEventListener('abort', this.#abort)
  }

  run(step: WriteTreeInput['step'], board: PlanBoard, count: number): Promise<void> {
    const running = this.#run(step, board, count)
    this.#running.add(running)
    running.catch(error => this.#stop.abort(error))
    return running
  }

  /** Ends all of them; settles when none runs any more. */
  async stop(reason: unknown): Promise<void> {
    this.#stop.abort(reason)
    await Promise.allSettled(this.#running)
  }

  async #run(step: WriteTreeInput['step'], board: PlanBoard, count: number): Promise<void> {
    const first = this.#bytes.length
    this.#bytes.push(...Array.from({ length: count }, () => 0))
    const onProgress = (bytes: number, job: number) => this.#progress(first + job, bytes)
    const input = { ...this.#input, step, board: board.shared }
    const outputs = await runAll(this.#pool, 'write-tree', input, count, { signal: this.signal, onProgress })
    for (const { entries, bytes, shared, notSet } of outputs) {
      this.done.entries += entries
      this.done.bytes += bytes
      this.done.shared += shared
      this.notSet.addAll(notSet)
    }
  }

  #progress(job: number, bytes: number): void {
    this.#bytes[job] = bytes
    const done = this.#bytes.reduce((sum, each) => sum + each, 0)
    const total = this.totalBytes
    if (done > 0) this.#op.emit({ type: 'progress', subject: this.#label, done, ...(total !== undefined && { total }) })
  }
}

/** Jobs that share one board. */
export class TreeStep {
  readonly board: PlanBoard
  readonly #step: WriteTreeInput['step']
  readonly #jobs: TreeJobs
  readonly #running: Promise<void>[] = []

  constructor(step: WriteTreeInput['step'], jobs: TreeJobs, board = new PlanBoard()) {
    this.#step = step
    this.#jobs = jobs
    this.board = board
  }

  /** So many more; not yet where they would have this thread to themselves. */
  begin(count: number): void {
    if (count > 0 && !this.#jobs.inline) this.#running.push(this.#jobs.run(this.#step, this.board, count))
  }

  /** To be called when the board has ended. */
  async ended(): Promise<void> {
    if (this.#jobs.inline) this.#running.push(this.#jobs.run(this.#step, this.board, 1))
    await Promise.all(this.#running)
  }
}
