/**
 * Opening, and what the kernel says to creating and writing on a file system that is mounted read-only. Measured on an overlay
 * mount without an upper: a missing parent is told first, then what is already there (EEXIST, EISDIR), and EROFS last.
 */
import fs from 'node:fs'
import { type ByteString, fromText } from '../../byte-string.js'
import { symlinkHops } from '../../limits.js'
import type { PathArgument } from './arguments.js'
import type { Dentry } from './dentry.js'
import { errnoError, sayingIfFull } from './errno.js'
import { hold, letGo } from './holding.js'
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './mode.js'
import { openOrCreate } from './syscalls-files.js'
import type { Union } from './union.js'

const { O_CREAT, O_DIRECTORY = 0, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_TRUNC } = fs.constants
/** The bits that say reading, writing or both. */
const O_ACCMODE = 3

/** Mode bits of a file that is made by opening it, before the umask. */
export const newFileMode = 0o666

/** A new descriptor; throws what open(2) would. */
export function openFile(union: Union, argument: PathArgument, flags: number, mode = newFileMode): number {
  const dentry = openedAt(union, argument, flags, mode)
  const fd = union.handles.add({ dentry, path: argument.text, flags, position: 0 })
  hold(union, dentry)
  return fd
}

export function closeFile(union: Union, fd: unknown): void {
  letGo(union, union.handles.remove(fd).dentry)
}

/**
 * Runs an opening that may cut the file off: not in the middle of somebody's large write to it, as the kernel's lock of an inode
 * has it. A promise only where it has to wait.
 */
export function inTurn<T>(union: Union, path: PathArgument, flags: number, open: () => T): T | Promise<T> {
  if ((flags & O_TRUNC) === 0 || busyAt(union, path) === undefined) return open()
  return union.reading(() => whenQuiet(union, path, open))
}

async function whenQuiet<T>(union: Union, path: PathArgument, open: () => T): Promise<T> {
  for (let busy = busyAt(union, path); busy !== undefined; busy = busyAt(union, path)) {
    const dentry = busy
    const opened = await union.turns.take(dentry, async () =>
      // Meanwhile the path may lead somewhere else
      union.lookup(path, true) === dentry ? { value: open() } : undefined,
    )
    if (opened !== undefined) return opened.value
  }
  return open()
}

/** What is there, if it is being written. */
function busyAt(union: Union, path: PathArgument): Dentry | undefined {
  const found = union.lookup(path, true)
  return typeof found !== 'string' && union.turns.busy(found) ? found : undefined
}

/** What opening gives, without a descriptor for it; throws what open(2) would. */
export function openedAt(union: Union, argument: PathArgument, flags: number, mode = newFileMode): Dentry {
  const fail = (code: string) => errnoError(code, 'open', argument.text)
  const open = () => openOrCreate(union, argument, flags, mode)
  const dentry = union.readOnly ? openable(union, argument, flags) : sayingIfFull(fail, open)
  if (typeof dentry === 'string') throw fail(dentry)
  return dentry
}

/** What opening would give where nothing can be changed: the dentry, or the code of the failure. */
export function openable(union: Union, argument: PathArgument, flags: number): Dentry | string {
  const writing = (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0
  if (flags & O_CREAT) {
    const refusal = creation(union, argument, flags, writing)
    if (refusal !== undefined) return refusal
  }
  const found = union.lookup(argument, !(flags & O_NOFOLLOW))
  if (typeof found === 'string') return found
  const type = found.mode & S_IFMT
  if (type === S_IFLNK) return flags & O_DIRECTORY ? 'ENOTDIR' : 'ELOOP'
  if (type === S_IFDIR) return writing || flags & O_CREAT ? 'EISDIR' : found
  if (flags & O_DIRECTORY) return 'ENOTDIR'
  if (writing && type === S_IFREG) return 'EROFS'
  // There is no driver behind a device and nobody at the other end of a fifo or socket, and waiting is no answer
  return type === S_IFREG ? found : 'ENXIO'
}

/** Why O_CREAT fails, or undefined when the file is there and may be opened. */
function creation(union: Union, argument: PathArgument, flags: number, writing: boolean): string | undefined {
  let at = argument
  for (let hops = 0; hops <= symlinkHops; hops++) {
    const place = union.locate(at)
    if (typeof place === 'string') return place
    if (place.trailingSlash || place.last === 'root') return 'EISDIR'
    const existing = union.lookup(at, false)
    if (existing === 'ENOENT') return 'EROFS'
    if (typeof existing === 'string') return existing
    if (flags & O_EXCL) return 'EEXIST'
    if (!union.tree.isSymlink(existing) || flags & O_NOFOLLOW) {
      return existing.directory !== undefined
        ? 'EISDIR'
        : writing && (existing.mode & S_IFMT) === S_IFREG
          ? 'EROFS'
          : undefined
    }
    // What a dangling link points at is created where it points, as seen from the link's directory
    const target = union.tree.linkTarget(existing)
    at = {
      ...argument,
      exact: false,
      bytes: target.startsWith('/') ? target : (`${union.tree.pathOf(place.directory)}/${target}` as ByteString),
    }
  }
  return 'ELOOP'
}

/** What mkdir, symlink and link say to a new name: never success, EEXIST before EROFS. */
export function creationRefusal(union: Union, argument: PathArgument, directory: boolean): string {
  const place = union.locate(argument)
  if (typeof place === 'string') return place
  if (place.last !== 'name') return 'EEXIST'
  const bare = { ...argument, bytes: withoutTrailingSlashes(argument.bytes), exact: false }
  const existing = union.lookup(bare, false)
  if (typeof existing !== 'string') return 'EEXIST'
  if (existing !== 'ENOENT') return existing
  return place.trailingSlash && !directory ? 'ENOENT' : 'EROFS'
}

/** What rmdir, unlink and rename say: whether the name exists is not looked at. */
export function removalRefusal(union: Union, argument: PathArgument, codes: RemovalCodes): string {
  const place = union.locate(argument)
  return typeof place === 'string' ? place : codes[place.last]
}

export type RemovalCodes = Readonly<Record<'name' | 'dot' | 'dotdot' | 'root', string>>

export const rmdirCodes: RemovalCodes = { name: 'EROFS', dot: 'EINVAL', dotdot: 'ENOTEMPTY', root: 'EBUSY' }
export const unlinkCodes: RemovalCodes = { name: 'EROFS', dot: 'EISDIR', dotdot: 'EISDIR', root: 'EISDIR' }
export const renameCodes: RemovalCodes = { name: 'EROFS', dot: 'EBUSY', dotdot: 'EBUSY', root: 'EBUSY' }

/** What chmod, chown, utimes and truncate say: the file has to be there. */
export function changeRefusal(union: Union, argument: PathArgument, follow: boolean): string {
  const found = union.lookup(argument, follow)
  return typeof found === 'string' ? found : 'EROFS'
}

function withoutTrailingSlashes(path: ByteString): ByteString {
  let end = path.length
  while (end > 1 && path[end - 1] === '/') end--
  return path.slice(0, end) as ByteString
}

/** mkdtemp's name, as messages show it. */
export function temporaryName(prefix: PathArgument): PathArgument {
  const text = `${prefix.text}XXXXXX`
  return { text, bytes: (prefix.bytes + fromText('XXXXXX')) as ByteString, exact: false }
}
