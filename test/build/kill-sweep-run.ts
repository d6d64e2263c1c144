/** Many kills: a sample of them, or all, two at a time. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Kill, type KillPoint, KillSweep, type KillSweepParts, type Thread } from './kill-sweep.js'
import { randomOf } from './upper-sequence.js'

/** One for each core of a small machine. */
const lanes = 2

/** Kills by kind of work, thread and call. */
export class KillTally {
  readonly #counts = new Map<string, Map<string, number>>()
  readonly #threads = new Map<Thread, number>()
  kills = 0

  add(operation: string, { thread, call }: Kill): void {
    this.kills++
    const counts = this.#counts.get(operation) ?? new Map<string, number>()
    this.#counts.set(operation, counts)
    counts.set(`${thread} ${call}`, (counts.get(`${thread} ${call}`) ?? 0) + 1)
    this.#threads.set(thread, this.of(thread) + 1)
  }

  of(thread: Thread): number {
    return this.#threads.get(thread) ?? 0
  }

  /** One line a kind of work. */
  lines(): string[] {
    return [...this.#counts].map(([operation, counts]) => {
      const all = [...counts].sort(([one], [other]) => (one < other ? -1 : 1))
      const sum = all.reduce((sum, [, count]) => sum + count, 0)
      return `${operation}: ${sum} kills (${all.map(([where, count]) => `${where} ${count}`).join(', ')})`
    })
  }
}

export interface SweepOptions {
  readonly seed: number
  /** So many that count, or all points. */
  readonly kills?: number
  readonly tally: KillTally
  /** Asked before each kill. */
  readonly goOn?: () => boolean
}

/** Answers with the kills that count. Throws the first failure. */
export async function sweepSome(parts: KillSweepParts, { seed, kills, tally, goOn }: SweepOptions): Promise<number> {
  const dir = mkdtempSync(join(parts.dir, 'sweep-'))
  try {
    const sweep = await KillSweep.prepare({ ...parts, dir })
    const points = spread(await sweep.points(), seed)
    let counted = 0
    let begun = 0
    let failure: unknown
    const enough = () => failure !== undefined || (kills !== undefined && begun >= kills) || goOn?.() === false
    const lane = async () => {
      while (!enough()) {
        const point = points.pop()
        if (point === undefined) return
        begun++
        try {
          const kill = await sweep.kill(point)
          if (kill === undefined) begun--
          else {
            counted++
            tally.add(`${parts.operation.name}, ${parts.driver}`, kill)
          }
        } catch (error) {
          failure ??= error
        }
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    if (failure !== undefined) throw failure
    return counted
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** In an order that the seed says, threads by turns. */
function spread(points: readonly KillPoint[], seed: number): KillPoint[] {
  const random = randomOf(seed)
  const groups = new Map<Thread, KillPoint[]>()
  for (const point of points) groups.set(point.thread, [...(groups.get(point.thread) ?? []), point])
  const ranked = [...groups.values()].flatMap(group => {
    const shuffled = group.map(point => ({ point, at: random(1_000_000) })).sort((one, other) => one.at - other.at)
    return shuffled.map(({ point }, rank) => ({ point, rank }))
  })
  return ranked.sort((one, other) => other.rank - one.rank).map(({ point }) => point)
}
