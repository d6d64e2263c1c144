/** Whole reads and writes at a position of an open file; every failure is STORE_IO or STORE_CORRUPT, naming the file. */
import { type BigIntStats, fstat, read, readSync, writevSync } from 'node:fs'
import { callError, type PhylloError } from '../errors.js'
import { corrupt } from './format.js'

/** The kernel takes no more buffers at once (IOV_MAX). */
const mostBuffers = 1024

/** Writes all bytes of all buffers, one behind the other. */
export function writeAllSync(fd: number, buffers: readonly Uint8Array[], position: number, label: string): void {
  let left = buffers.filter(({ length }) => length > 0)
  let at = position
  while (left.length > 0) {
    let count = ioSync('write', label, () => writevSync(fd, left.slice(0, mostBuffers), at))
    at += count
    let whole = 0
    while (whole < left.length && count >= left[whole]!.length) count -= left[whole++]!.length
    left = left.slice(whole)
    if (count > 0) left[0] = left[0]!.subarray(count)
  }
}

/** Fills `into`. A file that ends before is STORE_CORRUPT. */
export function readAllSync(fd: number, into: Uint8Array, position: number, path: string): void {
  for (let done = 0; done < into.length; ) {
    const count = ioSync('read', path, () => readSync(fd, into, done, into.length - done, position + done))
    if (count === 0) throw endsEarly(path, position + done)
    done += count
  }
}

/** The same on the thread pool. */
export function readAll(fd: number, into: Uint8Array, position: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const more = (done: number): void => {
      if (done === into.length) resolve()
      else
        read(fd, into, done, into.length - done, position + done, (cause, count) => {
          if (cause) reject(ioError('read', path, cause))
          else if (count === 0) reject(endsEarly(path, position + done))
          else more(done + count)
        })
    }
    more(0)
  })
}

export function fileBytes(fd: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fstat(fd, { bigint: true }, (cause, stats: BigIntStats) => {
      if (cause) reject(ioError('fstat', path, cause))
      else resolve(Number(stats.size))
    })
  })
}

export function ioError(operation: string, path: string, cause: unknown): PhylloError {
  return callError('STORE_IO', cause, { operation, path })
}

function ioSync<R>(operation: string, path: string, call: () => R): R {
  try {
    return call()
  } catch (cause) {
    throw ioError(operation, path, cause)
  }
}

function endsEarly(path: string, offset: number): PhylloError {
  return corrupt(path, 'the file ends too early', { offset })
}
