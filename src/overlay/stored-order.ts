/**
 * Contents in the order in which they lie in their layers. Small ones that lie close together are one batch: one read of the
 * layer's tar, which decompresses each block once, off the main thread. Batches are read ahead of the consumer.
 *
 * Invariants: a content is read at most once, and only if the consumer reads contents at all; at most `batchesAhead` batches
 * are in memory beside the one in use; what the consumer gets shares no memory with other files' contents (hard links of a
 * large file get one Buffer).
 */
import { KiB, MiB } from '../limits.js'
import { readAll, sliceBytes } from './content.js'
import type { Dentry } from './dentry.js'
import type { Union } from './union.js'

/** Bytes of tar that are read at once. */
const batchBytes = MiB
/** Larger contents are read on their own. */
const smallBytes = 256 * KiB
/** Bytes between two contents that are read along with them rather than apart: headers, and files that are hidden. */
const gapBytes = 64 * KiB
/** Enough for the pool's four threads to stay busy. */
const batchesAhead = 4

interface Batch {
  readonly lower: number
  readonly from: number
  to: number
  readonly single: Dentry | undefined
  bytes: Promise<Buffer> | undefined
}

export interface Contents {
  readonly order: readonly Dentry[]
  /** Called for each dentry of `order`, in this order: how to get its content. */
  next(dentry: Dentry): () => Promise<Buffer>
  /** Lets go of what was read ahead. */
  end(): void
}

export function storedContents(union: Union, files: Dentry[]): Contents {
  const offsets = new Map(files.map(file => [file, union.layerOf(file).contentOffset(file.inode)]))
  const order = files.sort(
    (a, b) => b.lower - a.lower || offsets.get(a)! - offsets.get(b)! || a.inode - b.inode || (a.name < b.name ? -1 : 1),
  )
  const { batches, batchOf } = batchesOf(union, order, offsets)
  let wanted = false
  let asked = true
  let current = 0

  const startFrom = (first: number, count: number) => {
    for (let at = first; at < Math.min(first + count, batches.length); at++) start(union, batches[at]!)
  }

  return {
    order,
    next(dentry) {
      // Whoever did not ask for the last content is looking at names: reading ahead would be for nothing
      if (!asked) wanted = false
      asked = false
      const at = batchOf.get(dentry)!
      for (; current < at; current++) batches[current]!.bytes = undefined
      if (wanted) startFrom(at, 1 + batchesAhead)
      const batch = batches[at]!
      let content: Promise<Buffer> | undefined
      return () => {
        asked = true
        wanted = true
        startFrom(Math.max(at, current), 1 + batchesAhead)
        content ??= contentOf(union, dentry, batch, offsets.get(dentry)!)
        return content
      }
    },
    end() {
      for (const batch of batches) batch.bytes = undefined
    },
  }
}

function batchesOf(union: Union, order: readonly Dentry[], offsets: ReadonlyMap<Dentry, number>) {
  const batches: Batch[] = []
  const batchOf = new Map<Dentry, number>()
  let last: Batch | undefined
  for (const file of order) {
    const from = offsets.get(file)!
    const to = from + union.tree.attributes(file).sizeBytes
    const small = to - from <= smallBytes
    const fits = last !== undefined && last.lower === file.lower
    const joins =
      small && fits && last!.single === undefined && from - last!.to <= gapBytes && to - last!.from <= batchBytes
    const sameFile = fits && last!.single?.inode === file.inode
    if (joins) last!.to = Math.max(last!.to, to)
    else if (!sameFile) {
      last = { lower: file.lower, from, to, single: small ? undefined : file, bytes: undefined }
      batches.push(last)
    }
    batchOf.set(file, batches.length - 1)
  }
  return { batches, batchOf }
}

function start(union: Union, batch: Batch): void {
  if (batch.bytes !== undefined) return
  if (batch.single !== undefined) {
    // A large content is not read ahead as a whole: it may be the size of memory
    if (batch.to - batch.from > sliceBytes) return
    batch.bytes = readAll(union, batch.single, 0)
  } else batch.bytes = readBatch(union, batch)
  // It is told to whoever asks for a content of this batch; perhaps nobody does
  batch.bytes.catch(() => undefined)
}

function readBatch(union: Union, { lower, from, to }: Batch): Promise<Buffer> {
  return union.reading(async () => {
    const into = Buffer.allocUnsafeSlow(to - from)
    let done = 0
    while (done < into.length) {
      const count = await union.lowers[lower]!.readTar(from + done, into.subarray(done))
      if (count === 0) break
      done += count
    }
    return into.subarray(0, done)
  })
}

async function contentOf(union: Union, dentry: Dentry, batch: Batch, offset: number): Promise<Buffer> {
  if (batch.single !== undefined) return (batch.bytes ??= readAll(union, batch.single, 0))
  start(union, batch)
  const bytes = await batch.bytes!
  const { sizeBytes } = union.tree.attributes(dentry)
  return Buffer.from(bytes.subarray(offset - batch.from, offset - batch.from + sizeBytes))
}
