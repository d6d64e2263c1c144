/**
 * What an upper of real directories does to the disk. `diff` is the upper directory of overlayfs; new objects are made in `work`
 * beside it and renamed into place.
 *
 * Invariants:
 * - Paths are below the container's directory, and have no symlink in them: nobody else writes here while the container is held.
 * - A call that fails throws STORE_IO with `operation`, `path`, `errno` and `cause`.
 */

import fs from 'node:fs'
import { type ByteString, byteString, toBytes } from '../../byte-string.js'
import { closeRead } from '../../disk/descriptors.js'
import { callError, isErrno } from '../../errors.js'
import { RENAME_EXCHANGE, RENAME_WHITEOUT, type SystemCalls } from '../../native/system-calls.js'
import type { Xattr } from '../../tar/entry.js'
import type { Attributes, NewNode } from '../upper.js'
import { directoryType, fileType, symlinkType, typeOf } from './entry-attributes.js'
import { opaqueName, opaqueValue, shownName, storedName } from './private-xattrs.js'

/** The upper directory. */
export const upperName = 'diff' as ByteString
/** Ours in overlayfs' work directory, where the kernel uses and clears `work` alone. */
const workName = 'work/phyllo'
const whiteoutType = 0o020000

const { O_RDWR, O_NOFOLLOW, O_CREAT, O_EXCL, COPYFILE_EXCL, COPYFILE_FICLONE, COPYFILE_FICLONE_FORCE } = fs.constants

/** Linux: the longest path that a call takes, with its zero. */
const pathBytes = 4096

export class UpperDisk {
  readonly directory: string
  readonly calls: SystemCalls
  readonly #prefix: ByteString
  #names = 0

  constructor(directory: string, calls: SystemCalls) {
    this.directory = directory
    this.calls = calls
    this.#prefix = `${byteString(Buffer.from(directory))}/` as ByteString
  }

  /** Begins with an empty place for work: nothing in there outlives its process. */
  prepare(): void {
    this.clear()
    this.#told('mkdir', workName as ByteString, path => fs.mkdirSync(path, { recursive: true, mode: 0o700 }))
  }

  clear(): void {
    this.deleteTree(workName as ByteString)
  }

  /** A place in `work` where nothing is. */
  fresh(): ByteString {
    return `${workName}/${this.#names++}` as ByteString
  }

  /** As the host has it. */
  hostPath(path: ByteString): string {
    return `${this.directory}/${path}`
  }

  fits(path: ByteString): boolean {
    return this.#prefix.length + path.length < pathBytes
  }

  /** An empty file, or anything else whole, with all its attributes but its times. A failure leaves nothing. */
  make(path: ByteString, node: NewNode): void {
    const { mode, target, deviceMajor = 0, deviceMinor = 0, xattrs = [] } = node
    const type = typeOf(mode)
    if (type === directoryType) this.makeDirectory(path)
    else if (type === fileType) this.#told('open', path, at => fs.closeSync(fs.openSync(at, O_CREAT | O_EXCL, 0o600)))
    else if (type === symlinkType) this.#told('symlink', path, at => fs.symlinkSync(toBytes(target!), at))
    else this.#told('mknod', path, at => this.calls.mknod(at, type | 0o600, deviceMajor, deviceMinor))
    try {
      this.setOwner(path, node)
      this.setMode(path, mode)
      if (xattrs.length > 0) this.setXattrs(path, xattrs)
    } catch (error) {
      this.deleteTree(path)
      throw error
    }
  }

  makeDirectory(path: ByteString): void {
    this.#told('mkdir', path, at => fs.mkdirSync(at, 0o700))
  }

  /** Takes set-id bits and capabilities away: modes and xattrs come after it. */
  setOwner(path: ByteString, { uid, gid }: Pick<Attributes, 'uid' | 'gid'>): void {
    this.#told('lchown', path, at => fs.lchownSync(at, uid, gid))
  }

  setMode(path: ByteString, mode: number): void {
    if (typeOf(mode) !== symlinkType) this.#told('chmod', path, at => fs.chmodSync(at, mode & 0o7777))
  }

  setTimes(path: ByteString, { atime, mtime }: Pick<Attributes, 'atime' | 'mtime'>): void {
    this.#told('utimensat', path, at => this.calls.utimensat(at, atime, mtime))
  }

  /** These, and no others but what overlayfs keeps. */
  setXattrs(path: ByteString, xattrs: readonly Xattr[]): void {
    this.#told('setxattr', path, at => {
      const wanted = new Set(xattrs.map(({ name }) => name))
      for (const stored of this.calls.llistxattr(at)) {
        const name = shownName(stored)
        if (name !== undefined && !wanted.has(name)) this.calls.lremovexattr(at, stored)
      }
      for (const { name, value } of xattrs) this.calls.lsetxattr(at, storedName(name), value)
    })
  }

  setOpaque(path: ByteString): void {
    this.#told('setxattr', path, at => this.calls.lsetxattr(at, opaqueName, opaqueValue))
  }

  /** What `link` of a whiteout made before could be a name of. */
  makeWhiteout(path: ByteString): void {
    // One inode for all, as the kernel does it: hiding a name then works on a full disk, too
    const shared = `${workName}/whiteout` as ByteString
    const tried = this.#tried(shared, at => fs.linkSync(at, this.#bytes(path)), 'ENOENT', 'EMLINK')
    if (tried) return
    this.#told('mknod', path, at => this.calls.mknod(at, whiteoutType, 0, 0))
    this.#tried(shared, at => fs.unlinkSync(at), 'ENOENT')
    this.link(path, shared)
  }

  link(from: ByteString, to: ByteString): void {
    this.#told('link', to, at => fs.linkSync(this.#bytes(from), at))
  }

  rename(from: ByteString, to: ByteString): void {
    this.#told('rename', to, at => fs.renameSync(this.#bytes(from), at))
  }

  exchange(from: ByteString, to: ByteString): void {
    this.#told('renameat2', to, at => this.calls.renameat2(this.#bytes(from), at, RENAME_EXCHANGE))
  }

  /** Renames, and leaves a whiteout. False where the file system cannot: nothing has happened then. */
  renameWhiteout(from: ByteString, to: ByteString): boolean {
    return this.#tried(to, at => this.calls.renameat2(this.#bytes(from), at, RENAME_WHITEOUT), 'EINVAL', 'ENOSYS')
  }

  unlink(path: ByteString): void {
    this.#told('unlink', path, at => fs.unlinkSync(at))
  }

  deleteTree(path: ByteString): void {
    this.#told('rm', path, at => removeAll(at))
  }

  copy(from: ByteString, to: ByteString): void {
    const mode = COPYFILE_EXCL | COPYFILE_FICLONE
    this.#told('copyfile', to, at => fs.copyFileSync(this.#bytes(from), at, mode))
  }

  /** Off the main thread, and sharing the bytes on the disk where that can be. A failure leaves nothing. */
  copyLater(from: ByteString, to: ByteString): Promise<void> {
    return this.copyIn(this.#bytes(from), to)
  }

  /** The same, of a file anywhere on the host. */
  async copyIn(from: fs.PathLike, to: ByteString): Promise<void> {
    try {
      await fs.promises.copyFile(from, this.#bytes(to), COPYFILE_EXCL | COPYFILE_FICLONE)
    } catch (cause) {
      this.deleteTree(to)
      throw this.#error('copyfile', to, cause)
    }
  }

  /** Copies by sharing the bytes on the disk. False: that cannot be. */
  reflink(from: ByteString, to: ByteString): boolean {
    const mode = COPYFILE_EXCL | COPYFILE_FICLONE_FORCE
    const cannot = ['EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL', 'EXDEV', 'ENOTTY']
    return this.#tried(to, at => fs.copyFileSync(this.#bytes(from), at, mode), ...cannot)
  }

  /** For writing; whoever opens it closes it. */
  open(path: ByteString): number {
    return this.#told('open', path, at => fs.openSync(at, O_RDWR | O_NOFOLLOW))
  }

  /** Of one that was written to. */
  close(path: ByteString, fd: number): void {
    this.#told('close', path, () => fs.closeSync(fd))
  }

  write(path: ByteString, fd: number, bytes: Uint8Array, position: number): void {
    this.#told('write', path, () => {
      for (let done = 0; done < bytes.length; )
        done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done)
    })
  }

  truncate(path: ByteString, fd: number, sizeBytes: number): void {
    this.#told('ftruncate', path, () => fs.ftruncateSync(fd, sizeBytes))
  }

  /** Everything that was written to the file system of the container is on the disk. `syncfs`: of a descriptor. */
  async sync(syncfs: (fd: number) => Promise<void>): Promise<void> {
    const fd = this.#told('open', upperName, at => fs.openSync(at, 'r'))
    try {
      await syncfs(fd)
    } catch (cause) {
      throw this.#error('syncfs', upperName, cause)
    } finally {
      closeRead(fd)
    }
  }

  /** The same, waiting for it. */
  syncNow(): void {
    const fd = this.#told('open', upperName, at => fs.openSync(at, 'r'))
    try {
      this.#told('syncfs', upperName, () => this.calls.syncfs(fd))
    } finally {
      closeRead(fd)
    }
  }

  #bytes(path: ByteString): Buffer {
    return toBytes((this.#prefix + path) as ByteString)
  }

  #told<T>(operation: string, path: ByteString, call: (at: Buffer) => T): T {
    try {
      return call(this.#bytes(path))
    } catch (cause) {
      throw this.#error(operation, path, cause)
    }
  }

  /** False if it failed with one of these. */
  #tried(path: ByteString, call: (at: Buffer) => void, ...codes: string[]): boolean {
    try {
      call(this.#bytes(path))
      return true
    } catch (cause) {
      if (isErrno(cause, ...codes)) return false
      throw this.#error('link', path, cause)
    }
  }

  #error(operation: string, at: ByteString, cause: unknown): unknown {
    if (!(cause instanceof Error) || !('code' in cause)) return cause
    return callError('STORE_IO', cause, { operation, path: this.hostPath(at) })
  }
}

/** fs.rmSync goes wrong on names that are not UTF-8 (it makes strings of them). */
function removeAll(path: Buffer): void {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isDirectory()) return void fs.unlinkSync(path)
  for (const name of fs.readdirSync(path, { encoding: 'buffer' }))
    removeAll(Buffer.concat([path, Buffer.from('/'), name]))
  fs.rmdirSync(path)
}
