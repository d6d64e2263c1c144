/**
 * LZ4 blocks, the raw block format: liblz4 where the machine has it, else lz4-napi. Both write blocks that the other
 * reads; they need not be the same bytes. Any buffer may lie in memory that threads share.
 *
 * Four bytes of room stand in front of every block to decompress, because a frame stores a block behind its 4-byte
 * length, and lz4-napi wants the content's length in the same place.
 *
 * Asynchronous calls run on libuv's thread pool, a few at a time; the others wait. Their buffers belong to them until
 * the promise settles: the caller neither writes to nor transfers what it handed in.
 */
import { loadLiblz4 } from './liblz4.js'
import { loadLz4Napi } from './lz4-napi.js'

export interface Lz4 {
  readonly name: 'liblz4' | 'lz4-napi'

  /**
   * Compresses one block to the beginning of `into`, which must be `compressBound` bytes or more; the answer is how many
   * it takes. A block that does not shrink comes out longer than it went in.
   */
  compressSync(block: Uint8Array, into: Uint8Array): number

  /**
   * Decompresses one block. `stored` is the block without its length, and must have 4 bytes in front of it in the same
   * ArrayBuffer, which may be **overwritten**: read a block together with the 4 length bytes of the frame, use them,
   * then hand in `read.subarray(4)`. `stored` must not be empty.
   *
   * @throws PhylloError STORE_CORRUPT if the block is damaged or its content is not exactly `into.length` bytes; what
   * `into` holds then is undefined.
   */
  decompressSync(stored: Uint8Array, into: Uint8Array): void

  /** The same into memory of its own, which nobody else has. */
  contentSync(stored: Uint8Array, contentBytes: number): Buffer

  /** `decompressSync` off this thread: `into` is written by the time the promise settles, and not afterwards. */
  decompress(stored: Uint8Array, into: Uint8Array): Promise<void>

  /**
   * Decompresses blocks that stand one behind the other, each behind its length word as in an LZ4 frame, with one call
   * off this thread. `into.length` is what they hold together. Absent where the engine has no such call.
   */
  readonly decompressRun?: (run: Uint8Array, into: Uint8Array) => Promise<void>
}

/** The fastest LZ4 of this machine. Cheap to call again, but keep the result: it has no state but a queue. */
export async function loadLz4(): Promise<Lz4> {
  return (await loadLiblz4()) ?? (await loadLz4Napi())
}
