/** Does a reader notice that somebody collects garbage? p99 of opening and reading a small file, while `phyllo gc` runs, against idle. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { Store } from '../src/index.js'
import { median } from './contest.js'
import { addStaleStages } from './made-stores.js'
import { figure } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Question } from './questions.js'
import { seeded, shuffled } from './random.js'
import { filesOf } from './sides.js'

const runs = 5
const smallBytes = 64 * 1024
const reads = 3000
/** Garbage of one run: dead stages, and a tree of small files in the trash. */
const stages = 2000
const trashed = 20_000
const seed = 5

export const question: Question = {
  title: 'open and read while gc runs',
  inputs: ['app'],
  async ask({ places, input, say, report }) {
    const place = places.disk
    const root = await place.fresh()
    await using store = await Store.open(root, { tidy: false })
    await store.load(input('app'))
    const files = await filesOf(store, 'app:v1', smallBytes)
    await using view = await store.view('app:v1')
    const random = seeded(seed)
    const some = () => shuffled(files, random).slice(0, reads)
    const once = async (paths: readonly string[], going: () => boolean) => {
      const ms: number[] = []
      for (const path of paths) {
        const start = performance.now()
        const file = await view.promises.open(path)
        await file.readFile()
        await file.close()
        ms.push(performance.now() - start)
        if (ms.length % 16 === 0) await turn()
        if (!going()) break
      }
      return ms
    }
    await once(some(), () => true)
    const ratios: number[] = []
    for (let run = 0; run < runs; run++) {
      const idle = await once(some(), () => true)
      await addGarbage(root)
      await place.settle()
      let going = true
      const gc = runProcess(phyllo(root, ['gc', '--quiet'])).finally(() => (going = false))
      const busy: number[] = []
      while (going) busy.push(...(await once(some(), () => going)))
      await gc
      ratios.push(p99(busy) / p99(idle))
      say(`run ${run + 1}: p99 ${figure(p99(busy), 'ms')} of ${busy.length} reads, idle ${figure(p99(idle), 'ms')}`)
    }
    say(`median ${figure(median(ratios), '×')}`)
    report('gc: p99 of open and read / idle', ratios)
  },
}

function p99(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length * 0.99)] ?? Number.NaN
}

async function addGarbage(root: string): Promise<void> {
  await addStaleStages(root, stages)
  for (let folder = 0; folder < trashed / 1000; folder++) {
    const path = join(root, `phyllo/trash/old.${folder}`)
    await mkdir(path, { recursive: true })
    for (let file = 0; file < 1000; file++) await writeFile(join(path, `${file}`), 'x'.repeat(5000))
  }
}
