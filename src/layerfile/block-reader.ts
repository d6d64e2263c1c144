/**
 * Reads bytes of the tar out of the blocks of an open layer file.
 *
 * Invariants:
 * - Every block that comes from the disk is compared with its checksum before any byte of it counts as read. After an
 *   error what the destination holds is undefined.
 * - An asynchronous read settles only when nothing writes to its destination any more.
 * - Asynchronous reads hold the calling thread for a few hundred microseconds at a stretch: large blocks are
 *   decompressed on the thread pool.
 */
import type { PhylloError } from '../errors.js'
import { KiB } from '../limits.js'
import type { Lz4 } from '../native/lz4.js'
import type { FileBlocks } from './block-cache.js'
import type { BlockTable } from './block-table.js'
import type { Checksums } from './checksum.js'
import { readAll, readAllSync } from './file-io.js'
import { corrupt } from './format.js'
import { lengthBytes } from './frame.js'

/** Stored bytes that one read takes from the disk. */
const groupBytes = 512 * KiB
/** Groups of one read that are under way at a time. */
const lanes = 4
/** Blocks up to this are decompressed where we are: the thread pool would cost more. */
const smallContent = 32 * KiB
/** Stored blocks from here on are read to where they belong, and not copied there. */
const directBytes = 64 * KiB

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
    const { table, cache } = this.#options
    const end = offset + into.length
    for (let block = table.find(offset), at = offset; at < end; block++) {
      const from = table.contentOffset(block)
      const size = table.contentBytes(block)
      const count = Math.min(from + size, end) - at
      const part = into.subarray(at - offset, at - offset + count)
      if (count === size) this.#readWhole(block, part)
      else {
        let content = cache.get(block)
        if (content === undefined) {
          content = Buffer.allocUnsafeSlow(size)
          this.#readWhole(block, content)
          cache.set(block, content)
        }
        part.set(content.subarray(at - from, at - from + count))
      }
      at += count
    }
  }

  /** The same with the work on the thread pool. */
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
      } else if (table.isStored(first) && next - from >= directBytes) {
        const part = into.subarray(at - offset, next - offset)
        yield () => this.#readDirect(first, part)
        block++
      } else {
        block = this.#groupEnd(first, end)
        const last = block
        const part = into.subarray(at - offset, table.contentOffset(last) - offset)
        yield () => this.#readGroup(first, last, part)
      }
      at = table.contentOffset(block)
    }
  }

  #groupEnd(first: number, end: number): number {
    const { table } = this.#options
    let last = first + 1
    while (
      last < table.count &&
      table.contentOffset(last + 1) <= end &&
      table.fileOffset(last + 1) - table.fileOffset(first) <= groupBytes &&
      !(table.isStored(last) && table.contentBytes(last) >= directBytes)
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
    const { fd, path, table } = this.#options
    const begin = table.fileOffset(first)
    const stored = Buffer.allocUnsafeSlow(table.fileOffset(end) - begin)
    await readAll(fd, stored, begin, path)
    const elsewhere: Promise<void>[] = []
    const failures: unknown[] = []
    for (let block = first, at = 0; block < end && failures.length === 0; block++) {
      const size = table.contentBytes(block)
      const from = table.fileOffset(block) - begin + lengthBytes
      const bytes = stored.subarray(from, from + table.storedBytes(block))
      const part = into.subarray(at, at + size)
      at += size
      try {
        this.#verify(block, bytes)
        if (table.isStored(block)) part.set(bytes)
        else if (size <= smallContent) this.#decompress(block, bytes, part)
        else elsewhere.push(this.#decompressElsewhere(block, bytes, part).catch(error => void failures.push(error)))
      } catch (error) {
        failures.push(error)
      }
    }
    await Promise.all(elsewhere)
    if (failures.length > 0) throw failures[0]
  }

  #readWhole(block: number, into: Uint8Array): void {
    const { fd, path, table } = this.#options
    if (table.isStored(block)) {
      readAllSync(fd, into, table.fileOffset(block) + lengthBytes, path)
      this.#verify(block, into)
      return
    }
    const stored = Buffer.allocUnsafeSlow(lengthBytes + table.storedBytes(block))
    readAllSync(fd, stored, table.fileOffset(block), path)
    const bytes = stored.subarray(lengthBytes)
    this.#verify(block, bytes)
    this.#decompress(block, bytes, into)
  }

  #verify(block: number, stored: Uint8Array): void {
    const { table, checksums, path } = this.#options
    if (!table.matches(block, checksums.xxh64(stored)))
      throw corrupt(path, `block ${block} does not have its checksum`, { offset: table.fileOffset(block) })
  }

  #decompress(block: number, stored: Uint8Array, into: Uint8Array): void {
    try {
      this.#options.lz4.decompressSync(stored, into)
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
