/** The inodes of a tree while it is built: one column per attribute, in the order in which the tar made them. */
import type { ByteString } from '../../byte-string.js'
import type { EntryType, TarEntry } from '../entry.js'
import { ByteArena, enlarged, grown, integerAt, setInteger, signedAt } from './column.js'
import { inodeFlags, typeBits, typeMask } from './inode-bits.js'
import { XattrArena } from './xattr-arena.js'

/** What a hard link's header changes about the inode. */
export interface LinkChanges {
  readonly owner: boolean
  readonly mode: boolean
  readonly time: boolean
}

export class InodeTable {
  /** Inodes that there are; the columns have room for more. */
  length = 0
  mode = new Uint16Array(0)
  flags = new Uint8Array(0)
  uid = new Uint32Array(0)
  gid = new Uint32Array(0)
  nlink = new Uint32Array(0)
  /** 64-bit integers, two words each, as the index has them: these three. */
  mtimeSec = new Uint32Array(0)
  mtimeNsec = new Uint32Array(0)
  size = new Uint32Array(0)
  /**
   * Of a file its content's offset in the tar, of a symlink its target's in `targets`, of a device major and minor.
   * Of a directory the row of its name, until
   * TreeIndex fills in where its slice is.
   */
  data = new Uint32Array(0)
  /** 1 where the directory is an entry or has one below it; 0 where marks alone have made it. */
  solid = new Uint8Array(0)
  xattrs = new Uint32Array(0)
  readonly targets = new ByteArena()
  readonly xattrArena = new XattrArena()

  /** A directory that no entry describes: 0755 0:0, mtime 0. */
  addImplied(): number {
    return this.#add(typeBits.directory | 0o755, inodeFlags.implied, 0, 0, 0, 0, 0, 0, 0)
  }

  /** The inode of an entry that is no hard link. */
  add(entry: TarEntry, type: Exclude<EntryType, 'hardlink'>): number {
    const { uid, gid, mtimeSec, mtimeNsec } = entry
    const size = type === 'symlink' ? entry.linkName.length : entry.sizeBytes
    // Linux has no mode of a symlink: whatever a header says, lstat shows 0777.
    const mode = typeBits[type] | (type === 'symlink' ? 0o777 : entry.mode & 0o7777)
    return this.#add(
      mode,
      0,
      uid,
      gid,
      mtimeSec,
      mtimeNsec,
      size,
      this.#dataOf(entry, type),
      this.xattrArena.add(entry),
    )
  }

  /** A directory entry over a directory that is there: it takes the attributes and keeps the children. */
  redefineDirectory(inode: number, entry: TarEntry): void {
    this.#setOwnerAndTime(inode, entry)
    this.mode[inode] = typeBits.directory | (entry.mode & 0o7777)
    this.flags[inode]! &= ~inodeFlags.implied
    this.xattrs[inode] = this.xattrArena.add(entry)
  }

  /** A hard link's header speaks of the shared inode, too; but a symlink has no mode to set (threat A12). */
  applyLink(inode: number, entry: TarEntry): LinkChanges {
    const owner = this.uid[inode] !== entry.uid || this.gid[inode] !== entry.gid
    const time = signedAt(this.mtimeSec, inode) !== entry.mtimeSec || this.mtimeNsec[inode] !== entry.mtimeNsec
    const before = this.mode[inode]!
    this.#setOwnerAndTime(inode, entry)
    const type = before & typeMask
    if (type !== typeBits.symlink) this.mode[inode] = type | (entry.mode & 0o7777)
    this.xattrs[inode] = this.xattrArena.merge(this.xattrs[inode]!, entry)
    return { owner, time, mode: before !== this.mode[inode] }
  }

  isType(inode: number, type: keyof typeof typeBits): boolean {
    return (this.mode[inode]! & typeMask) === typeBits[type]
  }

  hasFlag(inode: number, flag: number): boolean {
    return (this.flags[inode]! & flag) !== 0
  }

  setFlag(inode: number, flag: number): void {
    this.flags[inode]! |= flag
  }

  /** Says under which row a directory has its name; it has one alone. */
  setRow(directory: number, row: number): void {
    this.data[2 * directory] = row
  }

  rowOf(directory: number): number {
    return this.data[2 * directory]!
  }

  target(inode: number): ByteString {
    const at = integerAt(this.data, inode)
    return this.targets.bytes.toString('latin1', at, at + integerAt(this.size, inode)) as ByteString
  }

  #dataOf(entry: TarEntry, type: EntryType): number {
    if (type === 'file') return entry.contentOffset
    if (type === 'symlink') return this.targets.add(entry.linkName)
    return type === 'char' || type === 'block' ? entry.deviceMinor * 2 ** 32 + entry.deviceMajor : 0
  }

  #setOwnerAndTime(inode: number, { uid, gid, mtimeSec, mtimeNsec }: TarEntry): void {
    this.uid[inode] = uid
    this.gid[inode] = gid
    setInteger(this.mtimeSec, inode, mtimeSec)
    this.mtimeNsec[inode] = mtimeNsec
  }

  #add(
    mode: number,
    flags: number,
    uid: number,
    gid: number,
    mtimeSec: number,
    mtimeNsec: number,
    size: number,
    data: number,
    xattrs: number,
  ): number {
    if (this.length === this.mode.length) this.#grow()
    const inode = this.length++
    this.mode[inode] = mode
    this.flags[inode] = flags
    this.uid[inode] = uid
    this.gid[inode] = gid
    setInteger(this.mtimeSec, inode, mtimeSec)
    this.mtimeNsec[inode] = mtimeNsec
    setInteger(this.size, inode, size)
    setInteger(this.data, inode, data)
    this.xattrs[inode] = xattrs
    return inode
  }

  #grow(): void {
    const capacity = grown(this.length)
    this.mode = enlarged(this.mode, capacity)
    this.flags = enlarged(this.flags, capacity)
    this.uid = enlarged(this.uid, capacity)
    this.gid = enlarged(this.gid, capacity)
    this.nlink = enlarged(this.nlink, capacity)
    this.mtimeSec = enlarged(this.mtimeSec, 2 * capacity)
    this.mtimeNsec = enlarged(this.mtimeNsec, capacity)
    this.size = enlarged(this.size, 2 * capacity)
    this.data = enlarged(this.data, 2 * capacity)
    this.solid = enlarged(this.solid, capacity)
    this.xattrs = enlarged(this.xattrs, capacity)
  }
}
