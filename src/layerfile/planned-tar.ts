/**
 * The tar of a planned layer: headers as the plan says, contents out of the files and layer files where they lie.
 *
 * Invariant: what was opened for it is closed when it ends, however it ends.
 */

import { constants, openSync, readSync } from 'node:fs'
import { type ByteString, printable, toBytes } from '../byte-string.js'
import { closeRead } from '../disk/descriptors.js'
import { callError, PhylloError } from '../errors.js'
import { chunkBytes } from '../limits.js'
import { type PlannedEntry, planEntries } from '../tar/layer-plan.js'
import { endOfArchive, entryHeader, paddingOf } from '../tar/layer-writer.js'
import { BlockCache } from './block-cache.js'
import { type LayerFile, openLayerFile } from './reader.js'

/** `plan`: the bytes of the plan as they come. Chunks all stand in the same memory: each is the consumer's until it asks for the next. */
export async function* plannedTar(plan: Parameters<typeof planEntries>[0]): AsyncGenerator<Buffer, void, void> {
  const contents = new Contents()
  try {
    yield* tarOf(planEntries(plan), contents)
  } finally {
    await contents.close()
  }
}

async function* tarOf(entries: AsyncIterable<PlannedEntry>, contents: Contents): AsyncGenerator<Buffer, void, void> {
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  let filled = 0
  const full = () => {
    filled = 0
    return buffer
  }
  for await (const entry of entries) {
    const header = entryHeader(entry)
    for (let at = 0; at < header.length; ) {
      const count = header.copy(buffer, filled, at)
      at += count
      if ((filled += count) === buffer.length) yield full()
    }
    for (let at = 0; at < entry.sizeBytes; ) {
      const most = Math.min(buffer.length - filled, entry.sizeBytes - at)
      const count = await contents.read(entry, at, buffer.subarray(filled, filled + most))
      at += count
      if ((filled += count) === buffer.length) yield full()
    }
    // Headers, contents with their padding and the buffer are all whole blocks
    const padding = paddingOf(entry.sizeBytes)
    buffer.fill(0, filled, filled + padding)
    if ((filled += padding) === buffer.length) yield full()
  }
  if (filled > 0) yield buffer.subarray(0, filled)
  yield endOfArchive
}

/** Files that are open at once: contents of a large tree may each have one of their own. */
const filesAtOnce = 64

class Contents {
  readonly #cache = new BlockCache()
  readonly #layers = new Map<string, LayerFile>()
  readonly #files = new Map<ByteString, number>()

  /** Fills some of `into`, at least a byte. */
  async read({ name, content, sizeBytes }: PlannedEntry, position: number, into: Buffer): Promise<number> {
    if (content === undefined) throw new RangeError(`${printable(name)}: the plan has no content for it`)
    const count =
      'layer' in content
        ? (await this.#layer(content.layer)).readSync(content.inode, position, into)
        : this.#readFile(content.file, content.offset + position, into)
    if (count > 0) return count
    const path = 'layer' in content ? content.layer : printable(content.file)
    const reason = `its content ends after ${position} of ${sizeBytes} bytes`
    throw new PhylloError('SIZE_MISMATCH', `${printable(name)}: ${reason}`, { path })
  }

  async close(): Promise<void> {
    for (const fd of this.#files.values()) closeRead(fd)
    for (const layer of this.#layers.values()) await layer.close()
  }

  async #layer(path: string): Promise<LayerFile> {
    const open = this.#layers.get(path)
    if (open !== undefined) return open
    const layer = await openLayerFile(path, { cache: this.#cache })
    this.#layers.set(path, layer)
    return layer
  }

  #readFile(path: ByteString, offset: number, into: Buffer): number {
    try {
      return readSync(this.#open(path), into, 0, into.length, offset)
    } catch (cause) {
      throw callError('STORE_IO', cause, { operation: 'read', path: printable(path) })
    }
  }

  #open(path: ByteString): number {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    if (this.#files.size >= filesAtOnce) {
      const [oldest, fd] = this.#files.entries().next().value!
      this.#files.delete(oldest)
      closeRead(fd)
    }
    const fd = openSync(toBytes(path), constants.O_RDONLY | constants.O_NOFOLLOW)
    this.#files.set(path, fd)
    return fd
  }
}
