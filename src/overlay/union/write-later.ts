/**
 * Writing that does not hold the event loop: what is small is written at once, what is large in slices with a turn of the loop
 * between two, and content that is copied for it, up or because a snapshot reads it, is copied off the main thread.
 *
 * Invariants:
 * - The place of a write is decided when it is asked for, at the end of the file when its turn comes: two writes never overlap.
 * - Nobody who can wait cuts the file off in the middle: asynchronous truncations and openings take their turn, too.
 * - A slice is written whole. After an abort, or at the bound of a container, those before it are there.
 */
import fs from 'node:fs'
import { MiB } from '../../limits.js'
import { abortError, errnoError } from './errno.js'
import type { OpenFile } from './handles.js'
import { holding } from './holding.js'
import { isKept, ownContentLater } from './own-content.js'
import { mayWrite, truncate, truncateLater as truncateSlowly, write } from './syscalls-files.js'
import type { Union } from './union.js'

/** Bytes that are written, or copied, between two turns of the event loop. */
export const writeSliceBytes = MiB

/** Writes all of the bytes; answers how many they are. */
export function writeLater(
  union: Union,
  file: OpenFile,
  bytes: Uint8Array,
  position: number | undefined,
  signal?: AbortSignal,
): Promise<number> | number {
  if (!mayWrite(file)) throw errnoError('EBADF', 'write')
  if (bytes.length <= writeSliceBytes && isQuick(union, file, placeOf(file, position)))
    return write(union, file, bytes, position)
  const at = claim(file, bytes.length, position)
  return holding(union, file.dentry, () =>
    union.turns.take(file.dentry, async () => {
      await ownContentLater(union, file.dentry, at)
      for (let done = 0; done < bytes.length; done += writeSliceBytes) {
        if (signal?.aborted) throw abortError(signal)
        const slice = bytes.subarray(done, done + writeSliceBytes)
        write(union, file, slice, at === undefined ? undefined : at + done)
        await union.pace.turn()
      }
      return bytes.length
    }),
  )
}

/** `ftruncate` off the main thread, for a file whose content may have to be copied first. */
export function truncateLater(union: Union, file: OpenFile, sizeBytes: number): Promise<void> | undefined {
  const quick = sizeBytes === 0 ? !union.turns.busy(file.dentry) : isQuick(union, file, sizeBytes)
  if (!mayWrite(file) || quick) {
    truncate(union, file, sizeBytes)
    return undefined
  }
  return holding(union, file.dentry, () => union.turns.take(file.dentry, () => truncateSlowly(union, file, sizeBytes)))
}

/** Whether a change of the content from `position` on copies little, and nobody else is at it. */
function isQuick(union: Union, { dentry }: OpenFile, position: number | undefined): boolean {
  if (union.turns.busy(dentry)) return false
  if (union.tree.attributes(dentry).sizeBytes <= writeSliceBytes) return true
  const node = union.nodeOf(dentry)
  return node !== undefined && node.lowerContent === undefined && !isKept(union, node, position)
}

/** Where it is going to be written; undefined: at the end, wherever that is by then. */
function claim(file: OpenFile, length: number, position: number | undefined): number | undefined {
  const at = placeOf(file, position)
  if (at !== undefined && position === undefined) file.position += length
  return at
}

function placeOf(file: OpenFile, position: number | undefined): number | undefined {
  return file.flags & fs.constants.O_APPEND ? undefined : (position ?? file.position)
}
