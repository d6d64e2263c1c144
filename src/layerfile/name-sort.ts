/**
 * Sorts names by their bytes: multikey quicksort (Bentley and Sedgewick 1997) over four bytes at a time. A name is
 * looked at once for each four bytes that it shares with others, whatever the names are, so long common prefixes cost
 * no more than reading them. In place; iterative, so that no input is too deep.
 */
import type { NameTable } from './name-table.js'

/** Ranges up to this long are sorted by insertion. */
const fewRows = 12

export class NameSorter {
  readonly #table: NameTable
  /** Four bytes of each row's name, at the depth that is looked at; parallel to the rows being sorted. */
  #keys = new Uint32Array(0)
  readonly #stack: number[] = []

  constructor(table: NameTable) {
    this.#table = table
  }

  /** Sorts `rows[from]` to `rows[to - 1]` by their names; all of one directory, so no two are equal. */
  sort(rows: Uint32Array, from: number, to: number): void {
    if (to - from <= fewRows) {
      this.#insertionSort(rows, from, to, 0)
      return
    }
    if (this.#keys.length < rows.length) this.#keys = new Uint32Array(rows.length)
    const stack = this.#stack
    this.#load(rows, from, to, 0)
    stack.push(from, to, 0)
    while (stack.length > 0) {
      const depth = stack.pop()!
      const end = stack.pop()!
      const begin = stack.pop()!
      if (end - begin <= fewRows) this.#insertionSort(rows, begin, end, depth)
      else this.#partition(rows, begin, end, depth)
    }
  }

  #partition(rows: Uint32Array, from: number, to: number, depth: number): void {
    const keys = this.#keys
    const pivot = this.#pivot(from, to)
    let less = from
    let more = to
    for (let i = from; i < more; ) {
      const key = keys[i]!
      if (key < pivot) this.#swap(rows, i++, less++)
      else if (key > pivot) this.#swap(rows, i, --more)
      else i++
    }
    this.#stack.push(from, less, depth, more, to, depth)
    if (more - less < 2) return
    this.#load(rows, less, more, depth + 4)
    this.#stack.push(less, more, depth + 4)
  }

  /** The median of nine that are spread over the range. */
  #pivot(from: number, to: number): number {
    const step = Math.max(1, Math.floor((to - from - 1) / 8))
    const some: number[] = []
    for (let i = from; i < to && some.length < 9; i += step) some.push(this.#keys[i]!)
    some.sort((a, b) => a - b)
    return some[some.length >>> 1]!
  }

  #swap(rows: Uint32Array, a: number, b: number): void {
    const keys = this.#keys
    const row = rows[a]!
    const key = keys[a]!
    rows[a] = rows[b]!
    keys[a] = keys[b]!
    rows[b] = row
    keys[b] = key
  }

  #load(rows: Uint32Array, from: number, to: number, depth: number): void {
    const { bytes } = this.#table.names
    const offsets = this.#table.nameOffset
    const lengths = this.#table.nameLength
    for (let i = from; i < to; i++) {
      const row = rows[i]!
      const at = offsets[row]! + depth
      const left = lengths[row]! - depth
      let key = 0
      for (let k = 0; k < 4; k++) key = (key << 8) | (k < left ? bytes[at + k]! : 0)
      this.#keys[i] = key
    }
  }

  #insertionSort(rows: Uint32Array, from: number, to: number, depth: number): void {
    for (let i = from + 1; i < to; i++) {
      const row = rows[i]!
      let at = i
      for (; at > from && this.#isBefore(row, rows[at - 1]!, depth); at--) rows[at] = rows[at - 1]!
      rows[at] = row
    }
  }

  #isBefore(a: number, b: number, depth: number): boolean {
    const { bytes } = this.#table.names
    const atA = this.#table.nameOffset[a]!
    const atB = this.#table.nameOffset[b]!
    const lengthA = this.#table.nameLength[a]!
    const lengthB = this.#table.nameLength[b]!
    const shorter = Math.min(lengthA, lengthB)
    for (let i = depth; i < shorter; i++)
      if (bytes[atA + i] !== bytes[atB + i]) return bytes[atA + i]! < bytes[atB + i]!
    return lengthA < lengthB
  }
}
