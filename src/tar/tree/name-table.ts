/**
 * The names of a tree while it is built: (directory, name) → row, by open addressing over a keyed hash.
 *
 * Invariants:
 * - A row is never taken out: what a name stands for changes, and may become `absent`. A directory that is replaced
 *   gets a new inode, so rows of the old one are simply never asked for again.
 * - Names are bytes in one arena. No object is kept per row.
 */
import { randomBytes } from 'node:crypto'
import type { ByteString } from '../../byte-string.js'
import { ByteArena, enlarged, grown } from './column.js'
import { type HashKey, hashName } from './keyed-hash.js'

/** What a row stands for when it stands for no inode. */
export const absent = -1

export class NameTable {
  /** Rows that there are; the columns have room for more. */
  length = 0
  dir = new Uint32Array(0)
  nameOffset = new Uint32Array(0)
  nameLength = new Uint32Array(0)
  /** An inode, or `absent`. */
  inode = new Int32Array(0)
  /** What the layer says about the name in lower layers: bits of `marks` in tree-builder.ts. */
  marks = new Uint8Array(0)
  readonly names = new ByteArena()
  #hash = new Uint32Array(0)
  readonly #key: HashKey
  /** Row + 1, or 0 where the place is free. Its length is a power of two, at most two thirds of it in use. */
  #places = new Uint32Array(256)

  constructor(key: HashKey = randomKey()) {
    this.#key = key
  }

  /** The row of a name, or -1. */
  find(dir: number, name: ByteString): number {
    return this.#places[this.#place(dir, name, hashName(this.#key, dir, name))]! - 1
  }

  /** The row of a name, made if there is none: `absent` and no whiteout then. */
  findOrAdd(dir: number, name: ByteString): number {
    const hash = hashName(this.#key, dir, name)
    const place = this.#place(dir, name, hash)
    const found = this.#places[place]!
    if (found !== 0) return found - 1
    if (this.length === this.dir.length) this.#growRows()
    const row = this.length++
    this.dir[row] = dir
    this.nameOffset[row] = this.names.add(name)
    this.nameLength[row] = name.length
    this.inode[row] = absent
    this.#hash[row] = hash
    this.#places[place] = row + 1
    if (3 * this.length > 2 * this.#places.length) this.#growPlaces()
    return row
  }

  /** Lets go of what only looking up needs. */
  freeze(): void {
    this.#places = new Uint32Array(0)
    this.#hash = new Uint32Array(0)
  }

  /** Where the name is, or the free place where it belongs. */
  #place(dir: number, name: ByteString, hash: number): number {
    const mask = this.#places.length - 1
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const row = this.#places[place]! - 1
      if (row < 0 || (this.#hash[row] === hash && this.#isNamed(row, dir, name))) return place
    }
  }

  #isNamed(row: number, dir: number, name: ByteString): boolean {
    if (this.dir[row] !== dir || this.nameLength[row] !== name.length) return false
    const at = this.nameOffset[row]!
    for (let i = 0; i < name.length; i++) if (this.names.bytes[at + i] !== name.charCodeAt(i)) return false
    return true
  }

  #growRows(): void {
    const capacity = grown(this.length)
    this.dir = enlarged(this.dir, capacity)
    this.nameOffset = enlarged(this.nameOffset, capacity)
    this.nameLength = enlarged(this.nameLength, capacity)
    this.inode = enlarged(this.inode, capacity)
    this.marks = enlarged(this.marks, capacity)
    this.#hash = enlarged(this.#hash, capacity)
  }

  #growPlaces(): void {
    const places = new Uint32Array(2 * this.#places.length)
    const mask = places.length - 1
    for (let row = 0; row < this.length; row++) {
      let place = this.#hash[row]! & mask
      while (places[place] !== 0) place = (place + 1) & mask
      places[place] = row + 1
    }
    this.#places = places
  }
}

function randomKey(): HashKey {
  const bytes = randomBytes(8)
  // Signed, so that V8 keeps them in one way whatever they are.
  return { k0: bytes.readInt32LE(0), k1: bytes.readInt32LE(4) }
}
