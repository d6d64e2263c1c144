/**
 * Makes a layer file anew from the LZ4 frame of another whose index or footer is damaged. The frame alone is enough:
 * it holds the exact tar. Its blocks have no checksum without the index, so the caller compares the diffId that comes
 * out with the one that the file's name says.
 */
import { openSync } from 'node:fs'
import { closeRead, withNewFile } from '../disk/descriptors.js'
import { blockBytes, type Limits } from '../limits.js'
import { type Lz4, loadLz4 } from '../native/lz4.js'
import type { BlockCompression } from '../pool/jobs.js'
import { fileBytes, ioError, readAllSync } from './file-io.js'
import { corrupt, readUint64 } from './format.js'
import { contentLength, decodeLength, frameHeaderBytes, isFrameHeader, lengthBytes } from './frame.js'
import type { WrittenLayer } from './tar-pass.js'
import { writeLayerFile } from './writer.js'

export interface RebuildOptions {
  /** File to create. */
  readonly target: string
  readonly compression: BlockCompression
  readonly limits: Limits
}

/** Throws STORE_CORRUPT when the frame is damaged as well, STORE_IO, and what writeLayerFile throws. */
export async function rebuildIndex(path: string, { target, ...options }: RebuildOptions): Promise<WrittenLayer> {
  const source = openFile(path)
  try {
    const frame = readFrame(source, path, await loadLz4())
    return await withNewFile(target, 0o644, fd => writeLayerFile(frame, { fd, path: target, label: path, ...options }))
  } finally {
    closeRead(source)
  }
}

/** The content of the frame at the begin of a file, block by block. */
async function* readFrame(fd: number, path: string, lz4: Lz4): AsyncGenerator<Uint8Array> {
  const header = Buffer.alloc(frameHeaderBytes)
  readAllSync(fd, header, 0, path)
  if (!isFrameHeader(header)) throw corrupt(path, 'does not begin with the LZ4 frame of a layer file', { offset: 0 })
  const size = await fileBytes(fd, path)
  const block = Buffer.allocUnsafeSlow(lengthBytes + blockBytes)
  let content = 0
  for (let at = frameHeaderBytes; ; ) {
    readAllSync(fd, block.subarray(0, lengthBytes), at, path)
    const length = decodeLength(block.readUInt32LE(0))
    if (length === undefined || at + lengthBytes + length.bytes > size)
      throw corrupt(path, 'a block of the LZ4 frame has an impossible length', { offset: at })
    if (length.bytes === 0) break
    const stored = block.subarray(lengthBytes, lengthBytes + length.bytes)
    readAllSync(fd, stored, at + lengthBytes, path)
    const bytes = length.stored ? stored : decompressUnknown(lz4, stored, path, at)
    content += bytes.length
    yield bytes
    at += lengthBytes + length.bytes
  }
  if (content !== readUint64(header, 6)) throw corrupt(path, 'the LZ4 frame has not the size that its header says')
}

function decompressUnknown(lz4: Lz4, stored: Buffer, path: string, offset: number): Buffer {
  const size = contentLength(stored)
  if (size === undefined || size > blockBytes) throw corrupt(path, 'a block of the LZ4 frame is damaged', { offset })
  const content = Buffer.allocUnsafeSlow(size)
  try {
    lz4.decompressSync(stored, content)
  } catch (cause) {
    throw corrupt(path, 'a block of the LZ4 frame is damaged', { offset, cause })
  }
  return content
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw ioError('open', path, cause)
  }
}
