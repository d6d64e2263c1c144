/**
 * A tar in, a layer file out, in one pass: the bytes are hashed, scanned and cut into blocks as they pass, the tree of
 * the entries is kept in columns and written behind them, and the frame's header, which names the content's size, last.
 *
 * Memory: the slabs of block contents, and about 100 bytes an entry.
 */
import { createHash } from 'node:crypto'
import { withFacts } from '../errors.js'
import { KiB, type Limits, limitError, MiB, smallBlockBytes } from '../limits.js'
import { loadLz4 } from '../native/lz4.js'
import type { DiffId } from '../oci/digest.js'
import type { BlockCompression } from '../pool/jobs.js'
import { TarScanner } from '../tar/scanner.js'
import { TreeBuilder } from '../tar/tree/tree-builder.js'
import { type Block, BlockCutter } from './block-cutter.js'
import { BlockWriter } from './block-writer.js'
import { type Checksums, loadChecksums } from './checksum.js'
import { writeAllSync } from './file-io.js'
import { requireLittleEndian } from './format.js'
import { frameHeader } from './frame.js'
import { writeIndex } from './index-writer.js'
import { Slabs } from './slabs.js'
import { TreeIndex } from './tree-index.js'

export interface WriteLayerOptions {
  /** Open for writing, of an empty file. Not closed. */
  readonly fd: number
  /** What is being read, for messages. */
  readonly label: string
  readonly compression: BlockCompression
  readonly limits: Limits
  /** By way of which other threads may help: see block-ring.ts. */
  readonly ring?: SharedArrayBuffer
  /** Called after each chunk with the bytes of tar so far. What it throws ends the work. */
  readonly onProgress?: (tarBytes: number) => void
  /** Aim for the blocks that small entries share, bytes. */
  readonly smallBlockBytes?: number
}

export interface WrittenLayer {
  readonly diffId: DiffId
  readonly tarBytes: number
  /** Docker's layer size: bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  /** Entries of the tar. */
  readonly entries: number
  readonly fileBytes: number
  readonly warnings: readonly string[]
}

/** Bytes of content that may wait because they lie in two chunks. */
const gatheredMemory = 5 * MiB
/** Bytes that are hashed between two looks at the blocks. */
const hashStep = 256 * KiB

/**
 * A chunk of `source` is read until the next one is asked for, never after. Throws what the source throws, the errors
 * of the scanner and the tree (naming `label`), and STORE_IO. The file is of no use then.
 */
export async function writeLayerFile(
  source: AsyncIterable<Uint8Array>,
  options: WriteLayerOptions,
): Promise<WrittenLayer> {
  requireLittleEndian()
  const [lz4, checksums] = await Promise.all([options.compression === 'lz4' ? loadLz4() : undefined, loadChecksums()])
  const { fd, label, ring } = options
  const blocks = new BlockWriter({ fd, label, checksums, lz4, ...(ring && { ring }) })
  try {
    const pass = new Pass(options, blocks)
    for await (const chunk of source) await pass.take(chunk)
    return await pass.finish(checksums)
  } finally {
    blocks.close()
  }
}

class Pass {
  readonly #options: WriteLayerOptions
  readonly #gathered = new Slabs(gatheredMemory)
  readonly #blocks: BlockWriter
  readonly #hash = createHash('sha256')
  readonly #tree: TreeBuilder
  readonly #cutter: BlockCutter
  readonly #scanner: TarScanner
  #tarBytes = 0

  constructor(options: WriteLayerOptions, blocks: BlockWriter) {
    this.#options = options
    this.#blocks = blocks
    const { limits } = options
    this.#tree = new TreeBuilder(limits)
    this.#cutter = new BlockCutter(this.#gathered, options.smallBlockBytes ?? smallBlockBytes[options.compression])
    this.#scanner = new TarScanner({
      limits,
      onEntry: entry => {
        this.#tree.add(entry)
        this.#cutter.entry(entry.headerOffset, entry.contentOffset, entry.sizeBytes)
      },
    })
  }

  async take(chunk: Uint8Array): Promise<void> {
    const { label, limits, onProgress } = this.#options
    const tarBytes = this.#tarBytes + chunk.length
    if (tarBytes > limits.layerBytes)
      throw limitError('layerBytes', limits.layerBytes, tarBytes, `${label}: bytes of the layer`)
    this.#scan(() => this.#scanner.push(chunk))
    this.#work(chunk, this.#cutter.push(chunk))
    this.#blocks.letGoOfChunk()
    // Without a turn of the event loop now and then, memory that native code handed out is not taken back.
    await new Promise(resolve => setImmediate(resolve))
    this.#tarBytes = tarBytes
    onProgress?.(tarBytes)
  }

  async finish(checksums: Checksums): Promise<WrittenLayer> {
    const { fd, label, limits } = this.#options
    this.#scan(() => this.#scanner.end())
    const last = this.#cutter.end()
    if (last !== undefined) this.#work(new Uint8Array(0), [last])
    const frameEnd = this.#blocks.end()
    const tarBytes = this.#tarBytes
    const { entries, warnings } = this.#tree
    const tree = new TreeIndex(this.#tree)
    if (tree.mostLinks > limits.hardLinks)
      throw limitError('hardLinks', limits.hardLinks, tree.mostLinks, `${label}: names of one inode`)
    const diffId = `sha256:${this.#hash.digest('hex')}` as DiffId
    const facts = { diffId, tarBytes, sizeBytes: tree.sizeBytes, entries, frameEnd }
    const fileBytes = writeIndex({ fd, label, checksums, facts, blocks: this.#blocks.rows, tree })
    writeAllSync(fd, [await frameHeader(tarBytes)], 0, label)
    return { diffId, tarBytes, sizeBytes: tree.sizeBytes, entries, fileBytes, warnings: warnings.list() }
  }

  /** Hashes the chunk and has its blocks compressed; what others do meanwhile is looked at now and then. */
  #work(chunk: Uint8Array, blocks: readonly Block[]): void {
    let hashed = 0
    const hash = () => {
      this.#hash.update(chunk.subarray(hashed, hashed + hashStep))
      hashed += hashStep
    }
    for (const block of blocks)
      while (!this.#blocks.offer(block)) {
        if (hashed < chunk.length) hash()
        else this.#blocks.advance()
      }
    while (hashed < chunk.length) hash()
  }

  #scan(work: () => void): void {
    try {
      work()
    } catch (error) {
      throw withFacts(error, { member: this.#options.label }, this.#options.label)
    }
  }
}
