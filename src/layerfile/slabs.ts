/**
 * Memory that block contents are gathered in: a few large slabs, each cut into blocks one after the other, used again
 * when nothing reads them any more.
 *
 * Invariant: a slab is free only when every block in it has been let go of; a block that the thread pool compresses or
 * that waits to be written holds on to its slab. Each block has `lengthBytes` of room in front of it.
 */
import { blockBytes, MiB } from '../limits.js'
import { lengthBytes } from './frame.js'

export const slabBytes = MiB
const roomForBlock = lengthBytes + blockBytes

interface Slab {
  readonly bytes: Buffer
  /** Blocks in it that are in use, and 1 more while it is the one that blocks are cut from. */
  users: number
}

/** Room for one block. `bytes` is all that it may become; give back what is not used with `Slabs.keep`. */
export interface BlockRoom {
  readonly slab: Slab
  /** The block's content goes here, 256 KiB at most; the length word's room stands in front of it. */
  readonly content: Buffer
}

export class Slabs {
  readonly #free: Slab[] = []
  readonly #most: number
  #made = 0
  #current: Slab | undefined
  #at = 0

  constructor(mostBytes: number) {
    this.#most = Math.max(2, Math.floor(mostBytes / slabBytes))
  }

  /** Slabs that are free or not made yet. */
  get available(): number {
    return this.#free.length + this.#most - this.#made
  }

  /** Room for the next block, behind those that were kept. Check `available` beforehand. */
  room(): BlockRoom {
    if (this.#current !== undefined && this.#at + roomForBlock > slabBytes) this.#retire()
    if (this.#current === undefined) {
      this.#current = this.#free.pop() ?? this.#make()
      this.#current.users = 1
      this.#at = 0
    }
    const from = this.#at + lengthBytes
    return { slab: this.#current, content: this.#current.bytes.subarray(from, from + blockBytes) }
  }

  /** The room became a block of `count` bytes, which now is in use. */
  keep({ slab }: BlockRoom, count: number): void {
    slab.users++
    this.#at += lengthBytes + count
  }

  /** Nothing reads the block any more. */
  release(slab: Slab): void {
    if (--slab.users === 0) this.#free.push(slab)
  }

  #retire(): void {
    const slab = this.#current!
    this.#current = undefined
    this.release(slab)
  }

  #make(): Slab {
    if (this.#made >= this.#most) throw new Error('no slab is free: the writer did not wait')
    this.#made++
    return { bytes: Buffer.allocUnsafeSlow(slabBytes), users: 0 }
  }
}
