/** zstd by node:zlib, where Node has it (22.15 and later). */
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { chunkBytes } from '../limits.js'
import { invalid, reasonOf } from './invalid.js'
import { throughTransform } from './transform.js'
import type { ZstdPiece } from './zstd-frames.js'

/** What the types of Node 20 do not know. */
interface ZlibWithZstd {
  createZstdDecompress?(options: object): Transform
  readonly constants: { readonly ZSTD_d_windowLogMax?: number }
}

const windowLogMax = 31

export type ZstdPieceDecoder = (pieces: AsyncIterable<ZstdPiece>, label: string) => AsyncGenerator<Buffer>

export function loadZstdOfNode(): ZstdPieceDecoder | undefined {
  const { createZstdDecompress, constants } = zlib as ZlibWithZstd
  const parameter = constants.ZSTD_d_windowLogMax
  if (createZstdDecompress === undefined || parameter === undefined) return undefined
  const options = {
    chunkSize: chunkBytes,
    readableHighWaterMark: 2 * chunkBytes,
    params: { [parameter]: windowLogMax },
  }
  return (pieces, label) =>
    throughTransform(bytesOf(pieces), createZstdDecompress(options), error =>
      invalid(label, 'zstd', reasonOf(error), error),
    )
}

/** Of one write, some versions of Node read one frame only; a piece is never more than that. */
async function* bytesOf(pieces: AsyncIterable<ZstdPiece>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of pieces) yield bytes
}
