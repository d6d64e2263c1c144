/**
 * Decompresses many blocks with one call of liblz4: blocks that stand behind their length words, one behind the other,
 * are what its frame decoder takes once it has seen a frame's header. A call on the thread pool costs the calling thread
 * some 70 µs, as long as decompressing a small block.
 *
 * Invariants:
 * - A decoder serves one call at a time, and none any more after an error.
 * - A few idle decoders are kept (half a MiB each), and live as long as the process.
 */
import { callLimit, callsInFlight } from './call-limit.js'
import { damagedBlock } from './lz4-block.js'
import type { NativeArgument, NativeFunction, NativeLibrary } from './native.js'

/** `LZ4F_VERSION` of lz4frame.h. */
const frameApi = 100
/** LZ4 frame format: magic, FLG (version 01, independent blocks, nothing else), BD (256 KiB), checksum of the two. */
const frameHeader = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x50, 0xfb)
const keptDecoders = 4

/** Fills `into` with what the blocks of `run` hold, off this thread. Throws STORE_CORRUPT. */
export type DecompressRun = (run: Uint8Array, into: Uint8Array) => Promise<void>

/** Undefined when the library is too old to have a frame decoder. */
export function runDecompressor(library: NativeLibrary): DecompressRun | undefined {
  const functions = frameFunctions(library)
  if (functions === undefined) return undefined
  const { create, decompress, free } = functions
  const idle: bigint[] = []
  const limited = callLimit(callsInFlight)

  const makeDecoder = (): bigint => {
    const pointer = new BigUint64Array(1)
    if (Number(create(bytesOf(pointer), frameApi)) !== 0 || pointer[0] === 0n)
      throw new Error('LZ4F_createDecompressionContext failed')
    const { args } = call(pointer[0]!, frameHeader, new Uint8Array(1))
    decompress(...args)
    return pointer[0]!
  }

  return (run, into) =>
    limited(async () => {
      const decoder = idle.pop() ?? makeDecoder()
      const { args, taken, made } = call(decoder, run, into)
      await new Promise<void>((resolve, reject) => {
        // `args` is named in the callback on purpose: koffi keeps the callback, and the callback keeps the buffers.
        decompress.async(...args, error => (error == null && args ? resolve() : reject(error)))
      })
      const whole = taken() === run.length && made() === into.length
      if (whole && idle.length < keptDecoders) idle.push(decoder)
      else free(decoder)
      if (!whole) throw damagedBlock(run.length, into.length, `${taken()} bytes of it gave ${made()}`)
    })
}

function frameFunctions(library: NativeLibrary): Record<'create' | 'decompress' | 'free', NativeFunction> | undefined {
  try {
    return {
      create: library.func('size_t LZ4F_createDecompressionContext(void *context, unsigned int version)'),
      decompress: library.func(
        'size_t LZ4F_decompress(uintptr_t context, void *target, void *targetBytes, const void *source, void *sourceBytes, const void *options)',
      ),
      free: library.func('size_t LZ4F_freeDecompressionContext(uintptr_t context)'),
    }
  } catch {
    return undefined // no such symbol: koffi says so in text only
  }
}

/** Both counts go in as what there is and come out as what was used: a C `size_t` each. */
function call(decoder: bigint, source: Uint8Array, target: Uint8Array) {
  const sourceBytes = new BigUint64Array([BigInt(source.length)])
  const targetBytes = new BigUint64Array([BigInt(target.length)])
  const args: readonly NativeArgument[] = [decoder, target, bytesOf(targetBytes), source, bytesOf(sourceBytes), null]
  return { args, taken: () => Number(sourceBytes[0]), made: () => Number(targetBytes[0]) }
}

function bytesOf(words: BigUint64Array): Uint8Array {
  return new Uint8Array(words.buffer)
}
