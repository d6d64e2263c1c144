/**
 * How fast are small files read in a container, against node:fs on the kernel's overlay of the same layers? Ours are decompressed,
 * the kernel's lie in its page cache.
 */
import { Store } from '../src/index.js'
import { type Contestant, contest } from './contest.js'
import { kernelOverlay } from './kernel-overlay.js'
import { timesTable } from './print.js'
import type { Bench, Question } from './questions.js'
import { seeded, shuffled } from './random.js'
import { filesOf, kernelSide, ourSide, type Side } from './sides.js'

const smallBytes = 64 * 1024
const seed = 12

export const question: Question = {
  title: 'small files of a container, against the kernel’s overlay',
  peers: ['dockerd', 'docker'],
  inputs: ['app'],
  async ask(bench) {
    // Before anything of ours is loaded: what users have who switch native code off.
    process.env.PHYLLO_NATIVE = '0'
    const kernel = await kernelOverlay(bench, 'app', 'app:v1')
    bench.say(`store and layers on ${bench.places.quick.fileSystem}; LZ4 by lz4-napi alone\n`)
    for (const compression of ['lz4', 'none'] as const) {
      const root = await bench.places.quick.fresh()
      await using store = await Store.open(root, { durability: 'none', compression })
      await store.load(bench.input('app'))
      await using box = await store.create('app:v1')
      const files = await filesOf(store, 'app:v1', smallBytes)
      const sides = [kernelSide('fs', kernel), ourSide('container', box)]
      await askIn(bench, { sides, files, compression })
    }
  },
}

interface Wish {
  readonly sides: readonly Side[]
  readonly files: readonly string[]
  readonly compression: string
}

async function askIn({ rounds, say, report }: Bench, { sides, files, compression }: Wish): Promise<void> {
  const random = seeded(seed)
  for (const order of ['random', 'directory'] as const) {
    const name = (side: Side) => `${side.name}.readFileSync, ${order} order`
    const sums: number[] = []
    const contestants = sides.map(side =>
      reader({ ...side, name: name(side) }, sums, () => (order === 'random' ? shuffled(files, random) : files)),
    )
    const times = await contest(contestants, rounds)
    if (sums.some(sum => sum !== sums[0])) throw new Error(`the passes have read different bytes: ${sums}`)
    const [theirs = '', ours = ''] = sides.map(name)
    say(`${files.length} files, compression ${compression}:\n${timesTable(times, ours)}\n`)
    report(`container: readFileSync, ${compression}, ${order} order, kernel / ours`, times.ratios(theirs, ours))
  }
}

function reader({ name, files, root }: Side, sums: number[], some: () => readonly string[]): Contestant {
  let paths: string[] = []
  return {
    name,
    prepare: async () => void (paths = some().map(path => root + path)),
    run: async () => {
      let sum = 0
      for (const path of paths) {
        const content = files.readFileSync(path)
        sum += content.length + (content[content.length >> 1] ?? 0)
      }
      sums.push(sum)
    },
  }
}
