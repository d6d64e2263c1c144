/** The target that `save` writes to, by the name of its format. */
import type { Writable } from 'node:stream'
import type { ImageTarget } from '../images/target.js'
import type { OperationContext } from '../operation.js'
import { GzipStage, temporaryPlace } from '../pool/gzip-stage.js'
import type { Pool } from '../pool/pool.js'
import { DockerArchiveTarget } from './docker-archive-target.js'
import { layerPlacement, startThreads } from './layer-placement.js'
import { OciArchiveTarget } from './oci-archive-target.js'

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
  // An archive can be saved from a store that may not be written.
  const place = () => temporaryPlace('phyllo-save-')
  const gzip = new GzipStage({ pool: options.pool, signal: operation.signal, place })
  return withDisposal(new OciArchiveTarget(output, { ...written, gzipLayer: layer => gzip.layer(layer) }), () =>
    gzip[Symbol.asyncDispose](),
  )
}

function withDisposal<T extends ImageTarget & { readonly bytesWritten: number }>(
  target: T,
  dispose: () => Promise<void>,
): SaveTarget {
  return Object.assign(target, { [Symbol.asyncDispose]: dispose })
}
