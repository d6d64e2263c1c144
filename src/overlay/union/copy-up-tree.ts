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
import { beforeCopies, type Copies, inodeBelow } from './long-copies.js'
import { adoptOrDiscard } from './own-content.js'
import type { Union } from './union.js'

/** Before the batch that moves it: there, copying up the dentry itself is one step with what follows. */
export function copyUpToMove(union: Union, dentry: Dentry): void {
  if (upperOf(union).detach === undefined) return
  if (dentry.directory !== undefined && hasLower(dentry)) {
    beforeCopies(union, copiesOf(union, dentry))
    copyTree(union, dentry, new Map())
  }
  copyUp(union, dentry)
}

/** All that is below and has to come up. */
function copiesOf(union: Union, dentry: Dentry): Copies {
  const alone: Dentry[] = []
  const linked = new Map<string, Dentry>()
  const visit = (directory: Dentry) => {
    if (union.nodeOf(directory) === undefined) alone.push(directory)
    for (const child of union.tree.children(directory)) {
      if (child.directory !== undefined) {
        if (hasLower(child)) visit(child)
      } else if (isLinkedBelow(union, child)) {
        if (!linked.has(inodeBelow(child))) linked.set(inodeBelow(child), child)
      } else if (union.nodeOf(child) === undefined) alone.push(child)
    }
  }
  visit(dentry)
  return { alone, linked: [...linked.values()] }
}

/** Its inode has other names, and is not in the upper. */
function isLinkedBelow(union: Union, dentry: Dentry): boolean {
  return union.nodeOf(dentry) === undefined && union.tree.attributes(dentry).nlink > 1
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
  if (!isLinkedBelow(union, child)) return void copyUp(union, child)
  const inode = inodeBelow(child)
  const same = linked.get(inode)
  if (same === undefined) return void linked.set(inode, copyFirst(union, child))
  const upper = upperOf(union)
  upper.place(directory, child.name, same)
  for (let opens = child.opens; opens > 0; opens--) upper.hold(same)
  union.tree.raised(child, stackOf(same))
}

/** With the content that was copied for it, if the call waited for that. */
function copyFirst(union: Union, child: Dentry): UpperNode {
  const drafts = union.attempt?.drafts
  const draft = drafts?.get(inodeBelow(child))
  if (draft === undefined) return copyUp(union, child)
  drafts!.delete(inodeBelow(child))
  return adoptOrDiscard(union, child, draft)
}
