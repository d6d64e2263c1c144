/**
 * Writes an outer archive with tar-stream: members sorted by name, directories implied, no owner and no time, so that
 * the bytes depend on the contents alone.
 *
 * Invariants:
 * - Contents are asked for in pieces of `chunkBytes`, a few ahead of the one being written, out of a fixed ring of
 *   buffers, so memory does not grow with the archive.
 * - A content that ends early or fails breaks off the whole archive: no tar with a hole in it is ever completed.
 */
import type { Writable } from 'node:stream'
import type { Header, Pack } from 'tar-stream'
import { PhylloError } from '../errors.js'
import { chunkBytes } from '../limits.js'
import { compareBytes } from '../oci/go-json.js'
import { BufferRing } from './buffer-ring.js'
import { EntryStream } from './entry-stream.js'
import { type Output, openOutput } from './output.js'

/** Pieces that are being read at once, and buffers for them and for those on their way out. */
const readAhead = 3
const ringBuffers = readAhead + 3

/** Every member's time, so that the bytes depend on the contents alone. */
const epoch = new Date(0)

/** A content that is not in memory. */
export interface Content {
  readonly sizeBytes: number
  /** For progress. */
  readonly subject: string
  /** Copies bytes from `position` on into `into`; answers how many, 0 only at the end. */
  read(position: number, into: Uint8Array): Promise<number>
}

export interface WriteOptions {
  readonly signal?: AbortSignal
  /** Called for every piece: what moves, its bytes so far and in all. */
  readonly onProgress?: (subject: string, done: number, total: number) => void
  /** Sync a file before it gets its name. Default: false. */
  readonly durable?: boolean
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
  options.signal?.throwIfAborted()
  const { pack: newPack } = await import('tar-stream')
  const out = await openOutput(output, options.durable ?? false)
  const writer = new ArchiveWriter(newPack(), out, options)
  try {
    await writer.run(members)
    options.signal?.throwIfAborted()
    await out.commit()
  } catch (error) {
    await out.discard(error)
    options.signal?.throwIfAborted()
    throw error
  }
  return writer.bytesWritten
}

class ArchiveWriter {
  bytesWritten = 0
  readonly #pack: Pack
  readonly #out: Output
  readonly #options: WriteOptions
  readonly #ring: BufferRing

  constructor(pack: Pack, out: Output, options: WriteOptions) {
    this.#pack = pack
    this.#out = out
    this.#options = options
    this.#ring = new BufferRing(chunkBytes, out.copies ? ringBuffers : 0)
  }

  /** Settles when nothing is read or written any more. */
  async run(members: ReadonlyMap<string, Buffer | Content>): Promise<void> {
    const { signal } = this.#options
    let failure: { readonly error: unknown } | undefined
    const fail = (error: unknown) => {
      failure ??= { error }
      this.#pack.destroy()
      this.#ring.close()
    }
    const abort = () => fail(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    await Promise.all([this.#pour().catch(fail), this.#fill(members).catch(fail)])
    signal?.removeEventListener('abort', abort)
    if (failure !== undefined) throw failure.error
  }

  /** What comes out of the pack goes to the output. */
  async #pour(): Promise<void> {
    for await (const chunk of this.#pack as AsyncIterable<Uint8Array>) {
      await this.#out.write(chunk)
      this.bytesWritten += chunk.length
      this.#ring.release(chunk)
    }
  }

  async #fill(members: ReadonlyMap<string, Buffer | Content>): Promise<void> {
    const names = [...new Set([...members.keys()].flatMap(name => [...parentsOf(name), name]))].sort(compareBytes)
    for (const name of names) {
      const member = members.get(name)
      if (member === undefined) await this.#small({ name, type: 'directory', mode: 0o755 })
      else if (Buffer.isBuffer(member)) await this.#small({ name, mode: 0o644, size: member.length }, member)
      else await this.#large(name, member)
    }
    this.#pack.finalize()
  }

  #small(header: Pick<Header, 'name' | 'mode'> & Partial<Header>, bytes?: Buffer): Promise<void> {
    const entry = new EntryStream(done => {
      const all = { ...header, uid: 0, gid: 0, mtime: epoch }
      return bytes === undefined ? this.#pack.entry(all, done) : this.#pack.entry(all, bytes, done)
    })
    return entry.ended
  }

  async #large(name: string, content: Content): Promise<void> {
    const { sizeBytes, subject } = content
    const header = { name, mode: 0o644, size: sizeBytes, uid: 0, gid: 0, mtime: epoch }
    const entry = new EntryStream(done => this.#pack.entry(header, done))
    const reads: Promise<Buffer>[] = []
    try {
      for (let asked = 0, done = 0; done < sizeBytes; ) {
        for (; asked < sizeBytes && reads.length < readAhead; asked += chunkBytes) {
          const read = this.#read(content, asked, Math.min(chunkBytes, sizeBytes - asked))
          // Its turn to be awaited comes later; until then a failure is no unhandled one.
          read.catch(() => undefined)
          reads.push(read)
        }
        const piece = await reads.shift()!
        await entry.send(piece)
        done += piece.length
        this.#options.onProgress?.(subject, done, sizeBytes)
      }
    } finally {
      await Promise.allSettled(reads)
    }
    await entry.end()
  }

  async #read(content: Content, position: number, length: number): Promise<Buffer> {
    const buffer = await this.#ring.take()
    const piece = buffer.subarray(0, length)
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

/** `a/` and `a/b/` of `a/b/c`. */
function parentsOf(name: string): string[] {
  const components = name.split('/')
  return components.slice(1).map((_, index) => `${components.slice(0, index + 1).join('/')}/`)
}
