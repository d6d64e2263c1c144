/**
 * Contents of files, read from their layer. Large ones are read in slices, several at once, straight into the buffer that the
 * caller gets: nothing holds the event loop, and no byte is copied twice.
 */
import { constants } from 'node:buffer'
import type { Tree } from '../../drivers/layer.js'
import { MiB } from '../../limits.js'
import type { Standing } from './dentry.js'
import { abortError, errnoError, nodeError } from './errno.js'
import { holding } from './holding.js'
import { S_IFMT, S_IFREG } from './mode.js'
import type { Union } from './union.js'

/** Bytes of one read of a large content: large against the cost of a call, small against the 10 ms of design 9. */
export const sliceBytes = 4 * MiB

/** Up to here a content is asked for as a whole. */
const wholeBytes = MiB

/** Slices on their way at once. More would take the cores away from this thread: with 4 it answers after 20 ms, not 5. */
const slicesInFlight = 2

/** Node's bound for readFile. */
const readFileBytes = 2 ** 31 - 1

/** Reads of what is not a file fail as the kernel's do. Nothing ever waits: fifos and devices cannot be opened. */
export function fileSize(union: Union, dentry: Standing): number {
  if (dentry.directory !== undefined) throw errnoError('EISDIR', 'read')
  return (dentry.mode & S_IFMT) === S_IFREG ? union.tree.attributes(dentry).sizeBytes : 0
}

function bytesFrom(union: Union, dentry: Standing, position: number): number {
  const size = Math.max(0, fileSize(union, dentry) - position)
  if (size > readFileBytes || size > constants.MAX_LENGTH) {
    throw nodeError('ERR_FS_FILE_TOO_LARGE', `File size (${size}) is greater than 2 GiB`, RangeError)
  }
  return size
}

/** The content from `position` to the end. */
export function readAllSync(union: Union, dentry: Standing, position: number): Buffer {
  if (position === 0 && (dentry.mode & S_IFMT) === S_IFREG) {
    const { tree, inode } = contentOf(union, dentry)
    const whole = tree.contentSync?.(inode, wholeBytes)
    if (whole !== undefined) return whole
  }
  const buffer = Buffer.allocUnsafeSlow(bytesFrom(union, dentry, position))
  return buffer.subarray(0, readSync(union, dentry, position, buffer))
}

/** Fills `into` from `position` on, as far as there is content; returns how many bytes. */
export function readSync(union: Union, dentry: Standing, position: number, into: Uint8Array): number {
  const { tree, inode } = contentOf(union, dentry)
  let done = 0
  while (done < into.length) {
    const count = tree.readSync(inode, position + done, into.subarray(done))
    if (count === 0) break
    done += count
  }
  return done
}

export async function readAll(union: Union, dentry: Standing, position: number, signal?: AbortSignal): Promise<Buffer> {
  if (signal?.aborted) throw abortError(signal)
  const buffer = Buffer.allocUnsafeSlow(bytesFrom(union, dentry, position))
  const count = await read(union, dentry, position, buffer, signal)
  return buffer.subarray(0, count)
}

/** `readSync` off the main thread. */
export function read(
  union: Union,
  dentry: Standing,
  position: number,
  into: Uint8Array,
  signal?: AbortSignal,
): Promise<number> {
  return holding(union, dentry, async () => {
    const { tree, inode } = contentOf(union, dentry)
    return readSlices(tree, inode, position, into, signal)
  })
}

/** Where the bytes of a file lie: what was copied up leaves them below until somebody writes. */
export function contentOf(union: Union, dentry: Standing): { readonly tree: Tree; readonly inode: number } {
  const below = union.nodeOf(dentry)?.lowerContent
  return below === undefined
    ? { tree: union.treeOf(dentry), inode: dentry.inode }
    : { tree: union.trees[below.lower]!, inode: below.inode }
}

async function readSlices(
  layer: Tree,
  inode: number,
  position: number,
  into: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (into.length <= sliceBytes) return readSlice(layer, inode, position, into)
  let next = 0
  let total = 0
  const lane = async () => {
    while (next < into.length) {
      if (signal?.aborted) throw abortError(signal)
      const at = next
      next += sliceBytes
      const slice = into.subarray(at, Math.min(at + sliceBytes, into.length))
      // Not `total += await`: that reads the total before the other lanes have added theirs
      const count = await readSlice(layer, inode, position + at, slice)
      total += count
    }
  }
  // Every lane ends before the first failure is told: nothing writes into the buffer, or reads the layer, after that
  const outcomes = await Promise.allSettled(Array.from({ length: slicesInFlight }, lane))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return total
}

async function readSlice(layer: Tree, inode: number, position: number, into: Uint8Array): Promise<number> {
  let done = 0
  while (done < into.length) {
    const count = await layer.read(inode, position + done, into.subarray(done))
    if (count === 0) break
    done += count
  }
  return done
}
