/**
 * The jobs of one load or copy: at most one for each content that the store needs, started as early as its bytes are known.
 *
 * Invariant: after `stop`, no job runs any more, and none of their threads, and nobody looks for what they should read.
 */
import { setMaxListeners } from 'node:events'
import type { Stage } from '../disk/stage.js'
import type { ContentJobs } from '../drivers/driver.js'
import { withFacts } from '../errors.js'
import { algorithmOf, type Digest } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'
import type { LayerInput, WriteLayerOutput } from '../pool/jobs.js'

export interface LayerJobOptions {
  readonly contents: ContentJobs
  readonly stage: Stage
  /** Name of the archive or store, for messages. */
  readonly archive: string
}

export interface WrittenLayer extends WriteLayerOutput {
  /** File or directory in the stage. */
  readonly staged: string
}

export interface LayerJob {
  readonly source: LayerInput
  /** The archive member, or the layer of a store, for messages. */
  readonly member: string
  /** What moves, in progress events. */
  readonly subject: string
  readonly digest?: Digest
  /** Told of bytes that were read, instead of events. */
  readonly onProgress?: (bytes: number) => void
  /** What it becomes: contents that are not the same need a job each. Absent: that is not known yet. */
  readonly content?: string
}

interface Running {
  readonly source: LayerInput
  readonly output: Promise<WrittenLayer>
  content: string | undefined
}

export class LayerJobs {
  readonly #options: LayerJobOptions
  readonly #operation: OperationContext
  readonly #running: Running[] = []
  /** What still works for them. */
  readonly #leaving: Promise<void>[] = []
  readonly #stop = new AbortController()
  #finding: Promise<unknown> = Promise.resolve()
  readonly #onAbort: () => void

  constructor(options: LayerJobOptions, operation: OperationContext) {
    this.#options = options
    this.#operation = operation
    // Every job listens to it, and there may be as many as there are layers.
    setMaxListeners(0, this.#stop.signal)
    this.#onAbort = () => this.#stop.abort(operation.signal.reason)
    operation.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Aborted by `stop`, and with the operation. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** Finds what a job is to read: one after the other, in the order of the calls, and no more after `stop`. */
  find<T>(work: () => Promise<T>): Promise<T> {
    const found = this.#finding.then(() => {
      this.#stop.signal.throwIfAborted()
      return work()
    })
    this.#finding = found.catch(() => undefined)
    return found
  }

  /** The content that these bytes become; the same promise for the same bytes and content. */
  write(layer: LayerJob): Promise<WrittenLayer> {
    const { source, content } = layer
    const running = this.#running.find(job => job.source === source && (job.content ?? content) === content)
    // A job that was not told of a digest has made a sha256 one; for any other the bytes are read again.
    if (running !== undefined && !layer.digest?.startsWith('sha512:')) {
      running.content = content
      return running.output
    }
    const output = this.#start(layer, `layer-${this.#running.length}`)
    // Whether a failure matters is known when somebody needs the layer: bytes that only look like one may fail.
    output.catch(() => undefined)
    this.#running.push({ source, output, content })
    return output
  }

  /** Ends all that still runs, and waits until it has. Idempotent. */
  async stop(reason?: unknown): Promise<void> {
    this.#operation.signal.removeEventListener('abort', this.#onAbort)
    this.#stop.abort(reason)
    await this.#finding
    await Promise.allSettled(this.#running.map(({ output }) => output))
    await Promise.all(this.#leaving)
  }

  async #start({ source, member, subject, digest, onProgress: told }: LayerJob, name: string): Promise<WrittenLayer> {
    const { contents, stage, archive } = this.#options
    const { report, emit } = this.#operation
    const label = `${archive}: ${member}`
    const staged = stage.file(name)
    let done = 0
    const onProgress = (bytes: number) => {
      if (!isGrowing(source)) report.bytesRead += bytes - done
      done = bytes
      job.left(source.sizeBytes - bytes)
      if (told === undefined) emit({ type: 'progress', subject, done: bytes, total: source.sizeBytes })
      else told(bytes)
    }
    const content = { source, label, target: staged, ...(digest && { digestAlgorithm: algorithmOf(digest) }) }
    const job = contents.write(content, { signal: this.#stop.signal, onProgress })
    job.wantHelp()
    try {
      return { ...(await job.output), staged }
    } catch (error) {
      throw withFacts(error, { path: archive, member }, label)
    } finally {
      this.#leaving.push(job.gone())
    }
  }
}

/** Whoever writes it counts its bytes. */
function isGrowing(source: LayerInput): boolean {
  return 'growing' in source && source.growing !== undefined
}
