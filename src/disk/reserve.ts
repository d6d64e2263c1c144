/**
 * The reserve: files of the store that nobody needs, for the day on which the disk is full. To take away needs room, too: a
 * directory grows, a list of names is written anew, a lock is a file. So these files go then, the call is made again, and once
 * there is room they are made again.
 *
 * Invariants:
 * - Their blocks are really allocated: bytes that no file system leaves out or makes smaller. Each has an inode of its own.
 * - Only calls of work that frees room, or holds some for a moment, take from it (`Reserve.io`). What adds to the store does not.
 * - Nothing depends on it: what of it cannot be made is made later. It is not synced; what a power cut takes of it, the next
 *   opening makes again.
 */
import { randomBytes } from 'node:crypto'
import { together } from '../endings.js'
import { PhylloError } from '../errors.js'
import { KiB } from '../limits.js'
import { failedWith, type Io, ifThere, lacksRoom } from './io.js'
import type { StorePaths } from './paths.js'

/**
 * 1 MiB in all. What removing takes at once: the list of names (200 bytes a name), some blocks of directories, a few small files.
 * A file is given to whoever needs it and may not come back while the disk stays full, hence several.
 */
export const reserveFiles = 8
export const reserveFileBytes = 128 * KiB

/** Somebody else may take what was given up before we can, or make it again. */
const mostTries = 3

export class Reserve {
  /** The same calls; one that finds no room takes what the reserve holds, and is made again. */
  readonly io: Io
  readonly #io: Io
  readonly #paths: StorePaths
  #giving: Promise<void> | undefined
  /** Some of it is missing. */
  #lacking = false
  #filling: Promise<void> | undefined

  constructor(io: Io, paths: StorePaths) {
    this.#io = io
    this.#paths = paths
    this.io = this.#freeing()
  }

  /** Runs work that can be run again after a failure. */
  async withRoom<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await work()
      } catch (error) {
        if (!lacksRoom(error) || tries === mostTries) throw error
        // Also if there is nothing to give: somebody else may just have done so.
        await (this.#giving ??= this.#giveUp().finally(() => {
          this.#giving = undefined
        }))
      }
    }
  }

  /** Makes what of it is not there, as far as there is room. */
  fill(): Promise<void> {
    return this.#fillWith(0)
  }

  /** Makes again what this process has given up, unless there is hardly more room than that. */
  refill(): Promise<void> {
    if (!this.#lacking) return Promise.resolve()
    return (this.#filling ??= this.#fillWith(2 * reserveFiles * reserveFileBytes).finally(() => {
      this.#filling = undefined
    }))
  }

  /** The same at the end, when nobody needs the room any more. */
  async end(): Promise<void> {
    await this.#filling
    if (this.#lacking) await this.fill()
  }

  async #fillWith(leastFreeBytes: number): Promise<void> {
    try {
      if (leastFreeBytes > 0 && (await this.#io.statfs(this.#paths.root)).freeBytes < leastFreeBytes) return
      const missing = await this.#missing()
      const bytes = missing.length === 0 ? undefined : randomBytes(reserveFileBytes)
      const made = await together(missing.map(path => this.#make(path, bytes!)))
      this.#lacking = made.includes(false)
    } catch (error) {
      if (!(error instanceof PhylloError && error.code === 'STORE_IO')) throw error
      this.#lacking = true
    }
  }

  /** Paths of those that are not there, or not whole. */
  async #missing(): Promise<string[]> {
    const directory = this.#paths.reserve
    const names = await ifThere(this.#io.readdir(directory))
    if (names === undefined) await this.#io.mkdir(directory, 0o700)
    const missing: string[] = []
    const look = async (path: string, isThere: boolean) => {
      const status = isThere ? await ifThere(this.#io.status(path)) : undefined
      if (status !== undefined && status.sizeBytes >= reserveFileBytes) return
      missing.push(path)
      if (status !== undefined) await ifThere(this.#io.unlink(path))
    }
    const all = Array.from({ length: reserveFiles }, (_, at) => String(at))
    await together(all.map(name => look(this.#paths.below(directory, name), names?.includes(name) === true)))
    return missing
  }

  /** False: there is no room for it. Whoever else makes it makes the same. */
  async #make(path: string, bytes: Uint8Array): Promise<boolean> {
    try {
      await this.#io.writeNew(path, bytes, 0o600, false)
      return true
    } catch (error) {
      if (failedWith(error, 'EEXIST')) return true
      await this.#io.unlink(path).catch(() => undefined)
      return false
    }
  }

  async #giveUp(): Promise<void> {
    const directory = this.#paths.reserve
    try {
      const names = (await ifThere(this.#io.readdir(directory))) ?? []
      if (names.length === 0) return
      this.#lacking = true
      await together(names.map(name => ifThere(this.#io.unlink(this.#paths.below(directory, name)))))
      // A file system with a journal gives blocks away again once it is written.
      await this.#io.sync(directory)
    } catch (error) {
      // What counts is why room was wanted.
      if (!(error instanceof PhylloError)) throw error
    }
  }

  #freeing(): Io {
    const io = this.#io
    const roomy = <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) => {
      return (...args: A): Promise<R> => this.withRoom(() => call(...args))
    }
    const writeWhole: Io['writeNew'] = async (path, ...rest) => {
      try {
        await io.writeNew(path, ...rest)
      } catch (error) {
        // Half of it would be in the way of the next try.
        if (lacksRoom(error)) await io.unlink(path).catch(() => undefined)
        throw error
      }
    }
    const deleteTree: Io['deleteTree'] = async (path, stopped) => {
      await this.withRoom(() => io.deleteTree(path, stopped))
      await this.refill()
    }
    return {
      ...io,
      mkdir: roomy(io.mkdir),
      link: roomy(io.link),
      symlink: roomy(io.symlink),
      rename: roomy(io.rename),
      unlink: roomy(io.unlink),
      openLock: roomy(io.openLock),
      writeNew: roomy(writeWhole),
      deleteTree,
    }
  }
}
