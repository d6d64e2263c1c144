/**
 * Contents in the order in which they lie in their layers. Those that lie close together are one batch: one read of the layer's
 * tar, which decompresses each block once, off the main thread. Batches are read ahead of the consumer.
 *
 * Invariants: a content is read at most once, and only if the consumer reads contents at all; at most `batchesAhead` batches
 * are in memory beside the one in use; what the consumer gets shares no memory with batches (hard links of a large file get
 * one Buffer). So the memory of a batch is used again for another: memory that is new each time is what the garbage collector
 * works hardest for.
 */
import { PhylloError } from '../../errors.js'
import { SmallBuffers } from '../../layerfile/small-buffers.js'
import { KiB, MiB } from '../../limits.js'
import { readAll } from '../union/content.js'
import { itemsPerLook } from '../union/pace.js'
import type { Union } from '../union/union.js'
import type { StoredFile, StoredFiles } from './stored-files.js'

/** Bytes of tar that are read at once: every read costs its share of wake-ups of threads. */
const batchBytes = 4 * MiB
/** Larger contents, and those of a layer without a tar, are read on their own, and not ahead: they may be the size of memory. */
const joinedBytes = batchBytes
/** Bytes between two contents that are read along with them rather than apart: headers, and files that are hidden. */
const gapBytes = 64 * KiB
/** One that is ready for the consumer, and one for the pool's four threads to work on. */
const batchesAhead = 2

interface Batch {
  readonly lower: number
  readonly from: number
  to: number
  /** Inode of the file that it is alone. */
  readonly single: number | undefined
  /** Names whose contents are in it. */
  files: number
  /** On its way, or there. */
  reading: Promise<Buffer> | undefined
  /** There. */
  bytes: Buffer | undefined
}

export class StoredContents {
  readonly #union: Union
  readonly #batches: readonly Batch[]
  /** Memory of batches that nobody needs any more, each of `batchBytes`. */
  readonly #spare: Buffer[] = []
  readonly #memory = new SmallBuffers()
  #current = -1
  /** Files of the current batch that are still to come. */
  #left = 0
  /** Whether the consumer reads contents: who did not ask for the last one is looking at names. */
  #wanted = false
  #asked = true

  private constructor(union: Union, batches: readonly Batch[]) {
    this.#union = union
    this.#batches = batches
  }

  static async of(union: Union, files: readonly StoredFiles[]): Promise<StoredContents> {
    return new StoredContents(union, await batchesOf(union, files))
  }

  /** Called for each file, in this order: how to get its content. */
  next(file: StoredFile): () => Promise<Buffer> {
    if (!this.#asked) this.#wanted = false
    this.#asked = false
    if (this.#left === 0) this.#advance()
    this.#left--
    const at = this.#current
    if (this.#wanted) this.#startFrom(at)
    let content: Promise<Buffer> | undefined
    return () => {
      this.#asked = true
      this.#wanted = true
      return (content ??= this.#contentOf(file, at))
    }
  }

  /** Lets go of what was read ahead. */
  end(): void {
    for (const batch of this.#batches) batch.reading = batch.bytes = undefined
    this.#current = this.#batches.length
    this.#spare.length = 0
  }

  #advance(): void {
    if (this.#current >= 0) this.#letGo(this.#batches[this.#current]!)
    this.#left = this.#batches[++this.#current]!.files
  }

  /** Contents that were asked for before this are copied before the memory is used again: they have waited longer. */
  #letGo(batch: Batch): void {
    if (batch.single === undefined) batch.reading?.then(bytes => this.#spare.push(bytes), ignored)
    batch.reading = batch.bytes = undefined
  }

  #startFrom(first: number): void {
    const end = Math.min(first + 1 + batchesAhead, this.#batches.length)
    for (let at = first; at < end; at++) {
      const batch = this.#batches[at]!
      if (batch.single === undefined && batch.reading === undefined) this.#start(batch, () => this.#readBatch(batch))
    }
  }

  #start(batch: Batch, read: () => Promise<Buffer>): Promise<Buffer> {
    const reading = read()
    batch.reading = reading
    // A failure is told to whoever asks for a content of this batch; perhaps nobody does
    reading.then(bytes => {
      if (batch.reading === reading) batch.bytes = bytes
    }, ignored)
    return reading
  }

  #contentOf(file: StoredFile, at: number): Promise<Buffer> {
    // Whoever comes late gets this content alone
    if (at < this.#current) return readAll(this.#union, file, 0)
    const batch = this.#batches[at]!
    this.#startFrom(at)
    if (batch.single !== undefined) return batch.reading ?? this.#start(batch, () => readAll(this.#union, file, 0))
    const { offset, sizeBytes } = file
    const from = offset - batch.from
    const copy = (bytes: Buffer) => {
      const content = this.#memory.take(sizeBytes)
      bytes.copy(content, 0, from, from + sizeBytes)
      return content
    }
    return batch.bytes === undefined ? batch.reading!.then(copy) : Promise.resolve(copy(batch.bytes))
  }

  #readBatch({ lower, from, to }: Batch): Promise<Buffer> {
    const memory = this.#spare.pop() ?? Buffer.allocUnsafeSlow(batchBytes)
    return this.#union.reading(async () => {
      const into = memory.subarray(0, to - from)
      for (let done = 0; done < into.length; ) {
        const { diffId, tar } = this.#union.lowers[lower]!
        const count = await tar!.readTar(from + done, into.subarray(done))
        if (count === 0) {
          throw new PhylloError('STORE_CORRUPT', `layer ${diffId} ends before its contents do`, { path: diffId })
        }
        done += count
      }
      return memory
    })
  }
}

function ignored(): void {
  // The failure of a batch is told to whoever asks for a content of it
}

async function batchesOf({ lowers, pace }: Union, layers: readonly StoredFiles[]): Promise<Batch[]> {
  const batches: Batch[] = []
  for (const files of layers) {
    const { lower } = files
    const together = lowers[lower]!.tar !== undefined
    let last: Batch | undefined
    for (let at = 0; at < files.length; at++) {
      const offset = files.offset(at)
      const sizeBytes = files.sizeBytes(at)
      const to = offset + sizeBytes
      const small = together && sizeBytes <= joinedBytes
      const joins =
        small &&
        last !== undefined &&
        last.single === undefined &&
        offset - last.to <= gapBytes &&
        to - last.from <= batchBytes
      if (last !== undefined && (joins || last.single === files.inode(at))) {
        last.to = Math.max(last.to, to)
        last.files++
      } else {
        const single = small ? undefined : files.inode(at)
        last = { lower, from: offset, to, single, files: 1, reading: undefined, bytes: undefined }
        batches.push(last)
      }
      if (at % itemsPerLook === 0 && pace.due()) await pace.turn()
    }
  }
  return batches
}
