/**
 * fs.cp: its decisions and errors, in the order in which node:fs makes them. Steps, so that the two forms share them: who runs them
 * answers each `filter` with a boolean, and does each `copy`.
 */
import { posix } from 'node:path'
import { type ByteString, toText } from '../../byte-string.js'
import type { PathArgument } from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError, nodeError } from '../union/errno.js'
import { fileTypeOf } from '../union/mode.js'
import { chmod, setTimes } from '../union/syscalls-attributes.js'
import * as named from '../union/syscalls-names.js'
import { systemError } from '../union/system-error.js'
import type { Union } from '../union/union.js'

export interface CpOptions {
  readonly dereference: boolean
  readonly errorOnExist: boolean
  readonly force: boolean
  readonly recursive: boolean
  readonly preserveTimestamps: boolean
  readonly verbatimSymlinks: boolean
  readonly mode: number
  /** What the error of a directory has as `errno`: Node's two forms differ. */
  readonly directoryErrno: number
  readonly filter?: (source: string, target: string) => unknown
}

export type CpStep =
  | { readonly kind: 'filter'; readonly from: string; readonly to: string }
  | { readonly kind: 'copy'; readonly from: PathArgument; readonly to: PathArgument }
  | { readonly kind: 'pause' }

export type CpSteps = Generator<CpStep, void, boolean>

interface Cp {
  readonly union: Union
  readonly options: CpOptions
}

export function* cpSteps(union: Union, from: ByteString, to: ByteString, options: CpOptions): CpSteps {
  const cp = { union, options }
  if (options.filter !== undefined && !(yield { kind: 'filter', from: toText(from), to: toText(to) })) return
  const { source, target } = look(cp, from, to)
  checkParents(cp, source, from, to)
  makeParent(union, to)
  yield* copy(cp, source, target, from, to)
}

function pathOf(bytes: ByteString): PathArgument {
  return { text: toText(bytes), bytes, exact: false }
}

const failures = {
  EINVAL: ['EINVAL', 22, 'Invalid src or dest'],
  DIR_TO_NON_DIR: ['EISDIR', 21, 'Cannot overwrite non-directory with directory'],
  NON_DIR_TO_DIR: ['ENOTDIR', 20, 'Cannot overwrite directory with non-directory'],
  EEXIST: ['EEXIST', 17, 'Target already exists'],
  SOCKET: ['EINVAL', 22, 'Cannot copy a socket file'],
  FIFO_PIPE: ['EINVAL', 22, 'Cannot copy a FIFO pipe'],
  SYMLINK_TO_SUBDIRECTORY: ['EINVAL', 22, 'Cannot overwrite symlink in subdirectory of self'],
} as const

function failure(name: keyof typeof failures, message: string, path: ByteString): Error {
  const [code, errno, prefix] = failures[name]
  return systemError(`ERR_FS_CP_${name}`, prefix, { code, message, path: toText(path), syscall: 'cp', errno })
}

function intoItself(from: ByteString, to: ByteString, path = to): Error {
  return failure('EINVAL', `cannot copy ${toText(from)} to a subdirectory of self ${toText(to)}`, path)
}

/** What is there, and whether the two go together. */
function look({ union, options }: Cp, from: ByteString, to: ByteString) {
  const syscall = options.dereference ? 'stat' : 'lstat'
  const source = union.at(pathOf(from), options.dereference, syscall)
  const found = union.lookup(pathOf(to), options.dereference)
  if (typeof found === 'string' && found !== 'ENOENT') throw errnoError(found, syscall, toText(to))
  const target = typeof found === 'string' ? undefined : found
  if (target !== undefined) {
    if (target === source || union.inodeNumber(target) === union.inodeNumber(source))
      throw failure('EINVAL', 'src and dest cannot be the same', to)
    assertKinds(source, target, from, to)
  }
  assertRecursive({ union, options }, source, from, to)
  return { source, target }
}

function assertKinds(source: Dentry, target: Dentry, from: ByteString, to: ByteString): void {
  const [text, there] = [toText(from), toText(to)]
  if (source.directory !== undefined && target.directory === undefined)
    throw failure('DIR_TO_NON_DIR', `cannot overwrite non-directory ${there} with directory ${text}`, to)
  if (source.directory === undefined && target.directory !== undefined)
    throw failure('NON_DIR_TO_DIR', `cannot overwrite directory ${there} with non-directory ${text}`, to)
}

function assertRecursive({ union, options }: Cp, source: Dentry, from: ByteString, to: ByteString): void {
  if (source.directory === undefined) return
  if (isBelow(union, from, to)) throw intoItself(from, to)
  if (options.recursive) return
  const [path, errno] = [toText(from), options.directoryErrno]
  const info = { code: 'EISDIR', message: `${path} is a directory (not copied)`, path, syscall: 'cp', errno }
  throw systemError('ERR_FS_EISDIR', 'Path is a directory', info)
}

/** By their names alone, as node:fs compares them; a path is below itself. */
function isBelow(union: Union, ancestor: ByteString, path: ByteString): boolean {
  const [above, below] = [ancestor, path].map(bytes => absolute(union, bytes).split('/').filter(Boolean))
  return above!.every((name, at) => below![at] === name)
}

function absolute(union: Union, path: ByteString): ByteString {
  return posix.resolve(union.cwd, path) as ByteString
}

function parentOf(path: ByteString): ByteString {
  return posix.dirname(path) as ByteString
}

/** The target must not lie in the source, by whatever name. (node:fs does not see through a symlink, and copies without end.) */
function checkParents({ union }: Cp, source: Dentry, from: ByteString, to: ByteString): void {
  if (source.directory === undefined) return
  let path = parentOf(absolute(union, to))
  let found = union.lookup(pathOf(path), true)
  while (found === 'ENOENT' && path !== '/') found = union.lookup(pathOf((path = parentOf(path))), true)
  if (typeof found === 'string') throw errnoError(found, 'stat', toText(path))
  for (let at = found; ; at = at.parent) {
    if (at === source) throw intoItself(from, to)
    if (at === at.parent) return
  }
}

function makeParent(union: Union, to: ByteString): void {
  const missing: ByteString[] = []
  for (let at = parentOf(to); union.lookup(pathOf(at), true) === 'ENOENT'; at = parentOf(at)) {
    missing.push(at)
    if (at === parentOf(at)) break
  }
  for (const path of missing.reverse()) named.mkdir(union, pathOf(path), 0o777)
}

function* copy(cp: Cp, source: Dentry, target: Dentry | undefined, from: ByteString, to: ByteString): CpSteps {
  yield { kind: 'pause' }
  switch (fileTypeOf(source.mode)) {
    case 'directory':
      return yield* copyDirectory(cp, source, target, from, to)
    case 'symlink':
      return copyLink(cp, source, target, to)
    case 'file':
      return yield* copyContent(cp, source, target, from, to)
    case 'socket':
      throw failure('SOCKET', `cannot copy a socket file: ${toText(to)}`, to)
    case 'fifo':
      throw failure('FIFO_PIPE', `cannot copy a FIFO pipe: ${toText(to)}`, to)
    default:
      // Devices are opened by node:fs, and have no driver behind them here
      throw errnoError('ENXIO', 'copyfile', toText(from), toText(to))
  }
}

function* copyContent(
  { union, options }: Cp,
  source: Dentry,
  target: Dentry | undefined,
  from: ByteString,
  to: ByteString,
): CpSteps {
  if (target !== undefined) {
    if (!options.force) {
      if (options.errorOnExist) throw failure('EEXIST', `${toText(to)} already exists`, to)
      return
    }
    named.unlink(union, pathOf(to))
  }
  yield { kind: 'copy', from: pathOf(from), to: pathOf(to) }
  if (!options.preserveTimestamps) return
  const { mtimeSec, mtimeNsec } = union.tree.attributes(source)
  const mtime = { sec: mtimeSec, nsec: mtimeNsec }
  setTimes(union, union.at(pathOf(to), true, 'utime'), union.nodeOf(source)?.atime ?? mtime, mtime)
}

function* copyDirectory(cp: Cp, source: Dentry, target: Dentry | undefined, from: ByteString, to: ByteString): CpSteps {
  const { union, options } = cp
  if (target === undefined) named.mkdir(union, pathOf(to), 0o777)
  for (const name of [...union.tree.children(source)].map(child => child.name)) {
    const [below, there] = [from, to].map(path => posix.join(path, name)) as [ByteString, ByteString]
    if (options.filter !== undefined && !(yield { kind: 'filter', from: toText(below), to: toText(there) })) continue
    const found = look(cp, below, there)
    yield* copy(cp, found.source, found.target, below, there)
  }
  if (target === undefined) chmod(union, union.at(pathOf(to), true, 'chmod'), union.tree.attributes(source).mode)
}

/** Unless told otherwise, node:fs makes the target of a link absolute, as seen from where the link stands. */
function copyLink({ union, options }: Cp, source: Dentry, target: Dentry | undefined, to: ByteString): void {
  const resolved = (link: Dentry) => {
    const bytes = union.tree.linkTarget(link)
    if (options.verbatimSymlinks || bytes.startsWith('/')) return bytes
    return posix.resolve(union.tree.pathOf(link.parent), bytes) as ByteString
  }
  const pointed = resolved(source)
  // Over what is no link it fails as symlink does
  if (target !== undefined && union.tree.isSymlink(target)) {
    const before = resolved(target)
    if (isBelow(union, pointed, before)) throw intoItself(pointed, before, to)
    const found = union.lookup(pathOf(union.tree.pathOf(source)), true)
    if (typeof found !== 'string' && found.directory !== undefined && isBelow(union, before, pointed))
      throw failure('SYMLINK_TO_SUBDIRECTORY', `cannot overwrite ${toText(before)} with ${toText(pointed)}`, to)
    named.unlink(union, pathOf(to))
  }
  named.symlink(union, pathOf(pointed), pathOf(to))
}

/** What the synchronous form throws for a filter that wants to be awaited. */
export function filterMustAnswer(answer: unknown): Error {
  const what = (answer as object).constructor.name
  const message = `Expected boolean to be returned from the "filter" function but got an instance of ${what}.`
  return nodeError('ERR_INVALID_RETURN_VALUE', message, TypeError as unknown as ErrorConstructor)
}
