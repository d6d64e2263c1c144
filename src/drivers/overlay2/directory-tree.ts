/** What an upper of real directories tells of itself: names and attributes out of memory, contents out of its files. */
import { PhylloError } from '../../errors.js'
import type { Tree } from '../layer.js'
import { TreeMetadata } from '../tree-metadata.js'
import type { UpperTree } from '../upper-tree.js'
import type { DirectoryContents } from './directory-contents.js'

export class DirectoryTree extends TreeMetadata implements Tree {
  readonly #contents: DirectoryContents
  readonly #readOnly: boolean

  /** `readOnly`: somebody else may be at work on it. */
  constructor(tree: UpperTree, contents: DirectoryContents, readOnly: boolean) {
    super(tree)
    this.#contents = contents
    this.#readOnly = readOnly
  }

  get usedBytes(): number {
    return this.#contents.usedBytes
  }

  contentOffset(inode: number): number {
    return inode
  }

  readSync(inode: number, position: number, into: Uint8Array): number {
    return this.#looking(() => this.#contents.readSync(this.tree.node(inode), position, into))
  }

  async read(inode: number, position: number, into: Uint8Array): Promise<number> {
    try {
      return await this.#contents.read(this.tree.node(inode), position, into)
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
