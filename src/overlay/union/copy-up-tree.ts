/**
 * Copying up what is going to have another name. Where the upper can say that a directory goes on merging with what it merged with,
 * that is copying it up alone. Else, as in an upper that the kernel shall read, all that it shows is copied first.
 *
 * Invariants:
 * - Nothing of this shows: whoever dies on the way leaves the tree as it was.
 * - Names of one inode below are names of one node afterwards, as far as they are in that directory.
 */
import type { UpperNode } from '../../drivers/upper.js'
import { copyUp, hasLower, stackOf, upperOf } from './copy-up.js'
import type { Dentry } from './dentry.js'
import type { Union } from './union.js'

/** Before the batch that moves it: there, copying up the dentry itself is one step with what follows. */
export function copyUpToMove(union: Union, dentry: Dentry): void {
  if (upperOf(union).detach === undefined) return
  if (dentry.directory !== undefined && hasLower(dentry)) copyTree(union, dentry, new Map())
  copyUp(union, dentry)
}

/** `linked`: nodes of inodes below that have other names. */
function copyTree(union: Union, directory: Dentry, linked: Map<string, UpperNode>): void {
  const node = copyUp(union, directory)
  for (const child of [...union.tree.children(directory)]) {
    if (child.directory === undefined) copyLinked(union, node, child, linked)
    else if (hasLower(child)) copyTree(union, child, linked)
  }
  upperOf(union).detach!(node)
  union.tree.raised(directory, stackOf(node))
}

function copyLinked(union: Union, directory: UpperNode, child: Dentry, linked: Map<string, UpperNode>): void {
  const several = union.nodeOf(child) === undefined && union.tree.attributes(child).nlink > 1
  if (!several) return void copyUp(union, child)
  const inode = `${child.lower} ${child.inode}`
  const same = linked.get(inode)
  if (same === undefined) return void linked.set(inode, copyUp(union, child))
  const upper = upperOf(union)
  upper.place(directory, child.name, same)
  for (let opens = child.opens; opens > 0; opens--) upper.hold(same)
  union.tree.raised(child, stackOf(same))
}
