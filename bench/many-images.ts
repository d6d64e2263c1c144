/** How long does `phyllo images` take on a store of 1,000 images and 5,000 layers, from the start of the process to its end? */
import { contest } from './contest.js'
import { storeOfMany } from './made-stores.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Question } from './questions.js'

const images = 1000
const layersEach = 5
const perRound = 3
const names = { images: 'phyllo images', node: 'node -e 0' } as const

export const question: Question = {
  title: 'list 1,000 images of 5,000 layers',
  inputs: [],
  async ask({ rounds, places, say, report }) {
    const root = await places.quick.fresh()
    await storeOfMany(root, images, layersEach)
    const lines = (await runProcess(phyllo(root, ['images']))).split('\n').length
    if (lines !== images + 2) throw new Error(`${lines} lines`)
    const times = await contest(
      [
        { name: names.images, run: () => runProcess(phyllo(root, ['images'])) },
        { name: names.node, run: () => runProcess([process.execPath, '-e', '0']) },
      ],
      rounds * perRound,
    )
    say(timesTable(times, names.images))
    report(
      'images: 1,000 images, 5,000 layers',
      times.seconds(names.images).map(seconds => seconds * 1000),
    )
  },
}
