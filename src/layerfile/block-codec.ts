/** How blocks of a layer file are compressed, by whichever thread: see compression/block-ring.ts. */
import type { BlockCodec } from '../compression/block-ring.js'
import { type Lz4, loadLz4 } from '../native/lz4.js'
import { compressBound } from '../native/lz4-block.js'
import { type Checksums, loadChecksums } from './checksum.js'

/** A block is stored unless compression saves one sixteenth of it. */
const savingShift = 4

export interface Compressor {
  readonly lz4: Lz4
  readonly checksums: Checksums
}

/** The ways of this codec. */
export const ways = { store: 0, try: 1 } as const

/** What goes into the file for a content: in `room`, which has `compressBound` bytes, or the content itself. */
export function compressBlock({ lz4 }: Pick<Compressor, 'lz4'>, content: Uint8Array, room: Uint8Array): Uint8Array {
  const bytes = lz4.compressSync(content, room)
  return bytes >= content.length - (content.length >>> savingShift) ? content : room.subarray(0, bytes)
}

export function lz4Codec(compressor: Compressor): BlockCodec {
  return {
    bound: compressBound,
    compress: (content, way, room) => (way === ways.try ? compressBlock(compressor, content, room) : content),
    checksum: compressor.checksums.xxh64,
  }
}

export async function loadLz4Codec(): Promise<BlockCodec> {
  const [lz4, checksums] = await Promise.all([loadLz4(), loadChecksums()])
  return lz4Codec({ lz4, checksums })
}
