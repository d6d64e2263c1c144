/**
 * The tree of an upper as it is at one moment. Taken in one go, because whoever works for longer gives others their turn, and
 * they may change it: about a microsecond a node. Contents are not copied; where they lie is noted.
 */
import type { ByteString } from '../../byte-string.js'
import { ABSENT, type Inode, type Member, type Stack, WHITEOUT } from '../../drivers/layer.js'
import type { ContentPlace, Upper, UpperNode } from '../../drivers/upper.js'
import type { Xattr } from '../../tar/entry.js'
import { isDirectoryMode, S_IFMT, S_IFREG } from '../union/mode.js'
import type { MetadataTree } from './pairs.js'

interface Frozen {
  readonly inode: Inode
  readonly children: UpperNode['children'] | undefined
  readonly lowers: Stack
  readonly xattrs: readonly Xattr[]
  readonly target: ByteString
  readonly lowerContent: Member | undefined
  readonly places: readonly ContentPlace[] | undefined
}

export class UpperSnapshot implements MetadataTree {
  readonly #nodes = new Map<number, Frozen>()
  readonly #upper: Upper
  /** Files whose content only the upper itself can read: they stay, whoever removes them. */
  readonly #held: UpperNode[] = []

  constructor(upper: Upper) {
    this.#upper = upper
    const stack = [upper.root]
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (this.#nodes.has(node.id)) continue
      const own = (node.mode & S_IFMT) === S_IFREG && node.lowerContent === undefined && node.sizeBytes > 0
      const places = own ? upper.places?.(node) : undefined
      if (own && places === undefined) this.#hold(node)
      this.#nodes.set(node.id, frozen(upper, node, places))
      for (const child of node.children.values()) if (child !== WHITEOUT) stack.push(child)
    }
  }

  /** Where the content of a file lies, if nobody has written to it. */
  lowerContent(id: number): Member | undefined {
    return this.#at(id).lowerContent
  }

  /** Where the content of a file lies, if it is its own and the upper says so. */
  places(id: number): readonly ContentPlace[] | undefined {
    return this.#at(id).places
  }

  lookup(dir: number, name: ByteString): number {
    const child = this.#at(dir).children?.get(name)
    return child === undefined ? ABSENT : child === WHITEOUT ? WHITEOUT : child.id
  }

  list(dir: number, visit: (name: ByteString, inode: number) => void): void {
    const names = [...(this.#at(dir).children?.keys() ?? [])].sort()
    for (const name of names) visit(name, this.lookup(dir, name))
  }

  inode(inode: number): Inode {
    return this.#at(inode).inode
  }

  mode(inode: number): number {
    return this.#at(inode).inode.mode
  }

  opaque(inode: number): boolean {
    return this.#at(inode).inode.opaque
  }

  merges(inode: number): Stack {
    return this.#at(inode).lowers
  }

  readlink(inode: number): ByteString {
    return this.#at(inode).target
  }

  xattrs(inode: number): readonly Xattr[] {
    return this.#at(inode).xattrs
  }

  /** To be called when no content is needed any more. */
  release(): void {
    for (const node of this.#held.splice(0)) this.#upper.release(node)
  }

  #hold(node: UpperNode): void {
    this.#upper.hold(node)
    this.#held.push(node)
  }

  #at(id: number): Frozen {
    const node = this.#nodes.get(id)
    if (node === undefined) throw new RangeError(`the snapshot has no node ${id}`)
    return node
  }
}

function frozen(upper: Upper, node: UpperNode, places: Frozen['places']): Frozen {
  const { id, mode, lowers, xattrs, target, lowerContent } = node
  const children = isDirectoryMode(mode) ? new Map(node.children) : undefined
  return { inode: upper.inode(id), children, lowers, xattrs, target, lowerContent, places }
}
