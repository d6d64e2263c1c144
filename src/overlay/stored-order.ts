/**
 * Contents in the order in which they lie in their layers. Those that lie close together are one batch: one read of the layer's
 * tar, which decompresses each block once, off the main thread. Batches are read ahead of the consumer.
 *
 * Invariants: a content is read at most once, and only if the consumer reads contents at all; at most `batchesAhead` batches
 * are in memory beside the one in use; what the consumer gets shares no memory with other files' contents (hard links of a
 * large file get one Buffer). So the memory of a batch is used again for another: memory that is new each time is what the
 * garbage collector works hardest for.
 */
import { PhylloError } from '../errors.js'
import { KiB, MiB } from '../limits.js'
import { readAll } from './content.js'
import type { Dentry } from './dentry.js'
import { itemsPerLook } from './pace.js'
import { pacedSort } from './paced-sort.js'
import type { Union } from './union.js'

/** Bytes of tar that are read at once: every read costs its share of wake-ups of threads. */
const batchBytes = 4 * MiB
/** Larger contents are read on their own, and not ahead: they may be the size of memory. */
const joinedBytes = batchBytes
/** Bytes between two contents that are read along with them rather than apart: headers, and files that are hidden. */
const gapBytes = 64 * KiB
/** One that is ready for the consumer, and one for the pool's four threads to work on. */
const batchesAhead = 2

interface Batch {
  readonly lower: number
  readonly from: number
  to: number
  readonly single: Dentry | undefined
  bytes: Promise<Buffer> | undefined
}

export interface StoredFile {
  readonly dentry: Dentry
  readonly lower: number
  readonly offset: number
  readonly sizeBytes: number
  /** Index of its batch. */
  batch: number
}

/** `batch` is set by `StoredContents.of`. */
export function storedFile(union: Union, dentry: Dentry): StoredFile {
  const { lower, inode } = dentry
  const offset = union.lowers[lower]!.contentOffset(inode)
  return { dentry, lower, offset, sizeBytes: union.tree.attributes(dentry).sizeBytes, batch: -1 }
}

export class StoredContents {
  /** Files as they lie, base layer first; hard links side by side. */
  readonly order: readonly StoredFile[]
  readonly #union: Union
  readonly #batches: readonly Batch[]
  /** Memory of batches that nobody needs any more, each of `batchBytes`. */
  readonly #spare: Buffer[] = []
  #current = 0
  /** Whether the consumer reads contents: who did not ask for the last one is looking at names. */
  #wanted = false
  #asked = true

  private constructor(union: Union, order: readonly StoredFile[], batches: readonly Batch[]) {
    this.#union = union
    this.order = order
    this.#batches = batches
  }

  /** `files` of each layer, the view's topmost first. */
  static async of(union: Union, files: readonly (readonly StoredFile[])[]): Promise<StoredContents> {
    const order: StoredFile[] = []
    // Layer by layer: most archives were written in the order of a walk, and what is in order already costs little to sort
    for (let lower = files.length - 1; lower >= 0; lower--)
      for (const file of await pacedSort(files[lower]!, asTheyLie, union.pace)) order.push(file)
    return new StoredContents(union, order, await batchesOf(union, order))
  }

  /** Called for each file of `order`, in this order: how to get its content. */
  next(file: StoredFile): () => Promise<Buffer> {
    if (!this.#asked) this.#wanted = false
    this.#asked = false
    for (; this.#current < file.batch; this.#current++) this.#letGo(this.#batches[this.#current]!)
    if (this.#wanted) this.#startFrom(file.batch)
    const batch = this.#batches[file.batch]!
    let content: Promise<Buffer> | undefined
    return () => {
      this.#asked = true
      this.#wanted = true
      content ??= this.#contentOf(file, batch)
      return content
    }
  }

  /** Lets go of what was read ahead. */
  end(): void {
    for (const batch of this.#batches) batch.bytes = undefined
    this.#current = this.#batches.length
    this.#spare.length = 0
  }

  /** Contents that were asked for before this are copied before the memory is used again: they have waited longer. */
  #letGo(batch: Batch): void {
    if (batch.single === undefined) batch.bytes?.then(bytes => this.#spare.push(bytes), ignored)
    batch.bytes = undefined
  }

  #startFrom(first: number): void {
    const end = Math.min(first + 1 + batchesAhead, this.#batches.length)
    for (let at = first; at < end; at++) {
      const batch = this.#batches[at]!
      if (batch.single === undefined) this.#start(batch)
    }
  }

  #start(batch: Batch): Promise<Buffer> {
    if (batch.bytes === undefined) {
      batch.bytes = batch.single === undefined ? this.#readBatch(batch) : readAll(this.#union, batch.single, 0)
      // It is told to whoever asks for a content of this batch; perhaps nobody does
      batch.bytes.catch(ignored)
    }
    return batch.bytes
  }

  async #contentOf({ dentry, offset, sizeBytes, batch: at }: StoredFile, batch: Batch): Promise<Buffer> {
    // Whoever comes late gets this content alone
    if (at < this.#current) return readAll(this.#union, dentry, 0)
    this.#startFrom(at)
    const bytes = await this.#start(batch)
    if (batch.single !== undefined) return bytes
    return Buffer.from(bytes.subarray(offset - batch.from, offset - batch.from + sizeBytes))
  }

  #readBatch({ lower, from, to }: Batch): Promise<Buffer> {
    const memory = this.#spare.pop() ?? Buffer.allocUnsafeSlow(batchBytes)
    return this.#union.reading(async () => {
      const into = memory.subarray(0, to - from)
      for (let done = 0; done < into.length; ) {
        const count = await this.#union.lowers[lower]!.readTar(from + done, into.subarray(done))
        if (count === 0) {
          const { diffId } = this.#union.lowers[lower]!
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

function asTheyLie(a: StoredFile, b: StoredFile): number {
  return a.offset - b.offset || a.dentry.inode - b.dentry.inode || (a.dentry.name < b.dentry.name ? -1 : 1)
}

async function batchesOf({ pace }: Union, order: readonly StoredFile[]): Promise<Batch[]> {
  const batches: Batch[] = []
  let last: Batch | undefined
  let visited = 0
  for (const file of order) {
    const { dentry, lower, offset, sizeBytes } = file
    const to = offset + sizeBytes
    const small = sizeBytes <= joinedBytes
    const fits = last !== undefined && last.lower === lower
    const joins =
      small && fits && last!.single === undefined && offset - last!.to <= gapBytes && to - last!.from <= batchBytes
    const sameFile = fits && last!.single?.inode === dentry.inode
    if (joins) last!.to = Math.max(last!.to, to)
    else if (!sameFile) {
      last = { lower, from: offset, to, single: small ? undefined : dentry, bytes: undefined }
      batches.push(last)
    }
    file.batch = batches.length - 1
    if (++visited % itemsPerLook === 0 && pace.due()) await pace.turn()
  }
  return batches
}
