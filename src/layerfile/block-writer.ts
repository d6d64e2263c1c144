/**
 * Compresses blocks and has them written in the order in which they come: by way of a ring while other threads help with
 * that, else here and now.
 *
 * Invariants:
 * - There are blocks in the ring or blocks that were compressed here, never both.
 * - A block in the ring is a copy. What was compressed here may lie in the chunk, until `letGoOfChunk`.
 * - Nobody is waited for who may not come: a helper that gives no news of the block it has taken is done without.
 */
import { type ReadyBlock, WriterEnd } from '../compression/block-ring.js'
import { blockBytes, MiB } from '../limits.js'
import type { Lz4 } from '../native/lz4.js'
import { compressBound } from '../native/lz4-block.js'
import { compressBlock, lz4Codec, ways } from './block-codec.js'
import type { Block } from './block-cutter.js'
import type { BlockRows } from './block-rows.js'
import type { Checksums } from './checksum.js'
import { FrameWriter } from './frame-writer.js'
import { type Trial, Trials } from './trials.js'

/** Bytes that are written at once. */
const writeBytes = MiB
/** A block takes a millisecond; a helper that has none of it ready by then is dead, or as good as that. */
const noNewsMs = 500

export interface BlockWriterOptions {
  readonly fd: number
  /** Where that is, for errors. */
  readonly path: string
  readonly checksums: Checksums
  /** Absent: every block is stored. */
  readonly lz4: Lz4 | undefined
  /** See compression/block-ring.ts. Absent: nobody helps. */
  readonly ring?: SharedArrayBuffer
}

export class BlockWriter {
  readonly #checksums: Checksums
  readonly #lz4: Lz4 | undefined
  readonly #frame: FrameWriter
  readonly #trials = new Trials()
  #ring: WriterEnd | undefined
  /** Of the blocks in the ring, and how many of them, from the oldest on, are known to be done. */
  readonly #inRing: Trial[] = []
  #done = 0
  #doneBytes = 0
  /** Blocks that were compressed here, and the slabs that they are to let go of. */
  #here: ReadyBlock[] = []
  #slabs: { release(): void }[] = []
  #hereBytes = 0
  /** Blocks come out here, one behind the other. */
  #output: Uint8Array | undefined
  #outputAt = 0

  constructor({ fd, path, checksums, lz4, ring }: BlockWriterOptions) {
    this.#checksums = checksums
    this.#lz4 = lz4
    this.#frame = new FrameWriter(fd, path)
    if (lz4 !== undefined && ring !== undefined) this.#ring = new WriterEnd(ring, lz4Codec({ lz4, checksums }))
  }

  get rows(): BlockRows {
    return this.#frame.rows
  }

  /** Takes a block unless others have to be done before; the answer is whether it did. If not, `advance` helps. */
  offer(block: Block): boolean {
    this.#collect()
    const tried = this.#isWorthTrying(block)
    if (tried === undefined) return false
    const trial: Trial | undefined = tried ? { stored: undefined } : undefined
    if (this.#ring?.helped) {
      if (!this.#putInRing(block, this.#ring, trial)) return false
    } else if (this.#inRing.length > 0) return false
    else this.#compressHere(block, trial)
    this.#trials.take(block, trial)
    return true
  }

  /** Has the oldest block done that is not, by this thread if nobody has taken it. */
  advance(): void {
    const ring = this.#ring
    if (ring === undefined) return
    const block = ring.claim()
    if (block !== undefined) ring.compress(block)
    else if (this.#done < this.#inRing.length && !ring.wait((ring.oldest + this.#done) | 0, noNewsMs))
      this.#doWithout(ring)
    this.#collect()
    this.#writeDone()
  }

  /** The chunk's memory is going to be used again: what still lies in it is written. */
  letGoOfChunk(): void {
    this.#writeHere()
  }

  /** Writes everything, and the end mark; the answer is the offset behind the frame. */
  end(): number {
    while (this.#inRing.length > 0) this.advance()
    this.#writeHere()
    return this.#frame.end()
  }

  /** Helpers have nothing more to do here. Idempotent. */
  close(): void {
    this.#ring?.close()
  }

  /** Undefined when that is not known yet. */
  #isWorthTrying(block: Block): boolean | undefined {
    const lz4 = this.#lz4
    if (lz4 === undefined) return false
    if (this.#trials.choose(block) === 'probe') {
      const { content } = block
      this.#trials.probed(this.#compressed(lz4, content) === content)
    }
    const choice = this.#trials.choose(block)
    return choice && choice === 'try'
  }

  #putInRing({ content, slab }: Block, ring: WriterEnd, trial: Trial | undefined): boolean {
    this.#writeHere()
    if (this.#doneBytes >= writeBytes) this.#writeDone()
    const way = trial === undefined ? ways.store : ways.try
    if (ring.put(content, way) === undefined) {
      if (this.#done === 0) return false
      this.#writeDone()
      if (ring.put(content, way) === undefined) return false
    }
    this.#inRing.push(trial ?? { stored: true })
    slab?.release()
    return true
  }

  #compressHere({ content, slab }: Block, trial: Trial | undefined): void {
    const ready = trial === undefined ? content : this.#compressed(this.#lz4!, content)
    if (trial !== undefined) trial.stored = ready === content
    this.#addHere(content, ready)
    if (slab !== undefined) this.#slabs.push(slab)
    if (this.#hereBytes >= writeBytes) this.#writeHere()
  }

  #addHere(content: Uint8Array, ready: Uint8Array): void {
    if (ready !== content) this.#outputAt += ready.length
    this.#here.push({ contentBytes: content.length, ready, checksum: this.#checksums.xxh64(ready) })
    this.#hereBytes += ready.length
  }

  /** The content, or what became of it, at the end of the output. */
  #compressed(lz4: Lz4, content: Uint8Array): Uint8Array {
    this.#output ??= new Uint8Array(writeBytes + compressBound(blockBytes))
    const room = this.#output.subarray(this.#outputAt)
    return compressBlock({ lz4 }, content, room)
  }

  #writeHere(): void {
    if (this.#here.length === 0) return
    this.#frame.write(this.#here)
    for (const slab of this.#slabs) slab.release()
    this.#here = []
    this.#slabs = []
    this.#hereBytes = 0
    this.#outputAt = 0
  }

  /** Looks how many more of the oldest blocks in the ring are done. */
  #collect(): void {
    const ring = this.#ring
    if (ring === undefined) return
    for (; this.#done < this.#inRing.length; this.#done++) {
      const block = (ring.oldest + this.#done) | 0
      if (!ring.isDone(block)) return
      const { contentBytes, ready } = ring.result(block)
      this.#inRing[this.#done]!.stored = ready.length === contentBytes
      this.#doneBytes += ready.length
    }
  }

  /** Writes the blocks in the ring that are known to be done. */
  #writeDone(): void {
    const ring = this.#ring
    const count = this.#done
    if (ring === undefined || count === 0) return
    this.#frame.write(Array.from({ length: count }, (_, i) => ring.result((ring.oldest + i) | 0)))
    ring.release(count)
    this.#inRing.splice(0, count)
    this.#done = 0
    this.#doneBytes = 0
  }

  /** Somebody took a block and gives no news: what is in the ring is done here, and the ring is left alone from now on. */
  #doWithout(ring: WriterEnd): void {
    this.#writeDone()
    ring.close()
    for (const [i, trial] of this.#inRing.entries()) {
      const block = (ring.oldest + i) | 0
      const content = ring.content(block)
      const ready = ring.way(block) === ways.try ? this.#compressed(this.#lz4!, content) : content
      trial.stored = ready === content
      this.#addHere(content, ready)
      if (this.#hereBytes >= writeBytes) this.#writeHere()
    }
    this.#writeHere()
    this.#inRing.length = 0
    this.#done = 0
    this.#doneBytes = 0
    this.#ring = undefined
  }
}
