/** Pieces of a large file in memory: more of them than any cache of the processor holds. */
import { open, stat } from 'node:fs/promises'

const MiB = 2 ** 20
const bytesInAll = 192 * MiB

/** Pieces of one length, evenly spread over the file. */
export async function piecesOf(path: string, pieceBytes: number): Promise<Buffer[]> {
  const { size } = await stat(path)
  const count = Math.floor(Math.min(bytesInAll, size) / pieceBytes)
  const stride = Math.floor((size - pieceBytes) / Math.max(1, count - 1))
  const file = await open(path)
  try {
    const pieces: Buffer[] = []
    for (let at = 0; at < count; at++) {
      const piece = Buffer.allocUnsafeSlow(pieceBytes)
      await file.read(piece, 0, pieceBytes, at * stride)
      pieces.push(piece)
    }
    return pieces
  } finally {
    await file.close()
  }
}
