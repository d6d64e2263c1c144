/** Names and attributes of an upper's tree, as whoever computes a union reads them: of the tree as it is, or as it was once. */
import type { ByteString } from '../byte-string.js'
import type { Xattr } from '../tar/entry.js'
import { ABSENT, type Inode, type Metadata, type Stack, WHITEOUT } from './layer.js'
import type { Child, Node } from './upper-node.js'

export const rootId = 0

export abstract class UpperMetadata implements Metadata {
  /** The node of this number. Throws if there is none: whoever asks has it from here. */
  protected abstract at(id: number): Node
  protected abstract child(directory: Node, name: ByteString): Child | undefined
  /** In no order. */
  protected abstract names(directory: Node): Iterable<ByteString>

  lookup(dir: number, name: ByteString): number {
    return inodeOf(this.child(this.at(dir), name))
  }

  list(dir: number, visit: (name: ByteString, inode: number) => void): void {
    const directory = this.at(dir)
    for (const name of [...this.names(directory)].sort()) visit(name, inodeOf(this.child(directory, name)))
  }

  inode(inode: number): Inode {
    const node = this.at(inode)
    const { mode, uid, gid, nlink, sizeBytes, mtime, deviceMajor, deviceMinor } = node
    const opaque = node.isDirectory && this.opaque(inode)
    const time = { mtimeSec: mtime.sec, mtimeNsec: mtime.nsec }
    return { mode, uid, gid, nlink, sizeBytes, ...time, deviceMajor, deviceMinor, opaque, implied: false }
  }

  mode(inode: number): number {
    return this.at(inode).mode
  }

  opaque(inode: number): boolean {
    return inode !== rootId && this.at(inode).lowers.length === 0
  }

  merges(inode: number): Stack {
    return this.at(inode).lowers
  }

  readlink(inode: number): ByteString {
    return this.at(inode).target
  }

  xattrs(inode: number): readonly Xattr[] {
    return this.at(inode).xattrs
  }
}

function inodeOf(child: Child | undefined): number {
  return child === undefined ? ABSENT : child === WHITEOUT ? WHITEOUT : child.id
}
