/**
 * Contestants do their work alternately, round by round, so that what the machine does meanwhile hits all of them. Each
 * round begins with another one. Ratios are taken within a round; what is said of them is their median.
 */

export interface Contestant {
  readonly name: string
  /** Not timed. */
  readonly prepare?: () => Promise<unknown>
  readonly run: () => Promise<unknown>
  /** Not timed. */
  readonly tidy?: () => Promise<unknown>
}

export class Times {
  readonly #seconds = new Map<string, number[]>()

  add(name: string, seconds: number): void {
    const list = this.#seconds.get(name)
    if (list === undefined) this.#seconds.set(name, [seconds])
    else list.push(seconds)
  }

  get names(): string[] {
    return [...this.#seconds.keys()]
  }

  seconds(name: string): readonly number[] {
    const list = this.#seconds.get(name)
    if (list === undefined) throw new Error(`${name} has not run`)
    return list
  }

  /** Round by round, the time of `over` in times of `under`. */
  ratios(over: string, under: string): number[] {
    const divisors = this.seconds(under)
    return this.seconds(over).map((seconds, round) => seconds / divisors[round]!)
  }
}

export async function contest(contestants: readonly Contestant[], rounds: number): Promise<Times> {
  const times = new Times()
  for (const { name } of contestants) if (contestants.filter(other => other.name === name).length > 1) throw twice(name)
  for (let round = 0; round < rounds; round++) {
    const first = round % contestants.length
    for (const { name, prepare, run, tidy } of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      await prepare?.()
      try {
        const start = performance.now()
        await run()
        times.add(name, (performance.now() - start) / 1000)
      } finally {
        await tidy?.()
      }
    }
  }
  return times
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  if (sorted.length === 0) throw new RangeError('the median of nothing')
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function twice(name: string): Error {
  return new Error(`two contestants are called ${name}`)
}
