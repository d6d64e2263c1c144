/**
 * The index of an open layer file: typed arrays over the very bytes that were read, used without parsing.
 * Inode numbers are dense; 0 is the root directory.
 */
import type { ByteString } from '../byte-string.js'
import type { Xattr } from '../tar/entry.js'
import { inodeFlags, typeBits, typeMask } from '../tar/tree/inode-bits.js'
import { decodeXattrs } from '../tar/tree/xattr-arena.js'
import { BlockTable } from './block-table.js'
import type { Footer, SectionName } from './format.js'

/** What looking up may give instead of an inode, besides `whiteoutInode`: ABSENT of drivers/layer.ts. */
const absent = -2

export class LayerIndex {
  readonly inodeCount: number
  readonly blocks: BlockTable
  readonly #mode: Uint16Array
  readonly #flags: Uint8Array
  readonly #uid: Uint32Array
  readonly #gid: Uint32Array
  readonly #nlink: Uint32Array
  readonly #mtimeSec: Uint32Array
  readonly #mtimeNsec: Uint32Array
  readonly #size: Uint32Array
  readonly #data: Uint32Array
  readonly #xattrRef: Uint32Array
  readonly #direntName: Uint32Array
  readonly #direntInode: Int32Array
  readonly #names: Buffer
  readonly #targets: Buffer
  readonly #xattrs: Buffer

  /** `bytes` begins an ArrayBuffer of its own and was compared with its checksums. */
  constructor(bytes: Buffer, footer: Footer) {
    const words = (name: SectionName) => {
      const { offset, length } = footer.sections[name]
      return new Uint32Array(bytes.buffer, offset, length / 4)
    }
    const raw = (name: SectionName) => {
      const { offset, length } = footer.sections[name]
      return bytes.subarray(offset, offset + length)
    }
    const { mode, flags, direntInode } = footer.sections
    this.blocks = new BlockTable(words('blocks'))
    this.#mode = new Uint16Array(bytes.buffer, mode.offset, mode.length / 2)
    this.#flags = new Uint8Array(bytes.buffer, flags.offset, flags.length)
    this.#uid = words('uid')
    this.#gid = words('gid')
    this.#nlink = words('nlink')
    this.#mtimeSec = words('mtimeSec')
    this.#mtimeNsec = words('mtimeNsec')
    this.#size = words('size')
    this.#data = words('data')
    this.#xattrRef = words('xattrRef')
    this.#direntName = words('direntName')
    this.#direntInode = new Int32Array(bytes.buffer, direntInode.offset, direntInode.length / 4)
    this.#names = raw('names')
    this.#targets = raw('targets')
    this.#xattrs = raw('xattrs')
    this.inodeCount = this.#mode.length
  }

  /** The inode of a name in a directory, WHITEOUT (-1) or ABSENT (-2). Compares bytes with bytes. */
  lookup(dir: number, name: ByteString): number {
    if (!this.isDirectory(dir)) return absent
    let low = this.#data[2 * dir]!
    let high = low + this.#data[2 * dir + 1]!
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = this.#compare(middle, name)
      if (order === 0) return this.#direntInode[middle]!
      if (order < 0) low = middle + 1
      else high = middle
    }
    return absent
  }

  /** Names in byte order. */
  list(dir: number, visit: (name: ByteString, inode: number) => void): void {
    if (!this.isDirectory(dir)) return
    const start = this.#data[2 * dir]!
    const end = start + this.#data[2 * dir + 1]!
    for (let i = start; i < end; i++) {
      const name = this.#names.toString('latin1', this.#direntName[i]!, this.#direntName[i + 1]!)
      visit(name as ByteString, this.#direntInode[i]!)
    }
  }

  mode(inode: number): number {
    return this.#mode[inode]!
  }

  isDirectory(inode: number): boolean {
    return (this.#mode[inode]! & typeMask) === typeBits.directory
  }

  isFile(inode: number): boolean {
    return (this.#mode[inode]! & typeMask) === typeBits.file
  }

  opaque(inode: number): boolean {
    return (this.#flags[inode]! & inodeFlags.opaque) !== 0
  }

  /** A fresh object; of the shape of `Inode` in drivers/layer.ts. */
  inode(inode: number) {
    const type = this.#mode[inode]! & typeMask
    const device = type === typeBits.char || type === typeBits.block
    return {
      mode: this.#mode[inode]!,
      uid: this.#uid[inode]!,
      gid: this.#gid[inode]!,
      nlink: this.#nlink[inode]!,
      sizeBytes: this.sizeBytes(inode),
      mtimeSec: this.#mtimeSec[2 * inode]! + (this.#mtimeSec[2 * inode + 1]! | 0) * 2 ** 32,
      mtimeNsec: this.#mtimeNsec[inode]!,
      deviceMajor: device ? this.#data[2 * inode]! : 0,
      deviceMinor: device ? this.#data[2 * inode + 1]! : 0,
      opaque: this.opaque(inode),
      implied: (this.#flags[inode]! & inodeFlags.implied) !== 0,
    }
  }

  sizeBytes(inode: number): number {
    return this.#size[2 * inode]! + this.#size[2 * inode + 1]! * 2 ** 32
  }

  /** Offset of a file's content in the tar; 0 for what has none. */
  contentOffset(inode: number): number {
    return this.isFile(inode) ? this.#data[2 * inode]! + this.#data[2 * inode + 1]! * 2 ** 32 : 0
  }

  /** Target of a symlink; empty for anything else. */
  readlink(inode: number): ByteString {
    if ((this.#mode[inode]! & typeMask) !== typeBits.symlink) return '' as ByteString
    const at = this.#data[2 * inode]!
    return this.#targets.toString('latin1', at, at + this.sizeBytes(inode)) as ByteString
  }

  xattrs(inode: number): Xattr[] {
    const ref = this.#xattrRef[inode]!
    return ref === 0 ? [] : decodeXattrs(this.#xattrs, ref)
  }

  /** Negative when the dirent's name comes before `name`. */
  #compare(dirent: number, name: ByteString): number {
    const at = this.#direntName[dirent]!
    const length = this.#direntName[dirent + 1]! - at
    const shorter = Math.min(length, name.length)
    for (let i = 0; i < shorter; i++) {
      const difference = this.#names[at + i]! - name.charCodeAt(i)
      if (difference !== 0) return difference
    }
    return length - name.length
  }
}
