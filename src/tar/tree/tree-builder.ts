/**
 * The tree of one layer, from the entries of its tar in their order. Rules: OCI image-spec layer.md, and where that is
 * silent what dockerd's native overlay2 path does.
 *
 * Invariants:
 * - Whiteouts and opaque marks speak of lower layers alone, so it does not matter where they stand among the entries
 *   of this layer: they are marks on a name, settled when all entries are there.
 * - Nothing that was refused leaves a trace that anybody reads: an error ends the whole tree.
 */
import { type ByteString, printable } from '../../byte-string.js'
import { PhylloError } from '../../errors.js'
import type { Limits } from '../../limits.js'
import type { TarEntry } from '../entry.js'
import { isShort, normalizeName } from '../name.js'
import { checkParents, classifyName, whiteoutPrefix } from '../whiteout.js'
import { InodeTable, type LinkChanges } from './inode-table.js'
import { KnownWays, type Way } from './known-ways.js'
import { absent, NameTable } from './name-table.js'
import { isImplied, TreeWalk } from './tree-walk.js'
import { Warnings } from './warnings.js'
import { isKept } from './xattr-arena.js'

/** Bits of `NameTable.marks`. A whiteout is one by its name, `.wh.x`, or a device 0:0 called `x`. */
export const marks = { whiteout: 1, opaque: 2, byName: 4, byDevice: 8 } as const

/** Whether the last entry of one name counts, or a second one is TAR_INVALID: then no name ever changes what it stands for. */
export type Duplicates = 'last' | 'refused'

/** What an entry did to the tree. */
export interface Placed {
  /** `inode`: a new one under this name; `directory`: a new or a known one; `none`: the root, or an opaque mark on it. */
  readonly kind: 'inode' | 'directory' | 'link' | 'whiteout' | 'opaque' | 'none'
  /** Of its name; of an opaque mark that of the directory. */
  readonly row: number
  /** Of a link, the row of what it is one more name of. */
  readonly target: number
  /** On the way there is a symlink that is absolute or climbs above the root: on a host the same name leads elsewhere. */
  readonly strayed: boolean
  /** Of a link. */
  readonly changes: LinkChanges | undefined
}

/** By which ways a directory was an entry. */
const named = { plainly: 1, throughSymlink: 2 } as const

export class TreeBuilder {
  readonly inodes = new InodeTable()
  readonly names = new NameTable()
  readonly warnings = new Warnings()
  /** Entries of the tar so far. */
  entries = 0
  /** Some name has a mark. */
  marked = false
  /** Some name stopped standing for what it stood for. */
  replaced = false
  readonly #limits: Limits
  readonly #walk: TreeWalk
  readonly #ways = new KnownWays()
  readonly #refuses: boolean
  readonly #placed = {
    kind: 'none' as Placed['kind'],
    row: -1,
    target: -1,
    strayed: false,
    changes: undefined as LinkChanges | undefined,
  }
  /** Directories that were an entry through a symlink, with bits of `named`; only where duplicates are refused. */
  readonly #namedTwice = new Map<number, number>()
  #rootNamed = false
  #rootOpaque = false

  constructor(limits: Limits, duplicates: Duplicates = 'last') {
    this.#limits = limits
    this.#refuses = duplicates === 'refused'
    this.#walk = new TreeWalk(this.inodes, this.names, limits)
    const root = this.inodes.addImplied()
    this.inodes.solid[root] = 1
    this.inodes.nlink[root] = 1
  }

  /**
   * The answer is valid until the next entry. Throws PATH_ESCAPE, TAR_INVALID, WHITEOUT_INVALID, LIMIT_EXCEEDED; the
   * scanner says which entry it was.
   */
  add(entry: TarEntry): Placed {
    this.#walk.allowEntry()
    this.entries++
    const { name } = entry
    const end = name.endsWith('/') ? name.length - 1 : name.length
    const at = name.lastIndexOf('/', end - 1) + 1
    const way = this.#ways.get(name.slice(0, at))
    const base = name.slice(at, end) as ByteString
    if (way !== undefined && isShort(name, this.#limits) && isPlain(base, entry)) this.#addPlain(way, base, entry)
    else this.#addByWalk(entry)
    return this.#placed
  }

  #addByWalk(entry: TarEntry): void {
    const path = normalizeName(entry.name, this.#limits)
    const base = path.at(-1)
    if (base === undefined) this.#addRoot(entry)
    else this.#addAt(path, base, entry)
  }

  /** The root's attributes are the view's business; dockerd ignores what a tar says about them, too. */
  #addRoot({ type }: TarEntry): void {
    if (type !== 'directory') throw new PhylloError('PATH_ESCAPE', `the root of a layer cannot be a ${type}`)
    if (this.#refuses && this.#rootNamed) throw duplicate()
    this.#rootNamed = true
    this.#place('none', -1, false)
  }

  #place(kind: Placed['kind'], row: number, strayed: boolean): void {
    const placed = this.#placed
    placed.kind = kind
    placed.row = row
    placed.strayed = strayed
  }

  #addAt(path: readonly ByteString[], base: ByteString, entry: TarEntry): void {
    if (entry.name.includes('\0')) throw new PhylloError('TAR_INVALID', 'the name holds a NUL')
    checkParents(path)
    const kind = classifyName(base)
    if (kind.kind === 'opaque') this.#markOpaque(path)
    else if (kind.kind === 'whiteout') this.#markWhiteout(path, kind.name, marks.byName)
    else if (entry.type === 'char' && entry.deviceMajor === 0 && entry.deviceMinor === 0) {
      this.warnings.add(`${said(entry.name)}: a character device 0:0 is taken as a whiteout`)
      this.#markWhiteout(path, base, marks.byDevice)
    } else {
      const dir = this.#walk.to(path, path.length - 1, 'make')
      const { depth, hops, strayed } = this.#walk
      const way = { spelled: spelledWay(entry.name, base), dir, depth, symlinked: hops > 0, strayed }
      this.#ways.add(way)
      this.#addPlain(way, base, entry)
    }
  }

  #addPlain(way: Way, base: ByteString, entry: TarEntry): void {
    if (entry.xattrs.length > 0 && !entry.xattrs.every(isKept))
      this.warnings.add(`${said(entry.name)}: xattrs of the overlay file system are ignored`)
    const row = this.names.findOrAdd(way.dir, base)
    if (entry.type === 'hardlink') this.#addLink(row, entry, way.strayed)
    else if (entry.type === 'directory') this.#addDirectory(row, entry, way, base)
    else {
      this.#put(row, this.inodes.add(entry, entry.type), entry)
      this.#place('inode', row, way.strayed)
    }
  }

  #markOpaque(path: readonly ByteString[]): void {
    this.#walk.to(path, path.length - 1, 'make-for-mark')
    const { row, strayed } = this.#walk
    if (row >= 0) this.#mark(row, marks.opaque)
    else {
      if (this.#refuses && this.#rootOpaque) throw duplicate()
      this.#rootOpaque = true
      this.warnings.add('an opaque mark on the root of the layer is ignored')
    }
    this.#place(row < 0 ? 'none' : 'opaque', row, strayed)
  }

  #markWhiteout(path: readonly ByteString[], name: ByteString, by: number): void {
    const dir = this.#walk.to(path, path.length - 1, 'make-for-mark')
    const row = this.names.findOrAdd(dir, name)
    if (by === marks.byDevice) this.#refuseSecond(row)
    this.#mark(row, by)
    this.names.marks[row]! |= marks.whiteout
    this.#place('whiteout', row, this.#walk.strayed)
  }

  #mark(row: number, mark: number): void {
    this.marked = true
    if (this.#refuses && (this.names.marks[row]! & mark) !== 0) throw duplicate()
    this.names.marks[row]! |= mark
  }

  /** Throws where the name is one of an entry already and that is refused. A directory may only be implied. */
  #refuseSecond(row: number): void {
    if (!this.#refuses) return
    const there = this.names.inode[row]!
    const isEntry = there !== absent && !isImplied(this.inodes, there)
    if (isEntry || (this.names.marks[row]! & marks.byDevice) !== 0) throw duplicate()
  }

  #addDirectory(row: number, entry: TarEntry, way: Way, base: ByteString): void {
    const there = this.names.inode[row]!
    const known = there !== absent && this.inodes.isType(there, 'directory')
    if (this.#refuses) this.#refuseSecondDirectory(row, known ? there : absent, way.symlinked)
    if (known) {
      if (!isImplied(this.inodes, there)) this.#warnDuplicate(entry)
      this.inodes.redefineDirectory(there, entry)
    } else {
      const made = this.inodes.add(entry, 'directory')
      this.#put(row, made, entry)
      this.inodes.setRow(made, row)
    }
    const dir = this.names.inode[row]!
    this.inodes.solid[dir] = 1
    this.#place('directory', row, way.strayed)
    const { spelled, depth } = way
    if (spelled !== undefined && depth < this.#limits.pathDepth)
      this.#ways.add({ ...way, spelled: `${spelled}${base}/`, dir, depth: depth + 1 })
  }

  /**
   * A directory may be an entry by its own name, and once more through a symlink (`lib/x` and `usr/lib/x`): dockerd takes
   * that as well. What comes twice in one spelling, no reader of tar-split takes.
   */
  #refuseSecondDirectory(row: number, there: number, symlinked: boolean): void {
    const now = symlinked ? named.throughSymlink : named.plainly
    const plainly = there !== absent && !isImplied(this.inodes, there)
    const before = this.#namedTwice.get(row) ?? (plainly ? named.plainly : 0)
    const device = this.names.marks[row]! & marks.byDevice
    if (there === absent || (before & now) !== 0 || device !== 0) this.#refuseSecond(row)
    if (symlinked || before !== 0) this.#namedTwice.set(row, before | now)
  }

  /** As link(2) after the removal of what has the name: so a link to itself, or into what it replaces, has no target. */
  #addLink(row: number, entry: TarEntry, strayed: boolean): void {
    const replaced = this.names.inode[row]!
    this.names.inode[row] = absent
    const target = this.#linkTarget(entry)
    this.names.inode[row] = replaced
    const inode = this.names.inode[target]!
    this.#put(row, inode, entry)
    const changes = this.inodes.applyLink(inode, entry)
    this.#place('link', row, strayed)
    this.#placed.target = target
    this.#placed.changes = changes
  }

  /** Row of what a hard link is to be one more name of. */
  #linkTarget({ linkName }: TarEntry): number {
    const path = normalizeName(linkName, this.#limits)
    const dir = path.length === 0 ? absent : this.#walk.to(path, path.length - 1, 'stop')
    const row = dir === absent ? -1 : this.names.find(dir, path.at(-1)!)
    const inode = row < 0 ? absent : this.names.inode[row]!
    const target = `its target "${printable(linkName)}"`
    if (path.length === 0 || (inode !== absent && this.inodes.isType(inode, 'directory')))
      throw new PhylloError('TAR_INVALID', `${target} is a directory`)
    if (inode === absent) throw new PhylloError('TAR_INVALID', `${target} does not come before it in this layer`)
    return row
  }

  /** Whatever had the name, a directory with all that is below it too, is gone. */
  #put(row: number, inode: number, entry: TarEntry): void {
    if (this.#refuses && (this.names.inode[row] !== absent || (this.names.marks[row]! & marks.byDevice) !== 0))
      throw duplicate()
    if (this.names.inode[row] !== absent) {
      this.#warnDuplicate(entry)
      this.#ways.forget()
      this.replaced = true
    }
    this.names.inode[row] = inode
    this.inodes.nlink[inode]!++
  }

  #warnDuplicate(entry: TarEntry): void {
    this.warnings.add(`${said(entry.name)}: comes more than once, the last one counts`)
  }
}

function duplicate(): PhylloError {
  return new PhylloError('TAR_INVALID', 'the name comes more than once in this layer, which dockerd refuses, too')
}

/** All of a name but its last component, where it ends with that or with one slash behind it. */
function spelledWay(name: ByteString, base: ByteString): string | undefined {
  const at = name.length - base.length - (name.endsWith('/') ? 1 : 0)
  return name.startsWith(base, at) && (at === 0 || name[at - 1] === '/') ? name.slice(0, at) : undefined
}

/** Whether a last component stands for nothing but an entry of its name. */
function isPlain(base: ByteString, { type }: TarEntry): boolean {
  if (base === '' || base === '.' || base === '..' || type === 'char') return false
  return !base.startsWith(whiteoutPrefix) && !base.includes('\0')
}

function said(name: ByteString): string {
  return `"${printable(name)}"`
}
