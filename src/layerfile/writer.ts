/**
 * A tar in, a layer file out, in one pass: the bytes are hashed, scanned and cut into blocks as they pass, the tree of
 * the entries is kept in columns and written behind them, and the frame's header, which names the content's size, last.
 *
 * Memory: the slabs of block contents, and about 100 bytes an entry.
 */
import { KiB, MiB, smallBlockBytes } from '../limits.js'
import { loadLz4 } from '../native/lz4.js'
import type { BlockCompression } from '../pool/jobs.js'
import { type Block, BlockCutter } from './block-cutter.js'
import { BlockWriter } from './block-writer.js'
import { type Checksums, loadChecksums } from './checksum.js'
import { requireLittleEndian } from './format.js'
import { Slabs } from './slabs.js'
import { TarPass, type TarPassOptions, type WrittenLayer } from './tar-pass.js'

export interface WriteLayerOptions extends TarPassOptions {
  readonly compression: BlockCompression
  /** By way of which other threads may help: see compression/block-ring.ts. */
  readonly ring?: SharedArrayBuffer
  /** Called after each chunk with the bytes of tar so far. What it throws ends the work. */
  readonly onProgress?: (tarBytes: number) => void
  /** Aim for the blocks that small entries share, bytes. */
  readonly smallBlockBytes?: number
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
  const { fd, label, path = label, ring } = options
  const blocks = new BlockWriter({ fd, path, checksums, lz4, ...(ring && { ring }) })
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
  readonly #cutter: BlockCutter
  readonly #tar: TarPass

  constructor(options: WriteLayerOptions, blocks: BlockWriter) {
    this.#options = options
    this.#blocks = blocks
    this.#cutter = new BlockCutter(this.#gathered, options.smallBlockBytes ?? smallBlockBytes[options.compression])
    this.#tar = new TarPass(options, entry =>
      this.#cutter.entry(entry.headerOffset, entry.contentOffset, entry.sizeBytes),
    )
  }

  async take(chunk: Uint8Array): Promise<void> {
    this.#tar.scan(chunk)
    this.#work(chunk, this.#cutter.push(chunk))
    this.#blocks.letGoOfChunk()
    // Without a turn of the event loop now and then, memory that native code handed out is not taken back.
    await new Promise(resolve => setImmediate(resolve))
    this.#options.onProgress?.(this.#tar.tarBytes)
  }

  async finish(checksums: Checksums): Promise<WrittenLayer> {
    this.#tar.end()
    const last = this.#cutter.end()
    if (last !== undefined) this.#work(new Uint8Array(0), [last])
    const frameEnd = this.#blocks.end()
    return await this.#tar.finish(frameEnd, this.#blocks.rows, checksums)
  }

  /** Hashes the chunk and has its blocks compressed; what others do meanwhile is looked at now and then. */
  #work(chunk: Uint8Array, blocks: readonly Block[]): void {
    let hashed = 0
    const hash = () => {
      this.#tar.hash(chunk.subarray(hashed, hashed + hashStep))
      hashed += hashStep
    }
    for (const block of blocks)
      while (!this.#blocks.offer(block)) {
        if (hashed < chunk.length) hash()
        else this.#blocks.advance()
      }
    while (hashed < chunk.length) hash()
  }
}
