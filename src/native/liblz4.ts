/**
 * LZ4 through the machine's liblz4, by koffi: faster than lz4-napi (native-notes.md), and outputs that cost no garbage
 * beyond themselves.
 *
 * Invariants:
 * - A buffer that the thread pool writes to or reads from is referenced by the callback of that very call, so that it
 *   outlives the call whatever the caller does with its promise.
 */
import { callLimit, callsInFlight } from './call-limit.js'
import type { Lz4 } from './lz4.js'
import { damagedBlock, requireBound, requireRoom } from './lz4-block.js'
import { runDecompressor } from './lz4-run.js'
import { loadLibrary, type NativeArgument, type NativeFunction } from './native.js'

const names: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: ['liblz4.so.1'],
  freebsd: ['liblz4.so.1'],
  darwin: ['liblz4.1.dylib', '/opt/homebrew/lib/liblz4.1.dylib'],
}

/** liblz4, or undefined where the machine has none, koffi is missing, or native code is off. */
export async function loadLiblz4(): Promise<Lz4 | undefined> {
  const loaded = await loadLibrary(names[process.platform] ?? [])
  if (loaded === undefined) return undefined
  const compressDefault = loaded.library.func(
    'int LZ4_compress_default(const void *source, void *target, int sourceBytes, int capacity)',
  )
  const decompressSafe = loaded.library.func(
    'int LZ4_decompress_safe(const void *source, void *target, int sourceBytes, int capacity)',
  )
  const limited = callLimit(callsInFlight)
  const decompressSync = (stored: Uint8Array, into: Uint8Array): void => {
    requireRoom(stored)
    check(decompressSafe(stored, into, stored.length, into.length), stored, into.length)
  }
  const decompressRun = runDecompressor(loaded.library)
  return {
    name: 'liblz4',
    ...(decompressRun && { decompressRun }),
    compressSync(block, into) {
      requireBound(block, into)
      return written(compressDefault(block, into, block.length, into.length))
    },
    decompressSync,
    contentSync(stored, contentBytes) {
      const content = Buffer.allocUnsafeSlow(contentBytes)
      decompressSync(stored, content)
      return content
    },
    async decompress(stored, into) {
      requireRoom(stored)
      const result = await limited(() => offThread(decompressSafe, [stored, into, stored.length, into.length]))
      check(result, stored, into.length)
    },
  }
}

/** Runs a native call on the thread pool. */
function offThread(fn: NativeFunction, args: readonly NativeArgument[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // `args` is named in the callback on purpose: koffi keeps the callback, and the callback keeps the buffers.
    fn.async(...args, (error, result) => (error == null && args ? resolve(result) : reject(error)))
  })
}

function written(blockBytes: unknown): number {
  if (typeof blockBytes === 'number' && blockBytes > 0) return blockBytes
  throw new Error(`LZ4_compress_default failed with ${String(blockBytes)} although its output had room`)
}

function check(result: unknown, stored: Uint8Array, contentBytes: number): void {
  if (result === contentBytes) return
  const reason = typeof result === 'number' && result >= 0 ? `it holds ${result}` : `damaged (${String(result)})`
  throw damagedBlock(stored.length, contentBytes, reason)
}
