/**
 * xxh64 of bytes at hand, by hash-wasm: 3 µs for a block of 16 KiB, 33 µs for one of 256 KiB. One WebAssembly instance
 * each, and an instance reserves gigabytes of address space: share them.
 */
import type { Sum } from './format.js'

export interface Checksums {
  readonly xxh64: Sum
  /** Over bytes that come in parts; nothing else may be summed before the digest. */
  xxh64Parts(): { update(bytes: Uint8Array): void; digest(): readonly [low: number, high: number] }
}

export async function loadChecksums(): Promise<Checksums> {
  const { default: parts } = await import('hash-wasm/dist/xxhash64.umd.min.js')
  const hasher = await parts.createXXHash64()
  return {
    xxh64: bytes => words(hasher.init().update(bytes).digest('binary')),
    xxh64Parts() {
      hasher.init()
      return { update: bytes => void hasher.update(bytes), digest: () => words(hasher.digest('binary')) }
    },
  }
}

/** xxh32 with seed 0, for the check byte of a frame's header. */
export async function xxh32(bytes: Uint8Array): Promise<number> {
  const { default: parts } = await import('hash-wasm/dist/xxhash32.umd.min.js')
  return word((await parts.createXXHash32()).init().update(bytes).digest('binary'), 0)
}

/** The digest is big-endian, as the reference implementation prints it. */
function words(digest: Uint8Array): readonly [number, number] {
  return [word(digest, 4), word(digest, 0)]
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
