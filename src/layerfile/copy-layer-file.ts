/**
 * A layer file out of another one, without compressing anything again: blocks stay as they are stored. Neither a link nor a copy of
 * the whole file would do: an index is believed by everybody who opens the file, and proved by nothing but checksums that whoever
 * wrote it has made; the tar alone is proved, by the diffId.
 *
 * Invariants:
 * - Every block is compared with its checksum and decompressed, and what is in it hashed: damage is not copied.
 * - All else in the file is made of what was in the blocks. Of the source's index only the table of blocks is read.
 */
import { chunkBytes } from '../limits.js'
import { loadChecksums } from './checksum.js'
import { requireLittleEndian } from './format.js'
import { FrameWriter } from './frame-writer.js'
import type { LayerTar } from './layer-tar.js'
import { TarPass, type TarPassOptions, type WrittenLayer } from './tar-pass.js'

export interface CopyLayerFileOptions extends TarPassOptions {
  /** Called after each chunk with the bytes of tar so far. What it throws ends the work. */
  readonly onProgress?: (tarBytes: number) => void
}

/**
 * Throws STORE_CORRUPT, STORE_IO, and what the scanner and the tree do. The file is of no use then. The caller compares the diffId
 * that comes out.
 */
export async function copyLayerFile(source: LayerTar, options: CopyLayerFileOptions): Promise<WrittenLayer> {
  requireLittleEndian()
  const { fd, label, path = label, onProgress } = options
  const checksums = await loadChecksums()
  const pass = new TarPass(options)
  const frame = new FrameWriter(fd, path)
  for (const { bytes, blocks } of source.stored(Buffer.allocUnsafeSlow(chunkBytes))) {
    pass.scan(bytes)
    pass.hash(bytes)
    frame.write(blocks)
    // Without a turn of the event loop now and then, memory that native code handed out is not taken back.
    await new Promise(resolve => setImmediate(resolve))
    onProgress?.(pass.tarBytes)
  }
  pass.end()
  return await pass.finish(frame.end(), frame.rows, checksums)
}
