/**
 * Whether every byte of a layer file is what a writer would have written there: nothing is repaired, nothing is given out.
 *
 * Invariant: with `full` every byte of the file counts: header, length words, blocks, end mark, paddings, sections, footer. Without,
 * all but the blocks and their length words.
 */

import { createHash } from 'node:crypto'
import { lstatSync, openSync } from 'node:fs'
import { closeRead } from '../disk/descriptors.js'
import { PhylloError } from '../errors.js'
import { blockBytes, chunkBytes } from '../limits.js'
import { type Lz4, loadLz4 } from '../native/lz4.js'
import type { DiffId } from '../oci/digest.js'
import type { ContentDamage } from '../pool/jobs.js'
import { BlockTable } from './block-table.js'
import { type Checksums, loadChecksums } from './checksum.js'
import { ioError, readAllSync } from './file-io.js'
import { readFooter, readSection } from './footer-reader.js'
import { type Footer, indexMagic, requireLittleEndian, sectionNames, skippableHeaderBytes } from './format.js'
import { endMarkBytes, frameHeader, frameHeaderBytes, lengthBytes, storedBit } from './frame.js'

export interface CheckFileOptions {
  readonly diffId: DiffId
  /** Also the blocks. */
  readonly full: boolean
  /** Awaited after so many more bytes were read. */
  readonly pace: (bytes: number) => Promise<void>
}

export interface CheckedFile {
  readonly damage: readonly ContentDamage[]
  /** Docker's size, as the footer says; undefined when there is no footer. */
  readonly sizeBytes: number | undefined
}

/** Throws STORE_IO, and STORE_VERSION for a newer file. */
export async function checkLayerFile(path: string, options: CheckFileOptions): Promise<CheckedFile> {
  requireLittleEndian()
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile())
    return { damage: [{ part: 'missing', path, reason: 'is not there' }], sizeBytes: undefined }
  const fd = openFile(path)
  try {
    return await new FileCheck(fd, path, options, await loadChecksums(), await loadLz4()).run()
  } finally {
    closeRead(fd)
  }
}

class FileCheck {
  readonly #fd: number
  readonly #path: string
  readonly #options: CheckFileOptions
  readonly #checksums: Checksums
  readonly #lz4: Lz4
  readonly #damage: ContentDamage[] = []

  constructor(fd: number, path: string, options: CheckFileOptions, checksums: Checksums, lz4: Lz4) {
    this.#fd = fd
    this.#path = path
    this.#options = options
    this.#checksums = checksums
    this.#lz4 = lz4
  }

  async run(): Promise<CheckedFile> {
    const footer = await this.#told('index', () => readFooter(this.#fd, this.#path, this.#checksums))
    if (footer === undefined) return { damage: this.#damage, sizeBytes: undefined }
    if (footer.diffId !== this.#options.diffId) this.#tell('index', `the footer is that of ${footer.diffId}`)
    const table = await this.#index(footer)
    if (table !== undefined) await this.#frame(footer, table)
    return { damage: this.#damage, sizeBytes: footer.sizeBytes }
  }

  #tell(part: ContentDamage['part'], reason: string): void {
    this.#damage.push({ part, path: this.#path, reason })
  }

  async #told<T>(part: ContentDamage['part'], work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof PhylloError && error.code === 'STORE_CORRUPT')) throw error
      this.#tell(part, error.message.replace(`${this.#path}: `, ''))
      return undefined
    }
  }

  /** All sections, and what stands between them. The answer is the block table. */
  async #index(footer: Footer): Promise<BlockTable | undefined> {
    const { indexOffset, indexBytes, frameEnd, sections } = footer
    let table: BlockTable | undefined
    let end = 0
    for (const name of sectionNames) {
      const bytes = await this.#told('index', () => readSection(this.#fd, this.#path, footer, name, this.#checksums))
      if (bytes !== undefined && name === 'blocks')
        table = new BlockTable(new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4))
      const { offset, length } = sections[name]
      await this.#zeros(indexOffset + end, indexOffset + offset)
      end = offset + length
      await this.#options.pace(length)
    }
    await this.#zeros(indexOffset + end, indexOffset + indexBytes)
    const header = Buffer.alloc(skippableHeaderBytes)
    if (indexOffset < frameEnd + skippableHeaderBytes) {
      this.#tell('index', 'the index begins before the frame has ended')
      return undefined
    }
    readAllSync(this.#fd, header, frameEnd, this.#path)
    const payload = indexOffset + indexBytes - frameEnd - skippableHeaderBytes
    if (header.readUInt32LE(0) !== indexMagic || header.readUInt32LE(4) !== payload)
      this.#tell('frame', 'the index is not in a skippable frame')
    await this.#zeros(frameEnd + skippableHeaderBytes, indexOffset)
    return table
  }

  async #zeros(from: number, to: number): Promise<void> {
    if (to <= from) return
    await this.#told('frame', async () => {
      const bytes = Buffer.alloc(Math.min(to - from, chunkBytes))
      readAllSync(this.#fd, bytes, from, this.#path)
      if (bytes.some(byte => byte !== 0)) this.#tell('frame', `padding at offset ${from} is not zero`)
    })
  }

  async #frame(footer: Footer, table: BlockTable): Promise<void> {
    await this.#told('frame', async () => {
      const header = Buffer.alloc(frameHeaderBytes)
      readAllSync(this.#fd, header, 0, this.#path)
      if (!header.equals(await frameHeader(footer.tarBytes)))
        this.#tell('frame', 'the header of the LZ4 frame is damaged')
      await this.#zeros(footer.frameEnd - endMarkBytes, footer.frameEnd)
    })
    const last = table.count
    if (table.contentOffset(last) !== footer.tarBytes || table.fileOffset(last) !== footer.frameEnd - endMarkBytes)
      this.#tell('index', 'the block table is not that of the frame')
    else if (this.#options.full) await this.#told('blocks', () => this.#blocks(table))
  }

  async #blocks(table: BlockTable): Promise<void> {
    const hash = createHash('sha256')
    const memory = Buffer.allocUnsafeSlow(chunkBytes + blockBytes + lengthBytes)
    const content = Buffer.allocUnsafeSlow(blockBytes)
    const bad: { readonly block: number; readonly reason: string }[] = []
    for (let first = 0, end = 0; first < table.count; first = end) {
      const begin = table.fileOffset(first)
      while (end < table.count && (end === first || table.fileOffset(end + 1) - begin <= chunkBytes)) end++
      const stored = memory.subarray(0, table.fileOffset(end) - begin)
      readAllSync(this.#fd, stored, begin, this.#path)
      for (let block = first; block < end; block++) {
        const reason = this.#block(table, block, stored.subarray(table.fileOffset(block) - begin), content)
        if (reason === undefined) hash.update(content.subarray(0, table.contentBytes(block)))
        else bad.push({ block, reason })
      }
      await this.#options.pace(stored.length)
    }
    const [one] = bad
    if (one !== undefined) {
      const more = bad.length === 1 ? '' : `, and ${bad.length - 1} more`
      this.#tell('blocks', `block ${one.block} at offset ${table.fileOffset(one.block)} ${one.reason}${more}`)
      return
    }
    const found = `sha256:${hash.digest('hex')}`
    if (found !== this.#options.diffId) this.#tell('blocks', `holds ${found}`)
  }

  /** What is wrong with it; its content is in `content` when nothing is. */
  #block(table: BlockTable, block: number, stored: Buffer, content: Buffer): string | undefined {
    if (!table.isPossible(block)) return 'has an impossible length'
    const length = table.storedBytes(block)
    const bytes = stored.subarray(lengthBytes, lengthBytes + length)
    if (!table.matches(block, this.#checksums.xxh64(bytes))) return 'does not have its checksum'
    const word = table.isStored(block) ? (storedBit | length) >>> 0 : length
    if (stored.readUInt32LE(0) !== word) return 'has another length in front of it'
    const into = content.subarray(0, table.contentBytes(block))
    if (table.isStored(block)) into.set(bytes)
    else {
      try {
        this.#lz4.decompressSync(bytes, into)
      } catch (error) {
        return `cannot be decompressed: ${(error as Error).message}`
      }
    }
    return undefined
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw ioError('open', path, cause)
  }
}
