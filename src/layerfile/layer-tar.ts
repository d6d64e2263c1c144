/**
 * The tar of a layer file and nothing else, read synchronously from front to back, for jobs. Of the index only the
 * block table is read: what a layer's entries are called is of no interest here.
 *
 * Invariant: every byte that is given out was compared with the checksum of its block.
 */
import { closeSync, openSync } from 'node:fs'
import { chunkBytes } from '../limits.js'
import type { DiffId } from '../oci/digest.js'
import { BlockCache } from './block-cache.js'
import { BlockReader } from './block-reader.js'
import { BlockTable } from './block-table.js'
import { ioError } from './file-io.js'
import { readFooter, readSection } from './footer-reader.js'
import { requireLittleEndian } from './format.js'

/** A part of the tar: whole blocks. Its bytes stand there until the next part is asked for. */
export interface TarPart {
  readonly offset: number
  readonly bytes: Uint8Array
}

export interface LayerTar {
  readonly diffId: DiffId
  readonly tarBytes: number
  /**
   * The blocks that begin in [from, to), as many at a time as fit into `buffer`, which holds at least one of the largest.
   * Throws STORE_CORRUPT and STORE_IO.
   */
  parts(from: number, to: number, buffer: Buffer): Generator<TarPart>
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
    const reader = new BlockReader({ fd, path, table, lz4, checksums, cache: cache.openFile() })
    const { diffId, tarBytes } = footer
    const parts = (from: number, to: number, buffer: Buffer) => partsOf(table, reader, buffer, from, to)
    return { diffId, tarBytes, parts, close: () => closeSync(fd) }
  } catch (error) {
    closeSync(fd)
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

function openFile(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw ioError('open', path, cause)
  }
}
