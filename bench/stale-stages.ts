/** How long does it take to open a store in which 1,000 processes have died, each with a stage? */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Store } from '../src/index.js'
import { median } from './contest.js'
import { addStaleStages } from './made-stores.js'
import { figure } from './print.js'
import type { Question } from './questions.js'

const stages = 1000
const perRound = 3

export const question: Question = {
  title: 'open a store with 1,000 stale stages',
  inputs: [],
  async ask({ rounds, places, say, report }) {
    const seconds: number[] = []
    for (let round = 0; round < rounds * perRound; round++) {
      const root = join(await places.disk.fresh(), 'store')
      await (await Store.open(root)).close()
      await addStaleStages(root, stages)
      await places.disk.settle()
      const start = performance.now()
      const store = await Store.open(root)
      seconds.push((performance.now() - start) / 1000)
      await store.close()
      await rm(root, { recursive: true })
    }
    say(`on ${places.disk.fileSystem}: ${figure(median(seconds), 's')}, at most ${figure(Math.max(...seconds), 's')}`)
    report('open: 1,000 stale stages', seconds)
  },
}
