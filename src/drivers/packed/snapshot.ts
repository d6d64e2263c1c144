/** The tree of an upper as records: played, they make the same tree. */

import { WHITEOUT } from '../layer.js'
import type { NewNode, UpperNode } from '../upper.js'
import type { UpperTree } from '../upper-tree.js'
import type { Journal } from './journal.js'
import { RecordWriter } from './record-writer.js'
import type { StoredContent } from './stored-content.js'

/** Bytes of a frame. */
const frameBytes = 256 << 10

/** Appends it to a journal, which is finished then. What has no name is there, too: somebody has it open. */
export function writeSnapshot(tree: UpperTree, journal: Journal): void {
  const records = new RecordWriter()
  const frame = (enough: number) => {
    if (records.length <= enough) return
    journal.append(records.frame())
    records.reset()
  }
  for (const node of tree.nodes()) {
    records.change({ op: 'create', id: node.id, node: newNodeOf(node) })
    // A copy: what the content's own record is in the journal that is in use stays as it is.
    if (node.stored !== undefined) records.content(node.id, { ...(node.stored as StoredContent) })
    frame(frameBytes)
  }
  for (const { id: directory, children } of tree.nodes()) {
    for (const [name, child] of children) {
      if (child === WHITEOUT) records.change({ op: 'whiteout', directory, name })
      else records.change({ op: 'place', directory, name, id: child.id })
      frame(frameBytes)
    }
  }
  records.next(tree.nextId)
  frame(0)
  journal.finish()
}

function newNodeOf(node: UpperNode): NewNode {
  const { mode, uid, gid, atime, mtime, ctime, birthtime, deviceMajor, deviceMinor, xattrs, target } = node
  const { origin, lowerContent, lowers, sizeBytes } = node
  return {
    ...{ mode, uid, gid, atime, mtime, ctime, birthtime, deviceMajor, deviceMinor, xattrs, target, lowers },
    ...(origin !== undefined && { origin }),
    ...(lowerContent !== undefined && { lowerContent: { ...lowerContent, sizeBytes } }),
  }
}
