/** The power of a disk is cut while a store on it is changed, again and again. Needs root and ext4. */
import { Pool } from '../../src/pool/pool.js'
import { mountTmpfs } from '../build/mounted.js'
import { CutDisk, losesSomething } from '../build/power-cut.js'
import type { Campaign } from './campaign.js'

const leastCuts = 200
/** Then with a new disk: recovery goes on with what many cuts have left. */
const cutsOfDisk = 25

export const campaign: Campaign = {
  name: 'power-cut',
  description: `The power is cut ${leastCuts} times or more while a store is changed: what was reported as done is there, with both drivers.`,
  async run({ minutes, seed, log }) {
    const { directory: dir, unmount } = mountTmpfs()
    const pool = new Pool({ workers: 1 })
    const until = performance.now() + minutes * 60_000
    const counts = { cuts: 0, 'changes told': 0, 'with a journal flush': 0, 'cuts until a writer without sync lost': 0 }
    try {
      for (const driver of ['packed', 'overlay2'] as const)
        counts['cuts until a writer without sync lost'] += await losesSomething(
          { driver, durability: 'none', dir, pool },
          seed,
        )
      for (let disks = 0; counts.cuts < leastCuts || performance.now() < until; disks++) {
        await using disk = await CutDisk.make({
          ...{ driver: disks % 2 === 0 ? 'packed' : 'overlay2', durability: 'full', dir, pool },
        })
        for (let n = 0; n < cutsOfDisk; n++) {
          const { told, flag } = await disk.cut(seed + counts.cuts)
          counts.cuts++
          counts['changes told'] += told
          counts['with a journal flush'] += Number(flag === 1)
        }
        log(`${counts.cuts} cuts`)
      }
      return { counts, seeds: [`${seed} to ${seed + counts.cuts - 1}`], ok: true }
    } catch (error) {
      log(String(error))
      return { counts, seeds: [String(seed)], ok: false }
    } finally {
      await pool.close()
      unmount()
    }
  },
}
