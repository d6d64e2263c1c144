/**
 * Compresses blocks and writes them in order behind the frame's header.
 *
 * Invariants:
 * - A block goes to the thread pool only while a core is borrowed for it; otherwise it is compressed here and now.
 * - What is in flight is bounded by the slabs. A slab is let go of when nothing reads its blocks any more.
 * - Blocks are written in the order in which they were added, several with one call.
 */
import { blockBytes, KiB, MiB } from '../limits.js'
import type { Lz4 } from '../native/lz4.js'
import type { CoreShare } from '../pool/cores.js'
import type { Checksums } from './checksum.js'
import { WordList } from './column.js'
import { writeAllSync } from './file-io.js'
import { endMarkBytes, frameHeaderBytes, lengthBytes, storedBit } from './frame.js'
import type { BlockRoom, Slabs } from './slabs.js'

/** Bytes that are written at once. */
const writeBytes = MiB
/** Handing a smaller block to the thread pool costs more than compressing it. */
const smallestOffThread = 8 * KiB
/** A block is stored unless compression saves one sixteenth of it. */
const savingShift = 4
/** After so many blocks of one content that did not shrink, only every `probeEvery`-th is tried, until one does. */
const giveUpAfter = 4
const probeEvery = 8

interface PendingBlock {
  readonly room: BlockRoom
  readonly contentBytes: number
  /** Length word and block, when they are ready. */
  ready: Buffer | undefined
  checksum: readonly [number, number]
  /** True once the slab was let go of. */
  released: boolean
  compressing: Promise<void> | undefined
}

export interface BlockWriterOptions {
  readonly fd: number
  readonly label: string
  readonly slabs: Slabs
  readonly checksums: Checksums
  readonly cores: CoreShare
  /** Absent: every block is stored. */
  readonly lz4: Lz4 | undefined
}

export class BlockWriter {
  /** Rows of the block table, as 32-bit words. */
  readonly table = new WordList()
  /** Blocks on the thread pool. */
  inFlight = 0
  readonly #options: BlockWriterOptions
  #pending: PendingBlock[] = []
  #readyBytes = 0
  #contentOffset = 0
  #position = frameHeaderBytes
  #failure: unknown
  #incompressible = 0
  #number = 0
  #runsOn = false

  constructor(options: BlockWriterOptions) {
    this.#options = options
  }

  add(room: BlockRoom, contentBytes: number, runsOn: boolean): void {
    const { lz4, cores } = this.#options
    const block: PendingBlock = {
      room,
      contentBytes,
      ready: undefined,
      checksum: [0, 0],
      released: false,
      compressing: undefined,
    }
    this.#pending.push(block)
    if (!this.#runsOn) this.#incompressible = 0
    this.#runsOn = runsOn
    if (lz4 === undefined || !this.#isWorthTrying(contentBytes)) this.#store(block)
    else if (contentBytes >= smallestOffThread && cores.tryBorrow()) this.#compressElsewhere(lz4, block)
    else this.#take(block, lz4.compressSync(room.content.subarray(0, contentBytes)))
    if (this.#readyBytes >= writeBytes) this.flush()
  }

  /** Lets what happened on the thread pool be known here. Throws what went wrong there. */
  async turn(): Promise<void> {
    await new Promise<void>(resolve => setImmediate(resolve))
    this.#throwFailure()
  }

  /** Waits until so many slabs are free. */
  async waitForSlabs(count: number): Promise<void> {
    while (this.#options.slabs.available < count) {
      this.flush()
      if (this.#options.slabs.available >= count) return
      await this.#pending[0]?.compressing
      this.#throwFailure()
    }
  }

  /** Waits until nothing is on the thread pool any more; never throws. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending.map(({ compressing }) => compressing))
  }

  /** Writes everything, and the end mark; the answer is the offset behind the frame. */
  async end(): Promise<number> {
    await this.settle()
    this.#throwFailure()
    this.flush()
    this.#addRow([0, 0])
    writeAllSync(this.#options.fd, [Buffer.alloc(endMarkBytes)], this.#position, this.#options.label)
    return this.#position + endMarkBytes
  }

  /** Writes the blocks at the head that are ready. */
  flush(): void {
    const buffers: Buffer[] = []
    const from = this.#position
    let count = 0
    for (const block of this.#pending) {
      if (block.ready === undefined) break
      this.#addRow(block.checksum)
      this.#position += block.ready.length
      this.#contentOffset += block.contentBytes
      this.#readyBytes -= block.ready.length
      buffers.push(block.ready)
      count++
    }
    if (count === 0) return
    writeAllSync(this.#options.fd, buffers, from, this.#options.label)
    for (const block of this.#pending.splice(0, count)) this.#release(block)
  }

  #isWorthTrying(contentBytes: number): boolean {
    this.#number++
    return contentBytes < blockBytes || this.#incompressible < giveUpAfter || this.#number % probeEvery === 0
  }

  #compressElsewhere(lz4: Lz4, block: PendingBlock): void {
    const { cores } = this.#options
    this.inFlight++
    block.compressing = lz4
      .compress(block.room.content.subarray(0, block.contentBytes))
      .then(compressed => this.#take(block, compressed))
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        this.inFlight--
        cores.giveBack()
      })
  }

  /** `compressed` has room for the length word in front. */
  #take(block: PendingBlock, compressed: Buffer): void {
    const { contentBytes } = block
    const bytes = compressed.length - lengthBytes
    if (bytes >= contentBytes - (contentBytes >>> savingShift)) {
      this.#incompressible++
      this.#store(block)
      return
    }
    this.#incompressible = 0
    compressed.writeUInt32LE(bytes, 0)
    this.#setReady(block, compressed)
    this.#release(block)
  }

  #store(block: PendingBlock): void {
    const { content } = block.room
    const whole = Buffer.from(content.buffer, content.byteOffset - lengthBytes, lengthBytes + block.contentBytes)
    whole.writeUInt32LE((storedBit | block.contentBytes) >>> 0, 0)
    this.#setReady(block, whole)
  }

  #setReady(block: PendingBlock, whole: Buffer): void {
    block.checksum = this.#options.checksums.xxh64(whole.subarray(lengthBytes))
    block.ready = whole
    this.#readyBytes += whole.length
  }

  #release(block: PendingBlock): void {
    if (block.released) return
    block.released = true
    this.#options.slabs.release(block.room.slab)
  }

  #addRow([low, high]: readonly [number, number]): void {
    for (const value of [this.#contentOffset, this.#position]) {
      this.table.push(value % 2 ** 32)
      this.table.push(Math.floor(value / 2 ** 32))
    }
    this.table.push(low)
    this.table.push(high)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}
