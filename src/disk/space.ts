/**
 * Room on a file system for what is about to be written to it, and a reserve that it leaves free: so that the disk is not full to
 * the last byte, for nobody.
 *
 * Invariants:
 * - What fits is never refused: admission counts what is needed at least, and nothing where a file system might need less.
 * - What does not fit is refused before a byte is written, with DISK_FULL; what turns out not to fit, by its own bytes or those of
 *   others, is stopped when it comes to the reserve. Where the system says so first, it is that error: STORE_IO with ENOSPC or EDQUOT.
 * - Looking costs one statfs, and the more often the less room there is; never one for each file.
 */
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { PhylloError } from '../errors.js'
import { KiB, type Limits, MiB } from '../limits.js'
import type { OperationContext } from '../operation.js'
import type { FileSystemStatus, Io } from './io.js'

/** An operation that writes. */
export interface WritingContext extends OperationContext {
  /** From now on bytes are written: `signal` is aborted when the disk comes to the reserve. Idempotent. */
  watch(): void
  /**
   * Refuses if so many bytes do not fit, counted with those that were written since it is watched; else watches.
   *
   * @throws DISK_FULL
   */
  admit(leastBytes: number): Promise<void>
  /** Whether it would admit them: for whoever can tell more exactly how many they are, at a price. */
  fits(leastBytes: number): Promise<boolean>
}

export interface SpaceParts {
  readonly io: Pick<Io, 'statfs'>
  /** Anything on the file system. */
  readonly path: string
  readonly limits: Pick<Limits, 'reserveBytes' | 'reservePercent'>
  /** Whether every file of an image becomes a file here. */
  readonly countsInodes: boolean
}

/** No disk takes bytes faster, per millisecond: the reserve cannot be reached before the next look. */
const fastestBytes = 4 * MiB
const shortestPauseMs = 2
const longestPauseMs = 250
/** A file system has an inode for about so many bytes, and as many are left free as go with the reserve. */
const inodeBytes = 16 * KiB

/** File systems that may keep bytes in fewer blocks than they fill: btrfs, zfs, f2fs, bcachefs, ntfs; 0: nobody knows. */
const shrinking: ReadonlySet<number> = new Set([
  0x9123683e, 0x2fc12fc1, 0xf2f52010, 0xca451a4e, 0x5346544e, 0x7366746e, 0,
])

interface Room {
  /** Before the reserve is reached; less than 0 beyond. */
  readonly leftBytes: number
  readonly leftInodes: number
  readonly free: number
  readonly reserve: number
  readonly shrinks: boolean
}

interface Watching {
  readonly first: Promise<Room | undefined>
  /** Never rejects. */
  readonly end: Promise<void>
}

export class Space {
  readonly #parts: SpaceParts

  constructor(parts: SpaceParts) {
    this.#parts = parts
  }

  /** Runs an operation that is stopped when the disk comes to the reserve: then DISK_FULL is what it fails with. */
  async watched<T>(op: OperationContext, work: (op: WritingContext) => Promise<T>): Promise<T> {
    const [stop, ended] = [new AbortController(), new AbortController()]
    setMaxListeners(0, stop.signal)
    const abort = () => stop.abort(op.signal.reason)
    op.signal.addEventListener('abort', abort, { once: true })
    if (op.signal.aborted) abort()
    let full: PhylloError | undefined
    let watching: Watching | undefined
    const onFull = (error: PhylloError) => {
      full = error
      // Not the error itself, lest everybody on the way adds to it where he was.
      stop.abort(new Error('no room on the disk', { cause: error }))
    }
    const watch = () => (watching ??= this.#watch(onFull, ended.signal))
    const refusal = async (leastBytes: number) => {
      const before = await watching?.first
      return this.#refusal(leastBytes, [before, await this.#look()])
    }
    const admit = async (leastBytes: number) => {
      const error = await refusal(leastBytes)
      if (error !== undefined) throw error
      watch()
    }
    const fits = async (leastBytes: number) => (await refusal(leastBytes)) === undefined
    try {
      return await work({ ...op, signal: stop.signal, watch: () => void watch(), admit, fits })
    } catch (error) {
      throw full ?? error
    } finally {
      op.signal.removeEventListener('abort', abort)
      ended.abort()
      await watching?.end
    }
  }

  /** `rooms`: before anything was written, and now. */
  #refusal(leastBytes: number, rooms: readonly (Room | undefined)[]): PhylloError | undefined {
    const known = rooms.filter(room => room !== undefined)
    const room = known.sort((a, b) => a.leftBytes - b.leftBytes).at(-1)
    if (room === undefined) return undefined
    const needed = room.shrinks ? 0 : leastBytes
    return room.leftBytes < needed || room.leftInodes < 0 ? this.#fullError(room, needed) : undefined
  }

  #watch(onFull: (error: PhylloError) => void, ended: AbortSignal): Watching {
    const first = this.#look()
    return { first, end: first.then(room => this.#lookAgain(room, onFull, ended)) }
  }

  /** Ends with the first look that finds no room, or when it is told to. */
  async #lookAgain(first: Room | undefined, onFull: (error: PhylloError) => void, ended: AbortSignal): Promise<void> {
    for (let room = first; room !== undefined && room.reserve > 0 && !ended.aborted; room = await this.#look()) {
      if (room.leftBytes < 0 || room.leftInodes < 0) return onFull(this.#fullError(room, undefined))
      const pauseMs = Math.min(Math.max(room.leftBytes / fastestBytes, shortestPauseMs), longestPauseMs)
      await sleep(pauseMs, undefined, { signal: ended }).catch(() => undefined)
    }
  }

  /** Undefined where nobody knows. */
  async #look(): Promise<Room | undefined> {
    const { io, path, limits, countsInodes } = this.#parts
    const status = await io.statfs(path).catch(() => undefined)
    if (status === undefined || status.totalBytes === 0) return undefined
    const reserve = reserveOf(status, limits)
    const inodes = countsInodes && status.totalInodes > 0
    const keptInodes = Math.min(
      Math.floor((status.totalInodes * limits.reservePercent) / 100),
      Math.ceil(reserve / inodeBytes),
    )
    return {
      leftBytes: status.freeBytes - reserve,
      leftInodes: inodes ? status.freeInodes - keptInodes : Number.POSITIVE_INFINITY,
      free: status.freeBytes,
      reserve,
      shrinks: shrinking.has(status.type),
    }
  }

  #fullError({ leftInodes, free, reserve }: Room, needed: number | undefined): PhylloError {
    const { path } = this.#parts
    const wanted = needed ? `at least ${needed} bytes are needed, and ` : ''
    const reason =
      leftInodes < 0
        ? 'too few inodes are left'
        : `${wanted}${free} bytes are free, of which ${reserve} are to stay free`
    const facts = { path, free, reserve, ...(needed !== undefined && { needed }) }
    return new PhylloError('DISK_FULL', `${path}: no room on the disk: ${reason}`, facts)
  }
}

function reserveOf({ totalBytes }: FileSystemStatus, { reserveBytes, reservePercent }: SpaceParts['limits']): number {
  return Math.min(reserveBytes, Math.floor((totalBytes * reservePercent) / 100))
}
