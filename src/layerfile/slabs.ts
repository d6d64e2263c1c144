/**
 * Memory for blocks: a few large slabs, each cut into pieces one behind the other, used again when nothing needs them.
 *
 * Invariant: a slab is free only when every piece of it has been let go of; a block that waits to be written holds on to
 * its slab.
 */
import { blockBytes, MiB } from '../limits.js'
import { compressBound } from '../native/lz4-block.js'

/** A block, however it comes out. */
export const roomBytes = compressBound(blockBytes)
const slabBytes = MiB + roomBytes

export class Slab {
  readonly bytes = new Uint8Array(slabBytes)
  readonly #free: Slab[]
  /** Pieces of it that are in use, and 1 more while it is the one that pieces are cut from. */
  #users = 0

  constructor(free: Slab[]) {
    this.#free = free
  }

  hold(): void {
    this.#users++
  }

  release(): void {
    if (--this.#users === 0) this.#free.push(this)
  }
}

export class Slabs {
  readonly #free: Slab[] = []
  readonly #most: number
  #made = 0
  #current: Slab | undefined
  /** Where the room begins in `slab`: `roomBytes` are free from there on. */
  at = 0

  constructor(mostBytes: number) {
    this.#most = Math.max(3, Math.floor(mostBytes / slabBytes))
  }

  /** Slabs that are free or not made yet. */
  get available(): number {
    return this.#free.length + this.#most - this.#made
  }

  /** The slab with room; it stays the same until `keep`. Check `available` beforehand. */
  get slab(): Slab {
    return this.#current ?? this.#next()
  }

  /** The first `count` bytes of the room are in use now, until `release` of their slab, which is the answer. */
  keep(count: number): Slab {
    const { slab } = this
    slab.hold()
    this.at += count
    if (this.at + roomBytes > slabBytes) {
      slab.release()
      this.#current = undefined
    }
    return slab
  }

  #next(): Slab {
    const slab = this.#free.pop() ?? this.#make()
    slab.hold()
    this.#current = slab
    this.at = 0
    return slab
  }

  #make(): Slab {
    if (this.#made >= this.#most) throw new Error('no slab is free: the writer did not wait')
    this.#made++
    return new Slab(this.#free)
  }
}
