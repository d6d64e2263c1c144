/** What does gzip in parallel bring to an OCI archive, and what does it cost? One large layer, saved with one worker and with two. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createGzip } from 'node:zlib'
import { Store } from '../src/index.js'
import { type Contestant, contest } from './contest.js'
import { delayDuring } from './event-loop.js'
import { inFresh } from './in-fresh.js'
import { remove } from './places.js'
import { figure, table, timesTable } from './print.js'
import { peakMemory, phyllo, runProcess } from './process.js'
import type { Bench, Question } from './questions.js'

const withWorkers = (count: number) => `phyllo save --format oci-archive, workers: ${count}`
/** Of saved layers. */
const level = 6

export const question: Question = {
  title: 'gzip a layer of 1 GiB into an OCI archive, by one worker and by two',
  inputs: ['layer1g'],
  async ask(bench) {
    const root = await bench.places.quick.fresh()
    await runProcess(phyllo(root, [...bench.places.quick.options, 'load', '-i', bench.input('layer1g')]))
    const times = await contest([saving(bench, root, 1), saving(bench, root, 2)], bench.rounds)
    bench.say(`store and archives on ${bench.places.quick.fileSystem}:\n${timesTable(times, withWorkers(2))}\n`)
    bench.report('gzip: one worker / two', times.ratios(withWorkers(1), withWorkers(2)))
    const once = await gzippedBytes(bench.input('layer1g'))
    const costs: Cost[] = []
    for (let round = 0; round < bench.rounds; round++) costs.push(await costOf(bench, root))
    const measures = [
      ['gzip: bytes / by one thread', '×', ({ bytes }: Cost) => bytes / once],
      ['gzip: peak memory', 'MB', ({ memory }: Cost) => memory],
      ['event loop: save of an OCI archive, p99', 'ms', ({ p99 }: Cost) => p99],
    ] as const
    const rows = measures.map(([measure, unit, of]) => [measure, ...costs.map(cost => figure(of(cost), unit))])
    bench.say(table(['', ...costs.map((_, round) => `round ${round + 1}`)], rows))
    for (const [measure, , of] of measures) bench.report(measure, costs.map(of))
  },
}

const save = (to: string) => ['save', '--format', 'oci-archive', '-o', to, 'layer:1g']

function saving({ places }: Bench, root: string, workers: number): Contestant {
  return inFresh(places.quick, withWorkers(workers), folder =>
    runProcess(phyllo(root, ['--workers', `${workers}`, ...places.quick.options, ...save(join(folder, 'out.tar'))])),
  )
}

interface Cost {
  /** Of the archive: the layer, and some thousand for what says that it is one. */
  readonly bytes: number
  /** At the peak, in MB. */
  readonly memory: number
  /** Delay of the event loop, in milliseconds. */
  readonly p99: number
}

async function costOf({ places }: Bench, root: string): Promise<Cost> {
  const folder = await places.quick.fresh()
  try {
    const out = join(folder, 'out.tar')
    const memory = await peakMemory(root, [...places.quick.options, ...save(out)])
    await using store = await Store.open(root)
    const again = join(folder, 'again.tar')
    const { p99 } = await delayDuring(() => Promise.resolve(store.save('layer:1g', again, { format: 'oci-archive' })))
    return { bytes: (await stat(out)).size, memory, p99 }
  } finally {
    await remove(folder)
  }
}

/** By one stream of deflate, of the archive that the layer came in: the layer, and some thousand bytes as well. */
async function gzippedBytes(archive: string): Promise<number> {
  let bytes = 0
  const gzip = createGzip({ level })
  for await (const chunk of createReadStream(archive, { highWaterMark: 2 ** 20 }).pipe(gzip))
    bytes += (chunk as Buffer).length
  return bytes
}
