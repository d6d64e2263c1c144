/**
 * Writes an outer archive: into a stream, piece by piece; or into a file, where somebody else may copy the contents to
 * their places.
 *
 * Invariants:
 * - Contents are asked for in pieces of `chunkBytes`, a few ahead of the one being written; into a file out of the same
 *   few buffers again and again: fresh memory for every megabyte costs more than copying it.
 * - A content that ends early or fails breaks off the whole archive: no tar with a hole in it is ever completed.
 * - When it settles nothing is read any more, and nothing is written to a file.
 */
import type { Writable } from 'node:stream'
import { PhylloError } from '../errors.js'
import { chunkBytes } from '../limits.js'
import { type ArchiveLayout, type Content, layOut, type Placed } from './archive-layout.js'
import { type Output, type OutputFile, openOutput } from './output.js'

/** Pieces that are being read at once. */
const readAhead = 3

export interface WriteOptions {
  readonly signal?: AbortSignal
  /** Called again and again: what moves, its bytes so far and in all. */
  readonly onProgress?: (subject: string, done: number, total: number) => void
  /** Sync a file before it gets its name. Default: false. */
  readonly durable?: boolean
  /**
   * Copies all contents to their places in the file, off this thread; false when it leaves them to us. Settles when it
   * does not write to the file any more.
   */
  readonly place?: (file: OutputFile, contents: readonly Placed[]) => Promise<boolean>
}

/**
 * Writes the members, then the end of the archive; answers with its size. Throws OUTPUT_IO, STORE_CORRUPT for a content
 * that is shorter than it said, what contents throw, and the signal's reason.
 */
export async function writeArchive(
  output: string | Writable,
  members: ReadonlyMap<string, Buffer | Content>,
  options: WriteOptions,
): Promise<number> {
  const { signal, durable = false } = options
  signal?.throwIfAborted()
  const layout = await layOut(members)
  const out = await openOutput(output, durable)
  const writer = new ArchiveWriter(out, options)
  try {
    await writer.write(layout)
    signal?.throwIfAborted()
    await out.commit()
  } catch (error) {
    await out.discard(error)
    signal?.throwIfAborted()
    throw error
  } finally {
    writer.leave()
  }
  return layout.sizeBytes
}

class ArchiveWriter {
  readonly #out: Output
  readonly #options: WriteOptions
  readonly #free: ArrayBufferLike[] = []
  readonly #aborted: Promise<never>
  readonly #abort: () => void

  constructor(out: Output, options: WriteOptions) {
    this.#out = out
    this.#options = options
    let abort: () => void = () => undefined
    this.#aborted = new Promise((_, reject) => (abort = () => reject(options.signal?.reason)))
    this.#aborted.catch(() => undefined)
    this.#abort = abort
    options.signal?.addEventListener('abort', abort, { once: true })
  }

  leave(): void {
    this.#options.signal?.removeEventListener('abort', this.#abort)
  }

  async write({ pieces }: ArchiveLayout): Promise<void> {
    const { file } = this.#out
    const { place, signal } = this.#options
    const contents = pieces.filter(piece => 'content' in piece)
    const placed = file !== undefined && place !== undefined && (await place(file, contents))
    for (const piece of pieces) {
      signal?.throwIfAborted()
      if ('bytes' in piece) await this.#send(piece.bytes, piece.position)
      else if (!placed) await this.#copy(piece)
    }
  }

  /** A stream may take a chunk whenever its reader likes; an abort does not wait for that. */
  #send(chunk: Uint8Array, position: number): Promise<void> {
    const sent = this.#out.write(chunk, position)
    return this.#out.copies ? sent : Promise.race([sent, this.#aborted])
  }

  async #copy({ position, content }: Placed): Promise<void> {
    const { sizeBytes, subject } = content
    const reads: Promise<Buffer>[] = []
    try {
      for (let asked = 0, done = 0; done < sizeBytes; ) {
        for (; asked < sizeBytes && reads.length < readAhead; asked += chunkBytes) {
          const read = this.#read(content, asked, Math.min(chunkBytes, sizeBytes - asked))
          // Its turn to be awaited comes later; until then a failure is no unhandled one.
          read.catch(() => undefined)
          reads.push(read)
        }
        this.#options.signal?.throwIfAborted()
        const piece = await reads.shift()!
        await this.#send(piece, position + done)
        done += piece.length
        if (this.#out.copies) this.#free.push(piece.buffer)
        this.#options.onProgress?.(subject, done, sizeBytes)
      }
    } finally {
      await Promise.allSettled(reads)
    }
  }

  async #read(content: Content, position: number, length: number): Promise<Buffer> {
    const piece = Buffer.from(this.#free.pop() ?? Buffer.allocUnsafeSlow(chunkBytes).buffer, 0, length)
    for (let have = 0; have < length; ) {
      const more = await content.read(position + have, piece.subarray(have))
      if (more === 0) {
        const reason = `ends after ${position + have} of ${content.sizeBytes} bytes`
        throw new PhylloError('STORE_CORRUPT', `${content.subject}: ${reason}`, { path: content.subject })
      }
      have += more
    }
    return piece
  }
}
