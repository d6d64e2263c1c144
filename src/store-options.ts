/** What a store is opened with. */
import type { DriverName } from './disk/paths.js'
import type { StoreRegistryOptions } from './distribution/connect.js'
import type { Limits } from './limits.js'
import type { BlockCompression } from './pool/jobs.js'
import type { Pool } from './pool/pool.js'

export interface StoreOptions {
  /** Default: the store's own; `packed` for a new one. Another than the store's own is DRIVER_MISMATCH. */
  readonly driver?: DriverName
  /** Writes nothing, and makes no store where there is none: that is an empty one. */
  readonly readOnly?: boolean
  /** Opening for writing clears up after processes that died, in the background. Default true; otherwise `gc` does. */
  readonly tidy?: boolean
  /** Of layers that are written. Default `lz4`. */
  readonly compression?: BlockCompression
  /** `full` (default): what was reported as done survives a power cut. `none`: it survives the death of the process. */
  readonly durability?: 'full' | 'none'
  /** Cores to use, compression included. 0 works on the calling thread. Default: all there are. */
  readonly workers?: number
  /** Where the worker files are, when a bundler has moved this module away from them. */
  readonly workersDir?: string | URL
  /** A pool to share with other stores; the store does not close it. */
  readonly pool?: Pool
  /** How registries are asked. Default: with the credentials and certificates that Docker's command line would use, and no mirrors. */
  readonly registry?: StoreRegistryOptions
  /** Blobs of all pulls of this store that are fetched at once. Default 3. */
  readonly concurrentDownloads?: number
  /**
   * `keep`: the compressed blobs that a pull fetches stay in the store for as long as their layers, so that a push can send them as they
   * came. Default `drop`.
   */
  readonly blobs?: 'keep' | 'drop'
  /** Bounds for hostile input; see Limits. */
  readonly limits?: Partial<Limits>
}
