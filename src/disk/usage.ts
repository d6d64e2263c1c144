/**
 * How much room things take on the disk: allocated bytes, as du(1) counts them (`du -s --block-size=1`). Every inode counts once,
 * directories count, holes do not.
 *
 * Calls are synchronous, for some milliseconds at a time, as those of delete-tree.ts.
 *
 * Invariants:
 * - Nothing follows a symlink, and no name is decoded: trees come from hostile archives.
 * - What goes while it is counted is no error: others work on the same store.
 */

import fs, { type Stats } from 'node:fs'
import { setImmediate as others } from 'node:timers/promises'
import { isErrno } from '../errors.js'
import { closeRead } from './descriptors.js'
import { storeIoError } from './io.js'

/** st_blocks are of this size, whatever the file system's own are. */
const statBlockBytes = 512
/** How long everybody else in this process waits, milliseconds. */
const sliceMs = 2
/** A path of this length becomes a descriptor, so that none is ever too long for the kernel. */
const longPathBytes = 2048

interface LinkedInode {
  /** Names that it has anywhere. */
  readonly links: number
  readonly bytes: number
  /** Names that were met. */
  seen: number
}

/** What some paths take, with all that is below them. */
export interface Footprint {
  /** Of directories, and of what has one name. */
  readonly bytes: number
  /** Of what has several, by device and number. */
  readonly linked: ReadonlyMap<string, Readonly<LinkedInode>>
}

/** Measures; what several calls of one meter take of this thread is one share. */
export class RoomMeter {
  #until = performance.now() + sliceMs

  /** What these paths take that are there. @throws STORE_IO for what may not be looked at */
  async of(paths: Iterable<string>): Promise<Footprint> {
    const walk = new Walk(() => this.#pace())
    for (const path of paths) {
      try {
        await walk.add(Buffer.from(path))
      } catch (cause) {
        throw await storeIoError('stat', path, cause)
      }
    }
    return walk
  }

  /** Undefined while there is time. */
  #pace(): Promise<void> | undefined {
    return performance.now() > this.#until ? this.#rest() : undefined
  }

  async #rest(): Promise<void> {
    await others()
    this.#until = performance.now() + sliceMs
  }
}

/** What du says of these paths in one call. */
export function totalBytes({ bytes, linked }: Footprint): number {
  let total = bytes
  for (const inode of linked.values()) total += inode.bytes
  return total
}

/**
 * What the disk gets back as each of these goes, in this order, and nothing else: an inode comes back with the last of its names.
 * One that has a name elsewhere does not.
 */
export function freedBytes(footprints: Iterable<Footprint>): number[] {
  const gone = new Map<string, number>()
  return Array.from(footprints, ({ bytes, linked }) => {
    let freed = bytes
    for (const [key, inode] of linked) {
      const names = (gone.get(key) ?? 0) + inode.seen
      gone.set(key, names)
      if (names === inode.links) freed += inode.bytes
    }
    return freed
  })
}

class Walk implements Footprint {
  bytes = 0
  readonly linked = new Map<string, LinkedInode>()
  readonly #pace: () => Promise<void> | undefined

  constructor(pace: () => Promise<void> | undefined) {
    this.#pace = pace
  }

  async add(path: Buffer): Promise<void> {
    await this.#pace()
    if (this.#count(path)) await this.#addBelow(path)
  }

  /** Of a directory that is counted already. */
  async #addBelow(path: Buffer): Promise<void> {
    const open = [path]
    for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
      if (directory.length > longPathBytes) await this.#addByDescriptor(directory)
      else await this.#addEntries(directory, below => open.push(below))
    }
  }

  async #addEntries(directory: Buffer, push: (below: Buffer) => void): Promise<void> {
    for (const name of unlessGone(() => fs.readdirSync(directory, { encoding: 'buffer' })) ?? []) {
      const rest = this.#pace()
      if (rest !== undefined) await rest
      const path = Buffer.concat([directory, slash, name])
      if (this.#count(path)) push(path)
    }
  }

  async #addByDescriptor(directory: Buffer): Promise<void> {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants
    const fd = unlessGone(() => fs.openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    if (fd === undefined) return
    try {
      const open: Buffer[] = []
      await this.#addEntries(Buffer.from(`/proc/self/fd/${fd}`), below => open.push(below))
      for (const below of open) await this.#addBelow(below)
    } finally {
      closeRead(fd)
    }
  }

  /** Whether it is a directory. */
  #count(path: Buffer): boolean {
    const stats = unlessGone(() => fs.lstatSync(path))
    if (stats === undefined) return false
    const bytes = stats.blocks * statBlockBytes
    if (stats.isDirectory() || stats.nlink === 1) this.bytes += bytes
    else this.#countLinked(stats, bytes)
    return stats.isDirectory()
  }

  #countLinked({ dev, ino, nlink }: Stats, bytes: number): void {
    const key = `${dev}:${ino}`
    const known = this.linked.get(key)
    if (known === undefined) this.linked.set(key, { links: nlink, bytes, seen: 1 })
    else known.seen++
  }
}

const slash = Buffer.from('/')

function unlessGone<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
}
