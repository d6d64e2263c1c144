/** Random scripts with moved directories in containers of a real dockerd and of ours, until the time is over. Needs root. */
import { type Met, randomScripts } from '../build/random-script.js'
import { assertSame, comparisons, openSides, runBatch } from '../build/script-run.js'
import type { Campaign } from './campaign.js'

const scripts = 24

export const campaign: Campaign = {
  name: 'script',
  description: 'A script does in our container what it does in a container of docker, and both commit the same.',
  async run({ minutes, seed, log }) {
    const until = performance.now() + minutes * 60_000
    const met: Met = { done: 0, moved: 0 }
    let next = seed
    await using sides = await openSides()
    do {
      const batch = await runBatch(sides, `b${next}`, randomScripts(next, scripts, met))
      for (const comparison of comparisons(batch)) assertSame(batch, comparison)
      next += scripts
      log(`seed ${next}: ${met.done} steps, ${met.moved} directories of images moved, no difference`)
    } while (performance.now() < until)
    const counts = { scripts: next - seed, steps: met.done, 'directories of images moved': met.moved }
    return { counts, seeds: [`${seed} to ${next - 1}`], ok: true }
  },
}
