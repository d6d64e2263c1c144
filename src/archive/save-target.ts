/** The target that `save` writes to, by the name of its format. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import type { LayerTar } from '../drivers/layer.js'
import type { ImageTarget } from '../images/target.js'
import { hexOf } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'
import { LayerGzip } from '../pool/layer-gzip.js'
import type { Pool } from '../pool/pool.js'
import { DockerArchiveTarget } from './docker-archive-target.js'
import { layerPlacement, startThreads } from './layer-placement.js'
import { type GzippedLayer, OciArchiveTarget } from './oci-archive-target.js'

export type ArchiveFormat = 'docker-archive' | 'oci-archive'

export interface SaveOptions {
  readonly signal?: AbortSignal
  /** Default `docker-archive`. */
  readonly format?: ArchiveFormat
}

export interface SaveTargetOptions {
  readonly format: ArchiveFormat
  readonly durable: boolean
  readonly operation: OperationContext
  readonly pool: () => Pool
}

export interface SaveTarget extends ImageTarget, AsyncDisposable {
  readonly bytesWritten: number
}

export function createSaveTarget(output: string | Writable, options: SaveTargetOptions): SaveTarget {
  const { format, durable, operation } = options
  const written = {
    durable,
    signal: operation.signal,
    onProgress: (subject: string, done: number, total: number) =>
      operation.emit({ type: 'progress', subject, done, total }),
  }
  if (format === 'docker-archive') {
    const target = new DockerArchiveTarget(output, { ...written, place: layerPlacement(options) })
    if (typeof output !== 'string') return withDisposal(target, async () => undefined)
    const started: Promise<void>[] = []
    const expect = (bytes: number) => void started.push(startThreads(options, bytes))
    return withDisposal(Object.assign(target, { expect }), async () => void (await Promise.all(started)))
  }
  const gzip = new GzipStage(options)
  return withDisposal(new OciArchiveTarget(output, { ...written, gzipLayer: layer => gzip.layer(layer) }), () =>
    gzip.dispose(),
  )
}

function withDisposal<T extends ImageTarget & { readonly bytesWritten: number }>(
  target: T,
  dispose: () => Promise<void>,
): SaveTarget {
  return Object.assign(target, { [Symbol.asyncDispose]: dispose })
}

/**
 * Gzipped layers on their way into an archive. They stand in the system's temporary directory: an archive can be saved
 * from a store that may not be written.
 */
class GzipStage {
  readonly #options: SaveTargetOptions
  readonly #gzip: LayerGzip
  readonly #jobs = new Set<Promise<unknown>>()
  #dir: Promise<string> | undefined

  constructor(options: SaveTargetOptions) {
    this.#options = options
    this.#gzip = new LayerGzip(options.pool)
  }

  layer(layer: LayerTar): Promise<GzippedLayer> {
    const job = this.#start(layer)
    this.#jobs.add(job)
    return job
  }

  /** After the last job is gone: nothing writes into the directory any more. */
  async dispose(): Promise<void> {
    await Promise.allSettled(this.#jobs)
    if (this.#dir !== undefined) await (await import('fs-extra/esm')).remove(await this.#dir)
  }

  async #start(layer: LayerTar): Promise<GzippedLayer> {
    this.#dir ??= mkdtemp(join(tmpdir(), 'phyllo-save-'))
    const target = join(await this.#dir, hexOf(layer.diffId))
    const { signal } = this.#options.operation
    return { path: target, ...(await this.#gzip.write(layer, target, { signal })) }
  }
}
