/** Random sequences of operations on containers and on real overlay mounts, until the time is over. Needs root. */
import { compareWithKernel } from '../build/union-against-kernel.js'
import { Differences, unmet } from '../build/union-profile.js'
import type { Campaign } from './campaign.js'

const sequences = 100
const operations = 60

export const campaign: Campaign = {
  name: 'union',
  description:
    "A container does what the kernel's overlayfs does: errno, tree, upper, remount; also with redirect_dir=on.",
  async run({ minutes, seed, log }) {
    const until = performance.now() + minutes * 60_000
    const counts = { 'sequences exdev': 0, 'sequences copy': 0, operations: 0 }
    const tally = { outcomes: new Map<string, number>(), differences: new Differences() }
    let next = seed
    do {
      for (const directoryRename of ['exdev', 'copy'] as const) {
        await compareWithKernel({ seed: next, sequences, operations, directoryRename, ...tally })
        counts[`sequences ${directoryRename}`] += sequences
        counts.operations += sequences * operations
        next += sequences
      }
      log(`seed ${next}: ${counts.operations} operations, no mismatch`)
    } while (performance.now() < until)
    const missing = unmet(tally, counts.operations)
    for (const what of missing) log(`not met: ${what}`)
    return { counts, seeds: [`${seed} to ${next - 1}`], ok: missing.length === 0 }
  },
}
