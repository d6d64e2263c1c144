/**
 * The kernel's calls that change names, with its checks in its order (facts: R-CR, R-RM, R-HL, R-RN; trailing slashes of 1.16).
 * Each throws the errno error of its call, and then has changed nothing.
 */
import { defaultLimits } from '../../limits.js'
import type { PathArgument } from './arguments.js'
import { exchange, move, place, placeNew, remove } from './change-names.js'
import { copyUp, hasLower } from './copy-up.js'
import type { Dentry } from './dentry.js'
import { errnoError, sayingIfFull } from './errno.js'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT } from './mode.js'
import { newNode } from './new-node.js'
import { isTooLong, type Place } from './resolve.js'
import type { Union } from './union.js'

type Fail = (code: string) => Error

/** The place where a name is going to stand: in `directory`, where nothing visible has it. */
function newName(union: Union, path: PathArgument, fail: Fail, slashAllowed = false): Place<Dentry> {
  const place = union.locate(path)
  if (typeof place === 'string') throw fail(place)
  if (place.last !== 'name') throw fail('EEXIST')
  if (isTooLong(place)) throw fail('ENAMETOOLONG')
  if (union.tree.child(place.directory, place.name) !== undefined) throw fail('EEXIST')
  if (place.trailingSlash && !slashAllowed) throw fail('ENOENT')
  return place
}

export function mkdir(union: Union, path: PathArgument, mode: number): void {
  const fail = (code: string) => errnoError(code, 'mkdir', path.text)
  const { directory, name } = newName(union, path, fail, true)
  assertRoom(union, fail)
  placeNew(union, directory, name, newNode(union, directory, S_IFDIR | (mode & 0o1777 & ~union.umask)))
}

/** Any node but a directory: a file, fifo, device or socket, by the type bits of `mode`. */
export function mknod(union: Union, path: PathArgument, mode: number, major = 0, minor = 0): void {
  const fail = (code: string) => errnoError(code, 'mknod', path.text)
  const { directory, name } = newName(union, path, fail)
  // A whiteout is nothing that anybody could make (R-WH-5).
  if ((mode & S_IFMT) === S_IFCHR && major === 0 && minor === 0) throw fail('EPERM')
  assertRoom(union, fail)
  const isDevice = (mode & S_IFMT) === S_IFCHR || (mode & S_IFMT) === S_IFBLK
  const device = isDevice && { deviceMajor: major, deviceMinor: minor }
  placeNew(union, directory, name, { ...newNode(union, directory, mode & ~union.umask), ...device })
}

export function symlink(union: Union, target: PathArgument, path: PathArgument): void {
  const fail = (code: string) => errnoError(code, 'symlink', target.text, path.text)
  if (target.bytes === '') throw fail('ENOENT')
  if (target.bytes.length > defaultLimits.pathBytes) throw fail('ENAMETOOLONG')
  const { directory, name } = newName(union, path, fail)
  assertRoom(union, fail)
  placeNew(union, directory, name, { ...newNode(union, directory, S_IFLNK | 0o777), target: target.bytes })
}

export function link(union: Union, from: PathArgument, to: PathArgument): void {
  const fail = (code: string) => errnoError(code, 'link', from.text, to.text)
  const source = union.lookup(from, false)
  if (typeof source === 'string') throw fail(source)
  const { directory, name } = newName(union, to, fail)
  if (source.directory !== undefined) throw fail('EPERM')
  const { upper } = union
  if ((union.nodeOf(source)?.nlink ?? 0) >= defaultLimits.hardLinks) throw fail('EMLINK')
  upper!.atomically(() => {
    const node = sayingIfFull(fail, () => copyUp(union, source))
    place(union, directory, name, node)
    upper!.setAttributes(node, { ctime: union.now() })
  })
}

export function unlink(union: Union, path: PathArgument): void {
  const fail = (code: string) => errnoError(code, 'unlink', path.text)
  const place = union.locate(path)
  if (typeof place === 'string') throw fail(place)
  if (place.last !== 'name') throw fail('EISDIR')
  if (isTooLong(place)) throw fail('ENAMETOOLONG')
  const dentry = union.tree.child(place.directory, place.name)
  if (dentry === undefined) throw fail('ENOENT')
  if (dentry.directory !== undefined) throw fail('EISDIR')
  if (place.trailingSlash) throw fail('ENOTDIR')
  const node = union.nodeOf(dentry)
  const upper = union.upper!
  upper.atomically(() => {
    remove(union, dentry)
    if (node !== undefined && node.nlink > 0) upper.setAttributes(node, { ctime: union.now() })
  })
}

const rmdirFaults = { dot: 'EINVAL', dotdot: 'ENOTEMPTY', root: 'EBUSY' } as const

export function rmdir(union: Union, path: PathArgument): void {
  const fail = (code: string) => errnoError(code, 'rmdir', path.text)
  const place = union.locate(path)
  if (typeof place === 'string') throw fail(place)
  if (place.last !== 'name') throw fail(rmdirFaults[place.last])
  if (isTooLong(place)) throw fail('ENAMETOOLONG')
  const dentry = union.tree.child(place.directory, place.name)
  if (dentry === undefined) throw fail('ENOENT')
  if (dentry.directory === undefined) throw fail('ENOTDIR')
  if (!isEmpty(union, dentry)) throw fail('ENOTEMPTY')
  remove(union, dentry)
}

export interface RenameOptions {
  /** RENAME_NOREPLACE and RENAME_EXCHANGE of renameat2. */
  readonly flag?: 'noreplace' | 'exchange'
}

export function rename(union: Union, from: PathArgument, to: PathArgument, { flag }: RenameOptions = {}): void {
  const fail = (code: string) => errnoError(code, 'rename', from.text, to.text)
  const places = [union.locate(from), union.locate(to)] as const
  for (const place of places) if (typeof place === 'string') throw fail(place)
  const [old, target] = places as readonly [Place<Dentry>, Place<Dentry>]
  if (old.last !== 'name') throw fail('EBUSY')
  if (target.last !== 'name') throw fail(flag === 'noreplace' ? 'EEXIST' : 'EBUSY')
  if (isTooLong(old)) throw fail('ENAMETOOLONG')
  const source = union.tree.child(old.directory, old.name)
  if (source === undefined) throw fail('ENOENT')
  if (isTooLong(target)) throw fail('ENAMETOOLONG')
  const there = union.tree.child(target.directory, target.name)
  const code = renameRefusal(union, { source, there, old, target, flag })
  if (code === 'same') return
  if (code !== undefined) throw fail(code)
  sayingIfFull(fail, () => {
    if (flag === 'exchange') exchange(union, source, there!)
    else move(union, source, target.directory, target.name, there)
  })
}

interface Renaming {
  readonly source: Dentry
  readonly there: Dentry | undefined
  readonly old: Place<Dentry>
  readonly target: Place<Dentry>
  readonly flag: RenameOptions['flag']
}

/** Why it cannot be; `same`: there is nothing to do. The order is the kernel's. */
function renameRefusal(union: Union, { source, there, old, target, flag }: Renaming): string | undefined {
  const isDirectory = source.directory !== undefined
  if (flag === 'noreplace' && there !== undefined) return 'EEXIST'
  if (flag === 'exchange') {
    if (there === undefined) return 'ENOENT'
    if (target.trailingSlash && there.directory === undefined) return 'ENOTDIR'
  }
  if (!isDirectory && (old.trailingSlash || (target.trailingSlash && flag !== 'exchange'))) return 'ENOTDIR'
  if (isWithin(target.directory, source)) return 'EINVAL'
  if (there !== undefined && isWithin(old.directory, there)) return flag === 'exchange' ? 'EINVAL' : 'ENOTEMPTY'
  if (there === source || (there !== undefined && isSameNode(union, source, there))) return 'same'
  if (flag === 'exchange') return [source, there!].some(each => cannotMove(union, each)) ? 'EXDEV' : undefined
  if (there !== undefined && isDirectory && there.directory === undefined) return 'ENOTDIR'
  if (there !== undefined && !isDirectory && there.directory !== undefined) return 'EISDIR'
  if (cannotMove(union, source)) return 'EXDEV'
  return there?.directory !== undefined && !isEmpty(union, there) ? 'ENOTEMPTY' : undefined
}

/** Two names of one node in the upper. Of one inode below they are two files by now, in all but their content (R-HL-4). */
function isSameNode(union: Union, first: Dentry, second: Dentry): boolean {
  const node = union.nodeOf(first)
  return node !== undefined && node === union.nodeOf(second)
}

/** The kernel's default: a directory that shows something of the layers stays where it is. */
function cannotMove({ directoryRename }: Union, dentry: Dentry): boolean {
  return directoryRename === 'exdev' && dentry.directory !== undefined && hasLower(dentry)
}

function isWithin(directory: Dentry, ancestor: Dentry): boolean {
  for (let at = directory; ; at = at.parent) {
    if (at === ancestor) return true
    if (at === at.parent) return false
  }
}

function isEmpty(union: Union, dentry: Dentry): boolean {
  return union.tree.children(dentry).next().done === true
}

/** Of one more entry. What a change needs besides, directories that are copied up and whiteouts, is not refused. */
function assertRoom(union: Union, fail: Fail): void {
  if (union.upper!.usedEntries >= union.maxEntries) throw fail('EDQUOT')
}
