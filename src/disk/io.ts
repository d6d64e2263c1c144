/**
 * The system calls that a store makes, as one value: everything that main does to a store goes through it, so that a
 * test can stop between any two of them.
 *
 * Invariants:
 * - A call that fails throws STORE_IO with `operation`, `path`, `errno` and `cause`.
 * - Modes come out as they are asked for, whatever the umask is.
 */
import { randomBytes } from 'node:crypto'
import {
  constants,
  close as fsClose,
  fstat as fsFstat,
  open as fsOpen,
  read as fsRead,
  readSync as fsReadSync,
  openSync,
} from 'node:fs'
import * as fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { callError, isErrno, PhylloError } from '../errors.js'
import { KiB } from '../limits.js'
import { deleteTree } from './delete-tree.js'
import { closeRead } from './descriptors.js'

export interface FileStatus {
  readonly type: 'file' | 'directory' | 'other'
  readonly sizeBytes: number
  /** Whole and fractional milliseconds since 1970. */
  readonly mtimeMs: number
}

/** Of the file system that something stands on. */
export interface FileSystemStatus {
  readonly totalBytes: number
  /** As much as this user can still write. */
  readonly freeBytes: number
  /** 0 where there is no number of them. */
  readonly totalInodes: number
  readonly freeInodes: number
  /** f_type of statfs(2): which file system it is. */
  readonly type: number
}

export interface Io {
  mkdir(path: string, mode: number): Promise<void>
  /** With all its parents, modes by the umask: for directories that are the user's and not the store's. */
  mkdirAll(path: string): Promise<void>
  /** Names in no order. */
  readdir(path: string): Promise<string[]>
  /** A file of more than `maxBytes` is STORE_CORRUPT: metadata is small. */
  readFile(path: string, maxBytes: number): Promise<Buffer>
  /**
   * Some small files at once, undefined for each that is not there. Synchronous, which costs a fifth: some hundred files are some
   * milliseconds, and the event loop has a turn afterwards.
   */
  readFiles(paths: readonly string[], maxBytes: number): Promise<(Buffer | undefined)[]>
  /** Creates the file; EEXIST if there is one. With `sync` its bytes are on the disk afterwards. */
  writeNew(path: string, bytes: Uint8Array | string, mode: number, sync: boolean): Promise<void>
  status(path: string): Promise<FileStatus>
  statfs(path: string): Promise<FileSystemStatus>
  chmod(path: string, mode: number): Promise<void>
  link(from: string, to: string): Promise<void>
  /** EEXIST if something stands there. `target` is what the symlink says. */
  symlink(target: string, path: string): Promise<void>
  /** What a symlink says. */
  readlink(path: string): Promise<string>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** fsync of a file or a directory. Never tried twice: after a failure the kernel may have forgotten the bytes. */
  sync(path: string): Promise<void>
  /** Descriptor of a file to lock, created 0600 if it is not there. Not a FileHandle: a collected handle would drop its lock. */
  openLock(path: string): Promise<number>
  /** The same, of a file that must exist. */
  openExisting(path: string): Promise<number>
  close(fd: number): Promise<void>
  /** Whether the open file is what stands at the path now. */
  isAt(fd: number, path: string): Promise<boolean>
  /** Deletes whatever stands there in the trash, of any shape; not an error when nothing does. See delete-tree.ts. */
  deleteTree(path: string, stopped?: () => boolean): Promise<void>
  /** A new name that nobody else has: 32 hex digits. */
  randomName(): string
  /** Milliseconds. */
  sleep(ms: number): Promise<void>
}

/** Whether a call on the store failed with one of these errnos. */
export function failedWith(error: unknown, ...errnos: string[]): error is PhylloError {
  return error instanceof PhylloError && error.code === 'STORE_IO' && errnos.includes(error.errno as string)
}

/** Whether it failed for want of blocks, inodes or quota, as the system says, or before that. */
export function lacksRoom(error: unknown): boolean {
  if (!(error instanceof PhylloError)) return false
  const { code, errno, cause } = error
  return code === 'DISK_FULL' || ['ENOSPC', 'EDQUOT'].includes(errno as string) || isErrno(cause, 'ENOSPC', 'EDQUOT')
}

/** The result, or undefined when the file or directory is not there. */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Whether link failed because the file system has no hard links. */
export function isLinkless(error: unknown): boolean {
  return failedWith(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')
}

export async function storeIoError(operation: string, path: string, cause: unknown): Promise<PhylloError> {
  const reason = isErrno(cause, 'ENOSPC') ? { reason: await whatIsFull(path) } : undefined
  return callError('STORE_IO', cause, { operation, path, said: `${operation} ${path}`, ...reason })
}

/** ENOSPC means bytes or inodes, and what helps is not the same. */
async function whatIsFull(path: string): Promise<string> {
  const free = await fs.statfs(dirname(path)).catch(() => undefined)
  const inodes = free !== undefined && free.files > 0 && free.ffree === 0
  return inodes ? 'no inodes left on the device (ENOSPC)' : 'no space left on the device (ENOSPC)'
}

async function call<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw await storeIoError(operation, path, cause)
  }
}

const openFd = promisify(fsOpen)
const closeFd = promisify(fsClose)
const fstatFd = promisify(fsFstat)
const readFd = promisify(fsRead)

/** A file that may be longer is asked for its size before there is memory for it. */
const readUnasked = 4 * KiB
/** A longer one of several files is read by itself. */
const scratchBytes = 64 * KiB

/** By descriptors: an image has dozens of small files, and a FileHandle for each costs more than reading it. */
async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  const fd = await openFd(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0)
  try {
    const sizeBytes = maxBytes <= readUnasked ? maxBytes : Math.max((await fstatFd(fd)).size, 0)
    const into = Buffer.allocUnsafe(Math.min(maxBytes, sizeBytes) + 1)
    let length = 0
    for (let got = -1; got !== 0 && length < into.length; length += got) {
      got = (await readFd(fd, into, length, into.length - length, length)).bytesRead
    }
    if (length <= maxBytes) return into.subarray(0, length)
    throw new PhylloError('STORE_CORRUPT', `${path}: more than ${maxBytes} bytes`, { path })
  } finally {
    await closeFd(fd)
  }
}

async function readFiles(paths: readonly string[], maxBytes: number): Promise<(Buffer | undefined)[]> {
  const scratch = Buffer.allocUnsafe(Math.min(maxBytes, scratchBytes) + 1)
  const read: (Buffer | undefined)[] = []
  for (const path of paths) {
    try {
      read.push(readSync(path, scratch) ?? (await readBounded(path, maxBytes)))
    } catch (cause) {
      if (!isErrno(cause, 'ENOENT')) throw await storeIoError('read', path, cause)
      read.push(undefined)
    }
  }
  await new Promise(setImmediate)
  return read
}

/** Undefined for what does not fit into the scratch buffer. One read: the kernel gives all of a small file that is there (read(2)). */
function readSync(path: string, scratch: Buffer): Buffer | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const length = fsReadSync(fd, scratch, 0, scratch.length, 0)
    return length < scratch.length ? Buffer.from(scratch.subarray(0, length)) : undefined
  } finally {
    closeRead(fd)
  }
}

async function writeNew(path: string, bytes: Uint8Array | string, mode: number, sync: boolean): Promise<void> {
  const file = await fs.open(path, 'wx', mode)
  try {
    await file.writeFile(bytes)
    await file.chmod(mode)
    if (sync) await file.sync()
  } finally {
    await file.close()
  }
}

/** fsync of a file or a directory. */
export async function syncPath(path: string): Promise<void> {
  const file = await fs.open(path, 'r')
  try {
    await file.sync()
  } catch (error) {
    // Some file systems refuse to sync a directory, and there is nothing else to ask them for.
    if (!isErrno(error, 'EINVAL') || !(await file.stat()).isDirectory()) throw error
  } finally {
    await file.close()
  }
}

async function makeDirectory(path: string, mode: number): Promise<void> {
  await fs.mkdir(path, { mode })
  await fs.chmod(path, mode)
}

async function statusOf(path: string): Promise<FileStatus> {
  const stats = await fs.lstat(path)
  const type = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other'
  return { type, sizeBytes: stats.size, mtimeMs: stats.mtimeMs }
}

async function isAt(fd: number, path: string): Promise<boolean> {
  try {
    const [open, there] = [await fstatFd(fd, { bigint: true }), await fs.lstat(path, { bigint: true })]
    return open.ino === there.ino && open.dev === there.dev
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

/** Blocks that are kept for root are root's: whether a user is one in the kernel's eyes, too, only a write tells. */
async function fileSystemStatus(path: string): Promise<FileSystemStatus> {
  const { type, bsize, blocks, bfree, bavail, files, ffree } = await fs.statfs(path)
  const free = process.geteuid?.() === 0 ? bfree : bavail
  return { totalBytes: blocks * bsize, freeBytes: free * bsize, totalInodes: files, freeInodes: ffree, type }
}

export const nodeIo: Io = {
  mkdir: (path, mode) => call('mkdir', path, () => makeDirectory(path, mode)),
  mkdirAll: path => call('mkdir', path, async () => void (await fs.mkdir(path, { recursive: true }))),
  readdir: path => call('readdir', path, () => fs.readdir(path)),
  readFile: (path, maxBytes) => call('read', path, () => readBounded(path, maxBytes)),
  readFiles,
  writeNew: (path, bytes, mode, sync) => call('write', path, () => writeNew(path, bytes, mode, sync)),
  status: path => call('lstat', path, () => statusOf(path)),
  statfs: path => call('statfs', path, () => fileSystemStatus(path)),
  chmod: (path, mode) => call('chmod', path, () => fs.chmod(path, mode)),
  link: (from, to) => call('link', to, () => fs.link(from, to)),
  symlink: (target, path) => call('symlink', path, () => fs.symlink(target, path)),
  readlink: path => call('readlink', path, () => fs.readlink(path)),
  rename: (from, to) => call('rename', to, () => fs.rename(from, to)),
  unlink: path => call('unlink', path, () => fs.unlink(path)),
  sync: path => call('fsync', path, () => syncPath(path)),
  openLock: path => call('open', path, () => openFd(path, constants.O_RDWR | constants.O_CREAT, 0o600)),
  openExisting: path => call('open', path, () => openFd(path, constants.O_RDWR, 0)),
  close: fd => call('close', `descriptor ${fd}`, () => closeFd(fd)),
  isAt: (fd, path) => call('lstat', path, () => isAt(fd, path)),
  deleteTree: (path, stopped) => call('delete', path, () => deleteTree(path, stopped)),
  randomName: () => randomBytes(16).toString('hex'),
  sleep: ms => new Promise(resolve => setTimeout(resolve, ms)),
}
