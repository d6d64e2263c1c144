/**
 * Bytes of a range of a file, in chunks, for jobs. Follows a file that is still growing.
 *
 * Reads are synchronous: about twice as fast as promises, and a job has its thread to itself. A yielded chunk belongs to
 * the consumer until it asks for the next one; there is one buffer.
 */

import { constants, fstatSync, openSync, readSync } from 'node:fs'
import { callError, PhylloError, told } from '../errors.js'
import { chunkBytes } from '../limits.js'
import type { ByteRange } from '../pool/jobs.js'
import { closeRead } from './descriptors.js'

/** How long to sleep at most before looking at a growing file again, should a notification be missed. */
const growthPollMs = 50

/** With a size of Infinity all that there is, to the end of the file or of its growth. */
export async function* readRange(
  { path, offset, sizeBytes, growing }: ByteRange,
  label: string,
): AsyncGenerator<Buffer> {
  const fd = openInput(path, label)
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, Math.max(sizeBytes, 1)))
    let done = 0
    while (done < sizeBytes) {
      const wanted = Math.min(buffer.length, sizeBytes - done)
      const there = growing === undefined ? wanted : await bytesThere(growing, offset + done, wanted, label)
      const read = readInput(fd, buffer, there, { path, label, position: offset + done })
      if (read === 0 && sizeBytes === Number.POSITIVE_INFINITY) return
      if (read === 0)
        throw new PhylloError('SIZE_MISMATCH', `${label}: ends after ${done} of ${sizeBytes} bytes`, {
          path,
          offset: offset + done,
        })
      done += read
      yield read === buffer.length ? buffer : buffer.subarray(0, read)
    }
  } finally {
    closeRead(fd)
  }
}

interface Place {
  readonly path: string
  /** For messages. */
  readonly label: string
  readonly position: number
}

/** Opens without following a link (paths of inputs are real paths by now) and without waiting on a fifo; anything but a regular file is refused. */
function openInput(path: string, label: string): number {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    if (isFile(fd)) return fd
    closeRead(fd)
  } catch (cause) {
    throw callError('INPUT_IO', cause, { operation: 'open', path, said: `${label}: cannot be opened` })
  }
  throw new PhylloError('INPUT_IO', `${label}: not a regular file`, { path })
}

/** What cannot be read is told with where it begins. */
function readInput(fd: number, buffer: Buffer, length: number, { path, label, position }: Place): number {
  const call = { operation: 'read', path, said: `${label}: cannot be read`, offset: position }
  return told('INPUT_IO', call, () => readSync(fd, buffer, 0, length, position))
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch (error) {
    closeRead(fd)
    throw error
  }
}

/** Waits until at least one byte past `position` is there; the answer is how many of `wanted` are: 0 at the end of all. */
export async function bytesThere(
  growing: SharedArrayBuffer,
  position: number,
  wanted: number,
  label: string,
): Promise<number> {
  const counters = new BigInt64Array(growing)
  for (;;) {
    const state = Atomics.load(counters, 1)
    const there = Atomics.load(counters, 0)
    const more = Number(there) - position
    if (more > 0) return Math.min(wanted, more)
    if (state < 0n) throw new PhylloError('INPUT_IO', `${label}: the stream it comes from failed`)
    if (state > 0n) return 0
    const wait = Atomics.waitAsync(counters, 0, there, growthPollMs)
    if (wait.async) await wait.value
  }
}
