/** open, close, read, readv, readFile, openAsBlob. */
import { Blob } from 'node:buffer'
import fs from 'node:fs'
import { promisify } from 'node:util'
import {
  type AnyOptions,
  checkedByNode,
  flagsArgument,
  impossibleFd,
  type Opening,
  openingArguments,
  optionsArgument,
  type PathArgument,
  pathArgument,
  positionOf,
  type ReadArguments,
  readArguments,
} from '../union/arguments.js'
import { fileSize, read, readAll, readAllSync, readSync } from '../union/content.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError } from '../union/errno.js'
import type { OpenFile } from '../union/handles.js'
import { closeFile, inTurn, openedAt, openFile } from '../union/open.js'
import { mayRead } from '../union/syscalls-files.js'
import type { Union } from '../union/union.js'
import { type Calls, callbackForm, type Implementation } from './forms.js'

function openArguments([path, flags, mode]: readonly unknown[]): Opening {
  return openingArguments(path, typeof flags === 'function' ? undefined : flags, mode)
}

function openNow(union: Union): Implementation {
  return (...args) => {
    const { argument, flags, mode } = openArguments(args)
    return openFile(union, argument, flags, mode)
  }
}

function openLater(union: Union): Implementation {
  return (...args) => {
    const { argument, flags, mode } = openArguments(args)
    return inTurn(union, argument, flags, () => openFile(union, argument, flags, mode))
  }
}

/** Where a read begins and, in one move, how far the descriptor's own position goes: two reads at once never read the same. */
function claim(union: Union, file: OpenFile, { position, length }: { position: number | undefined; length: number }) {
  const size = fileSize(union, file.dentry)
  const from = position ?? file.position
  const count = Math.max(0, Math.min(length, size - from))
  if (position === undefined) file.position = from + count
  return { from, count }
}

/** An open file that was opened for reading. */
function readable(union: Union, fd: unknown): OpenFile {
  const file = union.handles.get(fd, 'read')
  if (!mayRead(file)) throw errnoError('EBADF', 'read')
  return file
}

function target({ buffer, offset }: Pick<ReadArguments, 'buffer' | 'offset'>, count: number): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset + offset, count)
}

function readNow(union: Union): Implementation {
  return (fd, ...rest) => {
    const args = readArguments(rest)
    const file = readable(union, fd)
    const { from, count } = claim(union, file, args)
    return readSync(union, file.dentry, from, target(args, count))
  }
}

/** Gives `{ bytesRead, buffer }`, as promisify(fs.read) and FileHandle.read do. */
export function readLater(union: Union): Implementation {
  return (fd, ...rest) => {
    const args = readArguments(rest)
    const file = readable(union, fd)
    const { from, count } = claim(union, file, args)
    const { buffer } = args
    return read(union, file.dentry, from, target(args, count)).then(bytesRead => ({ bytesRead, buffer }))
  }
}

interface Vector {
  readonly buffers: readonly NodeJS.ArrayBufferView[]
  readonly length: number
  readonly position: number | undefined
}

function vectorArgument(buffers: unknown, position: unknown): Vector {
  if (!Array.isArray(buffers) || !buffers.every(ArrayBuffer.isView)) {
    checkedByNode(() => fs.readvSync(impossibleFd, buffers as never))
  }
  const views = buffers as readonly NodeJS.ArrayBufferView[]
  return {
    buffers: views,
    length: views.reduce((sum, view) => sum + view.byteLength, 0),
    position: positionOf(position),
  }
}

/** The parts of `count` bytes that fall into each buffer. */
function parts({ buffers }: Vector, from: number, count: number): { at: number; into: Uint8Array }[] {
  const filled: { at: number; into: Uint8Array }[] = []
  let done = 0
  for (const buffer of buffers) {
    const length = Math.min(buffer.byteLength, count - done)
    if (length > 0) filled.push({ at: from + done, into: target({ buffer, offset: 0 }, length) })
    done += length
  }
  return filled
}

function readvNow(union: Union): Implementation {
  return (fd, buffers, position) => {
    const vector = vectorArgument(buffers, position)
    const file = readable(union, fd)
    const { from, count } = claim(union, file, vector)
    return parts(vector, from, count).reduce((sum, { at, into }) => sum + readSync(union, file.dentry, at, into), 0)
  }
}

export function readvLater(union: Union): Implementation {
  return (fd, buffers, position) => {
    const vector = vectorArgument(buffers, position)
    const file = readable(union, fd)
    const { from, count } = claim(union, file, vector)
    const reads = parts(vector, from, count).map(({ at, into }) => read(union, file.dentry, at, into))
    return Promise.all(reads).then(counts => ({ bytesRead: counts.reduce((a, b) => a + b, 0), buffers }))
  }
}

interface Whole {
  readonly dentry: Dentry
  readonly position: number
  /** The open file whose position moves to the end, if the caller gave a descriptor. */
  readonly file: OpenFile | undefined
  readonly options: AnyOptions
}

/** The file that readFile reads: a path is opened as for reading (or as `flag` says), a descriptor goes on where it is. */
export function wholeFile(union: Union, path: unknown, given: unknown): Whole {
  const options = optionsArgument(given, o => fs.readFileSync('', o))
  if (typeof path === 'number') {
    const file = readable(union, path)
    return { dentry: file.dentry, position: file.position, file, options }
  }
  const argument = pathArgument(path, bad => fs.openSync(bad, 'r'))
  const flags = flagsArgument(options.flag ?? 'r')
  const dentry = openedAt(union, argument, flags)
  if (!mayRead({ flags })) throw errnoError('EBADF', 'read')
  return { dentry, position: 0, file: undefined, options }
}

function decoded(buffer: Buffer, { encoding }: AnyOptions): string | Buffer {
  // `buffer` is an encoding of names alone: Node, too, says here that it does not know it
  return encoding ? buffer.toString(encoding as BufferEncoding) : buffer
}

function readFileNow(union: Union): Implementation {
  return (path, given) => {
    const { dentry, position, file, options } = wholeFile(union, path, given)
    const buffer = readAllSync(union, dentry, position)
    if (file !== undefined) file.position += buffer.length
    return decoded(buffer, options)
  }
}

export function readFileLater(union: Union): Implementation {
  return (path, given) => {
    const { dentry, position, file, options } = wholeFile(union, path, given)
    return readAll(union, dentry, position, options.signal).then(buffer => {
      if (file !== undefined) file.position += buffer.length
      return decoded(buffer, options)
    })
  }
}

/** A Blob with the whole content: one that reads later would have to be Node's own, over a descriptor of the host. */
function openAsBlob(union: Union): Implementation {
  return (path, given) => {
    const { argument, type } = blobArguments(path, given)
    const dentry = union.at(argument, true, 'open')
    return readAll(union, dentry, 0).then(bytes => new Blob([bytes], { type }))
  }
}

function openAsBlobSync(union: Union): Implementation {
  return (path, given) => {
    const { argument, type } = blobArguments(path, given)
    return new Blob([readAllSync(union, union.at(argument, true, 'open'), 0)], { type })
  }
}

function blobArguments(path: unknown, given: unknown): { argument: PathArgument; type: string } {
  const { type = '' } = optionsArgument(given, accepted) as { type?: unknown }
  if (typeof type !== 'string')
    throw Object.assign(new TypeError('The "options.type" property must be of type string'), {
      code: 'ERR_INVALID_ARG_TYPE',
    })
  return { argument: pathArgument(path), type }
}

function accepted(): undefined {
  return undefined
}

/** read, write and their vectors call back with the count and the buffer, and promisify to an object of both. */
export function vectorCallback(
  later: Implementation,
  buffer: 'buffer' | 'buffers',
  count: 'bytesRead' | 'bytesWritten' = 'bytesRead',
): Implementation {
  const form = callbackForm({
    later,
    spread: result => {
      const { [count]: counted, [buffer]: given } = result as Record<string, unknown>
      return [null, counted, given]
    },
  })
  Object.defineProperty(form, promisify.custom, { value: async (...args: unknown[]) => later(...args) })
  return form
}

export function fileCalls(union: Union): Calls {
  return {
    open: { sync: openNow(union), later: openLater(union) },
    close: { sync: fd => closeFile(union, fd) },
    read: { sync: readNow(union), later: readLater(union) },
    readv: { sync: readvNow(union), later: readvLater(union) },
    readFile: { sync: readFileNow(union), later: readFileLater(union) },
    openAsBlob: { sync: openAsBlobSync(union), later: openAsBlob(union), promise: openAsBlob(union) },
  }
}
