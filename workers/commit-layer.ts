/** Job: the layer of a container's changes. One pass over its plan: headers and contents → hash → scan → layer file in the stage. */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { printable } from '../src/byte-string.js'
import { readRange } from '../src/disk/read-range.js'
import { PhylloError } from '../src/errors.js'
import { BlockCache } from '../src/layerfile/block-cache.js'
import { type LayerFile, openLayerFile } from '../src/layerfile/reader.js'
import { writeLayerFile } from '../src/layerfile/writer.js'
import { chunkBytes } from '../src/limits.js'
import { job } from '../src/pool/wire.js'
import { type PlannedEntry, planEntries } from '../src/tar/layer-plan.js'
import { endOfArchive, entryHeader, paddingOf } from '../src/tar/layer-writer.js'

export default job('commit-layer', async ({ plan, target, label, compression, limits }, context) => {
  const contents = new Contents()
  const fd = openSync(target, 'wx', 0o600)
  try {
    const tar = tarOf(planEntries(readRange(plan, label)), contents)
    const { memory, progress } = context
    const onProgress = (bytes: number) => progress(bytes)
    return await writeLayerFile(tar, { fd, label, compression, limits, onProgress, ...(memory && { ring: memory }) })
  } finally {
    closeSync(fd)
    await contents.close()
  }
})

/** The whole tar, in chunks that all stand in the same memory: each is the consumer's until it asks for the next one. */
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
  readonly #files = new Map<string, number>()

  /** Fills some of `into`, at least a byte. */
  async read({ name, content, sizeBytes }: PlannedEntry, position: number, into: Buffer): Promise<number> {
    if (content === undefined) throw new RangeError(`${printable(name)}: the plan has no content for it`)
    const count =
      'layer' in content
        ? (await this.#layer(content.layer)).readSync(content.inode, position, into)
        : this.#readFile(content.file, content.offset + position, into)
    if (count > 0) return count
    const path = 'layer' in content ? content.layer : content.file
    const reason = `its content ends after ${position} of ${sizeBytes} bytes`
    throw new PhylloError('SIZE_MISMATCH', `${printable(name)}: ${reason}`, { path })
  }

  async close(): Promise<void> {
    for (const fd of this.#files.values()) closeSync(fd)
    for (const layer of this.#layers.values()) await layer.close()
  }

  async #layer(path: string): Promise<LayerFile> {
    const open = this.#layers.get(path)
    if (open !== undefined) return open
    const layer = await openLayerFile(path, { cache: this.#cache })
    this.#layers.set(path, layer)
    return layer
  }

  #readFile(path: string, offset: number, into: Buffer): number {
    try {
      return readSync(this.#open(path), into, 0, into.length, offset)
    } catch (cause) {
      throw new PhylloError('STORE_IO', `${path}: cannot be read: ${(cause as Error).message}`, {
        operation: 'read',
        path,
        cause,
      })
    }
  }

  #open(path: string): number {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    if (this.#files.size >= filesAtOnce) {
      const [oldest, fd] = this.#files.entries().next().value!
      this.#files.delete(oldest)
      closeSync(fd)
    }
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    this.#files.set(path, fd)
    return fd
  }
}
