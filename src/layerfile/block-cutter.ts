/**
 * Cuts the bytes of a tar into blocks, with reading in mind: small entries share blocks of about `smallBlockBytes`, cut
 * where an entry begins; a middling entry has a block of its own; a large content has blocks of its own, 256 KiB each,
 * and begins one.
 *
 * Invariants:
 * - The blocks, one after the other, are the tar. Where they are cut never matters for what can be read.
 * - A block holds 1 to 256 KiB bytes.
 */
import { blockBytes, KiB, smallBlockBytes } from '../limits.js'
import type { BlockRoom, Slabs } from './slabs.js'

/** Contents from here on begin a block; smaller ones stand behind their header. */
const largeContentBytes = 128 * KiB
const tarBlockBytes = 512

export class BlockCutter {
  readonly #slabs: Slabs
  readonly #emit: (room: BlockRoom, contentBytes: number, runsOn: boolean) => void
  readonly #small: number
  /** Offsets to cut at, ascending. */
  readonly #cuts: number[] = []
  #planned = 0
  #endOfOwn = -1
  /** Offset of the block that is being gathered, and what there is of it. */
  #start = 0
  #fill = 0
  #room: BlockRoom | undefined

  /** `emit` gets each block; `runsOn` tells that it went full, so the next one belongs to the same content. */
  constructor(
    slabs: Slabs,
    emit: (room: BlockRoom, contentBytes: number, runsOn: boolean) => void,
    small = smallBlockBytes,
  ) {
    this.#slabs = slabs
    this.#emit = emit
    this.#small = small
  }

  /** Announces an entry, in order; its header may have been pushed already. */
  entry(headerOffset: number, contentOffset: number, sizeBytes: number): void {
    const fill = (headerOffset - this.#planned) % blockBytes
    const padded = Math.ceil(sizeBytes / tarBlockBytes) * tarBlockBytes
    const total = contentOffset - headerOffset + padded
    const small = this.#small
    const overfull = fill >= small || (2 * fill >= small && 2 * (fill + total) > 3 * small)
    if (headerOffset === this.#endOfOwn || overfull) this.#plan(headerOffset)
    if (sizeBytes >= largeContentBytes) {
      this.#plan(contentOffset)
      this.#endOfOwn = contentOffset + padded
    } else if (total > small) {
      this.#endOfOwn = contentOffset + padded
      if (4 * fill >= small) this.#plan(headerOffset)
    }
  }

  /** Takes the next bytes of the tar; they are copied. At most two slabs are used for 256 KiB. */
  push(bytes: Uint8Array): void {
    let at = 0
    for (const cut of this.#cuts) {
      const end = this.#start + this.#fill
      if (cut <= this.#start) continue
      if (cut < end) this.#split(cut - this.#start)
      else if (cut - end <= bytes.length - at) {
        const count = cut - end
        this.#append(bytes, at, at + count)
        at += count
        this.#flush(false)
      } else break
    }
    this.#append(bytes, at, bytes.length)
    const position = this.#start + this.#fill
    const ahead = this.#cuts.findIndex(cut => cut > position)
    this.#cuts.splice(0, ahead < 0 ? this.#cuts.length : ahead)
  }

  end(): void {
    this.#flush(false)
  }

  #plan(offset: number): void {
    if (offset <= this.#planned) return
    this.#cuts.push(offset)
    this.#planned = offset
  }

  #append(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; ) {
      this.#room ??= this.#slabs.room()
      const count = Math.min(to - at, blockBytes - this.#fill)
      this.#room.content.set(bytes.subarray(at, at + count), this.#fill)
      this.#fill += count
      at += count
      if (this.#fill === blockBytes) this.#flush(true)
    }
  }

  /** A cut in what was gathered before its entry was known: the rest moves on into the next block. */
  #split(count: number): void {
    const { content } = this.#room!
    const rest = Buffer.from(content.subarray(count, this.#fill))
    this.#fill = count
    this.#flush(false)
    this.#append(rest, 0, rest.length)
  }

  #flush(runsOn: boolean): void {
    if (this.#room === undefined || this.#fill === 0) return
    const room = this.#room
    const count = this.#fill
    this.#slabs.keep(room, count)
    this.#room = undefined
    this.#start += count
    this.#fill = 0
    this.#emit(room, count, runsOn)
  }
}
