/**
 * Where the nodes of an upper stand on the disk. That is where the tree says, but for the moment in which it is brought there, and
 * for what has no name.
 *
 * Invariant: a node stands in `work`, or has one spot or more; a directory never more than one.
 */
import type { ByteString } from '../../byte-string.js'
import { joined } from './confined-directory.js'
import { upperName } from './upper-disk.js'

export interface Spot {
  /** Number of a node. */
  readonly directory: number
  readonly name: ByteString
}

export class UpperPlaces {
  readonly #spots = new Map<number, Spot[]>()
  readonly #work = new Map<number, ByteString>()

  /** Below the container's directory. */
  path(id: number): ByteString {
    if (id === 0) return upperName
    const work = this.#work.get(id)
    if (work !== undefined) return work
    const spot = this.#spots.get(id)?.[0]
    if (spot === undefined) throw new Error(`node ${id} of the upper stands nowhere`)
    return this.at(spot)
  }

  at({ directory, name }: Spot): ByteString {
    return joined(this.path(directory), name)
  }

  spots(id: number): readonly Spot[] {
    return this.#spots.get(id) ?? []
  }

  inWork(id: number): ByteString | undefined {
    return this.#work.get(id)
  }

  stands(id: number): boolean {
    return this.#work.has(id) || this.#spots.has(id)
  }

  /** It has this name from now on, and is in `work` no more. */
  add(id: number, spot: Spot): void {
    this.#work.delete(id)
    const spots = this.#spots.get(id)
    if (spots === undefined) this.#spots.set(id, [spot])
    else spots.push(spot)
  }

  remove(id: number, { directory, name }: Spot): void {
    this.keep(id, spot => spot.directory !== directory || spot.name !== name)
  }

  /** Forgets the other spots. */
  keep(id: number, which: (spot: Spot) => boolean): void {
    const left = this.spots(id).filter(which)
    if (left.length > 0) this.#spots.set(id, left)
    else this.#spots.delete(id)
  }

  toWork(id: number, path: ByteString): void {
    this.#spots.delete(id)
    this.#work.set(id, path)
  }

  forget(id: number): void {
    this.#spots.delete(id)
    this.#work.delete(id)
  }
}
