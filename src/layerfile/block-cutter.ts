/**
 * Cuts the bytes of a tar into blocks, with reading in mind: small entries share blocks of about `small` bytes, cut
 * where an entry begins; a middling entry has a block of its own; a large content has blocks of its own, 256 KiB each,
 * and begins one.
 *
 * Invariants:
 * - The blocks, one after the other, are the tar. Where they are cut never matters for what can be read.
 * - A block holds 1 to 256 KiB bytes. Most lie in one chunk and are handed on where they are; one that does not is
 *   gathered in a slab.
 */
import { blockBytes, KiB } from '../limits.js'
import type { Slab, Slabs } from './slabs.js'

/** Contents from here on begin a block; smaller ones stand behind their header. */
const largeContentBytes = 128 * KiB
const tarBlockBytes = 512

/** Bytes of the tar that are stored together. */
export interface Block {
  readonly content: Uint8Array
  /** The slab that the content lies in, in use once more; undefined where it lies in the chunk. */
  readonly slab: Slab | undefined
  /** It went full, so the next one belongs to the same content. */
  readonly runsOn: boolean
}

export class BlockCutter {
  readonly #slabs: Slabs
  readonly #small: number
  /** Offsets to cut at, ascending. */
  readonly #cuts: number[] = []
  #planned = 0
  #endOfOwn = -1
  /** Offset of the block that is being gathered, and what there is of it in the slab's room. */
  #start = 0
  #fill = 0

  constructor(slabs: Slabs, small: number) {
    this.#slabs = slabs
    this.#small = small
  }

  /** Announces an entry, in order; its header may have been pushed already. */
  entry(headerOffset: number, contentOffset: number, sizeBytes: number): void {
    const fill = (headerOffset - this.#planned) % blockBytes
    const padded = Math.ceil(sizeBytes / tarBlockBytes) * tarBlockBytes
    const total = contentOffset - headerOffset + padded
    const small = this.#small
    const overfull = fill >= small || (2 * fill >= small && 2 * (fill + total) > 3 * small)
    if (headerOffset === this.#endOfOwn || overfull) this.#plan(headerOffset)
    if (sizeBytes >= largeContentBytes) {
      this.#plan(contentOffset)
      this.#endOfOwn = contentOffset + padded
    } else if (total > small) {
      this.#endOfOwn = contentOffset + padded
      if (4 * fill >= small) this.#plan(headerOffset)
    }
  }

  /**
   * The blocks that the next bytes of the tar complete; the entries that begin in them are announced. What is left over
   * at their end is copied. Needs two slabs.
   */
  push(bytes: Uint8Array): Block[] {
    const blocks: Block[] = []
    let at = 0
    let cuts = 0
    for (;;) {
      const position = this.#start + this.#fill
      while (cuts < this.#cuts.length && this.#cuts[cuts]! <= this.#start) cuts++
      const cut = this.#cuts[cuts]
      // Its entry was announced when its header had been gathered.
      if (cut !== undefined && cut < position) blocks.push(this.#split(cut - this.#start))
      else {
        const end = Math.min(cut ?? Number.POSITIVE_INFINITY, this.#start + blockBytes)
        const count = end - position
        if (count > bytes.length - at) break
        blocks.push(this.#finish(bytes.subarray(at, at + count), end !== cut))
        at += count
      }
    }
    if (at < bytes.length) this.#gather(bytes.subarray(at))
    this.#cuts.splice(0, cuts)
    return blocks
  }

  /** The last block, if there is anything left. */
  end(): Block | undefined {
    return this.#fill > 0 ? this.#gathered(false) : undefined
  }

  #plan(offset: number): void {
    if (offset <= this.#planned) return
    this.#cuts.push(offset)
    this.#planned = offset
  }

  /** The block that these bytes end. */
  #finish(bytes: Uint8Array, runsOn: boolean): Block {
    if (this.#fill > 0) {
      this.#gather(bytes)
      return this.#gathered(runsOn)
    }
    this.#start += bytes.length
    return { content: bytes, slab: undefined, runsOn }
  }

  #gather(bytes: Uint8Array): void {
    const { slab, at } = this.#slabs
    slab.bytes.set(bytes, at + this.#fill)
    this.#fill += bytes.length
  }

  /** A cut in what was gathered before its entry was known: the rest moves on into the next block. */
  #split(count: number): Block {
    const { slab, at } = this.#slabs
    const rest = slab.bytes.slice(at + count, at + this.#fill)
    this.#fill = count
    const block = this.#gathered(false)
    this.#gather(rest)
    return block
  }

  #gathered(runsOn: boolean): Block {
    const { slab, at } = this.#slabs
    const content = slab.bytes.subarray(at, at + this.#fill)
    this.#slabs.keep(this.#fill)
    this.#start += this.#fill
    this.#fill = 0
    return { content, slab, runsOn }
  }
}
