/**
 * The layer of a commit: what has changed is planned here, and a job makes the layer file of what is planned already.
 *
 * Invariants:
 * - No job is begun for less than is worth a second thread, unless that is all.
 * - When this returns or throws, no job of it is running.
 */
import { GrowingFile } from '../disk/growing-file.js'
import type { Stage } from '../disk/stage.js'
import { KiB } from '../limits.js'
import { shortId } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'
import { type WrittenPlan, writeLayerPlan } from '../overlay/difference/write-plan.js'
import type { CommitLayerInput, CommitLayerOutput } from '../pool/jobs.js'
import type { RunOptions } from '../pool/pool.js'
import { BlockHelp, leastBytes } from './block-help.js'
import type { CommitSource } from './commit.js'
import type { CopyTarget } from './copy.js'

export interface StagedLayer extends CommitLayerOutput {
  /** The layer file, in the stage. */
  readonly file: string
}

/** The job waits for so much of the plan at once. */
const planBytes = 64 * KiB

/** Undefined: nothing has changed. */
export async function commitLayer(
  { union, upper, label, layerFile }: CommitSource,
  to: CopyTarget,
  stage: Stage,
  op: OperationContext,
): Promise<StagedLayer | undefined> {
  const [plan, file] = [await GrowingFile.create(stage.file('plan'), planBytes), stage.file('layer')]
  const { compression, limits } = to
  const range = { path: plan.path, offset: 0, sizeBytes: Number.POSITIVE_INFINITY, growing: plan.counter }
  const job = new CommitJob({ plan: range, label, target: file, compression, limits }, to, op)
  const warn = (path: string, reason: string) =>
    op.emit({ type: 'warning', subject: label, message: `${path}: ${reason}` })
  const onProgress = (so: WrittenPlan) => job.planned(so)
  const output = await union.reading(async () => {
    try {
      return await job.all(await writeLayerPlan(union, upper, { plan, layerFile, warn, onProgress, signal: op.signal }))
    } finally {
      await job.gone()
    }
  })
  if (output === undefined) return undefined
  for (const message of output.warnings) op.emit({ type: 'warning', subject: label, message })
  op.report.bytesWritten += output.fileBytes
  op.emit({ type: 'layer', subject: shortId(output.diffId), message: 'Committed layer' })
  return { ...output, file }
}

class CommitJob {
  readonly #input: CommitLayerInput
  readonly #to: CopyTarget
  readonly #op: OperationContext
  #help: BlockHelp | undefined
  #running: Promise<CommitLayerOutput> | undefined
  #failure: { readonly error: unknown } | undefined
  /** Once it is known. */
  #all: WrittenPlan | undefined

  constructor(input: CommitLayerInput, to: CopyTarget, op: OperationContext) {
    this.#input = input
    this.#to = to
    this.#op = op
  }

  /** Told what is planned so far. Throws what the job has thrown. */
  planned({ tarBytes }: WrittenPlan): void {
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.#running === undefined && tarBytes >= leastBytes) this.#begin(tarBytes)
  }

  /** That was all. The answer is the job's, if there was anything to do. */
  async all(plan: WrittenPlan): Promise<CommitLayerOutput | undefined> {
    this.#all = plan
    if (plan.entries === 0) return undefined
    const running = this.#running ?? this.#begin(plan.tarBytes)
    // Not before: this thread, too, should have a core to itself while it plans.
    this.#help?.want()
    const output = await running
    this.#op.report.bytesRead += plan.contentBytes
    return output
  }

  async gone(): Promise<void> {
    await this.#running?.catch(() => undefined)
    await this.#help?.end()
  }

  #begin(tarBytes: number): Promise<CommitLayerOutput> {
    const help = BlockHelp.of(this.#to, tarBytes)
    this.#help = help
    const onProgress = (done: number) => this.#progress(done)
    const options: RunOptions = { signal: this.#op.signal, onProgress, ...(help && { memory: () => help.memory() }) }
    const running = this.#to.pool.run('commit-layer', this.#input, options)
    running.catch((error: unknown) => {
      this.#failure = { error }
    })
    this.#running = running
    return running
  }

  /** `done`: bytes of the tar. */
  #progress(done: number): void {
    const all = this.#all
    this.#help?.left(all === undefined ? Number.POSITIVE_INFINITY : Math.max(0, all.tarBytes - done))
    const moved = all === undefined ? { done } : { done: Math.min(done, all.contentBytes), total: all.contentBytes }
    this.#op.emit({ type: 'progress', subject: this.#input.label, ...moved })
  }
}
