/** A writing process killed by SIGKILL again and again. */
import { killOne } from '../build/upper-kill.js'
import { randomOf } from '../build/upper-sequence.js'
import type { Campaign } from './campaign.js'

const kills = 200

export const campaign: Campaign = {
  name: 'upper-kill',
  description: `A process that changes a container is killed ${kills} times or more; a prefix with all that it had acknowledged is there.`,
  async run({ minutes, seed, log }) {
    const until = performance.now() + minutes * 60_000
    const counts = { kills: 0, acknowledged: 0, found: 0 }
    const random = randomOf(seed)
    while (counts.kills < kills || performance.now() < until) {
      const used = seed + counts.kills
      try {
        const { acknowledged, found } = await killOne(used, random(400))
        counts.kills++
        counts.acknowledged += acknowledged
        counts.found += found
      } catch (error) {
        log(`seed ${used}: ${String(error)}`)
        return { counts, seeds: [String(used)], ok: false }
      }
      if (counts.kills % 50 === 0) log(`${counts.kills} kills`)
    }
    return { counts, seeds: [String(seed)], ok: true }
  },
}
