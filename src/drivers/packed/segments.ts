/**
 * Contents of small files, one behind the other in segment files. What is new is in the tail, in memory, until it is handed over.
 *
 * Invariants:
 * - Bytes in a file are never written over, unless no journal on the disk relies on them. Bytes in the tail may be.
 * - `live` of a segment are the bytes of contents that are still wanted.
 * - A method that throws has changed nothing.
 */
import type { Sum } from '../../layerfile/format.js'
import type { Extent } from './journal-format.js'
import { type SmallContent, segmentName, smallContent } from './stored-content.js'
import type { UpperFiles } from './upper-files.js'

/** Contents up to this many bytes are small. */
export const smallBytes = 64 << 10
/** A segment with so many bytes gets no more. */
const fullBytes = 16 << 20
const startBytes = 128 << 10
const keepBytes = 4 << 20

interface Segment {
  /** Bytes of the file. */
  bytes: number
  live: number
}

export class Segments {
  readonly #files: UpperFiles
  readonly #sum: Sum
  readonly #table = new Map<number, Segment>()
  #current: number
  /** Where in the file the tail goes. */
  #start = 0
  #tail = Buffer.alloc(startBytes)
  #length = 0

  /** `there`: numbers and bytes of segment files. `last`: the highest number that there was; that segment is continued. */
  constructor(files: UpperFiles, sum: Sum, there: ReadonlyMap<number, number>, last: number) {
    this.#files = files
    this.#sum = sum
    for (const [segment, bytes] of there) this.#table.set(segment, { bytes, live: 0 })
    this.#current = last
    this.#start = there.get(last) ?? fullBytes
    if (this.#start >= fullBytes) this.#next()
  }

  /** Number of the newest. */
  get last(): number {
    return this.#current
  }

  /** Bytes in memory. */
  get waiting(): number {
    return this.#length
  }

  /** One that is empty. */
  create(): SmallContent {
    return smallContent(this.#current, this.#start, 0)
  }

  /** A content that was there when the upper was opened. */
  count({ segment, bytes }: SmallContent): void {
    this.#segment(segment).live += bytes
  }

  drop({ segment, bytes }: SmallContent): void {
    this.#segment(segment).live -= bytes
  }

  read(content: SmallContent, position: number, into: Uint8Array): number {
    const count = Math.max(0, Math.min(into.length, content.bytes - position))
    if (count === 0) return 0
    if (this.#isWaiting(content))
      this.#tail.copy(into, 0, this.#at(content) + position, this.#at(content) + position + count)
    else this.#load(content, position, count === into.length ? into : into.subarray(0, count))
    return count
  }

  /** Writes into the content; a gap becomes zeros. */
  write(content: SmallContent, position: number, bytes: Uint8Array): void {
    const sizeBytes = Math.max(content.bytes, position + bytes.length)
    const kept = position === 0 && bytes.length === sizeBytes ? 0 : content.bytes
    this.#renew(content, sizeBytes, kept)
    this.#tail.set(bytes, this.#at(content) + position)
  }

  resize(content: SmallContent, sizeBytes: number): void {
    if (sizeBytes > content.bytes) this.#renew(content, sizeBytes, content.bytes)
    else {
      this.#segment(content.segment).live -= content.bytes - sizeBytes
      content.bytes = sizeBytes
    }
  }

  /** Contents of this segment are moved to the newest one. */
  move(content: SmallContent): void {
    this.#renew(content, content.bytes, content.bytes)
  }

  /** Hands the tail to the kernel; it goes on being here until `handedOver`. */
  handOver(): Extent | undefined {
    if (this.#length === 0) return undefined
    const name = segmentName(this.#current)
    const tail = this.#tail.subarray(0, this.#length)
    if (this.#start === 0 && this.#files.bytes(name) === undefined) this.#files.create(name)
    this.#files.writeSync(name, tail, this.#start)
    return { segment: this.#current, offset: this.#start, bytes: this.#length, checksum: this.#sum(tail) }
  }

  /** The journal says what is in the tail. */
  handedOver(): void {
    if (this.#length === 0) return
    this.#start += this.#length
    this.#length = 0
    this.#segment(this.#current).bytes = this.#start
    if (this.#tail.length > keepBytes) this.#tail = Buffer.alloc(startBytes)
    if (this.#start >= fullBytes) this.#next()
  }

  /** Segments with nothing in them that is wanted. */
  dead(): number[] {
    return [...this.#table].filter(([segment, { live }]) => live === 0 && segment !== this.#current).map(([key]) => key)
  }

  /** Segments of which less than half is wanted. The newest is closed first if it is one. */
  mostlyDead(): Set<number> {
    const newest = this.#table.get(this.#current)
    if (newest !== undefined && this.#length === 0 && newest.live * 2 < newest.bytes) this.#next()
    const sparse = [...this.#table].filter(([key, { live, bytes }]) => key !== this.#current && live * 2 < bytes)
    return new Set(sparse.map(([segment]) => segment))
  }

  /** Bytes in files that nobody wants. */
  get deadBytes(): number {
    let dead = 0
    for (const { bytes, live } of this.#table.values()) dead += Math.max(0, bytes - live)
    return dead
  }

  remove(segment: number): void {
    if (this.#files.bytes(segmentName(segment)) !== undefined) this.#files.remove(segmentName(segment))
    this.#table.delete(segment)
  }

  #next(): void {
    this.#current++
    this.#start = 0
  }

  #segment(segment: number): Segment {
    const there = this.#table.get(segment)
    if (there !== undefined) return there
    const made: Segment = { bytes: 0, live: 0 }
    this.#table.set(segment, made)
    return made
  }

  /** Content without bytes is nowhere. */
  #isWaiting({ segment, offset, bytes }: SmallContent): boolean {
    return bytes > 0 && segment === this.#current && offset >= this.#start
  }

  #at({ offset }: SmallContent): number {
    return offset - this.#start
  }

  /** Puts the content into the tail, if it is not there, with so many bytes, of which it keeps the first ones it had. */
  #renew(content: SmallContent, sizeBytes: number, kept: number): void {
    const { bytes } = content
    const waiting = this.#isWaiting(content)
    const isLast = waiting && this.#at(content) + content.room === this.#length
    if (!waiting || (sizeBytes > content.room && !isLast)) this.#place(content, sizeBytes, kept)
    else if (sizeBytes > content.room) this.#room(sizeBytes - content.room)
    const at = this.#at(content)
    this.#length = Math.max(this.#length, at + sizeBytes)
    if (sizeBytes > kept) this.#tail.fill(0, at + kept, at + sizeBytes)
    content.room = Math.max(content.room, sizeBytes)
    this.#segment(this.#current).live += sizeBytes - bytes
    content.bytes = sizeBytes
  }

  /** Moves the content to the end of the tail. What grows there once is going to grow again, and gets room for it. */
  #place(content: SmallContent, sizeBytes: number, kept: number): void {
    const waiting = this.#isWaiting(content)
    const room = waiting ? Math.min(2 * sizeBytes, smallBytes) : sizeBytes
    this.#room(room)
    const at = this.#length
    if (waiting) this.#tail.copyWithin(at, this.#at(content), this.#at(content) + kept)
    else if (kept > 0) this.#load(content, 0, this.#tail.subarray(at, at + kept))
    this.#segment(content.segment).live -= content.bytes
    this.#segment(this.#current).live += content.bytes
    content.segment = this.#current
    content.offset = this.#start + at
    content.room = room
    this.#length = at + room
  }

  #load({ segment, offset }: SmallContent, position: number, into: Uint8Array): void {
    const count = this.#files.readSync(segmentName(segment), into, offset + position)
    // Shorter than at opening: somebody else is at work in there. Zeros, as a file system gives for a lost block.
    into.fill(0, count)
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#tail.length) return
    const grown = Buffer.alloc(Math.max(needed, 2 * this.#tail.length))
    this.#tail.copy(grown, 0, 0, this.#length)
    this.#tail = grown
  }
}
