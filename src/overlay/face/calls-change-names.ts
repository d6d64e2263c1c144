/** mkdir, mkdtemp, rmdir, rm, unlink, rename, link and symlink of a container. */
import fs from 'node:fs'
import { type ByteString, toText } from '../../byte-string.js'
import { isErrno } from '../../errors.js'
import { errnoOf } from '../../native/errno-error.js'
import {
  checkedByNode,
  encoded,
  modeArgument,
  optionsArgument,
  type PathArgument,
  pathArgument,
} from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError } from '../union/errno.js'
import { temporaryName } from '../union/open.js'
import { removeTreeLater, removeTreeNow } from '../union/remove-tree.js'
import * as named from '../union/syscalls-names.js'
import { systemError } from '../union/system-error.js'
import type { Union } from '../union/union.js'
import type { Calls, Implementation } from './forms.js'

const newDirectoryMode = 0o777

interface MkdirOptions {
  readonly recursive?: boolean
  readonly mode?: number | string
}

function mkdirOptions(options: unknown): MkdirOptions {
  if (typeof options === 'number' || typeof options === 'string') return { mode: options }
  if (options === null || typeof options !== 'object') return {}
  const { recursive } = options as MkdirOptions
  if (recursive !== undefined && typeof recursive !== 'boolean') checkedByNode(() => fs.mkdirSync('', options))
  return options
}

function mkdir(union: Union): Implementation {
  return (path, given) => {
    const { recursive, mode } = mkdirOptions(given)
    const argument = pathArgument(path)
    const bits = modeArgument(mode, bad => fs.mkdirSync('', bad), newDirectoryMode)
    if (recursive) return mkdirs(union, argument, bits)
    named.mkdir(union, argument, bits)
    return undefined
  }
}

/** mkdir -p: gives the first directory that it made. */
function mkdirs(union: Union, path: PathArgument, mode: number): string | undefined {
  const waiting: ByteString[] = [path.bytes]
  let first: ByteString | undefined
  for (let bytes = waiting.pop(); bytes !== undefined; bytes = waiting.pop()) {
    const code = mkdirCode(union, pathOf(bytes), mode)
    if (code === undefined) first ??= bytes
    else if (code === 'ENOENT' && bytes.lastIndexOf('/') > 0) {
      waiting.push(bytes, bytes.slice(0, bytes.lastIndexOf('/')) as ByteString)
    } else if (code !== 'EEXIST') throw errnoError(code, 'mkdir', path.text)
    else {
      const there = union.lookup(pathOf(bytes), true)
      if (typeof there === 'string') throw errnoError(there, 'mkdir', path.text)
      if (there.directory === undefined) throw errnoError(waiting.length > 0 ? 'ENOTDIR' : 'EEXIST', 'mkdir', path.text)
    }
  }
  return first && toText(first)
}

function mkdirCode(union: Union, path: PathArgument, mode: number): string | undefined {
  try {
    named.mkdir(union, path, mode)
    return undefined
  } catch (error) {
    // A call on the store that failed is no answer of the union
    if (errnoOf(error) === undefined) throw error
    return (error as NodeJS.ErrnoException).code
  }
}

function pathOf(bytes: ByteString): PathArgument {
  return { text: toText(bytes), bytes, exact: false }
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const randomLetters = 6

/** The path of a new directory that nobody else may look into. */
function makeTemporary(union: Union, prefix: unknown): ByteString {
  const argument = pathArgument(prefix, bad => fs.mkdtempSync(bad))
  for (;;) {
    const random = Array.from({ length: randomLetters }, () => letters[Math.floor(Math.random() * letters.length)])
    const bytes = (argument.bytes + random.join('')) as ByteString
    const code = mkdirCode(union, pathOf(bytes), 0o700)
    if (code === undefined) return bytes
    if (code !== 'EEXIST') throw errnoError(code, 'mkdtemp', temporaryName(argument).text)
  }
}

function mkdtemp(union: Union): Implementation {
  return (prefix, options) => {
    const { encoding } = optionsArgument(options)
    return encoded(makeTemporary(union, prefix), encoding)
  }
}

/** Of the newest Node: a directory that is removed when it is disposed of. */
function mkdtempDisposable(union: Union, symbol: symbol | undefined, later: boolean): Implementation {
  const removal = rm(union, later)
  return (prefix, options) => {
    const { encoding } = optionsArgument(options)
    const bytes = makeTemporary(union, prefix)
    const remove = () => removal(Buffer.from(bytes, 'latin1'), { recursive: true, force: true })
    const made = { path: encoded(bytes, encoding), remove }
    return symbol === undefined ? made : Object.assign(made, { [symbol]: remove })
  }
}

interface RmOptions {
  readonly force?: boolean
  readonly recursive?: boolean
}

const isFlag = (value: unknown) => value === undefined || typeof value === 'boolean'
const isCount = (value: unknown) => value === undefined || (Number.isInteger(value) && (value as number) >= 0)

function rmOptions(options: unknown): RmOptions {
  if (options === undefined || options === null || typeof options === 'function') return {}
  const { force, recursive, maxRetries, retryDelay } = options as Record<string, unknown>
  const sane = isFlag(force) && isFlag(recursive) && isCount(maxRetries) && isCount(retryDelay)
  if (typeof options !== 'object' || !sane) checkedByNode(() => fs.rmSync('', options))
  return options
}

function rm(union: Union, later: boolean): Implementation {
  return (path, given) => {
    const argument = pathArgument(path)
    const { force, recursive } = rmOptions(given)
    const found = union.lookup(argument, false)
    if (found === 'ENOENT' && force) return undefined
    if (typeof found === 'string') throw errnoError(found, 'lstat', argument.text)
    if (found.directory === undefined) return named.unlink(union, argument)
    if (!recursive) {
      const info = { code: 'EISDIR', message: 'is a directory', path: argument.text, syscall: 'rm', errno: 21 }
      throw systemError('ERR_FS_EISDIR', 'Path is a directory', info)
    }
    return removeTree(union, argument, found, later)
  }
}

const treeFaults = { dot: 'EINVAL', dotdot: 'ENOTEMPTY', root: 'EBUSY' } as const

function removeTree(union: Union, argument: PathArgument, dentry: Dentry, later: boolean): Promise<void> | undefined {
  const place = union.locate(argument)
  if (typeof place === 'string') throw errnoError(place, 'rmdir', argument.text)
  if (place.last !== 'name') throw errnoError(treeFaults[place.last], 'rmdir', argument.text)
  // A symlink with a slash behind it
  if (union.tree.child(place.directory, place.name) !== dentry) throw errnoError('ENOTDIR', 'rmdir', argument.text)
  if (later) return union.reading(() => removeTreeLater(union, dentry))
  removeTreeNow(union, dentry)
  return undefined
}

function rmdir(union: Union, later: boolean): Implementation {
  return (path, options) => {
    const argument = pathArgument(path)
    const given = typeof options === 'function' || options === undefined ? {} : (options as RmOptions | null)
    // Where the running Node has this option no more it says so, and where it has it, it warns
    if (given === null || typeof given !== 'object' || given.recursive !== undefined)
      checkedByNode(() => fs.rmdirSync('', given as never))
    if (!given?.recursive) return named.rmdir(union, argument)
    const found = union.at(argument, false, 'lstat')
    if (found.directory === undefined) return named.rmdir(union, argument)
    return removeTree(union, argument, found, later)
  }
}

function symlink(union: Union): Implementation {
  return (target, path, type) => {
    const to = pathArgument(target, bad => fs.symlinkSync(bad, ''))
    const at = pathArgument(path, bad => fs.symlinkSync('', bad))
    if (typeof type === 'string' && !['dir', 'file', 'junction'].includes(type)) checkType(type)
    named.symlink(union, to, at)
  }
}

/** The kinds of links of Windows: nothing depends on them here, but a wrong one is refused as Node refuses it. */
function checkType(type: string): void {
  try {
    fs.symlinkSync('', '', type as 'dir')
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

function onTwo(
  check: (from: string, to: string) => unknown,
  run: (from: PathArgument, to: PathArgument) => void,
): Implementation {
  return (from, to) => {
    const first = pathArgument(from, bad => check(bad, ''))
    const second = pathArgument(to, bad => check('', bad))
    run(first, second)
  }
}

export function changeNameCalls(union: Union): Calls {
  return {
    mkdir: { sync: mkdir(union) },
    mkdtemp: { sync: mkdtemp(union) },
    mkdtempDisposable: {
      sync: mkdtempDisposable(union, Symbol.dispose, false),
      later: mkdtempDisposable(union, Symbol.asyncDispose, true),
    },
    rm: { sync: rm(union, false), later: rm(union, true) },
    rmdir: { sync: rmdir(union, false), later: rmdir(union, true) },
    unlink: { sync: path => named.unlink(union, pathArgument(path)) },
    rename: { sync: onTwo(fs.renameSync, (from, to) => named.rename(union, from, to)) },
    link: { sync: onTwo(fs.linkSync, (from, to) => named.link(union, from, to)) },
    symlink: { sync: symlink(union) },
  }
}
