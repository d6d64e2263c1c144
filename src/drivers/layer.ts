/**
 * What the union is computed over: trees of inodes, whatever they are stored in. A layer is one that never changes; the upper
 * of a container (upper.ts) is one that does. All look-ups are synchronous: the metadata of a tree is in memory while it is open.
 *
 * Inode numbers are the tree's own, and 0 is its root directory.
 */
import type { ByteString } from '../byte-string.js'
import type { DiffId } from '../oci/digest.js'
import type { TarSource } from '../pool/jobs.js'
import type { Xattr } from '../tar/entry.js'

/** A name that hides whatever lower layers have under it. */
export const WHITEOUT = -1
/** A name that this layer says nothing about. */
export const ABSENT = -2

export interface Inode {
  /** st_mode: type bits and permission bits. Never a whiteout. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Names of this inode in this layer; 1 for directories (a view counts subdirectories itself). */
  readonly nlink: number
  /** Content bytes of a file, target bytes of a symlink, 0 otherwise. */
  readonly sizeBytes: number
  readonly mtimeSec: number
  readonly mtimeNsec: number
  readonly deviceMajor: number
  readonly deviceMinor: number
  /** A directory that hides the lower layers' children. Never true of the root. */
  readonly opaque: boolean
  /** A directory that no entry described, made because something lies below it: 0755 0:0, mtime 0. */
  readonly implied: boolean
}

/** An inode of one of the trees of a union. */
export interface Member {
  /** Index into the trees of the union, 0 is the topmost: of a container its upper, of a view its topmost layer. */
  readonly lower: number
  /** The tree's own inode number. */
  readonly inode: number
}

/**
 * What makes up one visible object, top first: one member for what is not a directory, one or more for a directory. Attributes
 * are the first member's; the others contribute names.
 */
export type Stack = readonly Member[]

/** Names and attributes of a tree. */
export interface Metadata {
  /** Inode of `name` in the directory `dir`, WHITEOUT, or ABSENT. */
  lookup(dir: number, name: ByteString): number
  /** Every name of the directory in byte order, whiteouts (inode WHITEOUT) included. */
  list(dir: number, visit: (name: ByteString, inode: number) => void): void
  /** A fresh object with the inode's attributes. */
  inode(inode: number): Inode
  /** Type and permission bits alone, without an object. */
  mode(inode: number): number
  opaque(inode: number): boolean
  /** Of a directory that says itself what it merges with: what lies below it, wherever that is. Undefined: the same name below. */
  merges?(inode: number): Stack | undefined
  readlink(inode: number): ByteString
  xattrs(inode: number): readonly Xattr[]
}

export interface Tree extends Metadata {
  /** Inodes that are known: all, or, of a tree that is read as it is visited, those found so far. */
  readonly inodeCount: number

  /** Where the content stands in the stored order of the tree: of a layer with `tar` its offset there. Ascending order is read fastest. */
  contentOffset(inode: number): number
  /** Copies content bytes from `position` on into `into`; returns how many (0 at or past the end). Verifies what it reads. */
  readSync(inode: number, position: number, into: Uint8Array): number
  /**
   * The whole content of a file, in memory that becomes the caller's; undefined if it is longer than `most`. For trees that have it
   * faster than by `readSync` into fresh memory.
   */
  contentSync?(inode: number, most: number): Buffer | undefined
  /** `readSync` off the main thread: reading and decompression happen on the thread pool. */
  read(inode: number, position: number, into: Uint8Array): Promise<number>
}

/**
 * The exact tar of a layer. Apart from the tree, for a directory has none in it: where that is how a layer is kept, whoever wants
 * the tar asks the driver.
 */
export interface LayerTar {
  /** The sha256 of the tar. */
  readonly diffId: DiffId
  readonly tarBytes: number
  /** Where a job finds it. */
  readonly source: TarSource
  /** Copies bytes of the tar; returns how many, 0 at or past the end. For save, export and `openTar`. */
  readTar(position: number, into: Uint8Array): Promise<number>
}

/** A tree that never changes. */
export interface Layer extends Tree {
  readonly diffId: DiffId
  /** Every inode number is less, also of inodes that are yet to be found. */
  readonly inodeBound: number
  /** Bytes that it takes, for statfs: of its tar, or of what is in it. */
  readonly sizeBytes: number
  /** The tar that contents are read out of: `contentOffset` is an offset in it. Undefined: they lie apart. */
  readonly tar?: LayerTar
}
