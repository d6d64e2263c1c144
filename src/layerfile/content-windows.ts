/**
 * Contents of many files of layer files, in the order in which they lie there: neighbours are read at once, so that a block is read
 * and decompressed once, and straight to where it is used.
 */
import { KiB } from '../limits.js'
import type { LayerFile } from './reader.js'

export interface LayerContent {
  /** Index of the layer. */
  readonly source: number
  readonly inode: number
}

/** What is decompressed should still be in the processor's cache when it is used. */
const windowBytes = 256 * KiB
/** Bytes between two contents that are read along with them rather than apart: headers, and files that nobody wants. */
const gapBytes = 16 * KiB

export class ContentWindows {
  readonly #layers: readonly (LayerFile | undefined)[]
  readonly #buffer = Buffer.allocUnsafeSlow(windowBytes)
  #expected: readonly LayerContent[] = []
  /** Of the next one that is expected. */
  #next = 0
  /** What is in the buffer: bytes of this layer's tar. */
  #source = -1
  #from = 0
  #to = 0

  constructor(layers: readonly (LayerFile | undefined)[]) {
    this.#layers = layers
  }

  /** Contents that will be asked for, most of them, in this order. */
  expect(contents: readonly LayerContent[]): void {
    this.#expected = contents
    this.#next = 0
  }

  /** Some bytes of a content from `position` on, none at its end. They stand there until the next call. */
  bytes(content: LayerContent, position: number): Buffer {
    const { from, to } = this.#placeOf(content)
    const at = from + position
    if (at >= to) return this.#buffer.subarray(0, 0)
    if (content.source !== this.#source || at < this.#from || at >= this.#to) this.#fill(content, at, to)
    return this.#buffer.subarray(at - this.#from, Math.min(to, this.#to) - this.#from)
  }

  #fill(content: LayerContent, from: number, contentEnd: number): void {
    let to = Math.min(contentEnd, from + windowBytes)
    if (to === contentEnd) to = this.#reach(content, from, to)
    // Should reading fail, nothing is there
    this.#source = -1
    const count = this.#layers[content.source]!.readTarSync(from, this.#buffer.subarray(0, to - from))
    this.#source = content.source
    this.#from = from
    this.#to = from + count
  }

  /** How far the contents go that are expected behind this one, as long as there is room for them. */
  #reach(content: LayerContent, from: number, end: number): number {
    while (this.#next < this.#expected.length && !isSame(this.#expected[this.#next]!, content)) this.#next++
    let to = end
    for (let at = this.#next + 1; at < this.#expected.length; at++) {
      const other = this.#expected[at]!
      if (other.source !== content.source) return to
      const place = this.#placeOf(other)
      if (place.from === place.to) continue
      if (place.from < to || place.from - to > gapBytes || place.to - from > windowBytes) return to
      to = place.to
    }
    return to
  }

  #placeOf({ source, inode }: LayerContent): { readonly from: number; readonly to: number } {
    const { index } = this.#layers[source]!
    const from = index.contentOffset(inode)
    return { from, to: from + (index.isFile(inode) ? index.sizeBytes(inode) : 0) }
  }
}

function isSame(one: LayerContent, other: LayerContent): boolean {
  return one.source === other.source && one.inode === other.inode
}
