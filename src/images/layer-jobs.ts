/**
 * The write-layer jobs of one load: at most one for each range of bytes, started as early as the bytes are known.
 *
 * Invariant: after `stop`, no job runs any more, and none of their threads.
 */
import { setMaxListeners } from 'node:events'
import type { Stage } from '../disk/stage.js'
import { withFacts } from '../errors.js'
import type { Limits } from '../limits.js'
import { algorithmOf, type Digest } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'
import type { BlockCompression, ByteRange, WriteLayerOutput } from '../pool/jobs.js'
import type { Pool } from '../pool/pool.js'
import { BlockHelp } from './block-help.js'

export interface LayerJobOptions {
  readonly pool: Pool
  readonly stage: Stage
  readonly limits: Limits
  readonly compression: BlockCompression
  /** Name of the archive, for messages. */
  readonly archive: string
}

export interface WrittenLayer extends WriteLayerOutput {
  /** The layer file, in the stage. */
  readonly file: string
}

export interface LayerJob {
  readonly range: ByteRange
  /** The archive member, for messages. */
  readonly member: string
  /** What moves, in progress events. */
  readonly subject: string
  readonly digest?: Digest
}

export class LayerJobs {
  readonly #options: LayerJobOptions
  readonly #operation: OperationContext
  readonly #running = new Map<ByteRange, Promise<WrittenLayer>>()
  /** Helpers that have not left yet. */
  readonly #helpers: Promise<void>[] = []
  readonly #rings: SharedArrayBuffer[] = []
  readonly #stop = new AbortController()
  readonly #onAbort: () => void

  constructor(options: LayerJobOptions, operation: OperationContext) {
    this.#options = options
    this.#operation = operation
    // Every job listens to it, and there may be as many as there are layers.
    setMaxListeners(0, this.#stop.signal)
    this.#onAbort = () => this.#stop.abort(operation.signal.reason)
    operation.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** The layer file of these bytes; the same promise for the same range. */
  write(layer: LayerJob): Promise<WrittenLayer> {
    const running = this.#running.get(layer.range)
    // A job that was not told of a digest has made a sha256 one; for any other the bytes are read again.
    if (running !== undefined && !layer.digest?.startsWith('sha512:')) return running
    const started = this.#start(layer, `layer-${this.#running.size}`)
    // Whether a failure matters is known when somebody needs the layer: bytes that only look like one may fail.
    started.catch(() => undefined)
    this.#running.set(layer.range, started)
    return started
  }

  /** Ends all that still runs, and waits until it has. Idempotent. */
  async stop(reason?: unknown): Promise<void> {
    this.#operation.signal.removeEventListener('abort', this.#onAbort)
    this.#stop.abort(reason)
    await Promise.allSettled(this.#running.values())
    await Promise.all(this.#helpers)
  }

  async #start({ range, member, subject, digest }: LayerJob, name: string): Promise<WrittenLayer> {
    const { pool, stage, limits, compression, archive } = this.#options
    const { report, emit } = this.#operation
    const label = `${archive}: ${member}`
    const file = stage.file(name)
    const help = BlockHelp.of(this.#options, range.sizeBytes, this.#rings)
    help?.want()
    let done = 0
    const onProgress = (bytes: number) => {
      if (range.growing === undefined) report.bytesRead += bytes - done
      done = bytes
      help?.left(range.sizeBytes - bytes)
      emit({ type: 'progress', subject, done: bytes, total: range.sizeBytes })
    }
    try {
      const output = await pool.run(
        'write-layer',
        {
          source: range,
          label,
          target: file,
          compression,
          limits,
          ...(digest && { digestAlgorithm: algorithmOf(digest) }),
        },
        { signal: this.#stop.signal, onProgress, ...(help && { memory: () => help.memory() }) },
      )
      return { ...output, file }
    } catch (error) {
      throw withFacts(error, { path: archive, member }, label)
    } finally {
      if (help !== undefined) this.#helpers.push(help.end())
    }
  }
}
