/**
 * Reads bytes of the tar out of the blocks of an open layer file.
 *
 * Invariants:
 * - Every block that comes from the disk is compared with its checksum before any byte of it counts as read. After an
 *   error what the destination holds is undefined.
 * - An asynchronous read settles only when nothing writes to its destination any more.
 * - Asynchronous reads hold the calling thread for a few hundred microseconds at a stretch: large blocks, and whole
 *   groups where the engine can, are decompressed on the thread pool.
 */
import type { PhylloError } from '../errors.js'
import { KiB } from '../limits.js'
import type { Lz4 } from '../native/lz4.js'
import { type FileBlocks, groupBytes } from './block-cache.js'
import type { BlockTable } from './block-table.js'
import type { Checksums } from './checksum.js'
import { readAll, readAllSync } from './file-io.js'
import { corrupt } from './format.js'
import { lengthBytes, storedBit } from './frame.js'
import type { SmallBuffers } from './small-buffers.js'

/**
 * Groups of one read that are under way at a time, each with one call on the thread pool: more would take the cores
 * away from the thread that has to verify and hand on.
 */
const lanes = 2
/** Blocks up to this are decompressed where we are: the thread pool would cost more. */
const smallContent = 32 * KiB
/** Stored blocks from here on are read to where they belong, and not copied there. */
const directBytes = 64 * KiB

/** Who wants this share of a block alone gets its memory: what else is in it is not kept for others. */
const mostOfBlock = 3 / 4

export interface BlockReaderOptions {
  readonly fd: number
  readonly path: string
  readonly table: BlockTable
  readonly lz4: Lz4
  readonly checksums: Checksums
  readonly cache: FileBlocks
}

export class BlockReader {
  readonly #options: BlockReaderOptions
  /** Blocks that are being read for the cache. */
  readonly #arriving = new Map<number, Promise<Buffer>>()

  constructor(options: BlockReaderOptions) {
    this.#options = options
  }

  /** Fills `into` with the tar's bytes from `offset` on; they must be there. */
  readSync(offset: number, into: Uint8Array): void {
    const { table } = this.#options
    const end = offset + into.length
    for (let block = table.find(offset), at = offset; at < end; at = table.contentOffset(block)) {
      const from = table.contentOffset(block)
      const next = table.contentOffset(block + 1)
      if (from < at || next > end) {
        this.#copyPartSync(block, at - from, into.subarray(at - offset, Math.min(next, end) - offset))
        block++
      } else {
        const last = this.#runEnd(block, end)
        this.#readRunSync(block, last, into.subarray(at - offset, table.contentOffset(last) - offset))
        block = last
      }
    }
  }

  /** The tar's bytes from `offset` on, in memory that becomes the caller's. */
  contentSync(offset: number, length: number): Buffer {
    const { table, cache } = this.#options
    const block = table.find(offset)
    const skip = offset - table.contentOffset(block)
    const bytes = table.contentBytes(block)
    // Most of a block: then its memory is the caller's, and nothing is copied
    const most = length >= bytes * mostOfBlock && skip + length <= bytes
    if (most && cache.get(block) === undefined)
      return this.#contentSync(block, cache.handedOut).subarray(skip, skip + length)
    const into = cache.handedOut.take(length)
    this.readSync(offset, into)
    return into
  }

  /** The same as `readSync` with the work on the thread pool. */
  async read(offset: number, into: Uint8Array): Promise<void> {
    const tasks = this.#tasks(offset, into)
    const failures: unknown[] = []
    const lane = async () => {
      for (const task of tasks) {
        if (failures.length > 0) return
        await task()
      }
    }
    const running = Array.from({ length: lanes }, () => lane().catch((error: unknown) => void failures.push(error)))
    await Promise.all(running)
    if (failures.length > 0) throw failures[0]
  }

  /** The steps of a read: partly wanted blocks through the cache, runs of whole ones straight to where they belong. */
  *#tasks(offset: number, into: Uint8Array): Generator<() => Promise<void>> {
    const { table } = this.#options
    const end = offset + into.length
    for (let block = table.find(offset), at = offset; at < end; ) {
      const first = block
      const from = table.contentOffset(first)
      const next = table.contentOffset(first + 1)
      if (from < at || next > end) {
        const part = into.subarray(at - offset, Math.min(next, end) - offset)
        const skip = at - from
        yield () => this.#copyPart(first, skip, part)
        block++
      } else {
        block = this.#runEnd(first, end)
        const last = block
        const part = into.subarray(at - offset, table.contentOffset(last) - offset)
        yield () => (this.#isDirect(first) ? this.#readDirect(first, part) : this.#readGroup(first, last, part))
      }
      at = table.contentOffset(block)
    }
  }

  #isDirect(block: number): boolean {
    const { table } = this.#options
    return table.contentBytes(block) >= directBytes && table.isStored(block)
  }

  /** Behind the last of the whole blocks that are read at once: one that goes where it belongs, or a group. */
  #runEnd(first: number, end: number): number {
    const { table } = this.#options
    let last = first + 1
    if (this.#isDirect(first)) return last
    while (
      last < table.count &&
      table.contentOffset(last + 1) <= end &&
      table.fileOffset(last + 1) - table.fileOffset(first) <= groupBytes &&
      !this.#isDirect(last)
    )
      last++
    return last
  }

  async #copyPart(block: number, skip: number, into: Uint8Array): Promise<void> {
    const { cache } = this.#options
    let content = cache.get(block)
    if (content === undefined) {
      let arriving = this.#arriving.get(block)
      if (arriving === undefined) {
        arriving = this.#fetch(block).finally(() => this.#arriving.delete(block))
        this.#arriving.set(block, arriving)
      }
      content = await arriving
    }
    into.set(content.subarray(skip, skip + into.length))
  }

  async #fetch(block: number): Promise<Buffer> {
    const { table, cache } = this.#options
    const content = Buffer.allocUnsafeSlow(table.contentBytes(block))
    if (table.isStored(block)) await this.#readDirect(block, content)
    else await this.#readGroup(block, block + 1, content)
    cache.set(block, content)
    return content
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

  #copyPartSync(block: number, skip: number, into: Uint8Array): void {
    const { cache } = this.#options
    let content = cache.get(block)
    if (content === undefined) {
      content = this.#contentSync(block, cache.kept)
      cache.set(block, content)
    }
    into.set(content.subarray(skip, skip + into.length))
  }

  /** A whole block, in memory of its own. */
  #contentSync(block: number, memory: SmallBuffers): Buffer {
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

  #readRunSync(first: number, end: number, into: Uint8Array): void {
    const { fd, path, table, cache, lz4 } = this.#options
    const begin = table.fileOffset(first)
    if (this.#isDirect(first)) {
      readAllSync(fd, into, begin + lengthBytes, path)
      this.#verify(first, into)
      return
    }
    const memory = cache.take()
    try {
      const stored = memory.subarray(0, table.fileOffset(end) - begin)
      readAllSync(fd, stored, begin, path)
      for (let block = first, at = 0; block < end; block++) {
        const part = into.subarray(at, (at += table.contentBytes(block)))
        const bytes = this.#verified(block, stored, begin)
        if (table.isStored(block)) part.set(bytes)
        else this.#decompressed(block, () => lz4.decompressSync(bytes, part))
      }
    } finally {
      cache.giveBack(memory)
    }
  }

  /** A block of a group that begins at `begin` of the file. */
  #verified(block: number, stored: Uint8Array, begin: number): Uint8Array {
    const { table } = this.#options
    const from = table.fileOffset(block) - begin + lengthBytes
    const bytes = stored.subarray(from, from + table.storedBytes(block))
    this.#verify(block, bytes)
    return bytes
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
