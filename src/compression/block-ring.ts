/**
 * Blocks that other threads help to compress, in memory that they share: one thread, the writer, puts blocks in, takes
 * them out in the same order, and compresses those itself that nobody else has taken; any number of helpers come and go.
 * What compressing is, a codec says: blocks of layer files by LZ4, chunks of a gzip member by deflate.
 *
 * Invariants:
 * - A block is compressed by who claimed it, and by nobody else. The oldest one that nobody has claimed is next.
 * - What stands in a block's room is written by the writer until it is claimable, then by who claimed it until it is done,
 *   then by nobody until the writer lets go of it: each of these steps is an atomic store that the next one loads.
 * - Only a helper sleeps without a bound on how often, and never longer than `sleepMs`: no lost message hangs anybody.
 */
import { MiB } from '../limits.js'

/** Header: 32-bit words, each in a cache line of its own. */
const putAt = 0
const claimedAt = 16
const bellAt = 32
const helpersAt = 48
const closedAt = 64
/** One record for each block, at its number modulo their count. */
const recordsAt = 80
const recordCount = 1024
const record = { place: 0, contentBytes: 1, way: 2, readyBytes: 3, sumLow: 4, sumHigh: 5, done: 6, words: 8 } as const
const headerBytes = 4 * (recordsAt + recordCount * record.words)
/** Of contents and what becomes of them. */
const roomBytes = 4 * MiB
const alignment = 64
/** A helper looks around after so long, whatever it was told. */
const sleepMs = 100
/** Instead of a number of bytes that are ready: they are the content itself. Nothing becomes no bytes at all. */
const asItIs = 0

export interface ReadyBlock {
  readonly contentBytes: number
  /** What goes into the file; the content itself where that is stored. */
  readonly ready: Uint8Array
  readonly checksum: readonly [low: number, high: number]
}

/** What is done to a block. The same content in the same way gives the same bytes, whichever thread does it. */
export interface BlockCodec {
  /** The most that a content of so many bytes can become. */
  bound(contentBytes: number): number
  /**
   * Into `room`, which has `bound` bytes; the answer is the part of it that was written, one byte or more, or the content
   * itself. `way`: a word of 31 bits that the writer has given with this block, for the codec alone.
   */
  compress(content: Uint8Array, way: number, room: Uint8Array): Uint8Array
  /** Of what goes into the file. Absent: nobody asks for it. */
  checksum?(ready: Uint8Array): readonly [low: number, high: number]
}

/** Memory for one ring. Pages that are never used cost nothing. */
export function createRing(): SharedArrayBuffer {
  return new SharedArrayBuffer(headerBytes + roomBytes)
}

/** Makes it as new; call it when no thread uses it. */
export function resetRing(memory: SharedArrayBuffer): void {
  new Int32Array(memory, 0, recordsAt).fill(0)
}

/** Wakes helpers that sleep, so that they look around. */
export function ringBell(memory: SharedArrayBuffer): void {
  const words = new Int32Array(memory, 0, recordsAt)
  Atomics.add(words, bellAt, 1)
  Atomics.notify(words, bellAt)
}

/** What both ends do. */
class RingEnd {
  protected readonly words: Int32Array
  protected readonly room: Uint8Array
  protected readonly codec: BlockCodec

  constructor(memory: SharedArrayBuffer, codec: BlockCodec) {
    this.words = new Int32Array(memory, 0, headerBytes / 4)
    this.room = new Uint8Array(memory, headerBytes)
    this.codec = codec
  }

  /** Takes the oldest block that nobody has taken; undefined when there is none. */
  claim(): number | undefined {
    for (;;) {
      const block = Atomics.load(this.words, claimedAt)
      if (block === Atomics.load(this.words, putAt)) return undefined
      if (Atomics.compareExchange(this.words, claimedAt, block, (block + 1) | 0) === block) return block
    }
  }

  /** Does the work on a block that was claimed. The answer is how many bytes it holds. */
  compress(block: number): number {
    const { words, codec } = this
    const at = recordOf(block)
    const content = this.content(block)
    const end = words[at + record.place]! + content.length
    const room = this.room.subarray(end, end + codec.bound(content.length))
    const ready = codec.compress(content, this.way(block), room)
    const [low, high] = codec.checksum?.(ready) ?? [0, 0]
    words[at + record.readyBytes] = ready === content ? asItIs : ready.length
    words[at + record.sumLow] = low
    words[at + record.sumHigh] = high
    Atomics.store(words, at + record.done, 1)
    Atomics.notify(words, at + record.done)
    return content.length
  }

  content(block: number): Uint8Array {
    const at = recordOf(block)
    const place = this.words[at + record.place]!
    return this.room.subarray(place, place + this.words[at + record.contentBytes]!)
  }

  /** As it was given to `put`. */
  way(block: number): number {
    return this.words[recordOf(block) + record.way]!
  }
}

export class WriterEnd extends RingEnd {
  /** Number of the oldest block that is in here, and of the next one. */
  #oldest = 0
  #next = 0
  /** Where the room is free that follows the newest block. */
  #free = 0

  /** Whether anybody would take a block. */
  get helped(): boolean {
    return Atomics.load(this.words, helpersAt) > 0
  }

  /** Blocks that are in here. */
  get count(): number {
    return (this.#next - this.#oldest) | 0
  }

  get oldest(): number {
    return this.#oldest
  }

  /** Copies a content in; its number is the answer, or undefined if there is no room. `way`: see BlockCodec. */
  put(content: Uint8Array, way: number): number | undefined {
    const place = this.#findRoom(content.length + this.codec.bound(content.length))
    if (place === undefined) return undefined
    const { words } = this
    const block = this.#next
    const at = recordOf(block)
    this.room.set(content, place)
    words[at + record.place] = place
    words[at + record.contentBytes] = content.length
    words[at + record.way] = way
    words[at + record.done] = 0
    this.#next = (block + 1) | 0
    Atomics.store(words, putAt, this.#next)
    this.#ring()
    return block
  }

  /** An answer that cannot be is none: what its room does not hold must not be read. */
  isDone(block: number): boolean {
    const at = recordOf(block)
    if (Atomics.load(this.words, at + record.done) !== 1) return false
    const bytes = this.words[at + record.readyBytes]!
    return bytes >= 0 && bytes <= this.codec.bound(this.words[at + record.contentBytes]!)
  }

  /** Waits until somebody has answered, at most so long; the answer is whether it is done. Not on the main thread. */
  wait(block: number, ms: number): boolean {
    Atomics.wait(this.words, recordOf(block) + record.done, 0, ms)
    return this.isDone(block)
  }

  /** A block that is done. Its memory is good until it is let go of. */
  result(block: number): ReadyBlock {
    const { words } = this
    const at = recordOf(block)
    const content = this.content(block)
    const bytes = words[at + record.readyBytes]!
    const end = words[at + record.place]! + content.length
    return {
      contentBytes: content.length,
      ready: bytes === asItIs ? content : this.room.subarray(end, end + bytes),
      checksum: [words[at + record.sumLow]! >>> 0, words[at + record.sumHigh]! >>> 0],
    }
  }

  /** Lets go of the oldest blocks. */
  release(count: number): void {
    this.#oldest = (this.#oldest + count) | 0
  }

  /** Nobody takes a block any more, and helpers leave. Idempotent. */
  close(): void {
    Atomics.store(this.words, closedAt, 1)
    while (this.claim() !== undefined);
    this.#ring()
  }

  #ring(): void {
    Atomics.add(this.words, bellAt, 1)
    Atomics.notify(this.words, bellAt)
  }

  /** Room in one piece, behind the newest block or, when it is too little there, from the begin. */
  #findRoom(bytes: number): number | undefined {
    const size = Math.ceil(bytes / alignment) * alignment
    if (this.count >= recordCount) return undefined
    if (this.count === 0) this.#free = 0
    const used = this.count === 0 ? roomBytes : this.words[recordOf(this.#oldest) + record.place]!
    const behind = this.#free > used || this.count === 0
    const place = behind && this.#free + size > roomBytes ? 0 : this.#free
    // Never up to the oldest block, so that no room and all room are told apart.
    if ((!behind || place === 0) && this.count > 0 && place + size >= used) return undefined
    this.#free = place + size
    return place
  }
}

export class HelperEnd extends RingEnd {
  join(): void {
    Atomics.add(this.words, helpersAt, 1)
  }

  leave(): void {
    Atomics.sub(this.words, helpersAt, 1)
  }

  get closed(): boolean {
    return Atomics.load(this.words, closedAt) === 1
  }

  /** To be read before looking around, and handed to `sleep` if there was nothing to do. */
  get bell(): number {
    return Atomics.load(this.words, bellAt)
  }

  /** Until the bell has been rung since it was read, or a while has passed. */
  sleep(bell: number): void {
    Atomics.wait(this.words, bellAt, bell, sleepMs)
  }
}

function recordOf(block: number): number {
  return recordsAt + (block & (recordCount - 1)) * record.words
}
