/**
 * The directory of one layer, in the on-disk form of Docker's overlay2 (facts: docker-store 5.8, 7.2 to 7.5), while its entries come.
 *
 * Invariants:
 * - Nothing is made but below the root, a new directory that nobody else may enter: paths come out of the layer's own tree
 *   (layer-paths.ts), what is made must not be there yet, and no name ever changes what it stands for.
 * - Owner, then xattrs, then mode, then times: a change of the owner takes set-id bits and capabilities away. A call is made only
 *   where it changes something; the mode is always set, since the umask is the program's and may change at any moment.
 * - Whiteouts, opaque marks and the attributes of directories come last, when all entries are there: so order does not matter, a
 *   directory that may not be written to gets its files, and no time is touched again.
 * - No content is kept: it is written as it passes.
 */
import { type ByteString, printable } from '../byte-string.js'
import { type Limits, limitError } from '../limits.js'
import type { TarEntry, Xattr } from '../tar/entry.js'
import { enlarged, grown, signedAt, WordList } from '../tar/tree/column.js'
import { inodeFlags, typeBits } from '../tar/tree/inode-bits.js'
import { absent } from '../tar/tree/name-table.js'
import { settleMarks } from '../tar/tree/settle-marks.js'
import { marks, type Placed, type TreeBuilder } from '../tar/tree/tree-builder.js'
import { rootInode } from '../tar/tree/tree-walk.js'
import { decodeXattrs, isKept } from '../tar/tree/xattr-arena.js'
import type { FileCalls } from './file-calls.js'
import { LayerPaths } from './layer-paths.js'
import { diskTime, type InodeType, isWritten } from './metadata.js'
import { unpackError } from './unpack-error.js'

export interface LayerDirectoryOptions {
  readonly calls: FileCalls
  /** Where the layer's root is to be made. */
  readonly root: string
  /** Bytes of the longest path by which the root will ever be reached. */
  readonly rootBytes: number
  /** Refuses duplicates. */
  readonly tree: TreeBuilder
  readonly limits: Limits
  /** Whom new files belong to: the effective ids of this process. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Whether the file system has room left; asked when it says that it has none. */
  hasRoom(): boolean
}

/** Names and directories between two looks at whether to go on. */
const stepRows = 512
const opaqueXattr: Xattr = { name: 'trusted.overlay.opaque' as Xattr['name'], value: Buffer.from('y') }
/** Mode of files and directories until they get their own: nobody's but ours. */
const newFileMode = 0o600
const newDirectoryMode = 0o700

export class LayerDirectory {
  readonly #options: LayerDirectoryOptions
  readonly #calls: FileCalls
  readonly #tree: TreeBuilder
  readonly #paths: LayerPaths
  /** 1 for each inode of a directory that is on the disk. */
  #made = new Uint8Array(0)
  /** Rows, and whom the whiteouts belong to: three numbers each. */
  readonly #whiteouts = new WordList()
  /** The file whose content passes. */
  #file: { readonly fd: number; readonly entry: TarEntry; left: number } | undefined
  /** What is being made, for messages. */
  #path: Buffer

  /** Bytes of regular files, once per inode, plus lengths of symlink targets: Docker's layer size. */
  sizeBytes = 0
  /** Bytes of contents. */
  contentBytes = 0

  constructor(options: LayerDirectoryOptions) {
    this.#options = options
    this.#calls = options.calls
    this.#tree = options.tree
    this.#paths = new LayerPaths(options)
    this.#path = this.#paths.ofDirectory(rootInode)
    this.#guard(() => this.#makeRoot())
    this.#markMade(rootInode)
  }

  /**
   * Makes what an entry stands for. The content of a file follows by `content`, and there is no other entry before it is whole.
   * Throws LIMIT_EXCEEDED, METADATA_INVALID and STORE_IO.
   */
  place(entry: TarEntry, placed: Placed): void {
    if (placed.kind === 'whiteout') {
      for (const number of [placed.row, entry.uid, entry.gid]) this.#whiteouts.push(number)
    } else if (placed.kind !== 'none' && placed.kind !== 'opaque') {
      this.#warnAboutXattrs(entry, placed)
      this.#guard(() => this.#make(entry, placed))
    }
  }

  /** The next bytes of the file that was placed last. */
  content(bytes: Uint8Array, start: number, end: number): void {
    const file = this.#file!
    this.#guard(() => {
      this.#calls.write(file.fd, bytes, start, end)
      file.left -= end - start
      if (file.left === 0) this.#finishFile(file)
    })
  }

  /** All entries are there. Each step is a part of what is left to do. */
  *finish(): Generator<void> {
    const { inodes, names } = this.#tree
    settleMarks(inodes, names)
    let steps = 0
    for (let inode = 1; inode < inodes.length; inode++) {
      if (inodes.isType(inode, 'directory') && this.#isThere(inode)) this.#guard(() => this.#makeDirectory(inode))
      if (++steps % stepRows === 0) yield
    }
    for (let at = 0; at < this.#whiteouts.length; at += 3) {
      this.#guard(() => this.#makeWhiteout(at))
      if (++steps % stepRows === 0) yield
    }
    // Those below come first: whoever is not root needs their parents as they are now.
    for (let inode = inodes.length - 1; inode >= 0; inode--) {
      if (this.#isMade(inode)) this.#guard(() => this.#describeDirectory(inode))
      if (++steps % stepRows === 0) yield
    }
  }

  /** Nothing more will be made. */
  close(): void {
    const file = this.#file
    this.#file = undefined
    if (file !== undefined) this.#calls.close(file.fd)
  }

  /** What it has from the directory that it stands in (a group, default ACLs) all files below would have from it. */
  #makeRoot(): void {
    const { uid, gid } = this.#options.owner
    this.#calls.mkdir(this.#path, newDirectoryMode)
    this.#calls.dropAcls(this.#path)
    this.#calls.lchown(this.#path, uid, gid)
    this.#calls.chmod(this.#path, newDirectoryMode)
  }

  #make(entry: TarEntry, placed: Placed): void {
    const { names } = this.#tree
    const { kind, row } = placed
    this.#makeDirectory(kind === 'directory' ? names.inode[row]! : names.dir[row]!)
    if (kind === 'directory') return
    this.#path = this.#paths.ofRow(row)
    if (kind === 'link') this.#makeLink(entry, placed)
    else this.#makeInode(entry)
  }

  #makeLink(entry: TarEntry, { row, target, changes }: Placed): void {
    const { hardLinks } = this.#options.limits
    const inode = this.#tree.names.inode[row]!
    const nlink = this.#tree.inodes.nlink[inode]!
    if (nlink > hardLinks) throw limitError('hardLinks', hardLinks, nlink, 'names of one inode')
    this.#calls.link(this.#paths.ofRow(target), this.#path)
    this.#applyLink(inode, entry, changes!)
  }

  #makeInode(entry: TarEntry): void {
    const type = entry.type as InodeType
    this.sizeBytes += type === 'symlink' ? entry.linkName.length : entry.sizeBytes
    if (type === 'file') {
      const file = { fd: this.#calls.create(this.#path, newFileMode), entry, left: entry.sizeBytes }
      this.#file = file
      this.contentBytes += entry.sizeBytes
      if (file.left === 0) this.#finishFile(file)
      return
    }
    if (type === 'symlink') this.#calls.symlink(Buffer.from(entry.linkName, 'latin1'), this.#path)
    else this.#calls.mknod(this.#path, typeBits[type] | newFileMode, entry.deviceMajor, entry.deviceMinor)
    const { uid, gid, mode, xattrs, mtimeSec, mtimeNsec } = entry
    if (!this.#isOwner(uid, gid)) this.#calls.lchown(this.#path, uid, gid)
    this.#setXattrs(xattrs, type)
    if (type !== 'symlink') this.#calls.chmod(this.#path, mode)
    this.#calls.utimes(this.#path, diskTime(mtimeSec, mtimeNsec))
  }

  #finishFile({ fd, entry }: { readonly fd: number; readonly entry: TarEntry }): void {
    const { uid, gid, mode, xattrs, mtimeSec, mtimeNsec } = entry
    if (!this.#isOwner(uid, gid)) this.#calls.fchown(fd, uid, gid)
    this.#setXattrs(xattrs, 'file')
    this.#calls.fchmod(fd, mode)
    // node:fs has a double for a time: exact for whole seconds alone.
    const whole = mtimeNsec === 0 && mtimeSec >= 0
    if (whole) this.#calls.futimes(fd, mtimeSec)
    else this.#calls.utimes(this.#path, diskTime(mtimeSec, mtimeNsec))
    this.close()
  }

  #applyLink(inode: number, entry: TarEntry, changes: NonNullable<Placed['changes']>): void {
    const { uid, gid, mode, xattrs, mtimeSec, mtimeNsec } = entry
    const type = this.#typeOf(inode)
    if (changes.owner) this.#calls.lchown(this.#path, uid, gid)
    this.#setXattrs(changes.owner ? this.#xattrsOf(inode) : xattrs, type)
    if (type !== 'symlink' && (changes.owner || changes.mode)) this.#calls.chmod(this.#path, mode)
    if (changes.time) this.#calls.utimes(this.#path, diskTime(mtimeSec, mtimeNsec))
  }

  #makeWhiteout(at: number): void {
    const { names } = this.#tree
    const row = this.#whiteouts.at(at)
    // The entry of that name stays; and where the directory itself is gone, there is nothing to hide in it.
    if (names.inode[row] !== absent || !this.#isMade(names.dir[row]!)) return
    if ((names.marks[row]! & marks.whiteout) === 0) return
    names.marks[row]! &= ~marks.whiteout
    const [uid, gid] = [this.#whiteouts.at(at + 1), this.#whiteouts.at(at + 2)]
    this.#path = this.#paths.ofRow(row)
    this.#calls.mknod(this.#path, typeBits.char, 0, 0)
    if (!this.#isOwner(uid, gid)) this.#calls.lchown(this.#path, uid, gid)
  }

  #makeDirectory(inode: number): void {
    const missing: number[] = []
    for (let at = inode; !this.#isMade(at); at = this.#parentOf(at)) missing.push(at)
    for (let i = missing.length - 1; i >= 0; i--) {
      this.#path = this.#paths.ofDirectory(missing[i]!)
      this.#calls.mkdir(this.#path, newDirectoryMode)
      this.#markMade(missing[i]!)
    }
  }

  #describeDirectory(inode: number): void {
    const { inodes } = this.#tree
    const [uid, gid] = [inodes.uid[inode]!, inodes.gid[inode]!]
    this.#path = this.#paths.ofDirectory(inode)
    if (!this.#isOwner(uid, gid)) this.#calls.lchown(this.#path, uid, gid)
    this.#setXattrs(this.#xattrsOf(inode), 'directory')
    if (inodes.hasFlag(inode, inodeFlags.opaque)) this.#calls.lsetxattr(this.#path, opaqueXattr.name, opaqueXattr.value)
    this.#calls.chmod(this.#path, inodes.mode[inode]! & 0o7777)
    this.#calls.utimes(this.#path, diskTime(signedAt(inodes.mtimeSec, inode), inodes.mtimeNsec[inode]!))
  }

  /** Whether a directory, and all on the way to it, are still what their names stand for. */
  #isThere(inode: number): boolean {
    const { inodes, names } = this.#tree
    for (let at = inode; !this.#isMade(at); at = this.#parentOf(at))
      if (names.inode[inodes.rowOf(at)] !== at) return false
    return true
  }

  #parentOf(directory: number): number {
    return this.#tree.names.dir[this.#tree.inodes.rowOf(directory)]!
  }

  #isMade(inode: number): boolean {
    return this.#made[inode] === 1
  }

  #markMade(inode: number): void {
    if (inode >= this.#made.length) this.#made = enlarged(this.#made, grown(this.#made.length, inode + 1))
    this.#made[inode] = 1
  }

  #isOwner(uid: number, gid: number): boolean {
    const { owner } = this.#options
    return owner.uid === uid && owner.gid === gid
  }

  #typeOf(inode: number): InodeType {
    return (Object.keys(typeBits) as InodeType[]).find(type => this.#tree.inodes.isType(inode, type))!
  }

  #xattrsOf(inode: number): readonly Xattr[] {
    const { xattrs, xattrArena } = this.#tree.inodes
    return xattrs[inode] === 0 ? [] : decodeXattrs(xattrArena.arena.content(), xattrs[inode]!)
  }

  #setXattrs(xattrs: readonly Xattr[], type: InodeType): void {
    for (const xattr of xattrs) if (isWritten(xattr, type)) this.#calls.lsetxattr(this.#path, xattr.name, xattr.value)
  }

  #warnAboutXattrs(entry: TarEntry, { row }: Placed): void {
    if (entry.xattrs.length === 0) return
    const type = this.#typeOf(this.#tree.names.inode[row]!)
    const said = (name: ByteString) => `"${printable(name)}"`
    for (const xattr of entry.xattrs)
      if (isKept(xattr) && !isWritten(xattr, type))
        this.#tree.warnings.add(`${said(entry.name)}: the xattr ${said(xattr.name)} stays in the tar and is not set`)
  }

  #guard(work: () => void): void {
    const { limits, hasRoom } = this.#options
    try {
      work()
    } catch (error) {
      throw unpackError(error, { path: this.#path, limits, hasRoom })
    }
  }
}
