/** Eight processes on one store, half of them without native code, with random deaths. Needs root. */
import { join } from 'node:path'
import { Pool } from '../../src/pool/pool.js'
import { crowd } from '../build/crowd.js'
import { mountTmpfs } from '../build/mounted.js'
import type { Campaign } from './campaign.js'

export const campaign: Campaign = {
  name: 'crowd',
  description:
    'Eight processes change one store for so many minutes and some die: no name is lost, nothing is left behind.',
  async run({ minutes, seed, log }) {
    const { directory, unmount } = mountTmpfs()
    const pool = new Pool({ workers: 1 })
    try {
      const dir = join(directory, 'crowd')
      const { kills, steps } = await crowd({ dir, driver: 'packed', processes: 8, ms: minutes * 60_000, seed, pool })
      return { counts: { kills, ...steps }, seeds: [String(seed)], ok: true }
    } catch (error) {
      log(String(error))
      return { counts: {}, seeds: [String(seed)], ok: false }
    } finally {
      await pool.close()
      unmount()
    }
  },
}
