/**
 * The exact tar of a layer out of its `tar-split.json.gz` and its `diff/` (facts: docker-store 6.7), in the tar's order and without
 * any mount. Every file's size and checksum are compared; whether the whole is the layer, only its diffId can tell: see
 * verified-layer.ts.
 */

import { readSync } from 'node:fs'
import type { ByteString } from '../byte-string.js'
import { decompressGzip } from '../compression/gzip.js'
import { closeRead } from '../disk/descriptors.js'
import { readRange } from '../disk/read-range.js'
import { callError, PhylloError } from '../errors.js'
import { chunkBytes } from '../limits.js'
import { type Crc64, loadCrc64 } from '../tar/crc64.js'
import { type SplitFile, type SplitPart, SplitReader } from '../tar/split-reader.js'
import { LayerContents } from './layer-contents.js'

export interface SplitLayer {
  /** The gzipped lines. */
  readonly tarSplit: string
  /** The directory that the layer was unpacked into. */
  readonly diff: string
}

export interface AssembleOptions {
  /** Compare the checksums of files. Default: true. */
  readonly checksums?: boolean
}

/**
 * The tar in chunks of 1 MiB, which all stand in the same memory: each is the consumer's until it asks for the next one. Throws
 * STORE_CORRUPT, naming the file that is damaged, and STORE_IO.
 */
export async function* assembleLayer(
  { tarSplit, diff }: SplitLayer,
  { checksums = true }: AssembleOptions = {},
): AsyncGenerator<Buffer, void, void> {
  const assembly = new Assembly(diff, checksums ? await loadCrc64() : undefined)
  const reader = new SplitReader(tarSplit)
  for await (const lines of splitLines(tarSplit)) yield* assembly.take(reader.push(lines))
  reader.end()
  yield* assembly.rest()
}

/** Size of the tar, from the lines alone: no content is looked at. Throws STORE_CORRUPT and STORE_IO. */
export async function countTarBytes(tarSplit: string): Promise<number> {
  const reader = new SplitReader(tarSplit)
  let bytes = 0
  for await (const lines of splitLines(tarSplit)) for (const part of reader.push(lines)) bytes += part.sizeBytes
  reader.end()
  if (Number.isSafeInteger(bytes)) return bytes
  throw new PhylloError('STORE_CORRUPT', `${tarSplit}: the sizes in it are not those of a tar`, { path: tarSplit })
}

/** Puts parts one behind the other into one buffer. */
class Assembly {
  readonly #contents: LayerContents
  readonly #crc: Crc64 | undefined
  readonly #buffer = Buffer.allocUnsafeSlow(chunkBytes)
  #filled = 0

  constructor(diff: string, crc: Crc64 | undefined) {
    this.#contents = new LayerContents(diff)
    this.#crc = crc
  }

  /** The buffer, each time that it is full. */
  *take(parts: Iterable<SplitPart>): Generator<Buffer, void, void> {
    for (const part of parts) {
      if (part.type === 'segment') yield* this.#copy(part.bytes)
      else if (part.sizeBytes > 0) yield* this.#read(part)
    }
  }

  *rest(): Generator<Buffer, void, void> {
    if (this.#filled > 0) yield this.#buffer.subarray(0, this.#filled)
  }

  *#copy(bytes: Buffer): Generator<Buffer, void, void> {
    for (let at = 0; at < bytes.length; ) {
      const count = bytes.copy(this.#buffer, this.#filled, at)
      at += count
      yield* this.#advance(count)
    }
  }

  *#read({ name, sizeBytes, crc }: SplitFile): Generator<Buffer, void, void> {
    const fd = this.#contents.open(name, sizeBytes)
    try {
      this.#crc?.init()
      for (let left = sizeBytes; left > 0; ) {
        const count = this.#readSome(fd, name, Math.min(left, chunkBytes - this.#filled))
        if (count === 0) throw this.#contents.corrupt(name, `ends after ${sizeBytes - left} of ${sizeBytes} bytes`)
        this.#crc?.update(this.#buffer.subarray(this.#filled, this.#filled + count))
        left -= count
        yield* this.#advance(count)
      }
    } finally {
      closeRead(fd)
    }
    if (this.#crc !== undefined && this.#crc.digest() !== crc)
      throw this.#contents.corrupt(name, 'its checksum is not the one of tar-split')
  }

  #readSome(fd: number, name: ByteString, bytes: number): number {
    try {
      return readSync(fd, this.#buffer, this.#filled, bytes, null)
    } catch (cause) {
      throw this.#contents.failed('read', name, cause)
    }
  }

  *#advance(bytes: number): Generator<Buffer, void, void> {
    if ((this.#filled += bytes) < chunkBytes) return
    this.#filled = 0
    yield this.#buffer
  }
}

/** The lines, unpacked. Throws STORE_CORRUPT and STORE_IO. */
export async function* splitLines(path: string): AsyncGenerator<Buffer, void, void> {
  try {
    yield* decompressGzip(readRange({ path, offset: 0, sizeBytes: Number.POSITIVE_INFINITY }, path), path)
  } catch (error) {
    throw asStored(error, path)
  }
}

/** What is an input to others is a part of the store here. */
function asStored(error: unknown, path: string): unknown {
  if (!(error instanceof PhylloError)) return error
  const { code, message, cause = error } = error
  if (code === 'COMPRESSION_INVALID') return new PhylloError('STORE_CORRUPT', message, { path, cause })
  if (code !== 'INPUT_IO') return error
  return callError('STORE_IO', cause, { operation: 'read', path })
}
