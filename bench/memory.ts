/** How much memory does a load need at its peak, threads included, whatever the layer holds? */
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { median } from './contest.js'
import { remove } from './places.js'
import { figure, table } from './print.js'
import { peakMemory } from './process.js'
import type { Bench, Question } from './questions.js'

interface Case {
  readonly measure: string
  readonly input: (typeof inputs)[number]
  readonly stdin?: true
  readonly beside?: true
  /** Where a million files are made, ext4 would be what is measured: for hours. */
  readonly quick?: true
}

const inputs = ['random8g', 'million', 'app'] as const
const chunkBytes = 2 ** 20

const cases: readonly Case[] = [
  { measure: 'memory: large layer', input: 'random8g' },
  { measure: 'memory: large layer, gzip from stdin', input: 'random8g', stdin: true },
  { measure: 'memory: many entries', input: 'million' },
  { measure: 'memory: app.tar', input: 'app', beside: true },
]

export const question: Question = memoryOf('peak memory of a load', cases, [])

/** Measures are told under these names, with the driver before them. */
export const overlay2Question: Question = memoryOf(
  'peak memory of a load, driver overlay2',
  cases.map(one => ({
    ...one,
    measure: `overlay2 ${one.measure}`,
    ...(one.input === 'million' && { quick: true as const }),
  })),
  ['--driver', 'overlay2'],
)

function memoryOf(title: string, cases: readonly Case[], options: readonly string[]): Question {
  return {
    title,
    inputs,
    async ask(bench) {
      const peaks = new Map<Case, number[]>(cases.filter(({ beside }) => !beside || bench.beside).map(one => [one, []]))
      for (let round = 0; round < bench.rounds; round++)
        for (const [one, samples] of peaks) samples.push(await peakOf(bench, one, options))
      bench.say(`stores on ${bench.places.large.fileSystem}`)
      const rows = [...peaks].map(([{ measure }, samples]) => [
        measure,
        ...[median(samples), Math.min(...samples), Math.max(...samples)].map(mb => figure(mb, 'MB')),
      ])
      bench.say(table(['', 'median', 'least', 'most'], rows))
      for (const [{ measure }, samples] of peaks) bench.report(measure, samples)
    },
  }
}

async function peakOf(bench: Bench, { input, stdin, quick }: Case, options: readonly string[]): Promise<number> {
  const place = quick ? bench.places.quick : bench.places.large
  const root = await place.fresh()
  const archive = bench.input(input)
  try {
    const load = [...options, ...place.options, 'load', '-i', stdin ? '-' : archive]
    return await peakMemory(root, load, stdin ? { input: gzipped(archive) } : {})
  } finally {
    await remove(root)
  }
}

/**
 * Deflate stores what does not shrink, at any level. Level 0 does so at once: data comes as fast as it is taken, which
 * is the harder case for whoever has to hold it back.
 */
function gzipped(archive: string): Readable {
  const gzip = createGzip({ level: 0, chunkSize: chunkBytes })
  const source = createReadStream(archive, { highWaterMark: chunkBytes })
  source.once('error', error => gzip.destroy(error))
  gzip.once('close', () => source.destroy())
  return source.pipe(gzip)
}
