/**
 * Memory for contents that are handed out by the thousand: small ones share slabs, as small Buffers of node's share pools of
 * 8 KiB. An ArrayBuffer for each would cost more than what is in it.
 *
 * Invariant: a content that is kept keeps `slabBytes` at most beside its own, and slabs are used once.
 */
import { markAsUntransferable } from 'node:worker_threads'
import { KiB } from '../limits.js'

const slabBytes = 64 * KiB
/** Larger ones have memory of their own. */
export const mostShared = 16 * KiB
/** Where contents begin: a multiple, so that typed arrays of all kinds can be made over them. */
const alignment = 8

export class SmallBuffers {
  #slab: Buffer | undefined
  #fill = 0

  /** Of undefined content. */
  take(length: number): Buffer {
    if (length > mostShared) return Buffer.allocUnsafeSlow(length)
    if (this.#slab === undefined || this.#fill + length > slabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes)
      // Whoever sends one content to another thread would take the others along
      markAsUntransferable(this.#slab.buffer)
      this.#fill = 0
    }
    const from = this.#fill
    this.#fill = Math.ceil((from + length) / alignment) * alignment
    return this.#slab.subarray(from, from + length)
  }
}
