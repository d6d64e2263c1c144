/** Random layers with something odd in each, taken apart and put together again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countTarBytes } from '../../src/unpack/assemble-layer.js'
import { oddArchive, plainKinds } from '../build/odd-archive.js'
import { assembled, splitLayer } from '../build/split-layer.js'
import type { Campaign } from './campaign.js'

const archives = 2000

export const campaign: Campaign = {
  name: 'tar-split',
  description: `${archives} random archives or more, each with something odd, come back byte for byte out of lines and files.`,
  async run({ minutes, seed, log }) {
    const until = performance.now() + minutes * 60_000
    const counts = { archives: 0, oddities: 0, bytes: 0 }
    while (counts.archives < archives || performance.now() < until) {
      const used = seed + counts.archives
      const { bytes, oddities, real } = oddArchive(used, { kinds: plainKinds })
      const dir = mkdtempSync(join(tmpdir(), 'phyllo-split-'))
      try {
        const layer = await splitLayer(dir, bytes, { real })
        const same = (await assembled(layer)).equals(bytes) && (await countTarBytes(layer.tarSplit)) === bytes.length
        if (!same) return { counts, seeds: [String(used)], ok: false }
      } catch (error) {
        log(`seed ${used}: ${String(error)}`)
        return { counts, seeds: [String(used)], ok: false }
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
      counts.archives++
      counts.oddities += oddities.length
      counts.bytes += bytes.length
      if (counts.archives % 500 === 0) log(`${counts.archives} archives`)
    }
    return { counts, seeds: [`${seed} to ${seed + counts.archives - 1}`], ok: true }
  },
}
