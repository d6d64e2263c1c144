/** One node of the tree of an upper, as the tree itself has it: only upper-tree.ts makes and changes these. */
import type { ByteString } from '../byte-string.js'
import type { Xattr } from '../tar/entry.js'
import type { Time } from '../tar/numbers.js'
import type { Member, Stack, WHITEOUT } from './layer.js'
import type { Attributes, NewNode, UpperNode } from './upper.js'

const typeMask = 0o170000
const directoryType = 0o040000
const none = '' as ByteString

export type Child = Node | typeof WHITEOUT

const noXattrs: readonly Xattr[] = []
const noLowers: Stack = []

/** Of what is no directory. Nobody puts anything in: a name is only ever given in a directory. */
const noChildren = new Map<ByteString, Child>()

/** Mutable for its tree, read-only for everybody else. */
export class Node implements UpperNode {
  readonly id: number
  mode: number
  uid: number
  gid: number
  atime: Time
  mtime: Time
  ctime: Time
  birthtime: Time
  readonly deviceMajor: number
  readonly deviceMinor: number
  nlink = 0
  xattrs: readonly Xattr[]
  readonly target: ByteString
  readonly origin: Member | undefined
  lowerContent: Member | undefined
  readonly children: Map<ByteString, Child>
  lowers: Stack
  /** Content bytes of a file. */
  contentBytes: number
  /** Where content of its own is; undefined while there is none. */
  stored: unknown
  holders = 0

  constructor(id: number, node: NewNode) {
    this.id = id
    this.mode = node.mode
    this.uid = node.uid
    this.gid = node.gid
    this.atime = node.atime
    this.mtime = node.mtime
    this.ctime = node.ctime
    this.birthtime = node.birthtime
    this.deviceMajor = node.deviceMajor ?? 0
    this.deviceMinor = node.deviceMinor ?? 0
    this.xattrs = node.xattrs ?? noXattrs
    this.target = node.target ?? none
    this.origin = node.origin
    const { lowerContent } = node
    this.lowerContent = lowerContent && { lower: lowerContent.lower, inode: lowerContent.inode }
    this.contentBytes = lowerContent?.sizeBytes ?? 0
    this.children = this.isDirectory ? new Map() : noChildren
    this.lowers = node.lowers ?? noLowers
  }

  change({ mode, uid, gid, atime, mtime, ctime, birthtime }: Partial<Attributes>): void {
    if (mode !== undefined) this.mode = mode
    if (uid !== undefined) this.uid = uid
    if (gid !== undefined) this.gid = gid
    if (atime !== undefined) this.atime = atime
    if (mtime !== undefined) this.mtime = mtime
    if (ctime !== undefined) this.ctime = ctime
    if (birthtime !== undefined) this.birthtime = birthtime
  }

  /** As it is now, but for the names in it, which are not copied. */
  copy(stored: unknown): Node {
    return Object.assign(Object.create(Node.prototype) as Node, this, { stored })
  }

  get isDirectory(): boolean {
    return (this.mode & typeMask) === directoryType
  }

  get sizeBytes(): number {
    return this.target === none ? this.contentBytes : this.target.length
  }
}
