/**
 * A finished tree as the sections of an index: what can be reached from the root, numbered densely in the order of the
 * tar, names sorted within their directories.
 *
 * Invariant: each section is made when it is asked for and can be let go of before the next, so that memory stays near
 * that of the tree itself. Columns are compacted in place; the builder is used up.
 */
import { integerAt, type Numbers, WordList } from '../tar/tree/column.js'
import { typeBits, typeMask } from '../tar/tree/inode-bits.js'
import type { InodeTable } from '../tar/tree/inode-table.js'
import { absent, type NameTable } from '../tar/tree/name-table.js'
import { settleMarks } from '../tar/tree/settle-marks.js'
import { marks, type TreeBuilder } from '../tar/tree/tree-builder.js'
import { rootInode } from '../tar/tree/tree-walk.js'
import { type SectionName, whiteoutInode } from './format.js'
import { sortByName } from './name-sort.js'

/** A row that is in no listing. */
const hidden = absent

export class TreeIndex {
  readonly #inodes: InodeTable
  readonly #names: NameTable
  /** Rows in the order of the index: by directory, then by name. */
  readonly #order: Uint32Array
  /** Old inode → new number + 1, or 0 when nothing leads to it. */
  readonly #number: Uint32Array
  readonly inodeCount: number
  /** Bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  readonly mostLinks: number

  constructor({ inodes, names, marked, replaced }: TreeBuilder) {
    this.#inodes = inodes
    this.#names = names
    names.freeze()
    const removed = marked && settleMarks(inodes, names)
    const { order, sliceStart } = rowsByDirectory(inodes.length, names)
    // Every inode got its name in a directory that had one. That changes only when a name stops standing for it.
    if (replaced || removed) this.#number = reach(inodes, names, order, sliceStart)
    else this.#number = new Uint32Array(inodes.length).fill(1)
    this.#order = sortLive(inodes, names, order, sliceStart, this.#number)
    const { count, sizeBytes, mostLinks } = numberInOrder(inodes, this.#number)
    this.inodeCount = count
    this.sizeBytes = sizeBytes
    this.mostLinks = mostLinks
  }

  /** The tree's sections, all but `blocks`, in file order. Each in parts, which are valid until the next is asked for. */
  *sections(): Generator<readonly [name: SectionName, parts: Iterable<Uint8Array>]> {
    const inodes = this.#inodes
    yield ['mode', this.#live(inodes.mode)]
    yield ['flags', this.#live(inodes.flags)]
    yield ['uid', this.#live(inodes.uid)]
    yield ['gid', this.#live(inodes.gid)]
    yield ['nlink', this.#live(inodes.nlink)]
    yield ['mtimeSec', this.#live(inodes.mtimeSec, 2)]
    yield ['mtimeNsec', this.#live(inodes.mtimeNsec)]
    yield ['size', this.#live(inodes.size, 2)]
    yield ['data', this.#live(inodes.data, 2)]
    yield ['xattrRef', this.#live(inodes.xattrs)]
    const { offsets, numbers } = this.#dirents()
    yield ['direntName', [bytesOf(offsets)]]
    yield ['direntInode', [bytesOf(numbers)]]
    yield ['names', this.#nameParts()]
    yield ['targets', [inodes.targets.content()]]
    yield ['xattrs', [inodes.xattrArena.arena.content()]]
  }

  /** A column of `width` values a row without the rows that nothing leads to; in place. */
  #live(values: Numbers, width = 1): Uint8Array[] {
    const { length } = this.#inodes
    if (this.inodeCount < length)
      for (let inode = 0; inode < length; inode++)
        if (this.#number[inode] !== 0)
          values.copyWithin(width * (this.#number[inode]! - 1), width * inode, width * (inode + 1))
    return [new Uint8Array(values.buffer, values.byteOffset, this.inodeCount * width * values.BYTES_PER_ELEMENT)]
  }

  /** Where each name begins, with the end of the last; and which inode it stands for. */
  #dirents() {
    const { nameLength, inode } = this.#names
    const order = this.#order
    const offsets = new Uint32Array(order.length + 1)
    const numbers = new Uint32Array(order.length)
    let at = 0
    for (let i = 0; i < order.length; i++) {
      const named = inode[order[i]!]!
      numbers[i] = named === absent ? whiteoutInode : this.#number[named]! - 1
      at += nameLength[order[i]!]!
      offsets[i + 1] = at
    }
    return { offsets, numbers }
  }

  *#nameParts(): Generator<Uint8Array> {
    const part = new Uint8Array(1 << 20)
    const { names, nameOffset, nameLength } = this.#names
    let fill = 0
    for (const row of this.#order) {
      const length = nameLength[row]!
      if (fill + length > part.length) {
        yield part.subarray(0, fill)
        fill = 0
      }
      for (let from = nameOffset[row]!, end = from + length; from < end; from++) part[fill++] = names.bytes[from]!
    }
    yield part.subarray(0, fill)
  }
}

/** All rows that say something, grouped by the directory that they are in (a counting sort). */
function rowsByDirectory(inodeCount: number, names: NameTable) {
  const sliceStart = new Uint32Array(inodeCount + 1)
  const says = (row: number) => names.inode[row] !== hidden || (names.marks[row]! & marks.whiteout) !== 0
  for (let row = 0; row < names.length; row++) if (says(row)) sliceStart[names.dir[row]! + 1]!++
  for (let dir = 0; dir < inodeCount; dir++) sliceStart[dir + 1]! += sliceStart[dir]!
  const order = new Uint32Array(sliceStart[inodeCount]!)
  const next = sliceStart.slice()
  for (let row = 0; row < names.length; row++) if (says(row)) order[next[names.dir[row]!]!++] = row
  return { order, sliceStart }
}

/** Marks what can be reached from the root with 1, and counts the names of each inode. */
function reach(inodes: InodeTable, names: NameTable, order: Uint32Array, sliceStart: Uint32Array): Uint32Array {
  const reached = new Uint32Array(inodes.length)
  const queue = new WordList()
  inodes.nlink.fill(0)
  reached[rootInode] = 1
  inodes.nlink[rootInode] = 1
  queue.push(rootInode)
  for (let next = 0; next < queue.length; next++) {
    const dir = queue.at(next)
    for (let i = sliceStart[dir]!; i < sliceStart[dir + 1]!; i++) {
      const inode = names.inode[order[i]!]!
      if (inode === absent) continue
      inodes.nlink[inode]!++
      if (reached[inode] === 1) continue
      reached[inode] = 1
      if (inodes.isType(inode, 'directory')) queue.push(inode)
    }
  }
  return reached
}

/**
 * Drops the slices of directories that cannot be reached, sorts the others, and notes in a directory's `data` where its
 * slice begins and how long it is.
 */
function sortLive(
  inodes: InodeTable,
  names: NameTable,
  order: Uint32Array,
  sliceStart: Uint32Array,
  reached: Uint32Array,
): Uint32Array {
  let to = 0
  for (let dir = 0; dir < reached.length; dir++) {
    if (reached[dir] === 0 || !inodes.isType(dir, 'directory')) continue
    const from = sliceStart[dir]!
    const count = sliceStart[dir + 1]! - from
    if (to < from) order.copyWithin(to, from, from + count)
    if (count > 1) sortByName(names, order, to, to + count)
    inodes.data[2 * dir] = to
    inodes.data[2 * dir + 1] = count
    to += count
  }
  return order.subarray(0, to)
}

/** Gives what was reached its number, 1 and up in the order of the tar, and adds up. */
function numberInOrder({ mode, size, nlink }: InodeTable, reached: Uint32Array) {
  let count = 0
  let sizeBytes = 0
  let mostLinks = 0
  for (let inode = 0; inode < reached.length; inode++) {
    if (reached[inode] === 0) continue
    reached[inode] = ++count
    const type = mode[inode]! & typeMask
    if (type === typeBits.file || type === typeBits.symlink) sizeBytes += integerAt(size, inode)
    mostLinks = Math.max(mostLinks, nlink[inode]!)
  }
  return { count, sizeBytes, mostLinks }
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}
