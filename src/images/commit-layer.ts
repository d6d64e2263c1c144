/**
 * The layer of a commit: what has changed is planned here, and a job makes the layer file of what is planned already.
 *
 * Invariants:
 * - No job is begun for less than is worth a second thread, unless that is all.
 * - When this returns or throws, no job of it is running.
 */
import { GrowingFile } from '../disk/growing-file.js'
import type { WritingContext } from '../disk/space.js'
import type { Stage } from '../disk/stage.js'
import type { CommitContent, ContentJob } from '../drivers/driver.js'
import { KiB, MiB } from '../limits.js'
import { shortId } from '../oci/digest.js'
import { type WrittenPlan, writeLayerPlan } from '../overlay/difference/write-plan.js'
import type { CommitLayerOutput } from '../pool/jobs.js'
import type { CommitSource } from './commit.js'
import type { CopyTarget } from './copy.js'

export interface StagedLayer extends CommitLayerOutput {
  /** File or directory in the stage. */
  readonly staged: string
}

/** Of the layer's tar. With less, a second thread comes too late. */
const leastBytes = 16 * MiB

/** The job waits for so much of the plan at once. */
const planBytes = 64 * KiB

/** Undefined: nothing has changed. */
export async function commitLayer(
  { union, upper, label, lowerContent }: CommitSource,
  to: CopyTarget,
  stage: Stage,
  op: WritingContext,
): Promise<StagedLayer | undefined> {
  const [plan, staged] = [await GrowingFile.create(stage.file('plan'), planBytes), stage.file('layer')]
  const range = { path: plan.path, offset: 0, sizeBytes: Number.POSITIVE_INFINITY, growing: plan.counter }
  const job = new CommitJob({ plan: range, label, target: staged }, to, op)
  const warn = (path: string, reason: string) =>
    op.emit({ type: 'warning', subject: label, message: `${path}: ${reason}` })
  const onProgress = (so: WrittenPlan) => job.planned(so)
  const output = await union.reading(async () => {
    try {
      return await job.all(
        await writeLayerPlan(union, upper, { plan, lowerContent, warn, onProgress, signal: op.signal }),
      )
    } finally {
      await job.gone()
    }
  })
  if (output === undefined) return undefined
  for (const message of output.warnings) op.emit({ type: 'warning', subject: label, message })
  op.report.bytesWritten += output.fileBytes
  op.emit({ type: 'layer', subject: shortId(output.diffId), message: 'Committed layer' })
  return { ...output, staged }
}

class CommitJob {
  readonly #input: CommitContent
  readonly #to: CopyTarget
  readonly #op: WritingContext
  #running: ContentJob<CommitLayerOutput> | undefined
  #failure: { readonly error: unknown } | undefined
  /** Once it is known. */
  #all: WrittenPlan | undefined

  constructor(input: CommitContent, to: CopyTarget, op: WritingContext) {
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
    if (this.#running === undefined) await this.#admit(plan)
    const running = this.#running ?? this.#begin(plan.tarBytes)
    // Not before: this thread, too, should have a core to itself while it plans.
    running.wantHelp()
    const output = await running.output
    this.#op.report.bytesRead += plan.contentBytes
    return output
  }

  async #admit({ tarBytes, contentBytes }: WrittenPlan): Promise<void> {
    await this.#op.admit(await this.#to.layers.driver.leastBytes(tarBytes, async () => contentBytes))
  }

  async gone(): Promise<void> {
    await this.#running?.gone()
  }

  #begin(tarBytes: number): ContentJob<CommitLayerOutput> {
    this.#op.watch()
    const onProgress = (done: number) => this.#progress(done)
    const jobs = this.#to.layers.driver.jobs(this.#to)
    const running = jobs.commit(this.#input, tarBytes, { signal: this.#op.signal, onProgress })
    running.output.catch((error: unknown) => {
      this.#failure = { error }
    })
    this.#running = running
    return running
  }

  /** `done`: bytes of the tar. */
  #progress(done: number): void {
    const all = this.#all
    this.#running?.left(all === undefined ? Number.POSITIVE_INFINITY : Math.max(0, all.tarBytes - done))
    const moved = all === undefined ? { done } : { done: Math.min(done, all.contentBytes), total: all.contentBytes }
    this.#op.emit({ type: 'progress', subject: this.#input.label, ...moved })
  }
}
