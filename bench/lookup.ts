/** How many stats a second does a view answer, and does the number of layers matter? Against node:fs on unpacked files. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Store } from '../src/index.js'
import { median } from './contest.js'
import { figure, table } from './print.js'
import { runProcess } from './process.js'
import type { Bench, Question } from './questions.js'
import { type Random, seeded, shuffled } from './random.js'
import { layerCounts } from './targets.js'

/** A pass is short, and a new one needs nothing but a new view. */
const perRound = 5
const existing = 20_000
const missing = 2_000
const seed = 7

type StatSync = (
  path: string,
  options: { readonly throwIfNoEntry: false },
) => { readonly size: number; readonly mode: number; readonly mtimeMs: number } | undefined

interface Stage {
  readonly name: string
  /** A new view, or what is like one; `close` when the pass is over. */
  open(): Promise<{ readonly stat: StatSync; close(): Promise<void> }>
}

export const question: Question = {
  title: `view.statSync over ${existing} paths and ${missing} that are not there`,
  peersBeside: ['tar'],
  inputs: layerCounts.map(count => `lookup${count}` as const),
  async ask(bench) {
    const root = await bench.places.quick.fresh()
    await using store = await Store.open(root, { durability: 'none' })
    for (const count of layerCounts) await store.load(bench.input(`lookup${count}`))
    const files = await filesOf(store)
    const stages: Stage[] = layerCounts.map(count => viewStage(store, count))
    const rates = new Map(stages.map(({ name }) => [name, [] as number[]]))
    const beside = bench.beside && bench.has('tar') ? await unpackedStage(bench) : undefined
    if (beside !== undefined) rates.set(beside.name, [])
    const random = seeded(seed)
    for (let round = 0; round < bench.rounds * perRound; round++) {
      const all = beside === undefined ? stages : [...stages, beside]
      const first = round % all.length
      for (const stage of [...all.slice(first), ...all.slice(0, first)])
        rates.get(stage.name)!.push(await rateOf(stage, somePaths(files, random)))
    }
    print(bench, rates)
    for (const count of layerCounts) bench.report(`lookup: ${count} layers`, rates.get(nameOf(count))!)
    const single = rates.get(nameOf(1))!
    for (const count of layerCounts.filter(many => many > 1)) {
      const many = rates.get(nameOf(count))!
      bench.report(
        `lookup: 1 layer / ${count} layers`,
        single.map((rate, round) => rate / many[round]!),
      )
    }
  },
}

const nameOf = (layers: number) => `view of ${layers} layer${layers === 1 ? '' : 's'}`

function viewStage(store: Store, count: number): Stage {
  return {
    name: nameOf(count),
    async open() {
      const view = await store.view(`lookup:${count}`)
      return { stat: view.statSync, close: () => view.close() }
    },
  }
}

async function unpackedStage({ input, places }: Bench): Promise<Stage> {
  const folder = await places.quick.fresh()
  const unpack = 'tar -xOf "$1" 0/layer.tar | tar -C "$0" -xf -'
  await runProcess(['sh', '-c', unpack, folder, input('lookup1')])
  const stat: StatSync = (path, options) => statSync(folder + path, options)
  return { name: `node:fs on ${places.quick.fileSystem}`, open: async () => ({ stat, close: async () => undefined }) }
}

async function filesOf(store: Store): Promise<string[]> {
  await using view = await store.view('lookup:1')
  const files: string[] = []
  for await (const { path, type } of view.walk()) if (type === 'file') files.push(path)
  return files
}

/** Different existing paths with those that are not there among them, in an order of chance. */
function somePaths(files: readonly string[], random: Random): string[] {
  const order = shuffled(files, random)
  const there = order.slice(0, existing)
  if (there.length < existing) throw new Error(`the image has ${there.length} files`)
  const parents = order.slice(-missing).map(path => join(path, '..'))
  return shuffled([...there, ...parents.map((parent, at) => join(parent, `none-${at}`))], random)
}

/** Calls a second, after one pass that warms. */
async function rateOf(stage: Stage, paths: readonly string[]): Promise<number> {
  const { stat, close } = await stage.open()
  pass(stat, paths)
  const start = performance.now()
  const sum = pass(stat, paths)
  const seconds = (performance.now() - start) / 1000
  await close()
  if (!(sum > 0)) throw new Error(`${stage.name}: the sum of all attributes is ${sum}`)
  return paths.length / seconds
}

function pass(stat: StatSync, paths: readonly string[]): number {
  let sum = 0
  let absent = 0
  for (const path of paths) {
    const stats = stat(path, { throwIfNoEntry: false })
    if (stats === undefined) absent++
    else sum += stats.size + stats.mode + stats.mtimeMs
  }
  if (absent !== missing) throw new Error(`${absent} paths are not there, not ${missing}`)
  return sum
}

function print({ say }: Bench, rates: ReadonlyMap<string, readonly number[]>): void {
  const rows = [...rates].map(([name, samples]) => [
    name,
    ...[median(samples), Math.min(...samples), Math.max(...samples)].map(rate => figure(rate, '/s')),
  ])
  say(table(['', 'median', 'least', 'most'], rows))
}
