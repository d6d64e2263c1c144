/**
 * An open layer file: two reads at opening, one for the footer and one for the index; then metadata is in memory and
 * contents are read block by block.
 *
 * Invariants:
 * - Nothing is believed that was not compared with its checksum: footer and index at opening, blocks when they are read.
 * - The file is closed only when no asynchronous read is under way.
 */
import { close, constants, open } from 'node:fs'
import { PhylloError } from '../errors.js'
import type { DiffId } from '../oci/digest.js'
import { BlockCache, type FileBlocks } from './block-cache.js'
import { BlockReader } from './block-reader.js'
import type { Checksums } from './checksum.js'
import { ioError, readAll } from './file-io.js'
import { readFooter, verifySection } from './footer-reader.js'
import { type Footer, requireLittleEndian, sectionNames } from './format.js'
import { LayerIndex } from './layer-index.js'

export interface OpenLayerOptions {
  /** Shared by as many files as one likes; by default one of its own, 8 MiB. */
  readonly cache?: BlockCache
}

/** Throws STORE_CORRUPT, STORE_VERSION or STORE_IO, naming the file. */
export async function openLayerFile(
  path: string,
  { cache = new BlockCache() }: OpenLayerOptions = {},
): Promise<LayerFile> {
  requireLittleEndian()
  const [lz4, checksums] = await cache.codecs()
  const fd = await openFd(path)
  try {
    const footer = await readFooter(fd, path, checksums)
    const index = await readIndex(fd, path, footer, checksums)
    const blocks = cache.openFile()
    const reader = new BlockReader({ fd, path, table: index.blocks, lz4, checksums, cache: blocks })
    return new LayerFile({ path, fd, footer, index, reader, blocks })
  } catch (error) {
    await closeFd(fd)
    throw error
  }
}

interface Parts {
  readonly path: string
  readonly fd: number
  readonly footer: Footer
  readonly index: LayerIndex
  readonly reader: BlockReader
  readonly blocks: FileBlocks
}

export class LayerFile {
  readonly path: string
  readonly index: LayerIndex
  readonly diffId: DiffId
  readonly tarBytes: number
  /** Docker's layer size; see WrittenLayer. */
  readonly sizeBytes: number
  readonly entries: number
  readonly #parts: Parts
  readonly #underWay = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.path = parts.path
    this.index = parts.index
    this.diffId = parts.footer.diffId
    this.tarBytes = parts.footer.tarBytes
    this.sizeBytes = parts.footer.sizeBytes
    this.entries = parts.footer.entries
  }

  /** Content of a file from `position` on; the answer is how many bytes there were for `into`. */
  readSync(inode: number, position: number, into: Uint8Array): number {
    const wanted = this.#within(this.index.isFile(inode) ? this.index.sizeBytes(inode) : 0, position, into)
    this.#requireOpen()
    if (wanted.length > 0) this.#parts.reader.readSync(this.index.contentOffset(inode) + position, wanted)
    return wanted.length
  }

  /** The whole content of a file, in memory that becomes the caller's; undefined if it is longer than `most`. */
  contentSync(inode: number, most: number): Buffer | undefined {
    this.#requireOpen()
    const length = this.index.isFile(inode) ? this.index.sizeBytes(inode) : 0
    if (length > most) return undefined
    return length === 0 ? Buffer.alloc(0) : this.#parts.reader.contentSync(this.index.contentOffset(inode), length)
  }

  /** `readSync` off this thread. */
  async read(inode: number, position: number, into: Uint8Array): Promise<number> {
    const wanted = this.#within(this.index.isFile(inode) ? this.index.sizeBytes(inode) : 0, position, into)
    this.#requireOpen()
    if (wanted.length > 0) await this.#track(this.index.contentOffset(inode) + position, wanted)
    return wanted.length
  }

  /** Bytes of the tar. Ask for the next ones before these are there: each read is made at once. */
  async readTar(position: number, into: Uint8Array): Promise<number> {
    const wanted = this.#within(this.tarBytes, position, into)
    this.#requireOpen()
    if (wanted.length > 0) await this.#track(position, wanted)
    return wanted.length
  }

  /** `readTar` on this thread. */
  readTarSync(position: number, into: Uint8Array): number {
    const wanted = this.#within(this.tarBytes, position, into)
    this.#requireOpen()
    if (wanted.length > 0) this.#parts.reader.readSync(position, wanted)
    return wanted.length
  }

  /** Waits for reads that are under way. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay)
    this.#parts.blocks.drop()
    await closeFd(this.#parts.fd)
  }

  async #track(offset: number, into: Uint8Array): Promise<void> {
    this.#requireOpen()
    const reading = this.#parts.reader.read(offset, into)
    this.#underWay.add(reading)
    try {
      await reading
    } finally {
      this.#underWay.delete(reading)
    }
  }

  #within(sizeBytes: number, position: number, into: Uint8Array): Uint8Array {
    if (!Number.isInteger(position) || position < 0) throw new TypeError(`position: ${position} is not a whole number`)
    return into.subarray(0, Math.max(0, Math.min(into.length, sizeBytes - position)))
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new PhylloError('STORE_CLOSED', `${this.path}: used after close()`)
  }
}

async function readIndex(fd: number, path: string, footer: Footer, checksums: Checksums): Promise<LayerIndex> {
  const bytes = Buffer.allocUnsafeSlow(footer.indexBytes)
  await readAll(fd, bytes, footer.indexOffset, path)
  for (const name of sectionNames) {
    const { offset, length } = footer.sections[name]
    verifySection(bytes.subarray(offset, offset + length), name, path, footer, checksums)
    if (length > longSection) await new Promise(resolve => setImmediate(resolve))
  }
  return new LayerIndex(bytes, footer)
}

/** After a section like this others get their turn. */
const longSection = 1 << 20

function openFd(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, constants.O_RDONLY, (cause, fd) => {
      if (cause) reject(ioError('open', path, cause))
      else resolve(fd)
    })
  })
}

/** That closing fails takes nothing away from what was read. */
function closeFd(fd: number): Promise<void> {
  return new Promise(resolve => close(fd, () => resolve()))
}
