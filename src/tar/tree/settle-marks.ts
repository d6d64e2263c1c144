/** Whiteouts and opaque marks, when all entries of the layer are there. */
import { inodeFlags } from './inode-bits.js'
import type { InodeTable } from './inode-table.js'
import { absent, type NameTable } from './name-table.js'
import { marks } from './tree-builder.js'

/** Makes of every marked name what it is now that all entries are there; the answer is whether an inode lost its name. */
export function settleMarks(inodes: InodeTable, names: NameTable): boolean {
  let lost = false
  for (let row = 0; row < names.length; row++) {
    const mark = names.marks[row]!
    const inode = names.inode[row]!
    if (mark === 0 || inode === absent || !inodes.isType(inode, 'directory')) continue
    const removed = (mark & marks.whiteout) !== 0
    // A directory that only marks below it have made is not there: nothing but the whiteout is.
    if (removed && inodes.solid[inode] === 0) {
      names.inode[row] = absent
      lost = true
    } else inodes.setFlag(inode, inodeFlags.opaque)
  }
  return lost
}
