/** How fast is LZ4, by either library, on this thread and on the thread pool? */
import { loadLiblz4 } from '../src/native/liblz4.js'
import type { Lz4 } from '../src/native/lz4.js'
import { compressBound } from '../src/native/lz4-block.js'
import { loadLz4Napi } from '../src/native/lz4-napi.js'
import { inTurn, type MicroCase, runMicro } from './micro.js'
import { piecesOf } from './pieces.js'
import type { Question } from './questions.js'

const KiB = 2 ** 10
const roomBytes = 4
/** Calls at once on the thread pool. */
const atOnce = 4

export const question: Question = {
  title: 'LZ4 blocks, MB/s of content',
  inputs: ['app'],
  async ask({ input, say }) {
    const native = await loadLiblz4()
    if (native === undefined) say('liblz4 or koffi is not there')
    const codecs = [await loadLz4Napi(), ...(native === undefined ? [] : [native])]
    for (const pieceBytes of [16 * KiB, 256 * KiB]) {
      const pieces = await piecesOf(input('app'), pieceBytes)
      const cases = codecs.flatMap(codec => casesOf(codec, pieces, pieceBytes))
      const ratio = pieces.slice(0, 400).reduce((sum, piece) => sum + compressed(codecs[0]!, piece).length, 0)
      say(`blocks of ${pieceBytes / KiB} KiB, ratio ${(ratio / Math.min(400, pieces.length) / pieceBytes).toFixed(3)}:`)
      say(`${await runMicro(cases, 'MB', 1e6)}\n`)
    }
  },
}

/** With room for 4 bytes in front, which may be written over: they hold nothing. */
function compressed(lz4: Lz4, piece: Buffer): Buffer {
  const into = Buffer.allocUnsafeSlow(roomBytes + compressBound(piece.length))
  return into.subarray(roomBytes, roomBytes + lz4.compressSync(piece, into.subarray(roomBytes)))
}

function casesOf(lz4: Lz4, pieces: readonly Buffer[], pieceBytes: number): MicroCase[] {
  const next = inTurn(pieces)
  const nextStored = inTurn(pieces.map(piece => compressed(lz4, piece)))
  const output = Buffer.allocUnsafeSlow(compressBound(pieceBytes))
  const into = Buffer.alloc(pieceBytes)
  const several = (work: () => Promise<unknown>) => () => Promise.all(Array.from({ length: atOnce }, work))
  const pool = { asynchronous: true, count: atOnce * pieceBytes }
  return [
    { name: `${lz4.name}, compress`, count: pieceBytes, run: () => lz4.compressSync(next(), output) },
    { name: `${lz4.name}, decompress`, count: pieceBytes, run: () => lz4.decompressSync(nextStored(), into) },
    {
      name: `${lz4.name}, decompress, thread pool`,
      ...pool,
      run: several(() => lz4.decompress(nextStored(), Buffer.allocUnsafeSlow(pieceBytes))),
    },
  ]
}
