/**
 * Job: parts of the plan of a merged tree, made in the tree's directory. Several of these jobs work on the same parts, and each
 * takes the next one as long as there is one. Contents of a part lie together in their layer: each of its blocks is read once.
 */

import { constants, copyFileSync, linkSync, openSync, readSync } from 'node:fs'
import { printable, toBytes } from '../src/byte-string.js'
import { closeRead } from '../src/disk/descriptors.js'
import { isErrno, PhylloError, told } from '../src/errors.js'
import { BlockCache } from '../src/layerfile/block-cache.js'
import { ContentWindows } from '../src/layerfile/content-windows.js'
import { type LayerFile, openLayerFile } from '../src/layerfile/reader.js'
import { KiB } from '../src/limits.js'
import { loadSystemCalls } from '../src/native/load-system-calls.js'
import type { ContentSource, WriteTreeInput } from '../src/pool/jobs.js'
import { job } from '../src/pool/wire.js'
import { NotSetCounter } from '../src/unpack/not-set.js'
import { PlanBoard } from '../src/unpack/plan-board.js'
import { type PlannedNode, planNodes } from '../src/unpack/tree-plan.js'
import { type TreeContents, TreeWriter } from '../src/unpack/tree-writer.js'

export default job('write-tree', async (input, { progress }) => {
  const { tree, born, step, sync } = input
  const contents = await Contents.open(input)
  let bytes = 0
  try {
    const notSet = new NotSetCounter()
    const onBytes = (count: number) => progress((bytes += count))
    const calls = await loadSystemCalls()
    const writer = new TreeWriter({ tree, born, contents, calls, notSet, sync, onBytes })
    for (const part of takeParts(input, () => progress(bytes))) {
      if (step === 'nodes') contents.expect(part)
      if (step === 'directories') for (const node of part) writer.makeDirectory(node)
      else if (step === 'nodes') for (const node of part) writer.make(node)
      else for (const node of part.reverse()) writer.finishDirectory(node)
      progress(bytes)
      // Where there is no thread of our own, others get their turn
      await new Promise(resolve => setImmediate(resolve))
    }
    return { ...writer.written, notSet: notSet.counts }
  } finally {
    await contents.close()
  }
})

function* takeParts({ plan, board }: WriteTreeInput, look: () => void): Generator<PlannedNode[], void, void> {
  const parts = new PlanBoard(board)
  const fd = openSync(plan, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    for (let part = parts.take(look); part !== undefined; part = parts.take(look)) {
      const { from, to } = part
      const bytes = Buffer.allocUnsafe(to - from)
      for (let done = 0; done < bytes.length; ) {
        const got = readSync(fd, bytes, done, bytes.length - done, from + done)
        if (got === 0) throw new RangeError(`the plan ends at byte ${from + done}`)
        done += got
      }
      yield [...planNodes(bytes)]
    }
  } finally {
    closeRead(fd)
  }
}

/** Read at once from a file of a `diff`. */
const fileBytes = 256 * KiB

class Contents implements TreeContents {
  readonly #sources: readonly ContentSource[]
  readonly #layers: readonly (LayerFile | undefined)[]
  /** How a file can share its content; not any more, once it could not. */
  #links: WriteTreeInput['links']
  readonly #windows: ContentWindows
  /** For files of a `diff`. */
  #buffer: Buffer | undefined
  /** The one that is being read. */
  #open: { readonly node: PlannedNode; readonly fd: number } | undefined

  private constructor({ sources, links }: WriteTreeInput, layers: readonly (LayerFile | undefined)[]) {
    this.#sources = sources
    this.#links = links
    this.#layers = layers
    this.#windows = new ContentWindows(layers)
  }

  static async open(input: WriteTreeInput): Promise<Contents> {
    const layers: (LayerFile | undefined)[] = []
    const contents = new Contents(input, layers)
    const cache = new BlockCache()
    try {
      if (input.step === 'nodes')
        for (const source of input.sources)
          layers.push('layerFile' in source ? await openLayerFile(source.layerFile, { cache }) : undefined)
      return contents
    } catch (error) {
      await contents.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closeFile()
    for (const layer of this.#layers) await layer?.close()
  }

  /** The nodes that are to be made next. */
  expect(nodes: readonly PlannedNode[]): void {
    this.#windows.expect(nodes)
  }

  read(node: PlannedNode, position: number): Buffer {
    const inLayer = this.#layers[node.source] !== undefined
    const bytes = inLayer ? this.#windows.bytes(node, position) : this.#readFile(node, position)
    if (bytes.length > 0) return bytes
    const reason = `its content ends after ${position} of ${node.sizeBytes} bytes`
    throw new PhylloError('SIZE_MISMATCH', `${printable(`/${node.path}`)}: ${reason}`, {
      path: this.#pathOf(node).path,
    })
  }

  share(node: PlannedNode, path: string | Buffer): 'linked' | 'cloned' | false {
    if (this.#links === undefined || this.#layers[node.source] !== undefined) return false
    try {
      if (this.#links === 'hardlink') {
        linkSync(this.#pathOf(node).bytes, path)
        return 'linked'
      }
      // By its descriptor: a copy by path would follow a symlink
      const from = `/proc/self/fd/${this.#file(node)}`
      copyFileSync(from, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE)
      return 'cloned'
    } catch (error) {
      if (!isErrno(error, 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY', 'EINVAL', 'EPERM', 'EMLINK'))
        throw error
      // One file that has too many names says nothing of others
      if (error.code !== 'EMLINK') this.#links = undefined
      return false
    }
  }

  #readFile(node: PlannedNode, position: number): Buffer {
    const fd = this.#file(node)
    this.#buffer ??= Buffer.allocUnsafeSlow(fileBytes)
    const into = this.#buffer.subarray(0, Math.min(fileBytes, node.sizeBytes - position))
    return into.subarray(
      0,
      this.#ofStore('read', node, () => readSync(fd, into, 0, into.length, position)),
    )
  }

  /** One at a time: nodes are read one after the other. */
  #file(node: PlannedNode): number {
    if (this.#open?.node === node) return this.#open.fd
    this.#closeFile()
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const fd = this.#ofStore('open', node, () => openSync(this.#pathOf(node).bytes, flags))
    this.#open = { node, fd }
    return fd
  }

  #ofStore<T>(operation: string, node: PlannedNode, call: () => T): T {
    const { path } = this.#pathOf(node)
    return told('STORE_IO', { operation, path, said: `${operation} ${path}` }, call)
  }

  #closeFile(): void {
    if (this.#open !== undefined) closeRead(this.#open.fd)
    this.#open = undefined
  }

  /** A lower layer has a file under the very path that it shows. */
  #pathOf({ source, path }: PlannedNode): { readonly path: string; readonly bytes: Buffer } {
    const from = this.#sources[source]!
    if ('layerFile' in from) return { path: from.layerFile, bytes: Buffer.from(from.layerFile) }
    return {
      path: `${from.diff}/${printable(path)}`,
      bytes: Buffer.concat([Buffer.from(`${from.diff}/`), toBytes(path)]),
    }
  }
}
