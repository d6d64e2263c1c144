/**
 * gzip (RFC 1952), written in chunks that know nothing of each other, so that several threads can deflate them: as pigz
 * does it, one member, read by everything that reads gzip.
 *
 * Invariants:
 * - The same bytes for the same content and level, however it comes, and whoever helps. They depend on zlib as well.
 * - The checksum in the trailer is that of the bytes that came, taken before anybody else has seen them.
 * - Memory: one chunk, and the ring if there is one. What a helper that gives no news has taken is done without it.
 */
import { createHash } from 'node:crypto'
import { KiB } from '../limits.js'
import type { Digest } from '../oci/digest.js'
import { WriterEnd } from './block-ring.js'
import { deflateChunk, deflateCodec, wayOf, windowBytes } from './deflate-chunk.js'
import { GzipTrailer, gzipHeader } from './gzip-member.js'

/** As pigz has it. Part of what every gzipped layer's digest is made of, as the level is. */
export const gzipChunkBytes = 128 * KiB
/** A chunk takes some milliseconds, at level 9 some ten; a helper that has none of it ready by then is dead, or as good as that. */
const noNewsMs = 1000

export interface GzipOptions {
  /** 1 (fast) to 9 (small). */
  readonly level: number
  /**
   * For threads that may be kept busy, see block-ring.ts: this one deflates what none of its helpers has taken. Absent: the
   * thread pool of the process does, one chunk after the other, and the event loop has its turns.
   */
  readonly ring?: SharedArrayBuffer
}

/**
 * One gzip member. A chunk of the source is read until the next one is asked for, never after; what comes out is the
 * consumer's until it asks for more. Leaving the loop closes the source and lets go of the helpers. Throws what the source
 * throws, and what zlib throws without memory.
 */
export async function* compressGzip(
  source: AsyncIterable<Uint8Array>,
  { level, ring }: GzipOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const trailer = await GzipTrailer.create()
  const chunks = new Chunks(level)
  const deflater = ring === undefined ? new Later() : new Helped(ring)
  try {
    yield gzipHeader()
    for await (const bytes of source) {
      trailer.update(bytes)
      for (let at = 0; at < bytes.length; ) {
        // Not before there are more bytes: the last chunk is full, too, where they end with it.
        if (chunks.isFull) yield* deflater.take(...chunks.chunk(false))
        at += chunks.fill(at === 0 ? bytes : bytes.subarray(at))
      }
    }
    yield* deflater.take(...chunks.chunk(true))
    yield* deflater.end()
    yield trailer.bytes()
  } finally {
    deflater.close()
  }
}

/** The same, and what has to be said of it once all of it has passed: for whoever sends it on while it is made. Read it once. */
export class GzipStream implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncGenerator<Uint8Array, void, void>
  #digest: Digest | undefined
  #sizeBytes = 0

  constructor(source: AsyncIterable<Uint8Array>, options: GzipOptions) {
    this.#chunks = compressGzip(source, options)
  }

  /** Compressed bytes so far. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Of the compressed bytes; undefined until the last of them has passed. */
  get digest(): Digest | undefined {
    return this.#digest
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    const hash = createHash('sha256')
    for await (const chunk of this.#chunks) {
      hash.update(chunk)
      this.#sizeBytes += chunk.length
      yield chunk
    }
    this.#digest = `sha256:${hash.digest('hex')}` as Digest
  }
}

/** Cuts what comes into chunks, and keeps the bytes that stand before the next one. */
class Chunks {
  readonly #level: number
  readonly #bytes = Buffer.allocUnsafeSlow(windowBytes + gzipChunkBytes)
  /** Where the bytes begin that stand before the chunk. */
  #from = windowBytes
  #end = windowBytes

  constructor(level: number) {
    this.#level = level
  }

  get isFull(): boolean {
    return this.#end === this.#bytes.length
  }

  /** Takes what there is room for, for the next chunk if this one is full; the answer is how many bytes. */
  fill(bytes: Uint8Array): number {
    if (this.isFull) this.#begin()
    const count = Math.min(bytes.length, this.#bytes.length - this.#end)
    this.#bytes.set(bytes.length === count ? bytes : bytes.subarray(0, count), this.#end)
    this.#end += count
    return count
  }

  /** What there is of it, behind the bytes that stand before it, and how to deflate it. Good until `fill`. */
  chunk(isLast: boolean): [content: Uint8Array, way: number] {
    const way = wayOf({ level: this.#level, windowBytes: windowBytes - this.#from, isLast })
    return [this.#bytes.subarray(this.#from, this.#end), way]
  }

  #begin(): void {
    this.#bytes.copyWithin(0, this.#end - windowBytes, this.#end)
    this.#from = 0
    this.#end = windowBytes
  }
}

/** Has chunks deflated; what is ready comes out in their order. */
interface Deflater {
  take(content: Uint8Array, way: number): Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  /** What is still in work. */
  end(): Iterable<Uint8Array>
  /** Idempotent. */
  close(): void
}

class Later implements Deflater {
  async *take(content: Uint8Array, way: number): AsyncGenerator<Uint8Array, void, void> {
    yield await deflateChunk(content, way)
  }

  end(): [] {
    return []
  }

  close(): void {
    // Nobody helps.
  }
}

class Helped implements Deflater {
  /** Undefined: a helper has given no news, and from then on nobody helps. */
  #ring: WriterEnd | undefined
  #room: Uint8Array | undefined

  constructor(memory: SharedArrayBuffer) {
    this.#ring = new WriterEnd(memory, deflateCodec)
  }

  async *take(content: Uint8Array, way: number): AsyncGenerator<Uint8Array, void, void> {
    while (this.#ring !== undefined && this.#ring.put(content, way) === undefined) yield* this.#advance(this.#ring)
    if (this.#ring === undefined) yield this.#here(content, way)
    // Without a turn of the event loop now and then, memory that native code handed out is not taken back.
    await new Promise(resolve => setImmediate(resolve))
  }

  *end(): Generator<Uint8Array, void, void> {
    while (this.#ring !== undefined && this.#ring.count > 0) yield* this.#advance(this.#ring)
  }

  close(): void {
    this.#ring?.close()
  }

  /** Has the oldest chunk done that nobody has taken, or waits for the oldest of all. */
  *#advance(ring: WriterEnd): Generator<Uint8Array, void, void> {
    const block = ring.claim()
    if (block !== undefined) ring.compress(block)
    else if (!ring.wait(ring.oldest, noNewsMs)) yield* this.#doWithout(ring)
    while (ring.count > 0 && ring.isDone(ring.oldest)) yield* takenOut(ring)
  }

  /** Whatever is in the ring is done here, and the ring is left alone from now on. */
  *#doWithout(ring: WriterEnd): Generator<Uint8Array, void, void> {
    ring.close()
    this.#ring = undefined
    while (ring.count > 0) {
      if (ring.isDone(ring.oldest)) yield* takenOut(ring)
      else {
        yield this.#here(ring.content(ring.oldest), ring.way(ring.oldest))
        ring.release(1)
      }
    }
  }

  #here(content: Uint8Array, way: number): Uint8Array {
    const bytes = deflateCodec.bound(content.length)
    if (this.#room === undefined || this.#room.length < bytes) this.#room = new Uint8Array(bytes)
    return deflateCodec.compress(content, way, this.#room)
  }
}

/** The oldest chunk, which is done. */
function* takenOut(ring: WriterEnd): Generator<Uint8Array, void, void> {
  yield ring.result(ring.oldest).ready
  ring.release(1)
}
