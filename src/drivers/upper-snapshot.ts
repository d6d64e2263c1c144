/**
 * The tree of an upper as it was at one moment. Taking it costs nothing: whatever changes afterwards is noted here first, once.
 *
 * Invariants:
 * - A node is noted before its first change since that moment, a name before it means something else.
 * - What is not noted is as it was, so the live tree answers for it.
 */
import type { ByteString } from '../byte-string.js'
import type { ContentPlace, UpperOrigin, UpperSnapshot } from './upper.js'
import { UpperMetadata } from './upper-metadata.js'
import type { Child, Node } from './upper-node.js'

/** What a driver does for a snapshot of its upper. */
export interface SnapshotContents {
  /** What there is to know of where a content is, so that later changes do not show in it. */
  copy(stored: unknown): unknown
  place(stored: unknown): ContentPlace
  /** The contents are not needed any more. */
  release(): void
}

export class TreeSnapshot extends UpperMetadata implements UpperSnapshot {
  readonly #contents: SnapshotContents
  readonly #live: (id: number) => Node
  /** Nodes from this number on were made later. */
  readonly #next: number
  readonly #nodes = new Map<number, Node>()
  readonly #names = new Map<number, Map<ByteString, Child | undefined>>()
  readonly #ended: () => void
  #released = false

  constructor(contents: SnapshotContents, tree: { live(id: number): Node; next: number; ended(): void }) {
    super()
    this.#contents = contents
    this.#live = tree.live
    this.#next = tree.next
    this.#ended = tree.ended
  }

  /** The node is going to change, or to go. */
  keep(node: Node): void {
    if (node.id >= this.#next || this.#nodes.has(node.id)) return
    this.#nodes.set(node.id, node.copy(node.stored === undefined ? undefined : this.#contents.copy(node.stored)))
  }

  /** A name in the directory, which has stood for `child`, is going to stand for something else. */
  keepName(directory: Node, name: ByteString, child: Child | undefined): void {
    if (directory.id >= this.#next) return
    let names = this.#names.get(directory.id)
    if (names === undefined) this.#names.set(directory.id, (names = new Map()))
    if (!names.has(name)) names.set(name, child)
  }

  node(inode: number): UpperOrigin {
    return this.at(inode)
  }

  /** Where content of its own was, if it had any: the driver's own object. */
  stored(inode: number): unknown {
    return inode < this.#next ? this.#nodes.get(inode)?.stored : undefined
  }

  place(inode: number): ContentPlace {
    return this.#contents.place(this.at(inode).stored)
  }

  [Symbol.dispose](): void {
    if (this.#released) return
    this.#released = true
    this.#ended()
    this.#contents.release()
  }

  protected at(id: number): Node {
    return this.#nodes.get(id) ?? this.#live(id)
  }

  protected child(directory: Node, name: ByteString): Child | undefined {
    const names = this.#names.get(directory.id)
    return names?.has(name) ? names.get(name) : directory.children.get(name)
  }

  protected names(directory: Node): Iterable<ByteString> {
    const names = this.#names.get(directory.id)
    if (names === undefined) return directory.children.keys()
    const there = [...names].filter(([, child]) => child !== undefined).map(([name]) => name)
    return [...there, ...[...directory.children.keys()].filter(name => !names.has(name))]
  }
}
