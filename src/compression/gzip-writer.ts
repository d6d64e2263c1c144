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

const header = Buffer.from('1f8b08000000000000ff', 'hex')

export interface GzipWriterOptions {
  /** 1 (fast) to 9 (small). */
  readonly level: number
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
    options.write(header)
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
