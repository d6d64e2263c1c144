/** Benchmark.js for small things: suites of cases, printed as rates. They tell where time goes; they are no targets. */
import Benchmark from 'benchmark'
import { table } from './print.js'

export interface MicroCase {
  readonly name: string
  /** One call; a promise is waited for. Inputs come in turn, from more than the processor's caches hold. */
  readonly run: () => unknown
  readonly asynchronous?: boolean
  /** Things done by one call. */
  readonly count: number
}

/** Seconds for one case, warming included, at most. */
const secondsMax = 3

/** `what` are the things that are counted, `per` of which make one in the table. */
export async function runMicro(cases: readonly MicroCase[], what: string, per = 1): Promise<string> {
  const rates = new Map<string, { readonly perSecond: number; readonly error: number; readonly samples: number }>()
  for (const one of cases) {
    const { hz, stats } = await measure(one)
    rates.set(one.name, { perSecond: (hz * one.count) / per, error: stats.rme, samples: stats.sample.length })
  }
  const first = rates.get(cases[0]!.name)!.perSecond
  const rows = [...rates].map(([name, { perSecond, error, samples }]) => [
    name,
    perSecond >= 1000 ? Math.round(perSecond).toLocaleString('en-US') : perSecond.toFixed(1),
    `±${error.toFixed(1)} %`,
    `${samples}`,
    `${(perSecond / first).toFixed(2)} ×`,
  ])
  return table(['', `${what}/s`, '', 'samples', 'to the first'], rows)
}

function measure({ name, run, asynchronous = false }: MicroCase): Promise<Benchmark> {
  return new Promise((resolve, reject) => {
    const deferred = (call: { resolve(): void }) =>
      void Promise.resolve(run()).then(
        () => call.resolve(),
        (error: unknown) => reject(error),
      )
    const benchmark = new Benchmark(name, {
      fn: asynchronous ? deferred : run,
      defer: asynchronous,
      async: true,
      maxTime: secondsMax,
      onError: () => reject(benchmark.error),
      onComplete: () => resolve(benchmark),
    })
    benchmark.run()
  })
}

/** Gives the items one after the other, over and over. */
export function inTurn<T>(items: readonly T[]): () => T {
  let at = 0
  return () => {
    if (at === items.length) at = 0
    return items[at++]!
  }
}
