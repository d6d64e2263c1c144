/** writeFile and appendFile of a container, with everything that node:fs takes as data. */
import fs from 'node:fs'
import {
  type AnyOptions,
  checkedByNode,
  impossibleFd,
  type Opening,
  openingArguments,
  optionsArgument,
} from '../union/arguments.js'
import { abortError } from '../union/errno.js'
import type { OpenFile } from '../union/handles.js'
import { holding } from '../union/holding.js'
import { inTurn, openedAt } from '../union/open.js'
import { write } from '../union/syscalls-files.js'
import type { Union } from '../union/union.js'
import { writeLater } from '../union/write-later.js'
import type { Calls, Implementation } from './forms.js'

interface WriteFileOptions extends AnyOptions {
  readonly flush?: boolean | null
}

type Chunks = AsyncIterable<unknown> | Iterable<unknown>

function optionsOf(options: unknown): WriteFileOptions {
  const check = (bad: never) => fs.writeFileSync(impossibleFd, '', bad)
  const checked: WriteFileOptions = optionsArgument(options, check)
  const { flush } = checked
  if (flush !== undefined && flush !== null && typeof flush !== 'boolean') checkedByNode(() => check(options as never))
  return checked
}

function bytesOf(data: unknown, encoding: AnyOptions['encoding']): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, (encoding ?? 'utf8') as BufferEncoding)
  if (!ArrayBuffer.isView(data)) checkedByNode(() => fs.writeFileSync(impossibleFd, data as never))
  const { buffer, byteOffset, byteLength } = data as NodeJS.ArrayBufferView
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function openingOf(path: unknown, { flag, mode }: WriteFileOptions, otherwise: string): Opening {
  return openingArguments(path, flag || otherwise, mode, bad => fs.openSync(bad, 'r'))
}

function opened(union: Union, { argument, flags, mode }: Opening): OpenFile {
  return { dentry: openedAt(union, argument, flags, mode), path: argument.text, flags, position: 0 }
}

/** What is written to: an open file, or one that is opened, and made, as for `flag`. */
function fileNow(union: Union, path: unknown, options: WriteFileOptions, otherwise: string): OpenFile {
  if (typeof path === 'number') return union.handles.get(path, 'write')
  return opened(union, openingOf(path, options, otherwise))
}

/** The same when nobody is writing to it. */
function fileLater(
  union: Union,
  path: unknown,
  options: WriteFileOptions,
  otherwise: string,
): OpenFile | Promise<OpenFile> {
  if (typeof path === 'number') return union.handles.get(path, 'write')
  const opening = openingOf(path, options, otherwise)
  return inTurn(union, opening.argument, opening.flags, () => opened(union, opening))
}

function writeFileNow(union: Union, flag: string): Implementation {
  return (path, data, given) => {
    const options = optionsOf(given)
    const bytes = bytesOf(data, options.encoding)
    const file = fileNow(union, path, options, flag)
    if (bytes.length > 0) write(union, file, bytes, undefined)
    if (options.flush) union.upper!.syncNow?.()
  }
}

function writeFileLater(union: Union, flag: string): Implementation {
  return (path, data, given) => {
    const options = optionsOf(given)
    const bytes = bytesOf(data, options.encoding)
    const { signal, flush } = options
    if (signal?.aborted) throw abortError(signal)
    const writeTo = (file: OpenFile) => {
      const written = bytes.length > 0 ? writeLater(union, file, bytes, undefined, signal) : 0
      // What is written at once is done at once
      return typeof written === 'number' && !flush ? undefined : finish(union, written, flush)
    }
    const file = fileLater(union, path, options, flag)
    return file instanceof Promise ? file.then(writeTo) : writeTo(file)
  }
}

async function finish(union: Union, written: Promise<number> | number, flush: unknown): Promise<void> {
  await written
  if (flush) await union.reading(() => union.upper!.sync())
}

/** The promise form takes iterables and streams as well. */
function writeFilePromise(union: Union, flag: string): Implementation {
  const plain = writeFileLater(union, flag)
  return (path, data, given) => {
    if (!isChunks(data)) return plain(path, data, given)
    const options = optionsOf(given)
    if (options.signal?.aborted) throw abortError(options.signal)
    const writeTo = (file: OpenFile) => holding(union, file.dentry, () => writeChunks(union, file, data, options))
    const file = fileLater(union, path, options, flag)
    return file instanceof Promise ? file.then(writeTo) : writeTo(file)
  }
}

function isChunks(data: unknown): data is Chunks {
  if (data === null || typeof data !== 'object' || ArrayBuffer.isView(data)) return false
  return Symbol.asyncIterator in data || Symbol.iterator in data
}

async function writeChunks(
  union: Union,
  file: OpenFile,
  chunks: Chunks,
  { encoding, signal, flush }: WriteFileOptions,
): Promise<void> {
  for await (const chunk of chunks) {
    if (signal?.aborted) throw abortError(signal)
    const bytes = ArrayBuffer.isView(chunk)
      ? bytesOf(chunk, encoding)
      : Buffer.from(chunk as string, (encoding ?? 'utf8') as BufferEncoding)
    if (bytes.length > 0) await writeLater(union, file, bytes, undefined, signal)
    if (union.pace.due()) await union.pace.turn()
  }
  if (flush) await union.upper!.sync()
}

export function writeFileCalls(union: Union): Calls {
  const forms = (flag: string) => ({
    sync: writeFileNow(union, flag),
    later: writeFileLater(union, flag),
    promise: writeFilePromise(union, flag),
  })
  return { writeFile: forms('w'), appendFile: forms('a') }
}
