/** Runs a sequence on a union with an upper, by the engine's own calls. */
import fs from 'node:fs'
import type { ByteString } from '../../src/byte-string.js'
import type { Layer } from '../../src/drivers/layer.js'
import type { NewNode, Upper } from '../../src/drivers/upper.js'
import type { PathArgument } from '../../src/overlay/union/arguments.js'
import type { Dentry } from '../../src/overlay/union/dentry.js'
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

/** truncate(2), with the times of ftruncate(2), by which node:fs does it: no descriptor, and no error for a file that is not open. */
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
