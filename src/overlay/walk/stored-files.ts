/**
 * The regular files that a view shows, as they lie in its layers.
 *
 * Invariant: they are kept in columns, and nothing of them in the view's tree of dentries. An object for each of a hundred
 * thousand files would be marked again and again by the garbage collector, which works hard while contents come and go.
 */
import { type ByteString, toText } from '../../byte-string.js'
import type { Layer } from '../../drivers/layer.js'
import type { Standing } from '../union/dentry.js'
import { rootStack, type Stack } from '../union/lookup.js'
import { merge } from '../union/merge.js'
import { S_IFDIR, S_IFMT, S_IFREG } from '../union/mode.js'
import { itemsPerLook, type Pace } from '../union/pace.js'
import type { Union } from '../union/union.js'
import { pacedSort } from './paced-sort.js'

export interface StoredFile extends Standing {
  /** Of its content in the layer's tar. */
  readonly offset: number
  readonly sizeBytes: number
}

/** Files that one layer gives. */
interface Columns {
  readonly inodes: number[]
  readonly names: ByteString[]
  /** Paths of their directories, with a slash at the end. */
  readonly prefixes: ByteString[]
}

/** Where they lie in the layer's tar, row by row. */
interface Contents {
  readonly offsets: Float64Array
  readonly sizes: Float64Array
}

/** A directory that a walk is in. */
interface Listing {
  readonly prefix: ByteString
  readonly names: readonly ByteString[]
  readonly stacks: readonly Stack[]
  /** Index of the name that is to come. */
  next: number
}

/** Names of a directory between two looks at the clock. */
const namesPerLook = 1024

type Matches = (path: string) => boolean

export class StoredFiles {
  readonly lower: number
  readonly #layer: Layer
  readonly #columns: Columns
  readonly #contents: Contents
  /** Rows of the columns. */
  readonly #order: readonly number[]

  private constructor(lower: number, layer: Layer, columns: Columns, contents: Contents, order: readonly number[]) {
    this.lower = lower
    this.#layer = layer
    this.#columns = columns
    this.#contents = contents
    this.#order = order
  }

  /** Layer by layer, the view's lowest first. */
  static async of({ lowers, pace }: Union, matches: Matches | undefined): Promise<StoredFiles[]> {
    const visible = await visibleFiles(lowers, pace)
    const files: StoredFiles[] = []
    for (let lower = lowers.length - 1; lower >= 0; lower--) {
      const columns = visible[lower]!
      const layer = lowers[lower]!
      const contents = await contentsOf(layer, columns, pace)
      const order = await inOrder(columns, contents, await matching(columns, matches, pace), pace)
      files.push(new StoredFiles(lower, layer, columns, contents, order))
    }
    return files
  }

  get length(): number {
    return this.#order.length
  }

  inode(at: number): number {
    return this.#columns.inodes[this.#order[at]!]!
  }

  /** Where the content lies in the layer's tar. */
  offset(at: number): number {
    return this.#contents.offsets[this.#order[at]!]!
  }

  sizeBytes(at: number): number {
    return this.#contents.sizes[this.#order[at]!]!
  }

  /** A fresh object. */
  file(at: number): StoredFile {
    const { lower } = this
    const inode = this.inode(at)
    const mode = this.#layer.mode(inode)
    return { lower, inode, mode, directory: undefined, offset: this.offset(at), sizeBytes: this.sizeBytes(at) }
  }

  /** The path up to the last slash; the same string for neighbours in a directory. */
  prefix(at: number): ByteString {
    return this.#columns.prefixes[this.#order[at]!]!
  }

  name(at: number): ByteString {
    return this.#columns.names[this.#order[at]!]!
  }
}

/** In the order of a walk, which is mostly that of the tar: what is nearly in order is sorted soon. */
async function visibleFiles(lowers: readonly Layer[], pace: Pace): Promise<Columns[]> {
  const files = lowers.map((): Columns => ({ inodes: [], names: [], prefixes: [] }))
  const open: Listing[] = lowers.length === 0 ? [] : [listing(lowers, '/' as ByteString, rootStack(lowers))]
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const { prefix, names, stacks } = last
    let below: Listing | undefined
    const end = Math.min(last.next + namesPerLook, names.length)
    while (below === undefined && last.next < end) {
      const name = names[last.next]!
      const stack = stacks[last.next++]!
      const { lower, inode } = stack[0]!
      const type = lowers[lower]!.mode(inode) & S_IFMT
      if (type === S_IFDIR) below = listing(lowers, `${prefix}${name}/` as ByteString, stack)
      if (type !== S_IFREG) continue
      const columns = files[lower]!
      columns.inodes.push(inode)
      columns.names.push(name)
      columns.prefixes.push(prefix)
    }
    if (below !== undefined) open.push(below)
    else if (last.next === names.length) open.pop()
    if (pace.due()) await pace.turn()
  }
  return files
}

function listing(lowers: readonly Layer[], prefix: ByteString, directory: Stack): Listing {
  const names: ByteString[] = []
  const stacks: Stack[] = []
  merge(lowers, directory, (name, stack) => {
    names.push(name)
    stacks.push(stack)
  })
  return { prefix, names, stacks, next: 0 }
}

async function matching({ names, prefixes }: Columns, matches: Matches | undefined, pace: Pace): Promise<number[]> {
  if (matches === undefined) return [...names.keys()]
  const rows: number[] = []
  for (let row = 0; row < names.length; row++) {
    if (matches(toText((prefixes[row]! + names[row]!) as ByteString))) rows.push(row)
    if (row % itemsPerLook === 0 && pace.due()) await pace.turn()
  }
  return rows
}

async function contentsOf(layer: Layer, { inodes }: Columns, pace: Pace): Promise<Contents> {
  const offsets = new Float64Array(inodes.length)
  const sizes = new Float64Array(inodes.length)
  for (let row = 0; row < inodes.length; row++) {
    const inode = inodes[row]!
    offsets[row] = layer.contentOffset(inode)
    sizes[row] = layer.inode(inode).sizeBytes
    if (row % itemsPerLook === 0 && pace.due()) await pace.turn()
  }
  return { offsets, sizes }
}

/** As their contents lie; names of one inode side by side. */
function inOrder({ inodes, names }: Columns, { offsets }: Contents, rows: readonly number[], pace: Pace) {
  const asTheyLie = (a: number, b: number) =>
    offsets[a]! - offsets[b]! || inodes[a]! - inodes[b]! || (names[a]! < names[b]! ? -1 : 1)
  return pacedSort(rows, asTheyLie, pace)
}
