/** How fast is a container read, against node:fs on the kernel's overlay of the same layers? Both warm, in one process. */
import { Store } from '../src/index.js'
import { type Contestant, contest } from './contest.js'
import { kernelOverlay } from './kernel-overlay.js'
import { wide } from './made-inputs.js'
import { timesTable } from './print.js'
import type { Bench, Question } from './questions.js'
import { seeded, shuffled } from './random.js'
import { type Files, filesOf, kernelSide, ourSide, type Side } from './sides.js'

const stats = 20_000
/** A pass is short. */
const perRound = 3
const seed = 11

type Pass = (files: Files, paths: readonly string[]) => number

export const question: Question = {
  title: 'reading in a container, against the kernel’s overlay',
  peers: ['dockerd', 'docker'],
  inputs: ['lookup10', 'wide'],
  async ask(bench) {
    const root = await bench.places.quick.fresh()
    await using store = await Store.open(root, { durability: 'none' })
    for (const name of ['lookup10', 'wide'] as const) await store.load(bench.input(name))
    bench.say(`store, layers and upper on ${bench.places.quick.fileSystem}\n`)
    await askStat(bench, store)
    await askReaddir(bench, store)
  },
}

async function askStat(bench: Bench, store: Store): Promise<void> {
  const kernel = await kernelOverlay(bench, 'lookup10', 'lookup:10')
  await using box = await store.create('lookup:10')
  const random = seeded(seed)
  const files = await filesOf(store, 'lookup:10')
  const [ours, theirs] = ['container.statSync', 'fs.statSync']
  const pass = ({ statSync }: Files, paths: readonly string[]) => {
    let sum = 0
    for (const path of paths) {
      const { size, mode, mtimeMs } = statSync(path)
      sum += size + mode + mtimeMs
    }
    return sum
  }
  const some = () => shuffled(files, random).slice(0, stats)
  const sides = [kernelSide(theirs, kernel), ourSide(ours, box)]
  const times = await contest(
    sides.map(side => warm(side, some, pass)),
    bench.rounds * perRound,
  )
  bench.say(`${stats} paths of 10 layers:\n${timesTable(times, ours)}\n`)
  bench.report('container: statSync, kernel / ours', times.ratios(theirs, ours))
}

/** Each pass has its own paths, which it has seen once before. */
function warm({ name, files, root }: Side, some: () => string[], pass: Pass): Contestant {
  let paths: string[] = []
  return {
    name,
    prepare: async () => {
      paths = some().map(path => root + path)
      pass(files, paths)
    },
    run: async () => {
      if (!(pass(files, paths) > 0)) throw new Error(`${name} has found nothing`)
    },
  }
}

async function askReaddir(bench: Bench, store: Store): Promise<void> {
  const kernel = await kernelOverlay(bench, 'wide', 'wide:v1')
  await using box = await store.create('wide:v1')
  const random = seeded(seed)
  const pass = ({ readdirSync }: Files, paths: readonly string[]) => {
    let sum = 0
    for (const path of paths) {
      const names = readdirSync(path)
      sum += names.length + names.at(-1)!.length
      if (names.length !== wide.names) throw new Error(`${path} has ${names.length} names`)
    }
    return sum
  }
  for (const [kind, what] of [
    ['one', 'in one layer'],
    ['all', 'over all of 10 layers'],
  ] as const) {
    const folders = Array.from({ length: wide.directories }, (_, at) => `/${kind}/${at}`)
    const some = () => shuffled(folders, random)
    const [ours, theirs] = [`container.readdirSync, ${what}`, `fs.readdirSync, ${what}`]
    const sides = [kernelSide(theirs, kernel), ourSide(ours, box)]
    const times = await contest(
      sides.map(side => warm(side, some, pass)),
      bench.rounds * perRound,
    )
    bench.say(`${wide.directories} directories of ${wide.names} names:\n${timesTable(times, ours)}\n`)
    bench.report(`container: readdirSync ${what}, kernel / ours`, times.ratios(theirs, ours))
  }
}
