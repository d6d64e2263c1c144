/**
 * What a batch of changes has to do on the disk when it ends.
 *
 * The order of effects: attributes of what has them new, opaque marks among them, and times of what has no name yet; then names
 * (name-changes.ts); then what nobody has any more is deleted; then other times, of directories too, for all of that has changed them.
 */
import type { ByteString } from '../../byte-string.js'
import { WHITEOUT } from '../layer.js'
import type { Attributes, Lowers, UpperNode } from '../upper.js'
import type { UpperTree } from '../upper-tree.js'
import { NameChanges, type Slot } from './name-changes.js'
import type { UpperDisk } from './upper-disk.js'
import type { UpperPlaces } from './upper-places.js'

export interface BatchParts {
  readonly tree: UpperTree
  readonly places: UpperPlaces
  readonly disk: UpperDisk
  readonly lowers: Lowers
}

export class Batch {
  readonly #parts: BatchParts
  readonly #slots = new Map<UpperNode, Map<ByteString, Slot>>()
  readonly #owners = new Set<UpperNode>()
  readonly #modes = new Set<UpperNode>()
  readonly #xattrs = new Set<UpperNode>()
  readonly #opaque = new Set<UpperNode>()
  readonly #times = new Set<UpperNode>()
  /** Nodes that may have no name and no holder by the end. */
  readonly #mayGo = new Set<UpperNode>()

  constructor(parts: BatchParts) {
    this.#parts = parts
  }

  /** Before the tree gives the name to something else. */
  name(directory: UpperNode, name: ByteString): void {
    const child = directory.children.get(name)
    if (child !== undefined && child !== WHITEOUT) this.mayGo(child)
    let slots = this.#slots.get(directory)
    if (slots === undefined) this.#slots.set(directory, (slots = new Map()))
    if (!slots.has(name)) slots.set(name, { directory: directory.id, name, now: child })
  }

  /** Before the tree lets go of a node: with it may go what is below it. */
  mayGo(node: UpperNode): void {
    this.#mayGo.add(node)
    for (const child of node.children.values()) if (child !== WHITEOUT) this.mayGo(child)
  }

  attributes(node: UpperNode, { mode, uid, gid, atime, mtime }: Partial<Attributes>): void {
    if (uid !== undefined || gid !== undefined) this.#owners.add(node)
    if (mode !== undefined) this.#modes.add(node)
    if (atime !== undefined || mtime !== undefined) this.#times.add(node)
  }

  xattrs(node: UpperNode): void {
    this.#xattrs.add(node)
  }

  times(node: UpperNode): void {
    this.#times.add(node)
  }

  touched(directories: Iterable<number>): void {
    for (const id of directories) this.#times.add(this.#parts.tree.node(id))
  }

  /** A directory has got a name. Where the layers have something that it does not merge with, it has to say so. */
  marks(parent: UpperNode, name: ByteString, directory: UpperNode): void {
    const below = this.#parts.lowers.lookup(parent.lowers, name)
    if (directory.lowers.length === 0 && below.length > 0) this.mark(directory)
  }

  mark(directory: UpperNode): void {
    this.#opaque.add(directory)
  }

  end(): void {
    this.#setAttributes()
    this.#setTimesInWork()
    const slots = [...this.#slots.values()].flatMap(named => [...named.values()])
    if (slots.length > 0) {
      const { tree, disk, places } = this.#parts
      const names = new NameChanges(tree, disk, places, slots)
      names.run()
      this.touched(names.touched)
    }
    this.#bury()
    this.#setTimes()
  }

  #setAttributes(): void {
    const { disk } = this.#parts
    for (const [node, path] of this.#standing(new Set([...this.#owners, ...this.#modes, ...this.#xattrs]))) {
      const owner = this.#owners.has(node)
      if (owner) disk.setOwner(path, node)
      if (owner || this.#modes.has(node)) disk.setMode(path, node.mode)
      if (this.#xattrs.has(node) || (owner && node.xattrs.length > 0)) disk.setXattrs(path, node.xattrs)
      this.#times.add(node)
    }
    for (const [, path] of this.#standing(this.#opaque)) disk.setOpaque(path)
  }

  /** What gets its first name has its times by then. */
  #setTimesInWork(): void {
    const { disk, places } = this.#parts
    for (const node of [...this.#times]) {
      const path = places.inWork(node.id)
      if (path === undefined) continue
      disk.setTimes(path, node)
      this.#times.delete(node)
    }
  }

  #setTimes(): void {
    for (const [node, path] of this.#standing(this.#times)) this.#parts.disk.setTimes(path, node)
  }

  /** Deletes what nobody has any more; what is held below a directory that is gone is taken out first. */
  #bury(): void {
    const { tree, places, disk } = this.#parts
    for (const node of this.#mayGo) {
      if (tree.find(node.id) === undefined || !places.stands(node.id)) continue
      const isThere = (directory: number) => tree.find(directory) !== undefined
      const spots = places.spots(node.id)
      if (spots.every(({ directory }) => isThere(directory))) continue
      const [first] = spots
      const left = spots.filter(({ directory }) => isThere(directory))
      if (left.length > 0) places.keep(node.id, spot => left.includes(spot))
      else {
        const aside = disk.fresh()
        disk.rename(places.at(first!), aside)
        places.toWork(node.id, aside)
      }
    }
    const gone = [...this.#mayGo].filter(({ id }) => tree.find(id) === undefined)
    for (const { id } of gone) {
      const work = places.inWork(id)
      if (work !== undefined) disk.deleteTree(work)
    }
    for (const { id } of gone) places.forget(id)
  }

  /** Those that are still there, and where. */
  *#standing(nodes: Iterable<UpperNode>): Generator<[UpperNode, ByteString], void, void> {
    const { tree, places } = this.#parts
    for (const node of nodes)
      if (tree.find(node.id) !== undefined && (node === tree.root || places.stands(node.id)))
        yield [node, places.path(node.id)]
  }
}
