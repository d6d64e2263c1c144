/**
 * The upper: a container's own tree over the layers below it, what it has added, changed and taken away. The rules of the union
 * are not here: an Upper does what it is told, and keeps it.
 *
 * Invariants:
 * - The whole tree is in memory; every method but those that give promises is synchronous.
 * - A node is one inode. Names are in the directories that hold them; a node without a name lives as long as somebody holds it.
 * - Only the Upper changes nodes. Who reads one sees its present state.
 */
import type { ByteString } from '../byte-string.js'
import type { Xattr } from '../tar/entry.js'
import type { Time } from '../tar/numbers.js'
import type { Member, Metadata, Stack, Tree, WHITEOUT } from './layer.js'

export interface Attributes {
  /** st_mode: type bits and permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly atime: Time
  readonly mtime: Time
  readonly ctime: Time
  readonly birthtime: Time
}

export interface UpperNode extends Attributes {
  /** Its inode number in the tree: 0 is the root; none is used twice in one container. */
  readonly id: number
  readonly deviceMajor: number
  readonly deviceMinor: number
  /** Names of the node; of a directory 1. */
  readonly nlink: number
  /** Content bytes of a file, target bytes of a symlink, 0 otherwise. */
  readonly sizeBytes: number
  readonly xattrs: readonly Xattr[]
  /** Of a symlink. */
  readonly target: ByteString
  /** What it was copied up from, if its inode number stays that one's: not when the lower inode has other names (R-HL-2). */
  readonly origin: Member | undefined
  /** Of a file whose content nobody has written to yet: where it lies. */
  readonly lowerContent: Member | undefined
  /** Of a directory: names that the upper says something about. */
  readonly children: ReadonlyMap<ByteString, UpperNode | typeof WHITEOUT>
  /** Of a directory: what it merges with. Empty: opaque, or nothing is below. After a rename these are another name's. */
  readonly lowers: Stack
}

/** What a node has to do with a lower one. */
export type UpperOrigin = Pick<UpperNode, 'origin' | 'lowerContent'>

/** What a new node is. */
export interface NewNode extends Attributes {
  readonly deviceMajor?: number
  readonly deviceMinor?: number
  readonly xattrs?: readonly Xattr[]
  readonly target?: ByteString
  readonly origin?: Member
  /** With the bytes of content there. */
  readonly lowerContent?: Member & { readonly sizeBytes: number }
  readonly lowers?: Stack
}

/** What lies below an upper, for one that has to know. Members are numbered as the union numbers its trees: 1 is the topmost layer. */
export interface Lowers {
  /** The roots of all layers. */
  readonly root: Stack
  /** What a name shows in a directory's stack; empty: nothing. */
  lookup(directory: Stack, name: ByteString): Stack
  tree(lower: number): Tree
}

/** Content that is being copied: nothing of it is anywhere before `adopt`. */
export interface ContentDraft {
  readonly bytes: number
  append(bytes: Uint8Array): void
  /** Appends zeros until it is so long. */
  extend(sizeBytes: number): void
  /** It is not needed after all. */
  discard(): void
}

/** Where a content lies: bytes of a file, as they stand there. */
export interface ContentPlace {
  /** Its path. */
  readonly file: ByteString
  readonly offset: number
  readonly bytes: number
}

/**
 * The tree of an upper as it was at one moment, for whoever works longer. The files that its contents lie in stay, and what lies
 * there stays as it is, until it is let go of: jobs may read them.
 */
export interface UpperSnapshot extends Metadata, Disposable {
  node(inode: number): UpperOrigin
  /** Where the content of a file lies that is not empty and had one of its own. */
  place(inode: number): ContentPlace
}

export interface Upper extends Tree {
  readonly root: UpperNode
  /** Bytes of contents of its own, and nodes and whiteouts: what a container's bounds are about. */
  readonly usedBytes: number
  readonly usedEntries: number

  node(id: number): UpperNode

  /**
   * Runs changes that belong together: after a crash all of them are there, or none. Whoever throws half way has a bug: check
   * first. Nests; the outermost counts.
   */
  atomically<T>(changes: () => T): T

  /**
   * A node that has no name yet and is held once (see `hold`). An upper with `detach` copies what `lowerContent` says at once: no
   * node of it has one.
   */
  create(node: NewNode): UpperNode
  /** Gives a name to a node, taking it from whatever had it, a whiteout included. */
  place(directory: UpperNode, name: ByteString, node: UpperNode): void
  /** Takes a name away: the upper then says nothing about it. */
  remove(directory: UpperNode, name: ByteString): void
  /** Hides a name, taking it from whatever had it. */
  whiteout(directory: UpperNode, name: ByteString): void
  setAttributes(node: UpperNode, attributes: Partial<Attributes>): void
  setXattrs(node: UpperNode, xattrs: readonly Xattr[]): void

  /**
   * Of an upper that has to hold all that it shows under another name than the layers do, as an upper of the kernel has to: the
   * directory merges with nothing from now on. All that it shows is in it.
   */
  detach?(directory: UpperNode): void

  /** Keeps a node that may lose its names: an open file. */
  hold(node: UpperNode): void
  release(node: UpperNode): void

  /** Writes all of the bytes; a gap before them becomes zeros. Of a node without `lowerContent`. */
  writeSync(node: UpperNode, position: number, bytes: Uint8Array): void
  /** Cuts off, or appends zeros. Of a node without `lowerContent`, or to 0 bytes. */
  truncateSync(node: UpperNode, sizeBytes: number): void
  draft(): ContentDraft
  /**
   * A draft with the whole content of a file of a layer, copied off the main thread: without a copy where the file system can.
   * Undefined, or without the method: whoever wants it reads and appends.
   */
  copyOf?(layer: Tree, inode: number): Promise<ContentDraft | undefined>
  /** Takes a draft as the content of a node, which then has no `lowerContent` and nothing of what it had. */
  adopt(node: UpperNode, draft: ContentDraft): void

  /**
   * What there is now. It costs the same whatever there is, but for handing to the kernel what still waits in memory: throws if
   * that fails.
   */
  snapshot(): UpperSnapshot
  /** Whether the content has to be copied before anything is written to it from `position` on: a snapshot reads it where it is. */
  isKept(node: UpperNode, position: number): boolean
  /** Copies such a content off the main thread, so that writing to it copies nothing. */
  copyKept(node: UpperNode): Promise<void>
  /**
   * The content of a node once more, sharing its bytes on the disk with it; undefined where the file system cannot do that, or
   * where it is as good to copy.
   */
  reflink(node: UpperNode): Promise<ContentDraft | undefined>
  reflinkSync(node: UpperNode): ContentDraft | undefined

  /** Everything that was done is on the disk. */
  sync(): Promise<void>
  /** The same before it returns, for fsyncSync. An upper without it has nothing that could be lost. */
  syncNow?(): void
  /** Hands everything to the kernel and ends. Idempotent. After a failure (a full disk) it can be tried again, and nothing is lost. */
  close(): Promise<void>
  /** Ends, and lets go of all that is open: what the kernel does not have yet is lost. */
  abandon(): Promise<void>
}
