/**
 * The tar of a layer file and nothing else, read synchronously from front to back, for jobs. Of the index only the
 * block table is read: what a layer's entries are called is of no interest here.
 *
 * Invariant: every byte that is given out was compared with the checksum of its block.
 */
import { openSync } from 'node:fs'
import type { ReadyBlock } from '../compression/block-ring.js'
import { closeRead } from '../disk/descriptors.js'
import { chunkBytes } from '../limits.js'
import type { DiffId } from '../oci/digest.js'
import type { BlockCompression } from '../pool/jobs.js'
import { BlockCache } from './block-cache.js'
import { BlockContents, type BlockContentsOptions } from './block-contents.js'
import { BlockReader } from './block-reader.js'
import { BlockTable } from './block-table.js'
import { ioError } from './file-io.js'
import { readFooter, readSection } from './footer-reader.js'
import { corrupt, requireLittleEndian } from './format.js'
import { lengthBytes } from './frame.js'

/** A part of the tar: whole blocks. Its bytes stand there until the next part is asked for. */
export interface TarPart {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** Whole blocks as they are stored, and the tar's bytes that they hold. All stands there until the next part is asked for. */
export interface StoredPart {
  readonly bytes: Uint8Array
  readonly blocks: readonly ReadyBlock[]
}

export interface LayerTar {
  readonly diffId: DiffId
  readonly tarBytes: number
  /** `none` if no block is compressed. */
  readonly compression: BlockCompression
  /**
   * The blocks that begin in [from, to), as many at a time as fit into `buffer`, which holds at least one of the largest.
   * Throws STORE_CORRUPT and STORE_IO.
   */
  parts(from: number, to: number, buffer: Buffer): Generator<TarPart>
  /** All of it as it is stored; the same of `buffer`, and the same is thrown. */
  stored(buffer: Buffer): Generator<StoredPart>
  close(): void
}

/** Throws STORE_CORRUPT, STORE_VERSION or STORE_IO, naming the file. Share the cache: it holds the codecs. */
export async function openLayerTar(path: string, cache: BlockCache = new BlockCache()): Promise<LayerTar> {
  requireLittleEndian()
  const [lz4, checksums] = await cache.codecs()
  const fd = openFile(path)
  try {
    const footer = await readFooter(fd, path, checksums)
    const bytes = await readSection(fd, path, footer, 'blocks', checksums)
    const table = new BlockTable(new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4))
    const options = { fd, path, table, lz4, checksums, cache: cache.openFile() }
    const reader = new BlockReader(options)
    const { diffId, tarBytes } = footer
    return {
      diffId,
      tarBytes,
      compression: table.isAllStored() ? 'none' : 'lz4',
      parts: (from, to, buffer) => partsOf(table, reader, buffer, from, to),
      stored: buffer => storedParts(options, buffer),
      close: () => closeRead(fd),
    }
  } catch (error) {
    closeRead(fd)
    throw error
  }
}

/** All of it, in chunks that are the consumer's until it asks for the next one. Throws as `openLayerTar`. */
export async function* wholeLayerTar(path: string): AsyncGenerator<Uint8Array, void, void> {
  const tar = await openLayerTar(path)
  try {
    for (const { bytes } of tar.parts(0, tar.tarBytes, Buffer.allocUnsafeSlow(chunkBytes))) yield bytes
  } finally {
    tar.close()
  }
}

function* partsOf(
  table: BlockTable,
  reader: BlockReader,
  buffer: Buffer,
  from: number,
  to: number,
): Generator<TarPart> {
  const last = table.firstFrom(to)
  for (let block = table.firstFrom(from); block < last; ) {
    const offset = table.contentOffset(block)
    const full = offset + buffer.length
    const next = full < table.contentOffset(last) ? table.find(full) : last
    const bytes = buffer.subarray(0, table.contentOffset(next) - offset)
    reader.readSync(offset, bytes)
    yield { offset, bytes }
    block = next
  }
}

function* storedParts(options: BlockContentsOptions, buffer: Buffer): Generator<StoredPart> {
  const { table, path } = options
  const contents = new BlockContents(options)
  const memory = Buffer.allocUnsafeSlow(buffer.length)
  for (let first = 0, end = 0; first < table.count; first = end) {
    for (let bytes = 0, stored = 0; end < table.count; end++) {
      if (!table.isPossible(end)) throw corrupt(path, `block ${end} of the index has an impossible length`)
      bytes += table.contentBytes(end)
      stored += table.storedBytes(end) + lengthBytes
      if (Math.max(bytes, stored) > buffer.length) break
    }
    const bytes = buffer.subarray(0, table.contentOffset(end) - table.contentOffset(first))
    yield { bytes, blocks: contents.storedRunSync(first, end, bytes, memory) }
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw ioError('open', path, cause)
  }
}
