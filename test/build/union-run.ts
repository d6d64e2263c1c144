/** Runs a sequence on a union with an upper, by the engine's own calls, and shows trees as `overlay-kernel.py` does. */
import fs from 'node:fs'
import type { ByteString } from '../../src/byte-string.js'
import { type Layer, WHITEOUT } from '../../src/drivers/layer.js'
import type { NewNode, Upper, UpperNode } from '../../src/drivers/upper.js'
import type { PathArgument } from '../../src/overlay/union/arguments.js'
import { readAllSync } from '../../src/overlay/union/content.js'
import type { Dentry } from '../../src/overlay/union/dentry.js'
import { lookup, type Stack } from '../../src/overlay/union/lookup.js'
import * as attributes from '../../src/overlay/union/syscalls-attributes.js'
import * as files from '../../src/overlay/union/syscalls-files.js'
import * as named from '../../src/overlay/union/syscalls-names.js'
import { Union, type UnionOptions } from '../../src/overlay/union/union.js'
import {
  type Children,
  directory,
  file,
  hardlink,
  type Literal,
  MemoryLayer,
  node,
  symlink,
  whiteout,
} from './memory-layer.js'
import type { Op, TreeNode, TreeNodes } from './union-sequence.js'

const nano = 1e9

export function layerOf(tree: TreeNodes): MemoryLayer {
  return new MemoryLayer(literalOfTree(tree))
}

export function literalOfTree(tree: TreeNodes): ConstructorParameters<typeof MemoryLayer>[0] {
  return directory(childrenOf(tree, ''), {})
}

function childrenOf(tree: TreeNodes, at: string): Children {
  return new Map(Object.entries(tree).map(([name, child]) => [name as ByteString, literalOf(child, `${at}/${name}`)]))
}

const specialTypes = { c: 0o020000, b: 0o060000, p: 0o010000, s: 0o140000 } as const

function literalOf(made: TreeNode, at: string): Literal {
  if (made.link !== undefined) return hardlink(`/${made.link}`)
  if (made.t === 'w') return whiteout
  const { mode, uid = 0, gid = 0, mtime = 0, xattrs = {} } = made
  const fields = {
    uid,
    gid,
    mtimeSec: Math.floor(mtime / nano),
    mtimeNsec: mtime % nano,
    xattrs: Object.entries(xattrs).map(([name, value]) => ({
      name: name as ByteString,
      value: Buffer.from(value, 'latin1'),
    })),
    ...(mode !== undefined && { mode }),
  }
  if (made.t === 'd') return directory(childrenOf(made.children ?? {}, at), { ...fields, opaque: made.opaque ?? false })
  if (made.t === 'f') return file(Buffer.from(made.data ?? '', 'latin1'), fields)
  if (made.t === 'l') return symlink(Buffer.from(made.target!, 'latin1'), { ...fields, mode: 0o777 })
  const [deviceMajor, deviceMinor] = made.rdev ?? [0, 0]
  return node(specialTypes[made.t] | (mode ?? 0), { ...fields, deviceMajor, deviceMinor })
}

/** What `now` is in a test: later than all times of a sequence. */
export const testNow = { sec: 1_600_000_000, nsec: 0 }

export function unionOf(layers: readonly Layer[], upper: Upper, options: UnionOptions = {}): Union {
  return new Union(layers, { upper, umask: 0o022, directoryRename: 'exdev', now: () => testNow, ...options })
}

/** The root of the union, as a new upper begins: that of the topmost layer. */
export function rootOf(): NewNode {
  return { mode: 0o40755, uid: 0, gid: 0, atime: testNow, mtime: testNow, ctime: testNow, birthtime: testNow }
}

export type Outcome = unknown

export function runAll(union: Union, ops: readonly Op[]): Outcome[] {
  return ops.map(op => outcomeOf(union, op))
}

export function outcomeOf(union: Union, op: Op): Outcome {
  try {
    return run(union, op) ?? null
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) throw error
    return { errno: code === 'EOPNOTSUPP' ? 'ENOTSUP' : code }
  }
}

function argument(text: unknown): PathArgument {
  return { text: String(text), bytes: String(text) as ByteString, exact: true }
}

class Refused extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

function found(union: Union, path: unknown, follow: boolean): Dentry {
  const dentry = union.lookup(argument(path), follow)
  if (typeof dentry === 'string') throw new Refused(dentry)
  return dentry
}

function run(union: Union, [name, ...args]: Op): Outcome {
  const [first, second, third, fourth] = args
  switch (name) {
    case 'mkdir':
      return named.mkdir(union, argument(first), second as number)
    case 'rmdir':
      return named.rmdir(union, argument(first))
    case 'unlink':
      return named.unlink(union, argument(first))
    case 'rename':
      return named.rename(union, argument(first), argument(second), third ? { flag: third as 'exchange' } : {})
    case 'link':
      return named.link(union, argument(first), argument(second))
    case 'symlink':
      return named.symlink(union, argument(first), argument(second))
    case 'mknod':
      return named.mknod(union, argument(first), second as number, third as number, fourth as number)
    case 'chmod':
      return attributes.chmod(union, found(union, first, true), second as number)
    case 'chown':
      return attributes.chown(union, found(union, first, fourth as boolean), second as number, third as number)
    case 'utimes': {
      const time = { sec: Math.floor((second as number) / nano), nsec: (second as number) % nano }
      return attributes.setTimes(union, found(union, first, third as boolean), time, time)
    }
    case 'truncate':
      return truncate(union, first, second as number)
    case 'setxattr': {
      const xattr = { name: second as ByteString, value: Buffer.from(third as string, 'latin1') }
      return refuse(attributes.setXattr(union, found(union, first, false), xattr, undefined))
    }
    case 'removexattr':
      return refuse(attributes.removeXattr(union, found(union, first, false), second as ByteString))
    case 'readlink': {
      const dentry = found(union, first, false)
      if (!union.tree.isSymlink(dentry)) throw new Refused('EINVAL')
      return union.tree.linkTarget(dentry)
    }
    case 'readdir': {
      const dentry = found(union, first, true)
      if (dentry.directory === undefined) throw new Refused('ENOTDIR')
      return [...union.tree.children(dentry)].map(child => child.name)
    }
    case 'stat':
      return found(union, first, second as boolean).mode >> 12
    case 'open':
      return open(union, first, second as string, third as number, fourth as string)
    default:
      throw new TypeError(name)
  }
}

function refuse(code: string | undefined): null {
  if (code !== undefined) throw new Refused(code)
  return null
}

/** truncate(2): no descriptor, and no error for a file that is not open. */
function truncate(union: Union, path: unknown, sizeBytes: number): null {
  const dentry = found(union, path, true)
  if (dentry.directory !== undefined) throw new Refused('EISDIR')
  if ((dentry.mode & 0o170000) !== 0o100000) throw new Refused('EINVAL')
  files.truncate(union, { dentry, path: String(path), flags: fs.constants.O_RDWR, position: 0 }, sizeBytes)
  return null
}

const letters: Readonly<Record<string, number>> = {
  r: fs.constants.O_RDONLY,
  w: fs.constants.O_WRONLY,
  rw: fs.constants.O_RDWR,
  c: fs.constants.O_CREAT,
  x: fs.constants.O_EXCL,
  t: fs.constants.O_TRUNC,
  a: fs.constants.O_APPEND,
  d: fs.constants.O_DIRECTORY,
  n: fs.constants.O_NOFOLLOW,
}

export function flagsOf(how: string): number {
  return how.split('+').reduce((sum, letter) => sum | letters[letter]!, 0)
}

function open(union: Union, path: unknown, how: string, mode: number, data: string): null {
  const flags = flagsOf(how)
  const dentry = files.openOrCreate(union, argument(path), flags, mode)
  if (typeof dentry === 'string') throw new Refused(dentry)
  const file = { dentry, path: String(path), flags, position: 0 }
  if (data !== '' && files.mayWrite(file)) files.write(union, file, Buffer.from(data, 'latin1'), undefined)
  return null
}

const letterOf = new Map([
  [0o040000, 'd'],
  [0o100000, 'f'],
  [0o120000, 'l'],
  [0o020000, 'c'],
  [0o060000, 'b'],
  [0o010000, 'p'],
  [0o140000, 's'],
] as const)

/** The merged tree. */
export function dumpUnion(union: Union): TreeNodes {
  const groups = new Map<string, number>()
  const dump = (dentry: Dentry): TreeNodes =>
    Object.fromEntries([...union.tree.children(dentry)].map(child => [child.name, describe(child)]))
  const describe = (dentry: Dentry): TreeNode => {
    const inode = union.tree.attributes(dentry)
    const t = letterOf.get((inode.mode & 0o170000) as 0o040000)!
    const xattrs = attributes.xattrsOf(union, dentry)
    const group = `${dentry.lower} ${dentry.inode}`
    if (!groups.has(group)) groups.set(group, groups.size)
    return {
      t,
      mode: inode.mode & 0o7777,
      uid: inode.uid,
      gid: inode.gid,
      mtime: inode.mtimeSec * nano + inode.mtimeNsec,
      ...(xattrs.length > 0 && {
        xattrs: Object.fromEntries(xattrs.map(({ name, value }) => [name, value.toString('latin1')])),
      }),
      ...(t === 'd' ? { children: dump(dentry) } : { nlink: inode.nlink, group: groups.get(group)! }),
      ...(t === 'f' && { data: readAllSync(union, dentry, 0).toString('latin1') }),
      ...(t === 'l' && { target: union.tree.linkTarget(dentry) }),
      ...((t === 'c' || t === 'b') && { rdev: [inode.deviceMajor, inode.deviceMinor] as [number, number] }),
    }
  }
  return dump(union.tree.root)
}

/** What the upper holds, as a directory that a kernel could mount: whiteouts, and opaque where nothing below is merged. */
export function dumpUpper(union: Union): TreeNodes {
  const { upper } = union
  const names = new Map<number, string>()
  const dump = (directory: UpperNode, at: string): TreeNodes =>
    Object.fromEntries(
      [...directory.children]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, child]) => [name, describe(child, `${at}${name}`)]),
    )
  const describe = (child: UpperNode | typeof WHITEOUT, at: string): TreeNode => {
    if (child === WHITEOUT) return { t: 'w' }
    const t = letterOf.get((child.mode & 0o170000) as 0o040000)!
    const first = t === 'd' ? undefined : names.get(child.id)
    if (first !== undefined) return { t, link: first }
    names.set(child.id, at)
    return {
      t,
      mode: child.mode & 0o7777,
      uid: child.uid,
      gid: child.gid,
      mtime: child.mtime.sec * nano + child.mtime.nsec,
      ...(child.xattrs.length > 0 && {
        xattrs: Object.fromEntries(child.xattrs.map(({ name, value }) => [name, value.toString('latin1')])),
      }),
      ...(t === 'd' && { opaque: child.lowers.length === 0, children: dump(child, `${at}/`) }),
      ...(t === 'f' && { data: contentOf(union, child) }),
      ...(t === 'l' && { target: child.target }),
      ...((t === 'c' || t === 'b') && { rdev: [child.deviceMajor, child.deviceMinor] as [number, number] }),
    }
  }
  return dump(upper!.root, '')
}

function contentOf(union: Union, child: UpperNode): string {
  const { lower, inode } = child.lowerContent ?? { lower: 0, inode: child.id }
  const buffer = Buffer.alloc(child.sizeBytes)
  union.trees[lower]!.readSync(inode, 0, buffer)
  return buffer.toString('latin1')
}

/** The canonical form of an upper (R-UP-7): only whiteouts and marks that hide something. Kinds alone. */
export function canonical(union: Union, upper: TreeNodes): unknown {
  const dump = (nodes: TreeNodes, below: Stack): unknown =>
    Object.fromEntries(
      Object.entries(nodes).flatMap(([name, child]): [string, unknown][] => {
        const under = lookup(union.trees, below, name as ByteString)
        if (child.t === 'w') return under.length > 0 ? [[name, 'w']] : []
        if (child.t !== 'd') return [[name, child.t]]
        const merges = under.length > 0 && (union.trees[under[0]!.lower]!.mode(under[0]!.inode) & 0o170000) === 0o040000
        const opaque = merges && child.opaque === true
        return [[name, { opaque, children: dump(child.children ?? {}, merges && !opaque ? under : []) }]]
      }),
    )
  return dump(
    upper,
    union.tree.root.directory!.stack.filter(({ lower }) => lower > 0),
  )
}
