/** Everything that a store does, killed at every call that changes something. Needs root and strace. */
import { Pool } from '../../src/pool/pool.js'
import { crashOperations } from '../build/crash-operations.js'
import { KillTally, sweepSome } from '../build/kill-sweep-run.js'
import { mountTmpfs } from '../build/mounted.js'
import type { Campaign } from './campaign.js'

export const campaign: Campaign = {
  name: 'kill-sweep',
  description:
    'Load, save, tag, commit, rmi and the like, killed at every k-th call that changes something, with both drivers: nothing is lost.',
  /** Every point once, however long that takes; `minutes` is not asked. A kind of work ends with its first failure. */
  async run({ seed, log }) {
    const { directory, unmount } = mountTmpfs()
    const pool = new Pool({ workers: 1 })
    const tally = new KillTally()
    let ok = true
    for (const operation of crashOperations)
      for (const driver of ['packed', 'overlay2'] as const)
        try {
          await sweepSome({ operation, driver, dir: directory, pool }, { seed, tally })
          log(tally.lines().at(-1)!)
        } catch (error) {
          log(String(error))
          ok = false
        }
    await pool.close()
    unmount()
    return { counts: countsOf(tally), seeds: [String(seed)], ok }
  },
}

function countsOf(tally: KillTally): Record<string, number> {
  const threads = (['main', 'pool', 'worker'] as const).map(thread => [`in a ${thread} thread`, tally.of(thread)])
  return { kills: tally.kills, ...Object.fromEntries(threads) }
}
