/**
 * A fixed number of buffers that go round between a reader and a writer: fresh memory for every megabyte costs more
 * than copying it. With a size of 0 every buffer is a fresh one, for a writer that keeps what it was given.
 */
export class BufferRing {
  readonly #bufferBytes: number
  readonly #most: number
  readonly #all = new Map<ArrayBufferLike, Buffer>()
  readonly #free: Buffer[] = []
  readonly #waiting: { resolve(buffer: Buffer): void; reject(error: Error): void }[] = []
  #closed = false

  constructor(bufferBytes: number, most: number) {
    this.#bufferBytes = bufferBytes
    this.#most = most
  }

  /** A buffer of the full size, as soon as there is one. Rejects once the ring is closed. */
  take(): Promise<Buffer> {
    if (this.#closed) return Promise.reject(closed())
    const free = this.#free.pop()
    if (free !== undefined) return Promise.resolve(free)
    if (this.#most > 0 && this.#all.size >= this.#most)
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    const fresh = Buffer.allocUnsafeSlow(this.#bufferBytes)
    if (this.#most > 0) this.#all.set(fresh.buffer, fresh)
    return Promise.resolve(fresh)
  }

  /** Gives back the buffer that the chunk is a part of; chunks of other origin are none of the ring's. */
  release(chunk: Uint8Array): void {
    const buffer = this.#all.get(chunk.buffer)
    if (buffer === undefined) return
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(buffer)
    else next.resolve(buffer)
  }

  /** Whoever waits is told that nothing will come. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#waiting.splice(0)) reject(closed())
  }
}

function closed(): Error {
  return new Error('the archive is not written any more')
}
