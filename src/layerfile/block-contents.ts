/**
 * Blocks of an open layer file: read, verified, decompressed.
 *
 * Invariants:
 * - Every block that comes from the disk is compared with its checksum before any byte of it counts as read. After an
 *   error what the destination holds is undefined.
 * - Asynchronous reads hold the calling thread for a few hundred microseconds at a stretch: large blocks, and whole
 *   groups where the engine can, are decompressed on the thread pool.
 */

import type { ReadyBlock } from '../compression/block-ring.js'
import type { PhylloError } from '../errors.js'
import { KiB } from '../limits.js'
import type { Lz4 } from '../native/lz4.js'
import type { FileBlocks } from './block-cache.js'
import type { BlockTable } from './block-table.js'
import type { Checksums } from './checksum.js'
import { readAll, readAllSync } from './file-io.js'
import { corrupt } from './format.js'
import { lengthBytes, storedBit } from './frame.js'
import type { SmallBuffers } from './small-buffers.js'

/** Blocks up to this are decompressed where we are: the thread pool would cost more. */
const smallContent = 32 * KiB
/** Stored blocks from here on are read to where they belong, and not copied there. */
const directBytes = 64 * KiB

export interface BlockContentsOptions {
  readonly fd: number
  readonly path: string
  readonly table: BlockTable
  readonly lz4: Lz4
  readonly checksums: Checksums
  readonly cache: FileBlocks
}

export class BlockContents {
  readonly #options: BlockContentsOptions

  constructor(options: BlockContentsOptions) {
    this.#options = options
  }

  /** Whether a block is read to where it belongs, alone. */
  isDirect(block: number): boolean {
    const { table } = this.#options
    return table.contentBytes(block) >= directBytes && table.isStored(block)
  }

  /** A whole block, in memory of its own. */
  oneSync(block: number, memory: SmallBuffers): Buffer {
    const { fd, path, table, cache, lz4 } = this.#options
    const begin = table.fileOffset(block)
    const bytes = table.contentBytes(block)
    if (table.isStored(block)) {
      const content = memory.take(bytes)
      readAllSync(fd, content, begin + lengthBytes, path)
      this.#verify(block, content)
      return content
    }
    const scratch = cache.take()
    try {
      const stored = scratch.subarray(0, table.fileOffset(block + 1) - begin)
      readAllSync(fd, stored, begin, path)
      const verified = this.#verified(block, stored, begin)
      return this.#decompressed(block, () => lz4.contentSync(verified, bytes))
    } finally {
      cache.giveBack(scratch)
    }
  }

  /** The same off this thread. */
  async one(block: number): Promise<Buffer> {
    const { table } = this.#options
    const content = Buffer.allocUnsafeSlow(table.contentBytes(block))
    if (table.isStored(block)) await this.#readDirect(block, content)
    else await this.#readGroup(block, block + 1, content)
    return content
  }

  /** Blocks that stand next to each other, with one read: a direct one, or a group. */
  runSync(first: number, end: number, into: Uint8Array): void {
    const { fd, path, table, cache } = this.#options
    const begin = table.fileOffset(first)
    if (this.isDirect(first)) {
      readAllSync(fd, into, begin + lengthBytes, path)
      this.#verify(first, into)
      return
    }
    const memory = cache.take()
    try {
      this.#groupSync(first, end, into, memory)
    } finally {
      cache.giveBack(memory)
    }
  }

  /**
   * Blocks that stand next to each other, with one read: what they hold goes into `into`, and they themselves, which the answer is,
   * into `memory`.
   */
  storedRunSync(first: number, end: number, into: Uint8Array, memory: Buffer): ReadyBlock[] {
    const { table } = this.#options
    const stored = this.#groupSync(first, end, into, memory)
    return Array.from({ length: end - first }, (_, index) => {
      const block = first + index
      const ready = this.#bytesOf(block, stored, table.fileOffset(first))
      return { contentBytes: table.contentBytes(block), ready, checksum: table.checksum(block) }
    })
  }

  #groupSync(first: number, end: number, into: Uint8Array, memory: Buffer): Buffer {
    const { fd, path, table, lz4 } = this.#options
    const begin = table.fileOffset(first)
    const stored = memory.subarray(0, table.fileOffset(end) - begin)
    readAllSync(fd, stored, begin, path)
    for (let block = first, at = 0; block < end; block++) {
      const part = into.subarray(at, (at += table.contentBytes(block)))
      const bytes = this.#verified(block, stored, begin)
      if (table.isStored(block)) part.set(bytes)
      else this.#decompressed(block, () => lz4.decompressSync(bytes, part))
    }
    return stored
  }

  /** The same off this thread. */
  run(first: number, end: number, into: Uint8Array): Promise<void> {
    return this.isDirect(first) ? this.#readDirect(first, into) : this.#readGroup(first, end, into)
  }

  async #readDirect(block: number, into: Uint8Array): Promise<void> {
    const { fd, path, table } = this.#options
    await readAll(fd, into, table.fileOffset(block) + lengthBytes, path)
    this.#verify(block, into)
  }

  /** Whole blocks that stand next to each other, with one read. */
  async #readGroup(first: number, end: number, into: Uint8Array): Promise<void> {
    const { fd, path, table, cache, lz4 } = this.#options
    const { decompressRun } = lz4
    const begin = table.fileOffset(first)
    const memory = cache.take()
    try {
      const stored = memory.subarray(0, table.fileOffset(end) - begin)
      await readAll(fd, stored, begin, path)
      if (decompressRun !== undefined && into.length > smallContent)
        return await this.#decompressRun(decompressRun, first, end, stored, into)
      for (let block = first, at = 0; block < end; block++) {
        const part = into.subarray(at, (at += table.contentBytes(block)))
        const bytes = this.#verified(block, stored, begin)
        if (table.isStored(block)) part.set(bytes)
        else if (part.length <= smallContent) this.#decompressed(block, () => lz4.decompressSync(bytes, part))
        else await this.#decompressElsewhere(block, bytes, part)
      }
    } finally {
      cache.giveBack(memory)
    }
  }

  /** A group that was read from `first` on, with its length words, at once. */
  async #decompressRun(
    decompressRun: NonNullable<Lz4['decompressRun']>,
    first: number,
    end: number,
    stored: Buffer,
    into: Uint8Array,
  ): Promise<void> {
    const { table } = this.#options
    const begin = table.fileOffset(first)
    for (let block = first; block < end; block++) {
      this.#verified(block, stored, begin)
      // What the disk says here has no checksum; the table, which has one, says the same.
      const word = table.isStored(block) ? (storedBit | table.storedBytes(block)) >>> 0 : table.storedBytes(block)
      stored.writeUInt32LE(word, table.fileOffset(block) - begin)
    }
    try {
      await decompressRun(stored, into)
    } catch (cause) {
      throw this.#undecodable(first, cause)
    }
  }

  /** A block of a group that begins at `begin` of the file. */
  #verified(block: number, stored: Uint8Array, begin: number): Uint8Array {
    const bytes = this.#bytesOf(block, stored, begin)
    this.#verify(block, bytes)
    return bytes
  }

  #bytesOf(block: number, stored: Uint8Array, begin: number): Uint8Array {
    const { table } = this.#options
    const from = table.fileOffset(block) - begin + lengthBytes
    return stored.subarray(from, from + table.storedBytes(block))
  }

  #verify(block: number, stored: Uint8Array): void {
    const { table, checksums, path } = this.#options
    if (!table.matches(block, checksums.xxh64(stored)))
      throw corrupt(path, `block ${block} does not have its checksum`, { offset: table.fileOffset(block) })
  }

  #decompressed<R>(block: number, decompress: () => R): R {
    try {
      return decompress()
    } catch (cause) {
      throw this.#undecodable(block, cause)
    }
  }

  async #decompressElsewhere(block: number, stored: Uint8Array, into: Uint8Array): Promise<void> {
    try {
      await this.#options.lz4.decompress(stored, into)
    } catch (cause) {
      throw this.#undecodable(block, cause)
    }
  }

  #undecodable(block: number, cause: unknown): PhylloError {
    const { path, table } = this.#options
    return corrupt(path, `block ${block} cannot be decompressed`, { offset: table.fileOffset(block), cause })
  }
}
