/**
 * Images in Docker's own store, written by us and by dockerd: the system test with more generated ones, and with the real ones of the
 * benchmarks. Needs root.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../../bench/corpus.js'
import { runSuite } from '../build/suite-process.js'
import type { Campaign } from './campaign.js'

const images = 60
/** Made by `npm run bench`, if it has run. */
const real = ['small.tar', 'app.tar']

export const campaign: Campaign = {
  name: 'overlay2',
  description: `${images} generated images: our root and dockerd's are equal file by file, and each works on the other's.`,
  async run({ minutes, seed, log }) {
    const until = performance.now() + minutes * 60_000
    const counts = { rounds: 0, images: 0, 'real images': 0, tests: 0 }
    for (const archive of real.map(name => join(cacheFolder(), name)).filter(path => existsSync(path))) {
      const { passed, output } = await runSuite(['system', '--only', '^system/overlay2-random'], {
        PHYLLO_ARCHIVE: archive,
      })
      if (passed === undefined) {
        log(output)
        return { counts, seeds: [], ok: false }
      }
      log(`${archive}: ${passed} tests passed`)
      counts['real images']++
      counts.tests += passed
    }
    do {
      const used = seed + counts.rounds
      const env = { PHYLLO_SEED: String(used), PHYLLO_IMAGES: String(images) }
      const { passed, output } = await runSuite(['system', '--only', '^system/overlay2-random'], env)
      if (passed === undefined) {
        log(output)
        return { counts, seeds: [String(used)], ok: false }
      }
      counts.rounds++
      counts.images += images
      counts.tests += passed
      log(`seed ${used}: ${passed} tests passed`)
    } while (performance.now() < until)
    return { counts, seeds: [`${seed} to ${seed + counts.rounds - 1}`], ok: true }
  },
}
