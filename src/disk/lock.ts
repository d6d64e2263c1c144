/**
 * The root lock: an exclusive flock held for the moment of a read-modify-write, and the collector's lock, which is
 * held for a whole collection.
 *
 * Every call opens the file anew. A flock belongs to the open file, so this excludes other processes, other stores of
 * this process, and other calls on this store, all in the same way; no table of locks is kept anywhere.
 *
 * Invariants:
 * - Never waits inside the kernel: two stores in one process would wait for each other for ever.
 * - A process that dies lets go.
 */
import { PhylloError } from '../errors.js'
import type { Flock } from '../native/flock.js'
import { type Io, storeIoError } from './io.js'

export interface LockOptions {
  readonly io: Io
  readonly flock: Flock
  /** How long to try before STORE_BUSY, milliseconds. */
  readonly timeoutMs: number
}

const firstPauseMs = 1
const longestPauseMs = 50

/**
 * Runs `work` while holding the lock file exclusively. Not reentrant: inside of `work` the same lock is never free.
 *
 * @throws STORE_BUSY when somebody held it all the time.
 */
export async function withLockFile<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const fd = await options.io.openLock(path)
  try {
    await acquire(fd, path, options)
    return await work()
  } finally {
    // Closing the only descriptor of the open file gives the lock back.
    await letGo(options.io, fd)
  }
}

/** Nothing was written through a descriptor that locks, and it is closed even if closing fails (Linux, close(2)): what was done counts. */
export async function letGo(io: Io, fd: number): Promise<void> {
  try {
    await io.close(fd)
  } catch (error) {
    if (!(error instanceof PhylloError && error.code === 'STORE_IO')) throw error
  }
}

async function acquire(fd: number, path: string, { io, flock, timeoutMs }: LockOptions): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (let pauseMs = firstPauseMs; !(await tryLock(flock, fd, path)); pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    if (performance.now() >= deadline) {
      throw new PhylloError('STORE_BUSY', `${path} was held by somebody else for ${timeoutMs} ms`, { path, timeoutMs })
    }
    await io.sleep(pauseMs * (0.5 + Math.random()))
  }
}

export function tryLock(flock: Flock, fd: number, path: string): Promise<boolean> {
  return tried(path, () => flock.tryExclusive(fd))
}

export function tryShared(flock: Flock, fd: number, path: string): Promise<boolean> {
  return tried(path, () => flock.tryShared(fd))
}

async function tried(path: string, lock: () => Promise<boolean>): Promise<boolean> {
  try {
    return await lock()
  } catch (cause) {
    throw await storeIoError('flock', path, cause)
  }
}

/** Holds a file that is there, until the answer is called or the process dies; undefined when somebody else holds it. */
export async function tryHold(io: Io, flock: Flock, path: string): Promise<(() => Promise<void>) | undefined> {
  const fd = await io.openExisting(path)
  let released: Promise<void> | undefined
  const release = () => (released ??= letGo(io, fd))
  try {
    if (await tryLock(flock, fd, path)) return release
  } catch (error) {
    await release()
    throw error
  }
  await release()
  return undefined
}

export interface Held {
  readonly release: () => Promise<void>
  /** Somebody else had it before. */
  readonly waited: boolean
}

/**
 * The same of a file that is made if it is not there, for as long as it takes: what is held is what stands at the path. Whoever had it
 * may have taken it away meanwhile.
 */
export async function holdNew(io: Io, flock: Flock, path: string, signal: AbortSignal): Promise<Held> {
  let waited = false
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal.throwIfAborted()
    const fd = await io.openLock(path)
    let released: Promise<void> | undefined
    const release = () => (released ??= letGo(io, fd))
    try {
      const locked = await tryLock(flock, fd, path)
      if (locked && (await io.isAt(fd, path))) return { release, waited }
      waited = true
      if (!locked) await io.sleep(pauseMs * (0.5 + Math.random()))
    } catch (error) {
      await release()
      throw error
    }
    await release()
  }
}
