/**
 * The system calls that the upper of a container makes, as one value, so that a test can fail or stop at any of them.
 *
 * Invariants:
 * - A call that fails throws STORE_IO with `operation`, `path`, `errno` and `cause`.
 * - What is small is done at once: it ends in the page cache, and order needs no thought. Only reading large contents and waiting
 *   for the disk, and sharing bytes, are promises.
 */
import fs from 'node:fs'
import { promisify } from 'node:util'
import { callError, isErrno, type PhylloError } from '../../errors.js'

/** An open file, with the path that errors name. */
export interface OpenFile {
  readonly fd: number
  readonly path: string
}

export interface UpperIo {
  /** With all its parents. */
  makeDirectory(path: string): void
  /** Names in no order. */
  readdir(path: string): string[]
  /** Bytes of the file; undefined if there is none. */
  fileBytes(path: string): number | undefined
  /** For reading and writing, `r` for reading alone; `wx+` makes it, and fails if there is one. */
  open(path: string, flags: 'r' | 'r+' | 'wx+'): OpenFile
  close(file: OpenFile): void
  /** One call each, which may do less than is asked for. */
  read(file: OpenFile, into: Uint8Array, position: number): number
  readLater(file: OpenFile, into: Uint8Array, position: number): Promise<number>
  write(file: OpenFile, bytes: Uint8Array, position: number): number
  truncate(file: OpenFile, sizeBytes: number): void
  /** Makes `to`, which shares the bytes of `from` on the disk. False: it cannot, for whatever reason, and made nothing. */
  reflink(from: string, to: string): Promise<boolean>
  reflinkSync(from: string, to: string): boolean
  rename(from: string, to: string): void
  unlink(path: string): void
  /** fsync and fdatasync: on the disk. */
  sync(file: OpenFile): Promise<void>
  syncData(file: OpenFile): Promise<void>
  syncDirectory(path: string): Promise<void>
  /** fsync of a file or directory, for callers that wait for the disk. */
  syncNow(path: string): void
}

export function upperIoError(operation: string, path: string, cause: unknown): PhylloError {
  return callError('STORE_IO', cause, { operation, path })
}

function told<R>(operation: string, path: string, call: () => R): R {
  try {
    return call()
  } catch (cause) {
    throw upperIoError(operation, path, cause)
  }
}

async function toldLater<R>(operation: string, path: string, call: Promise<R>): Promise<R> {
  try {
    return await call
  } catch (cause) {
    throw upperIoError(operation, path, cause)
  }
}

const [fsync, fdatasync, read] = [promisify(fs.fsync), promisify(fs.fdatasync), promisify(fs.read)]

const reflinkOnly = fs.constants.COPYFILE_FICLONE_FORCE | fs.constants.COPYFILE_EXCL

/** Nobody but the owner of the store looks into contents. */
const fileMode = 0o600
const directoryMode = 0o700

export const nodeUpperIo: UpperIo = {
  makeDirectory: path => told('mkdir', path, () => void fs.mkdirSync(path, { recursive: true, mode: directoryMode })),
  readdir: path => told('readdir', path, () => fs.readdirSync(path)),
  fileBytes: path => told('stat', path, () => fs.statSync(path, { throwIfNoEntry: false })?.size),
  open: (path, flags) => told('open', path, () => ({ fd: fs.openSync(path, flags, fileMode), path })),
  close: ({ fd, path }) => told('close', path, () => fs.closeSync(fd)),
  read: ({ fd, path }, into, position) => told('read', path, () => fs.readSync(fd, into, 0, into.length, position)),
  readLater: async ({ fd, path }, into, position) =>
    (await toldLater('read', path, read(fd, into, 0, into.length, position))).bytesRead,
  write: ({ fd, path }, bytes, position) =>
    told('write', path, () => fs.writeSync(fd, bytes, 0, bytes.length, position)),
  truncate: ({ fd, path }, sizeBytes) => told('ftruncate', path, () => fs.ftruncateSync(fd, sizeBytes)),
  reflink: (from, to) =>
    fs.promises.copyFile(from, to, reflinkOnly).then(
      () => true,
      () => false,
    ),
  reflinkSync(from, to) {
    try {
      fs.copyFileSync(from, to, reflinkOnly)
      return true
    } catch {
      return false
    }
  },
  rename: (from, to) => told('rename', to, () => fs.renameSync(from, to)),
  unlink: path => told('unlink', path, () => fs.unlinkSync(path)),
  sync: ({ fd, path }) => toldLater('fsync', path, fsync(fd)),
  syncData: ({ fd, path }) => toldLater('fdatasync', path, fdatasync(fd)),
  syncDirectory: path => toldLater('fsync', path, syncDirectory(path)),
  syncNow: path => told('fsync', path, () => syncNow(path)),
}

function syncNow(path: string): void {
  const fd = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(fd)
  } catch (error) {
    if (!isErrno(error, 'EINVAL')) throw error
  } finally {
    fs.closeSync(fd)
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.promises.open(path, 'r')
  try {
    await directory.sync()
  } catch (error) {
    // Some file systems refuse to sync a directory, and there is nothing else to ask them for.
    if (!isErrno(error, 'EINVAL')) throw error
  } finally {
    await directory.close()
  }
}

/** Writes all of the bytes. */
export function writeAll(io: UpperIo, file: OpenFile, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += io.write(file, done === 0 ? bytes : bytes.subarray(done), position + done)
  }
}

/** Fills `into` as far as the file goes; returns how many bytes. */
export function readAll(io: UpperIo, file: OpenFile, into: Uint8Array, position: number): number {
  let done = 0
  while (done < into.length) {
    const count = io.read(file, done === 0 ? into : into.subarray(done), position + done)
    if (count === 0) break
    done += count
  }
  return done
}
