/**
 * The files of one upper by name, and their descriptors: a few are kept open.
 *
 * Invariants:
 * - A descriptor that somebody has pinned is not closed before he lets go of it, whatever happens to the file's name.
 * - `dirty` holds the names of files whose bytes may not be on the disk; `namesDirty`: a file was made since the last sync.
 */
import { inTurnNow } from '../../endings.js'
import { type OpenFile, readAll, type UpperIo, writeAll } from './upper-io.js'

/** Few enough for a process with the usual bound of 1024 and several containers. */
const mostOpen = 48

/** Bytes at once when a file is written again. */
const pieceBytes = 1 << 20

interface Entry extends OpenFile {
  pins: number
  /** Closed as soon as nobody pins it. */
  doomed: boolean
}

export class UpperFiles {
  readonly io: UpperIo
  readonly directory: string
  readonly dirty = new Set<string>()
  namesDirty = false
  /** After a failed fsync the kernel takes pages for clean that are not: their bytes have to be written again. */
  readonly #suspect = new Set<string>()
  readonly #open = new Map<string, Entry>()

  constructor(io: UpperIo, directory: string) {
    this.io = io
    this.directory = directory
  }

  path(name: string): string {
    return `${this.directory}/${name}`
  }

  /** Makes a file that is not there. */
  create(name: string): void {
    this.#keep(name, this.io.open(this.path(name), 'wx+'))
    this.#made(name)
  }

  /** Makes a file that shares the bytes of another on the disk. False where that cannot be, and then there is none. */
  reflinkSync(from: string, to: string): boolean {
    const shares = this.io.reflinkSync(this.path(from), this.path(to))
    if (shares) this.#made(to)
    return shares
  }

  async reflink(from: string, to: string): Promise<boolean> {
    const shares = await this.io.reflink(this.path(from), this.path(to))
    if (shares) this.#made(to)
    return shares
  }

  bytes(name: string): number | undefined {
    return this.io.fileBytes(this.path(name))
  }

  readSync(name: string, into: Uint8Array, position: number): number {
    return readAll(this.io, this.#opened(name), into, position)
  }

  /** Off the main thread; a file that is removed meanwhile is read to the end. */
  read(name: string, into: Uint8Array, position: number): Promise<number> {
    return this.#pinned(name, async file => {
      let done = 0
      while (done < into.length) {
        const count = await this.io.readLater(file, into.subarray(done), position + done)
        if (count === 0) break
        done += count
      }
      return done
    })
  }

  writeSync(name: string, bytes: Uint8Array, position: number): void {
    this.dirty.add(name)
    writeAll(this.io, this.#opened(name), bytes, position)
  }

  truncateSync(name: string, sizeBytes: number): void {
    this.dirty.add(name)
    this.io.truncate(this.#opened(name), sizeBytes)
  }

  /** Removes the file. One that is open elsewhere, or by a reader of ours, lives until it is closed. */
  remove(name: string): void {
    this.dirty.delete(name)
    this.#suspect.delete(name)
    const entry = this.#open.get(name)
    if (entry !== undefined) this.#drop(name, entry)
    this.io.unlink(this.path(name))
  }

  /** Bytes of all dirty files are on the disk, then their names. */
  async sync(): Promise<void> {
    const names = [...this.dirty]
    const made = this.namesDirty
    this.dirty.clear()
    this.namesDirty = false
    let done = 0
    try {
      for (const name of names) {
        await this.#syncOne(name)
        done++
      }
      if (made) await this.io.syncDirectory(this.directory)
    } catch (error) {
      this.namesDirty ||= made
      for (const name of names.slice(done)) this.dirty.add(name)
      throw error
    }
  }

  /** The same before it returns; does not make up for an fsync that has failed, that is for `sync`. */
  syncNow(): void {
    for (const name of this.dirty) if (this.bytes(name) !== undefined) this.io.syncNow(this.path(name))
    if (this.namesDirty) this.io.syncNow(this.directory)
  }

  close(): void {
    inTurnNow(
      [...this.#open].map(
        ([name, entry]) =>
          () =>
            this.#drop(name, entry),
      ),
    )
  }

  #made(name: string): void {
    this.namesDirty = true
    this.dirty.add(name)
  }

  async #syncOne(name: string): Promise<void> {
    // Removed since it was written.
    if (this.bytes(name) === undefined) return
    await this.#pinned(name, async file => {
      try {
        if (this.#suspect.has(name)) await writeAgain(this.io, file)
        await this.io.sync(file)
        this.#suspect.delete(name)
      } catch (error) {
        this.#suspect.add(name)
        throw error
      }
    })
  }

  async #pinned<T>(name: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
    const entry = this.#opened(name)
    entry.pins++
    try {
      return await use(entry)
    } finally {
      entry.pins--
      if (entry.doomed && entry.pins === 0) this.io.close(entry)
    }
  }

  #opened(name: string): Entry {
    const there = this.#open.get(name)
    return there ?? this.#keep(name, this.io.open(this.path(name), 'r+'))
  }

  #keep(name: string, file: OpenFile): Entry {
    if (this.#open.size >= mostOpen) {
      for (const [oldest, entry] of this.#open) {
        this.#drop(oldest, entry)
        break
      }
    }
    const entry = { ...file, pins: 0, doomed: false }
    this.#open.set(name, entry)
    return entry
  }

  #drop(name: string, entry: Entry): void {
    this.#open.delete(name)
    entry.doomed = true
    if (entry.pins === 0) this.io.close(entry)
  }
}

/** Nothing else changes the file between reading a piece and writing it: that happens at once. */
export async function writeAgain(io: UpperIo, file: OpenFile): Promise<void> {
  const piece = Buffer.allocUnsafeSlow(pieceBytes)
  for (let at = 0; ; ) {
    const count = readAll(io, file, piece, at)
    if (count === 0) return
    writeAll(io, file, piece.subarray(0, count), at)
    at += count
    await new Promise(setImmediate)
  }
}
