/**
 * A finished tree as the sections of an index: what can be reached from the root, numbered densely in the order of the
 * tar, names sorted within their directories.
 *
 * Invariant: each section is made when it is asked for and can be let go of before the next, so that memory stays near
 * that of the tree itself. Columns are compacted in place; the builder is used up.
 */
import { type Numbers, WordList } from './column.js'
import { inodeFlags, type SectionName, typeBits, typeMask, whiteoutInode } from './format.js'
import type { InodeTable } from './inode-table.js'
import { NameSorter } from './name-sort.js'
import { absent, type NameTable } from './name-table.js'
import { marks, type TreeBuilder } from './tree-builder.js'
import { rootInode, solidFlag } from './tree-walk.js'

/** Writes an inode's number as two words. */
type WriteRow = (words: Uint32Array, at: number, value: number, inode: number) => void

/** A row that is in no listing. */
const hidden = absent

export class TreeIndex {
  readonly #inodes: InodeTable
  readonly #names: NameTable
  /** Rows in the order of the index: by directory, then by name. */
  readonly #order: Uint32Array
  /** Of each old inode: where its slice of `#order` begins. One more at the end. */
  readonly #sliceStart: Uint32Array
  /** Old inode → new number + 1, or 0 when nothing leads to it. */
  readonly #number: Uint32Array
  readonly inodeCount: number
  /** Bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  readonly mostLinks: number

  constructor({ inodes, names }: TreeBuilder) {
    this.#inodes = inodes
    this.#names = names
    names.freeze()
    settleMarks(inodes, names)
    const { order, sliceStart } = rowsByDirectory(inodes.length, names)
    const reached = reach(inodes, names, order, sliceStart)
    this.#number = reached
    const live = sortLive(names, order, sliceStart, reached)
    this.#order = live.order
    this.#sliceStart = live.sliceStart
    this.inodeCount = numberInOrder(reached)
    let sizeBytes = 0
    let mostLinks = 0
    for (let inode = 0; inode < inodes.length; inode++) {
      if (reached[inode] === 0) continue
      const type = inodes.mode[inode]! & typeMask
      if (type === typeBits.file || type === typeBits.symlink) sizeBytes += inodes.size[inode]!
      mostLinks = Math.max(mostLinks, inodes.nlink[inode]!)
    }
    this.sizeBytes = sizeBytes
    this.mostLinks = mostLinks
  }

  /** The tree's sections, all but `blocks`, in file order. Each in parts, which are valid until the next is asked for. */
  *sections(): Generator<readonly [name: SectionName, parts: Iterable<Uint8Array>]> {
    const inodes = this.#inodes
    for (let inode = 0; inode < inodes.length; inode++) inodes.flags[inode]! &= ~solidFlag
    yield ['mode', this.#compacted(inodes.mode.slice())] // the type is asked for once more below
    yield ['flags', this.#compacted(inodes.flags)]
    yield ['uid', this.#compacted(inodes.uid)]
    yield ['gid', this.#compacted(inodes.gid)]
    yield ['nlink', this.#compacted(inodes.nlink)]
    yield ['mtimeSec', this.#words(inodes.mtimeSec)]
    yield ['mtimeNsec', this.#compacted(inodes.mtimeNsec)]
    yield ['size', this.#words(inodes.size)]
    yield ['data', this.#dataWords()]
    yield ['xattrRef', this.#compacted(inodes.xattrs)]
    yield ['direntName', [this.#direntNames()]]
    yield ['direntInode', [this.#direntInodes()]]
    yield ['names', this.#nameParts()]
    yield ['targets', [inodes.targets.content()]]
    yield ['xattrs', [inodes.xattrArena.arena.content()]]
  }

  /** In place. */
  #compacted(values: Numbers): Uint8Array[] {
    let count = 0
    for (let inode = 0; inode < this.#number.length; inode++)
      if (this.#number[inode] !== 0) values[count++] = values[inode]!
    return [new Uint8Array(values.buffer, values.byteOffset, count * values.BYTES_PER_ELEMENT)]
  }

  /** As 64-bit integers; in place, for a double has as many bytes. */
  #words(values: Float64Array, write: WriteRow = writeInteger): Uint8Array[] {
    const words = new Uint32Array(values.buffer)
    let at = 0
    for (let inode = 0; inode < this.#number.length; inode++) {
      if (this.#number[inode] === 0) continue
      write(words, at, values[inode]!, inode)
      at += 2
    }
    return [bytesOf(words.subarray(0, at))]
  }

  /** Of a directory, its slice of the dirents: where it begins and how long it is. */
  #dataWords(): Uint8Array[] {
    const { mode, data } = this.#inodes
    return this.#words(data, (words, at, value, inode) => {
      const start = this.#sliceStart[inode]!
      const directory = (mode[inode]! & typeMask) === typeBits.directory
      writeInteger(words, at, directory ? start : value)
      if (directory) words[at + 1] = this.#sliceStart[inode + 1]! - start
    })
  }

  #direntNames(): Uint8Array {
    const offsets = new Uint32Array(this.#order.length + 1)
    let at = 0
    for (let i = 0; i < this.#order.length; i++) {
      offsets[i] = at
      at += this.#names.nameLength[this.#order[i]!]!
    }
    offsets[this.#order.length] = at
    return bytesOf(offsets)
  }

  #direntInodes(): Uint8Array {
    const numbers = new Uint32Array(this.#order.length)
    for (let i = 0; i < numbers.length; i++) {
      const inode = this.#names.inode[this.#order[i]!]!
      numbers[i] = inode === absent ? whiteoutInode : this.#number[inode]! - 1
    }
    return bytesOf(numbers)
  }

  *#nameParts(): Generator<Uint8Array> {
    const part = Buffer.allocUnsafeSlow(1 << 20)
    const { names, nameOffset, nameLength } = this.#names
    let fill = 0
    for (const row of this.#order) {
      const from = nameOffset[row]!
      const length = nameLength[row]!
      if (fill + length > part.length) {
        yield part.subarray(0, fill)
        fill = 0
      }
      names.bytes.copy(part, fill, from, from + length)
      fill += length
    }
    yield part.subarray(0, fill)
  }
}

/** Makes of every marked name what it is now that all entries are there. */
function settleMarks(inodes: InodeTable, names: NameTable): void {
  for (let row = 0; row < names.length; row++) {
    const mark = names.marks[row]!
    const inode = names.inode[row]!
    if (mark === 0 || inode === absent || !inodes.isType(inode, 'directory')) continue
    const removed = (mark & marks.whiteout) !== 0
    // A directory that only marks below it have made is not there: nothing but the whiteout is.
    if (removed && !inodes.hasFlag(inode, solidFlag)) names.inode[row] = absent
    else inodes.setFlag(inode, inodeFlags.opaque)
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

/** Drops the slices of directories that cannot be reached, and sorts the others. */
function sortLive(names: NameTable, order: Uint32Array, sliceStart: Uint32Array, reached: Uint32Array) {
  const sorter = new NameSorter(names)
  let to = 0
  let from = 0
  for (let dir = 0; dir < reached.length; dir++) {
    const end = sliceStart[dir + 1]!
    const begin = to
    if (reached[dir] === 1) {
      order.copyWithin(to, from, end)
      to += end - from
      sorter.sort(order, begin, to)
    }
    from = end
    sliceStart[dir] = begin
  }
  sliceStart[reached.length] = to
  return { order: order.subarray(0, to), sliceStart }
}

function numberInOrder(reached: Uint32Array): number {
  let count = 0
  for (let inode = 0; inode < reached.length; inode++) if (reached[inode] === 1) reached[inode] = ++count
  return count
}

/** Two's complement, low word first. */
function writeInteger(words: Uint32Array, at: number, value: number): void {
  const high = Math.floor(value / 2 ** 32)
  words[at] = value - high * 2 ** 32
  words[at + 1] = high
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}
