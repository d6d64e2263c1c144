/**
 * Where the directories of a layer are on the disk. A path is put together from the names that the layer's own tree has on the way,
 * so that there is no symlink in it and no `..`: that is what keeps the layer in its place (threats A).
 */
import { type ByteString, byteString, fromText } from '../byte-string.js'
import { limitError } from '../limits.js'
import type { InodeTable } from '../tar/tree/inode-table.js'
import type { NameTable } from '../tar/tree/name-table.js'
import { rootInode } from '../tar/tree/tree-walk.js'

/** Linux PATH_MAX less the NUL. */
const maxPathBytes = 4095

/** More are not remembered: memory does not grow with the layer. */
const mostKnown = 2048

export interface LayerPathsOptions {
  /** The directory of the layer's root. */
  readonly root: string
  readonly tree: { readonly inodes: InodeTable; readonly names: NameTable }
  /** Bytes of the longest path by which the root will ever be reached. */
  readonly rootBytes: number
}

export class LayerPaths {
  readonly #inodes: InodeTable
  readonly #names: NameTable
  readonly #root: string
  /** How much longer a path may once be. */
  readonly #growth: number
  /** With a slash at the end. */
  readonly #known = new Map<number, string>()

  constructor({ root, tree, rootBytes }: LayerPathsOptions) {
    this.#inodes = tree.inodes
    this.#names = tree.names
    this.#root = `${fromText(root)}/`
    this.#growth = Math.max(0, rootBytes + 1 - this.#root.length)
  }

  /** Of the file that has the name of this row. Throws LIMIT_EXCEEDED where the kernel would refuse the path. */
  ofRow(row: number): Buffer {
    return this.#bytes(this.#directory(this.#names.dir[row]!) + this.#nameOf(row))
  }

  ofDirectory(inode: number): Buffer {
    return this.#bytes(this.#directory(inode).slice(0, -1))
  }

  #bytes(path: string): Buffer {
    const length = path.length + this.#growth
    // A file that fits here and not where the layer will stand could be neither read nor removed there (threat A22).
    if (length > maxPathBytes) throw limitError('pathBytes', maxPathBytes, length, 'bytes of the path in the store')
    return Buffer.from(path, 'latin1')
  }

  #directory(inode: number): string {
    let path = this.#known.get(inode)
    if (path === undefined) {
      path = this.#walkUp(inode)
      if (this.#known.size >= mostKnown) this.#known.clear()
      this.#known.set(inode, path)
    }
    return path
  }

  #walkUp(inode: number): string {
    let below = ''
    for (let at = inode; at !== rootInode; ) {
      const known = this.#known.get(at)
      if (known !== undefined) return known + below
      const row = this.#inodes.rowOf(at)
      below = `${this.#nameOf(row)}/${below}`
      at = this.#names.dir[row]!
    }
    return this.#root + below
  }

  #nameOf(row: number): ByteString {
    const at = this.#names.nameOffset[row]!
    return byteString(this.#names.names.bytes, at, at + this.#names.nameLength[row]!)
  }
}
