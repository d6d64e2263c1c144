/** A sort that lets the event loop turn: of runs that are short enough to be sorted at once, then merges of two at a time. */
import { itemsPerLook, type Pace } from '../union/pace.js'

/** Items that are sorted within a millisecond or two. */
const runItems = 4096

type Compare<T> = (a: T, b: T) => number

/** The items in order; equal ones stay in theirs. */
export async function pacedSort<T>(items: readonly T[], compare: Compare<T>, pace: Pace): Promise<T[]> {
  let runs: T[][] = []
  for (let from = 0; from < items.length; from += runItems) {
    if (pace.due()) await pace.turn()
    runs.push(items.slice(from, from + runItems).sort(compare))
  }
  while (runs.length > 1) {
    const longer: T[][] = []
    for (let at = 0; at < runs.length; at += 2) {
      const second = runs[at + 1]
      longer.push(second === undefined ? runs[at]! : await merged(runs[at]!, second, compare, pace))
    }
    runs = longer
  }
  return runs[0] ?? []
}

/** Of two runs that are not empty. */
async function merged<T>(first: readonly T[], second: readonly T[], compare: Compare<T>, pace: Pace): Promise<T[]> {
  if (compare(first.at(-1)!, second[0]!) <= 0) return first.concat(second)
  const all: T[] = []
  for (let a = 0, b = 0; a < first.length || b < second.length; ) {
    const fromFirst = b === second.length || (a < first.length && compare(first[a]!, second[b]!) <= 0)
    all.push(fromFirst ? first[a++]! : second[b++]!)
    if (all.length % itemsPerLook === 0 && pace.due()) await pace.turn()
  }
  return all
}
