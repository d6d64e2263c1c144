/** What every upper tells in the same way: names and attributes, out of its tree in memory. */
import type { ByteString } from '../byte-string.js'
import type { Xattr } from '../tar/entry.js'
import type { Inode, Metadata, Stack } from './layer.js'
import type { UpperNode } from './upper.js'
import type { UpperTree } from './upper-tree.js'

export class TreeMetadata implements Metadata {
  readonly root: UpperNode
  protected readonly tree: UpperTree

  constructor(tree: UpperTree) {
    this.root = tree.root
    this.tree = tree
  }

  get usedEntries(): number {
    return this.tree.usedEntries
  }

  get inodeCount(): number {
    return this.tree.inodeCount
  }

  node(id: number): UpperNode {
    return this.tree.node(id)
  }

  lookup(dir: number, name: ByteString): number {
    return this.tree.lookup(dir, name)
  }

  list(dir: number, visit: (name: ByteString, inode: number) => void): void {
    this.tree.list(dir, visit)
  }

  inode(inode: number): Inode {
    return this.tree.inode(inode)
  }

  mode(inode: number): number {
    return this.tree.mode(inode)
  }

  opaque(inode: number): boolean {
    return this.tree.opaque(inode)
  }

  merges(inode: number): Stack | undefined {
    return this.tree.merges(inode)
  }

  readlink(inode: number): ByteString {
    return this.tree.readlink(inode)
  }

  xattrs(inode: number): readonly Xattr[] {
    return this.tree.xattrs(inode)
  }
}
