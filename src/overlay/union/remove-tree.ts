/**
 * Removing a directory with all that is in it. Taking its one name away does it: what was below is gone with it, and one whiteout
 * hides what the layers have there (R-RM-5). Only where the upper has much of its own below is it taken apart first, so that
 * nobody waits for it.
 */
import { WHITEOUT } from '../../drivers/layer.js'
import type { UpperNode } from '../../drivers/upper.js'
import { remove } from './change-names.js'
import type { Dentry } from './dentry.js'
import type { Union } from './union.js'

/** Nodes of the upper that go at once: some milliseconds. */
const nodesAtOnce = 2000

export function removeTreeNow(union: Union, dentry: Dentry): void {
  remove(union, dentry)
}

export async function removeTreeLater(union: Union, dentry: Dentry): Promise<void> {
  const node = union.nodeOf(dentry)
  if (node !== undefined && nodesOf(node, nodesAtOnce) >= nodesAtOnce) {
    for (const child of [...union.tree.children(dentry)]) {
      // Somebody else may have been here meanwhile
      if (!union.tree.isLinked(child) || child.parent !== dentry) continue
      if (child.directory === undefined) remove(union, child)
      else await removeTreeLater(union, child)
      if (union.pace.due()) await union.pace.turn()
    }
  }
  if (union.tree.isLinked(dentry)) remove(union, dentry)
}

/** How many nodes of the upper a directory holds, counted no further than `most`. */
function nodesOf(directory: UpperNode, most: number): number {
  let count = directory.children.size
  for (const child of directory.children.values()) {
    if (count >= most) break
    if (child !== WHITEOUT && child.children.size > 0) count += nodesOf(child, most - count)
  }
  return count
}
