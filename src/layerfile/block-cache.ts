/**
 * Contents of blocks that were read lately, so that small reads next to each other decompress a block once. Shared by
 * any number of layer files, with what reading needs: the codecs and checksums are loaded once, when first asked for.
 */
import { KiB, MiB } from '../limits.js'
import { type Lz4, loadLz4 } from '../native/lz4.js'
import { type Checksums, loadChecksums } from './checksum.js'
import { SmallBuffers } from './small-buffers.js'

export const defaultCacheBytes = 8 * MiB

/** Stored bytes that one read takes from the disk, at most. */
export const groupBytes = 512 * KiB
/** Memory that is kept for the next reads. */
const mostFree = 8

/** Blocks of one file in a cache. */
export interface FileBlocks {
  get(block: number): Buffer | undefined
  set(block: number, content: Buffer): void
  /** Forgets all of them. */
  drop(): void
  /** Memory for stored bytes, `groupBytes` of undefined content; give it back when nothing writes to it any more. */
  take(): Buffer
  giveBack(memory: Buffer): void
  /** Of undefined content: what becomes a caller's, and what stays here. They share no memory. */
  readonly handedOut: SmallBuffers
  readonly kept: SmallBuffers
}

/** A block in the ring of all of them, in the order of their last use. */
class Kept {
  older: Kept = this
  newer: Kept = this
  readonly file: Map<number, Kept>
  readonly block: number
  readonly content: Buffer

  constructor(file: Map<number, Kept>, block: number, content: Buffer) {
    this.file = file
    this.block = block
    this.content = content
  }

  leave(): void {
    this.older.newer = this.newer
    this.newer.older = this.older
  }

  /** Stands directly before `other`. */
  join(other: Kept): void {
    this.newer = other
    this.older = other.older
    this.older.newer = this
    other.older = this
  }
}

export class BlockCache {
  readonly #maxBytes: number
  /** No block: between the one that was used last, before it, and the one whose use is longest ago. */
  readonly #end = new Kept(new Map(), -1, Buffer.alloc(0))
  #bytes = 0
  /** Fresh memory for every read would cost more than reading. */
  readonly #free: Buffer[] = []
  readonly #handedOut = new SmallBuffers()
  readonly #kept = new SmallBuffers()
  #codecs: Promise<readonly [Lz4, Checksums]> | undefined

  constructor(maxBytes = defaultCacheBytes) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  codecs(): Promise<readonly [Lz4, Checksums]> {
    return (this.#codecs ??= Promise.all([loadLz4(), loadChecksums()]))
  }

  /** A part of the cache for one more file. */
  openFile(): FileBlocks {
    const file = new Map<number, Kept>()
    return {
      get: block => this.#used(file.get(block)),
      set: (block, content) => this.#set(file, block, content),
      drop: () => {
        for (const kept of file.values()) this.#forget(kept)
      },
      take: () => this.#free.pop() ?? Buffer.allocUnsafeSlow(groupBytes),
      giveBack: memory => {
        if (this.#free.length < mostFree) this.#free.push(memory)
      },
      handedOut: this.#handedOut,
      kept: this.#kept,
    }
  }

  #used(kept: Kept | undefined): Buffer | undefined {
    if (kept === undefined) return undefined
    if (kept.newer !== this.#end) {
      kept.leave()
      kept.join(this.#end)
    }
    return kept.content
  }

  #set(file: Map<number, Kept>, block: number, content: Buffer): void {
    if (content.length > this.#maxBytes) return
    const before = file.get(block)
    if (before !== undefined) this.#forget(before)
    const kept = new Kept(file, block, content)
    file.set(block, kept)
    kept.join(this.#end)
    this.#bytes += content.length
    while (this.#bytes > this.#maxBytes) this.#forget(this.#end.newer)
  }

  #forget(kept: Kept): void {
    kept.leave()
    kept.file.delete(kept.block)
    this.#bytes -= kept.content.length
  }
}
