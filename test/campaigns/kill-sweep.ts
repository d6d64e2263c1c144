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
  /** Every point once, however long that takes; `minutes` is not asked. */
  async run({ seed, log }) {
    const { directory, unmount } = mountTmpfs()
    const pool = new Pool({ workers: 1 })
    const tally = new KillTally()
    try {
      for (const operation of crashOperations)
        for (const driver of ['packed', 'overlay2'] as const) {
          await sweepSome({ operation, driver, dir: directory, pool }, { seed, tally })
          log(tally.lines().at(-1)!)
        }
      return { counts: countsOf(tally), seeds: [String(seed)], ok: true }
    } catch (error) {
      log(String(error))
      return { counts: countsOf(tally), seeds: [String(seed)], ok: false }
    } finally {
      await pool.close()
      unmount()
    }
  },
}

function countsOf(tally: KillTally): Record<string, number> {
  const threads = (['main', 'pool', 'worker'] as const).map(thread => [`in a ${thread} thread`, tally.of(thread)])
  return { kills: tally.kills, ...Object.fromEntries(threads) }
}
