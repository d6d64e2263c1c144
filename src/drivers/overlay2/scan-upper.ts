/**
 * Reads an upper directory into the tree of an upper, whoever wrote it: we, a kernel's mount, a container of a dockerd.
 *
 * Invariants:
 * - A directory merges with what the layers have under its name, unless it is opaque. The root always does (R-LK-3).
 * - What says that names or contents are elsewhere (redirect, metacopy), or hides names in a way of lower layers, is refused: to
 *   leave it out would lose data (R-RE-5). Other notes of overlayfs say nothing about the tree.
 */
import type { BigIntStats } from 'node:fs'
import { type ByteString, printable } from '../../byte-string.js'
import { PhylloError } from '../../errors.js'
import type { CallPath } from '../../native/system-calls.js'
import type { Stack } from '../layer.js'
import type { Lowers, NewNode, UpperNode } from '../upper.js'
import type { UpperTree } from '../upper-tree.js'
import { type ConfinedDirectory, joined, readlinkAt } from './confined-directory.js'
import {
  deviceOf,
  directoryType,
  fileType,
  isWhiteout,
  sizeOf,
  symlinkType,
  timeOf,
  typeOf,
} from './entry-attributes.js'
import { upperName } from './upper-disk.js'
import type { UpperPlaces } from './upper-places.js'

/** Names of the notes that a reader must know about and we do not follow. */
const refused: ReadonlySet<string> = new Set(
  ['redirect', 'metacopy', 'whiteout'].map(name => `trusted.overlay.${name}`),
)

/** The root of the upper that stands in the directory. */
export function scanRoot(reading: ConfinedDirectory): NewNode {
  let root: NewNode | undefined
  reading.list('' as ByteString, ({ name, stats }, at) => {
    if (name !== upperName || typeOf(stats.mode) !== directoryType) return
    refuseNotes(reading, at, '/')
    root = { ...attributesOf(stats), xattrs: reading.xattrsAt(at) }
  })
  if (root !== undefined) return root
  const path = `${reading.path}/${upperName}`
  throw new PhylloError('STORE_CORRUPT', `${path}: missing`, { path })
}

export interface ScanInto {
  readonly tree: UpperTree
  readonly places: UpperPlaces
  readonly lowers: Lowers
}

/** What a name in a directory is, and what only the open directory could tell. */
interface Scanned {
  readonly name: ByteString
  readonly stats: BigIntStats
  readonly opaque: boolean
  readonly node: NewNode
}

/** Puts all that is below the root into a tree that is new. */
export function scanUpper(reading: ConfinedDirectory, into: ScanInto): void {
  new Scan(reading, into).fill()
}

class Scan {
  readonly #reading: ConfinedDirectory
  readonly #into: ScanInto
  /** By st_ino: nodes of several names. */
  readonly #linked = new Map<bigint, UpperNode>()

  constructor(reading: ConfinedDirectory, into: ScanInto) {
    this.#reading = reading
    this.#into = into
  }

  fill(): void {
    const waiting: { readonly directory: UpperNode; readonly path: ByteString }[] = [
      { directory: this.#into.tree.root, path: upperName },
    ]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { directory, path } = next
      for (const entry of this.#entries(path)) {
        const node = this.#place(directory, entry)
        if (node !== undefined && typeOf(node.mode) === directoryType)
          waiting.push({ directory: node, path: joined(path, entry.name) })
      }
    }
  }

  #entries(path: ByteString): Scanned[] {
    const entries: Scanned[] = []
    this.#reading.list(path, ({ name, stats }, at) => entries.push(this.#scanned(joined(path, name), name, stats, at)))
    return entries
  }

  #scanned(path: ByteString, name: ByteString, stats: BigIntStats, at: CallPath): Scanned {
    if (isWhiteout(stats)) return { name, stats, opaque: false, node: attributesOf(stats) }
    refuseNotes(this.#reading, at, path.slice(upperName.length))
    const type = typeOf(stats.mode)
    const target = type === symlinkType ? { target: readlinkAt(at) } : {}
    const node = { ...attributesOf(stats), ...target, xattrs: this.#reading.xattrsAt(at) }
    return { name, stats, node, opaque: type === directoryType && this.#reading.isOpaque(at) }
  }

  #place(directory: UpperNode, { name, stats, opaque, node }: Scanned): UpperNode | undefined {
    const { tree, places } = this.#into
    const spot = { directory: directory.id, name }
    if (isWhiteout(stats)) return void tree.whiteout(directory, name)
    const type = typeOf(stats.mode)
    const several = stats.nlink > 1n && type !== directoryType
    const known = several ? this.#linked.get(stats.ino) : undefined
    const made = known ?? tree.create(type === directoryType && !opaque ? this.#merging(directory, name, node) : node)
    places.add(made.id, spot)
    tree.place(directory, name, made)
    if (known !== undefined) return undefined
    tree.release(made)
    if (several) this.#linked.set(stats.ino, made)
    const bytes = sizeOf(stats)
    if (type === fileType) tree.setContent(made, bytes, { id: made.id, bytes, since: 1 })
    return made
  }

  #merging(directory: UpperNode, name: ByteString, node: NewNode): NewNode {
    const { lowers } = this.#into
    const below: Stack = directory.lowers.length === 0 ? [] : lowers.lookup(directory.lowers, name)
    const [top] = below
    const merges = top !== undefined && typeOf(lowers.tree(top.lower).mode(top.inode)) === directoryType
    return { ...node, lowers: merges ? below : [] }
  }
}

function refuseNotes(reading: ConfinedDirectory, at: CallPath, path: string): void {
  const xattr = reading.notes(at).find(name => refused.has(name))
  if (xattr === undefined) return
  const shown = printable(path)
  const message = `${reading.path}/${upperName}: ${shown} has ${xattr}, and cannot be read without what that says`
  throw new PhylloError('ENTRY_UNSUPPORTED', message, { path: reading.path, entry: shown, xattr })
}

function attributesOf(stats: BigIntStats): NewNode {
  return {
    mode: Number(stats.mode),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    atime: timeOf(stats.atimeNs),
    mtime: timeOf(stats.mtimeNs),
    ctime: timeOf(stats.ctimeNs),
    birthtime: timeOf(stats.birthtimeNs),
    ...deviceOf(stats),
  }
}
