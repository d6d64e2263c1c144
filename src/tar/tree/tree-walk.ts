/**
 * Walks to directories of one layer's own tree, from its root, through the symlinks that this layer has made so far.
 *
 * Invariants:
 * - The root is never left: `..` at the root stays there, and an absolute target begins there. Nothing is decided by
 *   comparing paths as text.
 * - What the walk may cost grows with the number of entries, whatever their symlinks say.
 */
import { type ByteString, printable } from '../../byte-string.js'
import { PhylloError } from '../../errors.js'
import { type Limits, limitError, symlinkHops } from '../../limits.js'
import { inodeFlags } from './inode-bits.js'
import type { InodeTable } from './inode-table.js'
import { absent, type NameTable } from './name-table.js'

export const rootInode = 0

/** Components of symlink targets that a layer may make us walk: this many, and so many more for each entry. */
const freeSteps = 1_000_000
const stepsPerEntry = 64

/** What to do about a directory that is not there: make it for an entry, make it for a whiteout, or give up. */
export type Missing = 'make' | 'make-for-mark' | 'stop'

export class TreeWalk {
  /** Row of the directory that the last walk ended at; -1 for the root. */
  row = -1
  /** Symlinks that the last walk followed. */
  hops = 0
  /** One of them was absolute or climbed above the root: on a host the same names lead elsewhere. */
  strayed = false
  readonly #inodes: InodeTable
  readonly #names: NameTable
  readonly #limits: Limits
  #implied = 0
  #stepsLeft = freeSteps
  /** From the root to where the walk is: inodes and rows. Reused. */
  readonly #dirs: number[] = []
  readonly #rows: number[] = []

  /** Directories from the root to where the last walk ended. */
  get depth(): number {
    return this.#dirs.length
  }

  constructor(inodes: InodeTable, names: NameTable, limits: Limits) {
    this.#inodes = inodes
    this.#names = names
    this.#limits = limits
  }

  /** Call once per entry. */
  allowEntry(): void {
    this.#stepsLeft += stepsPerEntry
  }

  /**
   * The directory that the first `count` components lead to, or `absent` when it is missing and `missing` is 'stop'.
   * Throws TAR_INVALID when there is something else than a directory on the way, PATH_ESCAPE after too many symlinks.
   */
  to(components: readonly ByteString[], count: number, missing: Missing): number {
    this.#dirs.length = this.#rows.length = 0
    let dir = rootInode
    let parts = components
    let end = count
    this.hops = 0
    this.strayed = false
    this.row = -1
    for (let i = 0; i < end; i++) {
      const part = parts[i]!
      if (part === '' || part === '.') continue
      if (part === '..') {
        dir = this.#up(dir)
        continue
      }
      const row = missing === 'stop' ? this.#names.find(dir, part) : this.#names.findOrAdd(dir, part)
      let inode = row < 0 ? absent : this.#names.inode[row]!
      if (inode === absent) {
        if (missing === 'stop') return absent
        inode = this.#makeDirectory(row, part, this.hops > 0)
      }
      if (this.#inodes.isType(inode, 'symlink')) {
        if (++this.hops > symlinkHops)
          throw new PhylloError('PATH_ESCAPE', `more than ${symlinkHops} symlinks on the way`)
        const target = this.#target(inode)
        parts = [...target, ...parts.slice(i + 1, end)]
        end = parts.length
        i = -1
        if (target[0] === '') dir = this.#restart()
        continue
      }
      if (!this.#inodes.isType(inode, 'directory'))
        throw new PhylloError('TAR_INVALID', `"${printable(part)}" on the way is not a directory`)
      dir = this.#down(dir, inode, row)
    }
    if (missing === 'make') this.#setSolid(dir)
    return dir
  }

  /** Every directory from the root to where the walk ended has an entry below it. */
  #setSolid(dir: number): void {
    const { solid } = this.#inodes
    for (const above of this.#dirs) solid[above] = 1
    solid[dir] = 1
  }

  #down(dir: number, inode: number, row: number): number {
    this.#dirs.push(dir)
    this.#rows.push(this.row)
    if (this.#dirs.length > this.#limits.pathDepth)
      throw limitError('pathDepth', this.#limits.pathDepth, this.#dirs.length, 'directories on the way')
    this.row = row
    return inode
  }

  #up(dir: number): number {
    if (this.#dirs.length === 0) {
      this.strayed = true
      return dir
    }
    this.row = this.#rows.pop()!
    return this.#dirs.pop()!
  }

  #restart(): number {
    this.#dirs.length = this.#rows.length = 0
    this.row = -1
    this.strayed = true
    return rootInode
  }

  /** The components of a symlink's target; the first is empty when it is absolute. */
  #target(inode: number): ByteString[] {
    const target = this.#inodes.target(inode)
    if (target === '' || target.includes('\0'))
      throw new PhylloError('TAR_INVALID', 'a symlink on the way has no usable target')
    const parts = target.split('/') as ByteString[]
    this.#stepsLeft -= parts.length
    if (this.#stepsLeft < 0)
      throw new PhylloError('LIMIT_EXCEEDED', 'symlinks are followed too often for the number of entries', {
        limit: 'symlinkSteps',
        max: stepsPerEntry,
      })
    return parts
  }

  /** `named` by a symlink, a directory may have a name that no entry could have. */
  #makeDirectory(row: number, name: ByteString, bySymlink: boolean): number {
    if (bySymlink) {
      if (name.startsWith('.wh.')) throw new PhylloError('WHITEOUT_INVALID', 'a symlink leads through a whiteout')
      if (name.length > this.#limits.nameBytes)
        throw limitError('nameBytes', this.#limits.nameBytes, name.length, 'bytes of one component')
    }
    const { layerEntries } = this.#limits
    if (++this.#implied > layerEntries)
      throw limitError('layerEntries', layerEntries, this.#implied, 'directories that entries imply')
    const inode = this.#inodes.addImplied()
    this.#names.inode[row] = inode
    this.#inodes.setRow(inode, row)
    this.#inodes.nlink[inode] = 1
    return inode
  }
}

export function isImplied(inodes: InodeTable, inode: number): boolean {
  return inodes.hasFlag(inode, inodeFlags.implied)
}
