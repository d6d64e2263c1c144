/** Sequences of operations by turns in containers and in the kernel, the upper handed over each time. Needs root. */
import { compareByTurns } from '../build/union-alternating.js'
import { Differences, unmet } from '../build/union-profile.js'
import type { Campaign } from './campaign.js'

const sequences = 50
const operations = 60

export const campaign: Campaign = {
  name: 'alternate',
  description: 'What a container and the kernel do by turns to one upper ends as what the kernel does alone: P-67.',
  async run({ minutes, seed, log }) {
    const until = performance.now() + minutes * 60_000
    const counts = { sequences: 0, operations: 0, 'to the kernel': 0, 'from the kernel': 0 }
    const tally = { outcomes: new Map<string, number>(), differences: new Differences() }
    do {
      const handovers = await compareByTurns({ seed: seed + counts.sequences, sequences, operations, ...tally })
      counts.sequences += sequences
      counts.operations += sequences * operations
      counts['to the kernel'] += handovers.toKernel
      counts['from the kernel'] += handovers.fromKernel
      log(`seed ${seed + counts.sequences}: ${counts.operations} operations, no mismatch`)
    } while (performance.now() < until)
    const missing = unmet(tally, counts.operations)
    for (const what of missing) log(`not met: ${what}`)
    return { counts, seeds: [`${seed} to ${seed + counts.sequences - 1}`], ok: missing.length === 0 }
  },
}
