/** write, writev, truncate, ftruncate, fsync, fdatasync of a container. */
import fs from 'node:fs'
import { checkedByNode, impossibleFd, pathArgument } from '../union/arguments.js'
import type { OpenFile } from '../union/handles.js'
import { openedAt } from '../union/open.js'
import { truncate, write } from '../union/syscalls-files.js'
import type { Union } from '../union/union.js'
import { truncateLater, writeLater } from '../union/write-later.js'
import type { Calls, Implementation } from './forms.js'

interface Writing {
  readonly bytes: Uint8Array
  /** Where; undefined is the descriptor's own position. */
  readonly position: number | undefined
}

/** What node:fs reads of a `write` call: (buffer, offset, length, position), (buffer, options) or (text, position, encoding). */
export function writeArguments(args: readonly unknown[]): Writing {
  const [data] = args
  if (ArrayBuffer.isView(data)) return ofBuffer(data as NodeJS.ArrayBufferView, args)
  const [text, position, encoding] = args
  if (typeof text !== 'string' || (encoding !== undefined && encoding !== null && encoding !== 'utf8')) check(args)
  return {
    // An unknown encoding is none, to this function alone
    bytes: Buffer.from(text as string, Buffer.isEncoding(encoding as string) ? (encoding as BufferEncoding) : 'utf8'),
    position: writePosition(position),
  }
}

function ofBuffer(data: NodeJS.ArrayBufferView, args: readonly unknown[]): Writing {
  let [, offset, length, position] = args
  if (typeof offset === 'object' && offset !== null)
    ({ offset, length, position } = offset as Record<'offset' | 'length' | 'position', unknown>)
  const start = offset ?? 0
  const rest = data.byteLength - Number(start)
  const count = typeof length === 'number' ? length : rest
  const whole = Number.isInteger(start) && Number.isInteger(count)
  if (!whole || (start as number) < 0 || rest < 0 || count < 0 || count > rest) check(args)
  const bytes = new Uint8Array(data.buffer, data.byteOffset + Number(start), count)
  return { bytes, position: writePosition(position) }
}

function check(args: readonly unknown[]): void {
  checkedByNode(() => (fs.writeSync as (fd: number, ...rest: unknown[]) => number)(impossibleFd, ...args))
}

/** Whatever is no position means the descriptor's own. */
function writePosition(position: unknown): number | undefined {
  return Number.isSafeInteger(position) && (position as number) >= 0 ? (position as number) : undefined
}

function writeNow(union: Union): Implementation {
  return (fd, ...rest) => {
    const { bytes, position } = writeArguments(rest)
    return write(union, union.handles.get(fd, 'write'), bytes, position)
  }
}

/** Gives `{ bytesWritten, buffer }`, as promisify(fs.write) and FileHandle.write do. */
export function writeCallLater(union: Union): Implementation {
  return async (fd, ...rest) => {
    const { bytes, position } = writeArguments(rest)
    const bytesWritten = await writeLater(union, union.handles.get(fd, 'write'), bytes, position)
    return { bytesWritten, buffer: rest[0] }
  }
}

/** All buffers as one: nothing of another write comes between them. */
function vector(buffers: unknown): Uint8Array {
  if (!Array.isArray(buffers) || !buffers.every(ArrayBuffer.isView)) {
    checkedByNode(() => fs.writevSync(impossibleFd, buffers as never))
  }
  const views = buffers as NodeJS.ArrayBufferView[]
  return Buffer.concat(views.map(view => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)))
}

function writevNow(union: Union): Implementation {
  return (fd, buffers, position) => {
    const bytes = vector(buffers)
    return write(union, union.handles.get(fd, 'write'), bytes, writePosition(position))
  }
}

export function writevLater(union: Union): Implementation {
  return async (fd, buffers, position) => {
    const bytes = vector(buffers)
    const bytesWritten = await writeLater(union, union.handles.get(fd, 'write'), bytes, writePosition(position))
    return { bytesWritten, buffers }
  }
}

/** Below 0 is 0. */
function lengthArgument(length: unknown): number {
  if (length === undefined || length === null || typeof length === 'function') return 0
  if (!Number.isSafeInteger(length)) checkedByNode(() => fs.ftruncateSync(impossibleFd, length as number))
  return Math.max(0, length as number)
}

type Truncate = (union: Union, file: OpenFile, sizeBytes: number) => unknown

function ftruncate(union: Union, run: Truncate): Implementation {
  return (fd, length) => {
    const sizeBytes = lengthArgument(length)
    return run(union, union.handles.get(fd, 'ftruncate'), sizeBytes)
  }
}

function truncatePath(union: Union, run: Truncate): Implementation {
  return (path, length) => {
    if (typeof path === 'number') return ftruncate(union, run)(path, length)
    const argument = pathArgument(path)
    const sizeBytes = lengthArgument(length)
    const flags = fs.constants.O_RDWR
    return run(union, { dentry: openedAt(union, argument, flags), path: argument.text, flags, position: 0 }, sizeBytes)
  }
}

function fsync(union: Union, syscall: string): Implementation {
  return fd => {
    union.handles.get(fd, syscall)
    union.upper!.syncNow?.()
  }
}

function fsyncLater(union: Union, syscall: string): Implementation {
  return fd => {
    union.handles.get(fd, syscall)
    return union.reading(() => union.upper!.sync())
  }
}

export function writeCalls(union: Union): Calls {
  return {
    write: { sync: writeNow(union), later: writeCallLater(union) },
    writev: { sync: writevNow(union), later: writevLater(union) },
    truncate: { sync: truncatePath(union, truncate), later: truncatePath(union, truncateLater) },
    ftruncate: { sync: ftruncate(union, truncate), later: ftruncate(union, truncateLater) },
    fsync: { sync: fsync(union, 'fsync'), later: fsyncLater(union, 'fsync') },
    fdatasync: { sync: fsync(union, 'fdatasync'), later: fsyncLater(union, 'fdatasync') },
  }
}
