/** How fast are the hashes that a load and a read cannot do without? */
import { createHash } from 'node:crypto'
import { createSHA256, createXXHash32 } from 'hash-wasm'
import { loadChecksums } from '../src/layerfile/checksum.js'
import { inTurn, runMicro } from './micro.js'
import { piecesOf } from './pieces.js'
import type { Question } from './questions.js'

const KiB = 2 ** 10

export const question: Question = {
  title: 'hashes, MB/s',
  inputs: ['app'],
  async ask({ input, say }) {
    const [wasm, xxh32, checksums] = await Promise.all([createSHA256(), createXXHash32(), loadChecksums()])
    for (const pieceBytes of [16 * KiB, 256 * KiB]) {
      const next = inTurn(await piecesOf(input('app'), pieceBytes))
      const count = pieceBytes
      const cases = [
        { name: 'sha256, node:crypto', count, run: () => createHash('sha256').update(next()).digest() },
        { name: 'sha256, hash-wasm', count, run: () => wasm.init().update(next()).digest('binary') },
        { name: 'xxh64 of a block, as the layer file has it', count, run: () => checksums.xxh64(next()) },
        { name: 'xxh32, hash-wasm', count, run: () => xxh32.init().update(next()).digest('binary') },
      ]
      say(`pieces of ${pieceBytes / KiB} KiB:\n${await runMicro(cases, 'MB', 1e6)}\n`)
    }
  },
}
