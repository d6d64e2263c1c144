/** What the two LZ4 engines have in common: the room that they need, and the error of a bad block. */
import { PhylloError } from '../errors.js'

/** Bytes in front of every block, for its length. */
export const roomBytes = 4

/** The most that a block of so many bytes can become: `LZ4_compressBound` of lz4.h. */
export function compressBound(contentBytes: number): number {
  return contentBytes + Math.floor(contentBytes / 255) + 16
}

/** Misuse: a native engine would write behind the end. */
export function requireBound(block: Uint8Array, into: Uint8Array): void {
  if (into.length >= compressBound(block.length)) return
  throw new TypeError(`an LZ4 block of ${block.length} bytes may not fit into ${into.length}`)
}

export function damagedBlock(storedBytes: number, contentBytes: number, reason: string, cause?: unknown): PhylloError {
  return new PhylloError(
    'STORE_CORRUPT',
    `LZ4 block of ${storedBytes} bytes does not decompress to ${contentBytes} bytes: ${reason}`,
    { cause },
  )
}

/** Misuse, not damage: without the room the engines would write into somebody else's bytes. */
export function requireRoom(stored: Uint8Array): void {
  if (stored.byteOffset >= roomBytes && stored.byteLength > 0) return
  throw new TypeError('an LZ4 block needs 4 bytes of room in front of it, and at least one byte')
}
