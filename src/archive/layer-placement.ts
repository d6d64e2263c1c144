/**
 * Copies layers into an archive file on the pool: where each stands is known beforehand, so several threads write at
 * once, and this one has nothing to do.
 *
 * Invariant: when it settles, no job of it runs any more, and none of their threads.
 */
import { devNull } from 'node:os'
import { callError, PhylloError } from '../errors.js'
import { MiB } from '../limits.js'
import type { OperationContext } from '../operation.js'
import type { Pool } from '../pool/pool.js'
import { runAll } from '../pool/run-all.js'
import type { Placed } from './archive-layout.js'
import type { WriteOptions } from './archive-writer.js'

/** Less than this is written before a thread has started. */
const leastBytes = 32 * MiB
/** What a job takes at a time: the last one to end is late by no more. */
const pieceBytes = 16 * MiB

export interface PlacementOptions {
  readonly operation: OperationContext
  readonly pool: () => Pool
}

/** Threads start, and load the job, while the archive is still being laid out. Whether they can, who has work for them will hear. */
export async function startThreads(options: PlacementOptions, bytes: number): Promise<void> {
  const pool = options.pool()
  if (pool.workers === 0 || bytes < leastBytes) return
  const nothing = { target: devNull, layers: [], pieceBytes, counts: new SharedArrayBuffer(8) }
  await Promise.allSettled([runAll(pool, 'place-layers', nothing, jobsFor(pool, bytes), options.operation)])
}

/** For `writeArchive`. It takes contents that are layers, if they are worth it and the pool has threads. */
export function layerPlacement(options: PlacementOptions): NonNullable<WriteOptions['place']> {
  return async (file, contents) => {
    const pool = options.pool()
    const bytes = contents.reduce((sum, { content }) => sum + content.sizeBytes, 0)
    const layers = contents.flatMap(({ position, content: { layer, sizeBytes } }) => {
      if (layer === undefined) return []
      return [{ source: layer.source, diffId: layer.diffId, tarBytes: sizeBytes, position }]
    })
    if (pool.workers === 0 || bytes < leastBytes || layers.length < contents.length) return false
    const counts = new SharedArrayBuffer(8 * (layers.length + 1))
    const input = { target: file.writtenAs, layers, pieceBytes, counts }
    const onProgress = progressOf(contents, new BigInt64Array(counts), options.operation)
    const { signal } = options.operation
    try {
      await runAll(pool, 'place-layers', input, jobsFor(pool, bytes), { signal, onProgress })
    } catch (error) {
      throw error instanceof PhylloError && error.code === 'OUTPUT_IO' ? renamed(error, file.path) : error
    }
    for (const [index, { tarBytes, source }] of layers.entries()) {
      const placed = Number(new BigInt64Array(counts)[index])
      if (placed === tarBytes) continue
      const reason = `its blocks hold ${placed} of ${tarBytes} bytes`
      const path = 'layerFile' in source ? source.layerFile : source.tarSplit
      throw new PhylloError('STORE_CORRUPT', `${path}: ${reason}`, { path })
    }
    return true
  }
}

function jobsFor({ workers }: Pool, bytes: number): number {
  return Math.min(workers, Math.ceil(bytes / pieceBytes))
}

/** Tells how far each layer is, if it has moved. */
function progressOf(contents: readonly Placed[], counts: BigInt64Array, { emit }: OperationContext): () => void {
  const told = contents.map(() => 0)
  return () => {
    for (const [index, { content }] of contents.entries()) {
      const done = Number(Atomics.load(counts, index))
      if (done === told[index]) continue
      told[index] = done
      emit({ type: 'progress', subject: content.subject, done, total: content.sizeBytes })
    }
  }
}

/** A user knows the file by the name that it was to get. */
function renamed({ cause, operation }: PhylloError, path: string): PhylloError {
  return callError('OUTPUT_IO', cause, { operation: String(operation), path, said: 'the output cannot be written' })
}
