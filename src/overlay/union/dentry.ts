/**
 * The visible tree in memory, grown as it is visited: once a directory is complete, a name costs one Map look-up, however
 * many layers there are.
 *
 * Invariants:
 * - A dentry is one name; hard links are several dentries of one (lower, inode).
 * - `children` of a complete directory holds exactly the visible names. Of an incomplete one it also holds what was
 *   looked up and is not there, as undefined.
 * - Layers never change, so over layers alone nothing here is ever wrong, only forgotten (`forget`), and a forgotten dentry that
 *   somebody still holds goes on working. Who changes the upper says so here in the same moment (`added`, `removed`, `moved`,
 *   `raised`).
 * - A row is a dentry's until the tree forgets; who holds rows has to forget them, too (`onForget`).
 */
import type { ByteString } from '../../byte-string.js'
import type { Inode, Tree } from '../../drivers/layer.js'
import { lookup, rootStack, type Stack } from './lookup.js'
import { merge } from './merge.js'
import { isDirectoryMode, S_IFDIR, S_IFLNK, S_IFMT } from './mode.js'
import type { Walkable } from './resolve.js'
import { StatRows } from './stat-rows.js'

/**
 * Names looked up one by one before a directory is listed: reading one file out of a directory with a million names must
 * not list it, and a walk must not pay a search in every layer for every name.
 */
const lookupsBeforeListing = 4

/**
 * Dentries held at once, some 150 bytes each, and 64 more for one that was asked for. The largest real images have some hundred
 * thousand names.
 */
export const dentryBound = 1_000_000

const rootName = '' as ByteString

interface Directory {
  stack: Stack
  children: Map<ByteString, Dentry | undefined>
  complete: boolean
  /** The names are in the map in byte order. */
  sorted: boolean
  lookups: number
  /** Counted when complete. */
  subdirectories: number
}

export class Dentry {
  name: ByteString
  /** Itself for the root. */
  parent: Dentry
  lower: number
  inode: number
  mode: number
  /** Its row in the tree's `rows`, -1 if it has none; of a forgotten dentry it says nothing. */
  row = -1
  readonly directory: Directory | undefined
  /** How often it is open. */
  opens = 0

  constructor(name: ByteString, parent: Dentry | undefined, stack: Stack, mode: number) {
    const { lower, inode } = stack[0]!
    this.name = name
    this.parent = parent ?? this
    this.lower = lower
    this.inode = inode
    this.mode = mode
    this.directory = isDirectoryMode(mode)
      ? { stack, children: new Map(), complete: false, sorted: true, lookups: 0, subdirectories: 0 }
      : undefined
  }
}

/** What a name stands for, without the name. */
export type Standing = Pick<Dentry, 'lower' | 'inode' | 'mode' | 'directory'>

export class DentryTree implements Walkable<Dentry> {
  root: Dentry
  /** Counts how often everything was forgotten. */
  generation = 0
  readonly rows = new StatRows()
  /** The dentry of each row. */
  #dentries: (Dentry | undefined)[] = []
  /** Rows whose names are gone. */
  readonly #freeRows: number[] = []
  readonly #lowers: readonly Tree[]
  readonly #bound: number
  readonly #onForget: () => void
  #count = 0

  /** `onForget`: rows that somebody holds are no longer these dentries'. */
  constructor(lowers: readonly Tree[], bound = dentryBound, onForget: () => void = () => undefined) {
    this.#lowers = lowers
    this.#bound = bound
    this.#onForget = onForget
    this.root = this.#newRoot()
  }

  isDirectory(dentry: Dentry): boolean {
    return dentry.directory !== undefined
  }

  isSymlink(dentry: Dentry): boolean {
    return (dentry.mode & S_IFMT) === S_IFLNK
  }

  parent(dentry: Dentry): Dentry {
    return dentry.parent
  }

  linkTarget(dentry: Dentry): ByteString {
    return this.#lowers[dentry.lower]!.readlink(dentry.inode)
  }

  /** A fresh object. */
  attributes(dentry: Standing): Inode {
    return this.#lowers[dentry.lower]?.inode(dentry.inode) ?? emptyRoot
  }

  /** The dentry's row, which may yet have to be filled. It is the dentry's until the tree forgets. */
  rowOf(dentry: Dentry): number {
    if (dentry.row >= 0 && this.#dentries[dentry.row] === dentry) return dentry.row
    dentry.row = this.#freeRows.pop() ?? this.rows.add()
    this.#dentries[dentry.row] = dentry
    return dentry.row
  }

  dentryAt(row: number): Dentry {
    return this.#dentries[row]!
  }

  child(dentry: Dentry, name: ByteString): Dentry | undefined {
    const directory = dentry.directory!
    const child = directory.children.get(name)
    if (child !== undefined || directory.complete || directory.children.has(name)) return child
    if (++directory.lookups > lookupsBeforeListing) {
      this.#complete(dentry, directory)
      return directory.children.get(name)
    }
    const stack = lookup(this.#lowers, directory.stack, name)
    const found = stack.length === 0 ? undefined : this.#newDentry(name, dentry, stack)
    directory.children.set(name, found)
    return found
  }

  /** Every visible child, in byte order of the names. */
  children(dentry: Dentry): IterableIterator<Dentry> {
    const directory = dentry.directory!
    if (!directory.complete) this.#complete(dentry, directory)
    if (!directory.sorted) sortNames(directory)
    return directory.children.values() as IterableIterator<Dentry>
  }

  subdirectories(dentry: Dentry): number {
    const directory = dentry.directory!
    if (!directory.complete) this.#complete(dentry, directory)
    return directory.subdirectories
  }

  /** The absolute path of a dentry, free of symlinks and dots. */
  pathOf(dentry: Dentry): ByteString {
    const names: ByteString[] = []
    for (let at = dentry; at !== at.parent; at = at.parent) names.push(at.name)
    return `/${names.reverse().join('/')}` as ByteString
  }

  /** A name has come into a directory, in the place of nothing. */
  added(parent: Dentry, name: ByteString, stack: Stack): Dentry {
    const dentry = this.#newDentry(name, parent, stack)
    this.#enter(parent.directory!, dentry)
    return dentry
  }

  /** A name is gone. Who holds its dentry still reads and writes what it stood for. */
  removed(dentry: Dentry): void {
    const directory = dentry.parent.directory!
    if (directory.complete) directory.children.delete(dentry.name)
    else directory.children.set(dentry.name, undefined)
    if (dentry.directory !== undefined) directory.subdirectories--
    this.#count--
    this.#freeRow(dentry)
  }

  /** Whether the name is still there: what somebody holds may have lost it. */
  isLinked(dentry: Dentry): boolean {
    for (let at = dentry; at !== at.parent; at = at.parent) {
      if (at.parent.directory!.children.get(at.name) !== at) return false
    }
    return true
  }

  /** A name has become another, in the place of nothing; what was below it is below it still. */
  moved(dentry: Dentry, parent: Dentry, name: ByteString): void {
    this.removed(dentry)
    this.#count++
    dentry.parent = parent
    dentry.name = name
    this.#enter(parent.directory!, dentry)
  }

  /** Each of two has the other's name. */
  exchanged(first: Dentry, second: Dentry): void {
    const one = { parent: first.parent, name: first.name }
    const other = { parent: second.parent, name: second.name }
    this.removed(second)
    this.moved(first, other.parent, other.name)
    second.parent = one.parent
    second.name = one.name
    this.#count++
    this.#enter(one.parent.directory!, second)
  }

  /** What a name stands for is in the upper from now on. */
  raised(dentry: Dentry, stack: Stack): void {
    const { lower, inode } = stack[0]!
    dentry.lower = lower
    dentry.inode = inode
    if (dentry.directory !== undefined) dentry.directory.stack = stack
    this.rows.empty(dentry.row)
  }

  forget(): void {
    this.generation++
    this.#count = 0
    this.rows.clear()
    this.#dentries = []
    this.#freeRows.length = 0
    this.root = this.#newRoot()
    this.#onForget()
  }

  #newRoot(): Dentry {
    if (this.#lowers.length > 0)
      return new Dentry(rootName, undefined, rootStack(this.#lowers), this.#lowers[0]!.mode(0))
    const root = new Dentry(rootName, undefined, [{ lower: -1, inode: 0 }], S_IFDIR | 0o755)
    root.directory!.complete = true
    return root
  }

  #newDentry(name: ByteString, parent: Dentry, stack: Stack): Dentry {
    const { lower, inode } = stack[0]!
    this.#count++
    return new Dentry(name, parent, stack, this.#lowers[lower]!.mode(inode))
  }

  #freeRow(dentry: Dentry): void {
    if (dentry.row < 0 || this.#dentries[dentry.row] !== dentry) return
    this.rows.empty(dentry.row)
    this.#dentries[dentry.row] = undefined
    this.#freeRows.push(dentry.row)
    dentry.row = -1
  }

  #enter(directory: Directory, dentry: Dentry): void {
    directory.children.set(dentry.name, dentry)
    directory.sorted = false
    if (dentry.directory !== undefined) directory.subdirectories++
  }

  /** Lists a directory once; what was looked up by name before keeps its dentry. */
  #complete(dentry: Dentry, directory: Directory): void {
    if (this.#count > this.#bound) this.forget()
    const { children } = directory
    const before = children.size === 0 ? undefined : new Map(children)
    children.clear()
    directory.subdirectories = 0
    merge(this.#lowers, directory.stack, (name, stack) => {
      const child = before?.get(name) ?? this.#newDentry(name, dentry, stack)
      if (child.directory !== undefined) directory.subdirectories++
      children.set(name, child)
    })
    directory.complete = true
    directory.sorted = true
  }
}

function sortNames(directory: Directory): void {
  const names = [...directory.children.keys()].sort()
  directory.children = new Map(names.map(name => [name, directory.children.get(name)]))
  directory.sorted = true
}

/** An inode of which nothing is known. */
export const noInode: Inode = {
  mode: 0,
  uid: 0,
  gid: 0,
  nlink: 0,
  sizeBytes: 0,
  mtimeSec: 0,
  mtimeNsec: 0,
  deviceMajor: 0,
  deviceMinor: 0,
  opaque: false,
  implied: false,
}

/** The root of a view without layers. */
const emptyRoot: Inode = { ...noInode, mode: S_IFDIR | 0o755, nlink: 1, implied: true }
