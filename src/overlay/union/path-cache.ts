/**
 * Paths as callers spell them → where they lead, absence included, as numbers: these cost the garbage collector nothing. Two
 * generations: when the young one is full it becomes the old one and the old one is dropped, so that what is used stays, memory
 * is bounded, and there is no bookkeeping on a hit.
 */
import type { PathFault } from './resolve.js'

/** Paths in one generation: twice this many are held at most. A scan of a large image in random order should fit. */
export const pathsPerGeneration = 65_536

/** Longer paths are walked each time: 2 × 65,536 keys of at most 256 characters are at most 64 MB, and usually 15 MB. */
export const cachedPathLength = 256

const faults: readonly PathFault[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG']

/** A reason why there is nothing, as a number below 0; rows are 0 and up. */
export function faultNumber(fault: PathFault): number {
  return -1 - faults.indexOf(fault)
}

export function faultOf(number: number): PathFault {
  return faults[-1 - number]!
}

export class PathCache {
  readonly #bound: number
  #young = new Map<string, number>()
  #old = new Map<string, number>()

  constructor(bound = pathsPerGeneration) {
    this.#bound = bound
  }

  get(path: string): number | undefined {
    const hit = this.#young.get(path)
    return hit !== undefined ? hit : this.#fromOld(path)
  }

  set(path: string, found: number): void {
    if (path.length > cachedPathLength) return
    if (this.#young.size >= this.#bound) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(path, found)
  }

  clear(): void {
    this.#young = new Map()
    this.#old = new Map()
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  #fromOld(path: string): number | undefined {
    const hit = this.#old.get(path)
    if (hit === undefined) return undefined
    this.#old.delete(path)
    this.set(path, hit)
    return hit
  }
}
