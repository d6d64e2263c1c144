/**
 * Reads bytes of the tar out of the blocks of an open layer file.
 *
 * Invariants:
 * - After an error what the destination holds is undefined.
 * - An asynchronous read settles only when nothing writes to its destination any more.
 */
import { groupBytes } from './block-cache.js'
import { BlockContents, type BlockContentsOptions } from './block-contents.js'

/**
 * Groups of one read that are under way at a time, each with one call on the thread pool: more would take the cores
 * away from the thread that has to verify and hand on.
 */
const lanes = 2
/** Who wants this share of a block alone gets its memory: what else is in it is not kept for others. */
const mostOfBlock = 3 / 4

export class BlockReader {
  readonly #options: Pick<BlockContentsOptions, 'table' | 'cache'>
  readonly #contents: BlockContents
  /** Blocks that are being read for the cache. */
  readonly #arriving = new Map<number, Promise<Buffer>>()

  constructor(options: BlockContentsOptions) {
    this.#options = options
    this.#contents = new BlockContents(options)
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
        this.#contents.runSync(block, last, into.subarray(at - offset, table.contentOffset(last) - offset))
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
      return this.#contents.oneSync(block, cache.handedOut).subarray(skip, skip + length)
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
        yield () => this.#contents.run(first, last, part)
      }
      at = table.contentOffset(block)
    }
  }

  /** Behind the last of the whole blocks that are read at once: one that goes where it belongs, or a group. */
  #runEnd(first: number, end: number): number {
    const { table } = this.#options
    let last = first + 1
    if (this.#contents.isDirect(first)) return last
    while (
      last < table.count &&
      table.contentOffset(last + 1) <= end &&
      table.fileOffset(last + 1) - table.fileOffset(first) <= groupBytes &&
      !this.#contents.isDirect(last)
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
    const content = await this.#contents.one(block)
    this.#options.cache.set(block, content)
    return content
  }

  #copyPartSync(block: number, skip: number, into: Uint8Array): void {
    const { cache } = this.#options
    let content = cache.get(block)
    if (content === undefined) {
      content = this.#contents.oneSync(block, cache.kept)
      cache.set(block, content)
    }
    into.set(content.subarray(skip, skip + into.length))
  }
}
