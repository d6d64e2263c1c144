/** For how long does the process that runs a store not answer, while it works? */
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Store } from '../src/index.js'
import { changedContainer, changesOf } from './changed.js'
import { median } from './contest.js'
import { remove } from './places.js'
import { figure, table } from './print.js'
import type { Bench, Question } from './questions.js'

/** Milliseconds. */
interface Delay {
  readonly p99: number
  readonly max: number
}

const works = ['load', 'save', 'readFile', 'commit'] as const
type Work = (typeof works)[number]

/** Between works, so that garbage and threads of one are not another's. */
const pauseMs = 200

export const question: Question = {
  title: 'event loop delay while a store works',
  inputs: ['app', 'file1g', 'lookup10', 'base'],
  async ask(bench) {
    const delays = new Map<Work, Delay[]>(works.map(work => [work, []]))
    for (let round = 0; round < bench.rounds; round++) await once(bench, (work, delay) => delays.get(work)!.push(delay))
    bench.say(`delays include the millisecond between two looks; store on ${bench.places.quick.fileSystem}`)
    const rows = [...delays].map(([work, list]) => [
      work,
      ...(['p99', 'max'] as const).flatMap(kind => {
        const values = list.map(delay => delay[kind])
        return [figure(median(values), 'ms'), figure(Math.max(...values), 'ms')]
      }),
    ])
    bench.say(table(['', 'p99', 'its most', 'max', 'its most'], rows))
    for (const [work, list] of delays) {
      bench.report(
        `event loop: ${work}, p99`,
        list.map(({ p99 }) => p99),
      )
      bench.report(
        `event loop: ${work}, max`,
        list.map(({ max }) => max),
      )
    }
  },
}

async function once({ input, places }: Bench, done: (work: Work, delay: Delay) => void): Promise<void> {
  const root = await places.quick.fresh()
  const store = await Store.open(root, { durability: places.quick.options.length > 0 ? 'none' : 'full' })
  try {
    done('load', await delayDuring(() => Promise.resolve(store.load(input('app')))))
    done('save', await delayDuring(() => Promise.resolve(store.save('app:v1', join(root, 'out.tar')))))
    await store.load(input('file1g'))
    await using view = await store.view('file:1g')
    let bytes = 0
    done('readFile', await delayDuring(async () => void (bytes = (await view.promises.readFile('/large')).length)))
    if (bytes !== view.statSync('/large').size) throw new Error(`readFile gave ${bytes} bytes`)
    await store.load(input('lookup10'))
    await changedContainer(store, 'lookup:10', 'changed', await changesOf(store, 'lookup:10', input('base')))
    await using box = await store.container('changed')
    done('commit', await delayDuring(() => Promise.resolve(box.commit())))
  } finally {
    await store.close()
    await remove(root)
  }
}

/** The GiB that the round before has read is given back here: in the middle of a work it would be a stall of 100 ms. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}

/** What `work` keeps the event loop of this process from. */
export async function delayDuring(work: () => Promise<unknown>): Promise<Delay> {
  collectGarbage()
  await sleep(pauseMs)
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  // Two looks before the work, so that its very beginning is between looks, too.
  await sleep(5)
  histogram.reset()
  await work()
  await sleep(2)
  histogram.disable()
  return { p99: histogram.percentile(99) / 1e6, max: histogram.max / 1e6 }
}
