/**
 * Contents of blocks that were read lately, so that small reads next to each other decompress a block once. Shared by
 * any number of layer files, with what reading needs: the codecs and checksums are loaded once, when first asked for.
 */
import { KiB, MiB } from '../limits.js'
import { type Lz4, loadLz4 } from '../native/lz4.js'
import { type Checksums, loadChecksums } from './checksum.js'

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
}

export class BlockCache {
  readonly #maxBytes: number
  /** Least recently used first. */
  readonly #blocks = new Map<string, Buffer>()
  #bytes = 0
  #files = 0
  /** Fresh memory for every read would cost more than reading. */
  readonly #free: Buffer[] = []
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
    const prefix = `${this.#files++}:`
    return {
      get: block => this.#get(prefix + block),
      set: (block, content) => this.#set(prefix + block, content),
      drop: () => {
        for (const key of [...this.#blocks.keys()]) if (key.startsWith(prefix)) this.#delete(key)
      },
      take: () => this.#free.pop() ?? Buffer.allocUnsafeSlow(groupBytes),
      giveBack: memory => {
        if (this.#free.length < mostFree) this.#free.push(memory)
      },
    }
  }

  #get(key: string): Buffer | undefined {
    const content = this.#blocks.get(key)
    if (content === undefined) return undefined
    this.#blocks.delete(key)
    this.#blocks.set(key, content)
    return content
  }

  #set(key: string, content: Buffer): void {
    if (content.length > this.#maxBytes) return
    this.#delete(key)
    this.#blocks.set(key, content)
    this.#bytes += content.length
    for (const oldest of this.#blocks.keys()) {
      if (this.#bytes <= this.#maxBytes) return
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#blocks.get(key)?.length ?? 0
    this.#blocks.delete(key)
  }
}
