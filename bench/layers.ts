/** Does the number of layers matter? Lookup, readdir and commit of the same tree in 1, 25 and 125 layers. */
import { dirname } from 'node:path'
import { Store } from '../src/index.js'
import { changedContainer, changesOf } from './changed.js'
import { type Contestant, contest } from './contest.js'
import { timesTable } from './print.js'
import type { Bench, Question } from './questions.js'
import { seeded, shuffled } from './random.js'
import { filesOf } from './sides.js'
import { manyLayers } from './targets.js'

const stats = 20_000
const perRound = 3
const seed = 14
const counts = [1, ...manyLayers] as const

type Container = Awaited<ReturnType<Store['create']>>

export const question: Question = {
  title: 'lookup, readdir and commit of the same tree in more layers',
  inputs: [...counts.map(count => `lookup${count}` as const), 'base'],
  async ask(bench) {
    const root = await bench.places.quick.fresh()
    await using store = await Store.open(root, { durability: 'none' })
    for (const count of counts) await store.load(bench.input(`lookup${count}`))
    const files = await filesOf(store, imageOf(1))
    bench.say(`store on ${bench.places.quick.fileSystem}\n`)
    await askReads(bench, store, files)
    await askCommit(bench, store)
  },
}

const imageOf = (layers: number) => `lookup:${layers}`

async function askReads(bench: Bench, store: Store, files: readonly string[]): Promise<void> {
  const boxes = new Map<number, Container>()
  for (const count of counts) boxes.set(count, await store.create(imageOf(count)))
  const random = seeded(seed)
  const folders = [...new Set(files.map(dirname))]
  const lookup = (box: Container, paths: readonly string[]) =>
    paths.reduce((sum, path) => sum + box.statSync(path).size, 0)
  const readdir = (box: Container, paths: readonly string[]) =>
    paths.reduce((sum, path) => sum + box.readdirSync(path).length, 0)
  const kinds = [
    { what: 'lookup', pass: lookup, some: () => shuffled(files, random).slice(0, stats) },
    { what: 'readdir', pass: readdir, some: () => shuffled(folders, random) },
  ] as const
  for (const { what, pass, some } of kinds) {
    const contestants = counts.map((count): Contestant => {
      const box = boxes.get(count)!
      let paths: readonly string[] = []
      return {
        name: nameOf(what, count),
        prepare: async () => {
          paths = some()
          pass(box, paths)
        },
        run: async () => {
          if (pass(box, paths) === 0) throw new Error('nothing was found')
        },
      }
    })
    tell(bench, what, await contest(contestants, bench.rounds * perRound))
  }
  for (const box of boxes.values()) await box.remove()
}

const nameOf = (what: string, layers: number) => `${what}, ${layers} layer${layers === 1 ? '' : 's'}`

function tell({ say, report }: Bench, what: string, times: Awaited<ReturnType<typeof contest>>): void {
  say(`${timesTable(times, nameOf(what, 1))}\n`)
  for (const count of manyLayers)
    report(`layers: ${what} at ${count} / at 1`, times.ratios(nameOf(what, count), nameOf(what, 1)))
}

async function askCommit(bench: Bench, store: Store): Promise<void> {
  const changes = await changesOf(store, imageOf(1), bench.input('base'))
  const contestants: Contestant[] = []
  for (const count of counts) {
    let box: Container
    contestants.push({
      name: nameOf('commit', count),
      prepare: async () => {
        await changedContainer(store, imageOf(count), `changed-${count}`, changes)
        box = await store.container(`changed-${count}`)
      },
      run: async () => void (await box.commit()),
      tidy: () => box.remove(),
    })
  }
  tell(bench, 'commit', await contest(contestants, bench.rounds))
}
