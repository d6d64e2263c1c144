/**
 * Helps one write-layer job with its blocks, on threads of the pool that nobody else wants: jobs that give way, and come
 * back when there is a thread again.
 *
 * Invariant: a helper that fails is one helper less, and nothing else; the writer does itself what that one had taken.
 */
import { createRing, resetRing, ringBell } from '../../layerfile/block-ring.js'
import { MiB } from '../../limits.js'
import type { BlockCompression } from '../../pool/jobs.js'
import type { Pool } from '../../pool/pool.js'

/** What one thread takes in and hashes, no more than so many can compress. */
const helpersAtMost = 2
/** Of a layer as it stands in its archive. With less left, help comes too late. */
export const leastBytes: number = 16 * MiB

export class BlockHelp {
  readonly #pool: Pool
  /** Rings that nobody uses. */
  readonly #rings: SharedArrayBuffer[]
  readonly #stop = new AbortController()
  readonly #helpers: Promise<void>[] = []
  #ring: SharedArrayBuffer | undefined
  #wanted = false
  #bytesLeft: number

  private constructor(pool: Pool, rings: SharedArrayBuffer[], layerBytes: number) {
    this.#pool = pool
    this.#rings = rings
    this.#bytesLeft = layerBytes
  }

  /** Help for a job that writes so many bytes; undefined where there is no thread to help, or not enough to do. */
  static of(
    { pool, compression }: { readonly pool: Pool; readonly compression: BlockCompression },
    layerBytes: number,
    rings: SharedArrayBuffer[] = [],
  ): BlockHelp | undefined {
    if (compression === 'none' || pool.workers < 2 || layerBytes < leastBytes) return undefined
    return new BlockHelp(pool, rings, layerBytes)
  }

  /** Help may come as soon as the job runs. Until then it has its memory, and nobody in it. */
  want(): void {
    this.#wanted = true
    if (this.#ring !== undefined) this.#begin(this.#ring)
  }

  /** The write-layer job begins; this is the memory for it. */
  memory(): SharedArrayBuffer {
    const ring = this.#rings.pop() ?? createRing()
    this.#ring = ring
    if (this.#wanted) this.#begin(ring)
    return ring
  }

  /** How much of the layer is left to read. */
  left(bytes: number): void {
    this.#bytesLeft = bytes
  }

  /** The write-layer job has ended. Settles when no helper runs any more; never throws. */
  async end(): Promise<void> {
    const ring = this.#ring
    if (ring === undefined) return
    this.#stop.abort()
    ringBell(ring)
    await Promise.all(this.#helpers)
    resetRing(ring)
    this.#rings.push(ring)
  }

  #begin(ring: SharedArrayBuffer): void {
    const count = Math.min(helpersAtMost, this.#pool.workers - 1)
    for (let i = 0; i < count; i++) this.#helpers.push(this.#help(ring))
  }

  async #help(ring: SharedArrayBuffer): Promise<void> {
    let asked = true
    const onLeave = () => {
      asked = true
      ringBell(ring)
    }
    try {
      while (asked && this.#bytesLeft >= leastBytes) {
        asked = false
        await this.#pool.run('compress-blocks', {}, { signal: this.#stop.signal, memory: () => ring, onLeave })
      }
    } catch {
      // Told to stop, or dead; either way there is one helper less.
    }
  }
}
