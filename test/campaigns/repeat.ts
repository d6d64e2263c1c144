/**
 * The core suite again and again, each time with another seed: finds tests that pass by luck. Properties of fast-check
 * draw a seed of their own, which they print when they fail.
 */
import { runSuite } from '../build/suite-process.js'
import type { Campaign } from './campaign.js'

export const campaign: Campaign = {
  name: 'repeat',
  description: 'The core suite passes every time, with another seed each time.',
  async run({ minutes, seed, log }) {
    const until = performance.now() + minutes * 60_000
    const counts = { rounds: 0, tests: 0 }
    const seeds: string[] = []
    do {
      const used = String(seed + counts.rounds)
      const { passed, output } = await runSuite(['core'], { PHYLLO_SEED: used, PHYLLO_TEST_SEED: used })
      counts.rounds++
      counts.tests += passed ?? 0
      seeds.push(used)
      log(`seed ${used}: ${passed === undefined ? output : `${passed} passed`}`)
      if (passed === undefined) return { counts, seeds: [used], ok: false }
    } while (performance.now() < until)
    return { counts, seeds: [seeds[0]!, seeds.at(-1)!], ok: true }
  },
}
