/** What an upper of real directories tells of itself: names and attributes out of memory, contents out of its files. */
import type { ByteString } from '../../byte-string.js'
import { PhylloError } from '../../errors.js'
import type { Xattr } from '../../tar/entry.js'
import type { Inode, Stack, Tree } from '../layer.js'
import type { UpperNode } from '../upper.js'
import type { UpperTree } from '../upper-tree.js'
import type { DirectoryContents } from './directory-contents.js'

export class DirectoryTree implements Tree {
  readonly root: UpperNode
  readonly #tree: UpperTree
  readonly #contents: DirectoryContents
  readonly #readOnly: boolean

  /** `readOnly`: somebody else may be at work on it. */
  constructor(tree: UpperTree, contents: DirectoryContents, readOnly: boolean) {
    this.root = tree.root
    this.#tree = tree
    this.#contents = contents
    this.#readOnly = readOnly
  }

  get usedBytes(): number {
    return this.#contents.usedBytes
  }

  get usedEntries(): number {
    return this.#tree.usedEntries
  }

  get inodeCount(): number {
    return this.#tree.inodeCount
  }

  node(id: number): UpperNode {
    return this.#tree.node(id)
  }

  lookup(dir: number, name: ByteString): number {
    return this.#tree.lookup(dir, name)
  }

  list(dir: number, visit: (name: ByteString, inode: number) => void): void {
    this.#tree.list(dir, visit)
  }

  inode(inode: number): Inode {
    return this.#tree.inode(inode)
  }

  mode(inode: number): number {
    return this.#tree.mode(inode)
  }

  opaque(inode: number): boolean {
    return this.#tree.opaque(inode)
  }

  merges(inode: number): Stack {
    return this.#tree.merges(inode)
  }

  readlink(inode: number): ByteString {
    return this.#tree.readlink(inode)
  }

  xattrs(inode: number): readonly Xattr[] {
    return this.#tree.xattrs(inode)
  }

  contentOffset(inode: number): number {
    return inode
  }

  readSync(inode: number, position: number, into: Uint8Array): number {
    return this.#looking(() => this.#contents.readSync(this.#tree.node(inode), position, into))
  }

  async read(inode: number, position: number, into: Uint8Array): Promise<number> {
    try {
      return await this.#contents.read(this.#tree.node(inode), position, into)
    } catch (error) {
      throw this.#seen(error)
    }
  }

  #looking<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw this.#seen(error)
    }
  }

  /** Somebody else may be at work on what is only looked at. */
  #seen(error: unknown): unknown {
    if (!this.#readOnly || !(error instanceof PhylloError) || error.code !== 'STORE_CORRUPT') return error
    const { path, message } = error
    return new PhylloError('CONTAINER_CHANGED', message, { ...(path !== undefined && { path }), cause: error })
  }
}
