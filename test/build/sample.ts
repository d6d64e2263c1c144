/**
 * A part of many things, chosen by a seed: of each kind at least a few, the rest spread over all. The order within a kind
 * is the seed's, so that other seeds come to everything in the end.
 */
import { createHash } from 'node:crypto'

/** At least two mutants of each room say that its tests still see anything. */
const leastOfKind = 2

export function sampleOf<T>(
  all: readonly T[],
  {
    count,
    seed,
    kindOf,
    nameOf,
  }: {
    readonly count: number
    readonly seed: string
    readonly kindOf: (one: T) => string
    readonly nameOf: (one: T) => string
  },
): T[] {
  const rank = (one: T) =>
    createHash('sha256')
      .update(`${seed}\0${kindOf(one)}\0${nameOf(one)}`)
      .digest('hex')
  const ranked = all
    .map(one => ({ one, rank: rank(one) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ one }) => one)
  const kinds = [...new Set(all.map(kindOf))]
  const first = kinds.flatMap(kind => ranked.filter(one => kindOf(one) === kind).slice(0, leastOfKind))
  const rest = ranked.filter(one => !first.includes(one)).slice(0, Math.max(0, count - first.length))
  const chosen = new Set([...first, ...rest])
  return all.filter(one => chosen.has(one))
}
