/**
 * The tree of one layer, from the entries of its tar in their order. Rules: OCI image-spec layer.md, and where that is
 * silent what dockerd's native overlay2 path does.
 *
 * Invariants:
 * - Whiteouts and opaque marks speak of lower layers alone, so it does not matter where they stand among the entries
 *   of this layer: they are marks on a name, settled when all entries are there.
 * - Nothing that was refused leaves a trace that anybody reads: an error ends the whole tree.
 */
import { type ByteString, printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import type { Limits } from '../limits.js'
import type { TarEntry } from '../tar/entry.js'
import { isShort, normalizeName } from '../tar/name.js'
import { checkParents, classifyName, whiteoutPrefix } from '../tar/whiteout.js'
import { InodeTable } from './inode-table.js'
import { KnownWays, type Way } from './known-ways.js'
import { absent, NameTable } from './name-table.js'
import { isImplied, TreeWalk } from './tree-walk.js'
import { Warnings } from './warnings.js'
import { isKept } from './xattr-arena.js'

/** Bits of `NameTable.marks`. */
export const marks = { whiteout: 1, opaque: 2 } as const

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

  constructor(limits: Limits) {
    this.#limits = limits
    this.#walk = new TreeWalk(this.inodes, this.names, limits)
    const root = this.inodes.addImplied()
    this.inodes.solid[root] = 1
    this.inodes.nlink[root] = 1
  }

  /** Throws PATH_ESCAPE, TAR_INVALID, WHITEOUT_INVALID, LIMIT_EXCEEDED; the scanner says which entry it was. */
  add(entry: TarEntry): void {
    this.#walk.allowEntry()
    this.entries++
    const { name } = entry
    const end = name.endsWith('/') ? name.length - 1 : name.length
    const at = name.lastIndexOf('/', end - 1) + 1
    const way = this.#ways.get(name.slice(0, at))
    const base = name.slice(at, end) as ByteString
    if (way !== undefined && isShort(name, this.#limits) && isPlain(base, entry)) this.#addPlain(way, base, entry)
    else this.#addByWalk(entry)
  }

  #addByWalk(entry: TarEntry): void {
    const path = normalizeName(entry.name, this.#limits)
    const base = path.at(-1)
    if (base === undefined) checkRoot(entry)
    else this.#addAt(path, base, entry)
  }

  #addAt(path: readonly ByteString[], base: ByteString, entry: TarEntry): void {
    if (entry.name.includes('\0')) throw new PhylloError('TAR_INVALID', 'the name holds a NUL')
    checkParents(path)
    const kind = classifyName(base)
    if (kind.kind === 'opaque') this.#markOpaque(path)
    else if (kind.kind === 'whiteout') this.#markWhiteout(path, kind.name)
    else if (entry.type === 'char' && entry.deviceMajor === 0 && entry.deviceMinor === 0) {
      this.warnings.add(`${said(entry.name)}: a character device 0:0 is taken as a whiteout`)
      this.#markWhiteout(path, base)
    } else {
      const dir = this.#walk.to(path, path.length - 1, 'make')
      const way = { spelled: spelledWay(entry.name, base), dir, depth: this.#walk.depth }
      this.#ways.add(way)
      this.#addPlain(way, base, entry)
    }
  }

  #addPlain(way: Way, base: ByteString, entry: TarEntry): void {
    if (entry.xattrs.length > 0 && !entry.xattrs.every(isKept))
      this.warnings.add(`${said(entry.name)}: xattrs of the overlay file system are ignored`)
    const row = this.names.findOrAdd(way.dir, base)
    if (entry.type === 'hardlink') this.#addLink(row, entry)
    else if (entry.type === 'directory') this.#addDirectory(row, entry, way, base)
    else this.#put(row, this.inodes.add(entry, entry.type), entry)
  }

  #markOpaque(path: readonly ByteString[]): void {
    this.#walk.to(path, path.length - 1, 'make-for-mark')
    const { row } = this.#walk
    if (row < 0) this.warnings.add('an opaque mark on the root of the layer is ignored')
    else this.#mark(row, marks.opaque)
  }

  #markWhiteout(path: readonly ByteString[], name: ByteString): void {
    const dir = this.#walk.to(path, path.length - 1, 'make-for-mark')
    const row = this.names.findOrAdd(dir, name)
    this.#mark(row, marks.whiteout)
  }

  #mark(row: number, mark: number): void {
    this.marked = true
    this.names.marks[row]! |= mark
  }

  #addDirectory(row: number, entry: TarEntry, { spelled, depth }: Way, base: ByteString): void {
    const there = this.names.inode[row]!
    if (there === absent || !this.inodes.isType(there, 'directory')) {
      this.#put(row, this.inodes.add(entry, 'directory'), entry)
    } else {
      if (!isImplied(this.inodes, there)) this.#warnDuplicate(entry)
      this.inodes.redefineDirectory(there, entry)
    }
    const dir = this.names.inode[row]!
    this.inodes.solid[dir] = 1
    if (spelled !== undefined && depth < this.#limits.pathDepth)
      this.#ways.add({ spelled: `${spelled}${base}/`, dir, depth: depth + 1 })
  }

  /** As link(2) after the removal of what has the name: so a link to itself, or into what it replaces, has no target. */
  #addLink(row: number, entry: TarEntry): void {
    const replaced = this.names.inode[row]!
    this.names.inode[row] = absent
    const target = this.#linkTarget(entry)
    this.names.inode[row] = replaced
    this.#put(row, target, entry)
    this.inodes.applyLink(target, entry)
  }

  #linkTarget({ linkName }: TarEntry): number {
    const path = normalizeName(linkName, this.#limits)
    const dir = path.length === 0 ? absent : this.#walk.to(path, path.length - 1, 'stop')
    const row = dir === absent ? -1 : this.names.find(dir, path.at(-1)!)
    const inode = row < 0 ? absent : this.names.inode[row]!
    const target = `its target "${printable(linkName)}"`
    if (path.length === 0 || (inode !== absent && this.inodes.isType(inode, 'directory')))
      throw new PhylloError('TAR_INVALID', `${target} is a directory`)
    if (inode === absent) throw new PhylloError('TAR_INVALID', `${target} does not come before it in this layer`)
    return inode
  }

  /** Whatever had the name, a directory with all that is below it too, is gone. */
  #put(row: number, inode: number, entry: TarEntry): void {
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

/** The root's attributes are the view's business; dockerd ignores what a tar says about them, too. */
function checkRoot({ type }: TarEntry): void {
  if (type !== 'directory') throw new PhylloError('PATH_ESCAPE', `the root of a layer cannot be a ${type}`)
}
