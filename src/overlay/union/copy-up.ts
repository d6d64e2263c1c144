/**
 * What makes a change possible: everything that is changed, and every directory above it, has to be in the upper first.
 *
 * Invariants:
 * - Copying up copies attributes and no content (an upper of real directories has to copy that, too), and shows nothing: only the
 *   inode number of a name whose lower inode has other names changes, as in the kernel with index=off (R-HL-2).
 * - Directories above keep their times (R-CU-2).
 */
import type { ByteString } from '../../byte-string.js'
import type { ContentDraft, Upper, UpperNode } from '../../drivers/upper.js'
import type { Time } from '../../tar/numbers.js'
import type { Dentry } from './dentry.js'
import { beforeCopies } from './long-copies.js'
import { lookup, type Stack } from './lookup.js'
import { S_IFMT, S_IFREG } from './mode.js'
import type { Union } from './union.js'

/** The upper of a union that has one. */
export function upperOf(union: Union): Upper {
  if (union.upper === undefined || union.readOnly) throw new TypeError(`${union.label} cannot be changed`)
  return union.upper
}

/**
 * Puts what a dentry stands for into the upper, with all directories above it, unless it is there. `content`: what it has there
 * instead of its own. Throws EDQUOT where contents are copied, too, and there is no room.
 */
export function copyUp(union: Union, dentry: Dentry, content?: ContentDraft | 'empty'): UpperNode {
  const there = union.nodeOf(dentry)
  if (there !== undefined) return there
  const upper = upperOf(union)
  if (content === undefined) beforeCopies(union, { alone: [dentry], linked: [] })
  return upper.atomically(() => {
    // What lost its name while it was open is copied up without one
    const directory = union.tree.isLinked(dentry) ? copyUp(union, dentry.parent) : undefined
    const node = upper.create(copyOf(union, dentry, content === undefined))
    try {
      if (content !== undefined && content !== 'empty') upper.adopt(node, content)
      if (directory !== undefined) upper.place(directory, dentry.name, node)
      for (let opens = dentry.opens; opens > 0; opens--) upper.hold(node)
    } finally {
      upper.release(node)
    }
    union.tree.raised(dentry, stackOf(node))
    return node
  })
}

/** What a node in the upper makes up, with what it merges with. */
export function stackOf(node: UpperNode): Stack {
  return [{ lower: 0, inode: node.id }, ...node.lowers]
}

function copyOf(union: Union, dentry: Dentry, withContent: boolean) {
  const { lower, inode, mode } = dentry
  const tree = union.treeOf(dentry)
  const attributes = tree.inode(inode)
  const { uid, gid, sizeBytes, nlink, deviceMajor, deviceMinor } = attributes
  const time: Time = { sec: attributes.mtimeSec, nsec: attributes.mtimeNsec }
  const member = { lower, inode }
  return {
    mode,
    uid,
    gid,
    atime: time,
    mtime: time,
    ctime: union.now(),
    birthtime: time,
    deviceMajor,
    deviceMinor,
    xattrs: tree.xattrs(inode),
    ...(union.tree.isSymlink(dentry) && { target: tree.readlink(inode) }),
    ...((dentry.directory !== undefined || nlink === 1) && { origin: member }),
    ...(withContent && (mode & S_IFMT) === S_IFREG && { lowerContent: { ...member, sizeBytes } }),
    ...(dentry.directory !== undefined && { lowers: dentry.directory.stack }),
  }
}

/**
 * Whether a name would show something if the upper said nothing about it. This alone decides whether taking the name away leaves
 * a whiteout (R-WH-6).
 */
export function lowerPositive(union: Union, directory: Dentry, name: ByteString): boolean {
  const below = directory.directory!.stack.filter(({ lower }) => lower > 0)
  return lookup(union.trees, below, name).length > 0
}

/** Whether a directory shows anything that is not the upper's alone. */
export function hasLower({ directory }: Dentry): boolean {
  return directory!.stack.some(({ lower }) => lower > 0)
}
