/**
 * The tar of an unpacked layer, read by position, for those who cannot leave it to a job. It is assembled from its beginning on and
 * not kept: reads in ascending order, which may be asked for together, go over it once; a step back begins again.
 *
 * Invariant: the reads are served one after the other, in the order in which they were asked for. Between the first one and `close`,
 * or the end of the tar, a file is open and some MiB are in use.
 */
import { assembleLayer, type SplitLayer } from './assemble-layer.js'

const nothing: Buffer = Buffer.alloc(0)

export class AssembledTar {
  readonly #layer: SplitLayer
  #chunks: AsyncGenerator<Buffer, void, void> | undefined
  /** The part of the tar from `#offset` on that is in memory. */
  #chunk: Buffer = nothing
  #offset = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(layer: SplitLayer) {
    this.#layer = layer
  }

  /** Copies bytes from `position` on; answers how many, 0 at or past the end. Throws as `assembleLayer`. */
  read(position: number, into: Uint8Array): Promise<number> {
    const read = this.#last.then(() => this.#read(position, into))
    this.#last = read.catch(() => this.#rewind())
    return read
  }

  /** After the reads that were asked for. A later read begins again. */
  async close(): Promise<void> {
    await this.#last
    await this.#rewind()
  }

  async #read(position: number, into: Uint8Array): Promise<number> {
    if (position < this.#offset) await this.#rewind()
    this.#chunks ??= assembleLayer(this.#layer)
    while (position >= this.#offset + this.#chunk.length) {
      const end = this.#offset + this.#chunk.length
      const next = await this.#chunks.next()
      this.#offset = end
      this.#chunk = next.done ? nothing : next.value
      if (next.done) return 0
    }
    return this.#chunk.copy(into, 0, position - this.#offset)
  }

  async #rewind(): Promise<void> {
    const chunks = this.#chunks
    this.#chunks = undefined
    this.#chunk = nothing
    this.#offset = 0
    await chunks?.return()
  }
}
