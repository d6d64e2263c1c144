/** The block table while it is written: see block-table.ts for how it is read. */
import { enlarged, grown, setInteger } from '../tar/tree/column.js'

/** Offset in the tar, offset in the file, xxh64: 64 bits each. */
const columns = 3

export class BlockRows {
  #words = new Uint32Array(0)
  #rows = 0

  add(contentOffset: number, fileOffset: number, low: number, high: number): void {
    const at = columns * this.#rows++
    if (2 * (at + columns) > this.#words.length)
      this.#words = enlarged(this.#words, grown(this.#words.length, 2 * (at + columns)))
    setInteger(this.#words, at, contentOffset)
    setInteger(this.#words, at + 1, fileOffset)
    this.#words[2 * at + 4] = low
    this.#words[2 * at + 5] = high
  }

  /** The section of the index. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#words.buffer, 0, 8 * columns * this.#rows)
  }

  /** Lets go of the memory. */
  clear(): void {
    this.#words = new Uint32Array(0)
    this.#rows = 0
  }
}
