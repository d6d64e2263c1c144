/**
 * gzip (RFC 1952), written synchronously, for jobs: a thread that has just made the bytes compresses them while they are in the
 * cache, and waits for nobody.
 *
 * Invariants:
 * - One member, so that a file that is cut off anywhere is seen to be. Its header says nothing about the time or the machine.
 * - The same writes give the same bytes. Each is a run of deflate blocks of its own that ends at a byte (RFC 1951 3.2.4, an empty
 *   stored block), hence no state is kept between two of them: give it some hundred KiB at a time.
 */
import { constants, deflateRawSync } from 'node:zlib'

/** Without flags, time and system, as Docker's. */
const plainHeader = Buffer.from('1f8b08000000000000ff', 'hex')
/** FLG.FEXTRA: after the header stand two bytes of length, and so many of subfields. */
const extraFlag = 4

/** With `extra`, subfields that readers of gzip pass over (RFC 1952 2.3.1.1). */
export function gzipHeader(extra?: Uint8Array): Buffer {
  if (extra === undefined) return plainHeader
  const header = Buffer.concat([plainHeader, Buffer.alloc(2), extra])
  header[3] = extraFlag
  header.writeUInt16LE(extra.length, plainHeader.length)
  return header
}

export interface GzipWriterOptions {
  /** 1 (fast) to 9 (small). */
  readonly level: number
  /** Default: without subfields. */
  readonly header?: Uint8Array
  /** Takes the bytes before it returns. */
  write(bytes: Uint8Array): void
}

export class GzipWriter {
  readonly #options: GzipWriterOptions
  readonly #crc: Crc32
  #plainBytes = 0

  static async create(options: GzipWriterOptions): Promise<GzipWriter> {
    const { default: parts } = await import('hash-wasm/dist/crc32.umd.min.js')
    return new GzipWriter(options, await parts.createCRC32())
  }

  private constructor(options: GzipWriterOptions, crc: Crc32) {
    this.#options = options
    this.#crc = crc.init()
    options.write(options.header ?? plainHeader)
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#crc.update(bytes)
    this.#plainBytes += bytes.length
    this.#deflate(bytes, constants.Z_SYNC_FLUSH)
  }

  /** The last block and the trailer. */
  end(): void {
    this.#deflate(Buffer.alloc(0), constants.Z_FINISH)
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(Buffer.from(this.#crc.digest('binary')).readUInt32BE(), 0)
    trailer.writeUInt32LE(this.#plainBytes % 2 ** 32, 4)
    this.#options.write(trailer)
  }

  #deflate(bytes: Uint8Array, finishFlush: number): void {
    const { level, write } = this.#options
    write(deflateRawSync(bytes, { level, finishFlush }))
  }
}

type Crc32 = Awaited<ReturnType<typeof import('hash-wasm').createCRC32>>
