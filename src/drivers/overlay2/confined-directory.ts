/**
 * A directory of the host whose tree is read without ever leaving it: no path leads through a symlink, however the tree changes
 * meanwhile, for somebody may be at work in it (a container of a dockerd).
 *
 * Invariants:
 * - A directory is opened by openat2(2) from the top; what lies in it is looked at through that descriptor, and never followed.
 * - Nothing is written, not even times of access, but those of symlinks: the kernel knows no other way to read one.
 * - A failure is STORE_IO, or STORE_CORRUPT for what is not what it was when it was found. Both name the path.
 */

import fs from 'node:fs'
import { promisify } from 'node:util'
import { type ByteString, byteString, toBytes, toText } from '../../byte-string.js'
import { closeRead } from '../../disk/descriptors.js'
import { callError, isErrno, PhylloError } from '../../errors.js'
import {
  type CallPath,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  type SystemCalls,
} from '../../native/system-calls.js'
import type { Xattr } from '../../tar/entry.js'
import { opaqueName, opaqueValue, privatePrefix, shownName } from './private-xattrs.js'

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_NONBLOCK, O_NOATIME = 0 } = fs.constants
const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
const read = promisify(fs.read)

/** What stands in a directory. */
export interface Entry {
  readonly name: ByteString
  readonly stats: fs.BigIntStats
}

export class ConfinedDirectory {
  readonly path: string
  readonly #calls: SystemCalls
  #root: number | undefined

  /** Throws STORE_IO when the directory is not there, or is a symlink. */
  constructor(path: string, calls: SystemCalls) {
    this.path = path
    this.#calls = calls
    this.#root = this.#told('open', '' as ByteString, () => fs.openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW))
  }

  /** Idempotent. */
  close(): void {
    if (this.#root !== undefined) closeRead(this.#root)
    this.#root = undefined
  }

  rootStats(): fs.BigIntStats {
    return this.#told('fstat', '' as ByteString, () => fs.fstatSync(this.#top(), { bigint: true }))
  }

  /**
   * Everything in a directory, by its path below the top (the top: nothing). What is gone before it was looked at is left out.
   * `look` may ask for more of each entry, by the path that it is given, which holds for that long.
   */
  list(directory: ByteString, look: (entry: Entry, at: CallPath) => void): void {
    this.#within(directory, fd => {
      for (let entries = this.#calls.getdents64(fd); entries !== undefined; entries = this.#calls.getdents64(fd))
        for (const { name } of entries) {
          const at = entryPath(fd, name)
          const stats = fs.lstatSync(at, { bigint: true, throwIfNoEntry: false })
          if (stats !== undefined) look({ name, stats }, at)
        }
    })
  }

  /** Of the directory at `at`, from `list`. */
  isOpaque(at: CallPath): boolean {
    return this.#calls.lgetxattr(at, opaqueName)?.equals(opaqueValue) ?? false
  }

  /** Names of the notes of overlayfs on what is at `at`, from `list`. */
  notes(at: CallPath): ByteString[] {
    return this.#calls.llistxattr(at).filter(name => name.startsWith(privatePrefix))
  }

  /** Of the entry of that name; of the top without one. Those of overlayfs are left out. In order of their names. */
  xattrs(directory: ByteString, name: ByteString | undefined): Xattr[] {
    return this.#within(directory, fd =>
      this.xattrsAt(name === undefined ? `/proc/self/fd/${fd}/.` : entryPath(fd, name)),
    )
  }

  xattrsAt(at: CallPath): Xattr[] {
    const xattrs: Xattr[] = []
    for (const stored of this.#calls.llistxattr(at)) {
      const name = shownName(stored)
      const value = name === undefined ? undefined : this.#calls.lgetxattr(at, stored)
      if (name !== undefined && value !== undefined) xattrs.push({ name, value })
    }
    return xattrs.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  readlink(directory: ByteString, name: ByteString): ByteString {
    return this.#within(directory, fd => readlinkAt(entryPath(fd, name)), name)
  }

  /** Reads content of a file; answers how many bytes, 0 only at its end. */
  readSync(file: ByteString, position: number, into: Uint8Array): number {
    const fd = this.#openFile(file)
    try {
      return this.#told('read', file, () => fillSync(fd, position, into))
    } finally {
      closeRead(fd, this.#calls.close)
    }
  }

  /** The whole content of a file of no more than `most` bytes. */
  contentSync(file: ByteString, most: number): Buffer | undefined {
    const fd = this.#openFile(file)
    try {
      return this.#told('read', file, () => {
        const { size } = fs.fstatSync(fd)
        if (size > most) return undefined
        const bytes = Buffer.allocUnsafeSlow(size)
        return bytes.subarray(0, fillSync(fd, 0, bytes))
      })
    } finally {
      closeRead(fd, this.#calls.close)
    }
  }

  /** `readSync` off the main thread: one read, which may be of less than is asked for. */
  async read(file: ByteString, position: number, into: Uint8Array): Promise<number> {
    if (into.length === 0) return 0
    const fd = this.#openFile(file)
    try {
      return (await read(fd, into, 0, into.length, position)).bytesRead
    } catch (cause) {
      throw this.#error('read', file, cause)
    } finally {
      closeRead(fd, this.#calls.close)
    }
  }

  /** Lends a path at which a file can be opened by anybody in this process, for as long as the work takes. */
  async withFile<T>(file: ByteString, work: (path: string) => Promise<T>): Promise<T> {
    const fd = this.#openFile(file)
    try {
      return await work(`/proc/self/fd/${fd}`)
    } finally {
      closeRead(fd, this.#calls.close)
    }
  }

  /** What stands at a path is now another thing than was found there. */
  changed(file: ByteString, cause?: unknown): PhylloError {
    const path = this.#shown(file)
    return new PhylloError('STORE_CORRUPT', `${path}: is not what it was when it was found`, { path, cause })
  }

  /** Never waits: what has become a fifo meanwhile is refused. */
  #openFile(file: ByteString): number {
    const how = { flags: O_RDONLY | O_NONBLOCK | O_NOATIME, resolve }
    const fd = this.#told('openat2', file, () => this.#calls.openat2(this.#top(), toBytes(file), how))
    try {
      if (this.#told('fstat', file, () => fs.fstatSync(fd).isFile())) return fd
      throw this.changed(file)
    } catch (error) {
      closeRead(fd, this.#calls.close)
      throw error
    }
  }

  /** `name`: of what the work is about, for errors. */
  #within<T>(directory: ByteString, work: (fd: number) => T, name?: ByteString): T {
    const subject = name === undefined ? directory : joined(directory, name)
    return this.#told('read', subject, () => {
      const path = directory === '' ? '.' : toBytes(directory)
      const how = { flags: O_RDONLY | O_DIRECTORY | O_NOATIME, resolve }
      const fd = this.#calls.openat2(this.#top(), path, how)
      try {
        return work(fd)
      } finally {
        closeRead(fd, this.#calls.close)
      }
    })
  }

  #top(): number {
    if (this.#root !== undefined) return this.#root
    throw new PhylloError('STORE_CLOSED', `${this.path} was closed`, { path: this.path })
  }

  #told<T>(operation: string, file: ByteString, call: () => T): T {
    try {
      return call()
    } catch (cause) {
      throw this.#error(operation, file, cause)
    }
  }

  #error(operation: string, file: ByteString, cause: unknown): unknown {
    if (cause instanceof PhylloError || !(cause instanceof Error) || !('code' in cause)) return cause
    if (file !== '' && isErrno(cause, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV', 'EINVAL')) return this.changed(file, cause)
    const path = this.#shown(file)
    return callError('STORE_IO', cause, { operation, path, said: path })
  }

  #shown(file: ByteString): string {
    return file === '' ? this.path : `${this.path}/${toText(file)}`
  }
}

export function joined(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : (`${directory}/${name}` as ByteString)
}

/** The target of the symlink at `at`. */
export function readlinkAt(at: CallPath): ByteString {
  return byteString(fs.readlinkSync(at, { encoding: 'buffer' }))
}

function entryPath(fd: number, name: ByteString): Buffer {
  return toBytes(`/proc/self/fd/${fd}/${name}` as ByteString)
}

function fillSync(fd: number, position: number, into: Uint8Array): number {
  let done = 0
  while (done < into.length) {
    const count = fs.readSync(fd, into, done, into.length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}
