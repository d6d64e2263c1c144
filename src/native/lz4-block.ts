/** What the two LZ4 engines have in common: the room in front of a block, and the error of a bad one. */
import { PhylloError } from '../errors.js'

/** Bytes in front of every block, for its length. */
export const roomBytes = 4

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
