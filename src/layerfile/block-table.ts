/** The block table of an open layer file: where each block stands, what it holds, and its checksum. */
import { blockBytes } from '../limits.js'
import { lengthBytes } from './frame.js'

const wordsPerRow = 6

export class BlockTable {
  /** Blocks; the table has one row more, which says where the last one ends. */
  readonly count: number
  readonly #words: Uint32Array

  constructor(words: Uint32Array) {
    this.#words = words
    this.count = words.length / wordsPerRow - 1
  }

  /** Offset in the tar of the block's first byte. */
  contentOffset(block: number): number {
    return this.#wide(block * wordsPerRow)
  }

  contentBytes(block: number): number {
    return this.contentOffset(block + 1) - this.contentOffset(block)
  }

  /** Offset in the file of the block's length word. */
  fileOffset(block: number): number {
    return this.#wide(block * wordsPerRow + 2)
  }

  /** Of the block alone, without its length word. */
  storedBytes(block: number): number {
    return this.fileOffset(block + 1) - this.fileOffset(block) - lengthBytes
  }

  /** Stored as it is: a compressed block is always shorter than its content. */
  isStored(block: number): boolean {
    return this.storedBytes(block) === this.contentBytes(block)
  }

  isAllStored(): boolean {
    for (let block = 0; block < this.count; block++) if (!this.isStored(block)) return false
    return true
  }

  /** Whether a writer can have written a block of these lengths. */
  isPossible(block: number): boolean {
    const [content, stored] = [this.contentBytes(block), this.storedBytes(block)]
    return stored > 0 && stored <= content && content <= blockBytes
  }

  checksum(block: number): readonly [low: number, high: number] {
    const at = block * wordsPerRow + 4
    return [this.#words[at]!, this.#words[at + 1]!]
  }

  matches(block: number, [low, high]: readonly [number, number]): boolean {
    const at = block * wordsPerRow + 4
    return this.#words[at] === low && this.#words[at + 1] === high
  }

  /** The block that holds the byte of the tar at `offset`. */
  find(offset: number): number {
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.contentOffset(middle) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The first block that begins at `offset` of the tar or behind it; `count` if there is none. */
  firstFrom(offset: number): number {
    if (offset >= this.contentOffset(this.count)) return this.count
    const block = this.find(offset)
    return this.contentOffset(block) < offset ? block + 1 : block
  }

  #wide(at: number): number {
    return this.#words[at]! + this.#words[at + 1]! * 2 ** 32
  }
}
