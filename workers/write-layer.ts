/** Job: one pass over a layer as it stands in an archive: decompress → hash → scan → layer file in the stage. */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { decompress } from '../src/compression/compression.js'
import { readRange } from '../src/disk/read-range.js'
import { writeLayerFile } from '../src/layerfile/writer.js'
import type { Digest } from '../src/oci/digest.js'
import { job } from '../src/pool/wire.js'

export default job('write-layer', async (input, { progress, memory }) => {
  const { source, label, target, compression, limits } = input
  const blob = new BlobHash(input.digestAlgorithm)
  const fd = openSync(target, 'wx', 0o600)
  try {
    const plain = decompress(blob.tap(readRange(source, label), progress), {
      limits,
      label,
      onSniffed: name => blob.sniffed(name),
    })
    const written = await writeLayerFile(plain, { fd, label, compression, limits, ...(memory && { ring: memory }) })
    return { ...written, digest: blob.digest() ?? written.diffId }
  } finally {
    closeSync(fd)
  }
})

/** Digest of the bytes as they stand. Those of a plain tar are not hashed a second time: it is the diffId. */
class BlobHash {
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

  async *tap(chunks: AsyncIterable<Buffer>, progress: (bytes: number) => void): AsyncGenerator<Buffer> {
    let done = 0
    for await (const chunk of chunks) {
      yield chunk
      progress((done += chunk.length))
      if (!this.#plain) this.#hash.update(chunk)
    }
  }

  digest(): Digest | undefined {
    return this.#plain ? undefined : (`${this.#algorithm}:${this.#hash.digest('hex')}` as Digest)
  }
}
