/**
 * Layers gzipped into files, each by one job, and by whatever threads of the pool have nothing else to do: for archives,
 * and for whoever sends layers somewhere.
 *
 * Invariant: when a call has settled, no job of it runs any more, and nobody writes into its file.
 */
import type { DiffId } from '../oci/digest.js'
import { BlockHelp } from './block-help.js'
import type { GzipLayerOutput, TarSource } from './jobs.js'
import type { Pool, RunOptions } from './pool.js'

/** A layer of a store. */
export interface TarToGzip {
  readonly source: TarSource
  readonly diffId: DiffId
  readonly tarBytes: number
}

export interface GzipRunOptions extends Pick<RunOptions, 'signal' | 'onProgress'> {
  /** See GzipLayerInput. */
  readonly growing?: SharedArrayBuffer
}

export class LayerGzip {
  readonly #pool: () => Pool
  /** Those that nobody uses. */
  readonly #rings: SharedArrayBuffer[] = []

  constructor(pool: () => Pool) {
    this.#pool = pool
  }

  /**
   * Into a new file; `growing` counts what is in it. `onProgress` gets bytes of the tar. Throws STORE_CORRUPT when it is not the layer, STORE_IO, WORKER_DIED,
   * STORE_CLOSED and the signal's reason; what there is of the file then is of no use.
   */
  async write(
    { source, diffId, tarBytes }: TarToGzip,
    target: string,
    { signal, growing, onProgress }: GzipRunOptions = {},
  ): Promise<GzipLayerOutput> {
    const pool = this.#pool()
    // On a thread of its own a job deflates by way of the ring, even if nobody helps.
    const help = pool.workers === 0 ? undefined : new BlockHelp(pool, 'deflate', tarBytes, this.#rings)
    help?.want()
    try {
      return await pool.run(
        'gzip-layer',
        { source, diffId, target, ...(growing && { growing }) },
        {
          ...(signal && { signal }),
          ...(help && { memory: () => help.memory() }),
          onProgress(bytes) {
            help?.left(tarBytes - bytes)
            onProgress?.(bytes)
          },
        },
      )
    } finally {
      await help?.end()
    }
  }
}
