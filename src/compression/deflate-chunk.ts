/**
 * One chunk of a gzip member, deflated by itself: as pigz does it, after the 32 KiB that stand before it, and to a byte's
 * border, so that chunks put one behind the other are one stream of deflate (RFC 1951 3.2.4).
 *
 * Invariant: what comes out depends on content and way alone, whichever thread does it, and with or without it waiting.
 */
import { promisify } from 'node:util'
import { constants, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'
import { KiB } from '../limits.js'
import type { BlockCodec } from './block-ring.js'

/** How far back deflate looks. */
export const windowBytes = 32 * KiB

export interface ChunkWay {
  /** 1 (fast) to 9 (small). */
  readonly level: number
  /** So many bytes at the beginning of the content stand before the chunk, and are only referred to. */
  readonly windowBytes: number
  readonly isLast: boolean
}

/** As one word, for a ring. */
export function wayOf({ level, windowBytes, isLast }: ChunkWay): number {
  return (windowBytes << 5) | (isLast ? 16 : 0) | level
}

export const deflateCodec: BlockCodec = {
  // A block of zlib that is only stored holds 16 KiB less one byte, behind 5 bytes; then come those of the border.
  bound: contentBytes => contentBytes + (contentBytes >>> 11) + 64,
  compress(content, way, room) {
    const deflated = deflateRawSync(chunkOf(content, way), optionsOf(content, way))
    room.set(deflated)
    return room.subarray(0, deflated.length)
  },
}

const deflateRawLater = promisify(deflateRaw) as (chunk: Uint8Array, options: ZlibOptions) => Promise<Buffer>

/** The same on the thread pool of the process. The content must stay as it is meanwhile. */
export function deflateChunk(content: Uint8Array, way: number): Promise<Buffer> {
  return deflateRawLater(chunkOf(content, way), optionsOf(content, way))
}

function chunkOf(content: Uint8Array, way: number): Uint8Array {
  return content.subarray(way >>> 5)
}

function optionsOf(content: Uint8Array, way: number): ZlibOptions {
  const before = way >>> 5
  return {
    level: way & 15,
    finishFlush: (way & 16) === 0 ? constants.Z_SYNC_FLUSH : constants.Z_FINISH,
    ...(before > 0 && { dictionary: content.subarray(0, before) }),
    // All of it comes out in one piece.
    chunkSize: deflateCodec.bound(content.length),
  }
}
