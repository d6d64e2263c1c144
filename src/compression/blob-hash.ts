/** Digest of bytes as they stand in an archive, before they are decompressed. Those of a plain tar need no second one: the diffId. */
import { createHash, type Hash } from 'node:crypto'
import type { Digest } from '../oci/digest.js'

export class BlobHash {
  readonly #algorithm: 'sha256' | 'sha512'
  readonly #hash: Hash
  #plain = false

  constructor(algorithm: 'sha256' | 'sha512' = 'sha256') {
    this.#algorithm = algorithm
    this.#hash = createHash(algorithm)
  }

  /** Told before the second chunk is asked for, if the first one was long enough to tell. */
  sniffed(name: string): void {
    this.#plain = name === 'none' && this.#algorithm === 'sha256'
  }

  /** The same chunks; each is hashed when the next one is asked for. `progress` gets the bytes so far. */
  async *tap(chunks: AsyncIterable<Buffer>, progress: (bytes: number) => void): AsyncGenerator<Buffer> {
    let done = 0
    for await (const chunk of chunks) {
      yield chunk
      progress((done += chunk.length))
      if (!this.#plain) this.#hash.update(chunk)
    }
  }

  /** Undefined: the digest is that of the uncompressed bytes. */
  digest(): Digest | undefined {
    return this.#plain ? undefined : (`${this.#algorithm}:${this.#hash.digest('hex')}` as Digest)
  }
}
