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
import { GzipTrailer, gzipHeader } from './gzip-member.js'

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
  readonly #trailer: GzipTrailer

  static async create(options: GzipWriterOptions): Promise<GzipWriter> {
    return new GzipWriter(options, await GzipTrailer.create())
  }

  private constructor(options: GzipWriterOptions, trailer: GzipTrailer) {
    this.#options = options
    this.#trailer = trailer
    options.write(options.header ?? gzipHeader())
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#trailer.update(bytes)
    this.#deflate(bytes, constants.Z_SYNC_FLUSH)
  }

  /** The last block and the trailer. */
  end(): void {
    this.#deflate(Buffer.alloc(0), constants.Z_FINISH)
    this.#options.write(this.#trailer.bytes())
  }

  #deflate(bytes: Uint8Array, finishFlush: number): void {
    const { level, write } = this.#options
    write(deflateRawSync(bytes, { level, finishFlush }))
  }
}
