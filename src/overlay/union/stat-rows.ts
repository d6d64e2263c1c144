/**
 * What stat tells of a dentry, in rows of one cache line outside the JavaScript heap: whoever asks for twenty thousand paths in
 * random order waits for memory, and the garbage collector has nothing to move or to mark.
 *
 * Invariant: a row is empty, with 0 links, until it is filled; then it never changes, but may be emptied for good. What is in an
 * upper changes, and has no filled row.
 */
import type { Inode } from '../../drivers/layer.js'

/** Where in a row each field is, in words of 32 bits; `ino`, `size` and `sec` are two words each, the lower first. */
export const word = {
  mode: 0,
  uid: 1,
  gid: 2,
  nlink: 3,
  ino: 4,
  size: 6,
  sec: 8,
  nsec: 10,
  major: 11,
  minor: 12,
} as const

const rowShift = 4
const firstRows = 256

export class StatRows {
  words = new Uint32Array(firstRows << rowShift)
  #count = 0

  /** A new, empty row. */
  add(): number {
    if (this.#count << rowShift === this.words.length) {
      const grown = new Uint32Array(2 * this.words.length)
      grown.set(this.words)
      this.words = grown
    }
    return this.#count++
  }

  at(row: number): number {
    return row << rowShift
  }

  isFilled(row: number): boolean {
    return this.words[(row << rowShift) + word.nlink] !== 0
  }

  fill(row: number, inode: Inode, ino: number, nlink: number): void {
    fillWords(this.words, row << rowShift, inode, ino, nlink)
  }

  /** Of a row number below 0 there is nothing to empty. */
  empty(row: number): void {
    if (row >= 0) this.words[(row << rowShift) + word.nlink] = 0
  }

  clear(): void {
    this.words = new Uint32Array(firstRows << rowShift)
    this.#count = 0
  }
}

/** One row alone. */
export function rowOf(inode: Inode, ino: number, nlink: number): Uint32Array {
  const words = new Uint32Array(1 << rowShift)
  fillWords(words, 0, inode, ino, nlink)
  return words
}

function fillWords(words: Uint32Array, at: number, inode: Inode, ino: number, nlink: number): void {
  words[at + word.mode] = inode.mode
  words[at + word.uid] = inode.uid
  words[at + word.gid] = inode.gid
  words[at + word.nlink] = nlink
  setWide(words, at + word.ino, ino)
  setWide(words, at + word.size, inode.sizeBytes)
  setWide(words, at + word.sec, inode.mtimeSec)
  words[at + word.nsec] = inode.mtimeNsec
  words[at + word.major] = inode.deviceMajor
  words[at + word.minor] = inode.deviceMinor
}

/** As 64 bits in two's complement. */
function setWide(words: Uint32Array, at: number, value: number): void {
  words[at] = value
  words[at + 1] = Math.floor(value / 2 ** 32)
}
