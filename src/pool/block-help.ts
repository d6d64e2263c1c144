/**
 * Helps one job with the blocks that it compresses, on threads of the pool that nobody else wants: jobs that give way, and
 * come back when there is a thread again.
 *
 * Invariant: a helper that fails is one helper less, and nothing else; the writer does itself what that one had taken.
 */
import { createRing, resetRing, ringBell } from '../compression/block-ring.js'
import { MiB } from '../limits.js'
import type { BlockCodecName } from './jobs.js'
import type { Pool } from './pool.js'

/**
 * By codec. `helpersAtMost`: what one thread takes in and hashes, no more than so many can compress. `leastBytes`: of the
 * job's input; with less left, help comes too late. Deflate takes some twenty times as long as LZ4.
 */
const worth: Readonly<Record<BlockCodecName, { readonly helpersAtMost: number; readonly leastBytes: number }>> = {
  lz4: { helpersAtMost: 2, leastBytes: 16 * MiB },
  deflate: { helpersAtMost: 8, leastBytes: 2 * MiB },
}

export class BlockHelp {
  readonly #pool: Pool
  readonly #codec: BlockCodecName
  /** Rings that nobody uses. */
  readonly #rings: SharedArrayBuffer[]
  readonly #stop = new AbortController()
  readonly #helpers: Promise<void>[] = []
  #ring: SharedArrayBuffer | undefined
  #wanted = false
  #bytesLeft: number

  /**
   * For a job that has so many bytes to read; where that is not enough, or there is no other thread, nobody will help. `rings`:
   * those that nobody uses, which it takes one of and gives it back.
   */
  constructor(pool: Pool, codec: BlockCodecName, inputBytes: number, rings: SharedArrayBuffer[] = []) {
    this.#pool = pool
    this.#codec = codec
    this.#rings = rings
    this.#bytesLeft = inputBytes
  }

  /** The same, and undefined where nobody will help. */
  static of(pool: Pool, codec: BlockCodecName, inputBytes: number, rings?: SharedArrayBuffer[]): BlockHelp | undefined {
    if (pool.workers < 2 || inputBytes < worth[codec].leastBytes) return undefined
    return new BlockHelp(pool, codec, inputBytes, rings)
  }

  /** Help may come as soon as the job runs. Until then it has its memory, and nobody in it. */
  want(): void {
    this.#wanted = true
    if (this.#ring !== undefined) this.#begin(this.#ring)
  }

  /** The job begins; this is the memory for it. */
  memory(): SharedArrayBuffer {
    const ring = this.#rings.pop() ?? createRing()
    this.#ring = ring
    if (this.#wanted) this.#begin(ring)
    return ring
  }

  /** How much is left to read. */
  left(bytes: number): void {
    this.#bytesLeft = bytes
  }

  /** The job has ended. Settles when no helper runs any more; never throws. */
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
    const count = Math.min(worth[this.#codec].helpersAtMost, this.#pool.workers - 1)
    for (let i = 0; i < count; i++) this.#helpers.push(this.#help(ring))
  }

  async #help(ring: SharedArrayBuffer): Promise<void> {
    const input = { codec: this.#codec }
    let asked = true
    const onLeave = () => {
      asked = true
      ringBell(ring)
    }
    try {
      while (asked && this.#bytesLeft >= worth[this.#codec].leastBytes) {
        asked = false
        await this.#pool.run('compress-blocks', input, { signal: this.#stop.signal, memory: () => ring, onLeave })
      }
    } catch {
      // Told to stop, or dead; either way there is one helper less.
    }
  }
}
