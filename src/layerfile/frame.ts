/**
 * The LZ4 frame around the blocks, as in the LZ4 frame format 1.6.x: independent blocks of at most 256 KiB, the content
 * size, no checksum of blocks or content. (With block checksums and no content checksum lz4 1.9.4 reads 4 bytes too far.)
 */
import { blockBytes } from '../limits.js'
import { xxh32 } from './checksum.js'
import { writeUint64 } from './format.js'

const frameMagic = 0x184d2204
/** Version 01, blocks independent, content size present. */
const flags = 0b0110_1000
/** Block maximum 5: 256 KiB. */
const blockMaximum = 0b0101_0000

export const frameHeaderBytes = 15
/** The length word in front of each block. */
export const lengthBytes = 4
/** Set in the length word of a block that is stored as it is. */
export const storedBit = 0x8000_0000
/** A length word of 0 ends the frame. */
export const endMarkBytes = 4

export async function frameHeader(contentBytes: number): Promise<Buffer> {
  const header = Buffer.alloc(frameHeaderBytes)
  header.writeUInt32LE(frameMagic, 0)
  header[4] = flags
  header[5] = blockMaximum
  writeUint64(header, 6, contentBytes)
  header[14] = ((await xxh32(header.subarray(4, 14))) >>> 8) & 0xff
  return header
}

/** Whether the bytes begin a frame of the kind that we write. */
export function isFrameHeader(header: Buffer): boolean {
  return header.readUInt32LE(0) === frameMagic && header[4] === flags && header[5] === blockMaximum
}

/**
 * Bytes that a compressed block becomes, by its sequences' lengths alone; undefined when they do not add up.
 * LZ4 block format: a token of two 4-bit lengths, more bytes for a length of 15, literals, a match of at least 4 bytes;
 * the last sequence is literals alone.
 */
export function contentLength(block: Uint8Array): number | undefined {
  let at = 0
  let total = 0
  const more = (short: number): number => {
    let length = short
    if (short === 15) {
      let byte = 255
      while (byte === 255 && at < block.length) length += byte = block[at++]!
    }
    return length
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = more(token >>> 4)
    at += literals
    total += literals
    if (at === block.length) return total
    at += 2
    total += more(token & 15) + 4
  }
  return undefined
}

/** What a length word says; undefined when no block of ours can be that long. */
export function decodeLength(word: number): { readonly bytes: number; readonly stored: boolean } | undefined {
  const stored = (word & storedBit) !== 0
  const bytes = word & ~storedBit & 0x7fff_ffff
  return bytes > blockBytes ? undefined : { bytes, stored }
}
