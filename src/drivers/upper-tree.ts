/**
 * The tree of an upper in memory. Contents are somebody else's: the tree knows where a node's content is kept, by an object that
 * it does not look into.
 *
 * Invariants:
 * - Every change is one `Change`, and `#apply` is the only place that makes one true, when it happens and when it is played again.
 * - A snapshot is told of a change before it happens.
 * - A node is forgotten, and its content let go of, when it has neither a name nor a holder.
 */
import type { ByteString } from '../byte-string.js'
import type { Xattr } from '../tar/entry.js'
import { WHITEOUT } from './layer.js'
import type { Attributes, NewNode, UpperNode } from './upper.js'
import type { Change } from './upper-change.js'
import { rootId, UpperMetadata } from './upper-metadata.js'
import { type Child, Node } from './upper-node.js'
import { type SnapshotContents, TreeSnapshot } from './upper-snapshot.js'

export interface UpperTreeOptions {
  /** Told of every change that happens here, and of none that is played again. */
  readonly record: (change: Change) => void
  /** A node is gone: its content is not needed any more. */
  readonly letGo: (stored: unknown) => void
}

/** Everything of an Upper but its contents. */
export class UpperTree extends UpperMetadata {
  readonly root: UpperNode
  /** Nodes and whiteouts. */
  usedEntries = 0
  readonly #nodes = new Map<number, Node>()
  readonly #options: UpperTreeOptions
  readonly #snapshots = new Set<TreeSnapshot>()
  #next = rootId
  #playing = false

  /** The root is the union's own: it is there from the beginning and merges with the roots of all lowers. */
  constructor(root: NewNode, options: UpperTreeOptions) {
    super()
    this.#options = options
    this.root = this.#add(this.#next, root)
    this.at(rootId).nlink = 1
  }

  get inodeCount(): number {
    return this.#nodes.size
  }

  /** The id of the node that is made next. */
  get nextId(): number {
    return this.#next
  }

  /** No id below this is used again: those nodes are gone. */
  skipTo(id: number): void {
    this.#next = Math.max(this.#next, id)
  }

  /** The node, if it is still there. */
  find(id: number): (UpperNode & { readonly stored: unknown }) | undefined {
    return this.#nodes.get(id)
  }

  /** All nodes, also those that live by a holder alone, and where their content is. */
  nodes(): IterableIterator<UpperNode & { readonly stored: unknown }> {
    return this.#nodes.values()
  }

  node(id: number): UpperNode {
    return this.at(id)
  }

  /** Where content of its own is kept; undefined if it has none. */
  storedOf(node: UpperNode): unknown {
    return this.at(node.id).stored
  }

  create(node: NewNode): UpperNode {
    const id = this.#next
    this.#happen({ op: 'create', id, node })
    const made = this.at(id)
    made.holders++
    return made
  }

  place(directory: UpperNode, name: ByteString, node: UpperNode): void {
    this.#happen({ op: 'place', directory: directory.id, name, id: node.id })
  }

  remove(directory: UpperNode, name: ByteString): void {
    this.#happen({ op: 'remove', directory: directory.id, name })
  }

  whiteout(directory: UpperNode, name: ByteString): void {
    this.#happen({ op: 'whiteout', directory: directory.id, name })
  }

  setAttributes(node: UpperNode, attributes: Partial<Attributes>): void {
    this.#happen({ op: 'attributes', id: node.id, attributes })
  }

  setXattrs(node: UpperNode, xattrs: readonly Xattr[]): void {
    this.#happen({ op: 'xattrs', id: node.id, xattrs })
  }

  /** The directory merges with nothing from now on. Recorded by nobody: only uppers without a journal do it. */
  detach(directory: UpperNode): void {
    this.#changing(directory.id).lowers = []
  }

  setContent(node: UpperNode, sizeBytes: number, stored: unknown): void {
    this.#happen({ op: 'content', id: node.id, sizeBytes, stored })
  }

  /** The tree at this moment; what happens from now on does not show in it. */
  snapshot(contents: SnapshotContents): TreeSnapshot {
    const live = (id: number) => this.at(id)
    const snapshot = new TreeSnapshot(contents, {
      live,
      next: this.#next,
      ended: () => void this.#snapshots.delete(snapshot),
    })
    this.#snapshots.add(snapshot)
    return snapshot
  }

  /** To be told before the content of a node changes where it is. Answers what snapshots know of it. */
  keep(node: UpperNode): readonly unknown[] {
    if (this.#snapshots.size === 0) return []
    this.#keep(this.at(node.id))
    return [...this.#snapshots].map(snapshot => snapshot.stored(node.id))
  }

  hold(node: UpperNode): void {
    this.at(node.id).holders++
  }

  release(node: UpperNode): void {
    const held = this.at(node.id)
    held.holders--
    this.#forgetIfLost(held)
  }

  /** Plays a change again, the next from the beginning. Nothing is recorded. */
  play(change: Change): void {
    // What has no name may still be changed by what follows: somebody had it open then.
    this.#playing = true
    this.#apply(change)
  }

  /** Ends playing: who held what had no name is gone. */
  forgetNameless(): void {
    this.#playing = false
    for (const node of this.#nodes.values()) this.#forgetIfLost(node)
  }

  protected at(id: number): Node {
    const node = this.#nodes.get(id)
    if (node === undefined) throw new Error(`the upper has no node ${id}`)
    return node
  }

  protected child(directory: Node, name: ByteString): Child | undefined {
    return directory.children.get(name)
  }

  protected names(directory: Node): Iterable<ByteString> {
    return directory.children.keys()
  }

  #happen(change: Change): void {
    this.#apply(change)
    this.#options.record(change)
  }

  #apply(change: Change): void {
    switch (change.op) {
      case 'create':
        this.#add(change.id, change.node)
        return
      case 'place':
        this.#place(this.at(change.directory), change.name, this.#changing(change.id))
        return
      case 'remove':
        this.#replace(this.at(change.directory), change.name, undefined)
        return
      case 'whiteout':
        this.#replace(this.at(change.directory), change.name, WHITEOUT)
        return
      case 'attributes':
        this.#changing(change.id).change(change.attributes)
        return
      case 'xattrs':
        this.#changing(change.id).xattrs = change.xattrs
        return
      case 'content':
        this.#setContent(this.#changing(change.id), change.sizeBytes, change.stored)
    }
  }

  #changing(id: number): Node {
    const node = this.at(id)
    this.#keep(node)
    return node
  }

  #keep(node: Node): void {
    if (this.#snapshots.size > 0) for (const snapshot of this.#snapshots) snapshot.keep(node)
  }

  #add(id: number, fields: NewNode): Node {
    const node = new Node(id, fields)
    this.#nodes.set(id, node)
    this.#next = Math.max(this.#next, id + 1)
    this.usedEntries++
    return node
  }

  #place(directory: Node, name: ByteString, node: Node): void {
    node.nlink++
    this.#replace(directory, name, node)
  }

  #replace(directory: Node, name: ByteString, child: Child | undefined): void {
    const before = directory.children.get(name)
    if (this.#snapshots.size > 0) this.#keepName(directory, name, before)
    if (child === undefined) directory.children.delete(name)
    else directory.children.set(name, child)
    if (child === WHITEOUT) this.usedEntries++
    if (before === WHITEOUT) this.usedEntries--
    else if (before !== undefined) {
      before.nlink--
      this.#forgetIfLost(before)
    }
  }

  #keepName(directory: Node, name: ByteString, before: Child | undefined): void {
    for (const snapshot of this.#snapshots) snapshot.keepName(directory, name, before)
    if (before !== undefined && before !== WHITEOUT) this.#keep(before)
  }

  #setContent(node: Node, sizeBytes: number, stored: unknown): void {
    if (node.stored !== undefined && node.stored !== stored) this.#options.letGo(node.stored)
    node.lowerContent = undefined
    node.contentBytes = sizeBytes
    node.stored = stored
  }

  #forgetIfLost(node: Node): void {
    if (node.nlink > 0 || node.holders > 0 || this.#playing) return
    this.#nodes.delete(node.id)
    this.usedEntries--
    for (const name of [...node.children.keys()]) this.#replace(node, name, undefined)
    if (node.stored !== undefined) this.#options.letGo(node.stored)
  }
}
