/**
 * Compresses blocks and writes them in order behind the frame's header.
 *
 * Invariants:
 * - A block goes to the thread pool only while a core is borrowed for it; otherwise it is compressed here and now.
 * - What is in flight is bounded by the slabs. A slab is let go of when nothing needs its pieces any more.
 * - Blocks are written in the order in which they were added, many with one call.
 * - After `letGoOfChunk` nothing refers to the memory that blocks without a slab lie in.
 */
import { blockBytes, KiB, MiB } from '../limits.js'
import type { Lz4 } from '../native/lz4.js'
import type { CoreShare } from '../pool/cores.js'
import type { Block } from './block-cutter.js'
import { BlockRows } from './block-rows.js'
import type { Checksums } from './checksum.js'
import { writeAllSync } from './file-io.js'
import { endMarkBytes, frameHeaderBytes, lengthBytes, storedBit } from './frame.js'
import { roomBytes, type Slab, Slabs } from './slabs.js'

/** Bytes that are written at once. */
const writeBytes = MiB
/** Handing a smaller block to the thread pool costs as much of this thread's time as compressing it. */
const smallestOffThread = 32 * KiB
/** A block is stored unless compression saves one sixteenth of it. */
const savingShift = 4
/** After so many blocks of one content that did not shrink, only every `probeEvery`-th is tried, until one does. */
const giveUpAfter = 4
const probeEvery = 8

const noSum = [0, 0] as const

interface PendingBlock {
  readonly contentBytes: number
  /** What its bytes lie in; undefined while they lie in the chunk. */
  slab: Slab | undefined
  /** What goes into the file behind the length word, once it is known. */
  ready: Uint8Array | undefined
  checksum: readonly [number, number]
  compressing: Promise<void> | undefined
}

export interface BlockWriterOptions {
  readonly fd: number
  readonly label: string
  readonly checksums: Checksums
  readonly cores: CoreShare
  /** Absent: every block is stored. */
  readonly lz4: Lz4 | undefined
  /** Bytes of blocks that may wait to be compressed or written. */
  readonly memoryBytes: number
}

export class BlockWriter {
  readonly rows = new BlockRows()
  /** Blocks on the thread pool. */
  inFlight = 0
  readonly #options: BlockWriterOptions
  readonly #slabs: Slabs
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
    this.#slabs = new Slabs(options.memoryBytes)
  }

  /** Slabs that are free. */
  get available(): number {
    return this.#slabs.available
  }

  /** Takes a block if this thread need not compress it; the answer is whether it did. Needs two slabs. */
  offer(block: Block): boolean {
    const { lz4, cores } = this.#options
    const { content } = block
    if (lz4 === undefined || !this.#isWorthTrying(block)) this.#setReady(this.#append(block), content)
    else if (content.length >= smallestOffThread && cores.tryBorrow())
      this.#compressElsewhere(lz4, this.#append(block), content)
    else return false
    if (this.#readyBytes >= writeBytes) this.flush()
    return true
  }

  /** Takes a block that was offered in vain. Needs two slabs. */
  compress(block: Block): void {
    this.#compressHere(this.#options.lz4!, this.#append(block), block.content)
    if (this.#readyBytes >= writeBytes) this.flush()
  }

  /** Lets what happened on the thread pool be known here. Throws what went wrong there. */
  async turn(): Promise<void> {
    await new Promise<void>(resolve => setImmediate(resolve))
    this.#throwFailure()
  }

  /** Writes what is ready, and waits for the oldest block if that is not. */
  async makeRoom(): Promise<void> {
    this.flush()
    await this.#pending[0]?.compressing
    this.#throwFailure()
    this.flush()
  }

  /** The chunk's memory is going to be used again: what still lies in it is written, or moves. */
  async letGoOfChunk(): Promise<void> {
    this.flush()
    const inChunk = () => this.#pending.find(({ slab }) => slab === undefined)
    for (let block = inChunk(); block !== undefined; block = inChunk()) {
      if (this.available === 0) await this.makeRoom()
      else [block.ready, block.slab] = this.#copied(block.ready!)
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
    this.rows.add(this.#contentOffset, this.#position, 0, 0)
    writeAllSync(this.#options.fd, [new Uint8Array(endMarkBytes)], this.#position, this.#options.label)
    return this.#position + endMarkBytes
  }

  /** Writes the blocks at the head that are ready. */
  flush(): void {
    const pending = this.#pending
    let count = 0
    while (count < pending.length && pending[count]!.ready !== undefined) count++
    if (count === 0) return
    const lengths = new Uint32Array(count)
    const buffers: Uint8Array[] = []
    const from = this.#position
    for (let i = 0; i < count; i++) {
      const { ready, contentBytes, checksum } = pending[i]!
      const bytes = ready!.length
      lengths[i] = bytes === contentBytes ? storedBit | bytes : bytes
      buffers.push(new Uint8Array(lengths.buffer, lengthBytes * i, lengthBytes), ready!)
      this.rows.add(this.#contentOffset, this.#position, checksum[0], checksum[1])
      this.#position += lengthBytes + bytes
      this.#contentOffset += contentBytes
      this.#readyBytes -= bytes
    }
    writeAllSync(this.#options.fd, buffers, from, this.#options.label)
    for (let i = 0; i < count; i++) pending[i]!.slab?.release()
    pending.splice(0, count)
  }

  #isWorthTrying({ content }: Block): boolean {
    const given = this.#runsOn && this.#incompressible >= giveUpAfter
    return content.length < blockBytes || !given || this.#number % probeEvery === 0
  }

  #append({ content, slab, runsOn }: Block): PendingBlock {
    const block = { contentBytes: content.length, slab, ready: undefined, checksum: noSum, compressing: undefined }
    this.#pending.push(block)
    if (!this.#runsOn) this.#incompressible = 0
    this.#runsOn = runsOn
    this.#number++
    return block
  }

  #compressHere(lz4: Lz4, block: PendingBlock, content: Uint8Array): void {
    const { slab, at } = this.#slabs
    const bytes = lz4.compressSync(content, slab.bytes.subarray(at, at + roomBytes))
    if (this.#isStored(bytes, content.length)) this.#setReady(block, content)
    else {
      block.slab?.release()
      block.slab = this.#slabs.keep(bytes)
      this.#setReady(block, slab.bytes.subarray(at, at + bytes))
    }
  }

  #compressElsewhere(lz4: Lz4, block: PendingBlock, given: Uint8Array): void {
    const [content, contentSlab] = block.slab === undefined ? this.#copied(given) : [given, block.slab]
    const { slab, at } = this.#slabs
    const room = slab.bytes.subarray(at, at + roomBytes)
    this.#slabs.keep(roomBytes)
    block.slab = contentSlab
    this.inFlight++
    const done = (bytes: number) => {
      const stored = this.#isStored(bytes, content.length)
      block.slab = stored ? contentSlab : slab
      const other = stored ? slab : contentSlab
      other.release()
      this.#setReady(block, stored ? content : room.subarray(0, bytes))
    }
    block.compressing = lz4
      .compress(content, room)
      .then(done)
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        this.inFlight--
        this.#options.cores.giveBack()
      })
  }

  /** Whether a block that came out as long as this is stored as it went in. */
  #isStored(bytes: number, contentBytes: number): boolean {
    const stored = bytes >= contentBytes - (contentBytes >>> savingShift)
    this.#incompressible = stored ? this.#incompressible + 1 : 0
    return stored
  }

  #copied(bytes: Uint8Array): [copy: Uint8Array, slab: Slab] {
    const { slab, at } = this.#slabs
    const copy = slab.bytes.subarray(at, at + bytes.length)
    copy.set(bytes)
    return [copy, this.#slabs.keep(bytes.length)]
  }

  #setReady(block: PendingBlock, ready: Uint8Array): void {
    block.checksum = this.#options.checksums.xxh64(ready)
    block.ready = ready
    this.#readyBytes += ready.length
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}
