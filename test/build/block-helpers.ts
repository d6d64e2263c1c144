/** Stand-ins for what compresses blocks, and for the helpers that do it. */
import assert from 'node:assert/strict'
import type { Compressor } from '../../src/layerfile/block-codec.js'

/** "Compresses" to the first quarter of a block that begins with c, and leaves all others as they are. Sums lengths. */
export function standIn(): Compressor {
  const never = () => assert.fail('nothing is read here')
  return {
    lz4: {
      name: 'lz4-napi',
      compressSync(block, into) {
        const bytes = block[0] === 0x63 ? Math.max(1, block.length >> 2) : block.length
        into.set(block.subarray(0, bytes))
        return bytes
      },
      decompressSync: never,
      contentSync: never,
      decompress: never,
    },
    checksums: { xxh64: bytes => [bytes.length, bytes[0] ?? 0], xxh64Parts: never },
  }
}
